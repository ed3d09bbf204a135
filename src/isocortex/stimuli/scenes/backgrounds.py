"""What is behind the object: crops of photographs, environments with sky and ground, and patterns.

Every background has a class (what images are balanced over), a name, and its own tints of the
light from the sky and from the ground.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocortex.data import require
from isocortex.errors import UserError, unknown
from isocortex.stimuli import image_archives, image_files, stimulus_files
from isocortex.stimuli.photographs import COLLECTIONS
from isocortex.stimuli.render.mesh import LUMINANCE_WEIGHTS, FloatArray
from isocortex.stimuli.scenes.patterns import checker, fractal, uniform
from isocortex.stimuli.scenes.pictures import Atlas, ByteArray, make_atlas

PATTERN, PHOTOGRAPH, ENVIRONMENT = 0, 1, 2
"""Kinds: a screen; a screen whose ground takes shadows; sky and ground in three dimensions."""

GROUNDS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "grass": ((62, 84, 36), (142, 160, 88)),
    "sand": ((168, 140, 98), (224, 204, 164)),
    "soil": ((78, 56, 40), (146, 112, 82)),
    "asphalt": ((70, 70, 74), (124, 124, 128)),
    "snow": ((196, 206, 220), (246, 248, 252)),
    "brick": ((112, 52, 40), (184, 108, 84)),
    "slate": ((60, 72, 82), (128, 140, 148)),
    "concrete": ((132, 130, 124), (190, 188, 180)),
}
"""Two sRGB colours between which the ground's texture goes."""

SKIES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "clear": ((58, 112, 190), (190, 214, 236)),
    "hazy": ((120, 156, 196), (220, 224, 226)),
    "overcast": ((142, 150, 160), (206, 208, 210)),
    "evening": ((70, 88, 142), (242, 190, 146)),
    "morning": ((96, 132, 182), (246, 222, 190)),
}
"""sRGB at the zenith and at the horizon."""

_TILES = 8
_SIDE = 256  # of procedural pictures, pixels
_LARGEST_SIDE = 512  # of photographs: the shorter side is scaled down to it


@dataclass(frozen=True, eq=False)
class Backgrounds:
    """Backgrounds, one row each.

    Parameters
    ----------
    classes, names : tuple of str (b,)
        Class of each, and its own name.
    kind : int array (b,)
        `PATTERN`, `PHOTOGRAPH` or `ENVIRONMENT`.
    picture : int array (b,)
        Row in `pictures`: what the screen shows, or the texture of the ground.
    colors : array (b, 4, 3)
        Of an environment in [0, 1]: zenith, horizon, dark and light parts of the ground.
    cloud, tile : arrays (b,)
        Of an environment: how much of the sky is cloud; the side of the ground's texture in units
        of the object's longest side.
    tints : array (b, 2, 3)
        Light from the sky and from the ground; mean luminance 1.
    pictures : tuple of uint8 arrays (h, w, 3)
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    kind: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    colors: FloatArray
    cloud: FloatArray
    tile: FloatArray
    tints: FloatArray
    pictures: tuple[ByteArray, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: slice | npt.ArrayLike) -> Backgrounds:
        """Return some of the backgrounds: a slice, indices or a mask."""
        index = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        kept, picture = np.unique(self.picture[index], return_inverse=True)
        return Backgrounds(
            tuple(self.classes[i] for i in index),
            tuple(self.names[i] for i in index),
            self.kind[index],
            picture.reshape(-1),
            self.colors[index],
            self.cloud[index],
            self.tile[index],
            self.tints[index],
            tuple(self.pictures[i] for i in kept),
        )

    @cached_property
    def atlas(self) -> Atlas:
        """The pictures in all sizes."""
        return make_atlas(self.pictures)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything, in hexadecimal."""
        digest = hashlib.sha256(repr((self.classes, self.names)).encode())
        for field in fields(self):
            value = getattr(self, field.name)
            for array in value if field.name == "pictures" else [value]:
                if isinstance(array, np.ndarray):
                    digest.update(repr((array.shape, array.dtype.str)).encode())
                    digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def concatenate(parts: Sequence[Backgrounds]) -> Backgrounds:
    """Put backgrounds one after another.

    Raises
    ------
    UserError
        If there is none, or a name occurs twice in a class.
    """
    parts = [part for part in parts if len(part)]
    if not parts:
        raise UserError("there are no backgrounds; give at least one")
    starts = np.cumsum([0, *(len(part.pictures) for part in parts)])
    classes = tuple(c for part in parts for c in part.classes)
    names = tuple(n for part in parts for n in part.names)
    if len(set(zip(classes, names, strict=True))) < len(names):
        raise UserError("a background occurs twice; leave one of them out")
    return Backgrounds(
        classes,
        names,
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.picture + s for part, s in zip(parts, starts, strict=False)]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.cloud for part in parts]),
        np.concatenate([part.tile for part in parts]),
        np.concatenate([part.tints for part in parts]),
        tuple(picture for part in parts for picture in part.pictures),
    )


