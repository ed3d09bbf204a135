"""Labelled 32-pixel images for small networks: handwritten digits and natural objects."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isocortex.data import read_npz, require
from isocortex.errors import UserError, unknown
from isocortex.stimuli import image_archives, image_files

SPLITS = ("train", "test")
ASYMMETRIC_DIGITS = (2, 3, 4, 5, 6, 7, 9)
"""Digits that are not nearly their own mirror image, as 0, 1 and 8 are."""
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_MNIST_SIZE = 28


def mnist(
    data: str | os.PathLike[str] | None,
    split: str,
    size: int = 32,
    classes: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Read MNIST digits, white on black, padded with black to `size`.

    Parameters
    ----------
    data : path or None
        The data folder, as `isocortex.data.folder` returns it.
    split : {"train", "test"}
        60,000 or 10,000 digits, in the original order.
    size : int
        Width and height; at least 28. An odd margin is wider on the right and below.
    classes : sequence of int, optional
        Digits to keep, for example `ASYMMETRIC_DIGITS`; all unless given.

    Returns
    -------
    images : Tensor
        float32 (n, 1, size, size) in [0, 1].
    labels : Tensor
        int64 (n,): position of the digit in `classes`, the digit itself if all are kept.

    Raises
    ------
    UserError
        If the file is missing or broken, or a name or number is wrong.
    """
    _check_split(split)
    if size < _MNIST_SIZE:
        raise UserError(f"size is {size}, but MNIST digits are 28 pixels wide; ask for 28 or more")
    kept = list(range(10)) if classes is None else list(classes)
    if not kept or len(set(kept)) < len(kept) or not set(kept) <= set(range(10)):
        raise UserError(f"classes is {tuple(kept)}, but must be different digits from 0 to 9")
    path = require(data, "images/mnist.npz")
    arrays = read_npz(path, [f"x_{split}", f"y_{split}"])
    digits, levels = arrays[f"y_{split}"], arrays[f"x_{split}"]
    if levels.shape != (len(digits), _MNIST_SIZE, _MNIST_SIZE) or levels.dtype != np.uint8:
        raise UserError(
            f"x_{split} in {path} is {levels.dtype} {levels.shape}, but MNIST is uint8 "
            "(n, 28, 28); replace the file by an intact copy"
        )
    chosen = np.isin(digits, kept)
    images = torch.zeros(int(chosen.sum()), 1, size, size)
    start = (size - _MNIST_SIZE) // 2
    inner = slice(start, start + _MNIST_SIZE)
    images[:, 0, inner, inner] = image_files.from_eight_bit(levels[chosen])
    position = np.full(10, -1)
    position[kept] = np.arange(len(kept))
    return images, torch.from_numpy(position[digits[chosen]])


def cifar10(
    data: str | os.PathLike[str] | None,
    split: str,
    size: int = 32,
    grey: bool = True,
    per_class: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Read the CIFAR-10 subset.

    Parameters
    ----------
    data : path or None
        The data folder, as `isocortex.data.folder` returns it.
    split : {"train", "test"}
        25,000 or 5,000 photographs, as many of each class, class by class.
    size : int
        Width and height; 32 leaves the pixels as they are.
    grey : bool
        Luminance, .2126 R + .7152 G + .0722 B, in place of colour.
    per_class : int, optional
        The first photographs of each class only.

    Returns
    -------
    images : Tensor
        float32 (n, 1 or 3, size, size) in [0, 1].
    labels : Tensor
        int64 (n,): index in `CIFAR10_CLASSES`.

    Raises
    ------
    UserError
        If the file is missing or broken, or a name or number is wrong.
    """
    _check_split(split)
    if size < 1:
        raise UserError(f"size is {size}, but images need at least one pixel")
    path = require(data, "images/cifar10_subset.zip")
    classes = "|".join(CIFAR10_CLASSES)
    entries = image_archives.names(path, rf"{split}/({classes})/\d+\.jpg")
    if per_class is not None:
        grouped = [[e for e in entries if f"/{name}/" in e] for name in sorted(CIFAR10_CLASSES)]
        entries = [entry for group in grouped for entry in group[:per_class]]
    channels = 1 if grey else 3
    images = torch.empty(len(entries), channels, size, size)
    for i, image in enumerate(image_archives.read(path, entries)):
        images[i] = image_files.fit(image_files.with_channels(image, channels), size)
    labels = [CIFAR10_CLASSES.index(Path(entry).parent.name) for entry in entries]
    return images, torch.tensor(labels)


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
