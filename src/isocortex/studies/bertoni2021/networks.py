"""The networks of the study: one step trains one arm with one seed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.execution import Step, tick
from isocortex.models.convnet import ConvBlock
from isocortex.models.lateral import LateralConfig
from isocortex.models.lgn import LGNConfig
from isocortex.models.lgncnn import LGNCNN, LGNCNNConfig
from isocortex.stimuli import digits, glyphs, labelled_folders
from isocortex.studies.bertoni2021.snapshots import Snapshot, Snapshots, milestones
from isocortex.training.augmentation import augmented
from isocortex.training.fit import accuracy, fit
from isocortex.training.optimisers import OptimiserConfig

N_GLYPHS = 10
FIRST_TEST_GLYPH = 1_000_000
RESTART = 1_000
"""Added to the seed when a training ends with a dead filter in front."""
MOST_RESTARTS = 3
_PROBES = 256


class Train(Step):
    """Train one network to name grey images (specification 4.2).

    Networks of one seed share the initial weights of the layers that they share, and the order of
    their batches. If the filter in front is dead at the end, the training is repeated with another
    seed and the restart counted.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data", "checkpoint_every")
    arm: str
    source: str
    folder: str = ""
    seed: int
    size: int
    train_images: int
    test_images: int
    shift: int
    flips: bool
    filters: int
    filter_size: int
    channels: list[int]
    lgn: bool = True
    lgn_size: int
    lgn_initial_sd: float | None = None
    lgn_normalised: bool = True
    lgn_rectified: bool = True
    lateral: str = "learned"
    kernel_side: int
    iterations: int
    dropout: float
    anchor: str = "current"
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    snapshots: int
    data: Path | None = None
    data_checksum: str = ""
    checkpoint_every: int = 100
    device: str = "cpu"

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return f"{self.arm} seed {self.seed}"

    def architecture(self, mean: float = 0.0, sd: float = 1.0, n_classes: int = 10) -> LGNCNNConfig:
        """Return the configuration of the network."""
        lgn = LGNConfig(
            size=self.lgn_size,
            rectified=self.lgn_rectified,
            normalised=self.lgn_normalised,
            initial_sd=self.lgn_initial_sd,
        )
        lateral = None
        if self.lateral != "none":
            lateral = LateralConfig.model_validate(
                {
                    "kind": self.lateral,
                    "side": self.kernel_side,
                    "iterations": self.iterations,
                    "dropout": self.dropout,
                    "anchor": self.anchor,
                }
            )
        return LGNCNNConfig(
            input_size=self.size,
            mean=mean,
            sd=sd,
            lgn=lgn if self.lgn else None,
            filters=self.filters,
            filter_size=self.filter_size,
            lateral=lateral,
            blocks=tuple(ConvBlock(channels=(width,)) for width in self.channels),
            n_classes=n_classes,
        )

    def network(self) -> LGNCNN:
        """Return the trained network, in evaluation mode."""
        found = self.result()
        network = LGNCNN(LGNCNNConfig.model_validate_json(found["architecture"]))
        network.load_state_dict(found["weights"])
        return network.eval()

    def compute(self) -> dict[str, Any]:
        """Train; return weights, filters over training, history, accuracy and restarts."""
        for restarts in range(MOST_RESTARTS + 1):
            found = self._train(self.seed + RESTART * restarts, restarts)
            if found is not None:
                return found
        raise UserError(
            f"the filter in front died in all {MOST_RESTARTS + 1} trainings of {self.title}; lower "
            "training.learning_rate or training.weight_decay"
        )

    def _train(self, seed: int, restarts: int) -> dict[str, Any] | None:
        taught, held_out = (
            pictures(self.source, split, count, self.size, self.data, self.folder)
            for split, count in (("train", self.train_images), ("test", self.test_images))
        )
        mean, sd = float(taught[0].mean()), float(taught[0].std())
        architecture = self.architecture(mean, sd, int(taught[1].max()) + 1)
        source = augmented(*taught, shift=self.shift, flips=self.flips)
        steps = self.epochs * max(1, source.n // self.batch_size)
        workspace = self.workspace()
        place = None if workspace is None else workspace / f"attempt-{restarts}"
        snapshots = Snapshots(place, photograph)
        network = LGNCNN(architecture, seed=seed)
        training = fit(
            network,
            source,
            optimiser=OptimiserConfig(
                name="sgd",
                learning_rate=self.learning_rate,
                nesterov=True,
                weight_decay=self.weight_decay,
                schedule="one_cycle",
                schedule_steps=steps,
            ),
            steps=steps,
            batch_size=self.batch_size,
            seed=seed,
            checkpoint=None if place is None else place / "checkpoint.pt",
            checkpoint_every=self.checkpoint_every,
            device=self.device,
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
            observe=snapshots,
            observe_at=milestones(steps, self.snapshots),
        )
        if network.is_dead(taught[0][:_PROBES].to(self.device)):
            return None
        return {
            "architecture": architecture.model_dump_json(),
            "weights": {k: v.cpu() for k, v in network.state_dict().items()},
            "filters": snapshots.kept,
            "history": training.history,
            "accuracy": accuracy(network, *held_out),
            "restarts": restarts,
            "steps": steps,
        }


def photograph(network: nn.Module) -> Snapshot:
    """Return the filter in front, the filters and the lateral kernel that a network has now."""
    assert isinstance(network, LGNCNN)
    parts = {"lgn": network.lgn_filter, "filters": network.filters, "kernel": network.kernel}
    return {k: v.cpu().numpy().copy() for k, v in parts.items() if v is not None}


@lru_cache(maxsize=4)
def pictures(
    source: str, split: str, count: int, size: int, data: Path | None, folder: str
) -> tuple[Tensor, Tensor]:
    """Return at most `count` grey pictures (n, 1, size, size) with labels, alike for all classes.

    Glyphs of the two splits are other drawings of the same classes.
    """
    if source == "glyphs":
        first = 0 if split == "train" else FIRST_TEST_GLYPH
        return glyphs.stroke_glyphs(count // N_GLYPHS, N_GLYPHS, size=size, first=first)
    if source == "folder":
        images, labels = labelled_folders.labelled_images(folder, split, size)
    elif source == "mnist":
        images, labels = digits.mnist(data, split, size=size)
    else:
        images, labels = digits.cifar10(data, split, size=size, per_class=-(-count // 10))
    classes = int(labels.max()) + 1
    rows = torch.cat(
        [torch.nonzero(labels == k).flatten()[: count // classes] for k in range(classes)]
    )
    rows = rows.sort().values
    return images[rows], labels[rows]
