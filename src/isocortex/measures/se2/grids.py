"""The grid that kernels on the group are given on: cells of position and direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from isocortex.errors import UserError

Density: TypeAlias = np.ndarray
"""Mean density in each cell of a `Grid`, shape (n_theta, side, side), a px^2 and rad."""


@dataclass(frozen=True)
class Grid:
    """Cells of (theta, y, x) around the origin, laid out as `measures.lateral` lays out kernels.

    Attributes
    ----------
    side : int
        Cells along x and y, odd; rows go down (``y = c - row``).
    n_theta : int
        Cells of direction over the whole circle, even; number 0 is centred on theta = 0.
    spacing : float
        Size of a cell in pixels.
    """

    side: int = 21
    n_theta: int = 64
    spacing: float = 1.0

    def __post_init__(self) -> None:
        if self.side < 1 or self.side % 2 == 0:
            raise UserError(f"a grid needs an odd side, not {self.side}")
        if self.n_theta < 4 or self.n_theta % 2:
            raise UserError(f"a grid needs an even n_theta of 4 or more, not {self.n_theta}")
        if not self.spacing > 0:
            raise UserError(f"the spacing of a grid must be above 0, not {self.spacing}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a density: (n_theta, side, side)."""
        return self.n_theta, self.side, self.side

    @property
    def d_theta(self) -> float:
        """Width of a cell of direction in radians."""
        return 2 * np.pi / self.n_theta

    @property
    def volume(self) -> float:
        """Volume of a cell in px^2 rad."""
        return self.spacing**2 * self.d_theta

    @property
    def half_width(self) -> float:
        """Distance of the outermost centres from the origin, in pixels."""
        return (self.side - 1) / 2 * self.spacing

    @property
    def x(self) -> np.ndarray:
        """Centres along x, shape (1, 1, side)."""
        step = np.arange(self.side) - (self.side - 1) // 2
        return (step * self.spacing)[None, None, :]

    @property
    def y(self) -> np.ndarray:
        """Centres along y, shape (1, side, 1), first row on top."""
        return -self.x.transpose(0, 2, 1)

    @property
    def theta(self) -> np.ndarray:
        """Centres of direction in radians, in (-pi, pi], shape (n_theta, 1, 1)."""
        angle = np.arange(self.n_theta) * self.d_theta
        return np.where(angle > np.pi + 1e-12, angle - 2 * np.pi, angle)[:, None, None]


def cell_means(
    density: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    grid: Grid,
    *,
    sub_cells: int = 5,
) -> Density:
    """Mean of a function over each cell, by the midpoints of `sub_cells` parts an axis.

    Parameters
    ----------
    density : callable
        ``density(x, y, theta)`` of arrays that broadcast; theta may lie half a cell beyond pi.
    grid : Grid
    sub_cells : int
        Parts of a cell along each axis.

    Returns
    -------
    numpy.ndarray, shape (n_theta, side, side)

    Raises
    ------
    UserError
        For fewer than one part.
    """
    if sub_cells < 1:
        raise UserError(f"a cell has at least one part, not {sub_cells}")
    offsets = (np.arange(sub_cells) + 0.5) / sub_cells - 0.5
    total = np.zeros(grid.shape)
    for dt in offsets * grid.d_theta:
        for dy in offsets * grid.spacing:
            for dx in offsets * grid.spacing:
                total += density(grid.x + dx, grid.y + dy, grid.theta + dt)
    return total / sub_cells**3
