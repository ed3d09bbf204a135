"""Nulls and intervals of similarity against loops, where the answer is known, and in coverage."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from isocortex.errors import UserError
from isocortex.measures.similarity import (
    METHODS,
    bootstrap_rsa,
    cka_intervals,
    cka_matrix,
    compare_rdms,
    linear_cka,
    nulls,
    permuted_cka,
    permuted_rsa,
    square,
)

RNG = np.random.default_rng(0)
N = 9


def layers(n: int, widths: tuple[int, ...], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, p)) for p in widths]


def grams(responses: list[np.ndarray]) -> np.ndarray:
    return np.stack([x @ x.T for x in responses])


@pytest.mark.parametrize("method", METHODS)
def test_permuted_scores_by_loops(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "_CHUNK_BYTES", 8 * 36 * 3 * 4)  # parts of unequal size
    models, subjects = square(RNG.random((3, 36))), square(RNG.random((4, 36)))
    result = permuted_rsa(models, subjects, method, n_permutations=10, seed=5)
    assert result.shape == (10, 3)
    rng = np.random.default_rng(5)
    step = max(1, 3 * 4 // (3 if method in ("pearson", "spearman", "cosine") else 12))
    orders = np.concatenate(
        [
            rng.permuted(np.tile(np.arange(N), (min(step, 10 - s), 1)), axis=1)
            for s in range(0, 10, step)
        ]
    )
    for found, order in zip(result, orders, strict=True):
        moved = models[:, order][:, :, order]
        expected = compare_rdms(moved[:, None], subjects[None], method).mean(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_exchanged_stimuli_are_at_chance_and_true_ones_are_not() -> None:
    truth = RNG.random(190)
    subjects = (truth + 0.5 * RNG.random((6, 190))).astype(np.float32)
    models = np.stack([truth, RNG.random(190)])
    null = permuted_rsa(models, torch.from_numpy(subjects), vectors=True, n_permutations=400)
    assert isinstance(null, torch.Tensor)
    assert null.dtype == torch.float32
    error = null.std(dim=0) / 20
    assert (null.mean(dim=0).abs() < 4 * error).all()
    scores = bootstrap_rsa(models, subjects, vectors=True, n_draws=2).scores
    assert scores[0] > null[:, 0].max()
    assert null[:, 1].min() < scores[1] < null[:, 1].max()


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("more", ["a", "b"])
def test_permuted_cka_by_loops(debiased: bool, more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "_CHUNK_BYTES", 8 * 12 * 12 * 2 * 7)  # all at once
    few, many = layers(12, (3, 20), 1), layers(12, (4, 5, 6), 2)
    a, b = (many, few) if more == "a" else (few, many)
    result = permuted_cka(grams(a), grams(b), debiased=debiased, n_permutations=7, seed=3)
    assert result.shape == (7, len(a), len(b))
    orders = np.random.default_rng(3).permuted(np.tile(np.arange(12), (7, 1)), axis=1)
    for found, order in zip(result, orders, strict=True):
        moved = [x[order] for x in few]  # whichever side has fewer layers is moved
        x, y = (many, moved) if more == "a" else (moved, many)
        expected = [[linear_cka(u, v, debiased=debiased) for v in y] for u in x]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_permuted_cka_is_at_chance() -> None:
    shared = RNG.normal(size=(60, 5))
    a = grams([shared @ RNG.normal(size=(5, 40)) for _ in range(2)])
    null = permuted_cka(a, a, n_permutations=200)
    assert (np.abs(null.mean(axis=0)) < 4 * null.std(axis=0) / np.sqrt(200)).all()
    assert (cka_matrix(a) > null.max(axis=0)).all()
    flat = np.concatenate([a, np.zeros((1, 60, 60))]).astype(np.float32)
    null = permuted_cka(flat, a, n_permutations=2)
    assert null.dtype == np.float32
    assert np.isnan(null[:, 2]).all()
    assert np.isfinite(null[:, :2]).all()


@pytest.mark.parametrize("debiased", [False, True])
def test_jackknife_by_loops(debiased: bool) -> None:
    a, b = layers(23, (3, 30), 1), layers(23, (8,), 2)
    b = [b[0] + a[0] @ RNG.normal(size=(3, 8))]
    result = cka_intervals(grams(a), grams(b), debiased=debiased, n_groups=5, seed=2)
    group = np.random.default_rng(2).permutation(np.arange(23) % 5)
    for row, x in enumerate(a):
        parts = [linear_cka(x[group != g], b[0][group != g], debiased=debiased) for g in range(5)]
        c = float(linear_cka(x, b[0], debiased=debiased))
        se = np.sqrt(4 / 5 * np.sum((np.array(parts) - np.mean(parts)) ** 2))
        reach = stats.t.ppf(0.975, 4) * se
        assert result.estimate[row, 0] == pytest.approx(c)
        assert result.low[row, 0] == pytest.approx(max(-1.0, c - reach))
        assert result.high[row, 0] == pytest.approx(min(1.0, c + reach))


def test_intervals_cover_what_many_presentations_show() -> None:
    rng = np.random.default_rng(4)
    mix_a, mix_b = rng.normal(size=(2, 4, 30))

    def pair(n: int) -> tuple[np.ndarray, np.ndarray]:
        z, own = rng.normal(size=(n, 4)), rng.normal(size=(2, n, 30))
        return z @ mix_a + 2 * own[0], z @ mix_b + 2 * own[1]

    x, y = pair(4000)
    truth = float(linear_cka(x, y))
    covered = []
    for _ in range(60):
        x, y = pair(80)
        found = cka_intervals((x @ x.T)[None], (y @ y.T)[None])
        covered.append(found.low[0, 0] < truth < found.high[0, 0])
    assert 0.85 <= np.mean(covered) <= 1.0


def test_a_layer_with_itself_is_1_beyond_doubt() -> None:
    a = grams(layers(20, (6, 4), 7)).astype(np.float32)
    found = cka_intervals(a, a, n_groups=4)
    assert found.low.dtype == np.float32
    for bound in (found.low, found.high):
        np.testing.assert_allclose(np.diag(bound), 1.0, atol=1e-6)


def test_contrasts_are_paired_draw_by_draw() -> None:
    models, subjects = square(RNG.random((3, 36))), square(RNG.random((4, 36)))
    result = bootstrap_rsa(models, subjects, "pearson", n_draws=200)
    mean = result.contrast([1, -0.5, -0.5])
    draws = result.draws[:, 0] - result.draws[:, 1:].mean(axis=1)
    assert mean.estimate == pytest.approx(result.scores[0] - result.scores[1:].mean())
    assert (mean.low, mean.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert result.contrast([1, -1, 0]) == result.difference(0, 1)


def test_what_does_not_fit_is_refused() -> None:
    a = grams(layers(8, (3,), 0))
    with pytest.raises(UserError, match="n_permutations is 0"):
        permuted_cka(a, a, n_permutations=0)
    with pytest.raises(UserError, match="all layers of two networks"):
        permuted_cka(a[0], a)
    with pytest.raises(UserError, match="same presentations"):
        permuted_cka(a, a[:, :7, :7])
    with pytest.raises(UserError, match="no 20 groups"):
        cka_intervals(a, a)
    with pytest.raises(UserError, match="at least 2"):
        cka_intervals(a, a, n_groups=1)
    with pytest.raises(UserError, match="at least 4 presentations, not 3"):
        cka_intervals(a[:, :4, :4], a[:, :4, :4], n_groups=4)
    with pytest.raises(UserError, match="not between 0 and 1"):
        cka_intervals(a, a, level=1.0)
    with pytest.raises(UserError, match="over the stimuli of the subjects"):
        permuted_rsa(RNG.random(10), RNG.random((3, 6)), vectors=True)
