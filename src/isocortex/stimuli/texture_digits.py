"""Texture-MNIST: digits filled with one texture on a background of another.

Every image carries two labels, its digit and the texture of its fill, each combination as often
as any other. An image depends on (seed, split, number of images) alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError, unknown
from isocortex.stimuli.digits import mnist
from isocortex.stimuli.glyphs import BACKGROUND, stroke_glyphs
from isocortex.stimuli.textures import N_CLASSES, PATCH, SPLITS, Textures, class_set, textures

COMPOSITIONS: dict[str, float] = {"A": 1.0, "M": 0.3, "B": 0.0}
"""Contrast of the background: that of the fill, a third of it, or none."""

SHAPES = ("mnist", "glyphs")
HELD_OUT = 5000
"""Digits at the end of MNIST's training set that are kept for validation."""

_DIGIT_SIZES = (48, 60)
_GLYPHS_PER_CLASS = {"train": (0, 400), "validation": (400, 100), "test": (500, 200)}
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class TextureDigits:
    """Images with two labels.

    Attributes
    ----------
    images : Tensor, shape (n, 1, 64, 64)
        float32, in units of the standard deviation of a region; not clipped.
    digit, texture : Tensor, shape (n,)
        int64 labels, 0 to 9.
    masks : Tensor, shape (n, 64, 64)
        bool: the pixels of the digit before its edge was softened.
    table : pandas.DataFrame
        One row an image: ``digit``, ``texture``, ``background`` (class names), ``split``.
    """

    images: Tensor
    digit: Tensor
    texture: Tensor
    masks: Tensor
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.digit)


def texture_digits(
    n: int,
    split: str,
    *,
    composition: str = "A",
    source: str = "procedural",
    shapes: str = "mnist",
    seed: int = 0,
    matched_spectra: bool = False,
    data: str | os.PathLike[str] | None = None,
) -> TextureDigits:
    """Compose Texture-MNIST images.

    A digit is enlarged to 48 to 60 pixels at a random place of 64 x 64, dilated by 5 x 5 and cut at
    one half, which gives its hard mask H; a 3 x 3 mean of H is the soft mask M. Fill f and
    background b are patches of two different textures, f brought to mean 0 and standard deviation
    1 within H, b outside. The image is ``(M f + c (1 - M) b) / sqrt(M^2 + (1 - M)^2)`` with the
    contrast c of the composition, and ``M f`` where c = 0: the root keeps the variance of two
    independent textures near 1 across the soft edge; last, both regions are brought to their means
    and SDs once more (`settled`), so that these do not tell the digit.

    Parameters
    ----------
    n : int
        Images, a multiple of 100: ten digits by ten textures.
    split : {"train", "validation", "test"}
        Other patches and other digits for each (MNIST: the training set less its last 5000, these,
        and the test set).
    composition : {"A", "M", "B"}
        See `COMPOSITIONS`.
    source : str
        A family of `textures.SOURCES`.
    shapes : {"mnist", "glyphs"}
        Digits, or stroke glyphs, which need no data.
    seed : int
        Of all draws; ``seed % 5`` names the set of ten texture classes.
    matched_spectra : bool
        Give all patches the mean amplitude spectrum of training patches of the ten classes: only
        phases tell textures apart.
    data : path, optional
        The data folder.

    Returns
    -------
    TextureDigits

    Raises
    ------
    UserError
        If n is no multiple of 100, a name is unknown, or data are missing.
    """
    if n < 1 or n % N_CLASSES**2:
        raise UserError(f"n is {n}, but must be a multiple of 100: ten digits by ten textures")
    for what, name, known in (
        ("split", split, SPLITS),
        ("composition", composition, COMPOSITIONS),
        ("shapes", shapes, SHAPES),
    ):
        if name not in known:
            raise unknown(what, name, known)
    family = textures(source, data)
    classes = np.array(class_set(source, seed, data))
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    digit, texture = np.divmod(rng.permutation(n) % N_CLASSES**2, N_CLASSES)
    other = (texture + rng.integers(1, N_CLASSES, n)) % N_CLASSES
    hard = digit_masks(_shapes(shapes, split, digit, rng, data), rng)
    amplitude = _mean_amplitude(family, classes, seed) if matched_spectra else None
    fill, ground = (
        _matched(family.patches(classes[label], split, rng), amplitude)
        for label in (texture, other)
    )
    contrast = COMPOSITIONS[composition]
    images = torch.cat(
        [
            settled(blend(h, f, b, contrast), h, contrast)
            for h, f, b in zip(*(t.split(_CHUNK) for t in (hard, fill, ground)), strict=True)
        ]
    )
    names = np.array(family.classes)[classes]
    table = pd.DataFrame(
        {"digit": digit, "texture": names[texture], "background": names[other], "split": split}
    )
    return TextureDigits(
        images[:, None], torch.from_numpy(digit), torch.from_numpy(texture), hard, table
    )


def digit_masks(digits: Tensor, rng: np.random.Generator) -> Tensor:
    """Return hard masks (n, 64, 64), bool, of digits (n, 28, 28) in [0, 1].

    Each digit is enlarged to a random whole size and put to a random place inside the image.
    """
    n = len(digits)
    low, high = _DIGIT_SIZES
    size = torch.from_numpy(rng.integers(low, high + 1, n))
    corner = torch.from_numpy(rng.integers(0, PATCH - size.numpy() + 1, (2, n)))
    down, across = (_enlargement(place, size, digits.shape[-1]) for place in corner)
    large = down @ digits.float() @ across.mT
    return _sum_around(large > 0.5, 2) > 0


