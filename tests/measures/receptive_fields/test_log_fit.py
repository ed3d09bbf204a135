from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from isocortex.errors import UserError
from isocortex.measures.receptive_fields import (
    fit_log,
    gaussian,
    laplacian_of_gaussian,
    log_gate,
    null_levels,
    radial_profile,
    radial_share,
)

WIDTHS = np.array([0.55, 0.7, 1.0, 1.2, 1.7, 2.1, 2.4])


def by_hand(side: int, sigma: float) -> np.ndarray:
    """Pixel by pixel, from the formula."""
    c = (side - 1) / 2
    square = np.array([[(i - c) ** 2 + (j - c) ** 2 for j in range(side)] for i in range(side)])
    return (square - 2 * sigma**2) / sigma**4 * np.exp(-square / (2 * sigma**2))


@pytest.mark.parametrize("side", [6, 7, 11])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_width_and_amplitude_of_either_sign_are_recovered(side: int, dtype: type) -> None:
    c = np.array([1.0, -0.3, 5.0, -2.0, 1.0, -1.0, 3.0])
    exact = np.stack([by_hand(side, s) for s in WIDTHS])
    np.testing.assert_allclose(laplacian_of_gaussian(side, torch.from_numpy(WIDTHS)), exact)
    filters = (c[:, None, None] * exact + 0.1).astype(dtype)
    fit = fit_log(filters)
    assert fit.sigma.dtype == dtype
    np.testing.assert_allclose(fit.sigma, WIDTHS, rtol=0.01)
    np.testing.assert_allclose(fit.r, 1, atol=1e-5)
    np.testing.assert_allclose(fit.amplitude, c, rtol=0.01)
    np.testing.assert_allclose(fit.offset, 0.1, atol=0.02)
    np.testing.assert_allclose(fit.fitted, filters, atol=0.02 * np.abs(filters).max())
    assert fit.size == side
    assert len(fit) == len(WIDTHS)


def test_width_at_thirty_per_cent_noise() -> None:
    rng = np.random.default_rng(0)
    widths = np.repeat([0.8, 1.0, 1.3, 1.6], 50)
    exact = laplacian_of_gaussian(11, torch.from_numpy(widths)).numpy()
    noise = rng.standard_normal(exact.shape)
    noise *= 0.3 * exact.std(axis=(1, 2), keepdims=True)
    fit = fit_log(exact + noise)
    error = np.abs(fit.sigma / widths - 1)
    assert np.median(error) < 0.03
    assert np.quantile(error, 0.95) < 0.12
    assert (fit.amplitude > 0).all()
    assert np.median(fit.r) > 0.93


def test_correlations_are_those_of_a_search_filter_by_filter() -> None:
    filters = np.random.default_rng(0).standard_normal((4, 7, 7)).cumsum(axis=1)
    fit = fit_log(filters)

    def best(f: np.ndarray, template, low: float, high: float, centred: bool) -> float:  # type: ignore[no-untyped-def]
        def cost(sigma: float) -> float:
            t = template(sigma)
            a, b = (f - f.mean(), t - t.mean()) if centred else (f, t)
            return -abs((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))

        edges = np.linspace(low, high, 13)
        return max(
            -minimize_scalar(cost, bounds=(a, b), method="bounded", options={"xatol": 1e-6}).fun
            for a, b in itertools.pairwise(edges)
        )

    def blob(sigma: float) -> np.ndarray:
        return gaussian(7, torch.tensor([sigma], dtype=torch.float64))[0].numpy()

    for i, f in enumerate(filters):
        assert fit.r[i] == pytest.approx(best(f, lambda s: by_hand(7, s), 0.5, 2.5, True), abs=1e-5)
        narrow = best(f, lambda s: by_hand(7, s), 0.5, 1.2, True)
        assert fit.r_narrow[i] == pytest.approx(narrow, abs=1e-5)
        cosine = best(f, lambda s: by_hand(7, s), 0.5, 2.5, False)
        assert fit.cosine[i] == pytest.approx(cosine, abs=1e-5)
        assert fit.cosine_gaussian[i] == pytest.approx(best(f, blob, 0.3, 4.0, False), abs=1e-5)
    np.testing.assert_allclose(fit.gain, fit.cosine - fit.cosine_gaussian)


def test_a_blob_correlates_but_gain_and_ring_reject_it() -> None:
    sigma = torch.tensor([0.5, 0.8, 1.0, 1.5, 2.0], dtype=torch.float64)
    blobs = gaussian(7, sigma).numpy()
    fit = fit_log(blobs)
    assert (fit.r > 0.95).all()
    assert (fit.gain < 0).all()
    assert (fit.ring > 0).all()
    np.testing.assert_allclose(fit.sigma_gaussian, sigma, rtol=0.01)
    np.testing.assert_allclose(fit.cosine_gaussian, 1, atol=1e-6)
    assert (log_gate(fit) < 0).all()


