"""The networks of the study: random, trained on objects, or with shuffled weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.models.controls import Control
from isocortex.models.convnet import ConvNet
from isocortex.models.gain import reestimate_batchnorm
from isocortex.models.rnet import rnet
from isocortex.stimuli import cifar10, labelled_images, object_views
from isocortex.stimuli.digits import CIFAR10_CLASSES
from isocortex.stimuli.image_files import with_channels
from isocortex.stimuli.render import families
from isocortex.studies.farahat2025.large import Base, LargeNetwork, large_network
from isocortex.studies.farahat2025.patches import natural_patches
from isocortex.training import accuracy, augmented, recipe
from isocortex.training.fit import fit

SIZE = 32
"""Pixels of the images that networks are calibrated and trained on; they run at any size."""


class Network(Step):
    """One network of the family, with all that its weights depend on.

    Networks of one seed share their initial weights, whatever they learn.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    base: Base = ""
    """A large network in place of one of the family; random, and with a gain."""
    activation: str
    pooling: str
    norm: Literal["gain", "bn"] = "gain"
    seed: int = 0
    gain: float = 1.0
    bias_sd: float = 0.0
    channels: tuple[int, ...] = (32, 64, 128)
    kernels: tuple[int, ...] = (7, 5, 3)
    calibration_images: int = 32
    trained: bool = False
    source: Literal["cifar10", "rendered", "folder"] = "rendered"
    classes: int = 10
    """What the head tells apart."""
    images: int = 0
    test_images: int = 0
    epochs: int = 0
    device: str = "cpu"
    control: str = ""
    control_seed: int = 0
    role: str = ""
    """Arm of a network that controls something else than its weights, e.g. small kernels."""
    data: Path | None = None
    data_checksum: str = ""

    @property
    def configuration(self) -> str:
        """Activation and pooling."""
        return f"{self.activation}-{self.pooling}"

    @property
    def arm(self) -> str:
        """What became of the weights: random, biased, trained, the shuffle, or its role."""
        if self.control:
            return self.control
        if self.trained:
            return "trained"
        if self.role or self.base:
            return self.role or self.base
        return "biased" if self.bias_sd else "random"

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return f"{self.configuration} {self.arm} seed {self.seed}"

    def labels(self) -> dict[str, Any]:
        """Return the columns that tell the network in tables."""
        return {
            "configuration": self.configuration,
            "arm": self.arm,
            "norm": self.norm,
            "seed": self.seed,
            "control_seed": self.control_seed,
        }

    def compute(self) -> dict[str, Any]:
        """Return weights, accuracy on unseen objects (NaN if untrained) and training history."""
        if self.control:
            return self._shuffled()
        if self.base:
            made = large_network(
                self.base, self.activation, self.pooling, seed=self.seed, gain=self.gain,
                calibration=self._calibration(),
            )  # fmt: skip
            nothing = {"accuracy": float("nan"), "last_loss": float("nan")}
            return {"weights": made.state_dict(), **nothing}
        network = rnet(
            self.activation,
            self.pooling,
            norm=self.norm,
            calibration=self._calibration() if self.norm == "gain" else None,
            gain=self.gain,
            bias_sd=self.bias_sd,
            input_size=SIZE,
            channels=self.channels,
            kernels=self.kernels,
            n_classes=self.classes,
            seed=self.seed,
        )
        found: dict[str, Any] = {"accuracy": float("nan"), "last_loss": float("nan")}
        if self.trained:
            found = self._train(network)
        return {"weights": {k: v.cpu() for k, v in network.state_dict().items()}, **found}

    def network(self, standardised: Tensor | None = None) -> ConvNet | LargeNetwork:
        """Return the network in eval mode, its batch statistics those of the given images."""
        if self.base:
            large = large_network(self.base, self.activation, self.pooling, seed=self.seed)
            large.load_state_dict(self.result()["weights"])
            return large.to(memory_format=torch.channels_last)
        network = rnet(
            self.activation,
            self.pooling,
            norm="bn" if self.norm == "bn" else "none",
            input_size=SIZE,
            channels=self.channels,
            kernels=self.kernels,
            n_classes=self.classes,
            seed=self.seed,
        )
        network.load_state_dict(self.result()["weights"])
        network.to(memory_format=torch.channels_last)
        if self.norm == "bn" and standardised is not None:
            reestimate_batchnorm(network, standardised)
        return network.eval()

    def _calibration(self) -> Tensor:
        patches = natural_patches(self.calibration_images, SIZE, "train", self.data, seed=1)
        return with_channels(standardise(patches.images), 3)

    def _train(self, network: ConvNet) -> dict[str, Any]:
        taught = objects(self.source, "train", self.images, self.data)
        held_out = objects(self.source, "test", self.test_images, self.data)
        mean, sd = taught[0].mean(), taught[0].std()
        optimiser, _, batch_size = recipe("rnet-cifar10", len(taught[0]))
        steps = max(1, self.epochs * (len(taught[0]) // min(batch_size, len(taught[0]))))
        workspace = self.workspace()
        training = fit(
            network,
            augmented((taught[0] - mean) / sd, taught[1], shift=0),
            optimiser=optimiser.model_copy(update={"schedule_steps": steps}),
            steps=steps,
            batch_size=batch_size,
            seed=self.seed,
            checkpoint=workspace / "checkpoint.pt" if workspace else None,
            checkpoint_every=100,
            device=self.device,
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
        )
        network.cpu()
        return {
            "accuracy": accuracy(network, (held_out[0] - mean) / sd, held_out[1]),
            "last_loss": float(training.history["loss"].iloc[-1]),
        }

    def _shuffled(self) -> dict[str, Any]:
        fields = self.model_dump(exclude={"infra", "control", "control_seed"})
        base = self.part(Network, **fields)
        shuffled = Control(self.control.lower(), seed=self.control_seed).apply(base.network())
        nothing = {"accuracy": float("nan"), "last_loss": float("nan")}
        return {"weights": shuffled.state_dict(), **nothing}


def standardise(images: Tensor, rows: np.ndarray | None = None) -> Tensor:
    """Bring images to mean 0 and SD 1 of all pixels (of some of the rows) together."""
    seen = images if rows is None else images[torch.from_numpy(rows)]
    return (images - seen.mean()) / seen.std().clamp_min(1e-6)


def n_classes(source: str) -> int:
    """Return the number of classes of a source of objects that comes with the package or data."""
    return len(CIFAR10_CLASSES) if source == "cifar10" else len(families.FAMILIES)


def objects(source: str, split: str, count: int, data: Path | None) -> tuple[Tensor, Tensor]:
    """Return at most `count` colour images (n, 3, 32, 32) with labels, as many of each class.

    CIFAR-10 photographs, images of a folder of the user, which is `data` then, or procedural
    objects over nine views; rendered test images show other
    exemplars than those of training.
    """
    if source == "cifar10":
        images, labels = cifar10(data, split, size=SIZE, grey=False)
    elif source == "folder":
        assert data is not None
        images, labels = labelled_images(data, split, SIZE, 3)
    else:
        per_class = max(1, count // (len(families.FAMILIES) * 9))
        rendered = object_views(
            "procedural", exemplars=per_class, size=SIZE, seed=0 if split == "train" else 1
        )
        images = with_channels(rendered.images(), 3)
        names = rendered.table["category"]
        kinds = list(dict.fromkeys(names))
        labels = torch.tensor([kinds.index(name) for name in names])
    n_kinds = int(labels.max()) + 1
    rows = torch.cat(
        [torch.nonzero(labels == k).flatten()[: max(1, count // n_kinds)] for k in range(n_kinds)]
    )
    rows = rows.sort().values
    return images[rows], labels[rows]


def blocks(network: ConvNet | LargeNetwork, images: Tensor, batch_size: int) -> list[Tensor]:
    """Return the pooled maps of every block, each (n, c, h, w), images shown batch by batch."""
    names = [name.split(".")[-1] for name in network.block_outputs]
    found: list[list[Tensor]] = [[] for _ in names]
    with torch.inference_mode():
        for batch in images.split(batch_size):
            x = batch.to(memory_format=torch.channels_last)
            for name, module in network.features.named_children():
                x = module(x)
                if name in names:
                    found[names.index(name)].append(x.contiguous())
    return [torch.cat(maps) for maps in found]
