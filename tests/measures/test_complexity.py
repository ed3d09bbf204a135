from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from isocortex.errors import UserError
from isocortex.measures.complexity import (
    ALPHAS,
    RECTIFIERS,
    PixelRidge,
    evenness,
    gate_entropy,
    linear_complexity,
    midpoint_deviation,
    path_curvature,
    path_frequency,
    split_by_group,
)
from isocortex.measures.dimensionality import participation_ratio
from isocortex.models.activations import ACTIVATIONS

EXACT = {
    "identity": (0, 0), "relu": (1 - math.pi / (2 * (math.pi - 1)), 0.2665), "tanh": (0.0695, 0),
    "sigmoid": (0.0158, 0), "elu": (0.0633, 0.0567), "softplus": (0.0792, 0.0792), "abs": (1, 1),
}  # fmt: skip
"""Of one layer on white Gaussian images with pre-activations of SD 1: C_lin and evenness."""


def white(n: int = 20000, pixels: int = 25, units: int = 40, seed: int = 0) -> tuple:
    """White images, and pre-activations of SD 1 to random filters."""
    rng = np.random.default_rng(seed)
    filters = rng.standard_normal((pixels, units))
    filters /= np.linalg.norm(filters, axis=0)
    images = rng.standard_normal((n, pixels))
    return images, images @ filters


def thirds(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.arange(0, n // 2), np.arange(n // 2, 3 * n // 4), np.arange(3 * n // 4, n)


@pytest.mark.parametrize("name", EXACT)
def test_one_layer_on_white_images_has_the_values_of_theory(name):
    images, z = white()
    act = ACTIVATIONS[name]()
    f, g = (act(torch.from_numpy(s * z)) for s in (1, -1))
    c_lin, even = EXACT[name]
    found = linear_complexity(images, f.numpy(), thirds(len(z)))
    assert found.value == pytest.approx(c_lin, abs=0.01)
    assert (found.n_units, found.n_constant) == (40, 0)
    assert evenness(f, g).item() == pytest.approx(even, abs=0.01)


def test_tanh_is_the_more_complex_the_larger_its_gain():
    images, z = white(4000)
    values = [
        linear_complexity(images, np.tanh(gain * z), thirds(4000)).value
        for gain in (0.25, 0.5, 1, 2, 4)
    ]
    assert values == sorted(values)
    assert values[-1] - values[0] > 0.1


@pytest.mark.parametrize("pixels", [20, 300])
def test_against_one_regression_a_unit(pixels):
    images, z = white(200, pixels, 6, seed=3)
    images[:, 4] = 2.5  # a pixel that never varies
    y = np.abs(z) + 0.5 * z + np.random.default_rng(1).standard_normal(z.shape)
    train, validation, test = thirds(200)
    x = np.delete(images, 4, axis=1)
    x = (x - x[train].mean(0)) / x[train].std(0)
    expected = []
    for unit in y.T:
        fits = [Ridge(alpha=a, solver="svd").fit(x[train], unit[train]) for a in ALPHAS]
        errors = [np.square(f.predict(x[validation]) - unit[validation]).sum() for f in fits]
        expected.append(fits[int(np.argmin(errors))].score(x[test], unit[test]))
    ridge = PixelRidge(images, (train, validation, test))
    found = ridge.r2(y)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert min(expected) < max(expected)
    result = ridge.complexity(y)
    assert result.value == pytest.approx(1 - np.clip(expected, 0, 1).mean())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinds_and_precisions_come_back(dtype):
    images, z = white(300, 10, 5)
    ridge = PixelRidge(images.astype(dtype), thirds(300))
    r2 = ridge.r2(z.astype(dtype))
    assert r2.dtype == dtype
    np.testing.assert_allclose(r2, 1, atol=1e-4)
    found = ridge.r2(torch.from_numpy(z.astype(dtype)))
    assert isinstance(found, torch.Tensor)
    assert evenness(z.astype(dtype), z.astype(dtype)).dtype == dtype


def test_units_that_are_constant_on_any_part_are_dropped_and_counted():
    images, z = white(300, 10, 6)
    parts = thirds(300)
    for unit, rows in enumerate(parts):
        z[rows, unit] = 7.0
    found = linear_complexity(images, z, parts)
    assert found.n_constant == 3
    assert found.n_units == 3
    assert np.isnan(found.r2[:3]).all()
    assert found.value == pytest.approx(0, abs=1e-6)
    nothing = linear_complexity(images, np.ones((300, 4)), parts)
    assert math.isnan(nothing.value)
    assert (nothing.n_units, nothing.n_constant) == (0, 4)


def test_units_are_drawn_by_the_seed():
    images, z = white(300, 10, 30)
    ridge = PixelRidge(images, thirds(300))
    a, b, c = (ridge.complexity(z, max_units=8, seed=s) for s in (1, 1, 2))
    assert a.n_units == 8
    assert np.isfinite(a.r2).sum() == 8
    np.testing.assert_array_equal(a.r2, b.r2)
    assert not np.array_equal(np.isnan(a.r2), np.isnan(c.r2))


@given(seed=st.integers(0, 1000), gain=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_scale_and_offset_of_units_do_not_matter(seed, gain, shift):
    images, z = white(120, 8, 5, seed)
    parts = thirds(120)
    y = np.tanh(2 * z)
    np.testing.assert_allclose(
        PixelRidge(images, parts).r2(gain * y + shift), PixelRidge(images, parts).r2(y), atol=1e-7
    )


def test_photographs_stay_together():
    groups = np.repeat(np.arange(10), 30)
    parts = split_by_group(groups, seed=4)
    assert sorted(np.concatenate(parts)) == list(range(300))
    assert [len(p) for p in parts] == [180, 60, 60]
    members = [set(groups[p]) for p in parts]
    assert not members[0] & members[1]
    assert not members[0] & members[2]
    assert not members[1] & members[2]


@given(seed=st.integers(0, 1000))
def test_a_linear_map_is_straight(seed):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((12, 7))
    a, b = rng.standard_normal((2, 5, 12))
    steps = np.linspace(0, 1, 16)[:, None, None]
    path = ((1 - steps) * a + steps * b).swapaxes(0, 1)
    assert midpoint_deviation(a @ w, b @ w, (a + b) / 2 @ w).max() < 1e-12
    assert path_curvature(path @ w).max() < 1e-5
    frequency = path_frequency(path @ w)
    np.testing.assert_allclose(frequency, path_frequency(path), rtol=1e-6)


def test_curves_that_are_known():
    t = np.linspace(0, 2 * np.pi, 17)[:16]
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    assert path_curvature(circle) == pytest.approx(360 / 16)
    back = np.array([[0.0], [1.0], [0.0], [0.0], [1.0]])
    assert path_curvature(back) == pytest.approx(180)
    for k in (1, 3, 8):
        assert path_frequency(np.cos(k * t)[:, None]) == pytest.approx(k / 8)
    assert np.isnan(path_curvature(np.ones((4, 2))))
    assert np.isnan(path_frequency(np.ones((4, 2))))


def test_the_midpoint_of_a_magnitude():
    a, b = np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[-3.0, 0.0], [-3.0, 0.0]])
    deviation = midpoint_deviation(np.abs(a), np.abs(b), np.abs((a + b) / 2))
    assert deviation[0] == pytest.approx(1)
    assert np.isnan(deviation[1])


@given(seed=st.integers(0, 1000))
def test_evenness_against_its_definition(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 20, 4))
    even = sum(np.var((a[:, u] + b[:, u]) / 2) for u in range(4))
    odd = sum(np.var((a[:, u] - b[:, u]) / 2) for u in range(4))
    assert evenness(a, b) == pytest.approx(even / (even + odd))
    assert np.isnan(evenness(np.ones((3, 2)), np.ones((3, 2))))


