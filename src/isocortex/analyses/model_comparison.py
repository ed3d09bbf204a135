"""Which kernel on positions and orientations a lateral kernel agrees with, held out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from isocortex.analyses.lateral import OVERLAP, Units, overlap_of, same_units
from isocortex.measures.lateral import baseline_kernels, compare_models, rectify, retain
from isocortex.measures.se2 import (
    Grid,
    diffusion_kernel,
    direction_kernel,
    plant,
    symmetrise,
    without_polarity,
)

N_THETA = 72
DIRECTION: tuple[dict[str, float], ...] = tuple(
    {"sigma": float(s), "decay": d} for d in (0.1, 0.4) for s in np.geomspace(0.05, 1.6, 8).round(4)
)
"""Candidates of the direction process: sigma in rad / sqrt(px), decay in 1 / px."""

DIFFUSION: tuple[dict[str, float], ...] = tuple(
    {"s1": s1, "s2": float(s2)} for s1 in (2.0, 5.0) for s2 in np.geomspace(0.1, 1.6, 8).round(4)
)
"""Candidates of contour diffusion at t = 1: s1 in px, s2 in rad."""

STOCHASTIC = ("direction", "diffusion")


@lru_cache(maxsize=2)
def process_kernels(side: int) -> tuple[Grid, dict[str, list[np.ndarray]]]:
    """Return the kernels of both processes over orientations, symmetrised, and their grid."""
    grid = Grid(side=side + 2, n_theta=N_THETA)

    def orientations(kernel: np.ndarray) -> np.ndarray:
        found: np.ndarray = without_polarity(symmetrise(kernel))
        return found

    return grid, {
        "direction": [
            orientations(direction_kernel(grid, sigma=p["sigma"], decay=p["decay"]))
            for p in DIRECTION
        ],
        "diffusion": [
            orientations(diffusion_kernel(grid, 1.0, s1=p["s1"], s2=p["s2"])) for p in DIFFUSION
        ],
    }


def comparison_table(
    kernel: np.ndarray,
    filters: np.ndarray,
    chosen: Units,
    *,
    contours: np.ndarray | None = None,
    splits: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare the positive part of a kernel with models, on targets left out of the fit.

    Models are treated as the kernel is: no self pairs, every target scaled to the same total input,
    the positive part.

    Parameters
    ----------
    kernel, filters, chosen
        As in `analyses.lateral.kernel_tables`.
    contours : numpy.ndarray, optional
        (n_theta / 2, side, side) co-occurrence of edges of photographs over orientations, in
        pixels of the map, as one more model.
    splits : int
        Random halves of the units.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a model (direction, diffusion, overlap, contours, parallel, isotropic, and
        ``split half``, the yardstick): `r2` (mean over splits of the held-out R^2), `r2_low` and
        `r2_high` (5 and 95 % of the splits), `pearson` (raw, a side figure), `parameter` (of the
        candidate chosen most often).
    """
    theta = np.nan_to_num(chosen.theta)
    kept = retain(kernel, theta, chosen.units)
    side = kernel.shape[-1]
    overlap, _ = overlap_of(filters, side)
    grid, processes = process_kernels(side)
    models: dict[str, list[np.ndarray]] = {
        name: [plant(one, grid, kept.theta, side) for one in kernels]
        for name, kernels in processes.items()
    }
    models[OVERLAP] = [overlap[kept.units][:, kept.units]]
    if contours is not None:
        counted = Grid(side=contours.shape[-1], n_theta=2 * len(contours))
        models["contours"] = [plant(contours.astype(np.float64), counted, kept.theta, side)]
    models |= {k: [v] for k, v in baseline_kernels(kept.theta, side).items()}
    everyone = np.arange(len(kept.units))
    scaled = {
        name: [rectify(same_units(one, everyone)) for one in candidates]
        for name, candidates in models.items()
    }
    found = compare_models(rectify(kept.kernel), kept.theta, scaled, n_splits=splits, seed=seed)
    names = {"direction": DIRECTION, "diffusion": DIFFUSION}
    rows: list[dict[str, Any]] = []
    for model, agreement in found.models.items():
        row = {"model": model, **_spread_of(agreement.r2), "pearson": agreement.pearson}
        if model in names:
            best = names[model][int(np.bincount(agreement.parameter).argmax())]
            row["parameter"] = ", ".join(f"{k} {v:g}" for k, v in best.items())
        rows.append(row)
    rows.append({"model": "split half", **_spread_of(found.split_half)})
    return pd.DataFrame(rows, columns=["model", "r2", "r2_low", "r2_high", "pearson", "parameter"])


def _spread_of(values: np.ndarray) -> dict[str, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return dict.fromkeys(("r2", "r2_low", "r2_high"), np.nan)
    low, high = np.quantile(finite, [0.05, 0.95])
    return {"r2": float(finite.mean()), "r2_low": float(low), "r2_high": float(high)}
