"""Choice of layers inside training data, and Brain-Score's protocol, step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge

from isocortex.errors import UserError
from isocortex.measures import encoding
from isocortex.measures.reliability import split_half

RNG = np.random.default_rng(0)
LATENT = RNG.normal(size=(60, 6))
LAYERS = {
    "early": LATENT[:, :2] @ RNG.normal(size=(2, 30)) + 0.5 * RNG.normal(size=(60, 30)),
    "late": LATENT[:, 2:] @ RNG.normal(size=(4, 80)) + 0.5 * RNG.normal(size=(60, 80)),
    "noise": RNG.normal(size=(60, 40)),
}
TARGETS = np.concatenate(
    [LATENT[:, :2] @ RNG.normal(size=(2, 3)), LATENT[:, 2:] @ RNG.normal(size=(4, 4))], axis=1
)
TARGETS += 0.3 * RNG.normal(size=TARGETS.shape)
ALPHAS = [1.0, 30.0]


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("per", ["all", "target"])
def test_the_layer_is_that_of_the_training_data(per: str, gram: bool) -> None:
    layers = {name: x @ x.T if gram else x for name, x in LAYERS.items()}
    choice = encoding.best_layer(
        layers, TARGETS, folds=3, selection=4, per=per, alphas=ALPHAS, gram=gram
    )
    for f, (train, test) in enumerate(choice.encoding.folds):
        inner = np.array(
            [
                encoding.ridge_cv(x[train], TARGETS[train], folds=4, alphas=ALPHAS).scores
                for x in LAYERS.values()
            ]
        )
        np.testing.assert_allclose(choice.inner_scores[f], inner, rtol=1e-6)
        for t in range(7):
            if per == "target":
                assert choice.chosen[f, t] == inner[:, t].argmax()
            name = choice.layers[choice.chosen[f, t]]
            np.testing.assert_allclose(
                choice.encoding.predictions[test, t], choice.each[name].predictions[test, t]
            )
    if per == "all":
        assert (choice.chosen == 1).all()
    else:
        assert (choice.chosen[:, :3] == 0).all()
        assert (choice.chosen[:, 3:] == 1).all()


def test_the_reported_fold_has_no_say_in_the_choice() -> None:
    folds = encoding.k_fold(60, 3)[:1]
    first = encoding.best_layer(LAYERS, TARGETS, folds=folds, alphas=ALPHAS, per="target")
    other = TARGETS.copy()
    other[folds[0][1]] = 10 * LAYERS["noise"][folds[0][1], :7]
    second = encoding.best_layer(LAYERS, other, folds=folds, alphas=ALPHAS, per="target")
    np.testing.assert_array_equal(first.chosen, second.chosen)
    np.testing.assert_allclose(first.inner_scores, second.inner_scores, rtol=1e-7)


@pytest.mark.parametrize("inner", [5, "loo"])
@pytest.mark.parametrize("per", ["all", "target"])
def test_layers_chosen_by_the_folds_that_choose_the_penalty(per: str, inner: int | str) -> None:
    choice = encoding.best_layer(
        LAYERS, TARGETS, folds=3, selection="inner", per=per, alphas=ALPHAS, inner=inner
    )
    for f, (train, test) in enumerate(choice.encoding.folds):
        x, y = LAYERS["late"][train], TARGETS[train]
        splits = (
            [(np.delete(np.arange(len(train)), i), np.array([i])) for i in range(len(train))]
            if inner == "loo"
            else encoding.k_fold(len(train), 5)
        )
        errors = np.zeros((len(ALPHAS), 7))
        for a, b in splits:
            for i, alpha in enumerate(ALPHAS):
                model = Ridge(alpha, solver="cholesky").fit(x[a], y[a])
                errors[i] += ((model.predict(x[b]) - y[b]) ** 2).sum(axis=0)
        r2 = 1 - errors.min(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        late = choice.layers.index("late")
        np.testing.assert_allclose(choice.inner_scores[f, late], r2, rtol=1e-6)
        for t in range(7):
            found = choice.inner_scores[f, :, t]
            expected = (
                found.argmax()
                if per == "target"
                else np.median(choice.inner_scores[f], axis=1).argmax()
            )
            assert choice.chosen[f, t] == expected
            name = choice.layers[choice.chosen[f, t]]
            np.testing.assert_allclose(
                choice.encoding.predictions[test, t], choice.each[name].predictions[test, t]
            )
    other = TARGETS.copy()
    test = choice.encoding.folds[0][1]
    other[test] = 10 * LAYERS["noise"][test, :7]
    again = encoding.best_layer(
        LAYERS, other, folds=choice.encoding.folds, selection="inner", per=per, alphas=ALPHAS,
        inner=inner,
    )  # fmt: skip
    np.testing.assert_array_equal(again.chosen[0], choice.chosen[0])


def test_methods_without_inner_folds_cannot_choose_by_them() -> None:
    for options in ({"alphas": [1.0]}, {"method": encoding.pls_cv, "n_components": 3}):
        with pytest.raises(UserError, match="several penalties"):
            encoding.best_layer(LAYERS, TARGETS, folds=3, selection="inner", **options)
    with pytest.raises(UserError, match="unknown selection of layers 'outer'"):
        encoding.best_layer(LAYERS, TARGETS, folds=3, selection="outer")


def test_layers_for_other_methods_kinds_and_constant_targets() -> None:
    y = TARGETS.copy()
    y[:, 2] = 1.0
    choice = encoding.best_layer(
        LAYERS, y, folds=3, method=encoding.pls_cv, n_components=3, selection=3
    )
    assert (choice.chosen[:, 2] == -1).all()
    assert np.isnan(choice.encoding.scores[2])
    assert choice.encoding.n_constant_targets == 1
    tensors = encoding.best_layer(
        {k: torch.from_numpy(v) for k, v in LAYERS.items()},
        torch.from_numpy(y),
        folds=3,
        method=encoding.pls_cv,
        n_components=3,
        selection=3,
        groups=np.arange(60),
    )
    assert isinstance(tensors.encoding.scores, torch.Tensor)
    with pytest.raises(UserError, match="no layers"):
        encoding.best_layer({}, y)
    with pytest.raises(UserError, match="unknown way to choose a layer 'region'"):
        encoding.best_layer(LAYERS, y, per="region")
    with pytest.raises(UserError, match="unknown aggregation"):
        encoding.best_layer(LAYERS, y, how="median")


def test_choosing_among_noise_is_not_rewarded() -> None:
    rng = np.random.default_rng(1)
    layers = {f"layer {i}": rng.normal(size=(60, 20)) for i in range(8)}
    y = rng.normal(size=(60, 60))
    choice = encoding.best_layer(layers, y, folds=4, per="target", alphas=[10.0])
    assert abs(choice.encoding.scores.mean()) < 0.07
    reported = np.array([e.scores for e in choice.each.values()])
    assert reported.max(axis=0).mean() > 0.15  # what choosing on the reported folds would say


# --- Brain-Score --------------------------------------------------------------------------------


def test_the_protocol_step_by_step() -> None:
    rng = np.random.default_rng(2)
    objects = np.repeat(np.arange(10), 10)
    x = rng.normal(size=(100, 5)) @ rng.normal(size=(5, 300)) + 0.3 * rng.normal(size=(100, 300))
    signal = x[:, :9] + 0.2 * rng.normal(size=(100, 9))
    trials = signal + 1.0 * rng.normal(size=(8, 100, 9))
    y = trials.mean(axis=0)
    ours = encoding.brain_score(x, y, labels=objects, repetitions=trials)
    medians = []
    for train, test in encoding.stratified_shuffle(objects, 10, test_share=0.1, seed=1):
        assert (np.bincount(objects[test]) == 1).all()
        model = PLSRegression(25, scale=False, tol=1e-14, max_iter=100_000).fit(x[train], y[train])
        p = model.predict(x[test])
        medians.append(np.median([np.corrcoef(p[:, t], y[test, t])[0, 1] for t in range(9)]))
    np.testing.assert_allclose(ours.splits, medians, atol=1e-5)
    assert ours.raw == pytest.approx(np.mean(medians), abs=1e-5)
    halves = split_half(trials, n_splits=10, seed=1).splits
    ceiling = np.mean(np.median(2 * halves / (1 + halves), axis=1))
    assert ours.ceiling == pytest.approx(ceiling)
    assert ours.score_2024 == pytest.approx((ours.raw / ceiling) ** 2)
    assert ours.score_2026 == pytest.approx(ours.raw**2 / ceiling)


def test_brain_score_of_a_gram_and_a_known_ceiling() -> None:
    x, y = LAYERS["late"], TARGETS
    plain = encoding.brain_score(x, y, ceiling=0.8, n_components=5)
    gram = encoding.brain_score(x @ x.T, y, ceiling=0.8, n_components=5, gram=True)
    assert gram.raw == pytest.approx(plain.raw, rel=1e-6)
    assert plain.score_2026 == pytest.approx(plain.raw**2 / 0.8)
    bare = encoding.brain_score(x, y, n_components=5)
    assert np.isnan([bare.ceiling, bare.score_2024, bare.score_2026]).all()
    with pytest.raises(UserError, match="not both"):
        encoding.brain_score(x, y, ceiling=0.8, repetitions=np.ones((2, 60, 7)))
