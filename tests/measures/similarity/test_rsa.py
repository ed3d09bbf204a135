"""Bootstrap and noise ceilings against loops over samples, and the figures of recorded brains."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isocortex.errors import UserError
from isocortex.measures.similarity import (
    METHODS,
    RSA,
    bootstrap_rsa,
    compare_rdms,
    condensed,
    noise_ceiling,
    rdm,
    rsa,
    square,
)

STIMULI, SUBJECTS = 7, 4


def population(stimuli: int, subjects: int, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pairs = stimuli * (stimuli - 1) // 2
    return square(rng.random(pairs) + noise * rng.random((subjects, pairs)))


DATA = population(STIMULI, SUBJECTS, 1.0)
MODELS = population(STIMULI, 2, 0.7)


def pooled(vectors: np.ndarray, method: str) -> np.ndarray:
    """Mean of vectors brought to what the method compares."""
    if method in ("spearman", "tau_a"):
        return np.mean([stats.rankdata(v) for v in vectors], axis=0)
    if method == "pearson":
        return np.mean([(v - v.mean()) / v.std() for v in vectors], axis=0)
    if method == "cosine":
        return np.mean([v / np.linalg.norm(v) for v in vectors], axis=0)
    n = round((1 + np.sqrt(1 + 8 * vectors.shape[1])) / 2)
    h = np.eye(n) - 1 / n
    return np.mean([v / np.linalg.norm(h @ square(v) @ h) for v in vectors], axis=0)


def slow_sample(
    stimuli: np.ndarray, people: np.ndarray, method: str
) -> tuple[list[float], float, float]:
    """Build a bootstrap sample with its copies, leaving out pairs of a stimulus with itself."""
    pairs = [(i, j) for i, j in itertools.combinations(stimuli, 2) if i != j]
    i, j = np.array(pairs).T

    def compare(a: np.ndarray, b: np.ndarray) -> float:
        return float(compare_rdms(a, b, method, vectors=True))

    data = DATA[:, i, j]
    scores = [np.mean([compare(m[i, j], data[s]) for s in people]) for m in MODELS]
    lower = [
        compare(pooled(data[people[people != s]], method), data[s])
        if (people != s).any()
        else np.nan
        for s in people
    ]
    upper = [compare(pooled(data[people], method), data[s]) for s in people]
    return scores, float(np.mean(lower)), float(np.mean(upper))


BOTH, STIMULI_ALONE, SUBJECTS_ALONE = ("stimuli", "subjects"), ("stimuli",), ("subjects",)
CASES = [
    (method, over)
    for method in METHODS
    for over in (BOTH, STIMULI_ALONE, SUBJECTS_ALONE)
    if method != "whitened_cosine" or over == SUBJECTS_ALONE
]


@pytest.mark.parametrize(("method", "over"), CASES)
def test_bootstrap_by_loops(
    method: str, over: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = 12
    monkeypatch.setattr(rsa, "_CHUNK_BYTES", 8 * 21 * (SUBJECTS + 2) * 5)
    result = bootstrap_rsa(MODELS, DATA, method, over=over, n_draws=draws, seed=3)
    rng = np.random.default_rng(3)
    counts = {
        name: rsa._counts(rng, draws, size, least) if name in over else np.ones((draws, size))
        for name, size, least in (("stimuli", STIMULI, 3), ("subjects", SUBJECTS, 1))
    }
    for draw in range(draws):
        stimuli, people = (
            np.repeat(np.arange(c.shape[1]), c[draw].astype(int)) for c in counts.values()
        )
        scores, lower, upper = slow_sample(stimuli, people, method)
        np.testing.assert_allclose(result.draws[draw], scores, atol=1e-9)
        np.testing.assert_allclose(result.ceiling_draws[draw], [lower, upper], atol=1e-9)
    scores, lower, upper = slow_sample(np.arange(STIMULI), np.arange(SUBJECTS), method)
    np.testing.assert_allclose(result.scores, scores)
    assert result.ceiling.lower == pytest.approx(lower)
    assert result.ceiling.upper == pytest.approx(upper)


def test_draws_are_those_of_chance() -> None:
    counts = rsa._counts(np.random.default_rng(0), 4000, 5, 3)
    assert (counts.sum(axis=1) == 5).all()
    assert ((counts > 0).sum(axis=1) >= 3).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_ceilings_bracket_the_true_model(method: str) -> None:
    truth = np.random.default_rng(5).random(190)
    data = truth + 0.3 * np.random.default_rng(6).normal(size=(12, 190)) + 1.0
    ceiling = noise_ceiling(data, method, vectors=True)
    score = compare_rdms(truth + 1.0, data, method, vectors=True).mean()
    assert ceiling.lower - 0.01 < score < ceiling.upper
    assert ceiling.method == method
    np.testing.assert_array_less(ceiling.lower_subjects, ceiling.upper_subjects)


@given(st.integers(0, 200), st.integers(2, 6), st.floats(0.0, 3.0), st.sampled_from([*METHODS]))
def test_ceilings_lie_below_1_and_above_every_model(
    seed: int, subjects: int, noise: float, method: str
) -> None:
    rng = np.random.default_rng(seed)
    data = rng.random(15) + noise * rng.random((subjects, 15)) + 0.1
    ceiling = noise_ceiling(data, method, vectors=True)
    each = [np.asarray(ceiling.lower_subjects), np.asarray(ceiling.upper_subjects)]
    assert max(ceiling.lower, ceiling.upper) <= 1 + 1e-12
    assert ceiling.upper == pytest.approx(np.mean(each[1]))
    if method in ("spearman", "tau_a"):
        return  # a mean of ranks is ranked anew, which no bound survives to the last digit
    assert (each[0] <= each[1] + 1e-9).all()
    models = np.concatenate([data, rng.random((20, 15)), data.mean(axis=0, keepdims=True)])
    scores = compare_rdms(models[:, None], data[None], method, vectors=True).mean(axis=1)
    assert scores.max() <= ceiling.upper + 1e-9


def test_intervals_and_differences() -> None:
    data = population(12, 6, 1.0).astype(np.float32)
    models = population(12, 3, 0.5)
    result = bootstrap_rsa(models, torch.from_numpy(data), "pearson", n_draws=300)
    assert isinstance(result, RSA)
    assert isinstance(result.draws, torch.Tensor)
    assert result.draws.dtype == torch.float32
    for score, interval in zip(result.scores, result.intervals(), strict=True):
        assert interval.low < interval.estimate < interval.high
        assert interval.estimate == pytest.approx(float(score))
        assert (interval.n, interval.method) == (6, "percentile over stimuli and subjects")
    paired = result.difference(0, 1)
    assert paired.estimate == pytest.approx(float(result.scores[0] - result.scores[1]))
    apart = sum(i.high - i.low for i in result.intervals()[:2])
    assert 0 < paired.high - paired.low < apart
    lower, upper = result.ceiling_intervals()
    assert lower.estimate == result.ceiling.lower
    assert upper.low > lower.low
    gap = result.below_ceiling(0)
    assert gap.estimate == pytest.approx(lower.estimate - float(result.scores[0]), abs=1e-6)
    again = bootstrap_rsa(models, data, "pearson", n_draws=300)
    np.testing.assert_array_equal(again.draws, result.draws.numpy())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="level to resample 'voxels'"):
        bootstrap_rsa(MODELS, DATA, over=("voxels",))
    with pytest.raises(UserError, match="something to draw over"):
        bootstrap_rsa(MODELS, DATA, over=())
    with pytest.raises(UserError, match="no bootstrap over stimuli"):
        bootstrap_rsa(MODELS, DATA, "whitened_cosine")
    with pytest.raises(UserError, match="over the stimuli of the subjects"):
        bootstrap_rsa(MODELS[:, :5, :5], DATA)
    with pytest.raises(UserError, match="two or more subjects"):
        noise_ceiling(DATA[:1])
    with pytest.raises(UserError, match="RDM comparison"):
        noise_ceiling(DATA, "kendall")
    holed = DATA.copy()
    holed[0, 1, 2] = holed[0, 2, 1] = np.nan
    with pytest.raises(UserError, match="leave out stimuli"):
        bootstrap_rsa(MODELS, holed)


# --- recorded brains ----------------------------------------------------------------------------


@pytest.mark.data
def test_figures_of_the_92_objects(data_folder: Path) -> None:
    with np.load(data_folder / "neural" / "objects92_rdms.npz") as file:
        names = ("rdm_hIT", "rdm_behaviour_subjects", "rdm_fmri_EVC_subjects")
        human, behaviour, evc = (file[name].astype(np.float64) for name in names)
        it = file["rdm_fmri_IT_subjects"].astype(np.float64)

    def spearman(a: np.ndarray, b: np.ndarray) -> float:
        return float(compare_rdms(a, b, "spearman"))

    assert spearman(human, it.mean(axis=0)) == pytest.approx(0.557, abs=5e-4)
    assert spearman(human, evc.mean(axis=0)) == pytest.approx(0.13, abs=5e-3)
    assert spearman(behaviour.mean(axis=0), human) == pytest.approx(0.39, abs=5e-3)
    for region, lower, upper in ((evc, 0.239, 0.386), (it, 0.449, 0.535)):
        others = [np.delete(region, s, axis=0).mean(axis=0) for s in range(len(region))]
        of_others = compare_rdms(np.stack(others), region, "spearman").mean()
        of_all = compare_rdms(region.mean(axis=0)[None], region, "spearman").mean()
        assert (of_others, of_all) == pytest.approx((lower, upper), abs=5e-4)
        ceiling = noise_ceiling(region)  # ranks each subject before the mean
        assert of_others < ceiling.lower < of_others + 0.01
        assert of_all < ceiling.upper < of_all + 0.01
    result = bootstrap_rsa(np.stack([human, behaviour.mean(axis=0)]), it, n_draws=40)
    assert all(0.05 < i.low < i.high < 0.5 for i in result.intervals())


@pytest.mark.data
def test_figures_of_the_81_categories(data_folder: Path) -> None:
    with np.load(data_folder / "neural" / "fmri_81categories.npz") as file:
        roi = {name: i + 1 for i, name in enumerate(file["roi_names"])}
        voxels = {name: file["betas"][:, file["voxel_roi"] == i] for name, i in roi.items()}
        models = {name: file[f"{name}_pcs"] for name in ("alexnet_conv", "word2vec")}
    figures = {
        ("EVC", "alexnet_conv"): 0.305,
        ("EVC", "word2vec"): 0.09,
        ("PFS", "alexnet_conv"): 0.08,
        ("PFS", "word2vec"): 0.175,
    }
    for (region, model), figure in figures.items():
        a, b = condensed(rdm(voxels[region])), condensed(rdm(models[model]))
        value = compare_rdms(a.astype(np.float64), b, "spearman", vectors=True)
        assert value == pytest.approx(figure, abs=6e-3)