def procedural(
    classes: Sequence[str] = ("environment", "noise"), count: int = 32, seed: int = 0
) -> Backgrounds:
    """Make backgrounds that need no files.

    Parameters
    ----------
    classes : sequence of str
        Of `PROCEDURAL`: "environment" (sky and a textured ground), "noise" (1/f), "checker",
        "uniform".
    count : int
        Of each class.
    seed : int
        A background depends on (seed, class, number) alone.

    Raises
    ------
    UserError
        If a class is unknown, or `count` is not positive.
    """
    if count < 1 or seed < 0:
        raise UserError(f"count={count}, seed={seed}: give 1 or more backgrounds, a seed from 0 on")
    parts = []
    for name in classes:
        if name not in PROCEDURAL:
            raise unknown("class of backgrounds", name, PROCEDURAL)
        parts.append(PROCEDURAL[name](count, seed))
    return concatenate(parts)


def photographs(
    data: str | os.PathLike[str] | None, collection: str = "bsds500", count: int | None = None
) -> Backgrounds:
    """Read the photographs of a collection of the data folder.

    Parameters
    ----------
    data : path or None
        The data folder.
    collection : str
        "bsds500" (300 scenes) or "imagenet" (1000 objects).
    count : int, optional
        Only the first; all unless given.

    Raises
    ------
    UserError
        If the archive is missing or broken, or the name unknown.
    """
    if collection not in COLLECTIONS:
        raise unknown("collection of photographs", collection, COLLECTIONS)
    archive, pattern = COLLECTIONS[collection]
    path = require(data, archive)
    entries = image_archives.names(path, pattern)[:count]
    read = image_archives.read(path, entries)
    pictures = [_bytes(image) for image in read]
    return _screens("photograph", PHOTOGRAPH, entries, pictures)


def from_folder(path: str | os.PathLike[str]) -> Backgrounds:
    """Read a folder of photographs of your own; its first level of subfolders names the classes.

    Raises
    ------
    UserError
        If the folder is missing, holds no image, or one of them cannot be read.
    """
    folder = Path(path)
    files = stimulus_files.image_paths(folder)
    parts = []
    for file in files:
        inner = file.relative_to(folder)
        name = inner.parts[0] if len(inner.parts) > 1 else "photograph"
        parts.append(_screens(name, PHOTOGRAPH, [str(inner)], [_bytes(image_files.read(file))]))
    return concatenate(parts)


def _environments(count: int, seed: int) -> Backgrounds:
    tiles = [_tile(seed, k) for k in range(min(_TILES, count))]
    names, colors, cloud, tile = [], [], [], []
    for k in range(count):
        rng = np.random.default_rng([seed, 1, k])
        ground, sky = rng.choice(list(GROUNDS)), rng.choice(list(SKIES))
        levels = np.array([*SKIES[str(sky)], *GROUNDS[str(ground)]], dtype=np.float64) / 255
        colors.append(np.clip(levels * rng.uniform(0.9, 1.1, (4, 3)), 0, 1))
        cloud.append(rng.uniform(0.0, 1.0))
        tile.append(rng.uniform(3.0, 6.0))
        names.append(f"{sky}_{ground}_{k:03d}")
    palette = np.array(colors)
    tints = np.stack(
        [palette[:, :2].mean(axis=1), palette[:, 2:].mean(axis=1)],
        axis=1,
    )
    return Backgrounds(
        ("environment",) * count,
        tuple(names),
        np.full(count, ENVIRONMENT),
        np.arange(count) % len(tiles),
        palette,
        np.array(cloud),
        np.array(tile),
        _tinted(tints),
        tuple(tiles),
    )


