from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from tests.measures.receptive_fields.banks import apart, bank, noisy

from isocortex.errors import UserError
from isocortex.measures.receptive_fields import fit_gabor, gabor
from isocortex.measures.receptive_fields import gabor_fit as module
from isocortex.measures.receptive_fields.gabor_model import bounds, linearise
from isocortex.measures.receptive_fields.pixels import coordinates

NAMES = ("frequency", "sigma_u", "sigma_v", "x", "y", "amplitude")


def slow_gabor(side: int, i: int, k: dict[str, np.ndarray]) -> np.ndarray:
    """Pixel by pixel, from the definition."""
    c = (side - 1) / 2
    wave = np.deg2rad(k["orientation_deg"][i] - 90)
    out = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            dx, dy = column - c - k["x"][i], -(row - c) - k["y"][i]
            u = dx * np.cos(wave) + dy * np.sin(wave)
            v = -dx * np.sin(wave) + dy * np.cos(wave)
            envelope = np.exp(-(u**2) / 2 / k["sigma_u"][i] ** 2 - v**2 / 2 / k["sigma_v"][i] ** 2)
            carrier = np.cos(2 * np.pi * k["frequency"][i] * u + np.deg2rad(k["phase_deg"][i]))
            out[row, column] = k["amplitude"][i] * envelope * carrier
    return out


def test_the_function_is_its_definition() -> None:
    known, filters = bank(4)
    for i in range(4):
        np.testing.assert_allclose(filters[i], slow_gabor(11, i, known), atol=1e-12)


def test_a_horizontal_bar_has_orientation_zero() -> None:
    bar = np.zeros((4, 9, 9))
    bar[0, 4, 1:8] = 1
    bar[1, 1:8, 4] = 1
    rows = np.arange(1, 8)
    bar[2, 8 - rows, rows] = 1  # up to the right, as displayed
    bar[3, rows, rows] = 1
    np.testing.assert_allclose(fit_gabor(bar).orientation_deg % 180, [0, 90, 45, 135], atol=0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clean_gabors_are_recovered(dtype: type) -> None:
    known, filters = bank(96)
    fit = fit_gabor(filters.astype(dtype))
    assert fit.r.dtype == dtype
    np.testing.assert_allclose(fit.r, 1, atol=1e-5)
    assert apart(fit.orientation_deg, known["orientation_deg"]).max() < 0.5
    assert np.quantile(apart(fit.phase_deg, known["phase_deg"], 360), 0.95) < 1
    for name in NAMES:
        error = np.abs(getattr(fit, name) - known[name])
        assert np.quantile(error, 0.95) < 0.01 * np.abs(known[name]).max(), name
    np.testing.assert_allclose(fit.fitted + fit.offset[:, None, None], filters, atol=2e-3)
    np.testing.assert_allclose(fit.n_x, fit.sigma_u * fit.frequency)
    np.testing.assert_allclose(fit.n_y, fit.sigma_v * fit.frequency)


@pytest.mark.parametrize("side", [5, 8, 71])
def test_filters_of_any_size(side: int) -> None:
    known, filters = bank(4, side)
    fit = fit_gabor(filters)
    np.testing.assert_allclose(fit.r, 1, atol=1e-4)
    if side > 11:  # smaller ones show too little of the envelope
        assert apart(fit.orientation_deg, known["orientation_deg"]).max() < 0.5


def test_angles_at_thirty_per_cent_noise() -> None:
    known, filters = bank(96)
    fit = fit_gabor(noisy(filters, 0.3))
    assert np.median(apart(fit.orientation_deg, known["orientation_deg"])) < 1
    assert np.median(fit.r) == pytest.approx(0.96, abs=0.01)
    assert fit.retained.all()


def test_fits_are_as_good_as_scipy_with_sixteen_starts() -> None:
    _, filters = bank(1)
    rng = np.random.default_rng(0)
    blurred = rng.standard_normal((2, 11, 11)).cumsum(axis=2)
    filters = np.concatenate([noisy(filters, 0.5), blurred])
    filters = filters - filters.mean(axis=(1, 2), keepdims=True)
    low = np.array([-3, -3, -9, 0.7, 0.7, 0.04, -np.inf, -np.inf])
    high = np.array([3, 3, 9, 5, 5, 0.45, np.inf, np.inf])
    x, y = (c.numpy() for c in coordinates(11))
    ours = fit_gabor(filters)
    for i, f in enumerate(filters):

        def residual(p: np.ndarray, f: np.ndarray = f) -> np.ndarray:
            dx, dy = x - p[0], y - p[1]
            u, v = dx * np.cos(p[2]) + dy * np.sin(p[2]), dy * np.cos(p[2]) - dx * np.sin(p[2])
            e = np.exp(-0.5 * ((u / p[3]) ** 2 + (v / p[4]) ** 2))
            w = 2 * np.pi * p[5] * u
            m = e * (p[6] * np.cos(w) + p[7] * np.sin(w))
            return m - m.mean() - f.ravel()

        best = np.inf
        for _ in range(16):
            start = [*rng.uniform(-2, 2, 2), rng.uniform(0, np.pi), *rng.uniform(1, 3, 2)]
            start += [rng.uniform(0.08, 0.35), *rng.normal(size=2)]
            best = min(best, least_squares(residual, start, bounds=(low, high)).cost)
        r_scipy = np.sqrt(1 - 2 * best / (f**2).sum())
        assert ours.r[i] > r_scipy - 1e-3


def test_gradient_and_hessian_are_those_of_the_projected_cost() -> None:
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(rng.standard_normal((5, 121)))
    targets -= targets.mean(dim=1, keepdim=True)
    low, high = bounds(targets)
    low[2], high[2] = 0.0, 3.0
    p = low + (high - low) * torch.from_numpy(rng.uniform(0.2, 0.8, (5, 6)))
    pixels = coordinates(11)
    linear, cost, gradient, hessian = linearise(p, targets, pixels)
    assert linear.shape == (5, 2)
    for k in range(6):
        h = torch.zeros(6, dtype=torch.float64)
        h[k] = 1e-6
        up, down = (linearise(p + s * h, targets, pixels)[1] for s in (1, -1))
        torch.testing.assert_close(gradient[:, k], (up - down) / 2e-6, rtol=1e-5, atol=1e-6)
    assert (torch.linalg.eigvalsh(hessian) > -1e-9).all()

    # That of Gauss and Newton: the Jacobian of the Gabor at fixed a and b, beside the span of both
    # functions and the constant.
    def model(q: torch.Tensor, ab: torch.Tensor = linear) -> torch.Tensor:
        parts = {
            "orientation_deg": torch.rad2deg(q[:, 2]) + 90,
            "frequency": q[:, 5],
            "sigma_u": q[:, 3].exp(),
            "sigma_v": q[:, 4].exp(),
            "x": q[:, 0],
            "y": q[:, 1],
            "amplitude": torch.linalg.vector_norm(ab, dim=1),
            "phase_deg": torch.rad2deg(torch.atan2(-ab[:, 1], ab[:, 0])),
        }
        return gabor(11, **parts).flatten(1)

    base = model(p)
    residual = base - base.mean(dim=1, keepdim=True) - targets
    torch.testing.assert_close(cost, 0.5 * residual.square().sum(1))
    steps = 1e-6 * torch.eye(6, dtype=torch.float64)
    jacobian = torch.stack([(model(p + h) - model(p - h)) / 2e-6 for h in steps], dim=2)
    quadrature = model(p, torch.stack([-linear[:, 1], linear[:, 0]], dim=1))
    q, _ = torch.linalg.qr(torch.stack([torch.ones_like(base), base, quadrature], dim=2))
    projected = jacobian - q @ (q.mT @ jacobian)
    torch.testing.assert_close(hessian, projected.mT @ projected, rtol=1e-5, atol=1e-6)


@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 100))
@settings(max_examples=5)
def test_turns_polarity_and_scale(seed: int, scale: float) -> None:
    known, filters = bank(6, seed=seed)
    first = fit_gabor(filters)
    turned = fit_gabor(np.rot90(filters, axes=(1, 2)))  # counter-clockwise as displayed
    assert apart(turned.orientation_deg, first.orientation_deg + 90).max() < 0.5
    np.testing.assert_allclose(turned.x, -first.y, atol=0.1)
    np.testing.assert_allclose(turned.y, first.x, atol=0.1)
    assert apart(turned.direction_deg, first.direction_deg + 90, 360)[first.odd].max(initial=0) < 1
    negative = fit_gabor(-scale * filters)
    assert apart(negative.orientation_deg, first.orientation_deg).max() < 0.5
    assert apart(negative.phase_deg, first.phase_deg + 180, 360).max() < 3
    np.testing.assert_allclose(negative.amplitude, scale * first.amplitude, rtol=0.05)
    np.testing.assert_array_equal(negative.odd, first.odd)
    flipped = fit_gabor(filters[:, :, ::-1])
    assert apart(flipped.orientation_deg, -known["orientation_deg"]).max() < 0.5


