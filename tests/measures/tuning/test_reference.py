from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from isocortex.errors import UserError
from isocortex.measures.tuning import (
    BINS,
    DISTANCES,
    ceiled_similarity,
    compare,
    distance,
    distance_draws,
    reference_intervals,
    split_floor,
)


def slow(kind: str, a: np.ndarray, b: np.ndarray) -> float:
    if kind == "wasserstein":
        return wasserstein_distance(a, b)
    if kind == "kolmogorov_smirnov":
        return ks_2samp(a, b).statistic
    p, q = (np.histogram(x, np.array(BINS))[0] / len(x) for x in (a, b))
    return jensenshannon(p, q, base=2)


@pytest.mark.parametrize("kind", DISTANCES)
@given(seed=st.integers(0, 1000), n=st.integers(1, 30), m=st.integers(1, 30))
def test_distances_against_scipy(kind, seed, n, m):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n).round(1 + seed % 3), rng.beta(2, 4, m).round(1 + seed % 3)
    assert distance(a, b, kind) == pytest.approx(slow(kind, a, b), abs=1e-7)
    assert distance(b, a, kind) == pytest.approx(distance(a, b, kind), abs=1e-7)
    assert distance(a, a[::-1].copy(), kind) == pytest.approx(0, abs=1e-7)
    assert distance(torch.from_numpy(a), torch.from_numpy(b), kind) == distance(a, b, kind)


@given(c=st.floats(-5, 5))
def test_a_shift_is_as_far_as_it_is(c):
    x = np.random.default_rng(0).random(17)
    assert distance(x, x + c) == pytest.approx(abs(c), abs=1e-12)


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("clustered", [True, False])
def test_draws_against_resampling_one_by_one(kind, clustered):
    rng = np.random.default_rng(5)
    a, b = rng.random(40), rng.beta(2, 4, 25)
    animals = np.repeat(["p", "q", "r", "s", "t"], [2, 9, 4, 3, 7])
    draws = distance_draws(a, b, kind, clusters=animals if clustered else None, n_draws=3000)
    expected = []
    for _ in range(3000):
        if clustered:
            drawn = rng.choice(["p", "q", "r", "s", "t"], 5)
            cells = np.concatenate([b[animals == name] for name in drawn])
        else:
            cells = rng.choice(b, 25)
        expected.append(slow(kind, rng.choice(a, 25), cells))
    for q in (0.025, 0.5, 0.975):
        assert np.quantile(draws, q) == pytest.approx(np.quantile(expected, q), rel=0.08)
    assert draws.mean() == pytest.approx(np.mean(expected), rel=0.03)


def test_the_draws_of_the_reference_are_shared_by_all_samples():
    rng = np.random.default_rng(1)
    cells, animals = rng.random(60), np.arange(60) // 6
    point = np.array([0.3])
    a = distance_draws(point, cells, clusters=animals, n_draws=200, seed=3)
    b = distance_draws(point + 1, cells + 1, clusters=animals, n_draws=200, seed=3)
    np.testing.assert_allclose(a, b)
    far = distance_draws(np.full(7, 2.0), cells, clusters=animals, n_draws=200, seed=3)
    near = distance_draws(np.full(90, 1.5), cells, clusters=animals, n_draws=200, seed=3)
    np.testing.assert_allclose(far - near, 0.5)  # all cells lie below both
    assert not np.allclose(a, distance_draws(point, cells, clusters=animals, n_draws=200, seed=4))


def test_halves_against_halving_one_by_one():
    rng = np.random.default_rng(2)
    cells = rng.random(51)
    floor = split_floor(cells, n_draws=4000)
    expected = []
    for _ in range(4000):
        order = rng.permutation(51)
        expected.append(wasserstein_distance(cells[order[:25]], cells[order[25:]]))
    assert floor.mean == pytest.approx(np.mean(expected), rel=0.05)
    assert floor.p95 == pytest.approx(np.quantile(expected, 0.95), rel=0.05)


