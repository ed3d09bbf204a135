"""The vector field of preferred orientation around a contour, and the fields it might be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.angles import wrap_degrees
from isocortex.measures.lateral.kernels import displacements
from isocortex.measures.lateral.kernels import positions as disc_positions

Preference = Literal["mean", "argmax"]
SLOPE_ANGLE = 35.0
SLOPE_RADIUS = 2.0


@dataclass(frozen=True)
class OrientationField:
    """Preferred orientation at every displacement from a horizontal contour.

    Attributes
    ----------
    preferred : array, shape (..., side, side)
        In degrees, in (-90, 90]; NaN where there is nothing.
    coherence : array, shape (..., side, side)
        Length of the double-angle mean; in [0, 1] for kernels that are not negative; NaN unless
        the sum over orientations is above 0.
    weight : array, shape (..., side, side)
        ``|sum kappa exp(2 i alpha)|``, that is, coherence times the sum.
    """

    preferred: Array
    coherence: Array
    weight: Array


@dataclass(frozen=True)
class FieldErrors:
    """How far a field of orientations is from three simple ones, and how it turns.

    Attributes
    ----------
    cocircular, radial, parallel : array, shape (...)
        Weighted mean of ``|alpha* - 2 phi|``, ``|alpha* - phi|``, ``|alpha*|`` modulo 180, in
        degrees, in [0, 90]; NaN without weight. 45 is expected of chance.
    slope : array, shape (...)
        beta of ``alpha* = beta phi`` near the axis: co-circular 2, diffusion 0.9-1.4, direction
        process 1.3-1.5, radial 1, parallel 0. NaN without weight off the axis, so always for
        kernels of side 5 or less.
    """

    cocircular: Array
    radial: Array
    parallel: Array
    slope: Array


def orientation_field(kappa: Array, alpha: Array, method: Preference = "mean") -> OrientationField:
    """Preferred orientation, coherence and weight at every displacement.

    ``m(q) = sum_a kappa(q, a) exp(2 i a) / sum_a kappa(q, a)``; preferred ``arg(m) / 2``, coherence
    ``|m|``, weight ``W = |m| sum_a kappa``.

    Parameters
    ----------
    kappa : array, shape (..., n_alpha, side, side)
        As in `GroupKernel`, over 180 or 360 degrees; the field is one of orientations in both
        cases.
    alpha : array, shape (n_alpha,)
        In degrees, equally spaced.
    method : {"mean", "argmax"}
        ``"argmax"`` keeps of all orientations only the strongest, with the parabola through it
        and its neighbours; coherence and weight stay those of the mean.

    Returns
    -------
    OrientationField

    Raises
    ------
    UserError
        For an unknown method, or shapes that do not fit.
    """
    k, angles = to_torch(kappa).double(), to_torch(alpha).double()
    if k.ndim < 3 or k.shape[-3] != len(angles) or k.shape[-1] != k.shape[-2]:
        raise UserError(
            f"kappa must be ({len(angles)} orientations, side, side), not {tuple(k.shape)}"
        )
    if method not in ("mean", "argmax"):
        raise unknown("method", method, ("mean", "argmax"))
    double = 2 * torch.deg2rad(angles)[:, None, None]
    real, imaginary = (k * double.cos()).sum(dim=-3), (k * double.sin()).sum(dim=-3)
    total, size = k.sum(dim=-3), k.abs().sum(dim=-3)
    weight = torch.hypot(real, imaginary)
    flat = weight <= 64 * torch.finfo(k.dtype).eps * size  # rounding alone has no orientation
    weight = torch.where(flat, 0.0, weight)
    if method == "mean":
        preferred = torch.rad2deg(torch.atan2(imaginary, real)) / 2
        preferred = torch.where(flat, torch.nan, preferred)
    else:
        preferred = _strongest(k, angles)
    coherence = torch.where(total > 0, weight / total, torch.nan)
    return OrientationField(
        like(wrap_degrees(preferred), kappa), like(coherence, kappa), like(weight, kappa)
    )


def _strongest(kappa: Tensor, alpha: Tensor) -> Tensor:
    best = kappa.argmax(dim=-3, keepdim=True)
    n = len(alpha)
    left, middle, right = (kappa.gather(-3, (best + step) % n).squeeze(-3) for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    offset = torch.where(curvature < 0, (left - right) / (2 * curvature), 0.0)
    preferred = alpha[best.squeeze(-3)] + offset * (alpha[1] - alpha[0])
    return torch.where(middle > kappa.amin(dim=-3), preferred, torch.nan)


def field_errors(field: OrientationField, positions: Array | None = None) -> FieldErrors:
    """Compare a field with the co-circular, the radial and the parallel one; fit its slope.

    With phi the polar angle of the displacement and W the weight of the field, the errors are
    W-means over the chosen displacements, without 0; the slope ``sum W phi a / sum W phi^2`` is
    taken over ``|phi| <= 35`` degrees and ``|q| >= 2`` among them, where phi is counted modulo 180
    (contours point both ways) and a is the preferred orientation in (-90, 90].

    Parameters
    ----------
    field : OrientationField
        Arrays of shape (..., side, side).
    positions : array of bool, shape (side, side), optional
        Displacements (`kernels.positions`, e.g. ``r_min=2``); the disc if not given.

    Returns
    -------
    FieldErrors

    Raises
    ------
    UserError
        If the mask does not fit.
    """
    preferred, weight = to_torch(field.preferred).double(), to_torch(field.weight).double()
    side = preferred.shape[-1]
    mask = disc_positions(side) if positions is None else positions
    if tuple(mask.shape) != (side, side):
        raise UserError(f"positions must be a mask of shape ({side}, {side})")
    chosen = to_torch(mask).to(weight)
    errors = errors_of(preferred, weight * chosen)
    return FieldErrors(*(like(e, field.weight) for e in errors))


def errors_of(preferred: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Errors and slope of fields (..., side, side) under weights that are 0 where left out."""
    side = preferred.shape[-1]
    x, y = (torch.from_numpy(v).to(preferred) for v in displacements(side))
    radius, phi = torch.hypot(x, y), wrap_degrees(torch.rad2deg(torch.atan2(y, x)))
    weight = torch.where(preferred.isnan() | (radius == 0), 0.0, weight)
    star = preferred.nan_to_num()
    total = weight.sum(dim=(-2, -1))
    total = torch.where(total > 0, total, torch.nan)
    means = [
        (weight * wrap_degrees(star - target).abs()).sum(dim=(-2, -1)) / total
        for target in (2 * phi, phi, torch.zeros_like(phi))
    ]
    near = weight * ((phi.abs() <= SLOPE_ANGLE) & (radius >= SLOPE_RADIUS))
    power = (near * phi**2).sum(dim=(-2, -1))
    slope = (near * phi * star).sum(dim=(-2, -1)) / torch.where(power > 0, power, torch.nan)
    return means[0], means[1], means[2], slope
