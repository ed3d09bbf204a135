"""Least squares against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from isocortex.errors import UserError
from isocortex.measures import encoding

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)) + 10
Y = X @ RNG.normal(size=(6, 3)) + RNG.normal(size=(40, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_are_those_of_scikit_learn(dtype: type) -> None:
    x, y = X.astype(dtype), Y.astype(dtype)
    result = encoding.ols_cv(x, y, folds=4)
    for predicted, (train, test) in zip(result.fold_predictions, result.folds, strict=True):
        expected = LinearRegression().fit(X[train], Y[train]).predict(X[test])
        np.testing.assert_allclose(predicted, expected, rtol=1e-3 if dtype is np.float32 else 1e-9)
    tensors = encoding.ols_cv(torch.from_numpy(x), torch.from_numpy(y), folds=4)
    np.testing.assert_array_equal(tensors.predictions.numpy(), result.predictions)
    assert result.alphas is None


def test_dependent_and_constant_features_change_nothing() -> None:
    wide = np.column_stack([X, X[:, :2] * 3, np.ones((40, 40))])
    result = encoding.ols_cv(wide, Y, folds=4, score="r2")
    plain = encoding.ols_cv(X, Y, folds=4, score="r2")
    np.testing.assert_allclose(result.predictions, plain.predictions, rtol=1e-8)
    np.testing.assert_allclose(result.scores, plain.scores, rtol=1e-8)
    assert result.n_constant_features == 40


@given(st.integers(0, 99), st.integers(1, 6), st.floats(0.01, 100.0))
def test_no_change_of_basis_changes_predictions(seed: int, p: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, p)), rng.normal(size=(30, 2))
    q, _ = np.linalg.qr(rng.normal(size=(p, p)))
    basis = scale * q @ np.diag(rng.uniform(0.5, 2.0, p))
    before, after = (
        encoding.ols_cv(z, y, folds=3).predictions for z in (x, x @ basis + rng.normal(size=p))
    )
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-8)


def test_noise_and_permuted_presentations_are_at_chance() -> None:
    x = RNG.normal(size=(200, 8))
    y = x @ RNG.normal(size=(8, 100)) + RNG.normal(size=(200, 100))
    assert encoding.ols_cv(x, y, folds=5).scores.mean() > 0.8
    noise = encoding.ols_cv(x, RNG.normal(size=y.shape), folds=5).scores
    assert abs(noise.mean()) < 0.05
    chance = [encoding.ols_cv(x, RNG.permutation(y), folds=5).scores.mean() for _ in range(20)]
    assert abs(np.mean(chance)) < 3 * np.std(chance) / np.sqrt(20) + 0.02


def test_too_many_features() -> None:
    with pytest.raises(UserError, match=r"30 stimuli, too few for 29 features.*ridge_cv"):
        encoding.ols_cv(RNG.normal(size=(40, 29)), Y, folds=4)
