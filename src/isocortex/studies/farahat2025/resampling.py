"""The bootstrap of the study: seeds with what was recorded, or configurations.

Weights say how often each unit was drawn; row 0 of every array of draws is the sample itself, so
that estimate and draws come from one computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from isocortex.statistics import Interval, bootstrap_interval
from isocortex.studies.farahat2025.encoding import MOMENTS

LEVEL = 0.95
FEWEST_CONFIGURATIONS = 12

_SEEDS, _UNITS = 0, 1


class Resampler:
    """Draws of seeds, shared by all arrays of one statistic, and of units crossed with them.

    Parameters
    ----------
    seeds : int
        Seeds that all arrays have.
    n_resamples : int
    """

    def __init__(self, seeds: int, n_resamples: int) -> None:
        self.seeds, self._n = seeds, n_resamples
        self._of_seeds = self._weights(seeds, _SEEDS)
        self._arrays = 0

    def _weights(self, n: int, stream: int) -> np.ndarray:
        """Return weights (1 + draws, n) that sum to 1; the first row weighs all alike."""
        rng = np.random.default_rng([stream, n])
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=self._n) / n
        return np.concatenate([np.full((1, n), 1 / n), drawn])

    def over_seeds(self, values: np.ndarray) -> np.ndarray:
        """Return means (1 + draws, k) of values (seeds, k) over drawn seeds."""
        return self._of_seeds @ values

    def over_drawn(self, values: np.ndarray) -> np.ndarray:
        """Return means (1 + draws, k) of values (seeds, 1 + draws, k), each drawn already."""
        return np.einsum("ds,sdk->dk", self._of_seeds, values)

    def over_units(self, values: np.ndarray) -> np.ndarray:
        """Return means (1 + draws, k) of values (seeds, units, k) over drawn seeds and units."""
        self._arrays += 1
        seeds, units, k = values.shape
        by_unit = (self._of_seeds @ values.reshape(seeds, -1)).reshape(-1, units, k)
        return np.einsum("du,duk->dk", self._weights(units, _UNITS + self._arrays), by_unit)

    def correlations(self, moments: np.ndarray) -> np.ndarray:
        """Return correlations (1 + draws, k, cells), mean over drawn seeds.

        Parameters
        ----------
        moments : array, shape (seeds, runs, k, cells, 6)
            Sums of each run, see `encoding.MOMENTS`; runs are drawn, then correlated.
        """
        self._arrays += 1
        runs = moments.shape[1]
        weights = self._weights(runs, _UNITS + self._arrays)
        flat = np.moveaxis(moments, 1, 0).reshape(runs, -1)
        n, y, p, yy, pp, yp = np.moveaxis(
            (weights @ flat).reshape(-1, moments.shape[0], *moments.shape[2:]), -1, 0
        )
        spread = np.sqrt(np.maximum(n * yy - y**2, 0) * np.maximum(n * pp - p**2, 0))
        r = (n * yp - y * p) / np.where(spread > 0, spread, np.nan)
        return np.einsum("ds,dskc->dkc", self._of_seeds, r)

    def interval(self, draws: np.ndarray, what: str, dropped: int = 0) -> Interval:
        """Return the percentile interval of draws whose first is the estimate."""
        low = high = np.nan
        if self.seeds > 1 and np.isfinite(draws).all():
            tail = (1 - LEVEL) / 2
            low, high = np.quantile(draws[1:], [tail, 1 - tail])
        method = f"percentile, {what}"
        return Interval(
            float(draws[0]), float(low), float(high), LEVEL, self.seeds, method, dropped
        )


class Stack(NamedTuple):
    """Values (seeds, units, networks), and how many units were left out."""

    values: np.ndarray
    dropped: int


def stacked(
    table: pd.DataFrame, networks: Sequence[dict[str, object]], unit: str, value: str
) -> Stack | None:
    """Return values (seeds, units, networks); None where a network is missing.

    Repeated rows of a network, seed and unit (permutations of a shuffle) are averaged. Only seeds
    and units that all networks have are kept; units that are NaN anywhere are left out and counted.
    """
    frames = []
    for network in networks:
        rows = table[np.logical_and.reduce([table[k] == v for k, v in network.items()])]
        if rows.empty:
            return None
        frames.append(rows.pivot_table(value, "seed", unit, aggfunc="mean"))
    seeds = sorted(set.intersection(*(set(f.index) for f in frames)))
    units = sorted(set.intersection(*(set(f.columns) for f in frames)))
    values = np.stack([f.loc[seeds, units].to_numpy() for f in frames], axis=-1)
    kept = np.isfinite(values).all(axis=(0, 2))
    if not len(seeds) or not kept.any():
        return None
    every = set.union(*(set(f.columns) for f in frames))
    return Stack(values[:, kept], len(every) - int(kept.sum()))


def stacked_moments(
    table: pd.DataFrame, networks: Sequence[dict[str, object]]
) -> np.ndarray | None:
    """Return moments (seeds, runs, networks, cells, 6); None where a network is missing."""
    found = []
    for network in networks:
        rows = table[np.logical_and.reduce([table[k] == v for k, v in network.items()])]
        if rows.empty:
            return None
        found.append(rows.set_index(["seed", "run", "neuroid"])[list(MOMENTS)])
    seeds = sorted(set.intersection(*(set(f.index.get_level_values("seed")) for f in found)))
    if not seeds:
        return None
    arrays = []
    for rows in found:
        wide = rows.loc[seeds].groupby(level=["seed", "run", "neuroid"]).mean()
        shape = [len(level) for level in wide.index.remove_unused_levels().levels]
        arrays.append(wide.to_numpy().reshape(*shape, len(MOMENTS)))
    return np.stack(arrays, axis=2)


def explained(c: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return R2 of a straight line through points (..., n), along the last axis."""
    dc = c - c.mean(axis=-1, keepdims=True)
    ds = score - score.mean(axis=-1, keepdims=True)
    spread = (dc**2).sum(axis=-1) * (ds**2).sum(axis=-1)
    return (dc * ds).sum(axis=-1) ** 2 / np.where(spread > 0, spread, np.nan)


def left_out(c: np.ndarray, score: np.ndarray) -> float:
    """Return R2 of points as predicted by the line through all others."""
    n = len(c)
    design = np.stack([np.ones(n), c], axis=1)
    hat = np.einsum("ij,ij->i", design @ np.linalg.pinv(design.T @ design), design)
    residual = score - design @ (np.linalg.pinv(design) @ score)
    outside = residual / np.maximum(1 - hat, 1e-12)
    return float(1 - (outside**2).sum() / ((score - score.mean()) ** 2).sum())


def difference_of_r2(
    c: np.ndarray, first: np.ndarray, second: np.ndarray, n_resamples: int
) -> Interval:
    """Return the interval over configurations of R2(first) - R2(second), both on c."""
    rows = np.stack([c, first, second], axis=1)

    def statistic(sample: np.ndarray, axis: int) -> np.ndarray:
        x, a, b = np.moveaxis(sample, -1, 0)
        return explained(x, a) - explained(x, b)

    return bootstrap_interval(rows, statistic, n_resamples=n_resamples)
