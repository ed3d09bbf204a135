"""Labels of presentations: folds in which each has its share, permutations that respect folds."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import Fold, as_folds


def as_numpy(x: Array) -> np.ndarray:
    """Return an array of any kind, labels too, as numpy."""
    return np.asarray(x.cpu() if isinstance(x, Tensor) else x)


def stratified_k_fold(labels: Array, k: int, *, seed: int = 0) -> list[Fold]:
    """Divide presentations at random into `k` test sets in which every label has its share.

    Parameters
    ----------
    labels : array, shape (n,)
        Category of each presentation.
    k : int
        Folds, at least 2.
    seed : int
        Seed of the division.

    Returns
    -------
    list of (train, test)
        Sorted row numbers; every presentation is tested once. Counts of a label differ by at most
        one between folds.

    Raises
    ------
    UserError
        If there are fewer than 2 folds, or fewer than three presentations in one.
    """
    names = as_numpy(labels)
    n = len(names)
    if k < 2:
        raise UserError(f"{k} folds: use 2 or more")
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(np.unique(names, return_inverse=True)[1][order], kind="stable")]
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % k
    return as_folds([(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)], n)


def permutations(
    targets: np.ndarray, folds: list[Fold], groups: np.ndarray | None, count: int, seed: int
) -> np.ndarray:
    """Draw permutations of targets that keep what can be exchanged.

    Parameters
    ----------
    targets : numpy.ndarray, shape (n,) or (n, t)
        What each presentation carries.
    folds : list of (train, test)
        Where every presentation is tested once, and every test set holds different targets, the
        targets stay in their test set, so that folds keep their balance.
    groups : numpy.ndarray, shape (n,), optional
        Targets that are constant in each group move with it; others stay in their group.
    count : int
        Permutations.
    seed : int
        Seed of the draws.

    Returns
    -------
    numpy.ndarray, shape (count, n)
        Number of the row whose target each presentation gets. With groups of different sizes
        these repeat some rows: groups get the target of another group.
    """
    n = len(targets)
    rng = np.random.default_rng([seed, 1])
    code = np.unique(targets.reshape(n, -1), axis=0, return_inverse=True)[1].reshape(-1)
    unit, block = np.arange(n), np.zeros(n, dtype=int)
    if groups is not None:
        member = np.unique(groups, return_inverse=True)[1]
        if len(np.unique(np.stack([member, code]), axis=1).T) > member.max() + 1:
            return _within(member, count, rng)
        unit = member
    times = np.zeros(n, dtype=int)
    for i, (_, test) in enumerate(folds):
        times[test] += 1
        block[test] = i
    mixed = all(len(np.unique(code[test])) > 1 for _, test in folds)
    if not ((times == 1).all() and mixed):
        block[:] = 0
    _, first, row = np.unique(unit, return_index=True, return_inverse=True)
    return first[_within(block[first], count, rng)][:, row]


def _within(block: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Permute rows inside each block, shape (count, rows)."""
    places = np.argsort(block, kind="stable")
    drawn = np.argsort(block + rng.random((count, len(block))), axis=1)
    orders = np.empty_like(drawn)
    orders[:, places] = drawn
    return orders
