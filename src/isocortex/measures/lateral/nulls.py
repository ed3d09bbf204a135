"""The statistics of a lateral kernel together, and what they are when orientations are permuted."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError
from isocortex.measures.lateral.field import errors_of
from isocortex.measures.lateral.group import (
    chosen_smoothing,
    orientation_grid,
    orientation_weights,
    relative_orientation,
    rotation_matrices,
)
from isocortex.measures.lateral.kernels import (
    checked,
    chosen_pairs,
    chosen_positions,
)
from isocortex.measures.lateral.kernels import (
    positions as disc_positions,
)
from isocortex.measures.lateral.strength import N_BINS, axial_sectors, orientation_bins

_CHUNK_BYTES = 2**27
_N_ALPHA = 36


@dataclass(frozen=True)
class LateralStatistics:
    """What is reported of a lateral kernel; floats, or arrays (n_draws,) under permutation.

    Attributes
    ----------
    like_ratio : float or array
        Strength of pairs of like over pairs of orthogonal orientation (`strength_curve`).
    axial_ratio : float or array
        Co-axial over co-lateral strength (`axial_ratio`).
    cocircular, radial, parallel : float or array
        Errors of the field of preferred orientation, in degrees (`field_errors`).
    slope : float or array
        Its slope beta.
    """

    like_ratio: float | np.ndarray
    axial_ratio: float | np.ndarray
    cocircular: float | np.ndarray
    radial: float | np.ndarray
    parallel: float | np.ndarray
    slope: float | np.ndarray

    def as_dict(self) -> dict[str, float | np.ndarray]:
        """Return the statistics by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def lateral_statistics(
    kernel: Array,
    theta: Array,
    *,
    pairs: Array | None = None,
    positions: Array | None = None,
    smoothing: float | None = None,
) -> LateralStatistics:
    """All statistics of one kernel.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        As a rule ``rectify(retain(...).kernel)``.
    theta : array, shape (n,)
        Contour orientations in degrees.
    pairs : array of bool, shape (n, n), optional
        Pairs (target, source); all but self pairs if not given.
    positions : array of bool, shape (side, side), optional
        Displacements (`kernels.positions`); the disc if not given.
    smoothing : float, optional
        Width of the weights over orientation, as in `group_kernel`.

    Returns
    -------
    LateralStatistics
        Floats, the same as the functions that are named there return one by one.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, or no pairs.
    """
    pipeline = _Pipeline(kernel, theta, pairs, positions, smoothing)
    values = pipeline(torch.arange(pipeline.n)[None])
    return LateralStatistics(*(float(v) for v in values))


def permutation_null(
    kernel: Array,
    theta: Array,
    *,
    pairs: Array | None = None,
    positions: Array | None = None,
    smoothing: float | None = None,
    n_draws: int = 5000,
    seed: int = 0,
) -> LateralStatistics:
    """All statistics of a kernel whose orientations are permuted among its units.

    What the kernel, its range and the set of orientations give by themselves is kept; that the
    orientation of a unit has to do with its connections is broken. All draws go through the same
    few products of matrices: one turns sums over sources into double-angle sums, one reads them
    at displacements turned by the orientation that each target was given.

    Parameters
    ----------
    kernel, theta, pairs, positions, smoothing
        As in `lateral_statistics`. Masks of pairs stay with the units.
    n_draws : int
        Random permutations.
    seed : int
        Seed of the draws.

    Returns
    -------
    LateralStatistics
        numpy arrays, shape (n_draws,), float64, for `statistics.permutation_p`. NaN in draws in
        which a statistic is undefined.

    Raises
    ------
    UserError
        As `lateral_statistics`, or for fewer than one draw.
    """
    if n_draws < 1:
        raise UserError(f"{n_draws} permutations are no null distribution; draw 1,000 or more")
    pipeline = _Pipeline(kernel, theta, pairs, positions, smoothing)
    rng = np.random.default_rng(seed)
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(pipeline.n), (n_draws, 1)), axis=1))
    chunks = [pipeline(part) for part in order.split(pipeline.draws_at_once)]
    values = [torch.cat(parts).cpu().numpy() for parts in zip(*chunks, strict=True)]
    return LateralStatistics(*values)


