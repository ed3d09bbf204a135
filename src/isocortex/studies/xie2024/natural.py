"""Networks that name photographs, trained by the same recipe: the natural control (claim X4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pydantic
import torch
from torch import Tensor

from isocortex import data as data_room
from isocortex.errors import UserError
from isocortex.stimuli import cifar10
from isocortex.stimuli.digits import CIFAR10_CLASSES
from isocortex.stimuli.image_files import from_eight_bit, to_eight_bit
from isocortex.stimuli.labelled_folders import SPLITS, open_split
from isocortex.studies.xie2024.networks import QUEUE, Network, Sources, normal
from isocortex.training.batches import BatchSource
from isocortex.training.latent_tasks import Head, Scale

NATURAL = "natural"
"""The task set of these networks in tables."""

CIFAR10 = "cifar10"
CIFAR10_FILE = "images/cifar10_subset.zip"

Split = Literal["train", "test"]
Labelled = tuple[Callable[[np.ndarray], Tensor], Tensor]
"""Rows -> images (k, 3, size, size) in [0, 1]; and all labels (n,)."""


class Photographs(pydantic.BaseModel):
    """Photographs with what they show: the CIFAR-10 subset, or a folder of the user.

    A folder is any that `stimuli.labelled_folders` knows; one of its images is read when it is
    asked for, however many there are.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("path",)
    name: str
    """``cifar10``, or the name of the folder."""
    path: Path
    checksum: str
    classes: int

    @property
    def file(self) -> str:
        """Name of the file in records, or the folder."""
        return CIFAR10_FILE if self.name == CIFAR10 else str(self.path)

    @classmethod
    def of_data(cls, data: Path | None) -> Photographs:
        """Return the CIFAR-10 subset of the data folder."""
        checksum = data_room.checksum(data_room.require(data, CIFAR10_FILE))
        assert data is not None
        return cls(name=CIFAR10, path=data, checksum=checksum, classes=len(CIFAR10_CLASSES))

    @classmethod
    def of_folder(cls, path: Path) -> Photographs:
        """Return those of a folder.

        Raises
        ------
        UserError
            If it holds no classes, other classes to test than to learn, or just one.
        """
        train, test = (open_split(path, split) for split in SPLITS)
        if train.classes != test.classes or len(train.classes) < 2:
            raise UserError(
                f"networks.natural: {path} needs the same two or more classes in train (it has "
                f"{len(train.classes)}) and test ({len(test.classes)}); mend the folders' names"
            )
        return cls(
            name=f"folder {path.resolve().name}",
            path=path,
            checksum=data_room.listing(path),
            classes=len(train.classes),
        )

    def open(self, split: Split, size: int) -> Labelled:
        """Open a split at a size: the shorter side is scaled to it, the centre square cropped."""
        if self.name == CIFAR10:
            images, labels = cifar10(self.path, split, size=size, grey=False)
            kept = torch.from_numpy(to_eight_bit(images))
            return lambda rows: from_eight_bit(kept[torch.from_numpy(rows)].numpy()), labels
        found = open_split(self.path, split)
        return lambda rows: found.take(rows, size, 3), found.labels


def photographs(asked: str, data: Path | None) -> Photographs | None:
    """Return the photographs that a configuration asks for: `auto`, `none`, `cifar10` or a folder.

    Parameters
    ----------
    asked : str
        ``auto`` stands for the CIFAR-10 subset where there is a data folder, else for none.
    data : Path or None
        The data folder.
    """
    if asked == "none" or (asked == "auto" and data is None):
        return None
    if asked in ("auto", CIFAR10):
        return Photographs.of_data(data)
    return Photographs.of_folder(Path(asked).expanduser())


class TrainNatural(Network):
    """Train one network to name what photographs show, by the recipe of the other networks."""

    photographs: Photographs
    side: int
    """Height and width of its images in pixels."""

    @property
    def size(self) -> int:
        """Height and width of its images in pixels."""
        return self.side

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it estimates."""
        return ("category",)

    def head(self) -> Head:
        """Return a head for the classes of the photographs."""
        return Head(self.photographs.classes, 0)

    def sources(self) -> Sources:
        """Return both splits; there are no positions."""
        train, test = (self.source(split) for split in ("train", "test"))
        return train, test, Scale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def source(self, split: Split) -> BatchSource:
        """Return a split as the network takes it; the only target is the class."""
        images, labels = self.photographs.open(split, self.side)
        targets = labels[:, None].float()

        def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
            return normal(images(rows)), targets[torch.from_numpy(rows)]

        return BatchSource(len(targets), draw, ahead=QUEUE)
