"""A Laplacian of Gaussian off the centre, against a search by scipy, and its own null."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from isocortex.errors import UserError
from isocortex.measures.receptive_fields import (
    fit_log,
    fit_log_anywhere,
    free_centre_level,
    null_levels,
)
from isocortex.measures.receptive_fields.nulls import noise


def log_at(side: int, x: float, y: float, sigma: float) -> np.ndarray:
    axis = np.arange(side) - (side - 1) / 2
    square = (axis[None, :] - x) ** 2 + (-axis[:, None] - y) ** 2
    return (square - 2 * sigma**2) / sigma**4 * np.exp(-square / (2 * sigma**2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_place_and_width_come_back(dtype: type) -> None:
    truth = [(0.0, 0.0, 1.0), (0.75, -0.5, 1.2), (-1.0, 1.0, 0.8)]
    bank = np.stack([s * log_at(7, *t) for t, s in zip(truth, (1, -2, 3), strict=True)])
    fit = fit_log_anywhere(bank.astype(dtype))
    assert fit.r.dtype == dtype
    np.testing.assert_allclose(np.stack([fit.x, fit.y], axis=1), [t[:2] for t in truth], atol=1e-6)
    np.testing.assert_allclose(fit.sigma, [t[2] for t in truth], rtol=0.03)
    assert (fit.r > 0.995).all()
    assert fit_log(bank).r[1] < 0.9


def test_r_is_nearly_the_largest_there_is() -> None:
    for filter_, r in zip(
        noise(4, 7, blur=1.0, seed=3),
        fit_log_anywhere(noise(4, 7, blur=1.0, seed=3)).r,
        strict=True,
    ):

        def negative(p: np.ndarray, wanted: np.ndarray = filter_) -> float:
            return -abs(float(np.corrcoef(log_at(7, *p).ravel(), wanted.ravel())[0, 1]))

        starts = [(x, y, s) for x in (-0.7, 0, 0.7) for y in (-0.7, 0, 0.7) for s in (0.7, 1.5)]
        bounds = [(-1, 1), (-1, 1), (0.5, 2.5)]
        best = max(-minimize(negative, s, bounds=bounds, method="L-BFGS-B").fun for s in starts)
        assert best - 0.01 <= r <= best + 1e-9


def test_without_reach_it_is_the_fixed_fit_and_never_below_it() -> None:
    bank = torch.from_numpy(noise(50, 7, blur=1.0, seed=1))
    fixed = fit_log(bank).r
    still = fit_log_anywhere(bank, reach=0.0)
    torch.testing.assert_close(still.r, fixed, atol=2e-3, rtol=0)
    assert bool((fit_log_anywhere(bank).r >= still.r).all())
    turned = fit_log_anywhere(torch.rot90(bank, 1, (1, 2)))
    torch.testing.assert_close(turned.r, fit_log_anywhere(bank).r)


def test_the_level_is_above_that_of_a_fixed_centre() -> None:
    level = free_centre_level(7, draws=1500)
    assert 0.75 < level < 0.87
    assert level > null_levels(7, draws=1500).r + 0.1
    with pytest.raises(UserError, match="level"):
        free_centre_level(7, level=1.0)


def test_degenerate_filters() -> None:
    fit = fit_log_anywhere(np.stack([np.ones((5, 5)), log_at(5, 0, 0, 1)]))
    assert np.isnan([fit.r[0], fit.x[0], fit.y[0], fit.sigma[0]]).all()
    assert len(fit_log_anywhere(np.empty((0, 5, 5))).r) == 0
    with pytest.raises(UserError, match="sigma_range"):
        fit_log_anywhere(np.ones((1, 5, 5)), sigma_range=(2, 1))
