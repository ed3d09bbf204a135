"""A lateral kernel as a function of the group: position and orientation relative to the target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.angles import wrap_degrees
from isocortex.measures.interpolation import cubic_weights
from isocortex.measures.lateral.kernels import (
    checked,
    chosen_pairs,
    displacements,
    positions,
)

_NARROWEST = 2.0


@dataclass(frozen=True)
class GroupKernel:
    """A kernel over relative position and relative orientation, in the frame of the target.

    Attributes
    ----------
    kappa : array, shape (..., n_alpha, side, side)
        Rows go down (``y = c - row``); the contour of the target lies along x. 0 outside the disc.
    alpha : array, shape (n_alpha,)
        Orientation of the source minus that of the target, in degrees.
    smoothing : float
        Standard deviation of the weights over orientation, in degrees.
    period : float
        180, or 360 with polarity.
    n_units, n_pairs : int
        Units, and pairs (target, source), that were averaged.
    """

    kappa: Array
    alpha: Array
    smoothing: float
    period: float
    n_units: int
    n_pairs: int


@dataclass(frozen=True)
class TargetKernels:
    """Sums that a `GroupKernel` is the ratio of, one for each target: they add up over targets.

    Attributes
    ----------
    numerator : array, shape (n, n_alpha, side, side)
        ``sum_g w(alpha - (theta_g - theta_f)) K[f, g, R_theta_f q]``.
    weight : array, shape (n, n_alpha)
        ``sum_g w(alpha - (theta_g - theta_f))``.
    alpha : array, shape (n_alpha,)
        In degrees.
    smoothing, period : float
        As in `GroupKernel`.
    n_pairs : int
        Pairs that were averaged.
    """

    numerator: Array
    weight: Array
    alpha: Array
    smoothing: float
    period: float
    n_pairs: int

    def mean(self) -> GroupKernel:
        """Average over all targets."""
        n, d = to_torch(self.numerator).sum(dim=0), to_torch(self.weight).sum(dim=0)
        return GroupKernel(
            like(n / d[:, None, None], self.numerator),
            self.alpha,
            self.smoothing,
            self.period,
            len(self.numerator),
            self.n_pairs,
        )


def smoothing_width(n_units: int, period: float = 180.0) -> float:
    """Return the default width of the weights: ``max(10, 1.5 period / n)`` degrees."""
    return max(10.0, 1.5 * period / n_units)


def orientation_weights(difference: Tensor, smoothing: float, period: float) -> Tensor:
    """Von Mises weights on the circle of `period` degrees, 1 at a difference of 0.

    ``w(d) = exp(k (cos(2 pi d / period) - 1))`` with ``k = 1 / s^2``, s the width `smoothing` as
    an angle of that circle: for small widths a Gaussian of that standard deviation.
    """
    scale = 2 * torch.pi / period
    return torch.exp((torch.cos(scale * difference) - 1) / (scale * smoothing) ** 2)


def rotation_matrices(theta: Tensor, side: int) -> Tensor:
    """Matrices that sample a kernel at the displacements of the disc, turned by theta.

    Row q of matrix k holds the weights of the side^2 entries in the value at ``R_theta_k q``, by
    cubic convolution (`cubic_weights`).

    Parameters
    ----------
    theta : Tensor, shape (k,)
        In degrees, counter-clockwise.
    side : int
        Odd.

    Returns
    -------
    Tensor, shape (k, n_disc, side * side)
    """
    c = (side - 1) / 2
    x, y = displacements(side)
    keep = positions(side)
    qx, qy = (torch.from_numpy(v[keep]).to(theta) for v in (x, y))
    cos, sin = torch.cos(torch.deg2rad(theta))[:, None], torch.sin(torch.deg2rad(theta))[:, None]
    column = (c + cos * qx - sin * qy).clamp(0, side - 1)
    row = (c - sin * qx - cos * qy).clamp(0, side - 1)
    rows, columns = cubic_weights(row, side), cubic_weights(column, side)
    return (rows[..., :, None] * columns[..., None, :]).flatten(start_dim=-2)


def orientation_grid(n_alpha: int, period: float, device: torch.device) -> Tensor:
    """Relative orientations ``0, period / n, ...`` in degrees."""
    if n_alpha < 4:
        raise UserError(f"{n_alpha} relative orientations are too few; use 4 or more")
    return torch.arange(n_alpha, dtype=torch.float64, device=device) * (period / n_alpha)


def chosen_smoothing(smoothing: float | None, n_units: int, period: float) -> float:
    """Return the width of the weights in degrees, the default of `smoothing_width` if None."""
    width = smoothing_width(n_units, period) if smoothing is None else float(smoothing)
    if not width >= _NARROWEST:
        raise UserError(
            f"a smoothing of {width} degrees leaves gaps between orientations; use "
            f"{_NARROWEST} or more"
        )
    return width


def target_kernels(
    kernel: Array,
    theta: Array,
    *,
    pairs: Array | None = None,
    n_alpha: int = 36,
    smoothing: float | None = None,
    polarity: bool = False,
) -> TargetKernels:
    """Put a lateral kernel into group coordinates, one target at a time.

    Parameters
    ----------
    kernel, theta, pairs, n_alpha, smoothing, polarity
        As in `group_kernel`.

    Returns
    -------
    TargetKernels
        In float64; sums over g of `group_kernel`.

    Raises
    ------
    UserError
        As `group_kernel`.
    """
    k, angles = checked(kernel, theta)
    n, side = len(k), k.shape[-1]
    period = 360.0 if polarity else 180.0
    mask = chosen_pairs(pairs, n, k.device)
    if not float(mask.sum()) > 0:
        raise UserError("no pair of different units is left; choose other units or pairs")
    width = chosen_smoothing(smoothing, n, period)
    alpha = orientation_grid(n_alpha, period, k.device)
    relative = angles[None, :] - angles[:, None]
    weights = orientation_weights(alpha - relative[..., None], width, period) * mask[..., None]
    turned = k.flatten(start_dim=2) @ rotation_matrices(angles, side).mT
    sums = torch.zeros(n, n_alpha, side * side, dtype=k.dtype, device=k.device)
    inside = torch.from_numpy(positions(side).ravel()).to(k.device)
    sums[..., inside] = weights.mT @ turned
    return TargetKernels(
        sums.reshape(n, n_alpha, side, side),
        weights.sum(dim=1),
        alpha,
        width,
        period,
        int(mask.sum()),
    )


def group_kernel(
    kernel: Array,
    theta: Array,
    *,
    pairs: Array | None = None,
    n_alpha: int = 36,
    smoothing: float | None = None,
    polarity: bool = False,
) -> GroupKernel:
    """Average a lateral kernel over pairs as a function of relative position and orientation.

    ``kappa(q, alpha) = sum_fg w(alpha - (theta_g - theta_f)) K[f, g, R_theta_f q] / sum_fg w``
    over pairs of different units, with q the displacement seen from the target with its contour
    along x, and w von Mises (`orientation_weights`): orientations need not be equally spaced. The
    kernel is read between its entries by cubic convolution.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        Displacements D = source - target; as a rule ``rectify(retain(...).kernel)``.
    theta : array, shape (n,)
        Contour orientations in degrees, counter-clockwise from x; with polarity over 360 degrees.
    pairs : array of bool, shape (n, n), optional
        Pairs (target, source) to average, e.g. of `pairs_by_parity`; never a unit with itself.
    n_alpha : int
        Number of relative orientations, equally spaced from 0.
    smoothing : float, optional
        Width of w in degrees; ``max(10, 1.5 period / n)`` if not given.
    polarity : bool
        Whether orientations count over 360 degrees instead of 180.

    Returns
    -------
    GroupKernel
        0 outside the disc ``|q| <= (side - 1) / 2``. Cubic convolution overshoots: small values
        below 0 occur for positive kernels, too.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, an even side, no pairs, or a width below 2 degrees.
    """
    mean = target_kernels(
        kernel,
        theta,
        pairs=pairs,
        n_alpha=n_alpha,
        smoothing=smoothing,
        polarity=polarity,
    ).mean()
    return GroupKernel(
        like(to_torch(mean.kappa), kernel),
        like(to_torch(mean.alpha), kernel),
        mean.smoothing,
        mean.period,
        mean.n_units,
        mean.n_pairs,
    )


def relative_orientation(theta: Tensor) -> Tensor:
    """``|theta_g - theta_f|`` of all pairs (f, g), folded into [0, 90] degrees."""
    return wrap_degrees(theta[None, :] - theta[:, None]).abs()
