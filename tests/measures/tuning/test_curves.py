from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import iv

from isocortex.errors import UserError
from isocortex.measures.tuning import (
    RESPONSE_RULES,
    bandwidth,
    circular_variance,
    modulation_ratio,
    orientation_tuning,
    preferred_orientation,
)

ANGLES = np.arange(0, 180, 15.0)


def cosine(a: float, angles: np.ndarray = ANGLES) -> np.ndarray:
    return 1 + np.cos(2 * np.deg2rad(angles - a))


def test_circular_variances_that_are_known():
    assert circular_variance(np.ones(12), ANGLES) == pytest.approx(1)
    assert circular_variance(np.eye(12), ANGLES) == pytest.approx(np.zeros(12), abs=1e-12)
    assert circular_variance(cosine(37), ANGLES) == pytest.approx(0.5)
    assert circular_variance(cosine(37) + 1, ANGLES) == pytest.approx(0.75)
    von_mises = np.exp(np.cos(2 * np.deg2rad(ANGLES)))
    assert circular_variance(von_mises, ANGLES) == pytest.approx(1 - iv(1, 1) / iv(0, 1))
    assert 1 - iv(1, 1) / iv(0, 1) == pytest.approx(0.5536, abs=5e-5)
    orthogonal = np.eye(12)[0] + np.eye(12)[6]
    assert circular_variance(orthogonal, ANGLES) == pytest.approx(1)
    assert np.isnan(circular_variance(np.zeros(12), ANGLES))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinds_and_precisions_come_back(dtype):
    curves = cosine(20).astype(dtype)
    for measure in (circular_variance, preferred_orientation, bandwidth):
        assert measure(curves, ANGLES).dtype == dtype
        there = measure(torch.from_numpy(curves), torch.from_numpy(ANGLES))
        assert isinstance(there, torch.Tensor)
        np.testing.assert_allclose(there.numpy(), measure(curves, ANGLES))


@given(
    seed=st.integers(0, 1000),
    gain=st.floats(1e-3, 1e3),
    turn=st.integers(0, 11),
    n=st.integers(3, 24),
)
def test_neither_gain_nor_turning_changes_selectivity(seed, gain, turn, n):
    angles = np.arange(n) * 180 / n
    curves = np.random.default_rng(seed).random((4, n))
    cv = circular_variance(curves, angles)
    assert ((cv >= 0) & (cv <= 1)).all()
    turned = np.roll(curves, turn, axis=-1)
    np.testing.assert_allclose(circular_variance(gain * turned, angles), cv, atol=1e-12)
    np.testing.assert_allclose(bandwidth(gain * turned, angles), bandwidth(curves, angles))
    here, there = preferred_orientation(curves, angles), preferred_orientation(turned, angles)
    apart = (there - here - turn * 180 / n + 90) % 180 - 90
    np.testing.assert_allclose(apart, 0, atol=1e-6)


@given(a=st.floats(0, 179.99))
def test_the_preferred_orientation_of_a_cosine(a):
    found = float(preferred_orientation(cosine(a), ANGLES))
    assert 0 <= found < 180
    assert abs((found - a + 90) % 180 - 90) < 1e-6
    assert np.isnan(preferred_orientation(np.ones(12), ANGLES))


