from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.measures.receptive_fields.banks import bank, noisy

from isocortex.errors import UserError
from isocortex.measures.receptive_fields import (
    fit_gabor,
    fit_log,
    gabor_null,
    log_null,
    null_levels,
    p_values,
    shape_family,
    surrogates,
)
from isocortex.measures.receptive_fields.nulls import noise


@pytest.mark.parametrize(
    ("kind", "r", "r_narrow", "q"), [("white", 0.35, 0.33, 0.33), ("smooth", 0.62, 0.47, 0.43)]
)
def test_levels_of_seven_pixels(kind: str, r: float, r_narrow: float, q: float) -> None:
    levels = [null_levels(7, kind, seed=seed) for seed in range(3)]
    # Rounding of the table to 0.01, and the standard error of two independent quantiles.
    assert np.mean([v.r for v in levels]) == pytest.approx(r, abs=0.012)
    assert np.mean([v.r_narrow for v in levels]) == pytest.approx(r_narrow, abs=0.012)
    assert np.mean([v.q for v in levels]) == pytest.approx(q, abs=0.015)
    assert levels[0].level == 0.95
    assert np.isnan(levels[0].gabor)


@pytest.mark.parametrize(("blur", "median"), [(0.0, 0.38), (1.0, 0.70), (1.5, 0.81), (2.0, 0.88)])
def test_gabors_fitted_to_noise(blur: float, median: float) -> None:
    r = fit_gabor(noise(250, 11, blur=blur, seed=1)).r
    # The standard error of the median, of the table as of this sample, with its rounding.
    error = 1.2533 * r.std() / np.sqrt(250)
    assert np.median(r) == pytest.approx(median, abs=3 * np.sqrt(2) * error + 0.005)


def test_phase_surrogates_keep_the_spectrum_and_lose_the_gabor() -> None:
    _, filters = bank(40)
    filters = noisy(filters)
    drawn = surrogates(filters, "phase", 3, seed=1)
    assert drawn.shape == (3, 40, 11, 11)
    for copy in drawn:
        np.testing.assert_allclose(
            np.abs(np.fft.fft2(copy)), np.abs(np.fft.fft2(filters)), rtol=1e-6, atol=1e-9
        )
        np.testing.assert_allclose(copy.mean((1, 2)), filters.mean((1, 2)), atol=1e-12)
    r, null = fit_gabor(filters).r, gabor_null(filters, "phase", 3, seed=1)
    assert null.shape == (3, 40)
    assert np.median(r) > 0.95 > np.quantile(null, 0.95)
    np.testing.assert_array_equal(null, gabor_null(filters, "phase", 3, seed=1))
    assert (null != gabor_null(filters, "phase", 3, seed=2)).any()
    even = np.random.default_rng(0).standard_normal((2, 8, 8))
    copy = surrogates(even, "phase", 1)[0]
    np.testing.assert_allclose(np.abs(np.fft.fft2(copy)), np.abs(np.fft.fft2(even)), atol=1e-9)


@pytest.mark.parametrize("kind", ["white", "smooth"])
def test_noise_surrogates_have_the_norm_and_the_kind_of_the_filters(kind: str) -> None:
    filters = torch.randn(5, 9, 9, generator=torch.Generator().manual_seed(0)) * 3
    drawn = surrogates(filters, kind, 200)
    assert isinstance(drawn, torch.Tensor)
    assert drawn.dtype == torch.float32
    norm = torch.linalg.vector_norm(filters, dim=(1, 2)).expand(200, 5)
    torch.testing.assert_close(torch.linalg.vector_norm(drawn, dim=(2, 3)), norm)
    neighbours = torch.corrcoef(torch.stack([drawn[..., :-1].flatten(), drawn[..., 1:].flatten()]))[
        0, 1
    ]
    # A blur of s leaves exp(-1 / 4 s^2) between neighbours.
    expected = {"white": 0.0, "smooth": np.exp(-0.25)}[kind]
    assert float(neighbours) == pytest.approx(expected, abs=0.02)


def test_p_values_are_uniform_under_the_null() -> None:
    null = log_null(7, "smooth", 1000, seed=0)
    seen = fit_log(noise(400, 7, blur=1.0, seed=9))
    p = p_values(seen.r, null.r)
    assert p.min() >= 1 / 1001
    assert p.mean() == pytest.approx(0.5, abs=0.07)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.035)
    each = p_values(np.array([0.5, np.nan]), np.array([[0.1, 0.2], [0.6, 0.3], [0.2, 0.1]]))
    np.testing.assert_allclose(each, [0.5, np.nan])


def test_levels_depend_on_the_size() -> None:
    small, large = (null_levels(s, draws=500) for s in (7, 11))
    assert large.r < small.r - 0.05
    assert null_levels(7, draws=200, gabor_draws=30).gabor > 0.8


def test_wrong_requests_are_refused() -> None:
    filters = np.ones((2, 7, 7))
    with pytest.raises(UserError, match="phase"):
        surrogates(filters, "fase")
    with pytest.raises(UserError, match="draws"):
        surrogates(filters, "white", 0)
    with pytest.raises(UserError, match="level"):
        null_levels(7, level=95)
    with pytest.raises(UserError, match="white"):
        log_null(7, "phase")


def test_shapes_on_one_curve_are_one_family() -> None:
    n_x = np.exp(np.linspace(-2, 0.5, 50))
    family = shape_family(n_x, 0.9 * n_x**1.2)
    assert family.share == pytest.approx(1)
    assert family.slope == pytest.approx(1.2)
    np.testing.assert_allclose(family.distance, 0, atol=1e-7)
    rng = np.random.default_rng(0)
    cloud = shape_family(np.exp(rng.standard_normal(4000)), 2 * np.exp(rng.standard_normal(4000)))
    assert cloud.share == pytest.approx(0.5, abs=0.03)
    assert cloud.elongation == pytest.approx(2, abs=0.15)
    few = shape_family(np.array([0.1, np.nan, 0.2]), np.ones(3))
    assert few.n == 2
    assert np.isnan(few.share)
    with pytest.raises(UserError, match="n_x and n_y"):
        shape_family(np.ones(3), np.ones(4))
