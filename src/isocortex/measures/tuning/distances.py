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

BINS = tuple(i / 13 for i in range(14))
"""Edges of the 13 bins of circular variance, of `jensen_shannon` and of Brain-Score's score."""

_BATCH_BYTES = 2**26
_UNITS, _CELLS = 0, 1  # separate streams of random numbers


@dataclass(frozen=True)
class Pair:
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


Distance = Callable[[Pair, Tensor, Tensor], Tensor]
"""Takes the shares (draws, v) of both samples, gives (draws,)."""


def _wasserstein(pair: Pair, a: Tensor, b: Tensor) -> Tensor:
    apart = (a - b).cumsum(dim=1).abs()
    return (apart[:, :-1] * pair.values.diff()).sum(dim=1)


def _kolmogorov(pair: Pair, a: Tensor, b: Tensor) -> Tensor:
    return (a - b).cumsum(dim=1).abs().amax(dim=1)


def _jensen_shannon(pair: Pair, a: Tensor, b: Tensor) -> Tensor:
    p, q = (_binned(pair, shares) for shares in (a, b))
    m = (p + q) / 2
    bits = (torch.xlogy(p, p) + torch.xlogy(q, q)) / 2 - torch.xlogy(m, m)
    return (bits.sum(dim=1).clamp_min(0) / np.log(2)).sqrt()


def _binned(pair: Pair, shares: Tensor) -> Tensor:
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
    measure = measure_called(kind)
    a, b = as_row(sample, "the sample"), as_row(reference, "the reference")
    if not len(a) or not len(b):
        return float("nan")
    pair = paired(a, b)
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
    measure_called(kind)
    a, b, labels = checked(sample, reference, clusters)
    return all_draws(a, b, labels, (kind,), n_draws, seed)[kind]


def all_draws(
    a: Tensor, b: Tensor, labels: np.ndarray, kinds: Iterable[str], n_draws: int, seed: int
) -> dict[str, np.ndarray]:
    """Return the distances of the resamples by several measures at once."""
    pair = paired(a, b)
    drawn: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
    for units, cells in resamples(len(a), labels, n_draws, seed, len(pair.values)):
        shares = pair.shares(units, pair.where_a), pair.shares(cells, pair.where_b)
        for kind, found in drawn.items():
            found.append(DISTANCES[kind](pair, *shares))
    return {kind: torch.cat(found).numpy() for kind, found in drawn.items()}


def resamples(
    units: int, labels: np.ndarray, n_draws: int, seed: int, places: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield weights (k, units) of units and (k, cells) of cells, `n_draws` in all."""
    if n_draws < 1:
        raise UserError(f"n_draws is {n_draws}; a bootstrap needs at least one draw")
    of_units = np.random.default_rng([seed, _UNITS])
    of_cells = np.random.default_rng([seed, _CELLS])
    clusters, cells = int(labels.max()) + 1, len(labels)
    even, equal = np.full(units, 1 / units), np.full(clusters, 1 / clusters)
    for size in batches(n_draws, max(units, places)):
        drawn = of_units.multinomial(cells, even, size=size)
        animals = of_cells.multinomial(clusters, equal, size=size)
        yield (
            torch.from_numpy(drawn.astype(float)),
            torch.from_numpy(animals[:, labels].astype(float)),
        )


def batches(n_draws: int, width: int) -> Iterator[int]:
    """Yield how many rows of `width` numbers to draw at once, `n_draws` in all."""
    batch = max(1, _BATCH_BYTES // (8 * max(1, width)))
    for start in range(0, n_draws, batch):
        yield min(batch, n_draws - start)


def measure_called(kind: str) -> Distance:
    """Return the distance of a name, or say which there are."""
    if kind not in DISTANCES:
        raise unknown("distance", kind, DISTANCES)
    return DISTANCES[kind]


def bins_of(values: Tensor) -> Tensor:
    """Return the bin of each value; one on an inner edge belongs to the bin above it."""
    inner = torch.tensor(BINS[1:-1], dtype=values.dtype)
    return torch.searchsorted(inner, values, right=True)


def paired(a: Tensor, b: Tensor) -> Pair:
    """Put two samples (n,) and (m,) on one axis."""
    values, where = torch.cat([a, b]).unique(return_inverse=True)
    return Pair(values, where[: len(a)], where[len(a) :], bins_of(values))


def as_row(values: Array, what: str) -> Tensor:
    """Return a sample as a float64 row on the CPU; refuse other shapes and undefined values."""
    x = to_torch(values if hasattr(values, "shape") else np.asarray(values, dtype=float))
    x = x.double().cpu()
    if x.ndim != 1 or not bool(x.isfinite().all()):
        raise UserError(f"{what} must be a row of finite numbers; leave undefined units out")
    return x


def checked(
    sample: Array, reference: Array, clusters: Array | None
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return both samples, none of them empty, and the number of each cell's cluster."""
    a, b = as_row(sample, "the sample"), as_row(reference, "the reference")
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