def half_width(curve: np.ndarray, step: float) -> float:
    """Walk down from the peak on both sides."""
    peak, n = int(curve.argmax()), len(curve)
    level = curve.max() / math.sqrt(2)
    widths = []
    for sign in (1, -1):
        for k in range(1, n // 2 + 1):
            now, last = curve[(peak + sign * k) % n], curve[(peak + sign * (k - 1)) % n]
            if now <= level:
                widths.append((k - 1 + (last - level) / (last - now)) * step)
                break
        else:
            return math.nan
    return sum(widths) / 2


@given(seed=st.integers(0, 1000), n=st.integers(4, 40), offset=st.floats(0, 3))
def test_half_widths_against_a_walk(seed, n, offset):
    curves = np.random.default_rng(seed).random((3, n)) + offset
    expected = [half_width(c, 180 / n) for c in curves]
    found = bandwidth(curves, np.arange(n) * 180 / n, smoothing=None)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_half_widths_that_are_known():
    fine = np.arange(0, 180, 0.5)
    # 1 + cos(2 d) falls to 1 / sqrt(2) of its peak of 2 where cos(2 d) = sqrt(2) - 1.
    expected = np.rad2deg(math.acos(math.sqrt(2) - 1) / 2)
    assert bandwidth(cosine(90, fine), fine, smoothing=None) == pytest.approx(expected, abs=0.01)
    assert np.isnan(bandwidth(cosine(0) + 5, ANGLES))
    assert np.isnan(bandwidth(np.zeros(12), ANGLES))
    # A Hanning window of half-width 13.5 on steps of 15 degrees has weights 1, .413, 0.
    weight = (1 + math.cos(math.pi * 15 / 27)) / 2
    smooth = np.zeros(12)
    smooth[[5, 6, 7]] = weight, 1, weight
    assert bandwidth(np.eye(12)[6], ANGLES) == pytest.approx(half_width(smooth, 15))


def test_modulation_of_known_responses():
    phase = 2 * np.pi * np.arange(64) / 64
    assert modulation_ratio(np.ones(8)) == pytest.approx(0, abs=1e-12)
    assert modulation_ratio(3 + np.cos(phase + 1)) == pytest.approx(1 / 3)
    half = np.maximum(np.cos(phase), 0)
    assert modulation_ratio(half) == pytest.approx(math.pi / 2, rel=2e-3)
    assert modulation_ratio(np.eye(8)[3]) == pytest.approx(2)
    assert modulation_ratio(np.abs(np.cos(phase))) == pytest.approx(0, abs=1e-12)
    assert np.isnan(modulation_ratio(np.zeros(8)))


def population(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Responses (conditions, orientations, phases, units), and to the grey image."""
    return rng.standard_normal((3, 12, 8, 5)), 0.3 * rng.standard_normal(5)


@pytest.mark.parametrize("rule", RESPONSE_RULES)
def test_tuning_against_one_unit_at_a_time(rule):
    responses, blank = population(np.random.default_rng(2))
    found = orientation_tuning(responses, ANGLES, blank, rule=rule)
    for u in range(5):
        x = responses[..., u]
        if rule == "f1":
            strength = 2 * np.abs(np.fft.fft(x, axis=-1)[..., 1]) / 8
        else:
            x = np.maximum(x - (blank[u] if rule == "blanksub" else 0), 0)
            strength = x.mean(-1)
        k = strength.max(1).argmax()
        curve = strength[k]
        np.testing.assert_allclose(found.curves[:, u], curve)
        assert found.condition[u] == k
        assert found.circular_variance[u] == pytest.approx(
            1 - abs((curve * np.exp(2j * np.deg2rad(ANGLES))).sum()) / curve.sum()
        )
        at = np.maximum(x[k, curve.argmax()], 0)
        first = 2 * abs(np.fft.fft(x[k, curve.argmax()])[1]) / 8
        assert found.modulation[u] == pytest.approx(first / at.mean())
    assert not found.silent.any()


def test_an_offset_counts_as_response_under_clip_alone():
    rng = np.random.default_rng(0)
    responses, _ = population(rng)
    odd = 1 / (1 + np.exp(-0.05 * responses))
    clip = orientation_tuning(odd, ANGLES, np.full(5, 0.5), rule="clip")
    assert clip.circular_variance.min() > 0.95
    there = orientation_tuning(odd, ANGLES, np.full(5, 0.5), rule="blanksub").circular_variance
    expected = orientation_tuning(responses, ANGLES, np.zeros(5), rule="blanksub").circular_variance
    np.testing.assert_allclose(there, expected, atol=0.02)


def test_silent_units_are_named_and_not_numbered():
    responses, blank = population(np.random.default_rng(1))
    responses[..., 0] = -1
    responses[..., 1] = 0
    found = orientation_tuning(responses, ANGLES, blank)
    assert found.silent.tolist() == [True, True, False, False, False]
    for values in (found.circular_variance, found.preferred, found.bandwidth, found.modulation):
        assert np.isnan(values[:2]).all()
    assert np.isfinite(found.circular_variance[2:]).all()
    constant = np.full((1, 12, 8, 1), 0.7, dtype=np.float32)
    assert orientation_tuning(constant, ANGLES, np.array([0.7], "float32"), rule="blanksub").silent
    assert orientation_tuning(constant, ANGLES, rule="f1").silent


def test_mistakes_get_one_line():
    responses, blank = population(np.random.default_rng(1))
    with pytest.raises(UserError, match="a rate is negative"):
        circular_variance(-np.ones(12), ANGLES)
    with pytest.raises(UserError, match="one rate an orientation"):
        circular_variance(np.ones(11), ANGLES)
    with pytest.raises(UserError, match="even steps"):
        bandwidth(np.ones(3), np.array([0, 10, 90]))
    with pytest.raises(UserError, match="smoothing is 0"):
        bandwidth(np.ones(12), ANGLES, smoothing=0)
    with pytest.raises(UserError, match="at least 3 phases"):
        modulation_ratio(np.ones(2))
    with pytest.raises(UserError, match="unknown response rule 'mean'"):
        orientation_tuning(responses, ANGLES, blank, rule="mean")
    with pytest.raises(UserError, match="give blank"):
        orientation_tuning(responses, ANGLES, rule="blanksub")
    with pytest.raises(UserError, match="one response a unit"):
        orientation_tuning(responses, ANGLES, blank[1:])
    with pytest.raises(UserError, match="with 12 orientations"):
        orientation_tuning(responses[:, 1:], ANGLES)
