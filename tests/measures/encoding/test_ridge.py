"""Ridge against scikit-learn, penalty by penalty and fold by fold, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from isocortex.errors import UserError
from isocortex.measures import encoding
from isocortex.measures.encoding.problem import prepare
from isocortex.measures.encoding.ridge import _inner_errors, factorise, left_out_errors

ALPHAS = np.array([1e-3, 0.1, 1.0, 30.0, 1e4])


def data(
    n: int, p: int, t: int = 4, noise: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * rng.gamma(1.0, size=p) + 5 * rng.normal(size=p)
    y = x @ rng.normal(size=(p, t)) / np.sqrt(p) + noise * rng.normal(size=(n, t)) + 2
    return x, y


def slow_ridge_cv(
    x: np.ndarray, y: np.ndarray, folds: list, inner: list | str, alphas: np.ndarray
) -> tuple[np.ndarray, list]:
    """One target, one penalty, one fold at a time."""
    chosen, predictions = np.empty((len(folds), y.shape[1])), []
    for f, (train, test) in enumerate(folds):
        splits = inner
        if isinstance(inner, str):
            rows = np.arange(len(train))
            splits = [(np.delete(rows, i), rows[[i]]) for i in rows]
        predicted = np.empty((len(test), y.shape[1]))
        for target in range(y.shape[1]):
            errors = []
            for alpha in alphas:
                error = 0.0
                for a, b in splits:
                    model = Ridge(alpha=alpha).fit(x[train[a]], y[train[a], target])
                    error += ((model.predict(x[train[b]]) - y[train[b], target]) ** 2).sum()
                errors.append(error)
            chosen[f, target] = alphas[int(np.argmin(errors))]
            model = Ridge(alpha=chosen[f, target]).fit(x[train], y[train, target])
            predicted[:, target] = model.predict(x[test])
        predictions.append(predicted)
    return chosen, predictions


SHAPES = [(40, 100), (60, 20), (50, 45), (30, 1), (24, 24)]


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_penalty_and_fold_is_that_of_scikit_learn(shape: tuple[int, int], gram: bool) -> None:
    x, y = data(*shape)
    features = x @ x.T if gram else x
    for fold in encoding.k_fold(len(x), 4):
        train, test = fold
        path = encoding.ridge_path(features, y, fold, ALPHAS, gram=gram)
        for alpha, predicted in zip(ALPHAS, path, strict=True):
            expected = Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[test])
            np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("shape", [(30, 50), (36, 8)])
@pytest.mark.parametrize("inner", ["loo", 3])
def test_the_choice_by_loops(shape: tuple[int, int], inner: int | str, gram: bool) -> None:
    x, y = data(*shape, t=3)
    y += np.array([0, 2, 20]) * np.random.default_rng(5).normal(size=y.shape)
    folds = encoding.k_fold(len(x), 3, seed=4)
    # The training sets are of one size, and so are their inner folds.
    splits = inner if isinstance(inner, str) else encoding.k_fold(len(folds[0][0]), inner, seed=4)
    chosen, predictions = slow_ridge_cv(x, y, folds, splits, ALPHAS)
    result = encoding.ridge_cv(
        x @ x.T if gram else x, y, folds=folds, alphas=ALPHAS, inner=inner, gram=gram, seed=4
    )
    assert len(np.unique(chosen)) > 1
    np.testing.assert_allclose(result.alphas, chosen)
    for ours, expected, (_, test) in zip(result.fold_predictions, predictions, folds, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(result.predictions[test], ours)
    r = [
        [np.corrcoef(p[:, t], y[test, t])[0, 1] for t in range(3)]
        for p, (_, test) in zip(predictions, folds, strict=True)
    ]
    np.testing.assert_allclose(result.fold_scores, r)
    np.testing.assert_allclose(result.scores, np.mean(r, axis=0))


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize(("n", "p"), [(40, 90), (40, 20), (40, 39), (41, 15)])
@pytest.mark.parametrize("blocks", [1, 5])
def test_the_closed_form_is_fitting_again(n: int, p: int, blocks: int, gram: bool) -> None:
    x, y = data(n, p, t=3)
    x[:, -2:] = x[:, :2]  # fewer directions than features
    problem = prepare(
        x @ x.T if gram else x, y, [(np.arange(n - 3), np.arange(n - 3, n))], gram=gram
    )
    train, test = problem.folds[0]
    splits = [
        (np.setdiff1d(np.arange(n - 3), b), b)
        for b in np.array_split(np.random.default_rng(0).permutation(n - 3), (n - 3) // blocks)
    ]
    factors = factorise(problem.x, problem.gram, train, test)
    alphas = torch.from_numpy(ALPHAS)
    again = _inner_errors(problem, train, splits, alphas)
    closed = [b for _, b in splits] if blocks > 1 else None
    errors = left_out_errors(factors, problem.y[: n - 3], alphas, closed)
    np.testing.assert_allclose(errors, again, rtol=1e-6)


def test_inner_folds_that_leave_rows_unused() -> None:
    x, y = data(30, 50, t=2)
    folds = encoding.k_fold(30, 3)
    inner = [(np.arange(6, 17), np.arange(6)), (np.arange(10), np.arange(12, 20))]
    chosen, _ = slow_ridge_cv(x, y, folds, inner, ALPHAS)
    result = encoding.ridge_cv(x, y, folds=folds, alphas=ALPHAS, inner=inner)
    np.testing.assert_allclose(result.alphas, chosen)


@pytest.mark.parametrize("inner", ["loo", 4])
@pytest.mark.parametrize("p", [8, 60])
def test_no_penalty_at_all(p: int, inner: int | str) -> None:
    x, y = data(40, p)
    result = encoding.ridge_cv(x, y, folds=4, alphas=[0.0, 1e9], inner=inner)
    assert np.isfinite(result.predictions).all()
    assert (result.alphas == 0).any()


def test_inner_folds_may_be_given() -> None:
    x, y = data(30, 10, t=2)
    folds = encoding.k_fold(30, 3)
    inner = encoding.k_fold(20, 2, seed=9)
    chosen, _ = slow_ridge_cv(x, y, folds, inner, ALPHAS)
    result = encoding.ridge_cv(x, y, folds=folds, alphas=ALPHAS, inner=inner)
    np.testing.assert_allclose(result.alphas, chosen)


@pytest.mark.parametrize("inner", ["loo", 3])
def test_the_reported_fold_is_never_seen(inner: int | str) -> None:
    x, y = data(40, 60)
    fold = encoding.k_fold(40, 4)[0]
    first = encoding.ridge_cv(x, y, folds=[fold], alphas=ALPHAS, inner=inner)
    other = y.copy()
    other[fold[1]] = 1e3 * np.random.default_rng(1).normal(size=(10, 4))
    second = encoding.ridge_cv(x, other, folds=[fold], alphas=ALPHAS, inner=inner)
    np.testing.assert_allclose(first.fold_predictions[0], second.fold_predictions[0], rtol=1e-9)
    np.testing.assert_array_equal(first.alphas, second.alphas)
    assert np.isnan(first.predictions[fold[0]]).all()
    moved = x.copy()
    moved[fold[1][1:]] *= 7
    third = encoding.ridge_cv(moved, y, folds=[fold], alphas=ALPHAS, inner=inner)
    np.testing.assert_allclose(third.fold_predictions[0][0], first.fold_predictions[0][0])


def test_a_presentation_tested_often_has_the_mean_prediction() -> None:
    x, y = data(40, 10)
    folds = encoding.stratified_shuffle(np.repeat([0, 1], 20), 6, test_share=0.3)
    result = encoding.ridge_cv(x, y, folds=folds, alphas=[1.0])
    for row in range(40):
        found = [
            p[list(test).index(row)]
            for p, (_, test) in zip(result.fold_predictions, folds, strict=True)
            if row in test
        ]
        if found:
            np.testing.assert_allclose(result.predictions[row], np.mean(found, axis=0))
        else:
            assert np.isnan(result.predictions[row]).all()


def test_groups_hold_inside_and_outside() -> None:
    rng = np.random.default_rng(0)
    objects = np.repeat(np.arange(12), 5)
    codes = rng.normal(size=(12, 30))
    x = codes[objects] + 0.1 * rng.normal(size=(60, 30))
    y = rng.normal(size=(12, 3))[objects]  # known of the object, not of its features
    leaky = encoding.ridge_cv(x, y, folds=4, alphas=ALPHAS, inner=3)
    honest = encoding.ridge_cv(x, y, folds=4, alphas=ALPHAS, inner=3, groups=objects)
    assert leaky.scores.min() > 0.8
    assert honest.scores.mean() < 0.4
    for train, test in honest.folds:
        assert not set(objects[train]) & set(objects[test])
    # Inner folds that divide objects favour the smallest penalty; whole objects do not.
    assert np.median(honest.alphas) > np.median(leaky.alphas)
    with pytest.raises(UserError, match="would divide groups"):
        encoding.ridge_cv(x, y, folds=4, alphas=ALPHAS, inner="loo", groups=objects)


# --- invariances --------------------------------------------------------------------------------


@given(st.integers(12, 30), st.integers(2, 40), st.floats(0.01, 100.0), st.integers(0, 99))
def test_rotation_shift_and_common_scale_of_features(
    n: int, p: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = data(n, p, t=2, seed=seed)
    q, _ = np.linalg.qr(rng.normal(size=(p, p)))
    moved = scale * (x @ q) + scale * rng.normal(size=p)
    first = encoding.ridge_cv(x, y, folds=3, alphas=ALPHAS, inner=2)
    second = encoding.ridge_cv(moved, y, folds=3, alphas=ALPHAS * scale**2, inner=2)
    np.testing.assert_allclose(first.predictions, second.predictions, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second.alphas, first.alphas * scale**2)


@given(st.integers(12, 30), st.integers(2, 40), st.integers(0, 99))
def test_targets_are_independent_and_linear(n: int, p: int, seed: int) -> None:
    x, y = data(n, p, t=3, seed=seed)
    together = encoding.ridge_cv(x, y, folds=3, alphas=ALPHAS, inner=2)
    alone = encoding.ridge_cv(x, -4 * y[:, 1] + 9, folds=3, alphas=ALPHAS, inner=2)
    np.testing.assert_allclose(
        alone.predictions[:, 0], 9 - 4 * together.predictions[:, 1], rtol=1e-6, atol=1e-7
    )


def test_orthonormal_features_are_shrunk_by_one_plus_alpha() -> None:
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(50), rng.normal(size=(50, 8))]))
    x = np.concatenate([basis[:, 1:], rng.normal(size=(5, 8))])
    y = rng.normal(size=(55, 3))
    y[:50] -= y[:50].mean(axis=0)
    fold = (np.arange(50), np.arange(50, 55))
    for alpha, path in zip(
        [0.0, 1.0, 9.0], encoding.ridge_path(x, y, fold, [0, 1, 9]), strict=True
    ):
        np.testing.assert_allclose(path, x[50:] @ x[:50].T @ y[:50] / (1 + alpha), atol=1e-9)
    far = encoding.ridge_path(x, y + 3, fold, [1e15])[0]
    np.testing.assert_allclose(far, 3, atol=1e-9)


def test_noise_and_permuted_labels_are_at_chance() -> None:
    x, y = data(120, 200, t=150, noise=0.3)
    rng = np.random.default_rng(3)
    real = encoding.ridge_cv(x, y, folds=5, alphas=[1.0, 100.0]).scores
    permuted = encoding.ridge_cv(x, rng.permutation(y), folds=5, alphas=[1.0, 100.0]).scores
    noise = encoding.ridge_cv(x, rng.normal(size=y.shape), folds=5, alphas=[1.0, 100.0]).scores
    assert real.mean() > 0.25
    assert abs(noise.mean()) < 0.04
    assert abs(permuted.mean()) < 0.1
    # One permutation is shared by the targets, which share features: chance over permutations.
    chance = [
        encoding.ridge_cv(x, rng.permutation(y), folds=5, alphas=[100.0]).scores.mean()
        for _ in range(20)
    ]
    assert abs(np.mean(chance)) < 3 * np.std(chance) / np.sqrt(20) + 0.01


# --- kinds, precisions, degenerate input --------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 300), (50, 12)])
def test_kinds_and_precisions(shape: tuple[int, int], dtype: type) -> None:
    x, y = data(*shape)
    exact = encoding.ridge_cv(x, y, folds=4, alphas=[10.0])
    x, y = x.astype(dtype), y.astype(dtype)
    result = encoding.ridge_cv(x, y, folds=4, alphas=[10.0])
    tensors = encoding.ridge_cv(torch.from_numpy(x), torch.from_numpy(y), folds=4, alphas=[10.0])
    assert result.predictions.dtype == result.scores.dtype == result.alphas.dtype == dtype
    assert isinstance(tensors.predictions, torch.Tensor)
    assert isinstance(tensors.alphas, torch.Tensor)
    np.testing.assert_array_equal(tensors.predictions.numpy(), result.predictions)
    tolerance = 1e-3 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(
        result.predictions, exact.predictions, rtol=tolerance, atol=0.02 * (dtype is np.float32)
    )


def test_large_means_do_not_cost_digits() -> None:
    x, y = data(40, 80)
    first = encoding.ridge_cv(x, y, folds=4, alphas=[1.0])
    far = encoding.ridge_cv(x + 1e6, y + 1e6, folds=4, alphas=[1.0])
    np.testing.assert_allclose(far.predictions - 1e6, first.predictions, atol=1e-5)


@pytest.mark.parametrize("gram", [False, True])
def test_constant_targets_and_features_are_counted(gram: bool) -> None:
    x, y = data(40, 10)
    x[:, 3] = 0.1
    y[:, 1] = 0.7
    features = x @ x.T if gram else x
    result = encoding.ridge_cv(features, y, folds=4, alphas=ALPHAS, gram=gram)
    assert result.n_constant_targets == 1
    assert result.n_constant_features == (0 if gram else 1)
    for values in (result.predictions, result.fold_scores, result.alphas):
        assert np.isnan(values[:, 1]).all()
        assert np.isfinite(values[:, [0, 2, 3]]).all()
    assert np.isnan(result.scores).tolist() == [False, True, False, False]
    path = encoding.ridge_path(features, y, result.folds[0], ALPHAS, gram=gram)
    assert np.isnan(path[..., 1]).all()
    assert np.isfinite(path[..., [0, 2, 3]]).all()


def test_a_target_silent_in_one_fold_is_scored_in_the_others() -> None:
    x, y = data(40, 10)
    folds = encoding.k_fold(40, 4)
    y[folds[2][1], 0] = 0.0
    result = encoding.ridge_cv(x, y, folds=folds, alphas=[1.0])
    assert np.isnan(result.fold_scores[:, 0]).tolist() == [False, False, True, False]
    assert result.scores[0] == pytest.approx(np.nanmean(result.fold_scores[:, 0]))


def test_features_without_variance_predict_the_mean() -> None:
    _, y = data(40, 10)
    result = encoding.ridge_cv(np.ones((40, 3)), y, folds=4, alphas=[1.0])
    for predicted, (train, _) in zip(result.fold_predictions, result.folds, strict=True):
        np.testing.assert_allclose(predicted, np.tile(y[train].mean(axis=0), (10, 1)))
    assert np.isnan(result.scores).all()
    assert result.n_constant_features == 3


def test_all_targets_constant() -> None:
    x, _ = data(40, 10)
    result = encoding.ridge_cv(x, np.ones((40, 2)), folds=4, alphas=ALPHAS)
    assert result.n_constant_targets == 2
    assert result.predictions.shape == (40, 2)
    assert np.isnan(result.scores).all()


@pytest.mark.parametrize("place", ["features", "targets"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_refused(place: str, value: float) -> None:
    x, y = data(40, 10)
    (x if place == "features" else y)[7, 2] = value
    (x if place == "features" else y)[9, 1] = value
    with pytest.raises(UserError, match=rf"{place}: 2 of .* the first at \(7, 2\)") as error:
        encoding.ridge_cv(x, y, folds=4, alphas=ALPHAS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphas": []}, "alphas must be a row"),
        ({"alphas": [-1.0]}, "none below 0"),
        ({"alphas": [np.nan]}, "none below 0"),
        ({"inner": "gcv"}, "or 'loo'"),
        ({"inner": 20}, "20 folds of 30 stimuli"),
        ({"folds": 20}, "20 folds of 40 stimuli"),
        ({"gram": True}, "a Gram is"),
        ({"score": "rank"}, "unknown score 'rank'"),
    ],
)
def test_mistakes(change: dict, message: str) -> None:
    x, y = data(40, 10)
    with pytest.raises(UserError, match=message):
        encoding.ridge_cv(x, y, **{"folds": 4, "alphas": ALPHAS, **change})
    with pytest.raises(UserError, match="share their first"):
        encoding.ridge_cv(x, y[1:], folds=4, alphas=ALPHAS)


@pytest.mark.gpu
def test_cuda_agrees() -> None:
    x, y = (torch.from_numpy(a) for a in data(60, 200))
    here = encoding.ridge_cv(x, y, folds=4, alphas=ALPHAS)
    there = encoding.ridge_cv(x.cuda(), y.cuda(), folds=4, alphas=ALPHAS)
    assert there.predictions.is_cuda
    np.testing.assert_allclose(there.predictions.cpu(), here.predictions, rtol=1e-8)
