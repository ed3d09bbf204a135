"""Random stroke glyphs: characters that nobody has seen, none of them its own mirror image.

A class is three curved strokes drawn from a seed. It is kept only if it differs from its own
mirror image and from every other class, mirrored or not, wherever one is shifted and however it
is turned within the jitter; so "the same seen in a mirror" is a category that can be learned.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocortex.errors import UserError

FloatArray = npt.NDArray[np.float64]

SIMILARITY_BOUND = 0.6
"""No glyph correlates more than this with its mirror image, another glyph or its mirror image."""
BACKGROUND = 128 / 255

_STROKES = 3
_PIECES = 8  # straight pieces of a stroke
_SHIFT, _SCALE, _ROTATION = 1 / 16, (0.8, 1.0), 12.0  # of the width; of the frame; degrees
_WIDTH = (1 / 20, 1 / 12)  # of the image width
_EXTENT = 0.33  # half-size of the unscaled glyph, of the image width; jitter keeps it inside
_CHUNK = 256
_ATTEMPTS = 1000
_SHAPE, _IMAGE = 0, 1  # separate streams of random numbers


def stroke_glyphs(
    n_per_class: int,
    n_classes: int = 10,
    size: int = 32,
    seed: int = 0,
    *,
    first: int = 0,
    noise: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """Draw light stroke glyphs on grey, 128/255, with jitter and noise.

    Shift is up to 1/16 of the width, size 80 to 100 %, rotation up to 12 degrees, strokes are 1/20
    to 1/12 of the width thick; all uniform. An image depends on (seed, class, index) alone, so
    more images or more classes leave those there as they are.

    Parameters
    ----------
    n_per_class : int
        Images of each class, with indices `first`, `first` + 1, ...
    n_classes : int
        Classes 0, 1, ...; each is defined by the seed and those before it.
    size : int
        Width and height in pixels.
    seed : int
        Defines classes and images.
    first : int
        Index of the first image of each class: test images follow those of training, for example
        ``stroke_glyphs(1080)`` and ``stroke_glyphs(120, first=1080)``.
    noise : float
        Standard deviation of the Gaussian noise of each pixel, before clipping to [0, 1].

    Returns
    -------
    images : Tensor
        float32 (n, 1, size, size) in [0, 1], class by class.
    labels : Tensor
        int64 (n,).

    Raises
    ------
    UserError
        If a number is too small.
    """
    for name, value, least in (
        ("n_per_class", n_per_class, 1),
        ("n_classes", n_classes, 1),
        ("size", size, 8),
        ("seed", seed, 0),
        ("first", first, 0),
        ("noise", noise, 0),
    ):
        if value < least:
            raise UserError(f"{name} is {value}, but a glyph needs {least} or more")
    shapes = shape_classes(n_classes, seed)
    labels = np.repeat(np.arange(n_classes), n_per_class)
    indices = np.tile(np.arange(first, first + n_per_class), n_classes)
    images = np.empty((len(labels), 1, size, size), dtype=np.float32)
    for start in range(0, len(labels), _CHUNK):
        part = slice(start, start + _CHUNK)
        rngs = [
            np.random.default_rng([seed, _IMAGE, c, i])
            for c, i in zip(labels[part], indices[part], strict=True)
        ]
        drawn = [_jittered(shapes[c], rng) for c, rng in zip(labels[part], rngs, strict=True)]
        coverage = draw(
            np.stack([points for points, _ in drawn]), np.array([w for _, w in drawn]), size
        )
        grain = np.stack([rng.standard_normal((size, size)) for rng in rngs])
        values = BACKGROUND + (1 - BACKGROUND) * coverage + noise * grain
        images[part, 0] = np.clip(values, 0, 1)
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


@lru_cache(maxsize=8)
def shape_classes(n_classes: int, seed: int) -> tuple[FloatArray, ...]:
    """Return the strokes of each class, (strokes, points, 2) in (x, y) with y down.

    Candidates are drawn until one keeps `SIMILARITY_BOUND` with its own mirror image, the classes
    before it and their mirror images. Coordinates lie in [-1, 1]; the arrays are read-only.

    Raises
    ------
    UserError
        If so many classes that differ cannot be found.
    """
    shapes: list[FloatArray] = []
    for number in range(n_classes):
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([seed, _SHAPE, number, attempt])
            shape = _random_strokes(rng)
            rivals = [mirrored(shape), *shapes, *map(mirrored, shapes)]
            if max(similarity(shape, rivals)) <= SIMILARITY_BOUND:
                shape.setflags(write=False)
                shapes.append(shape)
                break
        else:
            raise UserError(
                f"no {n_classes} stroke glyphs that differ enough were found; ask for at most "
                f"{number} classes or take another seed"
            )
    return tuple(shapes)


def mirrored(shape: FloatArray) -> FloatArray:
    """Return strokes (..., 2) seen in a mirror, left for right."""
    return shape * np.array([-1.0, 1.0])


def similarity(shape: FloatArray, rivals: list[FloatArray]) -> FloatArray:
    """Return the best correlation of a glyph with each rival, over all shifts and some turns.

    Pearson r of the drawn pixels on a cyclic grid of 48 x 48, the largest over all whole-pixel
    shifts and over turns by -24, -12, 0, 12 and 24 degrees (the jitter of two images together).
    """
    turned = [_turned(shape, angle) for angle in (-24, -12, 0, 12, 24)]
    one, others = _spectra(turned), _spectra(rivals)
    surfaces = np.fft.irfft2(one[:, None] * others.conj(), s=(48, 48))
    return surfaces.max(axis=(0, 2, 3))


def draw(points: FloatArray, widths: FloatArray, size: int) -> FloatArray:
    """Return the coverage (n, size, size) of strokes by pixels, antialiased.

    Parameters
    ----------
    points : array (n, strokes, points, 2)
        Corners of the strokes as (x, y) in image widths, (0, 0) upper left, (1, 1) lower right.
    widths : array (n,)
        Thickness of the strokes in image widths.
    size : int
        Width and height in pixels.

    Returns
    -------
    array
        In [0, 1]; falls linearly over the pixel that the edge of a stroke passes.
    """
    grid = (np.arange(size) + 0.5) / size
    starts = points[:, :, :-1].reshape(len(points), -1, 2)
    steps = points[:, :, 1:].reshape(len(points), -1, 2) - starts
    squares = np.maximum((steps**2).sum(-1), 1e-12)
    nearest = np.full((len(points), size, size), np.inf)
    for k in range(starts.shape[1]):
        x = grid[None, None, :] - starts[:, k, 0, None, None]
        y = grid[None, :, None] - starts[:, k, 1, None, None]
        dx, dy = steps[:, k, 0, None, None], steps[:, k, 1, None, None]
        along = np.clip((x * dx + y * dy) / squares[:, k, None, None], 0, 1)
        np.minimum(nearest, (x - along * dx) ** 2 + (y - along * dy) ** 2, out=nearest)
    inside = widths[:, None, None] / 2 - np.sqrt(nearest)
    return np.clip(inside * size + 0.5, 0, 1)


def _random_strokes(rng: np.random.Generator) -> FloatArray:
    """Return quadratic Bezier curves, some of which begin where the last one ended."""
    t = np.linspace(0, 1, _PIECES + 1)[:, None]
    strokes: list[FloatArray] = []
    while len(strokes) < _STROKES:
        a, b, c = rng.uniform(-1, 1, (3, 2))
        if strokes and rng.random() < 0.5:
            a = strokes[-1][-1]
        if np.hypot(*(c - a)) > 0.7:
            strokes.append((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c)
    shape = np.stack(strokes)
    low, high = shape.min(axis=(0, 1)), shape.max(axis=(0, 1))
    return (shape - (low + high) / 2) / ((high - low).max() / 2)


def _jittered(shape: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
    shift = rng.uniform(-_SHIFT, _SHIFT, 2)
    scale = rng.uniform(*_SCALE) * _EXTENT
    turned = _turned(shape, rng.uniform(-_ROTATION, _ROTATION))
    return turned * scale + 0.5 + shift, rng.uniform(*_WIDTH)


def _turned(shape: FloatArray, degrees: float) -> FloatArray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return shape @ np.array([[c, s], [-s, c]])


def _spectra(shapes: list[FloatArray]) -> npt.NDArray[np.complex128]:
    points = np.stack(shapes) * 0.25 + 0.5
    pixels = draw(points, np.full(len(points), 0.06), 48)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    pixels /= np.sqrt((pixels**2).sum(axis=(1, 2), keepdims=True))
    return np.fft.rfft2(pixels)
