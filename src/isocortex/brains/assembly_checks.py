"""What an assembly refuses: each check says in one line what is wrong and how to mend it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocortex.errors import UserError


def floating(array: np.ndarray | None, ndim: int, name: str) -> np.ndarray | None:
    """Return numbers with `ndim` axes as float32 or float64; None stays None."""
    if array is None:
        return None
    array = np.asarray(array)
    if array.ndim != ndim or not (
        np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)
    ):
        axes = (
            "(presentations, neuroids)" if ndim == 2 else "(repetitions, presentations, neuroids)"
        )
        raise UserError(
            f"{name}: an array of {array.dtype} {array.shape} was given where numbers {axes} "
            "are needed; turn its axes"
        )
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def means(responses: np.ndarray | None, trials: np.ndarray | None, name: str) -> np.ndarray:
    """Return the given means, or those of the trials; NaN where nothing was shown."""
    if trials is None:
        if responses is None:
            raise UserError(f"{name}: give responses, trials, or both")
        return responses
    if responses is None:
        shown = np.isfinite(trials)
        count = shown.sum(axis=0)
        total = np.where(shown, trials, 0).sum(axis=0, dtype=np.float64)
        mean = total / np.where(count > 0, count, np.nan)
        return mean.astype(trials.dtype)
    if responses.shape != trials.shape[1:]:
        raise UserError(
            f"{name}: responses of shape {responses.shape} do not fit trials of shape "
            f"{trials.shape}; the last two axes must agree"
        )
    return responses


def with_ids(table: pd.DataFrame | None, n: int, key: str, what: str, name: str) -> pd.DataFrame:
    """Return the table with unique text ids in the first column and rows numbered from 0."""
    table = pd.DataFrame(index=range(n)) if table is None else table.reset_index(drop=True)
    if len(table) != n:
        raise UserError(f"{name}: {n} {what} but {len(table)} rows in their table; give one each")
    if key not in table:
        table.insert(0, key, [str(i) for i in range(n)])
    if table[key].isna().any():
        raise UserError(f"{name}: row {int(table[key].isna().argmax())} has no {key}; name it")
    table = table.assign(**{key: table[key].astype(str)})
    twice = table[key].duplicated()
    if twice.any():
        raise UserError(
            f"{name}: {key} {table[key][twice].iloc[0]!r} occurs twice; make ids unique"
        )
    return table[[key, *(c for c in table.columns if c != key)]]


def check_finite(
    responses: np.ndarray, units: pd.DataFrame, presentations: pd.DataFrame, name: str
) -> None:
    """Raise `UserError` naming the first response that is not a finite number."""
    bad = ~np.isfinite(responses)
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    raise UserError(
        f"{name}: the response of neuroid {units['neuroid_id'][column]!r} to stimulus "
        f"{presentations['stimulus_id'][row]!r} is not a number ({int(bad.any(axis=0).sum())} of "
        f"{bad.shape[1]} neuroids have such); leave these neuroids or stimuli out"
    )
