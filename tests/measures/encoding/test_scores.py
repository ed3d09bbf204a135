"""Scores of known predictions, and the shares of what can be explained, by loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from isocortex.errors import UserError
from isocortex.measures import encoding

RNG = np.random.default_rng(0)
Y, P = RNG.normal(size=(30, 5)), RNG.normal(size=(30, 5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_by_their_oracles(dtype: type) -> None:
    y, p = Y.astype(dtype), (Y + P).astype(dtype)
    r = [np.corrcoef(y[:, t], p[:, t])[0, 1] for t in range(5)]
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(encoding.pearson_r(y, p), r, rtol=tolerance)
    np.testing.assert_allclose(
        encoding.r2(y, p), r2_score(y, p, multioutput="raw_values"), atol=tolerance
    )
    assert encoding.r2(torch.from_numpy(y), torch.from_numpy(p)).dtype == torch.from_numpy(y).dtype
    for score in encoding.SCORES.values():
        constant = y.copy()
        constant[:, 2] = 0.1
        assert np.isnan(score(constant, p)).tolist() == [False, False, True, False, False]
        np.testing.assert_allclose(score(y, y), 1, rtol=tolerance)
    np.testing.assert_allclose(encoding.r2(y, np.tile(y.mean(axis=0), (30, 1))), 0, atol=1e-6)


def trials(repetitions: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(200, 6))
    return signal, signal + noise * rng.normal(size=(repetitions, 200, 6))


def test_variance_parts_by_loops() -> None:
    _, x = trials(5, 0.8)
    x[3:, ::3] = np.nan
    x[1:, 5, 2] = np.nan
    total, noise = encoding.variance_parts(x)
    for t in range(6):
        seen = x[:, :, t]
        assert total[t] == pytest.approx(np.var(seen[~np.isnan(seen)], ddof=1))
        each = [np.var(c[~np.isnan(c)], ddof=1) for c in seen.T if (~np.isnan(c)).sum() > 1]
        assert noise[t] == pytest.approx(np.mean(each))


def test_feve_of_presentations_without_a_prediction_is_unknown() -> None:
    x = np.random.default_rng(0).normal(size=(4, 30, 3)) + np.arange(30)[:, None]
    predictions = x.mean(axis=0)
    predictions[5, 1] = np.nan
    result = encoding.feve(x, predictions)
    assert np.isnan(result).tolist() == [False, True, False]
    rest = encoding.feve(np.delete(x, 5, axis=1), np.delete(predictions, 5, axis=0))
    assert np.isfinite(rest).all()


def test_feve_of_the_signal_is_one_and_of_the_mean_zero() -> None:
    values = []
    for seed in range(20):
        signal, x = trials(4, 1.5, seed)
        values.append(
            [encoding.feve(x, signal), encoding.feve(x, np.tile(x.mean((0, 1)), (200, 1)))]
        )
    best, mean = np.mean(values, axis=(0, 2))
    assert best == pytest.approx(1, abs=0.03)
    assert mean == pytest.approx(0, abs=1e-9)
    _, x = trials(4, 1.5)
    x[:, :, 0] = 0.1
    x[:, :, 1] = np.arange(4.0)[:, None]  # the trials differ, the stimuli do not
    assert np.isnan(encoding.feve(x, x.mean(axis=0))).tolist() == [True, True] + 4 * [False]
    with pytest.raises(UserError, match="predictions must be"):
        encoding.feve(x, x[0, :5])
    with pytest.raises(UserError, match="repetitions >= 2"):
        encoding.feve(x[:1], x[0])


def test_aggregations_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.2], [0.5, np.nan, 0.7], [0.3, 0.4, 0.5]])
    assert encoding.aggregate(scores) == pytest.approx(np.mean([0.2, 0.6, 0.4]))
    columns = [0.3, 0.65, np.mean([0.2, 0.7, 0.5])]
    how = "mean_splits_median_neuroids"
    assert encoding.aggregate(scores, how) == pytest.approx(np.median(columns))
    assert encoding.aggregate(scores, "mean") == pytest.approx(np.mean(columns))
    # A neuroid that is never defined is left out; a split that is never defined is not hidden.
    wide = np.column_stack([scores, np.full(3, np.nan)])
    for name in encoding.AGGREGATIONS:
        assert encoding.aggregate(wide, name) == pytest.approx(encoding.aggregate(scores, name))
        assert np.isnan(encoding.aggregate(np.full((2, 3), np.nan), name))
    with pytest.raises(UserError, match="unknown aggregation 'median'"):
        encoding.aggregate(scores, "median")
    with pytest.raises(UserError, match="splits, neuroids"):
        encoding.aggregate(scores[0])


@given(st.floats(-1, 1), st.floats(0.01, 1))
def test_the_normalisations_of_brain_score(r: float, ceiling: float) -> None:
    before = encoding.normalise(r, ceiling, "brainscore_2024")
    assert before == pytest.approx((r / ceiling) ** 2)
    assert encoding.normalise(r, ceiling, "brainscore_2026") == pytest.approx(before * ceiling)
    assert encoding.normalise(r, ceiling) == pytest.approx(r / ceiling)


def test_a_ceiling_of_nothing() -> None:
    values = encoding.normalise(np.array([0.5, 0.5], dtype=np.float32), np.array([0.5, -0.1]))
    assert values.dtype == np.float32
    assert values[0] == 1
    assert np.isnan(values[1])
    assert np.isnan(encoding.normalise(0.5, 0.0))
    with pytest.raises(UserError, match="unknown normalisation"):
        encoding.normalise(0.5, 0.5, "clipped")
