"""Displacements, signs, retained units, overlap: conventions against hand-made kernels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from isocortex.errors import UserError
from isocortex.measures.lateral import (
    crop,
    displacements,
    efferent,
    filter_overlap,
    induced_kernel,
    overlap_radius,
    pairs_by_parity,
    positions,
    rectify,
    residual,
    retain,
)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# --- conventions --------------------------------------------------------------------------------


def test_the_hand_made_kernel() -> None:
    """Only K[2, 0, Dx = 2, Dy = 0]: what channel 0 does appears in channel 2 two pixels left."""
    kernel = torch.zeros(3, 3, 7, 7)
    x, y = displacements(7)
    kernel[2, 0, (x == 2) & (y == 0)] = 1
    image = torch.zeros(1, 3, 11, 11)
    image[0, 0, 5, 6] = 1
    after = conv2d(image, kernel, padding=3)
    expected = torch.zeros(1, 3, 11, 11)
    expected[0, 2, 5, 4] = 1
    assert torch.equal(after, expected)
    seen = efferent(kernel)[0, 2]
    assert seen[(x == -2) & (y == 0)] == 1
    assert seen.sum() == 1


def test_up_is_positive() -> None:
    """K[1, 0, Dy = +1]: the source lies above its target."""
    kernel = torch.zeros(2, 2, 3, 3)
    x, y = displacements(3)
    kernel[1, 0, (x == 0) & (y == 1)] = 1
    image = torch.zeros(1, 2, 5, 5)
    image[0, 0, 1, 2] = 1
    after = conv2d(image, kernel, padding=1)
    assert after[0, 1, 2, 2] == 1
    assert after.sum() == 1


def test_efferent_is_an_involution() -> None:
    kernel = random(4, 4, 5, 5)
    np.testing.assert_array_equal(efferent(efferent(kernel)), kernel)
    x, y = displacements(5)
    i, j = (x == 1) & (y == -2), (x == -1) & (y == 2)
    assert efferent(kernel)[3, 1][i] == kernel[1, 3][j]


def test_positions() -> None:
    disc = positions(7)
    x, y = displacements(7)
    for i in range(7):
        for j in range(7):
            assert disc[i, j] == (x[i, j] ** 2 + y[i, j] ** 2 <= 9)
    assert positions(7, r_min=2)[3, 5]
    assert not positions(7, beyond=2)[3, 5]
    assert positions(7, beyond=2)[2, 5]
    assert not positions(7, r_max=2)[2, 5]
    with pytest.raises(UserError, match="odd side"):
        positions(6)


def test_signs() -> None:
    kernel = random(3, 3, 3, 3).astype(np.float32)
    assert rectify(kernel).dtype == np.float32
    np.testing.assert_array_equal(rectify(kernel), np.maximum(kernel, 0))
    np.testing.assert_array_equal(rectify(kernel, "absolute"), np.abs(kernel))
    np.testing.assert_array_equal(rectify(kernel, "signed"), kernel)
    with pytest.raises(UserError, match="positive"):
        rectify(kernel, "positve")


# --- retained units -----------------------------------------------------------------------------


def test_retained_units_get_the_same_input() -> None:
    kernel, theta = random(6, 6, 5, 5), np.arange(6) * 30.0
    theta[1] = kernel[4, 2, 0, 0] = np.nan
    kept = retain(kernel, theta, [5, 0, 2, 3])
    np.testing.assert_array_equal(kept.units, [5, 0, 2, 3])
    np.testing.assert_array_equal(kept.theta, [150, 0, 60, 90])
    disc = positions(5)
    total = 0.0
    for g in (0, 2, 3):
        total += np.abs(kernel[5, g][disc]).sum()
    np.testing.assert_allclose(kept.kernel[0, 2], kernel[5, 2] / total)
    assert not kept.kernel[0, 0].any()
    np.testing.assert_allclose(np.abs(kept.kernel[..., disc]).sum(axis=(1, 2)), 1)


def test_units_without_input_are_dropped_and_counted() -> None:
    kernel = random(6, 6, 5, 5)
    kernel[1, [0, 2, 3, 4, 5]] = 0  # only itself
    kernel[4, [0, 2, 3, 5]] = 0  # only from 1, which goes
    kept = retain(kernel, np.zeros(6), np.array([True, True, True, True, True, False]))
    np.testing.assert_array_equal(kept.units, [0, 2, 3])
    assert kept.n_dropped == 2
    kernel[2] = 0
    with pytest.raises(UserError, match="at least 3"):
        retain(kernel, np.zeros(6), [0, 1, 2, 3])


def test_bad_kernels_are_refused() -> None:
    kernel = random(4, 4, 3, 3)
    with pytest.raises(UserError, match="orientations"):
        retain(kernel, np.zeros(3))
    with pytest.raises(UserError, match="side"):
        retain(kernel[..., :2], np.zeros(4))
    kernel[0, 1] = np.nan
    with pytest.raises(UserError, match="NaN"):
        retain(kernel, np.zeros(4))


def test_parity() -> None:
    masks = pairs_by_parity(np.array([0.0, 90.0, 180.0, 100.0]))
    expected = {"even-even": [(0, 2)], "odd-odd": [(1, 3)]}
    for name, pairs in expected.items():
        wanted = np.zeros((4, 4), dtype=bool)
        for f, g in pairs:
            wanted[f, g] = wanted[g, f] = True
        np.testing.assert_array_equal(masks[name], wanted)
    np.testing.assert_array_equal(sum(masks.values()), ~np.eye(4, dtype=bool))


# --- overlap ------------------------------------------------------------------------------------


def slow_overlap(filters: np.ndarray) -> np.ndarray:
    n, channels, s, _ = filters.shape
    psi = filters / np.sqrt((filters**2).sum(axis=(1, 2, 3), keepdims=True))
    out = np.zeros((n, n, 2 * s - 1, 2 * s - 1))
    x, y = displacements(2 * s - 1)
    for a in range(2 * s - 1):
        for b in range(2 * s - 1):
            dx, dy = int(x[a, b]), int(y[a, b])
            for f in range(n):
                for g in range(n):
                    for i in range(s):
                        for j in range(s):
                            k, m = i + dy, j - dx  # p - D, rows down
                            if 0 <= k < s and 0 <= m < s:
                                out[f, g, a, b] += sum(
                                    psi[f, c, i, j] * psi[g, c, k, m] for c in range(channels)
                                )
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overlap_is_the_definition(dtype: type) -> None:
    filters = random(3, 2, 4, 4).astype(dtype)
    overlap = filter_overlap(filters)
    assert overlap.dtype == dtype
    np.testing.assert_allclose(overlap, slow_overlap(filters.astype(float)), atol=2e-7)
    grey = filter_overlap(torch.from_numpy(filters[:, 0]))
    assert isinstance(grey, torch.Tensor)
    np.testing.assert_allclose(grey, slow_overlap(filters[:, :1].astype(float)), atol=2e-7)


@given(st.integers(0, 50), st.integers(1, 6))
def test_symmetry_of_the_overlap(seed: int, s: int) -> None:
    """O[f, g, D] = O[g, f, -D]; O[f, f, 0] = 1; the induced kernel sums to 1."""
    overlap = filter_overlap(random(4, s, s, seed=seed))
    np.testing.assert_allclose(overlap, efferent(overlap), atol=1e-12)
    np.testing.assert_allclose(overlap[range(4), range(4), s - 1, s - 1], 1)
    induced = induced_kernel(overlap)
    assert (induced >= 0).all()
    np.testing.assert_allclose(induced.sum(axis=(1, 2, 3)), 1)


def test_delta_filters_have_a_delta_overlap() -> None:
    filters = np.zeros((2, 5, 5))
    filters[0, 2, 2] = filters[1, 1, 3] = 2.0  # the second lies up and right by 1
    overlap = filter_overlap(filters)
    x, y = displacements(9)
    np.testing.assert_allclose(overlap[0, 0], (x == 0) & (y == 0), atol=1e-12)
    np.testing.assert_allclose(overlap[0, 1], (x == -1) & (y == -1), atol=1e-12)


def test_quadrature_pairs_have_an_isotropic_overlap() -> None:
    """Even and odd Gabors in a circular envelope: all that is left is the envelope's overlap."""
    sigma, c = 1.8, 12
    row, column = np.mgrid[-c : c + 1, -c : c + 1].astype(float)
    envelope = np.exp(-(row**2 + column**2) / (2 * sigma**2))
    bank = [envelope * np.cos(0.25 * 2 * np.pi * row), envelope * np.sin(0.25 * 2 * np.pi * row)]
    overlap = filter_overlap(np.stack(bank))
    norm = np.sqrt([(b**2).sum() for b in bank])
    overlap = overlap * (norm[:, None] * norm)[..., None, None]
    (ee, eo), (oe, oo) = overlap
    length = np.hypot(ee + oo, oe - eo)
    x, y = displacements(length.shape[0])
    expected = np.exp(-(x**2 + y**2) / (4 * sigma**2))
    np.testing.assert_allclose(length / length.max(), expected, atol=1e-3)
    angle = np.degrees(np.arctan2(np.abs(y), np.abs(x)))
    inside = positions(length.shape[0], r_min=0.5, r_max=8)
    ratio = length[inside & (angle <= 22.5)].mean() / length[inside & (angle >= 67.5)].mean()
    assert ratio == pytest.approx(1, abs=0.01)


