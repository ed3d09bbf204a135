"""Lines along a field of orientations, and the arcs and rays that fit them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEP = 0.5
LEAST_COHERENCE = 0.1
LEAST_MASS = 0.01
FEWEST_POINTS = 4
_CURVATURES = 61
_LARGEST_CURVATURE = 1.5


def bilinear(maps: Tensor, points: Tensor) -> Tensor:
    """Read maps (batch, channels, s, s) at points (batch, p, 2) = (x, y); (batch, channels, p).

    y goes up, the origin is the centre; points beyond the border take the value there.
    """
    side = maps.shape[-1]
    c = (side - 1) / 2
    column = (c + points[..., 0]).clamp(0, side - 1)
    row = (c - points[..., 1]).clamp(0, side - 1)
    left, top = (v.floor().clamp(max=side - 2).long() for v in (column, row))
    u, v = (column - left)[:, None], (row - top)[:, None]
    flat = maps.flatten(start_dim=2)

    def corner(down: int, right: int) -> Tensor:
        index = ((top + down) * side + left + right)[:, None].expand(-1, maps.shape[1], -1)
        return flat.gather(2, index)

    upper = corner(0, 0) * (1 - u) + corner(0, 1) * u
    lower = corner(1, 0) * (1 - u) + corner(1, 1) * u
    return upper * (1 - v) + lower * v


def streamlines(
    phasor: Tensor, total: Tensor, starts: Tensor, directions: Tensor, mass_floor: Tensor
) -> Tensor:
    """Follow fields of orientation from their starts, all lines side by side.

    Steps of half a pixel along the orientation in the middle of the step (second-order
    Runge-Kutta), the way that turns least. A line ends where coherence is below 0.1, the total
    below `mass_floor`, or at the rim of the disc.

    Parameters
    ----------
    phasor : Tensor, shape (batch, 2, s, s)
        Real and imaginary part of ``sum_a kappa exp(2 i a)``.
    total : Tensor, shape (batch, s, s)
        ``sum_a kappa``.
    starts, directions : Tensor, shape (lines, 2)
        First points in pixels, and the way to go at first.
    mass_floor : Tensor, shape (batch,)

    Returns
    -------
    Tensor, shape (batch, lines, points, 2)
        NaN from where the line has ended.
    """
    batch, side = len(phasor), phasor.shape[-1]
    rim = (side - 1) / 2
    maps = torch.cat([phasor, total[:, None]], dim=1)
    point = starts.expand(batch, -1, -1).clone()
    heading = directions.expand(batch, -1, -1).clone()
    alive = torch.ones(point.shape[:2], dtype=torch.bool, device=point.device)
    path = []
    for _ in range(math.ceil(2 * rim / STEP) + 1):
        here, usable = _heading(maps, point, heading, mass_floor)
        alive = alive & usable & (torch.linalg.vector_norm(point, dim=-1) <= rim)
        path.append(torch.where(alive[..., None], point, torch.nan))
        middle, _ = _heading(maps, point + STEP / 2 * here, here, mass_floor)
        point = point + STEP * middle
        heading = middle
    return torch.stack(path, dim=2)


def _heading(maps: Tensor, point: Tensor, heading: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    real, imaginary, mass = bilinear(maps, point).unbind(dim=1)
    angle = torch.atan2(imaginary, real) / 2
    ahead = torch.stack([angle.cos(), angle.sin()], dim=-1)
    backward = (ahead * heading).sum(dim=-1, keepdim=True) < 0
    usable = (torch.hypot(real, imaginary) >= LEAST_COHERENCE * mass) & (mass >= floor[:, None])
    return torch.where(backward, -ahead, ahead), usable & (mass > 0)


def fit_lines(paths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Best arc and best ray from the origin for each line.

    The arc leaves the origin along x with curvature k (both ways); the distance of a point to its
    circle is ``(k r^2 - 2 y) / (1 + sqrt(1 - 2 k y + k^2 r^2))``. The ray leaves the origin at any
    angle. Each has one free parameter.

    Parameters
    ----------
    paths : Tensor, shape (..., points, 2)
        NaN after the end.

    Returns
    -------
    curvature, arc_rms, ray_rms : Tensor, shape (...)
        In 1 / px and px; |curvature| at most 1.5. NaN for lines of fewer than four points.
    """
    there = ~paths.isnan().any(dim=-1)
    count = there.sum(dim=-1)
    n = torch.where(count >= FEWEST_POINTS, count, torch.nan)
    x, y = (paths[..., i].nan_to_num() for i in (0, 1))
    square = x**2 + y**2

    def arc_error(k: Tensor) -> Tensor:
        """Mean squared distance for curvatures (..., m)."""
        k = k[..., None]
        a, b, r2 = x[..., None, :], y[..., None, :], square[..., None, :]
        root = ((1 - k * b) ** 2 + (k * a) ** 2).sqrt()
        distance = (k * r2 - 2 * b) / (1 + root)
        return (distance**2 * there[..., None, :]).sum(dim=-1) / n[..., None]

    centre = torch.zeros_like(n)
    width = _LARGEST_CURVATURE
    error = centre
    for _ in range(4):
        grid = torch.linspace(-width, width, _CURVATURES, dtype=x.dtype, device=x.device)
        k = (centre[..., None] + grid).clamp(-_LARGEST_CURVATURE, _LARGEST_CURVATURE)
        errors = arc_error(k)
        error, best = errors.min(dim=-1)
        centre = k.gather(-1, best[..., None])[..., 0]
        width = 2 * width / (_CURVATURES - 1)
    xx, yy, xy = ((v * there).sum(dim=-1) / n for v in (x * x, y * y, x * y))
    smallest = (xx + yy - ((xx - yy) ** 2 + 4 * xy**2).sqrt()) / 2
    defined = torch.where(n.isnan(), torch.nan, centre)
    return defined, error.sqrt(), smallest.clamp(min=0).sqrt()
