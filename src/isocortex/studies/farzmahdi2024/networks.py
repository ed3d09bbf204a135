"""The networks of the study: trained on one diet, or left as they were initialised."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.models.convnet import PRESETS, ConvNet
from isocortex.stimuli import digits, glyphs
from isocortex.training.fit import accuracy, fit
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.tasks import Diet, diet

Source = Literal["glyphs", "mnist", "cifar10"]
N_CLASSES = 10
FIRST_TEST_GLYPH = 1_000_000
"""Index of the first glyph that no network is trained on."""


class Train(Step):
    """Train the small network on one diet (specification 5.1, 5.2), or leave it untrained.

    Networks of one seed share their initial weights and the order of their batches, whatever the
    diet, so that contrasts between diets are paired. The result holds the weights, the history
    and the accuracies.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data", "checkpoint_every")
    network: str
    source: Source
    policy: Literal["none", "orig", "sym", "asym", "sym20"]
    seed: int
    size: int
    steps: int
    batch_size: int
    optimiser: str
    learning_rate: float
    halve_every: int
    images: int
    test_images: int
    data: Path | None = None
    data_checksum: str = ""
    checkpoint_every: int = 100
    device: str = "cpu"

    @property
    def title(self) -> str:
        """Name of the network in tables and in the terminal."""
        return f"{self.source} {self.policy} seed {self.seed}"

    @property
    def n_outputs(self) -> int:
        """Number of labels of the diet."""
        return 2 * N_CLASSES if self.policy in ("asym", "sym20") else N_CLASSES

    def initial(self) -> ConvNet:
        """Return the network before training; the seed alone decides its shared weights."""
        config = PRESETS[self.network].model_copy(
            update={"n_classes": self.n_outputs, "in_channels": 1, "input_size": self.size}
        )
        return ConvNet(config, seed=self.seed)

    def trained(self) -> ConvNet:
        """Return the network with its final weights, in evaluation mode."""
        network = self.initial()
        network.load_state_dict(self.result()["weights"])
        return network.eval()

    def compute(self) -> dict[str, Any]:
        """Train and return weights, history and accuracies."""
        network = self.initial()
        if self.policy == "none":
            return {"weights": network.state_dict(), "history": None, "accuracy": {}}
        taught, held_out = self._diets()
        workspace = self.workspace()
        training = fit(
            network,
            taught.images,
            taught.labels,
            optimiser=OptimiserConfig(
                name=self.optimiser,
                learning_rate=self.learning_rate,
                halve_every=self.halve_every or None,
            ),
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            checkpoint=workspace / "checkpoint.pt" if workspace else None,
            checkpoint_every=self.checkpoint_every,
            device=self.device,
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
        )
        scores = {"test": accuracy(network, held_out.images, held_out.labels)}
        return {
            "weights": {k: v.cpu() for k, v in network.state_dict().items()},
            "history": training.history,
            "accuracy": scores,
        }

    def _diets(self) -> tuple[Diet, Diet]:
        taught, held_out = (
            pictures(self.source, split, count, self.size, self.data)
            for split, count in (("train", self.images), ("test", self.test_images))
        )
        return (
            diet(*taught, self.policy, seed=self.seed, n_classes=N_CLASSES),
            diet(*held_out, self.policy, seed=self.seed + 1_000_003, n_classes=N_CLASSES),
        )


@lru_cache(maxsize=2)
def pictures(
    source: Source, split: str, count: int, size: int, data: Path | None
) -> tuple[Tensor, Tensor]:
    """Return at most `count` grey pictures (n, 1, size, size) with labels, equal by class.

    Glyphs of the two splits are other drawings of the same classes.
    """
    if source == "glyphs":
        per_class = count // N_CLASSES
        first = 0 if split == "train" else FIRST_TEST_GLYPH
        return glyphs.stroke_glyphs(per_class, N_CLASSES, size=size, first=first)
    read = digits.mnist if source == "mnist" else digits.cifar10
    images, labels = read(data, split, size=size)
    rows = torch.cat(
        [torch.nonzero(labels == k).flatten()[: count // N_CLASSES] for k in range(N_CLASSES)]
    )
    rows = rows.sort().values
    return images[rows], labels[rows]
