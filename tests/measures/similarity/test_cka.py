"""CKA, Procrustes and dimensionality against formulas written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import procrustes as scipy_procrustes

from isocortex.errors import UserError
from isocortex.measures.dimensionality import participation_ratio
from isocortex.measures.similarity import cka_matrix, gram, linear_cka, procrustes

DTYPES = [np.float32, np.float64]


def responses(n: int, p: int, seed: int = 0, rank: int | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if rank is None:
        return rng.normal(size=(n, p)) + rng.normal(size=p)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, p))


def hsic(k: np.ndarray, l_: np.ndarray, debiased: bool) -> float:
    """Biased: sum over the centred matrices; unbiased: the formula of Song et al. (2012)."""
    n = len(k)
    if not debiased:
        h = np.eye(n) - 1 / n
        return float(np.trace(h @ k @ h @ l_))
    k, l_ = k - np.diag(np.diag(k)), l_ - np.diag(np.diag(l_))
    one = np.ones(n)
    cross = (one @ k @ one) * (one @ l_ @ one) / ((n - 1) * (n - 2))
    return float((np.trace(k @ l_) + cross - 2 / (n - 2) * (one @ k @ l_ @ one)) / (n * (n - 3)))


def slow_cka(x: np.ndarray, y: np.ndarray, debiased: bool) -> float:
    k, l_ = x @ x.T, y @ y.T
    both = hsic(k, k, debiased) * hsic(l_, l_, debiased)
    return hsic(k, l_, debiased) / np.sqrt(both)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("debiased", [False, True])
def test_cka_is_its_formula(debiased: bool, dtype: type) -> None:
    x = responses(12, 30)
    y = x[:, :7] + responses(12, 7, 1)
    expected = slow_cka(x, y, debiased)
    result = linear_cka(x.astype(dtype), y.astype(dtype), debiased=debiased)
    assert result.dtype == dtype
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    assert result == pytest.approx(expected, abs=tolerance)
    k, l_ = (x @ x.T).astype(dtype), (y @ y.T).astype(dtype)
    by_gram = linear_cka(k, l_, debiased=debiased, gram=True)
    assert by_gram == pytest.approx(expected, abs=tolerance)
    tensor = linear_cka(torch.from_numpy(x), torch.from_numpy(y), debiased=debiased)
    assert isinstance(tensor, torch.Tensor)
    assert float(tensor) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("debiased", [False, True])
def test_all_pairs_of_layers_at_once(debiased: bool) -> None:
    a = [responses(10, p, p) for p in (3, 8, 20)]
    b = [layer[:, :3] ** 2 for layer in a] + [responses(10, 5, 9)]
    expected = np.array([[slow_cka(x, y, debiased) for y in b] for x in a])
    grams_a, grams_b = [gram(x) for x in a], np.stack([y @ y.T for y in b])
    result = cka_matrix(grams_a, grams_b, debiased=debiased)
    np.testing.assert_allclose(result, expected, atol=1e-12)
    itself = cka_matrix(np.stack(grams_a), debiased=debiased)
    np.testing.assert_allclose(np.diag(itself), 1.0)
    np.testing.assert_allclose(itself, itself.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 64, 65, 301])
def test_gram_of_centred_features_in_blocks(n: int, dtype: type) -> None:
    x = np.stack([responses(n, 7, s) for s in range(2)])
    centred = x - x.mean(axis=1, keepdims=True)
    expected = centred @ centred.swapaxes(-1, -2)
    result = gram(x.astype(dtype))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, atol=1e-4 if dtype == np.float32 else 1e-11)
    given = result.copy()
    linear_cka(result, result, gram=True, debiased=n > 3)
    cka_matrix(result, debiased=n > 3)
    np.testing.assert_array_equal(result, given)  # what is given is not overwritten


def test_leading_axes_broadcast() -> None:
    x, y = np.stack([responses(8, 4, s) for s in range(3)]), responses(8, 6, 7)
    result = linear_cka(x, y)
    assert result.shape == (3,)
    np.testing.assert_allclose(result, [linear_cka(a, y) for a in x])


@given(st.integers(0, 50), st.integers(5, 12), st.integers(1, 15), st.floats(0.01, 100.0))
def test_cka_ignores_rotation_scale_and_shift(seed: int, n: int, p: int, scale: float) -> None:
    x, y = responses(n, p, seed), responses(n, 4, seed + 100)
    rotation = stats.ortho_group.rvs(p, random_state=seed) if p > 1 else np.array([[-1.0]])
    moved = scale * x @ rotation + 3.0
    for debiased in (False, True):
        before = linear_cka(x, y, debiased=debiased)
        after = linear_cka(moved, y, debiased=debiased)
        np.testing.assert_allclose(after, before, atol=1e-8)
        np.testing.assert_allclose(linear_cka(x, moved, debiased=debiased), 1.0, atol=1e-8)
    assert procrustes(x, moved) == pytest.approx(0.0, abs=1e-7)
    assert procrustes(moved, y) == pytest.approx(float(procrustes(x, y)), abs=1e-7)
    assert participation_ratio(moved) == pytest.approx(float(participation_ratio(x)), rel=1e-8)


def test_noise_is_similar_only_with_the_bias() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200, 20, 500))
    assert linear_cka(x, y, debiased=False).mean() > 0.9
    unbiased = linear_cka(x, y)
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(len(unbiased))


@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_that_do_not_vary_are_nan(dtype: type) -> None:
    x = responses(9, 5).astype(dtype)
    flat = np.full((9, 5), 0.1, dtype=dtype)
    holed = x.copy()
    holed[2, 1] = np.nan
    for other in (flat, holed):
        for debiased in (False, True):
            assert np.isnan(linear_cka(x, other, debiased=debiased))
            k = (other @ other.T)[None]
            matrix = cka_matrix(np.concatenate([(x @ x.T)[None], k]), debiased=debiased)
            assert matrix[0, 0] == pytest.approx(1.0)
            assert np.isnan(matrix[1]).all()
            assert np.isnan(matrix[:, 1]).all()
        assert np.isnan(procrustes(x, other))
        assert np.isnan(participation_ratio(other))


def test_procrustes_as_in_scipy() -> None:
    x, y = responses(11, 4), responses(11, 4, 1)
    *_, disparity = scipy_procrustes(x, y)
    expected = 2 - 2 * np.sqrt(1 - disparity)
    assert procrustes(x, y) == pytest.approx(expected, abs=1e-10)
    assert procrustes(x @ x.T, y @ y.T, gram=True) == pytest.approx(expected, abs=1e-10)
    padded = np.concatenate([y, np.zeros((11, 3))], axis=1)
    assert procrustes(x, padded) == pytest.approx(expected, abs=1e-10)


def test_procrustes_of_all_layers() -> None:
    a = np.stack([gram(responses(7, p, p)) for p in (3, 5)])
    result = procrustes(a[:, None], a[None], gram=True)
    np.testing.assert_allclose(np.diag(result), 0.0, atol=1e-10)
    assert result[0, 1] == pytest.approx(float(procrustes(a[0], a[1], gram=True)))
    assert result[0, 1] == pytest.approx(result[1, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_participation_ratio_is_that_of_the_eigenvalues(dtype: type) -> None:
    x = responses(30, 6) * np.array([3.0, 2, 1, 1, 0.5, 0.1])
    values = np.linalg.eigvalsh(np.cov(x.T))
    expected = values.sum() ** 2 / (values**2).sum()
    assert participation_ratio(x.astype(dtype)) == pytest.approx(expected, rel=1e-4)
    assert participation_ratio(x @ x.T, gram=True) == pytest.approx(expected)
    line = np.outer(np.arange(5.0), np.ones(3)).astype(dtype)
    assert participation_ratio(line) == pytest.approx(1.0)
    corners = np.concatenate([np.eye(4), -np.eye(4)]).astype(dtype)
    assert participation_ratio(corners) == pytest.approx(4.0)


def test_what_does_not_fit_is_refused() -> None:
    x = responses(6, 4)
    with pytest.raises(UserError, match="same presentations"):
        linear_cka(x, x[:5])
    with pytest.raises(UserError, match="at least 4"):
        linear_cka(x[:3], x[:3])
    with pytest.raises(UserError, match="square"):
        linear_cka(x, x, gram=True)
    with pytest.raises(UserError, match="with neuroids"):
        linear_cka(x[:, :0], x)
    with pytest.raises(UserError, match="with neuroids"):
        gram(x[0])
    with pytest.raises(UserError, match="all of one size"):
        cka_matrix([x @ x.T, np.eye(3)])
    with pytest.raises(UserError, match="all layers"):
        cka_matrix(x @ x.T)
    with pytest.raises(UserError, match="at least 2"):
        procrustes(x[:1], x[:1])
