"""Split-half reliability against slow loops and populations of known reliability."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.measures import reliability
from isocortex.measures.reliability import spearman_brown, split_half

RNG = np.random.default_rng(0)


def signal_and_noise(
    repetitions: int, presentations: int, neuroids: int, noise: float, seed: int = 0
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(1, presentations, neuroids))
    return signal + noise * rng.normal(size=(repetitions, presentations, neuroids))


# --- Spearman-Brown -----------------------------------------------------------------------------


@given(st.floats(-0.99, 1.0), st.floats(1.0, 20.0))
def test_spearman_brown_is_its_formula(r: float, factor: float) -> None:
    below = 1 + (factor - 1) * r
    corrected = spearman_brown(r, factor)
    assert isinstance(corrected, float)
    if below > 1e-9:
        assert corrected == pytest.approx(factor * r / below)
    elif below <= 0:
        assert np.isnan(corrected)


@given(st.floats(0.01, 0.99), st.floats(1.0, 10.0), st.floats(1.0, 10.0))
def test_lengthening_twice_multiplies(r: float, a: float, b: float) -> None:
    assert spearman_brown(spearman_brown(r, a), b) == pytest.approx(spearman_brown(r, a * b))


def test_spearman_brown_of_degenerate_input() -> None:
    assert np.isnan(spearman_brown(-1.0))
    assert spearman_brown(1) == 1.0
    r = torch.tensor([0.5, -1.0, torch.nan])
    corrected = spearman_brown(r)
    assert corrected[0] == pytest.approx(2 / 3)
    assert corrected[1:].isnan().all()
    with pytest.raises(UserError, match="above 0"):
        spearman_brown(0.5, 0)


# --- over repetitions ---------------------------------------------------------------------------


def slow_repetitions(x: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Follow one split: presentation by presentation, in the order of the random keys."""
    _, presentations, neuroids = x.shape
    result = np.full(neuroids, np.nan)
    for u in range(neuroids):
        a, b = [], []
        for p in range(presentations):
            trials = [x[i, p, u] for i in np.argsort(keys[:, p]) if not np.isnan(x[i, p, u])]
            if len(trials) < 2:
                continue
            a.append(np.mean(trials[::2]))
            b.append(np.mean(trials[1::2]))
        if len(a) >= 3:
            result[u] = np.corrcoef(a, b)[0, 1]
    return result


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repetitions_by_loops(missing: bool, dtype: type) -> None:
    x = signal_and_noise(5, 12, 4, 1.0)
    if missing:
        x[RNG.random(x.shape) < 0.3] = np.nan
        x[1:, 3] = np.nan
        x[:, 2:, 3] = np.nan
    result = split_half(x.astype(dtype), n_splits=6, seed=3)
    keys = np.random.default_rng(3).random((6, 5, 12, 1))[..., 0]
    expected = np.stack([slow_repetitions(x, k) for k in keys])
    assert result.splits.dtype == dtype
    np.testing.assert_allclose(result.splits, expected, atol=1e-5 if dtype == np.float32 else 1e-12)
    mean = expected.mean(axis=0)
    np.testing.assert_allclose(result.values, 2 * mean / (1 + mean), atol=1e-5)
    if missing:
        assert np.isnan(result.values[3])


def test_repetitions_recover_the_known_reliability() -> None:
    """Signal 1, noise s: the mean of R repetitions has reliability 1 / (1 + s^2 / R)."""
    x = signal_and_noise(10, 400, 50, noise=2.0)
    result = split_half(x, n_splits=20)
    assert float(np.mean(result.values)) == pytest.approx(1 / (1 + 4 / 10), abs=0.02)
    assert (result.low <= result.values + 0.02).all()
    assert (result.high >= result.values - 0.02).all()


def test_noise_alone_has_no_reliability() -> None:
    x = np.random.default_rng(0).normal(size=(8, 300, 40))
    assert abs(np.mean(split_half(x, n_splits=20).values)) < 0.03


def test_repetitions_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.from_numpy(signal_and_noise(4, 10, 3, 1.0))
    whole = split_half(x, n_splits=9)
    monkeypatch.setattr(reliability, "_CHUNK_BYTES", 8 * 120 * 2)
    assert torch.allclose(split_half(x, n_splits=9).splits, whole.splits)
    assert isinstance(whole.values, torch.Tensor)


# --- over neuroids ------------------------------------------------------------------------------


def test_neuroids_by_loops() -> None:
    x = RNG.normal(size=(3, 5, 11))
    result = split_half(x, "neuroids", n_splits=7, seed=2)
    assert result.splits.shape == (7, 3)
    rng = np.random.default_rng(2)
    upper = np.triu_indices(5, 1)
    for split in range(7):
        order = rng.permutation(11)
        for o in range(3):
            d = [1 - np.corrcoef(x[o][:, half])[upper] for half in (order[:5], order[5:])]
            assert result.splits[split, o] == pytest.approx(np.corrcoef(*d)[0, 1], abs=1e-12)
    mean = result.splits.mean(axis=0)
    np.testing.assert_allclose(result.values, 2 * mean / (1 + mean))


def test_neuroids_that_share_their_geometry_are_reliable() -> None:
    rng = np.random.default_rng(0)
    views = rng.normal(size=(6, 3))
    shared = views @ rng.normal(size=(3, 2000))
    assert split_half(shared, "neuroids", n_splits=10).values > 0.99
    noise = rng.normal(size=(200, 5, 60))
    assert abs(np.median(split_half(noise, "neuroids", n_splits=20).values)) < 0.1


# --- both ---------------------------------------------------------------------------------------


def test_interval_is_over_the_entries() -> None:
    x = signal_and_noise(6, 60, 30, noise=1.5)
    x[:, :, 0] = 1.0
    result = split_half(x, n_splits=10)
    assert np.isnan(result.values[0])
    interval = result.interval()
    assert (interval.n, interval.n_dropped, interval.method) == (29, 1, "bca")
    assert interval.estimate == pytest.approx(np.median(result.values[1:]))
    assert interval.low < interval.estimate < interval.high


def test_bad_input_is_refused() -> None:
    x = signal_and_noise(4, 10, 5, 1.0)
    with pytest.raises(UserError, match="way to split"):
        split_half(x, "trials")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="repetitions >= 2"):
        split_half(x[:1])
    with pytest.raises(UserError, match="neuroids >= 4"):
        split_half(x[..., :3], "neuroids")
    with pytest.raises(UserError, match="n_splits"):
        split_half(x, n_splits=0)
    assert np.isnan(split_half(x[:, :2]).values).all()
    assert np.isnan(split_half(x[:, :2], "neuroids").values).all()