def test_brain_scores_similarity_against_its_definition():
    rng = np.random.default_rng(3)
    a, b = rng.random(200), rng.beta(2, 4, 80)

    def similarity(p: np.ndarray, q: np.ndarray) -> float:
        first, last = np.eye(13)[0], np.eye(13)[-1]
        worst = max(np.abs(np.cumsum(z) - np.cumsum(q)).max() for z in (first, last))
        return 1 - np.abs(np.cumsum(p) - np.cumsum(q)).max() / worst

    def histogram(x: np.ndarray) -> np.ndarray:
        return np.histogram(x, np.array(BINS))[0] / len(x)

    expected = [
        np.mean([similarity(histogram(rng.choice(x, 80)), histogram(b)) for _ in range(2000)])
        for x in (a, b)
    ]
    raw, ceiling, ceiled = ceiled_similarity(a, b, n_draws=4000)
    assert raw == pytest.approx(expected[0], abs=0.006)
    assert ceiling == pytest.approx(expected[1], abs=0.006)
    assert ceiled == pytest.approx(raw / ceiling)
    assert np.isnan(ceiled_similarity(np.array([]), b)[0])


def test_a_comparison_holds_its_counts_floor_and_intervals():
    rng = np.random.default_rng(4)
    cells, animals = rng.random(120), np.repeat(np.arange(12), 10)
    near = compare(rng.random(300), cells, clusters=animals, n_draws=500)
    far = compare(np.full(300, 0.99), cells, clusters=animals, n_draws=500)
    assert (near.n_units, near.n_cells, near.n_clusters) == (300, 120, 12)
    assert near.wasserstein.n == 12
    assert near.floor == split_floor(cells, n_draws=500)
    assert far.wasserstein.low > near.wasserstein.high
    assert far.brainscore < near.brainscore
    assert far.wasserstein.low < far.wasserstein.estimate < far.wasserstein.high
    alone = compare(rng.random(30), cells, clusters=np.zeros(120), n_draws=50)
    assert np.isnan(alone.wasserstein.low)
    assert np.isfinite(alone.wasserstein.estimate)


def test_what_the_reference_says_of_itself():
    rng = np.random.default_rng(6)
    cells, animals = rng.random(90), rng.integers(0, 14, 90)
    found = reference_intervals(cells, animals, n_draws=4000)
    drawn = []
    for _ in range(4000):
        x = np.concatenate([cells[animals == a] for a in rng.choice(np.unique(animals), 14)])
        drawn.append((x.mean(), np.sort(x)[-(-len(x) // 2) - 1], (x < 0.5).mean()))
    for k, name in enumerate(("mean", "median", "fraction")):
        low, high = np.quantile([d[k] for d in drawn], [0.025, 0.975])
        assert found[name].low == pytest.approx(low, abs=0.012)
        assert found[name].high == pytest.approx(high, abs=0.012)
    assert found["mean"].estimate == pytest.approx(cells.mean())
    assert found["median"].estimate == pytest.approx(np.median(cells))
    assert found["fraction"].estimate == pytest.approx((cells < 0.5).mean())
    assert found["mean"].n == len(np.unique(animals))


def test_mistakes_get_one_line():
    x = np.random.default_rng(0).random(10)
    with pytest.raises(UserError, match="unknown distance 'energy'"):
        distance(x, x, "energy")
    with pytest.raises(UserError, match="the sample must be a row of finite numbers"):
        distance([np.nan, 1.0], x)
    assert np.isnan(distance(np.array([]), x))
    with pytest.raises(UserError, match="0 units cannot be compared with 10 cells"):
        compare(np.array([]), x)
    with pytest.raises(UserError, match="the animal of each of the 10 cells"):
        compare(x, x, clusters=np.zeros(9))
    with pytest.raises(UserError, match="at least one draw"):
        distance_draws(x, x, n_draws=0)
    with pytest.raises(UserError, match="halves of 3 cells"):
        split_floor(x[:3])
