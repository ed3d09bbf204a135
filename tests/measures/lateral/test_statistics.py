"""Group coordinates, strength, axis and field against loops and fields whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.measures.lateral import oracles

from isocortex.errors import UserError
from isocortex.measures.interpolation import cubic_weights
from isocortex.measures.lateral import (
    axial_ratio,
    displacements,
    field_errors,
    filter_overlap,
    group_kernel,
    lateral_statistics,
    orientation_field,
    pair_strength,
    pairs_by_parity,
    permutation_null,
    positions,
    rectify,
    retain,
    smoothing_width,
    strength_curve,
)
from isocortex.measures.se2 import diffusion_family, direction_family
from isocortex.statistics import permutation_p


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def irregular(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 180, n)


# --- cubic convolution --------------------------------------------------------------------------


def test_cubic_convolution_keeps_quadratics() -> None:
    x = torch.linspace(1, 7, 61, dtype=torch.float64)
    samples = torch.arange(9, dtype=torch.float64)
    weights = cubic_weights(x, 9)
    for power in range(3):
        torch.testing.assert_close(weights @ samples**power, x**power)
    ends = cubic_weights(torch.tensor([0.0, 8.0, 0.3, 7.9]), 9)
    torch.testing.assert_close(ends.sum(dim=1), torch.ones(4))
    assert ends[0, 0] == ends[1, 8] == 1


def test_turning_a_smooth_kernel_errs_little() -> None:
    """A Gaussian ridge of 1.5 pixels, read at turned displacements: at most 2 % of its peak."""
    theta = np.array([0.0, 20.0, 45.0, 77.0])
    x, y = displacements(11)
    ridge = [
        np.exp(-((-np.sin(t) * x + np.cos(t) * y) ** 2) / (2 * 1.5**2)) for t in np.radians(theta)
    ]
    kernel = np.repeat(np.stack(ridge)[:, None], 4, axis=1)
    kappa = group_kernel(kernel, theta).kappa
    error = np.abs(kappa - np.exp(-(y**2) / (2 * 1.5**2)))[:, positions(11)]
    assert error.max() < 0.02


# --- group coordinates (A4) ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_group_kernel_is_the_definition(dtype: type) -> None:
    kernel, theta = random(5, 5, 5, 5).astype(dtype), irregular(5).astype(dtype)
    found = group_kernel(kernel, theta, n_alpha=9, smoothing=20.0)
    assert found.kappa.dtype == dtype
    expected = oracles.slow_group_kernel(
        kernel.astype(float), theta.astype(float), np.arange(9) * 20.0, 20.0
    )
    np.testing.assert_allclose(found.kappa, expected, atol=1e-6)
    np.testing.assert_allclose(found.alpha, np.arange(9) * 20.0)
    assert (found.n_units, found.n_pairs) == (5, 20)


def test_group_kernel_with_polarity_and_by_parity() -> None:
    kernel, theta = random(4, 4, 5, 5), irregular(4) * 2
    found = group_kernel(kernel, theta, n_alpha=8, smoothing=30.0, polarity=True)
    expected = oracles.slow_group_kernel(kernel, theta, np.arange(8) * 45.0, 30.0, period=360.0)
    np.testing.assert_allclose(found.kappa, expected, atol=1e-12)
    masks = pairs_by_parity(np.array([0.0, 90.0, 10.0, 80.0]))
    numerator = 0.0
    for mask in masks.values():
        part = group_kernel(kernel, theta, pairs=mask, n_alpha=8, smoothing=30.0)
        w = np.exp(
            (np.cos(2 * np.radians(part.alpha[:, None, None] - theta + theta[:, None])) - 1)
            / np.radians(60) ** 2
        )
        numerator = numerator + part.kappa * (w * mask).sum(axis=(1, 2))[:, None, None]
    whole = (w * ~np.eye(4, dtype=bool)).sum(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(
        numerator / whole, group_kernel(kernel, theta, n_alpha=8, smoothing=30.0).kappa
    )


def test_quarter_turns_of_everything_change_nothing() -> None:
    """Turn all filters and all displacements by 90 degrees: the group kernel stays."""
    kernel, theta = random(6, 6, 7, 7), irregular(6)
    turned = np.rot90(kernel, axes=(-2, -1))  # counter-clockwise as displayed
    before, after = group_kernel(kernel, theta), group_kernel(turned, theta + 90)
    np.testing.assert_allclose(after.kappa, before.kappa, atol=1e-12)


def test_one_source_is_found_where_it_lies() -> None:
    """Source of 75 degrees, up and right of a target of 45: ahead by 1.4, turned by 30."""
    theta = np.array([45.0, 75.0, 165.0])
    kernel = np.zeros((3, 3, 5, 5))
    x, y = displacements(5)
    kernel[0, 1, (x == 1) & (y == 1)] = 1.0
    found = group_kernel(kernel, theta, smoothing=10.0)
    turned = found.kappa[found.alpha == 30][0]
    assert turned.max() > 0.5
    assert turned[(y == 0) & (x == 1)] == turned.max()
    assert np.abs(turned[x < 0]).max() < 0.1
    assert np.abs(found.kappa[found.alpha == 120]).max() < 1e-6


def test_widths_and_refusals() -> None:
    assert smoothing_width(8) == 33.75
    assert smoothing_width(64) == 10
    kernel, theta = random(4, 4, 5, 5), irregular(4)
    with pytest.raises(UserError, match="gaps"):
        group_kernel(kernel, theta, smoothing=1.0)
    with pytest.raises(UserError, match="no pair"):
        group_kernel(kernel, theta, pairs=np.eye(4, dtype=bool))
    with pytest.raises(UserError, match="mask"):
        group_kernel(kernel, theta, pairs=np.ones((3, 3), dtype=bool))
    with pytest.raises(UserError, match="too few"):
        group_kernel(kernel, theta, n_alpha=3)


# --- strength and axis (A5, A6) -----------------------------------------------------------------


def test_strength_follows_the_cosine_that_is_planted() -> None:
    theta = irregular(12)
    relative = theta[None] - theta[:, None]
    share = 3 + 2 * np.cos(2 * np.radians(relative))
    kernel = share[..., None, None] * positions(5) / positions(5).sum()
    curve = strength_curve(kernel, theta)
    assert curve.offset == pytest.approx(3)
    assert curve.modulation == pytest.approx(2)
    assert curve.r2 == pytest.approx(1)
    np.testing.assert_allclose(pair_strength(kernel), share)
    assert curve.count.sum() == 12 * 11
    folded = np.array([[oracles.folded(r) for r in row] for row in relative])
    apart = ~np.eye(12, dtype=bool)
    for i in range(4):
        inside = apart & (folded >= curve.edges[i]) & (folded < curve.edges[i + 1])
        assert curve.mean[i] == pytest.approx(share[inside].mean())
    assert curve.like_ratio == pytest.approx(curve.mean[0] / curve.mean[3])


def test_edges_of_the_bins() -> None:
    """Exactly 22.5 is not like, exactly 67.5 is not orthogonal."""
    kernel = np.ones((8, 8, 3, 3))
    curve = strength_curve(kernel, np.arange(8) * 22.5)
    np.testing.assert_array_equal(curve.count, [0, 16, 32, 8])
    assert np.isnan(curve.mean[0])
    assert np.isnan(curve.like_ratio)


def test_undefined_statistics_are_nan() -> None:
    kernel = np.zeros((6, 6, 5, 5))
    curve = strength_curve(kernel, irregular(6))
    assert np.isnan([curve.like_ratio, curve.r2, axial_ratio(kernel, irregular(6))]).all()
    same = strength_curve(kernel + 1, np.full(6, 30.0))
    assert np.isnan([same.offset, same.modulation, same.like_ratio]).all()
    assert axial_ratio(kernel + 1, irregular(6)) == pytest.approx(1)


def test_the_axis_is_that_of_the_target() -> None:
    """Connections along the contour at 30 degrees; mirrored at the horizontal they are not."""
    x, y = displacements(9)
    t = np.radians(30)
    along = np.exp(-((-np.sin(t) * x + np.cos(t) * y) ** 2) / 2)
    kernel = np.broadcast_to(along, (5, 5, 9, 9))
    theta = 30 + np.array([-6.0, -3, 0, 3, 6])
    assert axial_ratio(kernel, theta) > 3
    assert axial_ratio(kernel, theta + 90) < 1 / 3
    assert axial_ratio(kernel[..., ::-1, :], theta) < 1.2
    assert axial_ratio(kernel, theta, positions=positions(9, beyond=2)) > 5


# --- field (A6) ---------------------------------------------------------------------------------


def synthetic(kind: float, n_alpha: int = 36, side: int = 11, width: float = 20.0) -> np.ndarray:
    """Kappa that prefers ``kind * phi`` at every displacement, with von Mises tuning."""
    x, y = displacements(side)
    star = kind * np.arctan2(y, x)
    alpha = np.radians(np.arange(n_alpha) * 180.0 / n_alpha)[:, None, None]
    return np.exp((np.cos(2 * (alpha - star)) - 1) / (2 * np.radians(width)) ** 2) * positions(side)


@pytest.mark.parametrize("method", ["mean", "argmax"])
@pytest.mark.parametrize(("kind", "error"), [(2, "cocircular"), (1, "radial"), (0, "parallel")])
def test_fields_are_told_apart(kind: int, error: str, method: str) -> None:
    """Unit check 5: slopes 2, 1, 0, and no error against the field that it is."""
    kappa = synthetic(kind)
    field = orientation_field(kappa, np.arange(36) * 5.0, method)
    errors = field_errors(field)
    tolerance = 1e-9 if method == "mean" else 0.2
    assert errors.slope == pytest.approx(kind, abs=max(tolerance / 10, 1e-9))
    for name in ("cocircular", "radial", "parallel"):
        value = getattr(errors, name)
        assert (value < tolerance) == (name == error)
    assert field.coherence[positions(11)] == pytest.approx(field.coherence[5, 5])
    assert np.isnan(field.preferred[0, 0])
    assert field.weight[0, 0] == 0


def test_a_mirrored_field_has_the_negative_slope() -> None:
    kappa = synthetic(1)[:, ::-1]
    errors = field_errors(orientation_field(kappa, np.arange(36) * 5.0))
    assert errors.slope == pytest.approx(-1)
    assert errors.radial == pytest.approx(45, abs=5)


def test_coherence_of_von_mises_tuning() -> None:
    """Coherence is the ratio of Bessel functions, whatever the height."""
    concentration = 1 / (2 * np.radians(20)) ** 2
    field = orientation_field(7 * synthetic(0), np.arange(36) * 5.0)
    from scipy.special import ive

    expected = ive(1, concentration) / ive(0, concentration)
    assert field.coherence[5, 5] == pytest.approx(expected, abs=1e-6)


def test_a_kernel_without_tuning_has_no_field() -> None:
    field = orientation_field(np.ones((36, 5, 5)), np.arange(36) * 5.0)
    assert np.isnan(field.preferred).all()
    assert not field.weight.any()
    errors = field_errors(field)
    assert np.isnan([errors.cocircular, errors.radial, errors.parallel, errors.slope]).all()


def test_fields_are_batched() -> None:
    kappa = np.stack([synthetic(2), synthetic(1)]).astype(np.float32)
    field = orientation_field(torch.from_numpy(kappa), np.arange(36) * 5.0)
    errors = field_errors(field, positions(11, r_min=3))
    assert isinstance(errors.slope, torch.Tensor)
    assert errors.slope.dtype == torch.float32
    torch.testing.assert_close(errors.slope, torch.tensor([2.0, 1.0]), atol=1e-4, rtol=0)


def test_bad_fields_are_refused() -> None:
    with pytest.raises(UserError, match="orientations"):
        orientation_field(np.ones((35, 5, 5)), np.arange(36))
    with pytest.raises(UserError, match="method"):
        orientation_field(np.ones((36, 5, 5)), np.arange(36), "max")  # type: ignore[arg-type]
    field = orientation_field(synthetic(1), np.arange(36) * 5.0)
    with pytest.raises(UserError, match="mask"):
        field_errors(field, positions(9))


# --- all together, and permuted -----------------------------------------------------------------


@given(st.integers(0, 20))
def test_statistics_are_those_of_the_functions(seed: int) -> None:
    kernel, theta = np.abs(random(9, 9, 7, 7, seed=seed)), irregular(9, seed)
    together = lateral_statistics(kernel, theta).as_dict()
    group = group_kernel(kernel, theta)
    errors = field_errors(orientation_field(group.kappa, group.alpha))
    assert together["like_ratio"] == pytest.approx(strength_curve(kernel, theta).like_ratio)
    assert together["axial_ratio"] == pytest.approx(axial_ratio(kernel, theta))
    for name in ("cocircular", "radial", "parallel", "slope"):
        assert together[name] == pytest.approx(float(getattr(errors, name)))


def test_statistics_are_the_definition() -> None:
    kernel, theta = np.abs(random(5, 5, 7, 7)), np.array([3.0, 12.0, 88.0, 95.0, 140.0])
    found = lateral_statistics(kernel, theta).as_dict()
    expected = oracles.slow_statistics(kernel, theta, smoothing_width(5))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


@pytest.mark.parametrize("masked", [False, True])
def test_permutations_are_the_pipeline_on_permuted_orientations(masked: bool) -> None:
    kernel, theta = np.abs(random(8, 8, 5, 5)), irregular(8)
    pairs = pairs_by_parity(np.arange(8) * 33.0)["mixed"] if masked else None
    where = positions(5, r_min=1) if masked else None
    null = permutation_null(kernel, theta, pairs=pairs, positions=where, n_draws=6, seed=3)
    order = np.random.default_rng(3).permuted(np.tile(np.arange(8), (6, 1)), axis=1)
    for draw in range(6):
        one = lateral_statistics(kernel, theta[order[draw]], pairs=pairs, positions=where)
        for name, value in one.as_dict().items():
            assert null.as_dict()[name][draw] == pytest.approx(value, nan_ok=True), name


def test_kernels_that_ignore_orientation_give_uniform_p() -> None:
    """Unit check 8: 200 kernels, Kolmogorov-Smirnov against the uniform distribution."""
    p_values: dict[str, list[float]] = {"like_ratio": [], "axial_ratio": [], "slope": []}
    for seed in range(200):
        kernel = np.abs(random(10, 10, 7, 7, seed=seed))
        theta = np.arange(10) * 18 + irregular(10, seed + 1000) / 10
        observed = lateral_statistics(kernel, theta).as_dict()
        null = permutation_null(kernel, theta, n_draws=99, seed=seed).as_dict()
        for name, values in p_values.items():
            values.append(permutation_p(observed[name], null[name]))
    for name, values in p_values.items():
        assert stats.kstest(values, "uniform").pvalue > 0.01, name


def test_a_planted_preference_is_beyond_its_permutations() -> None:
    theta = irregular(12)
    relative = np.radians(theta[None] - theta[:, None])
    noise = np.random.default_rng(0).uniform(size=(12, 12, 7, 7))
    kernel = noise * (1.2 + np.cos(2 * relative))[..., None, None]
    observed, null = lateral_statistics(kernel, theta), permutation_null(kernel, theta, n_draws=199)
    assert permutation_p(observed.like_ratio, null.like_ratio) == 1 / 200
    assert permutation_p(observed.axial_ratio, null.axial_ratio) > 0.01
    with pytest.raises(UserError, match="draw 1,000"):
        permutation_null(kernel, theta, n_draws=0)


# --- what overlap gives by itself ---------------------------------------------------------------


def test_overlapping_gabors_are_like_and_axial_but_not_cocircular() -> None:
    """Why the overlap is a null: only the errors and the slope tell more than filters do."""
    rng = np.random.default_rng(0)
    x, y = displacements(11)
    theta = rng.uniform(0, 180, 32)
    t, f, phase = (
        v[:, None, None]
        for v in (np.radians(theta), rng.uniform(0.12, 0.25, 32), rng.uniform(0, 2 * np.pi, 32))
    )
    u, v = -np.sin(t) * x + np.cos(t) * y, np.cos(t) * x + np.sin(t) * y
    envelope = np.exp(-(u**2) / (2 * 1.8**2) - v**2 / (2 * 2.4**2))
    overlap = filter_overlap(envelope * np.cos(2 * np.pi * f * u + phase))
    kernel = rectify(retain(overlap, theta).kernel)
    near = lateral_statistics(kernel, theta, positions=positions(21, r_max=5.5))
    far = lateral_statistics(kernel, theta, positions=positions(21, r_min=5.5))
    assert near.like_ratio > 3
    assert far.axial_ratio > 2
    for found in (near, far):
        assert found.parallel < found.radial < found.cocircular
        assert found.slope < 0.5


def test_planted_contours_have_the_slopes_of_their_process() -> None:
    """Sharp kernels of side 11: direction process 1.3 to 1.5, diffusion about 0.9."""
    theta = irregular(32)
    for family, low, high in (
        (direction_family(11, [0.35], blur=0.1), 1.3, 1.5),
        (diffusion_family(11, [0.7], blur=0.1), 0.8, 1.1),
    ):
        (kernel,) = family.planted(theta, 11)
        assert low < lateral_statistics(kernel, theta).slope < high
