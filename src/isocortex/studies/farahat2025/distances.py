"""Distances of circular variances from those of the recorded cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocortex.brains.orientation import OrientationTable
from isocortex.measures.tuning import DISTANCES, distance, distance_draws, split_floor

KEYS = ["configuration", "arm", "norm", "seed", "block", "rule"]


def distances(selectivity: pd.DataFrame, cells: OrientationTable) -> pd.DataFrame:
    """Return each distance of each network, block and rule from the cells, one row a network.

    Silent units are left out and counted; a network without any other unit is NaN.
    """
    reference = cells.table["circular_variance"].to_numpy()
    rows = []
    for keys, units in selectivity.groupby(KEYS, sort=False):
        values = units["circular_variance"].dropna().to_numpy()
        rows.append(
            {
                **dict(zip(KEYS, keys, strict=True)),
                "n_units": len(values),
                "n_silent": len(units) - len(values),
                "mean": values.mean() if len(values) else np.nan,
                **{
                    kind: distance(values, reference, kind) if len(values) else np.nan
                    for kind in DISTANCES
                },
            }
        )
    return pd.DataFrame(rows)


def draws(
    selectivity: pd.DataFrame, cells: OrientationTable, block: int, n_resamples: int
) -> pd.DataFrame:
    """Return Wasserstein distances of resampled units and animals, block by block and rule.

    Draw 0 is the sample itself. All networks meet the same draws of animals.
    """
    reference = cells.table["circular_variance"].to_numpy()
    animals = pd.factorize(cells.table["animal"])[0]
    parts = []
    for keys, units in selectivity[selectivity["block"] == block].groupby(KEYS, sort=False):
        values = units["circular_variance"].dropna().to_numpy()
        if not len(values):
            continue
        drawn = distance_draws(values, reference, clusters=animals, n_draws=n_resamples, seed=0)
        w1 = np.concatenate([[distance(values, reference)], drawn])
        parts.append(
            pd.DataFrame({**dict(zip(KEYS, keys, strict=True)), "draw": range(len(w1)), "w1": w1})
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def reference_table(cells: OrientationTable) -> pd.DataFrame:
    """Return the circular variance of each recorded cell, with the floor of random halves."""
    floor = split_floor(cells.table["circular_variance"].to_numpy())
    table = cells.table[["animal", "circular_variance"]].reset_index(drop=True)
    return table.assign(floor=floor.mean, floor_95=floor.p95)
