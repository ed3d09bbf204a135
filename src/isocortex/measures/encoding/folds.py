"""Folds: which presentations a model is fitted to and which it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError

Fold: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Row numbers of the training and of the test presentations."""

Folds: TypeAlias = int | Sequence[tuple[Any, Any]]
"""A number of random folds, or (train, test) index arrays."""

FEWEST = 3
"""Fewest presentations to train on or to test on: a correlation needs three."""


def k_fold(n: int, k: int, *, seed: int = 0) -> list[Fold]:
    """Divide `n` presentations at random into `k` test sets of equal size, give or take one.

    Parameters
    ----------
    n : int
        Presentations.
    k : int
        Folds, at least 2.
    seed : int
        Seed of the division.

    Returns
    -------
    list of (train, test)
        Sorted row numbers; every presentation is tested once.

    Raises
    ------
    UserError
        If a fold would train or test on fewer than three presentations.
    """
    if k < 2 or n // k < FEWEST:
        raise UserError(
            f"{k} folds of {n} stimuli: use 2 to {max(2, n // FEWEST)} folds, so that at least "
            f"{FEWEST} stimuli are tested in each; 6 stimuli is the fewest"
        )
    order = np.random.default_rng(seed).permutation(n)
    return _complements(n, [np.sort(part) for part in np.array_split(order, k)])


def group_k_fold(groups: Array, k: int, *, seed: int = 0) -> list[Fold]:
    """Divide presentations into `k` test sets so that no group is in two of them.

    Groups (an object's views, a session, a film) are dealt out in random order, large ones first,
    each to the fold that has the fewest presentations so far.

    Parameters
    ----------
    groups : array, shape (n,)
        Label of each presentation's group.
    k : int
        Folds, at least 2.
    seed : int
        Seed of the order of groups of equal size.

    Returns
    -------
    list of (train, test)
        Sorted row numbers; every presentation is tested once.

    Raises
    ------
    UserError
        If there are fewer than `k` groups, or a fold gets fewer than three presentations.
    """
    _, member, size = np.unique(_labels(groups), return_inverse=True, return_counts=True)
    if not 2 <= k <= len(size):
        raise UserError(f"{k} folds of {len(size)} groups: use 2 to {len(size)} folds")
    order = np.random.default_rng(seed).permutation(len(size))
    order = order[np.argsort(-size[order], kind="stable")]
    fold_of_group = np.empty(len(size), dtype=int)
    load = np.zeros(k, dtype=int)
    for group in order:
        fold_of_group[group] = load.argmin()
        load[load.argmin()] += size[group]
    fold = fold_of_group[member]
    folds = _complements(len(fold), [np.flatnonzero(fold == i) for i in range(k)])
    return as_folds(folds, len(fold))


def stratified_shuffle(
    labels: Array, n_splits: int = 10, *, test_share: float = 0.1, seed: int = 0
) -> list[Fold]:
    """Draw independent random splits in which every label keeps its share of the test set.

    Parameters
    ----------
    labels : array, shape (n,)
        Label (object, category) of each presentation; one label for all gives plain shuffles.
    n_splits : int
        Splits.
    test_share : float
        Share of the presentations to test on; ``ceil(test_share * n)`` are tested.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of (train, test)
        Sorted row numbers. A presentation may be tested in several splits or in none.

    Raises
    ------
    UserError
        If the share is not between 0 and 1, or leaves fewer than three presentations on one side.
    """
    strata = _labels(labels)
    n = len(strata)
    if n_splits < 1 or not 0 < test_share < 1:
        raise UserError(
            f"need n_splits >= 1 and 0 < test_share < 1, not {n_splits} and {test_share}"
        )
    _, member, size = np.unique(strata, return_inverse=True, return_counts=True)
    n_test = int(np.ceil(test_share * n - 1e-9))
    rng = np.random.default_rng(seed)
    folds = []
    for _ in range(n_splits):
        exact = n_test * size / n
        taken = np.floor(exact + 1e-9).astype(int)
        # What rounding left over goes to the largest remainders, ties at random.
        remainder = np.round(exact - taken, 9) + 1e-10 * rng.random(len(size))
        taken[np.argsort(-remainder)[: n_test - taken.sum()]] += 1
        order = rng.permutation(n)
        order = order[np.argsort(member[order], kind="stable")]
        rank = np.arange(n) - np.repeat(np.cumsum(size) - size, size)
        test = np.sort(order[rank < np.repeat(taken, size)])
        folds += _complements(n, [test])
    return as_folds(folds, n)


