"""Kernels on the group without chance: Fourier in position, finite differences in direction.

In the Fourier domain of position (wave vector k) both processes act on each k by itself, as a
function of direction alone: transport multiplies by ``-i k.u`` and diffusion along the contour by
``-d11 (k.u)^2``, u = (cos, sin), and turning is the second difference on a ring of directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from isocortex.errors import UserError
from isocortex.measures.se2.grids import Density, Grid
from isocortex.measures.se2.parameters import angular, diffusion, positive

LEAK = 1e-3
_CHUNK_BYTES = 2**25
_FADED = 3.8
"""Wave vectors beyond this over the blur keep less than 1e-3 of their amplitude."""

Solve = Callable[[np.ndarray, "_Ring"], np.ndarray]
"""Solves ``k.u`` of a chunk of wave vectors, (n_ring, n), for the transform of the kernel."""


@dataclass(frozen=True)
class _Ring:
    """Directions at which the solver works: m of them (m odd) in each cell of the grid."""

    n: int
    per_cell: int

    @property
    def step(self) -> float:
        return 2 * math.pi / self.n

    @property
    def theta(self) -> np.ndarray:
        return np.arange(self.n) * self.step

    def cells(self, values: np.ndarray) -> np.ndarray:
        """Average (n, ...) over the directions of each cell, number 0 centred on theta = 0."""
        moved = np.roll(values, (self.per_cell - 1) // 2, axis=0)
        return moved.reshape(-1, self.per_cell, *values.shape[1:]).mean(axis=1)


def _ring(grid: Grid, widest: float) -> _Ring:
    """Divide cells until a step of direction is at most `widest` radians."""
    m = max(1, math.ceil(grid.d_theta / widest))
    m += 1 - m % 2
    return _Ring(grid.n_theta * m, m)


def direction_kernel(
    grid: Grid,
    *,
    sigma: float | None = None,
    d22: float | None = None,
    decay: float | None = None,
    t: float | None = None,
    blur: float = 0.5,
    oversample: int = 2,
    steps: int = 64,
) -> Density:
    """Kernel of the direction process: its Green's function, or its density at time t.

    ``(X1 - (sigma^2/2) X2^2 + decay) G = delta``; for every wave vector one cyclic tridiagonal
    system over directions, all solved side by side. At a time t instead: `steps` splittings of
    second order into transport and turning. Steps of direction are at most sigma / 2 (Green's
    function) or sigma sqrt(t) / 8, whatever the cells of the grid. Wave vectors end where a cell of
    ``spacing / oversample`` would, and contours come back from the other side of a box so large
    that less than 1e-3 of them are left. Wave vectors of which the blur leaves less than 1e-3 are
    left out, too.

    Parameters
    ----------
    grid : Grid
    sigma, d22 : float
        Exactly one: sigma in rad / sqrt(px), or d22 = sigma^2 / 2.
    decay, t : float
        Exactly one: the rate at which contours end, a px, or the length travelled, in px.
    blur : float
        Standard deviation in pixels of a Gaussian that positions are blurred with; the kernel
        itself is singular on the axis.
    oversample : int
        See above; with blur 0 ripples of a few per cent are left whatever it is.
    steps : int
        Splittings; only for a time t.

    Returns
    -------
    numpy.ndarray, shape (n_theta, side, side)
        Mean density in each cell, a px^2 and rad.

    Raises
    ------
    UserError
        For parameters out of range.
    """
    s = angular(sigma, d22)
    if (decay is None) == (t is None):
        raise UserError("give either decay, for the Green's function, or a time t, not both")
    rate = s**2 / 2
    if t is not None:
        positive(t=t)
        ring = _ring(grid, s * math.sqrt(t) / 8)
        reach, time = t + 4 * blur, t

        def at_time(along: np.ndarray, ring: _Ring) -> np.ndarray:
            return _split(-1j * along, rate, time, steps, ring)

        return _invert(at_time, grid, ring, reach, blur, oversample)
    assert decay is not None
    positive(decay=decay)
    ending = decay

    def greens(along: np.ndarray, ring: _Ring) -> np.ndarray:
        return _cyclic_tridiagonal(ending + 1j * along, rate / ring.step**2) / ring.step

    reach = -math.log(LEAK) / decay
    return _invert(greens, grid, _ring(grid, s / 2), reach, blur, oversample)


def diffusion_kernel(
    grid: Grid,
    t: float,
    *,
    s1: float | None = None,
    s2: float | None = None,
    d11: float | None = None,
    d22: float | None = None,
    blur: float = 0.5,
    oversample: int = 2,
    steps: int = 64,
) -> Density:
    """Kernel of contour diffusion, ``dt p = d11 X1^2 p + d22 X2^2 p`` from the identity, at time t.

    Parameters
    ----------
    grid : Grid
    t : float
        Time.
    s1, s2, d11, d22 : float
        Exactly one of s1 and d11 = s1^2 / 2 (along the contour, px / sqrt(t)), and one of s2 and
        d22 = s2^2 / 2 (of direction, rad / sqrt(t)).
    blur, oversample, steps
        As in `direction_kernel`.

    Returns
    -------
    numpy.ndarray, shape (n_theta, side, side)
        Mean density in each cell, a px^2 and rad.

    Raises
    ------
    UserError
        For parameters out of range.
    """
    a, w = diffusion(s1, s2, d11, d22)
    positive(t=t)

    def at_time(along: np.ndarray, ring: _Ring) -> np.ndarray:
        return _split(-(a**2 / 2) * along**2, w**2 / 2, t, steps, ring)

    reach = a * math.sqrt(-2 * t * math.log(LEAK)) + 4 * blur
    ring = _ring(grid, w * math.sqrt(t) / 8)
    return _invert(at_time, grid, ring, reach, blur, oversample)


def _cyclic_tridiagonal(diagonal: np.ndarray, rate: float) -> np.ndarray:
    """Solve ``(diagonal + rate (2, -1, .., -1)) p = (1, 0, ...)`` on rings, along axis 0.

    Elimination for the ring that is cut open, and Sherman-Morrison to close it; stable, because
    the real part of the diagonal dominates.
    """
    n = len(diagonal)
    b = diagonal + 2 * rate
    gamma = -b[0]
    first = b.copy()
    first[0] -= gamma
    first[-1] -= rate**2 / gamma
    # Two right-hand sides: the source at 0, and (gamma, 0, ..., -rate).
    y, z = np.zeros_like(b), np.zeros_like(b)
    ratio = np.empty_like(b)
    inverse = 1 / first[0]
    ratio[0] = -rate * inverse
    y[0], z[0] = inverse, gamma * inverse
    for j in range(1, n):
        inverse = 1 / (first[j] + rate * ratio[j - 1])
        ratio[j] = -rate * inverse
        y[j] = rate * y[j - 1] * inverse
        z[j] = rate * z[j - 1] * inverse
        if j == n - 1:
            z[j] -= rate * inverse
    for j in range(n - 2, -1, -1):
        y[j] -= ratio[j] * y[j + 1]
        z[j] -= ratio[j] * z[j + 1]
    corner = -rate / gamma
    return y - z * ((y[0] + corner * y[-1]) / (1 + z[0] + corner * z[-1]))


def _split(generator: np.ndarray, rate: float, t: float, steps: int, ring: _Ring) -> np.ndarray:
    """Evolve a delta on rings under ``generator + rate (second difference)`` (Strang splitting)."""
    if steps < 1:
        raise UserError(f"{steps} steps lead nowhere; use 16 or more")
    dt = t / steps
    half = np.exp(generator * (dt / 2))
    whole = half * half
    real = not np.iscomplexobj(generator)
    modes = np.arange(ring.n // 2 + 1) if real else np.arange(ring.n)
    decline = (2 - 2 * np.cos(modes * ring.step)) / ring.step**2
    turning = np.exp(-rate * dt * decline)[:, None]
    p = np.zeros_like(half)
    p[0] = half[0] / ring.step
    for k in range(steps):
        if real:
            p = np.fft.irfft(turning * np.fft.rfft(p, axis=0), n=ring.n, axis=0)
        else:
            p = np.fft.ifft(turning * np.fft.fft(p, axis=0), axis=0)
        p *= whole if k < steps - 1 else half
    return p


def _invert(
    solve: Solve, grid: Grid, ring: _Ring, reach: float, blur: float, oversample: int
) -> Density:
    """Solve for all wave vectors of a box, a few columns at a time, and sum them at the cells."""
    if blur < 0 or oversample < 1:
        raise UserError(f"blur ({blur}) must be 0 or above, oversample ({oversample}) 1 or above")
    length = max(grid.half_width + reach, 2 * grid.half_width + grid.spacing)
    step = 2 * math.pi / length
    finest = math.pi * oversample / grid.spacing
    if blur > 0:
        finest = min(finest, _FADED / blur)
    n = math.ceil(finest / step)
    ky, kx = np.arange(-n, n + 1) * step, np.arange(n + 1) * step
    waves_y = _waves(ky, grid.y.ravel(), grid, blur) / length
    waves_x = _waves(kx, grid.x.ravel(), grid, blur) / length
    waves_x[:, 1:] *= 2  # the other half plane holds the complex conjugates
    cos, sin = np.cos(ring.theta)[:, None, None], np.sin(ring.theta)[:, None, None]
    density = np.zeros(grid.shape)
    for columns in _chunks(len(kx), 16 * ring.n * len(ky)):
        along = (kx[columns] * cos + ky[:, None] * sin).reshape(ring.n, -1)
        cells = ring.cells(solve(along, ring)).reshape(grid.n_theta, len(ky), -1)
        density += ((waves_y @ cells) @ waves_x[:, columns].T).real
    return density


def _waves(k: np.ndarray, at: np.ndarray, grid: Grid, blur: float) -> np.ndarray:
    """Waves at the centres of cells, (n_cells, n_k), averaged over a cell and blurred."""
    smooth = np.sinc(k * grid.spacing / (2 * np.pi)) * np.exp(-((k * blur) ** 2) / 2)
    waves: np.ndarray = np.exp(1j * at[:, None] * k) * smooth
    return waves


def _chunks(n: int, bytes_each: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // bytes_each)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
