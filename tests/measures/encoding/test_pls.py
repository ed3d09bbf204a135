"""Partial least squares against scikit-learn and against deflation written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cross_decomposition import PLSRegression

from isocortex.errors import UserError
from isocortex.measures import encoding
from isocortex.measures.encoding.pls import _root


def data(n: int, p: int, t: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets that share latent signals of clearly different strength."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 6)) * [8, 5, 3, 2, 1.2, 0.7]
    x = latent @ rng.normal(size=(6, p)) + rng.normal(size=(n, p)) + 20 * rng.normal(size=p)
    return x, latent @ rng.normal(size=(6, t)) + rng.normal(size=(n, t)) + 4


def slow_pls(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, n_components: int
) -> list[np.ndarray]:
    """Component by component, features and targets deflated, by a whole SVD each."""
    mean = y[train].mean(axis=0)
    a, b = x[train] - x[train].mean(axis=0), x[test] - x[train].mean(axis=0)
    residual, predicted, path = y[train] - mean, np.zeros((len(test), y.shape[1])), []
    for _ in range(n_components):
        w = np.linalg.svd(a.T @ residual, full_matrices=False)[0][:, 0]
        t, t_test = a @ w, b @ w
        x_loading, y_loading = (m.T @ t / (t @ t) for m in (a, residual))
        a, b = a - np.outer(t, x_loading), b - np.outer(t_test, x_loading)
        residual = residual - np.outer(t, y_loading)
        predicted = predicted + np.outer(t_test, y_loading)
        path.append(predicted + mean)
    return path


SHAPES = [(60, 200, 5), (80, 20, 6), (50, 45, 70), (40, 90, 60), (60, 100, 1)]


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_number_of_components_is_that_of_scikit_learn(
    shape: tuple[int, int, int], gram: bool
) -> None:
    x, y = data(*shape)
    for fold in encoding.k_fold(len(x), 4)[:2]:
        train, test = fold
        path = encoding.pls_path(x @ x.T if gram else x, y, fold, 10, gram=gram)
        slow = slow_pls(x, y, train, test, 10)
        np.testing.assert_allclose(path, slow, rtol=1e-7, atol=1e-7)
        for k in (1, 4, 10):
            model = PLSRegression(k, scale=False, tol=1e-14, max_iter=100_000)
            expected = model.fit(x[train], y[train]).predict(x[test]).reshape(len(test), -1)
            assert np.abs(path[k - 1] - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("gram", [False, True])
def test_cross_validated_predictions(gram: bool) -> None:
    x, y = data(48, 90, 7)
    folds = encoding.k_fold(48, 4)
    result = encoding.pls_cv(x @ x.T if gram else x, y, folds=folds, n_components=6, gram=gram)
    for (train, test), predicted in zip(folds, result.fold_predictions, strict=True):
        np.testing.assert_allclose(predicted, slow_pls(x, y, train, test, 6)[-1], rtol=1e-7)
        np.testing.assert_allclose(result.predictions[test], predicted)
    assert (result.n_components == 6).all()
    assert result.n_components.shape == (4, 7)


def test_the_choice_by_loops() -> None:
    x, y = data(45, 60, 5)
    y += np.array([0, 0, 10, 20, 40]) * np.random.default_rng(2).normal(size=y.shape)
    folds, counts = encoding.k_fold(45, 3, seed=1), [1, 3, 5, 8]
    result = encoding.pls_cv(x, y, folds=folds, n_components=counts, inner=3, seed=1)
    for f, (train, test) in enumerate(folds):
        errors = np.zeros((8, 5))
        for a, b in encoding.k_fold(30, 3, seed=1):
            for k, predicted in enumerate(slow_pls(x, y, train[a], train[b], 8)):
                errors[k] += ((predicted - y[train[b]]) ** 2).sum(axis=0)
        best = np.array(counts)[errors[np.array(counts) - 1].argmin(axis=0)]
        np.testing.assert_array_equal(result.n_components[f], best)
        path = slow_pls(x, y, train, test, 8)
        for t in range(5):
            np.testing.assert_allclose(
                result.fold_predictions[f][:, t], path[best[t] - 1][:, t], rtol=1e-7
            )
    assert len(np.unique(result.n_components)) > 1


def test_the_reported_fold_is_never_seen() -> None:
    x, y = data(40, 60, 4)
    fold = encoding.k_fold(40, 4)[0]
    first = encoding.pls_cv(x, y, folds=[fold], n_components=[1, 2, 4])
    x[fold[1][1:]] *= 5
    y[fold[1]] = 100 * np.random.default_rng(1).normal(size=(10, 4))
    second = encoding.pls_cv(x, y, folds=[fold], n_components=[1, 2, 4])
    np.testing.assert_array_equal(first.n_components, second.n_components)
    np.testing.assert_allclose(second.fold_predictions[0][0], first.fold_predictions[0][0])


@given(st.integers(15, 30), st.integers(6, 50), st.floats(0.01, 100.0), st.integers(0, 99))
def test_rotation_shift_and_common_scale_of_features(
    n: int, p: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = data(n, p, 4, seed)
    q, _ = np.linalg.qr(rng.normal(size=(p, p)))
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    first = encoding.pls_cv(x, y, folds=3, n_components=3)
    second = encoding.pls_cv(
        scale * (x @ q + rng.normal(size=p)), y @ turn, folds=3, n_components=3
    )
    np.testing.assert_allclose(second.predictions, first.predictions @ turn, rtol=1e-4, atol=1e-4)


def test_all_components_are_least_squares() -> None:
    x, y = data(60, 8, 5)
    train, test = encoding.k_fold(60, 3)[0]
    design = np.column_stack([np.ones(60), x])
    weights, *_ = np.linalg.lstsq(design[train], y[train], rcond=None)
    path = encoding.pls_path(x, y, (train, test), 8)
    np.testing.assert_allclose(path[-1], design[test] @ weights, rtol=1e-8)


@pytest.mark.parametrize("wide", [False, True])
def test_what_is_explained_wholly_needs_no_more_components(wide: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 30))
    y = x[:, :3] @ rng.normal(size=(3, 50 if wide else 2))
    path = encoding.pls_path(x, y, encoding.k_fold(40, 4)[0], 25)
    assert np.isfinite(path).all()
    twice = np.concatenate([x[:, :2], x[:, :2], x[:, :2]], axis=1)  # rank 2 in 6 dimensions
    path = encoding.pls_path(twice, y, encoding.k_fold(40, 4)[0], 6)
    np.testing.assert_allclose(path[2:], np.broadcast_to(path[1], path[2:].shape), rtol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_digits_last_over_many_components(wide: bool) -> None:
    # What is left to explain becomes so small that differences of squares would lose digits.
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(60, 12)))
    right, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    x = left @ right
    y = (left * 10.0 ** -np.arange(12)) @ rng.normal(size=(12, 30 if wide else 8))
    train, test = encoding.k_fold(60, 4)[0]
    path = encoding.pls_path(x, y, (train, test), 11)
    slow = np.array(slow_pls(x, y, train, test, 11))
    for step, true in zip(np.diff(path, axis=0), np.diff(slow, axis=0), strict=True):
        np.testing.assert_allclose(step, true, rtol=0, atol=5e-12 * np.abs(true).max())


def test_noise_and_permuted_labels_are_at_chance() -> None:
    x, y = data(120, 100, 40)
    rng = np.random.default_rng(3)
    assert encoding.pls_cv(x, y, folds=5, n_components=6).scores.mean() > 0.8
    noise = rng.normal(size=(120, 300))
    assert abs(encoding.pls_cv(x, noise, folds=5, n_components=6).scores.mean()) < 0.03
    chance = [
        encoding.pls_cv(x, rng.permutation(y), folds=5, n_components=6).scores.mean()
        for _ in range(20)
    ]
    assert abs(np.mean(chance)) < 3 * np.std(chance) / np.sqrt(20) + 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinds_and_precisions(dtype: type) -> None:
    x, y = data(40, 100, 5)
    exact = encoding.pls_cv(x, y, folds=4, n_components=4)
    x, y = x.astype(dtype), y.astype(dtype)
    result = encoding.pls_cv(x, y, folds=4, n_components=4)
    tensors = encoding.pls_cv(torch.from_numpy(x), torch.from_numpy(y), folds=4, n_components=4)
    assert result.predictions.dtype == result.scores.dtype == result.n_components.dtype == dtype
    assert isinstance(tensors.predictions, torch.Tensor)
    np.testing.assert_array_equal(tensors.predictions.numpy(), result.predictions)
    tolerance = 1e-3 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(result.predictions, exact.predictions, rtol=tolerance, atol=1e-3)


def test_constant_targets_change_nothing_and_are_counted() -> None:
    x, y = data(40, 60, 5)
    alone = encoding.pls_cv(x, y, folds=4, n_components=4)
    beside = encoding.pls_cv(x, np.column_stack([np.ones(40), y]), folds=4, n_components=4)
    assert beside.n_constant_targets == 1
    assert np.isnan(beside.predictions[:, 0]).all()
    np.testing.assert_allclose(beside.predictions[:, 1:], alone.predictions)
    nothing = encoding.pls_cv(x, np.ones((40, 2)), folds=4, n_components=[1, 4])
    assert nothing.n_constant_targets == 2
    assert np.isnan(nothing.scores).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 0}, "must be 1 or more"),
        ({"n_components": []}, "must be 1 or more"),
        ({"n_components": 30}, "30 components of 30 training stimuli.*at most 10"),
        ({"n_components": [2, 11]}, "at most 10"),
        ({"folds": 30}, "30 folds of 40"),
    ],
)
def test_mistakes(change: dict, message: str) -> None:
    x, y = data(40, 10, 3)
    with pytest.raises(UserError, match=message):
        encoding.pls_cv(x, y, **{"folds": 4, "n_components": 3, **change})


@pytest.mark.gpu
def test_cuda_agrees() -> None:
    x, y = (torch.from_numpy(a) for a in data(60, 200, 8))
    here = encoding.pls_cv(x, y, folds=4, n_components=5)
    there = encoding.pls_cv(x.cuda(), y.cuda(), folds=4, n_components=5)
    assert there.predictions.is_cuda
    np.testing.assert_allclose(there.predictions.cpu(), here.predictions, rtol=1e-7)


@pytest.mark.parametrize("rank", [0, 3, 20])
def test_a_gram_of_low_rank_has_a_root_with_as_many_columns(rank: int) -> None:
    x = torch.from_numpy(np.random.default_rng(rank).standard_normal((20, rank)))
    root = _root(x @ x.T)
    assert root.shape == (20, rank)
    torch.testing.assert_close(root @ root.T, x @ x.T)
