"""Kernels of one process for many parameters, to be fitted to lateral kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError
from isocortex.measures.se2.grids import Density, Grid
from isocortex.measures.se2.parameters import positive
from isocortex.measures.se2.solver import diffusion_kernel, direction_kernel
from isocortex.measures.se2.symmetries import plant, symmetrise, without_polarity

SIGMAS = (0.1, 0.14, 0.19, 0.25, 0.32, 0.41, 0.53, 0.68, 0.88)
SPREADS = (0.15, 0.22, 0.32, 0.45, 0.64, 0.9, 1.3)
REACH = 0.6
_SPACING = 0.25
_N_THETA = 96


@dataclass(frozen=True)
class Family:
    """Symmetrised kernels of one process over a range of its parameter.

    Attributes
    ----------
    parameters : tuple of float
        sigma of the direction process in rad / sqrt(px), or D22 / D11 of diffusion in rad^2 / px^2.
    kernels : tuple of numpy.ndarray
        One density for each, over directions or, without polarity, orientations.
    grid : Grid
        Where they are given.
    """

    parameters: tuple[float, ...]
    kernels: tuple[Density, ...]
    grid: Grid

    def planted(self, theta: Array, side: int) -> Iterator[Array]:
        """Lateral kernels (n, n, side, side) of units of these orientations, one by one (`plant`).

        In float64, of the kind of `theta`.
        """
        for kernel in self.kernels:
            density = to_torch(kernel) if hasattr(theta, "detach") else kernel
            yield plant(density, self.grid, theta, side)


def direction_family(
    side: int,
    sigmas: Sequence[float] = SIGMAS,
    *,
    decay: float = 0.2,
    blur: float = 0.25,
    polarity: bool = False,
) -> Family:
    """Kernels of the direction process for many sigma, large enough for lateral kernels of a side.

    Parameters
    ----------
    side : int
        Odd side of the lateral kernels.
    sigmas : sequence of float
        In rad / sqrt(px).
    decay : float
        Rate at which contours end, a px; a free scale at every distance makes it matter little.
    blur : float
        In pixels (`direction_kernel`). It flattens the field near the target: at side 7 and sigma
        0.2 the slope of preferred orientation is .88, .74, .42 for a blur of 0.1, 0.25, 0.5.
    polarity : bool
        Whether to keep direction apart from its opposite.

    Returns
    -------
    Family

    Raises
    ------
    UserError
        For an even side, no sigma, or values that are not above 0.
    """
    grid = _grid(side)
    kernels = [direction_kernel(grid, sigma=s, decay=decay, blur=blur) for s in sigmas]
    return _family(sigmas, kernels, grid, polarity)


def diffusion_family(
    side: int,
    spreads: Sequence[float] = SPREADS,
    *,
    blur: float = 0.25,
    polarity: bool = False,
) -> Family:
    """Kernels of contour diffusion for many D22 / D11, for lateral kernels of a side.

    The r.m.s. distance that contours reach is 0.6 of the radius of the lateral kernel, where the
    free scale at every distance leaves the ratio of the diffusions alone to be fitted.

    Parameters
    ----------
    side : int
        Odd side of the lateral kernels, 3 or more.
    spreads : sequence of float
        ``s2 sqrt(t)``, the r.m.s. turn in radians.
    blur, polarity
        As in `direction_family`.

    Returns
    -------
    Family
        Its parameters are ``D22 / D11 = (s2 / s1)^2``.

    Raises
    ------
    UserError
        For an even side or one of 1, no spread, or values that are not above 0.
    """
    grid = _grid(side)
    reach = REACH * (side - 1) / 2
    positive(reach=reach)
    kernels = [diffusion_kernel(grid, 1.0, s1=reach, s2=s, blur=blur) for s in spreads]
    return _family([(s / reach) ** 2 for s in spreads], kernels, grid, polarity)


def _grid(side: int) -> Grid:
    if side < 1 or side % 2 == 0:
        raise UserError(f"a lateral kernel needs an odd side, not {side}")
    around = math.ceil((side - 1) / 2 / _SPACING) + 1  # one sample more for cubic convolution
    return Grid(2 * around + 1, _N_THETA, _SPACING)


def _family(
    parameters: Sequence[float], kernels: Sequence[Density], grid: Grid, polarity: bool
) -> Family:
    if not kernels:
        raise UserError("a family of kernels needs at least one parameter")
    even = [symmetrise(k) for k in kernels]
    kept = even if polarity else [without_polarity(k) for k in even]
    return Family(tuple(parameters), tuple(kept), grid)
