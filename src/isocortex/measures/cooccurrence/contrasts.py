"""What a co-occurrence histogram shows: like orientation, co-axiality, agreement with a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson
from isocortex.measures.lateral import (
    centre_rings,
    displacements,
    field_errors,
    orientation_field,
    positions,
)
from isocortex.statistics import Interval, bootstrap_interval

RINGS = ((4.0, 8.0), (8.0, 14.0), (14.0, 20.0))
"""Distances in pixels at which histograms are compared with models."""

_WEDGE = 22.5


@dataclass(frozen=True)
class PairStatistics:
    """Contrasts of histograms at some distances; every array has shape (...).

    Attributes
    ----------
    like_ratio : array
        Mean count at relative orientations below 22.5 degrees over that above 67.5.
    axial_ratio : array
        Among the former, mean count within 22.5 degrees of the contour's axis over that within
        22.5 degrees of the axis across it.
    slope, cocircular, radial, parallel : array
        Of the field of preferred orientation (`lateral.field_errors`). The raw field of photographs
        is nearly parallel, as like orientation is frequent in every direction.
    pairs : array
        Sum of the histogram at these distances.
    """

    like_ratio: Array
    axial_ratio: Array
    slope: Array
    cocircular: Array
    radial: Array
    parallel: Array
    pairs: Array


def _orientations(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.float64) * (180 / n)


def _checked(histogram: Array) -> Tensor:
    h = to_torch(histogram)
    if h.ndim < 3 or h.shape[-1] != h.shape[-2] or h.shape[-1] % 2 == 0:
        raise UserError(
            f"a histogram must be (..., orientations, side, side) with an odd side, not "
            f"{tuple(h.shape)}"
        )
    return h


def pair_statistics(histogram: Array, r_min: float, r_max: float) -> PairStatistics:
    """Measure like orientation, co-axiality and the field of orientation at some distances.

    Parameters
    ----------
    histogram : array, shape (..., n_alpha, side, side)
        Over relative orientations 0, 180 / n_alpha, ... (`se2.without_polarity`).
    r_min, r_max : float
        Distances in pixels, both included.

    Returns
    -------
    PairStatistics
        NaN where the denominator counts nothing.

    Raises
    ------
    UserError
        If the shapes are wrong or no pixel lies at these distances.
    """
    h = _checked(histogram)
    side, alpha = h.shape[-1], _orientations(h.shape[-3])
    x, y = (torch.from_numpy(np.ascontiguousarray(v)) for v in displacements(side))
    mask = torch.from_numpy(positions(side, r_min=r_min, r_max=r_max)).to(h.device)
    if not mask.any():
        raise UserError(f"no displacement of a side of {side} lies at {r_min} to {r_max} px")
    folded = torch.minimum(alpha, 180 - alpha)
    same, cross = (folded < _WEDGE).to(h.device), (folded > 90 - _WEDGE).to(h.device)
    angle = torch.rad2deg(torch.atan2(y.abs(), x.abs())).to(h.device)
    parallel = h[..., same, :, :].mean(dim=-3)
    orthogonal = h[..., cross, :, :].mean(dim=-3)
    axial, lateral = mask & (angle < _WEDGE), mask & (angle > 90 - _WEDGE)

    def ratio(a: Tensor, b: Tensor) -> Tensor:
        return a.mean(dim=-1) / torch.where(b.mean(dim=-1) > 0, b.mean(dim=-1), torch.nan)

    errors = field_errors(orientation_field(h, alpha.to(h.device)), mask)
    return PairStatistics(
        like_ratio=like(ratio(parallel[..., mask], orthogonal[..., mask]), histogram),
        axial_ratio=like(ratio(parallel[..., axial], parallel[..., lateral]), histogram),
        slope=like(to_torch(errors.slope), histogram),
        cocircular=like(to_torch(errors.cocircular), histogram),
        radial=like(to_torch(errors.radial), histogram),
        parallel=like(to_torch(errors.parallel), histogram),
        pairs=like(h[..., mask].sum(dim=(-2, -1)), histogram),
    )


def centred_correlation(histogram: Array, model: Array, r_min: float, r_max: float) -> Array:
    """Pearson r of two histograms after `lateral.centre_rings`, over some distances.

    Parameters
    ----------
    histogram, model : array, shapes (..., n_alpha, side, side) that broadcast
    r_min, r_max : float
        Distances in pixels, both included.

    Returns
    -------
    array, shape (...)
        NaN where one of them does not depend on the direction.
    """
    mask = torch.from_numpy(positions(histogram.shape[-1], r_min=r_min, r_max=r_max))
    pair = []
    for h in (_checked(histogram).double(), _checked(model).double()):
        raw, centred = (v[..., mask.to(h.device)].flatten(-2) for v in (h, centre_rings(h)))
        size = torch.linalg.vector_norm(raw, dim=-1, keepdim=True)
        flat = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) <= 1e-12 * size
        pair.append(torch.where(flat, 0.0, centred))
    return like(pearson(*pair), histogram)


@dataclass(frozen=True)
class ModelFit:
    """How well the models of a family agree with a histogram in one ring.

    Attributes
    ----------
    r : numpy.ndarray, shape (models,)
        `centred_correlation` of each.
    best : float
        Parameter of the best, refined by the parabola through it and its neighbours where it
        lies inside.
    best_r : float
        The largest r.
    at_end : bool
        The best is the first or the last: the parameter lies outside or at the end.
    """

    r: np.ndarray
    best: float
    best_r: float
    at_end: bool


def compare_models(
    histogram: Array, models: Array, parameters: Array, r_min: float, r_max: float
) -> ModelFit:
    """Compare one histogram with the kernels of a one-parameter family.

    Parameters
    ----------
    histogram : array, shape (n_alpha, side, side)
    models : array, shape (models, n_alpha, side, side)
        Kernels of the family on the same grid.
    parameters : array, shape (models,)
        Above 0 and increasing, e.g. sigma; the parabola is drawn over their logarithms.
    r_min, r_max : float
        Distances in pixels, both included.

    Returns
    -------
    ModelFit

    Raises
    ------
    UserError
        If the parameters are not as many as the models, or not increasing from above 0.
    """
    values = to_torch(parameters).double().cpu().numpy()
    if values.shape != (len(models),) or values[0] <= 0 or (np.diff(values) <= 0).any():
        raise UserError("parameters must be one a model, above 0 and increasing")
    found = centred_correlation(models, to_torch(histogram)[None], r_min, r_max)
    r = to_torch(found).double().cpu().numpy()
    k = int(np.nanargmax(r)) if np.isfinite(r).any() else 0
    at_end = k in (0, len(r) - 1)
    best = float(values[k])
    if not at_end and np.isfinite(r[k - 1 : k + 2]).all():
        x = np.log(values[k - 1 : k + 2])
        curve = np.polynomial.Polynomial.fit(x, r[k - 1 : k + 2], 2).convert().coef
        if len(curve) == 3 and curve[2] < 0:
            best = float(np.exp(np.clip(-curve[1] / (2 * curve[2]), x[0], x[2])))
    return ModelFit(r, best, float(r[k]), at_end)


def bootstrap_images(
    histograms: Array,
    statistic: Callable[[Array], Array],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of a statistic of the sum of the histograms of images, over images.

    Parameters
    ----------
    histograms : array, shape (images, ...)
        One histogram an image, or whatever adds up over images.
    statistic : callable
        Takes sums (batch, ...) and gives (batch,).
    n_resamples, seed, level
        As `statistics.bootstrap_interval`.

    Returns
    -------
    Interval
        By percentiles; ``n`` is the number of images.
    """
    whole = to_torch(histograms)
    flat = whole.flatten(1)

    def of_sums(rows: np.ndarray, axis: int) -> np.ndarray:
        index = torch.from_numpy(rows.astype(np.int64)).to(flat.device)
        weights = flat.new_zeros(index.shape).scatter_add_(1, index, flat.new_ones(index.shape))
        sums = (weights @ flat).reshape(-1, *whole.shape[1:])
        return to_torch(statistic(like(sums, histograms))).double().cpu().numpy()

    def in_batches(rows: np.ndarray, axis: int) -> np.ndarray:
        step = max(1, 2**26 // (4 * flat.shape[1]))
        parts = [of_sums(rows[i : i + step], axis) for i in range(0, len(rows), step)]
        return np.concatenate(parts)

    return bootstrap_interval(
        np.arange(len(flat)), in_batches, n_resamples=n_resamples, seed=seed, level=level
    )
