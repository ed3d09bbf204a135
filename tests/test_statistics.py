"""Intervals, permutation tests, corrections: against scipy, slow loops and coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isocortex.errors import UserError
from isocortex.statistics import (
    Interval,
    benjamini_hochberg,
    benjamini_yekutieli,
    bootstrap_interval,
    permutation_p,
    proportion_interval,
    sign_flip_p,
    t_interval,
)

RNG = np.random.default_rng(0)


def test_t_interval_agrees_with_scipy() -> None:
    x = RNG.normal(0.3, 1.0, 7)
    interval = t_interval(x, level=0.9)
    reference = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert interval.low == pytest.approx(reference.low, abs=1e-12)
    assert interval.high == pytest.approx(reference.high, abs=1e-12)
    assert interval == t_interval(torch.from_numpy(x), level=0.9)
    assert (interval.n, interval.level, interval.method) == (7, 0.9, "t")


def test_t_interval_of_degenerate_input() -> None:
    one = t_interval([0.5])
    assert one.estimate == 0.5
    assert not one.defined
    assert one.n == 1
    assert np.isnan(t_interval(np.array([])).estimate)
    same = t_interval([0.25, 0.25, 0.25])
    assert (same.low, same.high) == (0.25, 0.25)
    with pytest.raises(UserError, match="shape"):
        t_interval(np.ones((2, 2)))
    with pytest.raises(UserError, match="level"):
        t_interval([1.0, 2.0], level=95)


@pytest.mark.parametrize("function", [t_interval, bootstrap_interval])
def test_nan_is_refused_or_dropped_with_a_count(function) -> None:  # type: ignore[no-untyped-def]
    x = np.array([0.1, np.nan, 0.4, 0.2, np.inf])
    with pytest.raises(UserError, match="2 of 5"):
        function(x)
    dropped = function(x, nan="drop")
    assert dropped.n_dropped == 2
    assert dropped.n == 3
    assert dropped.low == function(x[[0, 2, 3]]).low
    with pytest.raises(UserError, match="NaN policy"):
        function(x, nan="ignore")


def test_interval_reads_as_text_and_is_data() -> None:
    assert str(Interval(0.25, 0.1, 0.4)) == "0.25 [0.1, 0.4]"
    assert len({Interval(1, 0, 2), Interval(1, 0, 2)}) == 1


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_of_one_level_is_scipys(method: str) -> None:
    x = RNG.exponential(1.0, 40)
    ours = bootstrap_interval(x, np.median, method=method, n_resamples=999, seed=3)
    index = np.arange(40)
    theirs = stats.bootstrap(
        (index,),
        lambda i, axis: np.median(x[i.astype(int)], axis=axis),
        vectorized=True,
        n_resamples=999,
        method={"bca": "BCa"}.get(method, method),
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low)
    assert ours.high == pytest.approx(theirs.high)
    assert ours.estimate == np.median(x)


def test_bootstrap_takes_whole_rows_with_their_unit() -> None:
    x = RNG.normal(size=(60, 2))
    x[:, 1] += x[:, 0]

    def slope(samples: np.ndarray, axis: int) -> np.ndarray:
        a = samples - samples.mean(axis=axis, keepdims=True)
        return (a[..., 0] * a[..., 1]).sum(axis) / (a[..., 0] ** 2).sum(axis)

    interval = bootstrap_interval(x, slope, method="bca", n_resamples=500)
    assert interval.estimate == pytest.approx(np.polyfit(x[:, 0], x[:, 1], 1)[0])
    assert interval.low < interval.estimate < interval.high
    looked_up = bootstrap_interval(
        np.arange(60), lambda i, axis: slope(x[i.astype(int)], axis), method="bca", n_resamples=500
    )
    assert looked_up == interval


def test_bootstrap_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(5, 8))
    whole = (
        bootstrap_interval(x[0], n_resamples=100),
        bootstrap_interval(x, levels=2, n_resamples=100),
    )
    monkeypatch.setattr("isocortex.statistics._BATCH_BYTES", 8 * 40 * 7)
    assert bootstrap_interval(x[0], n_resamples=100) == whole[0]
    small = bootstrap_interval(x, levels=2, n_resamples=100)
    assert small.estimate == whole[1].estimate
    assert abs(small.low - whole[1].low) < 0.1


def test_hierarchical_bootstrap_has_the_variance_of_its_design() -> None:
    """Both levels contribute; a shared draw of exemplars keeps their common part."""
    seeds = np.random.default_rng(1).normal(0, 1.0, (40, 1))
    exemplars = np.random.default_rng(2).normal(0, 2.0, (1, 60))
    x = seeds + exemplars

    def width(**kwargs: object) -> float:
        interval = bootstrap_interval(x, levels=2, n_resamples=3000, **kwargs)
        return (interval.high - interval.low) / 3.92

    between = seeds.var() / 40
    assert width(crossed=True) == pytest.approx(np.sqrt(between + exemplars.var() / 60), rel=0.08)
    assert width() == pytest.approx(np.sqrt(between + exemplars.var() / 60 / 40), rel=0.08)


@pytest.mark.parametrize("crossed", [False, True])
def test_hierarchical_index_draws_what_it_says(crossed: bool) -> None:
    from isocortex.statistics import _hierarchical_index

    shape = (3, 4, 5)
    index = _hierarchical_index(shape, 50, crossed, np.random.default_rng(0))
    codes = np.arange(60).reshape(shape)[index]
    assert codes.shape == (50, *shape)
    top, middle, low = np.unravel_index(codes, shape)
    assert (top == top[:, :, :1, :1]).all()
    assert (middle == middle[:, :, :, :1]).all()
    shared = (middle == middle[:, :1]).all() and (low == low[:, :1, :1]).all()
    assert shared == crossed
    assert len(np.unique(codes)) == 60


def test_hierarchical_bootstrap_drops_an_exemplar_for_all_seeds() -> None:
    x = RNG.normal(size=(4, 6))
    x[2, 3] = np.nan
    interval = bootstrap_interval(x, levels=2, nan="drop", n_resamples=50)
    assert interval.n_dropped == 1
    assert interval.n == 4
    assert interval.estimate == pytest.approx(np.delete(x, 3, axis=1).mean())


def test_bootstrap_of_degenerate_input() -> None:
    assert not bootstrap_interval([1.0]).defined
    assert np.isnan(bootstrap_interval([]).estimate)
    for method in ("percentile", "bca"):
        same = bootstrap_interval([2.0] * 5, method=method)
        assert (same.low, same.high) == (2.0, 2.0)
    nan = bootstrap_interval(np.arange(5.0), lambda s, axis: np.full(len(s), np.nan), method="bca")
    assert not nan.defined
    with pytest.raises(UserError, match="hierarchy"):
        bootstrap_interval(np.ones((3, 3)), levels=2, method="bca")
    with pytest.raises(UserError, match="levels to resample"):
        bootstrap_interval(np.ones(3), levels=2)
    with pytest.raises(UserError, match="bootstrap method"):
        bootstrap_interval(np.ones(3), method="BCA")  # type: ignore[arg-type]


def test_intervals_cover_the_truth() -> None:
    """95 % intervals of a normal mean hold it in about 95 % of the experiments."""
    rng = np.random.default_rng(7)
    samples = rng.normal(1.0, 2.0, (1000, 30))
    t = [t_interval(s) for s in samples]
    bca = [bootstrap_interval(s, method="bca", n_resamples=400) for s in samples]
    for intervals, least in ((t, 0.93), (bca, 0.90)):
        covered = np.mean([i.low < 1.0 < i.high for i in intervals])
        assert least < covered < 0.97


def test_proportion_interval_is_exact() -> None:
    interval = proportion_interval(2, 1000)
    assert interval.estimate == 0.002
    assert interval.low == pytest.approx(stats.beta.ppf(0.025, 2, 999))
    assert interval.high == pytest.approx(stats.beta.ppf(0.975, 3, 998))
    assert not proportion_interval(0, 0).defined
    with pytest.raises(UserError, match="successes"):
        proportion_interval(3, 2)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_permutation_p_counts(alternative: str) -> None:
    null = RNG.normal(size=200)
    for observed in (-1.0, 0.3, 9.0, null[4]):
        above, below = int((null >= observed).sum()), int((null <= observed).sum())
        counts = {"greater": above, "less": below, "two-sided": min(above, below)}
        expected = (counts[alternative] + 1) / 201
        if alternative == "two-sided":
            expected = min(1.0, 2 * expected)
        assert permutation_p(observed, null, alternative=alternative) == pytest.approx(expected)


def test_permutation_p_batched_exact_and_degenerate() -> None:
    null = np.arange(15.0)
    assert permutation_p(14.0, null, exact=True) == pytest.approx(1 / 15)
    assert permutation_p(99.0, null) == pytest.approx(1 / 16)
    assert np.isnan(permutation_p(np.nan, null))
    seen = np.array([0.0, np.nan])
    p = permutation_p(seen, np.stack([null, np.full(15, np.nan)], axis=1))
    assert p[0] == 1.0
    assert np.isnan(p[1])
    with pytest.raises(UserError, match="holds NaN"):
        permutation_p(0.0, np.array([1.0, np.nan]))
    with pytest.raises(UserError, match="empty"):
        permutation_p(0.0, np.array([]))
    with pytest.raises(UserError, match="alternative"):
        permutation_p(0.0, null, alternative="both")  # type: ignore[arg-type]


def test_sign_flip_is_the_enumeration_for_few_units() -> None:
    d = np.array([0.4, 0.1, 0.7, -0.2, 0.5])
    means = [np.mean(d * np.array(s)) for s in itertools.product([1, -1], repeat=5)]
    greater = np.mean(np.array(means) >= d.mean() - 1e-12)
    assert sign_flip_p(d, alternative="greater") == pytest.approx(greater)
    assert np.isnan(sign_flip_p([0.3]))
    with pytest.raises(UserError, match="not finite"):
        sign_flip_p([0.1, np.nan])
    with pytest.raises(UserError, match="one difference"):
        sign_flip_p(np.ones((2, 2)))


def test_sign_flip_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(5)
    p = [sign_flip_p(rng.normal(size=12), n_draws=199) for _ in range(150)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def step_up(p: np.ndarray, factor: float) -> np.ndarray:
    """Adjust by the definition: the least rate at which each hypothesis is rejected."""
    n, order = len(p), np.argsort(p)
    adjusted = np.empty(n)
    for rank, i in enumerate(order):
        adjusted[i] = min(1.0, min(p[order[k]] * n * factor / (k + 1) for k in range(rank, n)))
    return adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_false_discovery_corrections_bear_their_own_names(values: list[float]) -> None:
    p = np.array(values)
    harmonic = (1 / np.arange(1, len(p) + 1)).sum()
    np.testing.assert_allclose(benjamini_hochberg(p), step_up(p, 1.0), atol=1e-12)
    np.testing.assert_allclose(benjamini_yekutieli(p), step_up(p, harmonic), atol=1e-12)


def test_false_discovery_of_degenerate_input() -> None:
    assert len(benjamini_hochberg(np.array([]))) == 0
    for bad in ([0.1, np.nan], [1.2], [-0.1]):
        with pytest.raises(UserError, match="p values"):
            benjamini_yekutieli(bad)
