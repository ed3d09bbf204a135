"""What a comparison with recorded cells holds: distances, their floor, and the cells themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError
from isocortex.measures.tuning.distances import (
    BINS,
    DISTANCES,
    all_draws,
    as_row,
    batches,
    bins_of,
    checked,
    distance,
    measure_called,
    paired,
    resamples,
)
from isocortex.statistics import Interval

_UNITS, _HALVES = 0, 2  # separate streams of random numbers


@dataclass(frozen=True)
class Floor:
    """Distances of random halves of the reference to each other.

    Attributes
    ----------
    mean, p95 : float
        Mean and 95th percentile over random halves.
    """

    mean: float
    p95: float


def split_floor(
    reference: Array, kind: str = "wasserstein", *, n_draws: int = 2000, seed: int = 0
) -> Floor:
    """Distance that two halves of the reference have by chance.

    Parameters
    ----------
    reference : array, shape (m,)
        At least four cells.
    kind, n_draws, seed
        As for `distance_draws`.

    Returns
    -------
    Floor
        No sample of the size of half of the reference can be expected to come nearer than its mean.

    Raises
    ------
    UserError
        If there are fewer than four cells, or as `distance`.
    """
    measure = measure_called(kind)
    b = as_row(reference, "the reference")
    if len(b) < 4 or n_draws < 1:
        raise UserError(f"halves of {len(b)} cells say nothing; give at least 4, and one draw")
    pair = paired(b, b)
    rng = np.random.default_rng([seed, _HALVES])
    drawn = []
    for size in batches(n_draws, len(b)):
        order = rng.random((size, len(b))).argsort(axis=1)
        half = torch.from_numpy((order < len(b) // 2).astype(float))
        drawn.append(
            measure(pair, pair.shares(half, pair.where_a), pair.shares(1 - half, pair.where_b))
        )
    values = torch.cat(drawn).numpy()
    return Floor(float(values.mean()), float(np.quantile(values, 0.95)))


def ceiled_similarity(
    sample: Array, reference: Array, *, n_draws: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Brain-Score's similarity of two distributions of a property, its ceiling, and their ratio.

    Both are counted in `BINS`. With P, Q the cumulative shares of the sample and of the reference,
    ``s = 1 - max |P - Q| / D``, where D is the largest difference that all units in the first or
    in the last bin would have. It is averaged over draws of as many units as there are cells, with
    replacement; the ceiling is the same of the reference against itself.

    Parameters
    ----------
    sample, reference : array, shapes (n,) and (m,)
        Values in [0, 1]; others fall into the outermost bins.
    n_draws : int
        Draws; Brain-Score takes 1000.
    seed : int

    Returns
    -------
    raw, ceiling, ceiled : float
        ``ceiled = raw / ceiling``. NaN for an empty sample.

    Raises
    ------
    UserError
        If a sample is no row of finite numbers, or the reference is empty.

    Notes
    -----
    After Marques, Schrimpf & DiCarlo (2021).
    """
    a, b = as_row(sample, "the sample"), as_row(reference, "the reference")
    if not len(b) or n_draws < 1:
        raise UserError("the reference is empty, or there is no draw; give cells and draws")
    target = torch.bincount(bins_of(b), minlength=len(BINS) - 1) / len(b)
    cumulative = target.double().cumsum(dim=0)
    worst = max(float((1 - cumulative[:-1]).max()), float(cumulative[:-1].max()))

    def similarity(values: Tensor) -> float:
        if not len(values):
            return float("nan")
        shares = torch.bincount(bins_of(values), minlength=len(BINS) - 1) / len(values)
        rng = np.random.default_rng([seed, _UNITS])
        counts = rng.multinomial(len(b), shares.double() / shares.double().sum(), size=n_draws)
        drawn = torch.from_numpy(counts / len(b)).cumsum(dim=1)
        apart = (drawn - cumulative).abs().amax(dim=1)
        return float((1 - apart / worst).mean())

    raw, ceiling = similarity(a), similarity(b)
    return raw, ceiling, raw / ceiling


