"""Ten kinds of random textures that need no data: noise, dots, segments, checks, edges, plaids.

Each generator takes a number of patches, their width in pixels and a random generator, and gives
float64 patches (n, size, size) of any mean and contrast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Generator = Callable[[int, int, np.random.Generator], FloatArray]

_OCTAVES = 0.6
"""Standard deviation of the radial bands of noise, in octaves."""


def _band_noise(n: int, size: int, rng: np.random.Generator, *, cycles: float) -> FloatArray:
    """Return isotropic Gaussian noise about `cycles` a patch."""
    radius, _ = _polar(size)
    return _filtered(rng.standard_normal((n, size, size)), _radial(radius, cycles))


def _oriented_noise(n: int, size: int, rng: np.random.Generator, *, width: float) -> FloatArray:
    """Return noise about 8 cycles a patch along one random orientation, `width` degrees (SD)."""
    radius, angle = _polar(size)
    preferred = rng.uniform(0, 180, n)[:, None, None]
    away = (angle - preferred + 90) % 180 - 90
    gain = _radial(radius, 8.0) * np.exp(-0.5 * (away / width) ** 2)
    return _filtered(rng.standard_normal((n, size, size)), gain)


def _dots(n: int, size: int, rng: np.random.Generator) -> FloatArray:
    """Return bright discs of one size at random places, on a torus."""
    points = rng.uniform(0, size, (n, 40, 2))
    nearest = np.sqrt(_nearest(points, size)[0])
    return np.clip(size / 28 - nearest + 0.5, 0, 1)


def _segments(n: int, size: int, rng: np.random.Generator) -> FloatArray:
    """Return short straight lines at random places and orientations, on a torus."""
    grid = np.arange(size) + 0.5
    near = np.full((n, size, size), np.inf)
    half = size / 9
    for _ in range(24):
        y, x = rng.uniform(0, size, (2, n, 1, 1))
        theta = rng.uniform(0, np.pi, (n, 1, 1))
        dy = (grid[None, :, None] - y + size / 2) % size - size / 2
        dx = (grid[None, None, :] - x + size / 2) % size - size / 2
        along = dx * np.cos(theta) + dy * np.sin(theta)
        across = -dx * np.sin(theta) + dy * np.cos(theta)
        beyond = np.maximum(np.abs(along) - half, 0)
        np.minimum(near, beyond**2 + across**2, out=near)
    return np.clip(size / 64 - np.sqrt(near) + 0.5, 0, 1)


def _checks(n: int, size: int, rng: np.random.Generator) -> FloatArray:
    """Return a checkerboard whose lines are jittered and whose squares differ in grey level."""
    step = size / 8
    lines = step * np.arange(10) + rng.uniform(-0.25, 0.25, (2, n, 10)) * step
    lines -= rng.uniform(0, step, (2, n, 1))
    grid = np.arange(size) + 0.5
    row, column = ((grid[None, :, None] > line[:, None, :]).sum(axis=-1) for line in lines)
    shade = 0.25 * rng.standard_normal((n, 11, 11))
    shade = shade[np.arange(n)[:, None, None], row[:, :, None], column[:, None, :]]
    return (row[:, :, None] + column[:, None, :]) % 2 - 0.5 + shade


def _voronoi(n: int, size: int, rng: np.random.Generator) -> FloatArray:
    """Return the borders between the cells of random points, on a torus."""
    first, second = _nearest(rng.uniform(0, size, (n, 24, 2)), size)
    return np.clip(size / 32 - (np.sqrt(second) - np.sqrt(first)) + 0.5, 0, 1)


def _plaid(n: int, size: int, rng: np.random.Generator) -> FloatArray:
    """Return two gratings at a right angle, each of 5 to 8 cycles a patch."""
    grid = (np.arange(size) + 0.5) / size
    theta = rng.uniform(0, np.pi, (n, 1, 1))
    x, y = grid[None, None, :], grid[None, :, None]
    along, across = (
        x * np.cos(theta) + y * np.sin(theta),
        -x * np.sin(theta) + y * np.cos(theta),
    )
    cycles, phase = rng.uniform(5, 8, (2, n, 1, 1)), rng.uniform(0, 2 * np.pi, (2, n, 1, 1))
    return sum(
        np.sin(2 * np.pi * f * place + shift)
        for f, place, shift in zip(cycles, (along, across), phase, strict=True)
    )


PROCEDURAL: dict[str, Generator] = {
    "noise_coarse": partial(_band_noise, cycles=5.0),
    "noise_medium": partial(_band_noise, cycles=10.0),
    "noise_fine": partial(_band_noise, cycles=20.0),
    "oriented_broad": partial(_oriented_noise, width=22.0),
    "oriented_narrow": partial(_oriented_noise, width=7.0),
    "dots": _dots,
    "segments": _segments,
    "checks": _checks,
    "voronoi": _voronoi,
    "plaid": _plaid,
}
"""Name of a kind -> its generator."""


def _polar(size: int) -> tuple[FloatArray, FloatArray]:
    """Return radius (cycles a patch) and angle (degrees, 0 to 180) of each Fourier component."""
    f = np.fft.fftfreq(size) * size
    fy, fx = np.meshgrid(f, f, indexing="ij")
    return np.hypot(fx, fy), np.rad2deg(np.arctan2(fy, fx)) % 180


def _radial(radius: FloatArray, cycles: float) -> FloatArray:
    octaves = np.log2(np.where(radius > 0, radius, 1e-9) / cycles)
    return np.exp(-0.5 * (octaves / _OCTAVES) ** 2)


def _filtered(noise: FloatArray, gain: FloatArray) -> FloatArray:
    return np.fft.ifft2(np.fft.fft2(noise) * gain).real


def _nearest(points: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return squared distances (n, size, size) to the nearest and second nearest point."""
    grid = np.arange(size) + 0.5
    first = np.full((len(points), size, size), np.inf)
    second = first.copy()
    for k in range(points.shape[1]):
        away = (grid[None, :, None] - points[:, k, None, :] + size / 2) % size - size / 2
        squared = away[:, :, None, 0] ** 2 + away[:, None, :, 1] ** 2
        np.minimum(second, np.maximum(first, squared), out=second)
        np.minimum(first, squared, out=first)
    return first, second
