"""Folds: every presentation in its place, groups whole, labels in proportion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.measures import encoding


def rows_tested(folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.concatenate([test for _, test in folds])


@given(st.integers(6, 60), st.integers(2, 12), st.integers(0, 5))
def test_k_fold_tests_each_presentation_once(n: int, k: int, seed: int) -> None:
    if n // k < 3:
        with pytest.raises(UserError, match=f"{k} folds of {n} stimuli"):
            encoding.k_fold(n, k, seed=seed)
        return
    folds = encoding.k_fold(n, k, seed=seed)
    assert sorted(rows_tested(folds)) == list(range(n))
    sizes = [len(test) for _, test in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(n))


def test_k_fold_is_random_by_its_seed() -> None:
    first, again, other = (rows_tested(encoding.k_fold(30, 3, seed=s)) for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert (first != np.arange(30)).any()


@given(st.lists(st.integers(0, 8), min_size=20, max_size=60), st.integers(2, 4))
def test_groups_stay_whole(groups: list[int], k: int) -> None:
    labels = np.array(groups)
    sizes = np.bincount(labels)
    try:
        folds = encoding.group_k_fold(labels, k)
    except UserError:
        assert (sizes > 0).sum() < k or sizes.max() > len(labels) - 3 * k - 8
        return
    assert sorted(rows_tested(folds)) == list(range(len(labels)))
    for train, test in folds:
        assert not set(labels[train]) & set(labels[test])


def test_groups_are_dealt_evenly() -> None:
    labels = np.repeat([f"object {i}" for i in range(20)], 9)
    assert [len(test) for _, test in encoding.group_k_fold(labels, 5)] == [36] * 5


@given(st.lists(st.integers(10, 25), min_size=1, max_size=5), st.floats(0.1, 0.5))
def test_stratified_shuffles_keep_the_shares(sizes: list[int], share: float) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(labels)
    if np.ceil(share * n) < 3:
        return
    folds = encoding.stratified_shuffle(labels, 4, test_share=share, seed=1)
    assert len({tuple(test) for _, test in folds}) > 1
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(n))
        assert len(test) == int(np.ceil(share * n - 1e-9))
        counts = np.bincount(labels[test], minlength=len(sizes))
        exact = len(test) * np.array(sizes) / n
        assert (np.abs(counts - exact) < 1 + 1e-9).all()


def test_stratified_shuffles_draw_every_presentation_alike() -> None:
    labels = np.repeat([0, 1], [60, 40])
    folds = encoding.stratified_shuffle(labels, 2000, test_share=0.1)
    share = np.bincount(rows_tested(folds), minlength=100) / 2000
    assert np.abs(share - 0.1).max() < 0.035


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
def test_given_rows(kind: type) -> None:
    folds = encoding.as_folds([(kind([0, 1, 2]), kind([3, 4, 5]))], 6)
    assert folds[0][1].tolist() == [3, 4, 5]
    assert folds[0][1].dtype == np.int64


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "folds is empty"),
        ([([0, 1, 2],)], r"folds\[0\] must be a pair"),
        ([([0, 1, 2], [2, 3, 4])], "row 2 is in train and in test"),
        ([([0, 1, 2], [3, 4, 9])], "outside 0 to 8"),
        ([([0, 1, 2], [3, 4, -1])], "outside 0 to 8"),
        ([([0, 1, 1], [3, 4, 5])], "a row twice"),
        ([([0, 1, 2], [3, 4])], "tests on 2 stimuli"),
        ([([0.0, 1.0, 2.0], [3, 4, 5])], "axis of integers"),
        (1, "1 folds of 9 stimuli"),
        (4, "4 folds of 9 stimuli: use 2 to 3"),
    ],
)
def test_impossible_folds(folds: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        encoding.as_folds(folds, 9)  # type: ignore[arg-type]


def test_groups_on_both_sides_are_refused() -> None:
    groups = np.array(["a", "a", "b", "b", "a", "c"])
    with pytest.raises(UserError, match="group a is trained on and tested"):
        encoding.as_folds([([0, 1, 2], [3, 4, 5])], 6, groups=groups[[0, 1, 2, 5, 4, 3]])
    with pytest.raises(UserError, match="4 folds of 3 groups"):
        encoding.as_folds(4, 6, groups=groups)
    with pytest.raises(UserError, match="test_share"):
        encoding.stratified_shuffle(groups, test_share=1.0)
    with pytest.raises(UserError, match=r"shape \(n,\)"):
        encoding.group_k_fold(np.zeros((3, 2)), 2)
