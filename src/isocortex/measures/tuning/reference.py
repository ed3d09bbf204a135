"""A sample of units against a reference sample of recorded cells: how far apart they are.

Samples are bounded numbers such as circular variances. A resample is a row of weights on the
values, so that the distances of all resamples come from one sorting:

    W1 = int |F - G| dx,   KS = max |F - G|,   JS = sqrt of the divergence in bits over 13 bins

with F, G the weighted distribution functions. Resampled distances are biased upwards, by chance
differences of the size of `split_floor`: compare them with that floor, or with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError, unknown
from isocortex.statistics import Interval

BINS = tuple(i / 13 for i in range(14))
"""Edges of the 13 bins of circular variance, of `jensen_shannon` and of Brain-Score's score."""

_BATCH_BYTES = 2**26
_UNITS, _CELLS, _HALVES = 0, 1, 2  # separate streams of random numbers


@dataclass(frozen=True)
class _Pair:
    """Both samples on one sorted axis.

    `values` (v,), strictly rising; `where_a`, `where_b` give the place of each value in it; `bins`
    gives the bin of each place.
    """

    values: Tensor
    where_a: Tensor
    where_b: Tensor
    bins: Tensor

    def shares(self, weights: Tensor, where: Tensor) -> Tensor:
        """Return the share of each place, shape (draws, v), for weights (draws, n)."""
        total = weights.new_zeros((len(weights), len(self.values)))
        total.index_add_(1, where, weights)
        return total / weights.sum(dim=1, keepdim=True)


Distance = Callable[[_Pair, Tensor, Tensor], Tensor]
"""Takes the shares (draws, v) of both samples, gives (draws,)."""


def _wasserstein(pair: _Pair, a: Tensor, b: Tensor) -> Tensor:
    apart = (a - b).cumsum(dim=1).abs()
    return (apart[:, :-1] * pair.values.diff()).sum(dim=1)


def _kolmogorov(pair: _Pair, a: Tensor, b: Tensor) -> Tensor:
    return (a - b).cumsum(dim=1).abs().amax(dim=1)


def _jensen_shannon(pair: _Pair, a: Tensor, b: Tensor) -> Tensor:
    p, q = (_binned(pair, shares) for shares in (a, b))
    m = (p + q) / 2
    bits = (torch.xlogy(p, p) + torch.xlogy(q, q)) / 2 - torch.xlogy(m, m)
    return (bits.sum(dim=1).clamp_min(0) / np.log(2)).sqrt()


def _binned(pair: _Pair, shares: Tensor) -> Tensor:
    total = shares.new_zeros((len(shares), len(BINS) - 1))
    return total.index_add_(1, pair.bins, shares)


DISTANCES: dict[str, Distance] = {
    "wasserstein": _wasserstein,
    "kolmogorov_smirnov": _kolmogorov,
    "jensen_shannon": _jensen_shannon,
}
"""Name -> distance of two weighted samples."""


def distance(sample: Array, reference: Array, kind: str = "wasserstein") -> float:
    """Distance of two samples.

    Parameters
    ----------
    sample, reference : array, shapes (n,) and (m,)
        For ``"jensen_shannon"`` in [0, 1]: values beyond fall into the outermost bins.
    kind : {"wasserstein", "kolmogorov_smirnov", "jensen_shannon"}
        Wasserstein-1 (in the unit of the values), the largest difference of the distribution
        functions, or the Jensen-Shannon distance over `BINS` (0 to 1).

    Returns
    -------
    float
        NaN if a sample is empty.

    Raises
    ------
    UserError
        If the kind is unknown, or a sample is no row of finite numbers.
    """
    measure = _measure(kind)
    a, b = _row(sample, "the sample"), _row(reference, "the reference")
    if not len(a) or not len(b):
        return float("nan")
    pair = _pair(a, b)
    shares = (
        pair.shares(a.new_ones((1, len(a))), pair.where_a),
        pair.shares(a.new_ones((1, len(b))), pair.where_b),
    )
    return measure(pair, *shares).item()