def test_dead_filters_do_not_spoil_others() -> None:
    filters = random(4, 3, 3)
    filters[2] = 0
    overlap = filter_overlap(filters)
    assert np.isnan(overlap[2]).all()
    induced = induced_kernel(overlap)
    assert np.isnan(induced[2]).all()
    alive = [0, 1, 3]
    np.testing.assert_allclose(
        induced[np.ix_(alive, alive)], induced_kernel(filter_overlap(filters[alive]))
    )


def test_crop_keeps_the_centre() -> None:
    kernel = random(2, 2, 9, 9)
    np.testing.assert_array_equal(crop(kernel, 5), kernel[..., 2:-2, 2:-2])
    np.testing.assert_allclose(induced_kernel(np.abs(kernel), 3).sum(axis=(1, 2, 3)), 1)
    with pytest.raises(UserError, match="cropped"):
        crop(kernel, 11)


def test_overlap_radius() -> None:
    x, y = displacements(11)
    radius = np.hypot(x, y)
    ring = np.where(radius < 3.2, 1.0, np.where(radius < 4.1, 0.11, 0.09))
    overlap = np.broadcast_to(ring, (3, 3, 11, 11)) * np.array([1, -1, 1])[:, None, None]
    assert overlap_radius(overlap) == pytest.approx(4.0)
    assert overlap_radius(overlap, 0.5) == pytest.approx(np.sqrt(10))
    assert np.isnan(overlap_radius(np.zeros((3, 3, 5, 5))))
    with pytest.raises(UserError, match="two filters"):
        overlap_radius(overlap[:1, :1])


def test_residual_is_least_squares() -> None:
    kernel, reference = random(4, 4, 5, 5), random(4, 4, 5, 5, seed=1)
    left, slope = residual(kernel + 0.7 * reference, reference)
    chosen = np.broadcast_to(~np.eye(4, dtype=bool)[..., None, None], kernel.shape) & positions(5)
    expected = np.linalg.lstsq(
        reference[chosen][:, None], (kernel + 0.7 * reference)[chosen], rcond=None
    )[0]
    assert slope == pytest.approx(expected[0])
    assert (left * reference)[chosen].sum() == pytest.approx(0, abs=1e-9)
    gone, slope = residual(3 * reference, reference)
    assert slope == pytest.approx(3)
    np.testing.assert_allclose(gone, 0, atol=1e-12)
    assert np.isnan(residual(kernel, np.zeros_like(kernel))[1])
    with pytest.raises(UserError, match="crop"):
        residual(kernel, reference[..., 1:-1, 1:-1])