class _Pipeline:
    """Everything that draws share, and the statistics of a batch of permutations."""

    def __init__(
        self,
        kernel: Array,
        theta: Array,
        pairs: Array | None,
        positions: Array | None,
        smoothing: float | None,
    ) -> None:
        k, angles = checked(kernel, theta)
        self.n, self.side = len(k), k.shape[-1]
        device = k.device
        self.mask = chosen_pairs(pairs, self.n, device)
        if not float(self.mask.sum()) > 0:
            raise UserError("no pair of different units is left; choose other units or pairs")
        chosen = chosen_positions(positions, self.side, device)
        self.chosen = chosen
        self.inside = torch.from_numpy(disc_positions(self.side).ravel()).to(device)
        self.kernel = k.flatten(start_dim=2)
        self.strength = (k * chosen).sum(dim=(-2, -1))
        bins = orientation_bins(relative_orientation(angles))
        self.alike, self.crossed = ((bins == b).to(k) for b in (0, N_BINS - 1))
        sectors = [s.to(k).flatten(start_dim=1) for s in axial_sectors(angles, self.side, chosen)]
        # Strength of pair (f, g) in the sector of orientation number k: (f, k, g).
        self.sectors = [(self.kernel @ s.T).transpose(1, 2).contiguous() for s in sectors]
        self.sector_sizes = [s.sum(dim=1) for s in sectors]
        self.rotations = rotation_matrices(angles, self.side)
        width = chosen_smoothing(smoothing, self.n, 180.0)
        alpha = orientation_grid(_N_ALPHA, 180.0, device)
        relative = angles[None, :] - angles[:, None]
        self.weights = orientation_weights(alpha - relative[..., None], width, 180.0)
        double = 2 * torch.deg2rad(alpha)
        self.phasors = torch.stack([double.cos(), double.sin()], dim=1)
        per_draw = 8 * self.n * max(2 * self.side**2, 4 * self.n)
        self.draws_at_once = max(1, _CHUNK_BYTES // per_draw)

    def __call__(self, order: Tensor) -> tuple[Tensor, ...]:
        """Return the six statistics, each (draws,), of unit f having orientation ``order[f]``."""
        order = order.to(self.kernel.device)
        rows, columns = order[:, :, None], order[:, None, :]
        alike, crossed = (m[rows, columns] * self.mask for m in (self.alike, self.crossed))
        means = [
            _ratio((m * self.strength).sum(dim=(1, 2)), m.sum(dim=(1, 2))) for m in (alike, crossed)
        ]
        number = torch.arange(self.n, device=order.device)
        sector_means = [
            _ratio(
                (alike * sums[number, order]).sum(dim=(1, 2)),
                (alike.sum(dim=2) * sizes[order]).sum(dim=1),
            )
            for sums, sizes in zip(self.sectors, self.sector_sizes, strict=True)
        ]
        preferred, weight = self._field(order)
        return (
            _ratio(*means),
            _ratio(*sector_means),
            *errors_of(preferred, weight * self.chosen),
        )

    def _field(self, order: Tensor) -> tuple[Tensor, Tensor]:
        """Preferred orientation and weight of every draw, (draws, side, side)."""
        draws, n = order.shape
        inverse = torch.empty_like(order).scatter_(
            1, order, torch.arange(n, device=order.device).expand(draws, n)
        )
        # Pairs in the order of their orientations: the weights of a draw are then one product.
        masks = self.mask[inverse[:, :, None], inverse[:, None, :]].flatten(start_dim=1)
        flat = self.weights.flatten(end_dim=1)
        per_alpha = self.phasors / (masks @ flat)[..., None]
        phasors = torch.einsum("pa,dac->dcp", flat, per_alpha) * masks[:, None]
        phasors = phasors.reshape(draws, 2, n, n)
        by_unit = phasors[
            torch.arange(draws, device=order.device)[:, None, None],
            :,
            order[:, :, None],
            order[:, None, :],
        ]  # (draws, f, g, 2)
        sums = by_unit.permute(1, 0, 3, 2).reshape(n, draws * 2, n) @ self.kernel
        sums = sums.reshape(n, draws, 2, -1)
        turned = sums[inverse.T, torch.arange(draws, device=order.device)]  # (k, draws, 2, s * s)
        field = (turned.reshape(n, draws * 2, -1) @ self.rotations.mT).sum(dim=0)
        maps = torch.zeros(draws, 2, self.side**2, dtype=field.dtype, device=field.device)
        maps[..., self.inside] = field.reshape(draws, 2, -1)
        real, imaginary = maps.reshape(draws, 2, self.side, self.side).unbind(dim=1)
        weight = torch.hypot(real, imaginary)
        rounding = 1e-13 * weight.amax(dim=(-2, -1), keepdim=True)
        preferred = torch.rad2deg(torch.atan2(imaginary, real)) / 2
        return preferred, torch.where(weight > rounding, weight, 0.0)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return a / torch.where(b > 0, b, torch.nan)
