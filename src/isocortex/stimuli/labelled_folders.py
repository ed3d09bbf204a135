"""Labelled photographs in a folder of the user: STL-10, CIFAR-10 as published, one folder a class.

The kind of a folder is seen by what lies in it. Nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from isocortex.errors import UserError, unknown
from isocortex.stimuli import image_files

SPLITS = ("train", "test")
_STL_SIDE = 96

Labelled = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Split:
    """One split of a folder, whose images are read when they are asked for.

    Parameters
    ----------
    labels : Tensor
        int64 (n,), from 0.
    classes : tuple of str
        Their names.
    take : callable
        (rows, size, channels) -> float32 (rows, channels, size, size) in [0, 1].
    """

    labels: Tensor
    classes: tuple[str, ...]
    take: Callable[[np.ndarray, int, int], Tensor]

    def images(self, size: int, channels: int) -> Tensor:
        """Return all of them."""
        return self.take(np.arange(len(self.labels)), size, channels)


def labelled_images(
    folder: str | os.PathLike[str], split: str, size: int, channels: int = 1
) -> Labelled:
    """Read images and labels of a split of any kind of folder in `KINDS`.

    Parameters
    ----------
    folder : path
        Holds ``train_X.bin`` ... or ``stl10_binary`` (STL-10), ``cifar-10-batches-py`` (CIFAR-10),
        or ``train`` and ``test`` with one folder of images a class.
    split : {"train", "test"}
    size : int
        Width and height: the shorter side is scaled to it and the centre square cropped.
    channels : {1, 3}
        Luminance, or colour.

    Returns
    -------
    images : Tensor
        float32 (n, channels, size, size) in [0, 1].
    labels : Tensor
        int64 (n,), from 0.

    Raises
    ------
    UserError
        If the folder is none of these, or a file is missing or broken.
    """
    if size < 1:
        raise UserError(f"size is {size}, but images need at least one pixel")
    found = open_split(folder, split)
    return found.images(size, channels), found.labels


def open_split(folder: str | os.PathLike[str], split: str) -> Split:
    """Open a split of any kind of folder in `KINDS`; see `labelled_images`."""
    path = Path(folder).expanduser()
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    for _, marks, opened in KINDS:
        if any((path / mark).exists() for mark in marks):
            return opened(path, split)
    wanted = "; ".join(f"{name}: {' or '.join(marks)}" for name, marks, _ in KINDS)
    raise UserError(f"{str(path)!r} holds no labelled images that are known here ({wanted})")


def stl10(folder: Path, split: str) -> Split:
    """Open STL-10 in its binary form.

    ``<split>_X.bin`` holds bytes (n, 3, 96, 96) whose planes run down the columns,
    ``<split>_y.bin`` labels from 1 to 10, which become 0 to 9.
    """
    inner = folder / "stl10_binary"
    root = inner if inner.is_dir() else folder
    files = [root / f"{split}_{kind}.bin" for kind in "Xy"]
    try:
        size, labels = files[0].stat().st_size, np.fromfile(files[1], dtype=np.uint8)
    except OSError as error:
        raise UserError(f"cannot read STL-10 in {str(root)!r}: {error}") from None
    image = 3 * _STL_SIDE**2
    if not len(labels) or size != len(labels) * image:
        raise UserError(
            f"{files[0]} has {size} bytes, but {len(labels)} labels need "
            f"{len(labels) * image}; replace both by intact copies"
        )
    if labels.min() < 1 or labels.max() > 10:
        raise UserError(f"{files[1]} has labels outside 1..10; replace it by an intact copy")

    planes = np.memmap(files[0], mode="r").reshape(-1, 3, _STL_SIDE, _STL_SIDE)
    return Split(
        torch.from_numpy(labels.astype(np.int64) - 1),
        tuple(map(str, range(10))),
        partial(_fitted, planes.transpose(0, 1, 3, 2)),
    )


def cifar10_folder(folder: Path, split: str) -> Split:
    """Open CIFAR-10 as published for Python. Checksums are verified."""
    try:
        found = datasets.CIFAR10(str(folder), train=split == "train", download=False)
    except RuntimeError as error:
        raise UserError(f"CIFAR-10 in {str(folder)!r} is not intact: {error}") from None
    levels = found.data.transpose(0, 3, 1, 2)
    return Split(torch.tensor(found.targets), tuple(found.classes), partial(_fitted, levels))


def image_folders(folder: Path, split: str) -> Split:
    """Open ``<split>/<class>/<image>``, classes in alphabetical order."""
    try:
        found = datasets.ImageFolder(str(folder / split))
    except (OSError, FileNotFoundError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{str(folder / split)!r} holds no folders of images ({reason})") from None

    def take(rows: np.ndarray, size: int, channels: int) -> Tensor:
        def one(row: int) -> Tensor:
            image = image_files.read(Path(found.samples[row][0]))
            return image_files.fit(image_files.with_channels(image, channels), size)

        made = torch.empty(len(rows), channels, size, size)
        with ThreadPoolExecutor() as pool:
            for place, image in enumerate(pool.map(one, rows.tolist())):
                made[place] = image
        return made

    return Split(torch.tensor(found.targets), tuple(found.classes), take)


KINDS: tuple[tuple[str, tuple[str, ...], Callable[[Path, str], Split]], ...] = (
    ("STL-10", ("stl10_binary", "train_X.bin"), stl10),
    ("CIFAR-10", ("cifar-10-batches-py",), cifar10_folder),
    ("folders of classes", ("train",), image_folders),
)
"""Name of each kind of folder, what tells it, and what opens it."""


def _fitted(levels: np.ndarray, rows: np.ndarray, size: int, channels: int) -> Tensor:
    """Return some images (rows, channels, size, size) of 8-bit levels (n, 3, h, w), in parts."""
    images = torch.empty(len(rows), channels, size, size)
    for start in range(0, len(rows), 1024):
        part = image_files.from_eight_bit(levels[rows[start : start + 1024]])
        images[start : start + 1024] = image_files.fit(
            image_files.with_channels(part, channels), size
        )
    return images