def test_rectifiers_have_states_and_others_have_none():
    z = np.random.default_rng(0).normal([0, 1, 9], size=(1000, 3))
    q = (z > 0).mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(-q * np.log2(q) - (1 - q) * np.log2(1 - q))
    for name in ACTIVATIONS:
        bits = gate_entropy(z, name)
        if name == "identity":
            assert (bits == 0).all()
        elif name in RECTIFIERS:
            np.testing.assert_allclose(bits, expected, atol=1e-12)
        else:
            assert np.isnan(bits).all()


def test_equal_orthogonal_features_have_as_many_dimensions():
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 9)))[0]
    q -= q.mean(0)
    features = np.linalg.qr(q)[0]
    assert participation_ratio(5 * features) == pytest.approx(9)


def test_mistakes_get_one_line():
    images, z = white(60, 5, 3)
    parts = thirds(60)
    with pytest.raises(UserError, match="59 responses to 60 images"):
        linear_complexity(images, z[1:], parts)
    with pytest.raises(UserError, match="NaN or infinite"):
        linear_complexity(images, z * np.nan, parts)
    with pytest.raises(UserError, match="no pixel varies"):
        linear_complexity(np.ones((60, 5)), z, parts)
    with pytest.raises(UserError, match="a row twice or outside 0 to 59"):
        linear_complexity(images, z, (parts[0], parts[1], parts[1]))
    with pytest.raises(UserError, match="unknown split '2 parts'"):
        linear_complexity(images, z, parts[:2])
    with pytest.raises(UserError, match="test part must hold at least 3"):
        linear_complexity(images, z, (*parts[:2], parts[2][:2]))
    with pytest.raises(UserError, match="max_units is 0"):
        linear_complexity(images, z, parts, max_units=0)
    with pytest.raises(UserError, match="have shapes"):
        evenness(z, z[1:])
    with pytest.raises(UserError, match="at least 3 steps"):
        path_curvature(np.ones((2, 3)))
