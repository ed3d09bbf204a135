"""Procedural pictures: 1/f noise, checkerboards, plain colours."""

from __future__ import annotations

import numpy as np

from isocortex.stimuli.noise import shaped
from isocortex.stimuli.scenes.pictures import ByteArray

_MEAN, _SD = 128.0, 42.0


def fractal(rng: np.random.Generator, side: int, exponent: float = 1.0) -> ByteArray:
    """Return periodic noise (side, side) whose amplitude falls as 1/f^exponent.

    Mean 128, standard deviation 42 before grey levels are clipped to bytes; random phases.
    """
    noise = shaped(rng.normal(size=(side, side)), exponent)
    levels = _MEAN + _SD * noise / noise.std()
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def checker(rng: np.random.Generator, side: int) -> ByteArray:
    """Return a turned checkerboard (side, side, 3) of two colours, 4 to 16 fields on a side."""
    angle, fields = rng.uniform(0, np.pi / 2), rng.uniform(4, 16)
    colors = rng.uniform(30, 225, (2, 3))
    y, x = (np.mgrid[:side, :side] + 0.5) * fields / side
    across, down = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    odd = (np.floor(across) + np.floor(down)).astype(np.int64) % 2
    return np.rint(colors[odd]).astype(np.uint8)


def uniform(rng: np.random.Generator, side: int) -> ByteArray:
    """Return a plain colour (1, 1, 3); `side` does not matter."""
    del side
    return np.rint(rng.uniform(30, 225, (1, 1, 3))).astype(np.uint8)
