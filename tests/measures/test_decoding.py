"""Decoding against nested loops of scikit-learn, at chance for noise, certain for signal."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from isocortex.errors import UserError
from isocortex.measures import decoding
from isocortex.measures.decoding import Decoding, decode
from isocortex.measures.encoding import as_folds
from isocortex.measures.labels import permutations, stratified_k_fold

ALPHAS = np.array([0.01, 1.0, 30.0])


def categories(
    n: int = 60, p: int = 8, classes: int = 3, separation: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    centres = rng.normal(size=(classes, p))
    return separation * centres[labels] + rng.normal(size=(n, p)), labels


def scaled(x: np.ndarray, alpha: float) -> float:
    return alpha * np.mean(((x - x.mean(axis=0)) ** 2).sum(axis=1))


def slow_alpha(x: np.ndarray, y: np.ndarray) -> float:
    errors = []
    for alpha in ALPHAS:
        error = 0.0
        for a, b in as_folds(5, len(x), what="inner"):
            model = Ridge(scaled(x[a], alpha)).fit(x[a], y[a])
            error += ((model.predict(x[b]) - y[b]) ** 2).sum()
        errors.append(error)
    return float(ALPHAS[np.argmin(errors)])


@pytest.mark.parametrize("p", [8, 90])
@pytest.mark.parametrize("kind", ["numpy", "torch", "float32", "gram"])
def test_categories_by_nested_loops(kind: str, p: int) -> None:
    x, labels = categories(p=p, separation=0.6)
    names = np.array(["cat", "dog", "owl"])[labels]
    folds = stratified_k_fold(names, 4)
    given_x = {"torch": torch.from_numpy(x), "float32": x.astype(np.float32), "gram": x @ x.T}
    result = decode(given_x.get(kind, x), names, folds=4, alphas=ALPHAS, gram=kind == "gram")
    decoded = np.empty(60, dtype=names.dtype)
    for i, (train, test) in enumerate(folds):
        alpha = slow_alpha(x[train], np.eye(3)[labels[train]])
        assert float(result.alphas[i]) == pytest.approx(alpha)
        model = RidgeClassifier(scaled(x[train], alpha)).fit(x[train], names[train])
        decoded[test] = model.predict(x[test])
    assert (result.labels == decoded).all()
    assert float(result.score) == pytest.approx(balanced_accuracy_score(names, decoded), abs=1e-6)
    np.testing.assert_allclose(result.confusion, confusion_matrix(names, decoded))
    assert result.classes is not None
    assert result.classes.tolist() == ["cat", "dog", "owl"]
    assert (result.n, result.chance) == (60, pytest.approx(1 / 3))
    assert isinstance(result.predictions, torch.Tensor) == (kind == "torch")
    if kind == "float32":
        assert result.predictions.dtype == np.float32


def test_latents_by_nested_loops() -> None:
    x, _ = categories(p=6)
    rng = np.random.default_rng(1)
    y = np.stack([x[:, 0] + rng.normal(size=60), rng.normal(size=60), np.full(60, 0.1)], axis=1)
    folds = as_folds(4, 60)
    result = decode(x, y, folds=4, alphas=ALPHAS)
    correlations = np.zeros((4, 2))
    for t in range(2):
        error = total = 0.0
        for i, (train, test) in enumerate(folds):
            alpha = slow_alpha(x[train], y[train, t])
            model = Ridge(scaled(x[train], alpha)).fit(x[train], y[train, t])
            decoded = model.predict(x[test])
            np.testing.assert_allclose(result.predictions[test, t], decoded, atol=1e-9)
            assert result.alphas[i, t] == pytest.approx(alpha)
            error += ((decoded - y[test, t]) ** 2).sum()
            total += ((y[test, t] - y[train, t].mean()) ** 2).sum()
            correlations[i, t] = np.corrcoef(decoded, y[test, t])[0, 1]
        assert result.score[t] == pytest.approx(1 - error / total)
    assert result.pearson is not None
    np.testing.assert_allclose(result.pearson[:2], correlations.mean(axis=0))
    for values in (result.score, result.pearson, result.predictions[0], result.alphas[0]):
        assert np.isnan(values[2])
    assert np.isnan(result.p).all()
    assert result.chance == 0.0
    assert (result.classes, result.confusion) == (None, None)
    with pytest.raises(UserError, match="no labels"):
        _ = result.labels


def test_permutations_are_decoded_like_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = categories(p=5)
    folds = stratified_k_fold(labels, 3)
    orders = permutations(labels, folds, None, 6, 7)
    latents = x[:, :2] + np.random.default_rng(0).normal(size=(60, 2))
    for targets in (labels, latents):
        monkeypatch.setattr(decoding, "_CHUNK_BYTES", 8 * 60 * 3 * 2)
        result = decode(x, targets, folds=folds, alphas=ALPHAS, n_permutations=6, seed=7)
        rows = permutations(targets, folds, None, 6, 7)
        for row, null in zip(rows, result.null, strict=True):
            again = decode(x, targets[row], folds=folds, alphas=ALPHAS, seed=7)
            np.testing.assert_allclose(null, again.score)
    assert orders.shape == (6, 60)


def test_permuted_labels_are_at_chance() -> None:
    """Over data sets of noise: scores and nulls at 1/3, p values about uniform."""
    rng = np.random.default_rng(0)
    labels = np.arange(45) % 3
    results = [
        decode(rng.normal(size=(45, 10)), labels, n_permutations=19, seed=s, alphas=[0.1, 10.0])
        for s in range(60)
    ]
    null = np.concatenate([r.null for r in results])
    assert null.mean() == pytest.approx(1 / 3, abs=0.01)
    assert np.mean([r.score for r in results]) == pytest.approx(1 / 3, abs=0.03)
    p = np.array([r.p for r in results])
    assert 0.4 < p.mean() < 0.65
    assert np.mean(p <= 0.05) < 0.15


def test_signal_is_found() -> None:
    x, labels = categories(separation=4.0)
    result = decode(x, labels, n_permutations=99)
    assert result.score > 0.95
    assert result.p == pytest.approx(0.01)
    assert result.n_permutations == 99
    (interval,) = result.intervals()
    assert 0.9 < interval.low <= interval.estimate <= interval.high <= 1.0
    latents = decode(x, x[:, :2], n_permutations=19)
    assert (latents.score > 0.999).all()
    np.testing.assert_allclose(latents.p, 0.05)
    assert latents.null.shape == (19, 2)
    assert (latents.null < 0.2).all()
    assert [i.n for i in latents.intervals()] == [60, 60]


@given(st.integers(0, 20), st.floats(1e-4, 1e4), st.booleans())
def test_units_rotation_and_names_do_not_matter(seed: int, scale: float, latents: bool) -> None:
    x, labels = categories(n=36, p=4, seed=seed)
    targets = x[:, :2] ** 2 if latents else labels
    folds = stratified_k_fold(labels, 3, seed=seed)
    before = decode(x, targets, folds=folds, alphas=ALPHAS)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    after = decode(scale * x @ rotation + 3, targets, folds=folds, alphas=ALPHAS)
    np.testing.assert_allclose(after.predictions, before.predictions, atol=1e-6)
    if not latents:
        renamed = decode(x, np.array(["c", "a", "b"])[labels], folds=folds, alphas=ALPHAS)
        assert renamed.score == pytest.approx(float(before.score))
        assert before.score <= 1


def test_groups_stay_together_and_are_the_units() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    identity = rng.normal(size=(12, 40))
    x = identity[groups] + 0.1 * rng.normal(size=(60, 40))
    labels = (np.arange(12) % 2)[groups]
    assert decode(x, labels).score == 1.0  # leaks: it knows every object
    honest = decode(x, labels, groups=groups, folds=3, n_permutations=40)
    assert honest.score < 0.9
    assert honest.p > 0.05
    assert honest.intervals()[0].n == 12


# --- permutations and folds ---------------------------------------------------------------------


def test_permutations_stay_in_their_fold() -> None:
    labels = np.arange(30) % 3
    folds = stratified_k_fold(labels, 5)
    orders = permutations(labels, folds, None, 50, 0)
    assert (np.sort(orders, axis=1) == np.arange(30)).all()
    for _, test in folds:
        assert np.isin(orders[:, test], test).all()
    assert len(np.unique(orders, axis=0)) == 50
    single = [(np.arange(10, 30), np.arange(10))]
    assert not np.isin(permutations(labels, single, None, 50, 0)[:, :10], np.arange(10)).all()


def test_permutations_with_groups() -> None:
    groups = np.repeat([4, 7, 9, 2], 3)
    folds = [(np.arange(6), np.arange(6, 12)), (np.arange(6, 12), np.arange(6))]
    constant = np.repeat([0, 1, 0, 1], 3)
    moved = constant[permutations(constant, folds, groups, 40, 0)]
    assert (moved.reshape(40, 4, 3) == moved.reshape(40, 4, 3)[..., :1]).all()
    assert (moved.reshape(40, 4, 3)[:, :2, 0].sum(axis=1) == 1).all()
    assert len(np.unique(moved, axis=0)) == 4
    views = np.tile([0, 1, 2], 4)
    orders = permutations(views, folds, groups, 40, 0)
    assert (groups[orders] == groups).all()


@given(st.integers(0, 30), st.integers(2, 6), st.integers(1, 4))
def test_stratified_folds_share_out_labels(seed: int, k: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 20 + seed)
    folds = stratified_k_fold(labels, k, seed=seed)
    assert sorted(itertools.chain(*(test for _, test in folds))) == list(range(len(labels)))
    for label in np.unique(labels):
        counts = [(labels[test] == label).sum() for _, test in folds]
        assert max(counts) - min(counts) <= 1


# --- degenerate and wrong input -----------------------------------------------------------------


def test_degenerate_input() -> None:
    _, labels = categories()
    flat = decode(np.ones((60, 4)), labels, n_permutations=3)
    assert flat.score == pytest.approx(1 / 3)
    assert flat.p == 1.0
    constant = decode(np.random.default_rng(0).normal(size=(60, 4)), np.ones(60))
    assert np.isnan(constant.score).all()
    one = decode(*categories(), folds=[(np.arange(40), np.arange(40, 60))], alphas=[1.0])
    assert isinstance(one, Decoding)
    assert (one.n, one.tested.sum(), len(one.labels)) == (20, 20, 20)
    assert np.isnan(one.predictions[:40]).all()
    numbers = decode(categories()[0], labels, what="latents")
    assert numbers.classes is None


def test_what_does_not_fit_is_refused() -> None:
    x, labels = categories()
    with pytest.raises(UserError, match="two or more categories"):
        decode(x, np.zeros(60, dtype=int))
    with pytest.raises(UserError, match="kind of target 'labels'"):
        decode(x, labels, what="labels")
    with pytest.raises(UserError, match="latents must be numbers"):
        decode(x, labels.astype(str), what="latents")
    with pytest.raises(UserError, match="one label a presentation"):
        decode(x, np.stack([labels, labels], axis=1))
    with pytest.raises(UserError, match="does not train on it"):
        decode(x, labels, folds=[(np.flatnonzero(labels < 2), np.flatnonzero(labels == 2))])
    with pytest.raises(UserError, match="labels hold NaN"):
        decode(x, np.where(labels == 0, np.nan, labels), what="categories")
    with pytest.raises(UserError, match="n_permutations=-1"):
        decode(x, labels, n_permutations=-1)
    with pytest.raises(UserError, match="share their first"):
        decode(x[:50], labels)
    with pytest.raises(UserError, match="use 2 or more"):
        decode(x, labels, folds=1)
    x[3, 1] = np.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        decode(x, labels)
