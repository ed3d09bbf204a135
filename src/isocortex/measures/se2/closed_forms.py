"""Closed forms: exact moments, the linearised direction process, a Gaussian estimate."""

from __future__ import annotations

import math

import numpy as np

from isocortex.errors import UserError
from isocortex.measures.se2.grids import Density, Grid, cell_means
from isocortex.measures.se2.group import logarithm
from isocortex.measures.se2.parameters import angular, diffusion, positive

BEST_CORRECTION = 44.0
"""Weight of the commutator direction in `diffusion_closed_form` that fits simulations best."""

_LEAST_CORRECTION = 4.0


def direction_moments(
    t: float, *, sigma: float | None = None, d22: float | None = None
) -> dict[str, float]:
    """Exact moments of the direction process at time t.

    ``E cos(theta) = exp(-sigma^2 t / 2)``, ``E x = (2 / sigma^2)(1 - exp(-sigma^2 t / 2))``.

    Parameters
    ----------
    t : float
        Length travelled, in pixels.
    sigma, d22 : float
        Exactly one: sigma in rad / sqrt(px), or d22 = sigma^2 / 2.

    Returns
    -------
    dict
        ``"cos"``, ``"x"``, and ``"var_y_small"`` = sigma^2 t^3 / 3, the variance of y in the limit
        of small sigma^2 t.

    Raises
    ------
    UserError
        For values that are not above 0.
    """
    s = angular(sigma, d22)
    positive(t=t)
    rate = s**2 / 2
    return {
        "cos": math.exp(-rate * t),
        "x": -math.expm1(-rate * t) / rate,
        "var_y_small": s**2 * t**3 / 3,
    }


def diffusion_moments(
    t: float,
    *,
    s1: float | None = None,
    s2: float | None = None,
    d11: float | None = None,
    d22: float | None = None,
) -> dict[str, float]:
    """Exact moments of contour diffusion at time t.

    ``E r^2 = s1^2 t``, ``E x^2 = s1^2 (t/2 + (1 - exp(-2 s2^2 t)) / (4 s2^2))``.

    Parameters
    ----------
    t : float
        Time.
    s1, s2, d11, d22 : float
        Exactly one of s1 and d11 = s1^2 / 2 (along the contour, px / sqrt(t)), and one of s2 and
        d22 = s2^2 / 2 (of direction, rad / sqrt(t)).

    Returns
    -------
    dict
        ``"r2"`` and ``"x2"`` in px^2.

    Raises
    ------
    UserError
        For values that are not above 0.
    """
    along, turn = diffusion(s1, s2, d11, d22)
    positive(t=t)
    return {
        "r2": along**2 * t,
        "x2": along**2 * (t / 2 - math.expm1(-2 * turn**2 * t) / (4 * turn**2)),
    }


def direction_closed_form(
    grid: Grid,
    *,
    sigma: float | None = None,
    d22: float | None = None,
    decay: float = 0.1,
    sub_cells: int = 5,
) -> Density:
    """Green's function of the direction process, linearised in theta, for x > 0.

    ``G = exp(-decay x) sqrt(3) / (pi s^2 x^2) exp(-6/(s^2 x^3) (y^2 - x y t + x^2 t^2 / 3))``. It
    replaces (cos, sin) by (1, theta): it correlates with simulations at r >= 0.98 for sigma 0.35
    and x of 1 to 8 px, fails where paths turn far, and is 0 behind. Over (y, theta) it integrates
    to ``exp(-decay x)``; ``E[theta | phi] = 1.5 phi`` and ``E[phi | theta] = theta / 2``.

    Parameters
    ----------
    grid : Grid
    sigma, d22 : float
        Exactly one: sigma in rad / sqrt(px), or d22 = sigma^2 / 2.
    decay : float
        Rate at which contours end, a px; 0 is allowed.
    sub_cells : int
        As in `cell_means`.

    Returns
    -------
    numpy.ndarray, shape (n_theta, side, side)

    Raises
    ------
    UserError
        For parameters out of range.
    """
    s = angular(sigma, d22)
    if not decay >= 0:
        raise UserError(f"decay must be 0 or above, not {decay}")

    def density(x: np.ndarray, y: np.ndarray, theta: np.ndarray) -> np.ndarray:
        ahead = np.where(x > 0, x, 1.0)
        quadratic = y**2 - ahead * y * theta + ahead**2 * theta**2 / 3
        height = np.sqrt(3) / (np.pi * s**2 * ahead**2)
        value = height * np.exp(-decay * ahead - 6 / (s**2 * ahead**3) * quadratic)
        return np.where(x > 0, value, 0.0)

    return cell_means(density, grid, sub_cells=sub_cells)


def diffusion_closed_form(
    grid: Grid,
    t: float,
    *,
    s1: float | None = None,
    s2: float | None = None,
    d11: float | None = None,
    d22: float | None = None,
    correction: float = BEST_CORRECTION,
    reference: bool = True,
    sub_cells: int = 1,
) -> Density:
    """Gaussian estimate of the kernel of contour diffusion, scaled to integrate to 1 on the grid.

    ``K ~ exp(-(1/4t) sqrt((w^2/d22 + a^2/d11)^2 + kappa b^2 / (d11 d22)))`` with (a, b, w) the
    logarithm. The literature leaves kappa open; Pearson r with 10^6 simulated paths (s1 2, s2 0.2 /
    0.35, t 4, 21 x 21 x 32 cells) is .64 / .62 for kappa 1, .83 / .81 for 4, .97 / .95 for 16,
    **.98 / .97 for 44**, .95 / .93 for 100.

    Parameters
    ----------
    grid : Grid
    t : float
        Time.
    s1, s2, d11, d22 : float
        As in `diffusion_moments`.
    correction : float
        kappa.
    reference : bool
        Whether the kernel is to serve as a reference; False computes it for any kappa.
    sub_cells : int
        As in `cell_means`.

    Returns
    -------
    numpy.ndarray, shape (n_theta, side, side)

    Raises
    ------
    UserError
        For parameters out of range, or a reference with kappa below 4.
    """
    along, turn = diffusion(s1, s2, d11, d22)
    positive(t=t, correction=correction)
    if reference and correction < _LEAST_CORRECTION:
        raise UserError(
            f"kappa = {correction:g} correlates with the process at r = .83 at most (1: .64); use "
            f"kappa = {BEST_CORRECTION:g}, or reference=False to look at it all the same"
        )
    a_rate, w_rate = along**2 / 2, turn**2 / 2

    def density(x: np.ndarray, y: np.ndarray, theta: np.ndarray) -> np.ndarray:
        element = np.stack(np.broadcast_arrays(x, y, theta), axis=-1)
        a, b, w = np.moveaxis(logarithm(element), -1, 0)
        inner = (w**2 / w_rate + a**2 / a_rate) ** 2 + correction * b**2 / (a_rate * w_rate)
        return np.exp(-np.sqrt(inner) / (4 * t))

    kernel = cell_means(density, grid, sub_cells=sub_cells)
    return kernel / (kernel.sum() * grid.volume)