@dataclass(frozen=True)
class Comparison:
    """A sample against the reference.

    Attributes
    ----------
    wasserstein, kolmogorov_smirnov, jensen_shannon : Interval
        Distance of all units to all cells, with the percentile interval of `distance_draws`; its
        ``n`` is the number of animals (or cells).
    brainscore_raw, brainscore_ceiling, brainscore : float
        See `ceiled_similarity`.
    floor : Floor
        Of Wasserstein-1; see `split_floor`.
    n_units, n_cells, n_clusters : int
        Units, reference cells, and animals.
    """

    wasserstein: Interval
    kolmogorov_smirnov: Interval
    jensen_shannon: Interval
    brainscore_raw: float
    brainscore_ceiling: float
    brainscore: float
    floor: Floor
    n_units: int
    n_cells: int
    n_clusters: int


def compare(
    sample: Array,
    reference: Array,
    *,
    clusters: Array | None = None,
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare a sample of units with a reference sample of cells by all `DISTANCES`.

    Parameters
    ----------
    sample, reference, clusters, n_draws, seed
        As for `distance_draws`.
    level : float
        Coverage of the intervals.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        As `distance_draws`.
    """
    a, b, labels = checked(sample, reference, clusters)
    n_clusters = int(labels.max()) + 1
    tails = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for kind, draws in all_draws(a, b, labels, DISTANCES, n_draws, seed).items():
        low, high = np.quantile(draws, tails)
        if n_clusters < 2:
            low = high = np.nan
        intervals[kind] = Interval(
            distance(a, b, kind),
            float(low),
            float(high),
            level,
            n_clusters,
            "percentile, n matched",
        )
    raw, ceiling, ceiled = ceiled_similarity(a, b, seed=seed)
    floor = split_floor(b, n_draws=n_draws, seed=seed)
    return Comparison(
        **intervals,
        brainscore_raw=raw,
        brainscore_ceiling=ceiling,
        brainscore=ceiled,
        floor=floor,
        n_units=len(a),
        n_cells=len(b),
        n_clusters=n_clusters,
    )


def reference_intervals(
    reference: Array,
    clusters: Array,
    *,
    below: float = 0.5,
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Mean, median and share of small values of the reference, with intervals over its animals.

    Parameters
    ----------
    reference, clusters : array, shape (m,)
        Values, and the animal of each.
    below : float
        ``"fraction"`` is the share of values under this.
    n_draws, level, seed
        As for `compare`.

    Returns
    -------
    dict of str to Interval
        ``"mean"``, ``"median"`` (of a resample the smallest value that half of it does not exceed)
        and ``"fraction"``; percentile intervals, NaN bounds for a single animal.

    Raises
    ------
    UserError
        As `distance_draws`.
    """
    b, _, labels = checked(reference, reference, clusters)
    n_clusters = int(labels.max()) + 1
    b, order = b.sort()
    labels = labels[order.numpy()]
    small = (b < below).double()
    drawn: dict[str, list[Tensor]] = {"mean": [], "median": [], "fraction": []}
    for _, cells in resamples(1, labels, n_draws, seed, len(b)):
        shares = cells / cells.sum(dim=1, keepdim=True)
        drawn["mean"].append(shares @ b)
        drawn["median"].append(b[(shares.cumsum(dim=1) < 0.5 - 1e-12).sum(dim=1)])
        drawn["fraction"].append(shares @ small)
    estimates = {
        "mean": b.mean(), "median": torch.quantile(b, 0.5), "fraction": small.mean(),
    }  # fmt: skip
    intervals = {}
    for name, estimate in estimates.items():
        low, high = np.quantile(torch.cat(drawn[name]), [(1 - level) / 2, (1 + level) / 2])
        if n_clusters < 2:
            low = high = np.nan
        intervals[name] = Interval(
            estimate.item(), float(low), float(high), level, n_clusters, "percentile"
        )
    return intervals