def blend(hard: Tensor, fill: Tensor, ground: Tensor, contrast: float) -> Tensor:
    """Compose images (n, 64, 64) from masks, fills and backgrounds; see `texture_digits`."""
    soft = _sum_around(hard, 1) / 9
    f = _standard_within(fill, hard)
    if contrast == 0:
        return soft * f
    b = _standard_within(ground, ~hard)
    rest = 1 - soft
    return (soft * f + contrast * rest * b) / (soft.square() + rest.square()).sqrt()


def settled(images: Tensor, hard: Tensor, contrast: float) -> Tensor:
    """Bring the two regions of blended images back to mean 0 and SD 1, or the contrast.

    Soft edges move them by a thousandth, by how much depends on the length of the edge, and with
    that on the digit: enough for a readout of means and SDs to tell digits above chance. Without a
    background nothing outside the digit is changed.
    """
    inside = _standard_within(images, hard)
    outside = contrast * _standard_within(images, ~hard) if contrast else images
    return torch.where(hard, inside, outside)


def leak_features(digits: TextureDigits) -> Tensor:
    """Return what should tell neither label: mean and SD of the image and of its two regions.

    Returns
    -------
    Tensor, shape (n, 6)
        float64: mean and standard deviation of all pixels, of the digit, of the background.
    """
    x = digits.images[:, 0].double()
    columns = []
    for region in (torch.ones_like(digits.masks), digits.masks, ~digits.masks):
        count = region.sum(dim=(1, 2))
        mean = (x * region).sum(dim=(1, 2)) / count
        square = (x.square() * region).sum(dim=(1, 2)) / count
        columns += [mean, (square - mean.square()).clamp_min(0).sqrt()]
    return torch.stack(columns, dim=1)


def _standard_within(patches: Tensor, region: Tensor) -> Tensor:
    """Bring patches to mean 0 and standard deviation 1 within their regions."""
    x = patches.float()
    count = region.sum(dim=(1, 2), keepdim=True).clamp_min(1)
    x = x - (x * region).sum(dim=(1, 2), keepdim=True) / count
    spread = ((x.square() * region).sum(dim=(1, 2), keepdim=True) / count).sqrt()
    return x / spread.clamp_min(1e-6)


def _enlargement(corner: Tensor, size: Tensor, side: int) -> Tensor:
    """Return matrices (n, 64, side) that enlarge `side` pixels to `size`, bilinearly, in place."""
    place = (torch.arange(PATCH) + 0.5 - corner[:, None]) * side / size[:, None] - 0.5
    return (1 - (place[:, :, None] - torch.arange(side)).abs()).clamp_min(0).float()


def _sum_around(mask: Tensor, reach: int) -> Tensor:
    """Sum masks (n, 64, 64) over the square of 2 `reach` + 1 pixels about each pixel."""
    total = mask.float()
    for axis in (-1, -2):
        padded = F.pad(total, (reach, reach) if axis == -1 else (0, 0, reach, reach))
        total = sum(padded.narrow(axis, k, PATCH) for k in range(2 * reach + 1))  # type: ignore[assignment]
    return total


def _shapes(
    kind: str,
    split: str,
    digit: np.ndarray,
    rng: np.random.Generator,
    data: str | os.PathLike[str] | None,
) -> Tensor:
    """Return one shape (n, 28, 28) a label; each is used again only when all were used."""
    if kind == "glyphs":
        first, per_class = _GLYPHS_PER_CLASS[split]
        images, labels = stroke_glyphs(per_class, N_CLASSES, size=28, first=first, noise=0.0)
        images = (images - BACKGROUND) / (1 - BACKGROUND)
    else:
        images, labels = mnist(data, "test" if split == "test" else "train", size=28)
        if split != "test":
            part = slice(-HELD_OUT, None) if split == "validation" else slice(0, -HELD_OUT)
            images, labels = images[part], labels[part]
    rows = np.empty(len(digit), dtype=np.int64)
    for label in range(N_CLASSES):
        mine = np.flatnonzero(digit == label)
        pool = np.flatnonzero(labels.numpy() == label)
        rounds = -(-len(mine) // len(pool))
        rows[mine] = np.concatenate([rng.permutation(pool) for _ in range(rounds)])[: len(mine)]
    return images[torch.from_numpy(rows), 0]


def _mean_amplitude(family: Textures, classes: np.ndarray, seed: int) -> Tensor:
    """Return the mean amplitude spectrum of 50 training patches of each class."""
    rng = np.random.default_rng([seed, len(SPLITS)])
    patches = family.patches(np.repeat(classes, 50), "train", rng)
    return torch.fft.fft2(patches - patches.mean(dim=(1, 2), keepdim=True)).abs().mean(dim=0)


def _matched(patches: Tensor, amplitude: Tensor | None) -> Tensor:
    if amplitude is None:
        return patches
    phase = torch.fft.fft2(patches).angle()
    return torch.fft.ifft2(torch.polar(amplitude.expand_as(phase), phase)).real
