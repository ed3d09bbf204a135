"""RDMs against scipy and loops over pairs, and the properties of each metric."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.covariance import ledoit_wolf

from isocortex.errors import UserError
from isocortex.measures.similarity import METRICS, condensed, noise_precision, rdm, square

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 7, 12)) + 1.0
PEERS = {"correlation": "correlation", "cosine": "cosine", "euclidean": "euclidean"}


def slow_crossnobis(x: np.ndarray, precision: np.ndarray) -> np.ndarray:
    repetitions, n, p = x.shape
    out = np.zeros((n, n))
    for i, j in itertools.product(range(n), repeat=2):
        terms = [
            (x[r, i] - x[r, j]) @ precision @ (x[s, i] - x[s, j]) / p
            for r, s in itertools.permutations(range(repetitions), 2)
        ]
        out[i, j] = np.mean(terms)
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", PEERS)
def test_rdm_as_in_scipy(metric: str, dtype: type) -> None:
    result = rdm(X.astype(dtype), metric)
    assert result.dtype == dtype
    for x, d in zip(X, result, strict=True):
        np.testing.assert_allclose(d, squareform(pdist(x, PEERS[metric])), atol=3e-6)
    assert isinstance(rdm(torch.from_numpy(X), metric), torch.Tensor)


def test_squared_euclidean_is_a_mean_over_neuroids() -> None:
    expected = squareform(pdist(X[0], "sqeuclidean")) / X.shape[-1]
    np.testing.assert_allclose(rdm(X[0], "squared_euclidean"), expected, atol=1e-12)


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "crossnobis"])
def test_a_gram_is_enough(metric: str) -> None:
    x = X - X.mean(axis=-1, keepdims=True) if metric == "correlation" else X
    x = x / np.sqrt(x.shape[-1]) if metric == "squared_euclidean" else x
    by_gram = rdm(x @ x.swapaxes(-1, -2), metric, gram=True)
    np.testing.assert_allclose(by_gram, rdm(X, metric), atol=1e-7)


@given(st.integers(0, 30), st.sampled_from(METRICS))
def test_invariances(seed: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 5, 6)) if metric == "crossnobis" else rng.normal(size=(5, 6))
    d = rdm(x, metric)
    np.testing.assert_allclose(d, d.T, atol=1e-12)
    assert (np.diag(d) == 0).all()
    order = rng.permutation(5)
    np.testing.assert_allclose(rdm(x[..., order, :], metric), d[order][:, order], atol=1e-9)
    np.testing.assert_allclose(rdm(x[..., rng.permutation(6)], metric), d, atol=1e-9)
    power = {"correlation": 0, "cosine": 0, "euclidean": 1}.get(metric, 2)
    np.testing.assert_allclose(rdm(3 * x, metric), 3**power * d, atol=1e-9)
    if metric == "correlation":
        np.testing.assert_allclose(rdm(x + 2.0, metric), d, atol=1e-9)
    else:
        rotation = stats.ortho_group.rvs(6, random_state=seed)
        np.testing.assert_allclose(rdm(x @ rotation, metric), d, atol=1e-9)


@pytest.mark.parametrize("whitened", [False, True])
def test_crossnobis_by_pairs_of_repetitions(whitened: bool) -> None:
    x = RNG.normal(size=(4, 5, 6)) + RNG.normal(size=(5, 6))
    precision = noise_precision(x) if whitened else np.eye(6)
    result = rdm(x, "crossnobis", precision=precision if whitened else None)
    np.testing.assert_allclose(result, slow_crossnobis(x, precision), atol=1e-10)
    batch = rdm(np.stack([x, 2 * x]).astype(np.float32), "crossnobis", precision=precision)
    np.testing.assert_allclose(batch, np.stack([result, 4 * result]), rtol=1e-4, atol=1e-4)


def test_crossnobis_is_unbiased() -> None:
    rng = np.random.default_rng(1)
    signal = np.zeros((2, 20))
    signal[1] = 0.5
    x = signal + rng.normal(size=(4000, 3, 2, 20))
    assert rdm(x, "crossnobis")[:, 0, 1].mean() == pytest.approx(0.25, abs=0.01)
    naive = rdm(x.mean(axis=1), "squared_euclidean")[:, 0, 1].mean()
    assert naive == pytest.approx(0.25 + 2 / 3, abs=0.02)


def test_noise_precision_is_ledoit_and_wolf() -> None:
    x = RNG.normal(size=(5, 8, 6)) @ RNG.normal(size=(6, 6))
    residuals = (x - x.mean(axis=0)).reshape(-1, 6)
    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    expected = np.linalg.inv(covariance * 40 / 32)
    np.testing.assert_allclose(noise_precision(x), expected, rtol=1e-9)
    assert np.isnan(noise_precision(np.ones((2, 3, 4)))).all()
    assert np.isfinite(noise_precision(RNG.normal(size=(2, 3, 40)))).all()


def test_crossnobis_of_an_undefined_presentation_is_nan() -> None:
    x = RNG.normal(size=(2, 5, 6))
    x[1, 3, 2] = np.nan
    d = rdm(x, "crossnobis")
    assert np.isnan(d[3]).all()
    assert np.isfinite(d[:3, :3]).all()


@pytest.mark.parametrize("metric", ["correlation", "cosine", "euclidean"])
def test_undefined_presentations_are_nan(metric: str) -> None:
    x = X[0].copy()
    x[2] = 0.0
    x[4, 1] = np.nan
    d = rdm(x, metric)
    bad = np.isnan(d).all(axis=0)
    expected = {4} if metric == "euclidean" else {2, 4}
    assert set(np.flatnonzero(bad)) == expected
    assert np.isfinite(d[np.ix_([0, 1, 3], [0, 1, 3])]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_upper_triangle_row_by_row(dtype: type) -> None:
    d = rdm(X.astype(dtype))
    vector = condensed(d)
    assert vector.shape == (3, 21)
    assert vector.dtype == dtype
    np.testing.assert_array_equal(vector[1], squareform(d[1], checks=False))
    np.testing.assert_array_equal(square(vector), d)
    assert isinstance(square(torch.from_numpy(vector)), torch.Tensor)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="RDM metric 'corelation'"):
        rdm(X, "corelation")
    with pytest.raises(UserError, match="two or more repetitions"):
        rdm(X[:1], "crossnobis")
    with pytest.raises(UserError, match="repetitions, presentations"):
        rdm(X[0], "crossnobis")
    with pytest.raises(UserError, match="not a Gram"):
        rdm(X[0] @ X[0].T, "crossnobis", gram=True)
    with pytest.raises(UserError, match="precision is for"):
        rdm(X, "cosine", precision=np.eye(12))
    with pytest.raises(UserError, match=r"\(12, 12\)"):
        rdm(X, "crossnobis", precision=np.eye(3))
    with pytest.raises(UserError, match="with neuroids"):
        rdm(X[..., :0])
    with pytest.raises(UserError, match="must be square"):
        condensed(X)
    with pytest.raises(UserError, match="upper triangle"):
        square(np.ones(4))
    with pytest.raises(UserError, match="repetitions >= 2"):
        noise_precision(X[0])
