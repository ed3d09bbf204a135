"""The association field of a lateral kernel, beside that of the overlap of the filters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from isocortex.analyses.lateral import LEARNED, OVERLAP, Tables, Units, overlap_of
from isocortex.measures.lateral import (
    association_field,
    orientation_field,
    path_strength,
    positions,
    rectify,
    retain,
)

STEPS = 3


def association_tables(
    kernel: np.ndarray,
    filters: np.ndarray,
    chosen: Units,
    *,
    references: Mapping[str, np.ndarray] | None = None,
    name: str = LEARNED,
    against_overlap: bool = True,
) -> Tables:
    """Spread activity through a kernel from every chosen unit, and follow it.

    Parameters
    ----------
    kernel, filters, chosen, references, name, against_overlap
        As in `analyses.lateral.kernel_tables`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``association``: `what`, `axial_share`, `arc_rms` and `ray_rms` (px), `arc_gain`,
        `curvature` (1/px), `share_dropped`, means over starts. ``paths``: `what`, `turn` (deg),
        strength `aligned` with the path and `orthogonal` to it, relative to the mean over the disc.
        ``streamlines``: `what`, `start`, `line`, `point`, `x`, `y` for one start, the unit with
        the most strongly axial field. ``spread``: `what`, `x`, `y`, `activity`, `preferred`,
        `coherence`, the mean over starts.
    """
    theta = np.nan_to_num(chosen.theta)
    kept = retain(kernel, theta, chosen.units)
    kernels = {name: rectify(kept.kernel)}
    if against_overlap:
        overlap, _ = overlap_of(filters, kernel.shape[-1])
        kernels[OVERLAP] = rectify(retain(overlap, theta, kept.units).kernel)
    for what, other in (references or {}).items():
        kernels[what] = rectify(retain(other, theta, kept.units).kernel)
    summaries, paths, lines, spread = [], [], [], []
    for what, positive in kernels.items():
        field = association_field(positive, kept.theta, steps=STEPS)
        summaries.append({"what": what, **field.summary()})
        paths.append(_paths(what, field.kappa, field.alpha))
        share = np.nan_to_num(np.asarray(field.axial_share), nan=-1)
        start = int(share.argmax())
        lines.append(_lines(what, int(kept.units[start]), np.asarray(field.lines)[start]))
        spread.append(_spread(what, np.asarray(field.kappa), np.asarray(field.alpha)))
    return {
        "association": pd.DataFrame(summaries),
        "paths": pd.concat(paths, ignore_index=True),
        "streamlines": pd.concat(lines, ignore_index=True),
        "spread": pd.concat(spread, ignore_index=True),
    }


def _paths(what: str, kappa: np.ndarray, alpha: np.ndarray) -> pd.DataFrame:
    found = path_strength(kappa, alpha)
    away = positions(kappa.shape[-1], r_min=2)
    mean = float(kappa[:, away].mean())
    scale = mean if mean > 0 else np.nan
    return pd.DataFrame(
        {
            "what": what,
            "turn": found.turns,
            "aligned": np.asarray(found.aligned) / scale,
            "orthogonal": np.asarray(found.orthogonal) / scale,
        }
    )


def _lines(what: str, start: int, lines: np.ndarray) -> pd.DataFrame:
    number, point = np.nonzero(np.isfinite(lines[..., 0]))
    x, y = lines[number, point].T
    return pd.DataFrame(
        {"what": what, "start": start, "line": number, "point": point, "x": x, "y": y}
    )


def _spread(what: str, kappa: np.ndarray, alpha: np.ndarray) -> pd.DataFrame:
    field = orientation_field(kappa, alpha)
    inside = positions(kappa.shape[-1])
    row, column = np.nonzero(inside)
    c = (kappa.shape[-1] - 1) // 2
    return pd.DataFrame(
        {
            "what": what,
            "x": column - c,
            "y": c - row,
            "activity": kappa.sum(axis=0)[inside],
            "preferred": np.asarray(field.preferred)[inside],
            "coherence": np.asarray(field.coherence)[inside],
        }
    )
