"""Intervals over neuroids and stimuli against resampling by loops, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.errors import UserError
from isocortex.measures import encoding
from isocortex.measures.encoding import resampling
from isocortex.statistics import bootstrap_interval


def models(t: int = 12, n: int = 60, score: str = "pearson", seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8))
    y = x @ rng.normal(size=(8, t)) + 2 * rng.normal(size=(n, t)) + 5
    good = encoding.ols_cv(x, y, folds=4, score=score)
    poor = encoding.ols_cv(x[:, :3], y, folds=4, score=score)
    return y, good, poor


@pytest.mark.parametrize("score", ["pearson", "r2"])
def test_weighted_scores_are_scores_of_repeated_rows(score: str) -> None:
    y, good, _ = models(score=score)
    rng = np.random.default_rng(1)
    counts = resampling._counts(good, len(y), 5, rng, "cpu")
    ours = resampling._resampled(good, resampling.to_torch(y), slice(None), counts)
    for b in range(5):
        for f, ((_, test), predicted) in enumerate(
            zip(good.folds, good.fold_predictions, strict=True)
        ):
            assert counts[b, test].sum() == len(test)
            rows = np.repeat(np.arange(len(test)), counts[b, test].int())
            expected = encoding.SCORES[score](y[test][rows], predicted[rows])
            np.testing.assert_allclose(ours[b, f], expected, rtol=1e-9)


def test_overlapping_test_sets_share_their_draw() -> None:
    y, _, _ = models()
    folds = encoding.stratified_shuffle(np.zeros(60), 8, test_share=0.3)
    result = encoding.ridge_cv(y[:, :5], y, folds=folds, alphas=[1.0])
    counts = resampling._counts(result, 60, 4, np.random.default_rng(0), "cpu")
    tested = np.unique(np.concatenate([t for _, t in folds]))
    assert counts.sum(dim=1).tolist() == [len(tested)] * 4
    assert encoding.score_interval(result, y, over="stimuli", n_resamples=50).defined


def test_over_neuroids_it_is_the_bootstrap_of_their_scores() -> None:
    y, good, _ = models(t=40)
    ours = encoding.score_interval(good, y, how="mean", n_resamples=4000)
    other = bootstrap_interval(good.scores, n_resamples=4000)
    assert ours.estimate == pytest.approx(other.estimate)
    assert ours.low == pytest.approx(other.low, abs=0.01)
    assert ours.high == pytest.approx(other.high, abs=0.01)
    assert ours.n == 40


@pytest.mark.parametrize("over", resampling.OVER)
def test_intervals_hold_their_estimate_and_repeat(over: str) -> None:
    y, good, poor = models()
    for how in encoding.AGGREGATIONS:
        interval = encoding.score_interval(good, y, over=over, how=how, n_resamples=200)
        assert interval.estimate == pytest.approx(good.aggregate(how))
        assert interval.low < interval.estimate < interval.high
        assert interval == encoding.score_interval(good, y, over=over, how=how, n_resamples=200)
    difference = encoding.difference_interval(good, poor, y, over=over, n_resamples=200)
    assert difference.estimate == pytest.approx(good.aggregate() - poor.aggregate())
    assert difference.low > 0
    back = encoding.difference_interval(poor, good, y, over=over, n_resamples=200)
    assert back.low == pytest.approx(-difference.high)
    none = encoding.difference_interval(good, good, y, over=over, n_resamples=50)
    assert (none.low, none.high) == (0, 0)


def test_pairing_narrows_and_both_widens() -> None:
    y, good, poor = models(t=30)
    width = {}
    for over in resampling.OVER:
        interval = encoding.score_interval(good, y, over=over, n_resamples=500)
        width[over] = interval.high - interval.low
        paired = encoding.difference_interval(good, poor, y, over=over, n_resamples=500)
        other = encoding.score_interval(poor, y, over=over, n_resamples=500)
        apart = np.hypot(width[over], other.high - other.low)
        if over == "stimuli":
            assert paired.high - paired.low < apart
    assert width["both"] > max(width["neuroids"], width["stimuli"])


def test_intervals_over_stimuli_cover_the_truth() -> None:
    # Prediction and response correlate at .6 in the population; one fixed model, fresh stimuli.
    rng = np.random.default_rng(0)
    inside = 0
    folds = (([0, 1, 2], np.arange(3, 83)),)
    for _ in range(60):
        p = rng.normal(size=(83, 200))
        y = 0.6 * p + 0.8 * rng.normal(size=(83, 1))
        result = encoding.Encoding(
            p, np.ones(200), np.ones((1, 200)), "pearson", folds, (p[3:],), 0, 0
        )
        interval = encoding.score_interval(result, y, over="stimuli", how="mean", n_resamples=200)
        inside += interval.low <= 0.6 <= interval.high
    assert 50 <= inside <= 60


def test_constant_neuroids_are_dropped_and_counted() -> None:
    y, _, _ = models()
    x = y[:, :4].copy()
    y[:, 2] = 1.0
    result = encoding.ols_cv(x, y, folds=4)
    for over in resampling.OVER:
        interval = encoding.score_interval(result, y, over=over, n_resamples=50)
        assert interval.n_dropped == 1
        assert interval.defined
    y[:, :] = 1.0
    empty = encoding.ols_cv(x, y, folds=4)
    with pytest.raises(UserError, match="no neuroid has a defined score"):
        encoding.score_interval(empty, y)


def test_mistakes() -> None:
    y, good, _ = models()
    other = encoding.ols_cv(y[:, :3], y, folds=3)
    r2 = encoding.ols_cv(y[:, :3], y, folds=4, score="r2")
    for wrong in (other, r2):
        with pytest.raises(UserError, match="same folds and by the same score"):
            encoding.difference_interval(good, wrong, y)
    with pytest.raises(UserError, match="unknown way to resample 'units'"):
        encoding.score_interval(good, y, over="units")
    with pytest.raises(UserError, match="unknown aggregation"):
        encoding.score_interval(good, y, how="median")
    with pytest.raises(UserError, match="not those predicted"):
        encoding.score_interval(good, y[:, :3])
    with pytest.raises(UserError, match="level"):
        encoding.score_interval(good, y, level=95)