def _tile(seed: int, k: int) -> ByteArray:
    """Return a periodic texture in three scales: coarse, fine, and clouds (one a channel)."""
    rng = np.random.default_rng([seed, 2, k])
    coarse = fractal(rng, _SIDE, exponent=1.3 - 0.1 * (k % 4))
    fine = fractal(rng, _SIDE, exponent=0.6)
    clouds = fractal(rng, _SIDE, exponent=1.7)
    return np.stack([coarse, fine, clouds], axis=-1)


Maker = Callable[[int, int], Backgrounds]


def _patterns(name: str, make: Callable[[np.random.Generator, int], ByteArray]) -> Maker:
    def made(count: int, seed: int) -> Backgrounds:
        number = ("noise", "checker", "uniform").index(name)
        pictures = [make(np.random.default_rng([seed, 3 + number, k]), _SIDE) for k in range(count)]
        return _screens(name, PATTERN, [f"{name}_{k:03d}" for k in range(count)], pictures)

    return made


def _noise(rng: np.random.Generator, side: int) -> ByteArray:
    common = fractal(rng, side).astype(np.float64)
    own = np.stack([fractal(rng, side) for _ in range(3)], axis=-1)
    mixed = 0.9 * common[..., None] + 0.25 * own - 0.15 * 128
    return np.clip(np.rint(mixed * rng.uniform(0.85, 1.15, 3)), 0, 255).astype(np.uint8)


PROCEDURAL: dict[str, Maker] = {
    "environment": _environments,
    "noise": _patterns("noise", _noise),
    "checker": _patterns("checker", checker),
    "uniform": _patterns("uniform", uniform),
}
"""Classes of procedural backgrounds. One more entry is one more class, tested by being there."""


def _screens(
    name: str, kind: int, names: Sequence[str], pictures: Sequence[ByteArray]
) -> Backgrounds:
    n = len(pictures)
    halves = np.stack([[_mean(p[: -(-len(p) // 2)]), _mean(p[len(p) // 2 :])] for p in pictures])
    return Backgrounds(
        (name,) * n,
        tuple(names),
        np.full(n, kind),
        np.arange(n),
        np.zeros((n, 4, 3)),
        np.zeros(n),
        np.ones(n),
        _tinted(halves / 255),
        tuple(pictures),
    )


def _mean(picture: ByteArray) -> FloatArray:
    """Return the mean colour; every fourth pixel will do."""
    return picture[::2, ::2].mean(axis=(0, 1))


def _tinted(colors: FloatArray) -> FloatArray:
    """Return colours half way to grey, with luminance 1: light takes on only some of the tint."""
    weights = np.array(LUMINANCE_WEIGHTS)
    tint = (colors + 0.05) / ((colors + 0.05) @ weights)[..., None]
    return 0.5 + 0.5 * tint


def _bytes(image: Tensor) -> ByteArray:
    """Return a photograph (c, h, w) as bytes (h, w, 3), its shorter side at most 512 pixels."""
    colored = image_files.with_channels(image, 3)
    shorter = min(colored.shape[-2:])
    if shorter > _LARGEST_SIDE:
        size = [max(1, round(s * _LARGEST_SIDE / shorter)) for s in colored.shape[-2:]]
        colored = torch.nn.functional.interpolate(
            colored[None], size=size, mode="bilinear", antialias=True
        )[0]
    return np.ascontiguousarray(image_files.to_eight_bit(colored.clamp(0, 1)).transpose(1, 2, 0))