def as_folds(
    folds: Folds, n: int, *, groups: Array | None = None, seed: int = 0, what: str = "folds"
) -> list[Fold]:
    """Turn what a user may write for `folds` into checked (train, test) index arrays.

    Parameters
    ----------
    folds : int or sequence of (train, test)
        A number of random folds (`k_fold`, or `group_k_fold` where there are groups), or row
        numbers.
    n : int
        Presentations.
    groups : array, shape (n,), optional
        Presentations of one group never stand on both sides of a fold.
    seed : int
        Seed of random folds.
    what : str
        Name of the argument, for the message.

    Returns
    -------
    list of (train, test)
        int64 row numbers.

    Raises
    ------
    UserError
        For no folds; row numbers that do not exist, repeat, or are in train and test at once;
        fewer than three on one side; a group on both sides.
    """
    if isinstance(folds, int | np.integer):
        if groups is None:
            return k_fold(n, int(folds), seed=seed)
        return group_k_fold(groups, int(folds), seed=seed)
    checked = []
    for i, fold in enumerate(folds):
        if len(fold) != 2:
            raise UserError(f"{what}[{i}] must be a pair (train, test) of row numbers")
        train, test = (_rows(rows, n, f"{what}[{i}]") for rows in fold)
        both = np.intersect1d(train, test)
        if len(both):
            raise UserError(
                f"{what}[{i}]: row {both[0]} is in train and in test; take it out of one"
            )
        if min(len(train), len(test)) < FEWEST:
            raise UserError(
                f"{what}[{i}] trains on {len(train)} and tests on {len(test)} stimuli; give at "
                f"least {FEWEST} each, with fewer or larger folds"
            )
        checked.append((train, test))
    if not checked:
        raise UserError(f"{what} is empty; give a number or (train, test) row numbers")
    if groups is not None:
        _check_groups(checked, _labels(groups), what)
    return checked


def _check_groups(folds: list[Fold], groups: np.ndarray, what: str) -> None:
    for i, (train, test) in enumerate(folds):
        shared = np.intersect1d(groups[train], groups[test])
        if len(shared):
            raise UserError(
                f"{what}[{i}]: group {shared[0]!s} is trained on and tested; use group_k_fold"
            )


def _rows(rows: Any, n: int, where: str) -> np.ndarray:
    index = np.asarray(rows.cpu() if isinstance(rows, Tensor) else rows)
    if index.ndim != 1 or (len(index) and not np.issubdtype(index.dtype, np.integer)):
        raise UserError(f"{where} must hold row numbers, one axis of integers")
    index = index.astype(np.int64)
    if len(index) and (index.min() < 0 or index.max() >= n):
        raise UserError(f"{where} names a row outside 0 to {n - 1}, the stimuli there are")
    if len(np.unique(index)) < len(index):
        raise UserError(f"{where} names a row twice; give each stimulus once")
    return index


def _labels(labels: Array) -> np.ndarray:
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if array.ndim != 1:
        raise UserError(f"labels of stimuli must have shape (n,), not {array.shape}")
    return array


def _complements(n: int, tests: Sequence[np.ndarray]) -> list[Fold]:
    return [(np.setdiff1d(np.arange(n), test, assume_unique=True), test) for test in tests]
