"""How strong lateral connections are by relative orientation, and along or across the contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.measures.angles import wrap_degrees
from isocortex.measures.lateral.group import relative_orientation
from isocortex.measures.lateral.kernels import (
    checked,
    chosen_pairs,
    chosen_positions,
    displacements,
)

BIN_DEGREES = 22.5
N_BINS = 4
_ROUNDING = 1e-9


@dataclass(frozen=True)
class StrengthCurve:
    """Strength of connections against relative orientation.

    Attributes
    ----------
    edges : array, shape (5,)
        Bins of |relative orientation| in degrees: 0, 22.5, 45, 67.5, 90.
    mean : array, shape (4,)
        Mean strength of the pairs in each bin, NaN where there is none.
    count : numpy.ndarray of int, shape (4,)
        Pairs in each bin.
    like_ratio : float
        Mean of the first bin over mean of the last; NaN unless the latter is above 0.
    offset, modulation : float
        a and b of the least-squares fit ``a + b cos(2 dtheta)`` over pairs; NaN if the pairs do
        not differ in orientation.
    r2 : float
        Share of the variance over pairs that the fit explains; NaN without variance.
    """

    edges: Array
    mean: Array
    count: np.ndarray
    like_ratio: float
    offset: float
    modulation: float
    r2: float


def pair_strength(kernel: Array, positions: Array | None = None) -> Array:
    """Total strength of each pair: ``S[f, g] = sum_D K[f, g, D]`` over the chosen displacements.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
    positions : array of bool, shape (side, side), optional
        Displacements (`kernels.positions`); the disc if not given.

    Returns
    -------
    array, shape (n, n)
    """
    k = to_torch(kernel)
    mask = chosen_positions(positions, k.shape[-1], k.device)
    return like((k * mask).sum(dim=(-2, -1)), kernel)


def strength_curve(
    kernel: Array, theta: Array, *, pairs: Array | None = None, positions: Array | None = None
) -> StrengthCurve:
    """Mean strength of connections in bins of relative orientation, and their like ratio.

    ``LR = T(< 22.5 deg) / T(> 67.5 deg)`` with T the mean of `pair_strength` over the pairs in the
    outer bins of |theta_g - theta_f|. Overlapping filters alone give an LR far above 1: judge it
    beside its permutations and that of `filter_overlap`.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        As a rule positive.
    theta : array, shape (n,)
        Contour orientations in degrees.
    pairs, positions
        Masks, as in `group_kernel` and `pair_strength`.

    Returns
    -------
    StrengthCurve

    Raises
    ------
    UserError
        For shapes that do not fit, or NaN.
    """
    k, angles = checked(kernel, theta)
    strength = pair_strength(k, positions)
    mask = chosen_pairs(pairs, len(k), k.device) > 0
    difference, s = relative_orientation(angles)[mask], strength[mask]
    bins = orientation_bins(difference)
    count = torch.zeros(N_BINS, dtype=s.dtype, device=s.device).index_add_(
        0, bins, torch.ones_like(s)
    )
    mean = torch.zeros_like(count).index_add_(0, bins, s) / torch.where(count > 0, count, torch.nan)
    offset, modulation, r2 = _cosine_fit(difference, s)
    edges = torch.arange(N_BINS + 1, dtype=s.dtype) * BIN_DEGREES
    return StrengthCurve(
        like(edges, kernel),
        like(mean, kernel),
        count.long().cpu().numpy(),
        like_ratio(float(mean[0]), float(mean[-1])),
        offset,
        modulation,
        r2,
    )


def orientation_bins(difference: Tensor) -> Tensor:
    """Bin of each |relative orientation|: 0 below 22.5 degrees, ..., 3 above 67.5."""
    scaled = difference / BIN_DEGREES
    inner = torch.floor(scaled + _ROUNDING).clamp(0, N_BINS - 1)
    # Exactly 67.5 degrees is not "above": it belongs to the third bin.
    return torch.where((scaled - (N_BINS - 1)).abs() <= _ROUNDING, N_BINS - 2, inner).long()


def like_ratio(like_mean: float, cross_mean: float) -> float:
    """Return the ratio of two means, NaN where the second is not above 0."""
    return like_mean / cross_mean if cross_mean > 0 else float("nan")


def _cosine_fit(difference: Tensor, strength: Tensor) -> tuple[float, float, float]:
    nan = float("nan")
    if len(strength) < 2:
        return nan, nan, nan
    c = torch.cos(2 * torch.deg2rad(difference))
    centred, residual = c - c.mean(), strength - strength.mean()
    power, total = float((centred**2).sum()), float((residual**2).sum())
    if power <= 1e-12 * len(c):
        return nan, nan, nan
    b = float((centred * residual).sum()) / power
    rounding = (1e-12 * float(strength.abs().max())) ** 2 * len(c)
    r2 = b * b * power / total if total > rounding else nan
    return float(strength.mean()) - b * float(c.mean()), b, r2


def axial_sectors(theta: Tensor, side: int, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Displacements within 22.5 degrees of an axis, and of the axis across it.

    Parameters
    ----------
    theta : Tensor, shape (k,)
        Axes in degrees.
    side : int
        Odd.
    mask : Tensor of bool, shape (side, side)
        Displacements to choose from.

    Returns
    -------
    along, across : Tensor of bool, shape (k, side, side)
        Without the displacement 0.
    """
    x, y = (torch.from_numpy(v).to(theta) for v in displacements(side))
    polar = torch.rad2deg(torch.atan2(y, x))
    apart = wrap_degrees(polar - theta[:, None, None]).abs()
    usable = mask & ((x != 0) | (y != 0))
    half = BIN_DEGREES + _ROUNDING
    return (apart <= half) & usable, (apart >= 90.0 - half) & usable


def axial_ratio(
    kernel: Array, theta: Array, *, pairs: Array | None = None, positions: Array | None = None
) -> float:
    """Co-axial over co-lateral strength of connections between units of like orientation.

    Mean of K over pairs with ``|theta_g - theta_f| < 22.5`` degrees and displacements within 22.5
    degrees of the contour axis of the target, over the same mean within 22.5 degrees of the axis
    across it (Bosking et al. 1997).

    Parameters
    ----------
    kernel, theta, pairs, positions
        As in `strength_curve`.

    Returns
    -------
    float
        NaN if there are no such pairs or displacements, or the second mean is not above 0.

    Raises
    ------
    UserError
        For shapes that do not fit, or NaN.
    """
    k, angles = checked(kernel, theta)
    mask = chosen_positions(positions, k.shape[-1], k.device)
    alike = chosen_pairs(pairs, len(k), k.device)
    alike = alike * (orientation_bins(relative_orientation(angles)) == 0)
    means = []
    for sector in axial_sectors(angles, k.shape[-1], mask):
        inside = sector.to(k.dtype)
        total = torch.einsum("fg,fgab,fab->", alike, k, inside)
        count = torch.einsum("fg,fab->", alike, inside)
        means.append(float(total / count) if float(count) > 0 else float("nan"))
    return like_ratio(means[0], means[1])