def test_a_delta_has_no_ring() -> None:
    delta = np.zeros((1, 7, 7))
    delta[0, 3, 3] = -2.0
    fit = fit_log(delta)
    assert fit.ring[0] == 0
    assert fit.r[0] == pytest.approx(0.97, abs=0.01)
    assert fit.dc[0] == 1
    assert log_gate(fit)[0] < 0


def test_the_gate_opens_for_centre_surround_alone() -> None:
    exact = np.stack([by_hand(7, s) for s in (0.8, 1.0, 1.2, 1.5)])
    noise = 0.1 * np.random.default_rng(0).standard_normal(exact.shape)
    filters = -exact + noise * exact.std(axis=(1, 2), keepdims=True)
    fit = fit_log(filters)
    levels = null_levels(7)
    gate = log_gate(fit)
    assert (gate > 0).all()
    expected = np.minimum.reduce([fit.r - levels.r, fit.q - levels.q, fit.gain, -0.05 - fit.ring])
    np.testing.assert_array_equal(gate, expected)
    np.testing.assert_array_equal(log_gate(fit, r=0.0, q=2.0), fit.q - 2.0)
    as_torch = log_gate(fit_log(torch.from_numpy(filters)))
    assert isinstance(as_torch, torch.Tensor)
    np.testing.assert_allclose(as_torch, gate)


def test_the_narrow_fit_sums_to_nearly_nothing() -> None:
    ratio = [abs(by_hand(7, s).sum()) / abs(by_hand(7, s)).max() for s in (1.2, 1.5)]
    np.testing.assert_allclose(ratio, [0.25, 1.6], atol=0.05)


def test_radial_profile_is_the_mean_of_pixels_of_equal_distance() -> None:
    f = np.random.default_rng(0).standard_normal((2, 7, 7))
    radii, means = radial_profile(f)
    assert len(radii) == 10
    for k, radius in enumerate(radii):
        same = [(i, j) for i in range(7) for j in range(7) if np.hypot(i - 3, j - 3) == radius]
        np.testing.assert_allclose(means[:, k], np.mean([f[:, i, j] for i, j in same], axis=0))


def test_radial_share_of_radial_odd_and_white_filters() -> None:
    radial = by_hand(7, 1.0)
    odd = np.arange(49.0).reshape(7, 7) - 24
    share = radial_share(np.stack([radial, odd, np.ones((7, 7))]))
    np.testing.assert_allclose(share[:2], [1, 0], atol=1e-12)
    assert np.isnan(share[2])
    white = np.random.default_rng(0).standard_normal((4000, 7, 7))
    assert radial_share(white).mean() == pytest.approx(9 / 48, abs=0.005)


@given(seed=st.integers(0, 2**31), turns=st.integers(0, 3), scale=st.floats(-9, 9))
def test_turns_flips_and_scale_change_nothing_but_the_amplitude(
    seed: int, turns: int, scale: float
) -> None:
    if abs(scale) < 1e-3:
        scale = 2.0
    f = np.random.default_rng(seed).standard_normal((3, 7, 7))
    moved = scale * np.rot90(f, turns, axes=(1, 2))[:, :, ::-1]
    a, b = fit_log(f), fit_log(moved)
    for name in ("r", "r_narrow", "sigma", "gain", "q", "ring", "dc"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(b.amplitude, scale * a.amplitude, rtol=1e-5)


def test_filters_without_variance_are_undefined_and_counted() -> None:
    filters = np.stack([np.zeros((7, 7)), np.full((7, 7), 0.1), by_hand(7, 1.0)])
    fit = fit_log(filters)
    np.testing.assert_array_equal(fit.defined, [False, False, True])
    for name in ("r", "sigma", "gain", "q", "ring", "dc"):
        np.testing.assert_array_equal(np.isnan(getattr(fit, name)), [True, True, False])
    assert np.isnan(log_gate(fit)[:2]).all()
    assert len(fit_log(np.zeros((0, 7, 7)))) == 0


def test_wrong_filters_are_refused() -> None:
    for shape in ((7, 7), (3, 7, 6), (3, 1, 7, 7), (3, 2, 2)):
        with pytest.raises(UserError, match="filters must be"):
            fit_log(np.ones(shape))
    with pytest.raises(UserError, match="1 of 2 filters"):
        fit_log(np.stack([np.ones((7, 7)), np.full((7, 7), np.nan)]))
    with pytest.raises(UserError, match="sigma_range"):
        fit_log(np.ones((1, 7, 7)), sigma_range=(2.0, 1.0))
