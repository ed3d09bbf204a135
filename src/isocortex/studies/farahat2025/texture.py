"""Digits and textures read out of networks, and of one trained on the task."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.execution import Step, tick
from isocortex.stimuli import TextureDigits, texture_digits
from isocortex.stimuli.image_files import with_channels
from isocortex.stimuli.texture_digits import leak_features
from isocortex.stimuli.textures import SPLITS
from isocortex.studies.farahat2025.networks import Network, blocks
from isocortex.training import OptimiserConfig, logistic_readout, pooled
from isocortex.training.fit import fit

N_CLASSES = 10
LABELS = {"texture": "A", "digit": "M"}
"""Label -> composition on which it is read out: with a background of full contrast digits are at
chance, so they are read where it has a third."""

LEAST_SCALE = 1e-4
"""Differences of a leak feature below this, in units of a region's SD, are rounding."""


class TextureReadout(Step):
    """Read a label out of the last block of a network, frozen or trained on that label."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data", "batch_size")
    network: Network | None
    label: Literal["texture", "digit"]
    source: str
    shapes: Literal["mnist", "glyphs"]
    seed: int
    train: int
    validation: int
    test: int
    readouts: list[str]
    trained_epochs: int = 0
    device: str = "cpu"
    batch_size: int
    data: Path | None = None
    data_checksum: str = ""

    @property
    def title(self) -> str:
        """Name in the terminal."""
        who = self.network.title if self.network else f"means and SDs alone, seed {self.seed}"
        learned = ", trained on it" if self.trained_epochs else ""
        return f"{self.source} {self.label}, {who}{learned}"

    def compute(self) -> pd.DataFrame:
        """Return one row a readout: accuracy on unseen images."""
        sizes = (self.train, self.validation, self.test)
        sets = _sets(LABELS[self.label], self.source, self.shapes, self.seed, sizes, self.data)
        labels = {split: getattr(images, self.label) for split, images in sets.items()}
        if self.network is None:
            found = [self._leak(sets, labels)]
        elif self.trained_epochs:
            found = [self._trained(sets, labels)]
        else:
            found = self._frozen(sets, labels)
        return pd.DataFrame(found).assign(
            source=self.source, label=self.label, class_set=self.seed, n_test=self.test
        )

    def _frozen(
        self, sets: dict[str, TextureDigits], labels: dict[str, Tensor]
    ) -> list[dict[str, Any]]:
        assert self.network is not None
        network = self.network.network(with_channels(sets["train"].images, 3))
        # Only what a readout sees is kept: whole maps of all images are large.
        features: dict[str, dict[str, list[Tensor]]] = {k: {} for k in self.readouts}
        for split, images in sets.items():
            for k, batch in enumerate(images.images.split(self.batch_size)):
                last = blocks(network, with_channels(batch, 3), self.batch_size)[-1]
                for kind in self.readouts:
                    features[kind].setdefault(split, []).append(pooled(last, kind))
                tick((k + 1) * self.batch_size, len(images), split)
        return [
            {
                **self.network.labels(),
                "readout": kind,
                **_readout({s: torch.cat(f) for s, f in features[kind].items()}, labels),
            }
            for kind in self.readouts
        ]

    def _trained(self, sets: dict[str, TextureDigits], labels: dict[str, Tensor]) -> dict[str, Any]:
        """Train the same body with its head, global means below one linear layer, readout (i)."""
        assert self.network is not None
        if self.network.classes != N_CLASSES:
            raise UserError(
                f"the network has {self.network.classes} outputs, and there are"
                f" {N_CLASSES} labels; give it another source of objects"
            )
        shown = {split: with_channels(images.images, 3) for split, images in sets.items()}
        network = self.network.network(shown["train"])
        batch = min(128, self.train)
        steps = self.trained_epochs * (self.train // batch)
        workspace = self.workspace()
        fit(
            network,
            shown["train"],
            labels["train"],
            optimiser=OptimiserConfig(
                name="adam", learning_rate=3e-3, schedule="cosine", schedule_steps=steps
            ),
            steps=steps,
            batch_size=batch,
            seed=self.seed,
            checkpoint=workspace / "checkpoint.pt" if workspace else None,
            device=self.device,
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
        )
        network.cpu().eval()
        with torch.inference_mode():
            named = torch.cat([network(b) for b in shown["test"].split(self.batch_size)]).argmax(1)
        right = (named == labels["test"]).double().mean()
        keys = {**self.network.labels(), "arm": "trained on it"}
        return {**keys, "readout": "means", "accuracy": float(right), "penalty": np.nan,
                "n_constant": 0}  # fmt: skip

    def _leak(self, sets: dict[str, TextureDigits], labels: dict[str, Tensor]) -> dict[str, Any]:
        """Read out the means and SDs of regions: what should tell neither label."""
        features = {split: leak_features(images) for split, images in sets.items()}
        varies = features["train"].std(dim=0) > LEAST_SCALE
        kept = {split: f[:, varies] for split, f in features.items()}
        if not bool(varies.any()):
            kept = {split: f[:, :1] * 0 for split, f in features.items()}
        keys = {
            **dict.fromkeys(("configuration", "arm"), "leak check"),
            "norm": "",
            "seed": self.seed,
            "control_seed": 0,
        }
        return {**keys, "readout": "leak", **_readout(kept, labels)}


@lru_cache(maxsize=2)
def _sets(
    composition: str,
    source: str,
    shapes: str,
    seed: int,
    sizes: tuple[int, int, int],
    data: Path | None,
) -> dict[str, TextureDigits]:
    """Return the images of every part, the same for all networks of a seed."""
    return {
        split: texture_digits(
            n, split, composition=composition, source=source, shapes=shapes, seed=seed, data=data
        )
        for split, n in zip(SPLITS, sizes, strict=True)
    }


def _readout(features: dict[str, Tensor], labels: dict[str, Tensor]) -> dict[str, Any]:
    fitted = logistic_readout(
        (features["train"], labels["train"]),
        (features["validation"], labels["validation"]),
        n_classes=N_CLASSES,
    )
    return {
        "accuracy": fitted.accuracy(features["test"], labels["test"]),
        "penalty": fitted.penalty,
        "n_constant": fitted.n_constant,
    }
