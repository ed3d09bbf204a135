from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.measures.cooccurrence.contours import contour_edges, direction_kernel

from isocortex.errors import UserError
from isocortex.measures.cooccurrence import (
    bootstrap_images,
    centred_correlation,
    compare_models,
    detect_edges,
    fold_polarity,
    log_luminance,
    pair_histogram,
    pair_statistics,
    phi_centred,
    random_phase,
    symmetrise,
    white_noise,
)
from isocortex.stimuli.contours import contour_image
from isocortex.stimuli.photographs import photographs

GRID = 0.05 * 1.2 ** np.arange(-5, 10)
RINGS = ((4, 8), (8, 14), (14, 20))


@pytest.fixture(scope="module")
def models() -> np.ndarray:
    return np.stack([direction_kernel(s, 100 + i) for i, s in enumerate(GRID)])


def unpolarised(edges) -> np.ndarray:  # type: ignore[no-untyped-def]
    return symmetrise(fold_polarity(pair_histogram(edges)))


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_sigma_of_edge_lists_comes_back(sigma: float, models: np.ndarray) -> None:
    h = unpolarised(contour_edges(500, sigma, seed=0))
    for ring in RINGS:
        fit = compare_models(h, models, GRID, *ring)
        assert fit.best == pytest.approx(sigma, rel=0.15)
        assert fit.best_r > 0.97
        assert not fit.at_end
    # Of the linearised process, exactly: E[theta | phi] = 1.5 phi.
    if sigma == 0.1:
        assert pair_statistics(h, 8, 14).slope == pytest.approx(1.5, abs=0.05)


def test_rendered_contours_keep_the_order_of_sigma(models: np.ndarray) -> None:
    found = []
    for sigma in (0.05, 0.1, 0.2):
        h = sum(unpolarised(detect_edges(contour_image(sigma, k))) for k in range(6))
        found.append(compare_models(h, models, GRID, 4, 14).best)
    assert 0.02 < found[0] < found[1] < found[2] < 0.25
    assert found[1] > 1.2 * found[0]
    assert found[2] > 1.2 * found[1]


def test_white_noise_has_neither_like_orientation_nor_an_axis() -> None:
    image = np.zeros((400, 500))
    h = sum(unpolarised(detect_edges(white_noise(image + np.eye(400, 500), k))) for k in range(3))
    s = pair_statistics(h, 10, 20)
    assert s.pairs > 1e6
    assert s.like_ratio == pytest.approx(1, abs=0.05)
    assert s.axial_ratio == pytest.approx(1, abs=0.05)


def test_statistics_of_a_histogram_that_is_known() -> None:
    c = np.arange(-6, 7)
    x, y = np.broadcast_to(c, (13, 13)), np.broadcast_to(-c[:, None], (13, 13))
    phi = np.rad2deg(np.arctan2(np.abs(y), np.abs(x)))
    alpha = np.arange(8) * 22.5
    folded = np.minimum(alpha, 180 - alpha)
    place = np.where(phi < 22.5, 3.0, np.where(phi > 67.5, 2.0, 1.0))
    same = (folded < 22.5)[:, None, None]
    # In the ring of 4 to 6 px: place for like orientation, 0.5 for all others.
    h = np.where(same, place, 0.5)
    s = pair_statistics(h, 4, 6)
    ring = (np.hypot(x, y) >= 4) & (np.hypot(x, y) <= 6)
    assert s.axial_ratio == pytest.approx(1.5)
    assert s.like_ratio == pytest.approx(place[ring].mean() / 0.5)
    assert s.parallel == pytest.approx(0, abs=1e-6)
    assert s.pairs == pytest.approx(h[:, ring].sum())
    both = pair_statistics(torch.from_numpy(np.stack([h, 2 * h])), 4, 6)
    torch.testing.assert_close(both.like_ratio, torch.full((2,), s.like_ratio.item()).double())
    assert np.isnan(pair_statistics(0 * h, 4, 6).axial_ratio)
    for wrong in (h[:, :12, :12], h[0]):
        with pytest.raises(UserError, match="histogram"):
            pair_statistics(wrong, 4, 6)
    with pytest.raises(UserError, match="no displacement"):
        pair_statistics(h, 9, 12)


def test_centring_takes_away_what_depends_on_distance_and_orientation_alone() -> None:
    rng = np.random.default_rng(0)
    c = np.arange(-6, 7)
    ring = np.rint(np.hypot(c[None, :], c[:, None])).astype(int)
    isotropic = rng.random((8, 10))[:, ring]
    np.testing.assert_allclose(phi_centred(isotropic), 0, atol=1e-12)
    h = rng.random((8, 13, 13))
    centred = phi_centred(h)
    for r in range(9):
        np.testing.assert_allclose(centred[:, ring == r].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(phi_centred(h + isotropic), centred, atol=1e-12)
    assert centred_correlation(h, 3 * h + isotropic, 2, 6) == pytest.approx(1)
    assert np.isnan(centred_correlation(h, np.ones_like(h), 2, 6))


def test_models_must_be_ordered(models: np.ndarray) -> None:
    fit = compare_models(models[0], models[:4], GRID[:4], 4, 8)
    assert fit.at_end
    assert fit.best == GRID[0]
    assert fit.best_r == pytest.approx(1)
    with pytest.raises(UserError, match="increasing"):
        compare_models(models[0], models[:3], GRID[2::-1], 4, 8)


def test_bootstrap_over_images_is_that_of_their_sums() -> None:
    rng = np.random.default_rng(0)
    h = rng.poisson(rng.uniform(5, 60, (30, 1, 1, 1)), (30, 8, 9, 9)).astype(np.float32)
    h[:, 0] *= 2

    def statistic(sums: np.ndarray) -> np.ndarray:
        return pair_statistics(sums, 2, 4).like_ratio

    interval = bootstrap_images(h, statistic, n_resamples=400)
    assert interval.estimate == pytest.approx(float(statistic(h.sum(axis=0))), rel=1e-5)
    assert interval.low < interval.estimate < interval.high
    assert interval.n == 30
    by_hand = [float(statistic(h[rng.integers(0, 30, 30)].sum(axis=0))) for _ in range(400)]
    np.testing.assert_allclose(
        [interval.low, interval.high], np.quantile(by_hand, [0.025, 0.975]), rtol=0.03
    )


@pytest.mark.data
def test_photographs_are_coaxial_beyond_their_spectrum(data_folder) -> None:  # type: ignore[no-untyped-def]
    images = photographs(data_folder, 321, collections=["bsds500"], grey=True)
    histograms: dict[str, list[np.ndarray]] = {"photo": [], "phase": []}
    for row in range(200, 208):
        log = log_luminance(images.images(np.array([row]))[0, 0])
        histograms["photo"].append(unpolarised(detect_edges(log)))
        histograms["phase"].append(unpolarised(detect_edges(random_phase(log, row))))
    photo, phase = (pair_statistics(sum(h), 10, 15) for h in histograms.values())
    assert photo.axial_ratio > 1.3 * phase.axial_ratio > 1
    assert photo.like_ratio > 1.3 * phase.like_ratio > 1
