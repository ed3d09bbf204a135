"""Simulated contours: end points and kernels with standard errors.

Steps are taken at the direction in the middle of the step (midpoint in theta).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isocortex.errors import UserError
from isocortex.measures.se2.grids import Density, Grid
from isocortex.measures.se2.parameters import angular, diffusion, positive

N_BATCHES = 20
_LEFT = 1e-4
_CHUNK = 2**18


@dataclass(frozen=True)
class KernelEstimate:
    """A kernel estimated from simulated contours.

    Attributes
    ----------
    density : numpy.ndarray, shape (n_theta, side, side)
        Mean over batches of paths.
    standard_error : numpy.ndarray, same shape
        Of that mean, from the spread over the batches.
    n_paths : int
        Paths in all batches.
    """

    density: Density
    standard_error: Density
    n_paths: int


def _check(n_paths: int, dt: float, **values: float) -> None:
    positive(dt=dt, **values)
    if n_paths < 2:
        raise UserError(f"{n_paths} paths tell no error; simulate 10,000 or more")


def _steps(t: float, dt: float) -> tuple[int, float]:
    n = max(1, math.ceil(t / dt - 1e-9))
    return n, t / n


def _move(state: np.ndarray, ahead: np.ndarray | float, turn: np.ndarray) -> None:
    """Advance (3, n) elements in place, in the direction in the middle of the turn."""
    middle = state[2] + turn / 2
    state[0] += ahead * np.cos(middle)
    state[1] += ahead * np.sin(middle)
    state[2] += turn


def direction_endpoints(
    t: float,
    *,
    sigma: float | None = None,
    d22: float | None = None,
    n_paths: int = 100_000,
    dt: float = 0.05,
    seed: int = 0,
) -> np.ndarray:
    """Where contours of the direction process are at time t.

    ``dx = cos(theta) dt, dy = sin(theta) dt, dtheta = sigma dW`` from the identity (Mumford 1994).

    Parameters
    ----------
    t : float
        Length travelled, in pixels.
    sigma, d22 : float
        Exactly one: sigma in rad / sqrt(px), or d22 = sigma^2 / 2.
    n_paths : int
        Simulated paths.
    dt : float
        Longest step; the error of moments is of order dt^2.
    seed : int
        Seed of the paths.

    Returns
    -------
    numpy.ndarray, shape (n_paths, 3)
        (x, y, theta), theta not wrapped.

    Raises
    ------
    UserError
        For parameters out of range.
    """
    s = angular(sigma, d22)
    _check(n_paths, dt, t=t)
    n, step = _steps(t, dt)
    rng = np.random.default_rng(seed)
    state = np.zeros((3, n_paths))
    for _ in range(n):
        _move(state, step, rng.normal(scale=s * math.sqrt(step), size=n_paths))
    return state.T


def diffusion_endpoints(
    t: float,
    *,
    s1: float | None = None,
    s2: float | None = None,
    d11: float | None = None,
    d22: float | None = None,
    n_paths: int = 100_000,
    dt: float = 0.05,
    seed: int = 0,
) -> np.ndarray:
    """Where contours of the diffusion ``dt p = d11 X1^2 p + d22 X2^2 p`` are at time t.

    ``(dx, dy) = s1 (cos theta, sin theta) dW1, dtheta = s2 dW2`` (Citti & Sarti 2006).

    Parameters
    ----------
    t : float
        Time.
    s1, s2, d11, d22 : float
        As in `diffusion_moments`.
    n_paths, dt, seed
        As in `direction_endpoints`.

    Returns
    -------
    numpy.ndarray, shape (n_paths, 3)
        (x, y, theta), theta not wrapped.

    Raises
    ------
    UserError
        For parameters out of range.
    """
    along, turn = diffusion(s1, s2, d11, d22)
    _check(n_paths, dt, t=t)
    n, step = _steps(t, dt)
    rng = np.random.default_rng(seed)
    state = np.zeros((3, n_paths))
    for _ in range(n):
        ahead, rotation = rng.normal(scale=math.sqrt(step), size=(2, n_paths))
        _move(state, along * ahead, turn * rotation)
    return state.T


def direction_monte_carlo(
    grid: Grid,
    *,
    sigma: float | None = None,
    d22: float | None = None,
    decay: float | None = None,
    t: float | None = None,
    n_paths: int = 100_000,
    dt: float = 0.1,
    blur: float = 0.0,
    seed: int = 0,
) -> KernelEstimate:
    """Kernel of the direction process by simulation: at time t, or over a lifetime.

    With `decay` it is the Green's function, ``(X1 - (sigma^2/2) X2^2 + decay) G = delta``: the
    expected time that a contour spends in a cell, e^(-decay t) of it being left after t. Every
    path is looked at after ``(u + k) dt`` with its own u, uniform in [0, 1): unbiased in time.

    Parameters
    ----------
    grid : Grid
    sigma, d22 : float
        Exactly one: sigma in rad / sqrt(px), or d22 = sigma^2 / 2.
    decay, t : float
        Exactly one: the rate at which contours end, a px, or the time, in px. Paths are followed
        until 1e-4 of them would be left.
    n_paths, dt, seed
        As in `direction_endpoints`.
    blur : float
        Standard deviation of Gaussian noise added to the positions, in pixels, as in
        `direction_kernel`.

    Returns
    -------
    KernelEstimate

    Raises
    ------
    UserError
        For parameters out of range.
    """
    s = angular(sigma, d22)
    if (decay is None) == (t is None):
        raise UserError("give either decay, for the Green's function, or a time t, not both")
    if t is not None:
        ends = direction_endpoints(t, sigma=s, n_paths=n_paths, dt=dt, seed=seed)
        return _estimate_ends(ends, grid, blur, seed)
    assert decay is not None
    _check(n_paths, dt, decay=decay)
    n = math.ceil(-math.log(_LEFT) / decay / dt)

    def simulate(count: int, rng: np.random.Generator) -> np.ndarray:
        state = np.zeros((3, count))
        first = rng.uniform(size=count) * dt
        _move(state, first, rng.normal(size=count) * s * np.sqrt(first))
        total = np.zeros(math.prod(grid.shape))
        weight = np.exp(-decay * first) * dt
        shrink = math.exp(-decay * dt)
        for k in range(n):
            total += _binned(state, grid, blur, rng, weight)
            if k < n - 1:
                _move(state, dt, rng.normal(scale=s * math.sqrt(dt), size=count))
                weight *= shrink
        return total

    return _estimate(simulate, grid, n_paths, seed)


def diffusion_monte_carlo(
    grid: Grid,
    t: float,
    *,
    s1: float | None = None,
    s2: float | None = None,
    d11: float | None = None,
    d22: float | None = None,
    n_paths: int = 100_000,
    dt: float = 0.05,
    blur: float = 0.0,
    seed: int = 0,
) -> KernelEstimate:
    """Kernel of contour diffusion at time t by simulation.

    Parameters
    ----------
    grid : Grid
    t : float
        Time.
    s1, s2, d11, d22 : float
        As in `diffusion_moments`.
    n_paths, dt, seed
        As in `direction_endpoints`.
    blur : float
        As in `direction_monte_carlo`.

    Returns
    -------
    KernelEstimate

    Raises
    ------
    UserError
        For parameters out of range.
    """
    ends = diffusion_endpoints(t, s1=s1, s2=s2, d11=d11, d22=d22, n_paths=n_paths, dt=dt, seed=seed)
    return _estimate_ends(ends, grid, blur, seed)


def _estimate_ends(ends: np.ndarray, grid: Grid, blur: float, seed: int) -> KernelEstimate:
    """Estimate a density from end points; the error is that of a proportion."""
    rng = np.random.default_rng([seed, 1])
    count = _binned(ends.T, grid, blur, rng, None).reshape(grid.shape)
    n = len(ends)
    share = count / n
    error = np.sqrt(share * (1 - share) / n)
    return KernelEstimate(share / grid.volume, error / grid.volume, n)


def _estimate(
    simulate: Callable[[int, np.random.Generator], np.ndarray],
    grid: Grid,
    n_paths: int,
    seed: int,
) -> KernelEstimate:
    """Average weights in cells over batches of paths, each with a generator of its own."""
    per_batch = max(1, n_paths // N_BATCHES)
    sums = []
    for batch in range(N_BATCHES):
        rng = np.random.default_rng([seed, batch])
        sizes = [_CHUNK] * (per_batch // _CHUNK) + [per_batch % _CHUNK]
        total = sum(simulate(size, rng) for size in sizes if size)
        sums.append(total / (per_batch * grid.volume))
    stack = np.stack(sums).reshape(N_BATCHES, *grid.shape)
    error = stack.std(axis=0, ddof=1) / math.sqrt(N_BATCHES)
    return KernelEstimate(stack.mean(axis=0), error, per_batch * N_BATCHES)


def _binned(
    state: np.ndarray,
    grid: Grid,
    blur: float,
    rng: np.random.Generator,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Sum weights of elements (3, n) in the cells of the grid, flat; those outside are left out."""
    x, y, theta = state
    if blur > 0:
        x, y = (v + rng.normal(scale=blur, size=v.shape) for v in (x, y))
    c = (grid.side - 1) // 2
    column = np.rint(x / grid.spacing).astype(np.int64) + c
    row = c - np.rint(y / grid.spacing).astype(np.int64)
    angle = np.rint(theta / grid.d_theta).astype(np.int64) % grid.n_theta
    inside = (column >= 0) & (column < grid.side) & (row >= 0) & (row < grid.side)
    cell = (angle[inside] * grid.side + row[inside]) * grid.side + column[inside]
    kept = None if weight is None else weight[inside]
    return np.bincount(cell, kept, minlength=math.prod(grid.shape)).astype(np.float64)
