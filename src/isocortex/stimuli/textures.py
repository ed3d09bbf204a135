"""Texture classes with disjoint patches for training, validation and test.

Photographed textures are cut into regions that share no pixel; procedural ones are drawn anew for
every patch, so that their patches are disjoint by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from isocortex.data import read_npz, require
from isocortex.errors import UserError, unknown
from isocortex.stimuli import image_archives, image_files
from isocortex.stimuli.procedural_textures import PROCEDURAL

PATCH = 64
"""Width and height of a patch in pixels."""

SPLITS = ("train", "validation", "test")
N_CLASSES = 10
N_SETS = 5

_FAR_ENOUGH = 0.8
"""Least share of test patches of a usable class that are told apart from all other classes."""
_LOWEST_CYCLES, _MOST_LOW_POWER = 2.5, 0.3
_STRIDE = 16
_RADII = (2, 4, 8, 16, 32)
_ORIENTATIONS = 6
_CHUNK = 512


class Textures(Protocol):
    """A family of texture classes."""

    @property
    def name(self) -> str:
        """The family's name."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""

    def patches(self, labels: np.ndarray, split: str, rng: np.random.Generator) -> Tensor:
        """Return patches (n, 64, 64), float32, of the given classes and split."""


@dataclass(frozen=True, eq=False)
class PhotographedTextures:
    """Grey photographs of textures, one a class.

    Attributes
    ----------
    name : str
    classes : tuple of str
    images : Tensor, shape (classes, h, h)
        float32 in [0, 1].
    train_columns, first_test_column : int
        Columns 0 to `train_columns` (not included) are for training, the lowest 64 rows of them
        for validation; columns from `first_test_column` on are for the test.
    """

    name: str
    classes: tuple[str, ...]
    images: Tensor
    train_columns: int
    first_test_column: int

    def region(self, split: str) -> tuple[slice, slice]:
        """Return the rows and columns of a split.

        Raises
        ------
        UserError
            For an unknown split.
        """
        _check_split(split)
        side = self.images.shape[-1]
        if split == "test":
            return slice(0, side), slice(self.first_test_column, side)
        divide = side - PATCH
        rows = slice(0, divide) if split == "train" else slice(divide, side)
        return rows, slice(0, self.train_columns)

    def corners(
        self, n: int, split: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the upper left corners (y, x) of windows that lie inside the region of a split."""
        rows, columns = self.region(split)
        return (
            rng.integers(rows.start, rows.stop - PATCH + 1, n),
            rng.integers(columns.start, columns.stop - PATCH + 1, n),
        )

    def patches(self, labels: np.ndarray, split: str, rng: np.random.Generator) -> Tensor:
        """Return windows (n, 64, 64) at random places of the region of a split."""
        return self.cut(labels, *self.corners(len(labels), split, rng))

    def cut(self, labels: np.ndarray, y: np.ndarray, x: np.ndarray) -> Tensor:
        """Return the windows (n, 64, 64) of these classes with these upper left corners."""
        step = np.arange(PATCH)
        rows, columns = y[:, None] + step, x[:, None] + step
        return self.images[labels[:, None, None], rows[:, :, None], columns[:, None, :]]

    def all_patches(self, label: int, split: str) -> Tensor:
        """Return all windows of one class on a grid of 16 pixels inside the region of a split."""
        rows, columns = self.region(split)
        y, x = (
            a.ravel()
            for a in np.meshgrid(
                np.arange(rows.start, rows.stop - PATCH + 1, _STRIDE),
                np.arange(columns.start, columns.stop - PATCH + 1, _STRIDE),
                indexing="ij",
            )
        )
        return self.cut(np.full(len(y), label), y, x)


@dataclass(frozen=True)
class ProceduralTextures:
    """Random textures of ten kinds, each patch a new draw."""

    name: str = "procedural"
    classes: tuple[str, ...] = tuple(PROCEDURAL)

    def patches(self, labels: np.ndarray, split: str, rng: np.random.Generator) -> Tensor:
        """Return new patches (n, 64, 64); the split is that of the generator's draws."""
        _check_split(split)
        out = np.empty((len(labels), PATCH, PATCH), dtype=np.float32)
        for label, draw in enumerate(PROCEDURAL.values()):
            mine = np.flatnonzero(labels == label)
            for start in range(0, len(mine), _CHUNK):
                rows = mine[start : start + _CHUNK]
                out[rows] = draw(len(rows), PATCH, rng)
        return torch.from_numpy(out)


def brodatz(data: str | os.PathLike[str] | None) -> PhotographedTextures:
    """Read the 112 textures of Brodatz's album, 320 px; test columns 208-319.

    Raises
    ------
    UserError
        If the archive is missing or broken.
    """
    path = require(data, "textures/brodatz112_320px.zip")
    entries = sorted(
        image_archives.names(path, r"(.*/)?D\d+\.png"),
        key=lambda e: int(re.sub(r"\D", "", PurePosixPath(e).stem)),
    )
    images = [image_files.grey(image)[0] for image in image_archives.read(path, entries)]
    _check_square(images, 320, path)
    names = tuple(PurePosixPath(e).stem for e in entries)
    return PhotographedTextures("real-brodatz", names, torch.stack(images), 192, 208)


def kim(data: str | os.PathLike[str] | None) -> PhotographedTextures:
    """Read the 21 textures of Kim, Bair & Pasupathy (2019), 256 px; test columns 160-255.

    Raises
    ------
    UserError
        If the file is missing or broken.
    """
    path = require(data, "textures/kim_bair_pasupathy2019_21textures.npz")
    images = list(image_files.from_eight_bit(read_npz(path, ["textures"])["textures"]))
    _check_square(images, 256, path)
    names = tuple(f"kim{i + 1:02d}" for i in range(len(images)))
    return PhotographedTextures("real-kim", names, torch.stack(images), 144, 160)


_PORTILLA = ("checkerboard", "metal", "nuts", "reptil_skin", "sawtooth", "text")


def portilla(data: str | os.PathLike[str] | None) -> PhotographedTextures:
    """Read six textures of Portilla & Simoncelli (2000), 256 px: too few for a set of ten.

    Raises
    ------
    UserError
        If the file is missing or broken.
    """
    path = require(data, "textures/portilla_simoncelli_examples.npz")
    arrays = read_npz(path, _PORTILLA)
    images = [image_files.from_eight_bit(arrays[name]) for name in _PORTILLA]
    _check_square(images, 256, path)
    return PhotographedTextures("real-portilla", _PORTILLA, torch.stack(images), 144, 160)


SOURCES: dict[str, Callable[[str | os.PathLike[str] | None], Textures]] = {
    "real-brodatz": brodatz,
    "real-kim": kim,
    "real-portilla": portilla,
    "procedural": lambda data: ProceduralTextures(),
}
"""Families of textures by name; ``procedural`` needs no data."""


def textures(name: str, data: str | os.PathLike[str] | None = None) -> Textures:
    """Return a family of textures by its name.

    Raises
    ------
    UserError
        If there is no such family, or its file is missing or broken.
    """
    if name not in SOURCES:
        raise unknown("family of textures", name, SOURCES)
    return _loaded(name, None if data is None else Path(data))


@lru_cache(maxsize=4)
def _loaded(name: str, data: Path | None) -> Textures:
    return SOURCES[name](data)


def texture_features(patches: Tensor) -> Tensor:
    """Describe patches by their spectrum and the shape of their histogram.

    Log power in 4 bands of radius (2-4-8-16-32 cycles a patch) times 6 of orientation (30 degrees
    each), under a Hann window; skewness and kurtosis of the pixels. Patches are first brought to
    mean 0 and standard deviation 1.

    Parameters
    ----------
    patches : Tensor, shape (n, 64, 64)

    Returns
    -------
    Tensor, shape (n, 26)
        float64; NaN for a uniform patch.
    """
    x = _standard(patches)
    moments = torch.stack([x.pow(3).mean(dim=(1, 2)), x.pow(4).mean(dim=(1, 2))], dim=1)
    edge = torch.hann_window(PATCH + 2, periodic=False, dtype=x.dtype)[1:-1]
    radius, angle, weight = _frequencies()
    sector = (angle / (180 / _ORIENTATIONS)).long()
    band = torch.bucketize(radius, torch.tensor(_RADII, dtype=x.dtype), right=True) - 1
    n_bands = len(_RADII) - 1
    cell = torch.where((band >= 0) & (band < n_bands), band * _ORIENTATIONS + sector, -1)
    members = (cell[:, None] == torch.arange(n_bands * _ORIENTATIONS)) * weight[:, None]
    mean = _power(x * edge[:, None] * edge) @ (members / members.sum(dim=0))
    return torch.cat([mean.clamp_min(1e-12).log(), moments], dim=1)


def low_frequency_share(patches: Tensor) -> Tensor:
    """Share of the power of patches (n, 64, 64) below 2.5 cycles a patch, shape (n,)."""
    power = _power(_standard(patches))
    radius, _, weight = _frequencies()
    return power @ (weight * (radius < _LOWEST_CYCLES)) / (power @ weight)


def usable_classes(source: Textures) -> tuple[int, ...]:
    """Return the classes that can be told apart, whatever the network.

    A class is usable if at least 80 % of its test patches (windows on a grid of 16 px) are nearest
    to their own class mean of `texture_features` over training patches, in the Mahalanobis
    distance of the covariance pooled over all classes. Classes of Brodatz that have 30 % or more
    of their power below 2.5 cycles a patch are left out, too: they are shades, not textures.

    Parameters
    ----------
    source : Textures
        Procedural classes are all usable.
    """
    if not isinstance(source, PhotographedTextures):
        return tuple(range(len(source.classes)))
    train, test, low = [], [], []
    for label in range(len(source.classes)):
        patches = source.all_patches(label, "train")
        train.append(texture_features(patches))
        low.append(float(low_frequency_share(patches).mean()))
        test.append(texture_features(source.all_patches(label, "test")))
    means = torch.stack([f.mean(dim=0) for f in train])
    residuals = torch.cat([f - m for f, m in zip(train, means, strict=True)])
    covariance = residuals.T @ residuals / (len(residuals) - len(means))
    # Whitened, the Mahalanobis distance is Euclidean.
    factor = torch.linalg.cholesky(torch.linalg.inv(covariance))
    right = [
        float((torch.cdist(f @ factor, means @ factor).argmin(dim=1) == label).double().mean())
        for label, f in enumerate(test)
    ]
    coarse = [source.name == "real-brodatz" and share >= _MOST_LOW_POWER for share in low]
    return tuple(
        label
        for label, (share, shade) in enumerate(zip(right, coarse, strict=True))
        if share >= _FAR_ENOUGH and not shade
    )


@lru_cache(maxsize=4)
def _usable(name: str, data: Path | None) -> tuple[int, ...]:
    return usable_classes(_loaded(name, data))


def class_set(name: str, seed: int, data: str | os.PathLike[str] | None = None) -> tuple[int, ...]:
    """Return the ten classes that a seed works with.

    The usable classes are dealt into five sets of ten; a seed takes the set ``seed % 5``. Where
    there are fewer than fifty (the 14 of Kim), sets are drawn one by one and overlap; ten
    procedural classes are one set.

    Parameters
    ----------
    name : str
        A name of `SOURCES`.
    seed : int
    data : path, optional
        The data folder.

    Raises
    ------
    UserError
        If fewer than ten classes are usable.
    """
    source = textures(name, data)
    classes = _usable(name, None if data is None else Path(data))
    if len(classes) < N_CLASSES:
        raise UserError(
            f"{name} has {len(classes)} classes that can be told apart, but a set takes "
            f"{N_CLASSES}; choose another family of {', '.join(SOURCES)}"
        )
    number = seed % N_SETS
    if len(classes) >= N_SETS * N_CLASSES:
        order = np.random.default_rng(0).permutation(len(classes))
        chosen = order[number * N_CLASSES : (number + 1) * N_CLASSES]
    else:
        draw = np.random.default_rng([len(source.classes), number])
        chosen = draw.permutation(len(classes))[:N_CLASSES]
    return tuple(sorted(classes[i] for i in chosen))


def _standard(patches: Tensor) -> Tensor:
    x = patches.double()
    x = x - x.mean(dim=(1, 2), keepdim=True)
    spread = x.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return x / torch.where(spread > 0, spread, torch.nan)


def _power(x: Tensor) -> Tensor:
    """Return the power of real patches at the components of `_frequencies`, shape (n, m)."""
    spectrum = torch.view_as_real(torch.fft.rfft2(x))
    return spectrum.square().sum(dim=-1).flatten(1)


@lru_cache(maxsize=1)
def _frequencies() -> tuple[Tensor, Tensor, Tensor]:
    """Return radius (cycles a patch), angle (degrees, 0 to 180) and weight of each component.

    Half of the plane is enough for real patches; components that stand for two weigh 2.
    """
    up = torch.fft.fftfreq(PATCH, dtype=torch.float64) * PATCH
    right = torch.fft.rfftfreq(PATCH, dtype=torch.float64) * PATCH
    fy, fx = (f.flatten() for f in torch.meshgrid(up, right, indexing="ij"))
    weight = torch.where((fx == 0) | (fx == PATCH // 2), 1.0, 2.0).double()
    return torch.hypot(fx, fy), torch.rad2deg(torch.atan2(fy, fx)) % 180, weight


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)


def _check_square(images: list[Tensor], side: int, path: Path) -> None:
    if any(image.shape != (side, side) for image in images):
        raise UserError(
            f"{path} holds textures that are not {side} x {side}; replace it by an intact copy"
        )
