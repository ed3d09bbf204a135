"""Kernels without direction of travel, without polarity, and read between their cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.interpolation import cubic_weights
from isocortex.measures.se2.grids import Grid


def reverse(density: Array) -> Array:
    """Kernel of the reversed process, ``G(g^-1)``: for the direction process ``G(-x, -y, t)``.

    The inverse of g is ``(-R_-t x, -t)``. Kernels of both processes are the same for contours that
    are run through backwards, ``G(x, t) = G(R_-t x, -t)`` (x the position); for them, and only for
    them, ``G(g^-1)`` is G at ``(-x, -y, t)``, which is what is computed.

    Parameters
    ----------
    density : array, shape (..., n_theta, side, side)

    Returns
    -------
    array, same shape
        Applied twice it is the identity.
    """
    return like(to_torch(density).flip((-2, -1)), density)


def symmetrise(density: Array) -> Array:
    """Mean of a kernel and its reversal: ``(G(x, y, t) + G(-x, -y, t)) / 2``.

    For the direction process it is the covariance of curve indicators (August & Zucker 2003):
    which contour comes first no longer matters.

    Parameters
    ----------
    density : array, shape (..., n_theta, side, side)

    Returns
    -------
    array, same shape
    """
    return (density + reverse(density)) / 2


def without_polarity(density: Array) -> Array:
    """Add up directions theta and theta + pi: a kernel over orientations.

    Parameters
    ----------
    density : array, shape (..., n_theta, side, side)
        Over the whole circle, number 0 at theta = 0, n_theta even.

    Returns
    -------
    array, shape (..., n_theta / 2, side, side)
        Over [0, pi); it integrates to the same over half the range. Kernels to which the target
        has no polarity either should be symmetrised, too.

    Raises
    ------
    UserError
        If n_theta is odd.
    """
    p = to_torch(density)
    n = p.shape[-3]
    if n % 2:
        raise UserError(f"{n} directions cannot be paired with their opposites; use an even number")
    return like(p[..., : n // 2, :, :] + p[..., n // 2 :, :, :], density)


def sample(density: Array, grid: Grid, x: Array, y: Array, theta: Array) -> Array:
    """Read a kernel between its cells: cubic convolution in position, linear in direction.

    Parameters
    ----------
    density : array, shape (n_theta, side, side), or (n_theta / 2, side, side)
        On the cells of `grid`, over the whole circle or, without polarity, over orientations.
    grid : Grid
        Where `density` is given.
    x, y : array, shapes that broadcast with `theta`
        In pixels, y up.
    theta : array
        In radians.

    Returns
    -------
    array, of the broadcast shape
        0 farther out than the outermost centres.

    Raises
    ------
    UserError
        If the density does not fit the grid.
    """
    p = to_torch(density)
    n = _directions(p, grid)
    u, v, a = (to_torch(np.asarray(w) if not isinstance(w, Tensor) else w) for w in (x, y, theta))
    u, v, a = torch.broadcast_tensors(u.to(p), v.to(p), a.to(p))
    shape = u.shape
    c = (grid.side - 1) / 2
    column, row = (c + u / grid.spacing).reshape(-1), (c - v / grid.spacing).reshape(-1)
    inside = (column >= 0) & (column <= 2 * c) & (row >= 0) & (row <= 2 * c)
    first, share = _cells(a.reshape(-1)[inside], n, grid)
    values = torch.zeros(column.shape, dtype=p.dtype, device=p.device)
    rows = _four(row[inside], grid.side)
    columns = _four(column[inside], grid.side)
    total = torch.zeros_like(share)
    for direction, part in ((first, 1 - share), ((first + 1) % n, share)):
        for i, wi in zip(*rows, strict=True):
            for j, wj in zip(*columns, strict=True):
                total += part * wi * wj * p[direction, i, j]
    values[inside] = total
    return like(values.reshape(shape), density)


def _four(position: Tensor, n: int) -> tuple[list[Tensor], list[Tensor]]:
    """Numbers and cubic weights of the four samples around each position."""
    base = position.floor().clamp(0, n - 1)
    weights = cubic_weights(position - base + 1, 4)  # 0 <= position - base < 1, one sample before
    index = [(base.long() + step).clamp(0, n - 1) for step in (-1, 0, 1, 2)]
    return index, list(weights.unbind(dim=-1))


def plant(density: Array, grid: Grid, theta: Array, side: int) -> Array:
    """Make the lateral kernel that units of given orientations would have under a kernel.

    ``K[f, g, D] = G(R_-theta_f D, theta_g - theta_f)``, D = source - target.

    Parameters
    ----------
    density : array
        As in `sample`; without polarity over orientations.
    grid : Grid
        Where it is given; its half width at least ``(side - 1) / 2``.
    theta : array, shape (n,)
        Contour orientations of the units in **degrees**.
    side : int
        Odd side of the lateral kernel.

    Returns
    -------
    array, shape (n, n, side, side)
        With the self pairs; of the kind of `density`. Corners out of the grid's reach are 0.

    Raises
    ------
    UserError
        If the grid is too small, or the side even.
    """
    if side % 2 == 0 or side < 1:
        raise UserError(f"a lateral kernel needs an odd side, not {side}")
    c = (side - 1) // 2
    if grid.half_width < c - 1e-9:
        raise UserError(
            f"a grid that ends at {grid.half_width:g} px cannot fill a kernel of side {side}"
        )
    p = to_torch(density)
    n_directions = _directions(p, grid)
    angles = torch.deg2rad(to_torch(theta).to(p))
    step = torch.arange(side, dtype=p.dtype, device=p.device) - c
    x, y = step[None, :], -step[:, None]
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    centre, edge = (grid.side - 1) / 2, float(grid.side - 1)
    column = (centre + (cos * x + sin * y) / grid.spacing).flatten()
    row = (centre - (-sin * x + cos * y) / grid.spacing).flatten()
    inside = (column >= 0) & (column <= edge) & (row >= 0) & (row <= edge)
    rows, columns = (cubic_weights(v.clamp(0, edge), grid.side) for v in (row, column))
    # All directions at every displacement in the frame of every target: (n * side * side, d).
    by_row = (rows @ p.permute(1, 2, 0).flatten(start_dim=1)).unflatten(1, (grid.side, -1))
    framed = torch.einsum("pj,pjd->pd", columns, by_row) * inside[:, None]
    framed = framed.unflatten(0, (len(angles), side * side))
    relative = angles[None, :] - angles[:, None]
    below, share = _cells(relative, n_directions, grid)
    index = below[:, None, :].expand(-1, side * side, -1)
    low, high = framed.gather(2, index), framed.gather(2, (index + 1) % n_directions)
    planted = low + share[:, None, :] * (high - low)
    return like(planted.mT.unflatten(2, (side, side)), density)


def _directions(density: Tensor, grid: Grid) -> int:
    """Return the number of directions or orientations of a kernel, or say that it does not fit."""
    n = len(density)
    if tuple(density.shape[1:]) != grid.shape[1:] or n not in (grid.n_theta, grid.n_theta // 2):
        raise UserError(
            f"a kernel of shape {tuple(density.shape)} does not fit a grid {grid.shape}"
        )
    return n


def _cells(theta: Tensor, n: int, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the cell of direction below each angle, and how far into it the angle lies."""
    position = torch.remainder(theta, n * grid.d_theta) / grid.d_theta
    below = position.floor()
    return below.long() % n, position - below
