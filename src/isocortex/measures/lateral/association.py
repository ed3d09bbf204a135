"""The association field: where activity goes from an oriented unit, and along which lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.lateral.group import (
    chosen_smoothing,
    orientation_grid,
    orientation_weights,
    rotation_matrices,
)
from isocortex.measures.lateral.kernels import (
    checked,
    chosen_positions,
)
from isocortex.measures.lateral.kernels import (
    positions as disc_positions,
)
from isocortex.measures.lateral.propagation import propagate
from isocortex.measures.lateral.streamlines import LEAST_MASS, bilinear, fit_lines, streamlines
from isocortex.measures.lateral.strength import axial_sectors

START_RADIUS = 2.0
START_ANGLES = (-45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0)
_CHUNK_BYTES = 2**27


@dataclass(frozen=True)
class AssociationField:
    """Activity that spreads from each unit, in the frame of that unit, and its streamlines.

    Attributes
    ----------
    kappa : array, shape (n_alpha, size, size)
        Mean over starts of the activity at each displacement and relative orientation; rows go
        down, the contour of the start lies along x.
    alpha : array, shape (n_alpha,)
        Relative orientation in degrees.
    lines : array, shape (m, n_lines, n_points, 2)
        Streamlines of each start, (x, y) in pixels, NaN after their end.
    curvature : array, shape (m, n_lines)
        Of the best arc from the origin, in 1 / px; NaN for lines of fewer than four points.
    arc_rms, ray_rms : array, shape (m,)
        Mean over the lines of a start of the r.m.s. distance to the best arc and the best ray, in
        pixels; NaN where no line is long enough.
    axial_share : array, shape (m,)
        Share of the activity away from the origin that lies within 22.5 degrees of the axis.
    n_dropped : numpy.ndarray of int, shape (m,)
        Lines of each start that were too short.
    """

    kappa: Array
    alpha: Array
    lines: Array
    curvature: Array
    arc_rms: Array
    ray_rms: Array
    axial_share: Array
    n_dropped: np.ndarray

    def summary(self) -> dict[str, float]:
        """Means over the starts at which each is defined; NaN where there is none.

        ``arc_gain`` is ``ray_rms - arc_rms``: above 0 where lines bend as arcs do.
        """
        gain = to_torch(self.ray_rms) - to_torch(self.arc_rms)
        named = {
            "axial_share": self.axial_share,
            "arc_rms": self.arc_rms,
            "ray_rms": self.ray_rms,
            "arc_gain": gain,
            "curvature": to_torch(self.curvature).abs(),
        }
        means = {name: float(to_torch(v).double().nanmean()) for name, v in named.items()}
        n_lines = to_torch(self.curvature).numel()
        return means | {"share_dropped": float(self.n_dropped.sum()) / max(1, n_lines)}


def association_field(
    kernel: Array,
    theta: Array,
    *,
    steps: int = 3,
    starts: Array | None = None,
    n_alpha: int = 36,
    smoothing: float | None = None,
) -> AssociationField:
    """Spread activity from each unit, read orientation everywhere, and follow it.

    Activity after `steps` of `propagate` is turned into the frame of its start and averaged over
    units, ``kappa(q, alpha) = sum_f w(alpha - (theta_f - theta_0)) u_f(R_theta_0 q) / sum_f w``, as
    in `group_kernel`. Streamlines of its double-angle mean leave ``|q| = 2`` at polar angles up to
    45 degrees from the axis, on both sides; they end where coherence is below 0.1 or the activity
    is below 1 % of its maximum off the origin (at the origin the impulse itself is left).

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        Positive, e.g. ``rectify(retain(...).kernel)``; side 3 or more.
    theta : array, shape (n,)
        Contour orientations in degrees.
    steps : int
        Steps of propagation.
    starts : array of int, shape (m,), optional
        Units to start from; all if not given.
    n_alpha, smoothing
        As in `group_kernel`.

    Returns
    -------
    AssociationField

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, or a side below 3.
    """
    k, angles = checked(kernel, theta)
    n, side = len(k), k.shape[-1]
    if side < 3:
        raise UserError("activity does not spread through a kernel of side 1")
    size = steps * (side - 1) + 1
    width = chosen_smoothing(smoothing, n, 180.0)
    alpha = orientation_grid(n_alpha, 180.0, k.device)
    first = torch.arange(n) if starts is None else torch.as_tensor(starts).long()
    if len(first) == 0:
        raise UserError("no unit to start from; give the numbers of units as starts")
    disc = disc_positions(size)
    per_start = 8 * (int(disc.sum()) * size**2 + 2 * n * size**2)
    parts: list[tuple[Tensor, ...]] = []
    kappa = torch.zeros(n_alpha, size, size, dtype=k.dtype, device=k.device)
    n_defined = 0
    for some in first.split(max(1, _CHUNK_BYTES // per_start)):
        framed = _framed(k, angles, some.to(k.device), steps, alpha, width)
        defined = framed.isfinite().all(dim=(1, 2, 3))
        kappa += framed[defined].sum(dim=0)
        n_defined += int(defined.sum())
        parts.append(_measured(framed, alpha))
    lines, curvature, arc, ray, share = (torch.cat(p) for p in zip(*parts, strict=True))
    short = curvature.isnan()
    return AssociationField(
        like(kappa / n_defined if n_defined else kappa * torch.nan, kernel),
        like(alpha, kernel),
        like(lines, kernel),
        like(curvature, kernel),
        like(arc.nanmean(dim=1), kernel),
        like(ray.nanmean(dim=1), kernel),
        like(share, kernel),
        short.sum(dim=1).cpu().numpy(),
    )


def _framed(
    kernel: Tensor, theta: Tensor, starts: Tensor, steps: int, alpha: Tensor, width: float
) -> Tensor:
    """Activity of each start in its own frame, (m, n_alpha, size, size)."""
    activity = to_torch(propagate(kernel, steps=steps, starts=starts.cpu()))
    size = activity.shape[-1]
    relative = theta - theta[starts][:, None]
    weights = orientation_weights(alpha[:, None] - relative[:, None], width, 180.0)
    weights = weights / weights.sum(dim=-1, keepdim=True)  # (m, alpha, f)
    by_alpha = weights @ activity.flatten(start_dim=2)
    turned = by_alpha @ rotation_matrices(theta[starts], size).mT
    framed = torch.zeros_like(by_alpha)
    framed[..., torch.from_numpy(disc_positions(size).ravel()).to(framed.device)] = turned
    return framed.unflatten(-1, (size, size))


def _measured(framed: Tensor, alpha: Tensor) -> tuple[Tensor, ...]:
    size = framed.shape[-1]
    c = (size - 1) // 2
    double = 2 * torch.deg2rad(alpha)
    phasor = torch.stack(
        [torch.einsum("mayx,a->myx", framed, w) for w in (double.cos(), double.sin())], dim=1
    )
    total = framed.sum(dim=1)
    away = total.clone()
    away[:, c, c] = 0
    floor = LEAST_MASS * away.amax(dim=(-2, -1))
    polar = torch.deg2rad(torch.tensor(START_ANGLES, dtype=framed.dtype, device=framed.device))
    ways = torch.stack([polar.cos(), polar.sin()], dim=-1)
    ways = torch.cat([ways, -ways])
    lines = streamlines(phasor, total, START_RADIUS * ways, ways, floor)
    curvature, arc, ray = fit_lines(lines)
    disc = chosen_positions(None, size, framed.device)
    along, _ = axial_sectors(torch.zeros(1, dtype=framed.dtype, device=framed.device), size, disc)
    everywhere = (away * disc).sum(dim=(-2, -1))
    share = (away * along[0]).sum(dim=(-2, -1)) / torch.where(everywhere > 0, everywhere, torch.nan)
    return lines, curvature, arc, ray, share


@dataclass(frozen=True)
class PathStrength:
    """Strength along smooth paths (Field, Hayes & Hess 1993).

    Attributes
    ----------
    turns : array, shape (n_turns,)
        Turn between two elements of a path, in degrees.
    aligned, orthogonal : array, shape (n_turns,)
        Mean strength between elements along the path, and with the second one across it.
    """

    turns: Array
    aligned: Array
    orthogonal: Array


def path_strength(
    kappa: Array,
    alpha: Array,
    turns: Sequence[float] = (0.0, 15.0, 30.0, 45.0, 60.0),
    *,
    radii: Sequence[float] | None = None,
) -> PathStrength:
    """Strength between two elements of a smooth path, by how much the path turns between them.

    An element that follows at distance r on an arc that turns by b lies at the polar angle b / 2
    and has the relative orientation b. The strength is the mean over radii, both ways and both
    senses of turning; across the path it is read at b + 90 degrees.

    Parameters
    ----------
    kappa : array, shape (n_alpha, side, side)
        As in `GroupKernel` or `AssociationField`, over 180 degrees.
    alpha : array, shape (n_alpha,)
        In degrees, equally spaced from 0.
    turns : sequence of float
        In degrees.
    radii : sequence of float, optional
        Distances in pixels; 2, 3, ... up to the rim if not given.

    Returns
    -------
    PathStrength

    Raises
    ------
    UserError
        If there is no distance to look at.
    """
    k, angles = to_torch(kappa).double(), to_torch(alpha).double()
    rim = (k.shape[-1] - 1) // 2
    r = torch.tensor(list(range(2, rim + 1)) if radii is None else list(radii), dtype=k.dtype)
    if len(r) == 0 or float(r.max()) > rim:
        raise UserError(f"paths need distances of at most {rim} px, half the side of the kernel")
    b = torch.deg2rad(torch.tensor(list(turns), dtype=k.dtype))
    signed = torch.stack([b, -b])[:, :, None].expand(2, len(b), len(r))
    phi = signed / 2
    ahead = torch.stack([r * phi.cos(), r * phi.sin()], dim=-1)
    points = torch.stack([ahead, -ahead]).reshape(1, -1, 2).to(k.device)
    values = bilinear(k[None], points)[0].reshape(len(angles), 2, *signed.shape)
    n = len(angles)
    strengths = []
    for offset in (0.0, math.pi / 2):
        cell = torch.remainder((signed + offset) / (math.pi / n), n)
        low = cell.floor()
        share = (cell - low).to(k.device)
        index = low.long().to(k.device) % n
        pair = [values.gather(0, ((index + s) % n).expand(1, 2, *signed.shape))[0] for s in (0, 1)]
        strengths.append((pair[0] * (1 - share) + pair[1] * share).mean(dim=(0, 1, 3)))
    aligned, orthogonal = (like(s, kappa) for s in strengths)
    return PathStrength(like(torch.rad2deg(b), kappa), aligned, orthogonal)
