"""Comparison of RDMs against scipy, loops and the explicit covariance of distances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isocortex.errors import UserError
from isocortex.measures.similarity import METHODS, compare_rdms, square

RNG = np.random.default_rng(0)
PAIRS = 28


def tau_a(x: np.ndarray, y: np.ndarray) -> float:
    signs = [
        np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
        for i, j in itertools.combinations(range(len(x)), 2)
    ]
    return float(np.mean(signs))


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def whitened_cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Cosine under V, the squared covariance of contrasts between stimuli."""
    n = round((1 + np.sqrt(1 + 8 * len(x))) / 2)
    pairs = list(itertools.combinations(range(n), 2))
    contrasts = np.zeros((len(pairs), n))
    for row, (i, j) in enumerate(pairs):
        contrasts[row, [i, j]] = 1, -1
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    return float(x @ inverse @ y / np.sqrt((x @ inverse @ x) * (y @ inverse @ y)))


SLOW = {
    "pearson": lambda x, y: stats.pearsonr(x, y)[0],
    "spearman": lambda x, y: stats.spearmanr(x, y)[0],
    "tau_a": tau_a,
    "cosine": cosine,
    "whitened_cosine": whitened_cosine,
}


def distances(count: int, ties: bool = False) -> np.ndarray:
    drawn = RNG.random((count, PAIRS))
    return np.round(5 * drawn) if ties else drawn


def test_every_method_has_an_oracle() -> None:
    assert set(SLOW) == set(METHODS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_comparison_by_loops(method: str, ties: bool, dtype: type) -> None:
    a, b = distances(3, ties).astype(dtype), distances(2, ties).astype(dtype)
    expected = [[SLOW[method](x.astype(float), y.astype(float)) for y in b] for x in a]
    result = compare_rdms(a[:, None], b[None], method, vectors=True)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, atol=1e-6 if dtype == np.float32 else 1e-10)
    by_matrix = compare_rdms(square(a)[:, None], square(b)[None], method)
    np.testing.assert_array_equal(by_matrix, result)
    assert isinstance(compare_rdms(torch.ones(3, 3), torch.ones(3, 3), method), torch.Tensor)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "whitened_cosine"])
def test_weights_are_copies(method: str) -> None:
    a, b = (torch.from_numpy(distances(3, ties)) for ties in (True, False))
    counts = RNG.integers(0, 4, (5, 1, PAIRS))
    result = METHODS[method](a, b, torch.from_numpy(counts).double())
    for draw, row in itertools.product(range(5), range(3)):
        drawn = np.repeat(np.arange(PAIRS), counts[draw, 0])
        expected = SLOW[method](a[row, drawn].numpy(), b[row, drawn].numpy())
        assert float(result[draw, row]) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 40), st.sampled_from(list(METHODS)))
def test_invariances(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 10)) + 0.1
    value = compare_rdms(a, b, method, vectors=True)
    assert compare_rdms(a, a, method, vectors=True) == pytest.approx(1.0)
    assert compare_rdms(b, a, method, vectors=True) == pytest.approx(float(value))
    changed = {"pearson": 3 * a + 1, "spearman": a**3, "tau_a": a**3}.get(method, 3 * a)
    assert compare_rdms(changed, b, method, vectors=True) == pytest.approx(float(value))
    order = rng.permutation(5)
    a2, b2 = (square(x)[order][:, order] for x in (a, b))
    assert compare_rdms(a2, b2, method) == pytest.approx(float(value))


@pytest.mark.parametrize("method", ["pearson", "spearman", "tau_a"])
def test_noise_and_permuted_stimuli_are_at_chance(method: str) -> None:
    rng = np.random.default_rng(2)
    a, b = square(rng.random((2, 400, PAIRS)))
    order = rng.permuted(np.tile(np.arange(8), (400, 1)), axis=1)
    moved = a[np.arange(400)[:, None, None], order[:, :, None], order[:, None]]
    for other in (b, moved):
        values = compare_rdms(a, other, method)
        assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))


@pytest.mark.parametrize("method", METHODS)
def test_undefined_comparisons_are_nan(method: str) -> None:
    a, b = distances(2)
    flat = np.full(PAIRS, 0.0 if "cosine" in method else 0.1)
    holed = a.copy()
    holed[3] = np.nan
    for other in (flat, holed):
        assert np.isnan(compare_rdms(other, b, method, vectors=True))
        assert np.isnan(compare_rdms(b, other, method, vectors=True))


def test_what_does_not_fit_is_refused() -> None:
    a = square(distances(2))
    with pytest.raises(UserError, match="did you mean pearson"):
        compare_rdms(a, a, "pearsons")
    with pytest.raises(UserError, match="must be square"):
        compare_rdms(a[..., :4], a)
    with pytest.raises(UserError, match="same stimuli"):
        compare_rdms(a[..., :4, :4], a)
    with pytest.raises(UserError, match="three or more"):
        compare_rdms(a[..., :2, :2], a[..., :2, :2])
