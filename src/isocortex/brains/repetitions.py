"""Trials in a long list, one row each, as one array with an axis of repetitions."""

from __future__ import annotations

import numpy as np


def stacked(
    values: np.ndarray, cell: np.ndarray, n_cells: int, most: int | None = None
) -> np.ndarray:
    """Arrange trials by what they belong to.

    Parameters
    ----------
    values : numpy.ndarray, shape (trials, ...)
        One row a trial, in the order of recording.
    cell : int array, shape (trials,)
        What each trial belongs to, in ``range(n_cells)``.
    n_cells : int
        Number of cells.
    most : int, optional
        Keep at most so many trials of a cell, the first ones.

    Returns
    -------
    numpy.ndarray, shape (repetitions, n_cells, ...)
        NaN where a cell has fewer trials than the most; the order of recording is kept. Float32
        input stays float32, others become float64.
    """
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    count = np.bincount(cell, minlength=n_cells)
    order = np.argsort(cell, kind="stable")
    starts = np.cumsum(count) - count
    rank = np.arange(len(cell)) - np.repeat(starts, count)
    if most is not None:
        kept = rank < most
        order, rank = order[kept], rank[kept]
    out = np.full((int(rank.max(initial=-1)) + 1, n_cells, *values.shape[1:]), np.nan, dtype=dtype)
    out[rank, cell[order]] = values[order]
    return out