def test_direction_has_the_bright_side_on_the_right() -> None:
    edge = np.zeros((1, 9, 9))
    edge[0, :, 5:7], edge[0, :, 2:4] = 1, -1  # bright right of a contour that runs up
    edges = np.concatenate([edge, np.rot90(edge, 1, (1, 2)), np.rot90(edge, 2, (1, 2))])
    fit = fit_gabor(edges)
    assert fit.odd.all()
    assert apart(fit.direction_deg, np.array([90, 180, 270]), 360).max() < 1
    assert ((fit.orientation_deg >= 0) & (fit.orientation_deg < 180)).all()


def test_parameters_stay_within_their_bounds() -> None:
    noise = np.random.default_rng(0).standard_normal((60, 7, 7))
    fit = fit_gabor(noise)
    assert (np.abs(fit.x) <= 3).all()
    assert (np.abs(fit.y) <= 3).all()
    for width in (fit.sigma_u, fit.sigma_v):
        assert ((width >= 0.7 - 1e-9) & (width <= 5 + 1e-9)).all()
    assert ((fit.frequency >= 0.04) & (fit.frequency <= 0.45)).all()
    assert (fit.amplitude > 0).all()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, filters = bank(7)
    whole = fit_gabor(noisy(filters))
    monkeypatch.setattr(module, "_CHUNK_BYTES", 8 * 8 * 16 * 121 * 3)
    parts = fit_gabor(noisy(filters))
    np.testing.assert_allclose(parts.r, whole.r, atol=1e-9)
    np.testing.assert_allclose(parts.orientation_deg, whole.orientation_deg, atol=1e-3)


def test_filters_without_variance_and_wrong_input() -> None:
    _, filters = bank(2)
    filters[0] = 0.1
    fit = fit_gabor(torch.from_numpy(filters))
    assert isinstance(fit.r, torch.Tensor)
    assert fit.defined.tolist() == [False, True]
    assert fit.orientation_deg.isnan().tolist() == [True, False]
    assert fit.retained.tolist() == [False, True]
    assert len(fit_gabor(np.zeros((0, 7, 7)))) == 0
    with pytest.raises(UserError, match="s >= 5"):
        fit_gabor(np.ones((2, 4, 4)))
    with pytest.raises(UserError, match="steps"):
        fit_gabor(filters, steps=0)
