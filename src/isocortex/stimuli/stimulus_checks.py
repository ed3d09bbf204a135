"""What a stimulus set refuses: each check says in one line what is wrong and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from torch import Tensor

from isocortex.errors import UserError

Selection: TypeAlias = "slice | Sequence[int] | Sequence[bool] | np.ndarray | pd.Series"
"""What picks stimuli: a slice, whole numbers, or one boolean per stimulus."""

FILE_COLUMN = "image_file"
"""Column that saving adds to the CSV for the PNG of a row; no set may use it."""

_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_range(images: Tensor, ids: Sequence[str] | np.ndarray) -> None:
    """Raise `UserError` naming the first of images (n, ...) that has a NaN or leaves [0, 1]."""
    if images.numel() == 0 or bool((images.amin() >= 0) & (images.amax() <= 1)):
        return
    flat = images.flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    bad = int((~((low >= 0) & (high <= 1))).nonzero()[0])
    if bool(flat[bad].isnan().any()):
        raise UserError(f"stimulus {ids[bad]!r} has NaN pixels; pixels must be numbers in [0, 1]")
    raise UserError(
        f"stimulus {ids[bad]!r} has pixels from {float(low[bad]):.6g} to {float(high[bad]):.6g}; "
        "scale or clip them to [0, 1]"
    )


def positions(selection: Selection, n: int) -> np.ndarray:
    """Return the non-negative positions that a selection picks out of `n`."""
    if isinstance(selection, slice):
        return np.arange(n)[selection]
    picks = np.asarray(selection)
    if picks.ndim == 1 and picks.dtype == bool:
        if len(picks) != n:
            raise UserError(f"the mask has {len(picks)} entries for {n} stimuli; give one each")
        return np.flatnonzero(picks)
    if picks.ndim != 1 or (picks.size and not np.issubdtype(picks.dtype, np.integer)):
        raise UserError(
            "pick stimuli by a slice, a list of whole numbers or a boolean mask, "
            f"not {type(selection).__name__} {selection!r:.40}; go through all with .batches(size)"
        )
    picks = picks.astype(np.int64)
    outside = (picks < -n) | (picks >= n)
    if outside.any():
        raise UserError(f"there is no stimulus {picks[outside][0]} in a set of {n}")
    return picks % max(n, 1)


def checked_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with unique text ids, plain columns and rows numbered from 0."""
    if not isinstance(table, pd.DataFrame) or "stimulus_id" not in table:
        raise UserError("the table of a stimulus set needs a column 'stimulus_id'; add it")
    for column in table.columns:
        if not isinstance(column, str) or not _COLUMN_NAME.fullmatch(column):
            raise UserError(
                f"column {column!r} is not lower_snake_case; rename it, for instance to "
                f"{re.sub(r'[^a-z0-9]+', '_', str(column).lower()).strip('_') or 'name'!r}"
            )
        if column == FILE_COLUMN:
            raise UserError(f"column {column!r} is written by save(); rename or drop yours")
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise UserError(f"column {repeated[0]!r} occurs twice; rename one")
    table = table.reset_index(drop=True)
    for column in table.columns:
        dtype = table[column].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            table[column] = table[column].astype(dtype.categories.dtype)
    ids = table["stimulus_id"]
    if ids.isna().any():
        raise UserError(f"row {int(ids.isna().argmax())} has no stimulus_id; give each row one")
    table["stimulus_id"] = ids.astype(str)
    twice = table["stimulus_id"].duplicated()
    if twice.any():
        raise UserError(
            f"stimulus_id {table['stimulus_id'][twice].iloc[0]!r} occurs more than once; "
            "ids must be unique"
        )
    return table


def checked_degrees(degrees: float | None) -> float | None:
    """Return a visual angle that is positive, or None."""
    if degrees is None:
        return None
    if not (np.isfinite(degrees) and degrees > 0):
        raise UserError(f"degrees is {degrees}, but a visual angle is a positive number or None")
    return float(degrees)


def checked_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (c, h, w) of grey or RGB images."""
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape) < 1:
        raise UserError(
            f"images of shape {tuple(shape)} cannot be shown; (c, h, w) is needed, with "
            "c = 1 for grey or 3 for RGB"
        )
    c, h, w = (int(s) for s in shape)
    return c, h, w