def distance_draws(
    sample: Array,
    reference: Array,
    kind: str = "wasserstein",
    *,
    clusters: Array | None = None,
    n_draws: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Distances of bootstrap resamples of both sides, with as many units as there are cells.

    Each draw takes m units of the sample with replacement, m the number of reference cells, and as
    many clusters (animals) of the reference as there are, with all of their cells.

    Parameters
    ----------
    sample, reference, kind
        As for `distance`.
    clusters : array, shape (m,), optional
        Label of the animal of each cell; without it cells are drawn one by one.
    n_draws : int
        Resamples.
    seed : int
        The draws of the reference depend on it and the reference alone, so differences between two
        samples compared with one seed are paired.

    Returns
    -------
    numpy.ndarray, shape (n_draws,)

    Raises
    ------
    UserError
        As `distance`, or if a sample is empty, clusters do not fit, or there is no draw.
    """
    _measure(kind)
    a, b, labels = _checked(sample, reference, clusters)
    return _all_draws(a, b, labels, (kind,), n_draws, seed)[kind]


def _all_draws(
    a: Tensor, b: Tensor, labels: np.ndarray, kinds: Iterable[str], n_draws: int, seed: int
) -> dict[str, np.ndarray]:
    """Return the distances of the resamples by several measures at once."""
    pair = _pair(a, b)
    drawn: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
    for units, cells in _resamples(len(a), labels, n_draws, seed, len(pair.values)):
        shares = pair.shares(units, pair.where_a), pair.shares(cells, pair.where_b)
        for kind, found in drawn.items():
            found.append(DISTANCES[kind](pair, *shares))
    return {kind: torch.cat(found).numpy() for kind, found in drawn.items()}


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
    measure = _measure(kind)
    b = _row(reference, "the reference")
    if len(b) < 4 or n_draws < 1:
        raise UserError(f"halves of {len(b)} cells say nothing; give at least 4, and one draw")
    pair = _pair(b, b)
    rng = np.random.default_rng([seed, _HALVES])
    drawn = []
    for size in _batches(n_draws, len(b)):
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
    a, b = _row(sample, "the sample"), _row(reference, "the reference")
    if not len(b) or n_draws < 1:
        raise UserError("the reference is empty, or there is no draw; give cells and draws")
    target = torch.bincount(_bins(b), minlength=len(BINS) - 1) / len(b)
    cumulative = target.double().cumsum(dim=0)
    worst = max(float((1 - cumulative[:-1]).max()), float(cumulative[:-1].max()))

    def similarity(values: Tensor) -> float:
        if not len(values):
            return float("nan")
        shares = torch.bincount(_bins(values), minlength=len(BINS) - 1) / len(values)
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
    a, b, labels = _checked(sample, reference, clusters)
    n_clusters = int(labels.max()) + 1
    tails = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for kind, draws in _all_draws(a, b, labels, DISTANCES, n_draws, seed).items():
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
    b, _, labels = _checked(reference, reference, clusters)
    n_clusters = int(labels.max()) + 1
    b, order = b.sort()
    labels = labels[order.numpy()]
    small = (b < below).double()
    drawn: dict[str, list[Tensor]] = {"mean": [], "median": [], "fraction": []}
    for _, cells in _resamples(1, labels, n_draws, seed, len(b)):
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


def _resamples(
    units: int, labels: np.ndarray, n_draws: int, seed: int, places: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield weights (k, units) of units and (k, cells) of cells, `n_draws` in all."""
    if n_draws < 1:
        raise UserError(f"n_draws is {n_draws}; a bootstrap needs at least one draw")
    of_units = np.random.default_rng([seed, _UNITS])
    of_cells = np.random.default_rng([seed, _CELLS])
    clusters, cells = int(labels.max()) + 1, len(labels)
    even, equal = np.full(units, 1 / units), np.full(clusters, 1 / clusters)
    for size in _batches(n_draws, max(units, places)):
        drawn = of_units.multinomial(cells, even, size=size)
        animals = of_cells.multinomial(clusters, equal, size=size)
        yield (
            torch.from_numpy(drawn.astype(float)),
            torch.from_numpy(animals[:, labels].astype(float)),
        )


def _batches(n_draws: int, width: int) -> Iterator[int]:
    batch = max(1, _BATCH_BYTES // (8 * max(1, width)))
    for start in range(0, n_draws, batch):
        yield min(batch, n_draws - start)


def _measure(kind: str) -> Distance:
    if kind not in DISTANCES:
        raise unknown("distance", kind, DISTANCES)
    return DISTANCES[kind]


def _bins(values: Tensor) -> Tensor:
    """Return the bin of each value; one on an inner edge belongs to the bin above it."""
    inner = torch.tensor(BINS[1:-1], dtype=values.dtype)
    return torch.searchsorted(inner, values, right=True)


def _pair(a: Tensor, b: Tensor) -> _Pair:
    values, where = torch.cat([a, b]).unique(return_inverse=True)
    return _Pair(values, where[: len(a)], where[len(a) :], _bins(values))


def _row(values: Array, what: str) -> Tensor:
    x = to_torch(values if hasattr(values, "shape") else np.asarray(values, dtype=float))
    x = x.double().cpu()
    if x.ndim != 1 or not bool(x.isfinite().all()):
        raise UserError(f"{what} must be a row of finite numbers; leave undefined units out")
    return x


def _checked(
    sample: Array, reference: Array, clusters: Array | None
) -> tuple[Tensor, Tensor, np.ndarray]:
    a, b = _row(sample, "the sample"), _row(reference, "the reference")
    if not len(a) or not len(b):
        raise UserError(
            f"{len(a)} units cannot be compared with {len(b)} cells; both need at least one"
        )
    if clusters is None:
        return a, b, np.arange(len(b))
    labels = np.unique(np.asarray(clusters), return_inverse=True)[1]
    if labels.shape != (len(b),):
        raise UserError(f"clusters must name the animal of each of the {len(b)} cells")
    return a, b, labels
