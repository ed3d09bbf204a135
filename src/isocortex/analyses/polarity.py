"""Lateral connections of odd filters by relative direction, with polarity (specification 4.4, A4).

The direction of an odd filter runs along its contour with the bright side on the right, over 360
degrees; an even filter has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from isocortex.analyses.lateral import LEARNED, OVERLAP, Units, overlap_of, same_units
from isocortex.errors import UserError
from isocortex.measures.lateral import displacements, group_kernel, positions, rectify, retain
from isocortex.measures.receptive_fields.gabor_fit import is_odd, odd_direction

N_DIRECTIONS = 16
_WEDGE = 22.5
COLUMNS = ["what", "direction", "strength", "along", "across", "n_units"]


def directions(theta: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Return the direction of odd filters in degrees, NaN for even ones.

    Parameters
    ----------
    theta, phase : numpy.ndarray
        (F,) contour orientation and phase of Gabors, in degrees (`measures.receptive_fields`).

    Returns
    -------
    numpy.ndarray
        (F,) in [0, 360): the bright side lies on the right.
    """
    return np.where(is_odd(phase), odd_direction(theta, phase), np.nan)


def polarity_table(
    kernel: np.ndarray,
    filters: np.ndarray,
    chosen: Units,
    *,
    references: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Measure the positive part of a kernel by relative direction among odd filters.

    Parameters
    ----------
    kernel : numpy.ndarray
        (F, F, side, side), signed.
    filters : numpy.ndarray
        (F, s, s) or (F, C, s, s); their overlap is measured beside.
    chosen : Units
        With phases.
    references : dict of str to numpy.ndarray, optional
        Other kernels of the same shape.

    Returns
    -------
    pandas.DataFrame
        By `what` and relative `direction` (0, 22.5, ... degrees; 180 is the other polarity of the
        same orientation): `strength`, the mean of kappa over the disc, and `along` and `across`,
        the same within 22.5 degrees of the contour's axis and of the axis across it; each over the
        mean strength of all directions. `n_units` odd units. Empty where they are fewer than three.
    """
    if chosen.phase is None:
        raise UserError("polarity needs the phases of the Gabors; give them with the units")
    turn = directions(np.asarray(chosen.theta, dtype=float), np.asarray(chosen.phase, dtype=float))
    odd = chosen.units[np.isfinite(turn[chosen.units])]
    try:
        kept = retain(kernel, np.nan_to_num(turn), odd)
    except UserError:
        return pd.DataFrame(columns=COLUMNS)
    overlap, _ = overlap_of(filters, kernel.shape[-1])
    others = {OVERLAP: overlap} | dict(references or {})
    kernels = {LEARNED: kept.kernel} | {k: same_units(v, kept.units) for k, v in others.items()}
    side = kernel.shape[-1]
    x, y = displacements(side)
    disc = positions(side, r_min=0.5)
    angle = np.rad2deg(np.arctan2(np.abs(y), np.abs(x)))
    regions = {
        "strength": disc,
        "along": disc & (angle <= _WEDGE),
        "across": disc & (angle >= 90 - _WEDGE),
    }
    parts = []
    for what, values in kernels.items():
        found = group_kernel(rectify(values), kept.theta, n_alpha=N_DIRECTIONS, polarity=True)
        means = {k: found.kappa[:, mask].mean(axis=1) for k, mask in regions.items()}
        scale = means["strength"].mean()
        scale = scale if scale > 0 else np.nan
        table = pd.DataFrame({k: v / scale for k, v in means.items()})
        table.insert(0, "what", what)
        table.insert(1, "direction", found.alpha)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    table["n_units"] = len(kept.units)
    return table
