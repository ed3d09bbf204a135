"""The recordings of the study: every layer of a network, one set of views, one image symmetry."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar, Literal

from isocortex.execution import Step, tick
from isocortex.recording import Recording, record
from isocortex.stimuli.transforms import TRANSFORMS
from isocortex.studies.farzmahdi2024.networks import Train
from isocortex.studies.farzmahdi2024.stimuli import Views

LAYERS = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "fc1", "fc2", "fc3")
"""Layers that are read, in order of depth: after ReLU, before normalisation and pooling."""

CONV_LAYERS = LAYERS[:4]


class Record(Step):
    """Record all layers of one network while it looks at one set of views.

    The activations lie in a zarr store in the cache, written batch by batch; a recording that was
    cut short goes on from the last whole batch. ``result()`` is the path of the store.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device",)
    network: Train
    views: Views
    transform: Literal["hflip", "vflip", "rot90"] | None = None
    batch_size: int = 100
    device: str = "cpu"

    def compute(self) -> str:
        """Record into the cache and return the path of the store."""
        return str(self._record(self._store()).path)

    def recording(self) -> Recording:
        """Return the recording; without a cache it is held in memory."""
        if self.infra.folder is None:
            return self._record(None)
        return Recording.open(Path(self.result()))

    def discard(self) -> None:
        """Remove the recording from the cache."""
        if self.infra.folder is not None:
            self.infra.clear_job()
            shutil.rmtree(self._store(), ignore_errors=True)

    def _store(self) -> Path:
        folder = self.infra.uid_folder(create=True)
        assert folder is not None
        return Path(folder) / "activations.zarr"

    def _record(self, store: Path | None) -> Recording:
        network = self.network.trained()
        return record(
            network,
            self.views.stimuli(),
            [network.readouts[layer] for layer in LAYERS],
            batch_size=self.batch_size,
            store=store,
            device=self.device,
            transform=TRANSFORMS[self.transform] if self.transform else None,
            progress=lambda done, total: tick(done, total, "recording"),
        )
