"""The group against matrices, and its identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from isocortex.errors import UserError
from isocortex.measures.se2 import (
    cocircular_curvature,
    cocircular_orientation,
    compose,
    exponential,
    integral_curve,
    inverse,
    left_invariant_fields,
    logarithm,
)

coordinate = st.floats(-20, 20)
angle = st.floats(-3.1, 3.1)
element = st.tuples(coordinate, coordinate, angle).map(np.array)


def matrix(g: np.ndarray) -> np.ndarray:
    x, y, t = g
    return np.array([[math.cos(t), -math.sin(t), x], [math.sin(t), math.cos(t), y], [0, 0, 1]])


@given(element, element, element)
def test_the_law_is_that_of_matrices(g: np.ndarray, h: np.ndarray, k: np.ndarray) -> None:
    """Unit check 4: associativity and inverse, and the group of rigid motions itself."""
    np.testing.assert_allclose(matrix(compose(g, h)), matrix(g) @ matrix(h), atol=1e-12)
    np.testing.assert_allclose(compose(compose(g, h), k), compose(g, compose(h, k)), atol=1e-11)
    np.testing.assert_allclose(compose(g, inverse(g)), 0, atol=1e-12)
    np.testing.assert_allclose(compose(inverse(g), g), 0, atol=1e-12)


@given(element)
def test_exponential_and_logarithm(v: np.ndarray) -> None:
    a, b, w = v
    generator = np.array([[0, -w, a], [w, 0, b], [0, 0, 0]])
    np.testing.assert_allclose(matrix(exponential(v)), expm(generator), atol=1e-10)
    np.testing.assert_allclose(logarithm(exponential(v)), v, atol=1e-9)
    np.testing.assert_allclose(exponential(logarithm(v)), v, atol=1e-9)


@pytest.mark.parametrize("w", [0.0, 1e-12, 1e-5, 0.3, -2.0, math.pi - 1e-6, math.pi])
def test_the_circle_of_curvature_w_goes_straight_ahead(w: float) -> None:
    """Unit check 4: (a, b) = (1, 0) at (sin w / w, (1 - cos w) / w, w)."""
    end = integral_curve(np.float64(w), np.float64(1.0))
    expected = [1, 0, 0] if w == 0 else [math.sin(w) / w, (1 - math.cos(w)) / w, w]
    np.testing.assert_allclose(end, expected, atol=1e-6)
    np.testing.assert_allclose(logarithm(end), [1, 0, w], atol=1e-9)


def test_brackets_by_finite_differences() -> None:
    """Unit check 4: [X1, X2] = -X3, [X2, X3] = -X1, [X1, X3] = 0."""
    g = np.array([0.7, -1.3, 0.4])
    h = 1e-5

    def derivative(direction: np.ndarray) -> np.ndarray:
        ahead, behind = (left_invariant_fields(g + s * h * direction) for s in (1, -1))
        return (ahead - behind) / (2 * h)

    x = left_invariant_fields(g)

    def bracket(i: int, j: int) -> np.ndarray:
        return derivative(x[i])[j] - derivative(x[j])[i]

    np.testing.assert_allclose(bracket(0, 1), -x[2], atol=1e-8)
    np.testing.assert_allclose(bracket(1, 2), -x[0], atol=1e-8)
    np.testing.assert_allclose(bracket(0, 2), 0, atol=1e-8)


@given(element)
def test_fields_are_left_invariant(g: np.ndarray) -> None:
    """The field at g is the field at the identity, moved by g."""
    h = 1e-6
    for i, v in enumerate(np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]]) * h):
        moved = (compose(g, exponential(v)) - compose(g, exponential(-v))) / (2 * h)
        np.testing.assert_allclose(moved, left_invariant_fields(g)[i], atol=1e-7)


@given(st.floats(-0.5, 0.5), st.floats(0.1, 5))
def test_integral_curves_are_cocircular(k: float, t: float) -> None:
    """theta = 2 phi and k = 2 sin(phi) / r along the curves of X1 + k X2."""
    x, y, theta = integral_curve(np.float64(k), np.float64(t))
    np.testing.assert_allclose(cocircular_orientation(x, y), theta, atol=1e-9)
    np.testing.assert_allclose(cocircular_curvature(x, y), k, atol=1e-9)
    h = 1e-5
    ends = integral_curve(np.float64(k), np.array([t - h, t + h]))
    fields = left_invariant_fields(np.array([x, y, theta]))
    np.testing.assert_allclose((ends[1] - ends[0]) / (2 * h), fields[0] + k * fields[1], atol=1e-8)


def test_degenerate_points() -> None:
    assert cocircular_orientation(np.array(0.0), np.array(0.0)) == 0
    assert np.isnan(cocircular_curvature(np.array(0.0), np.array(0.0)))
    np.testing.assert_allclose(cocircular_orientation(np.array(-1.0), np.array(0.0)), 0, atol=1e-9)
    with pytest.raises(UserError, match="elements"):
        compose(np.zeros((4, 2)), np.zeros((4, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kinds_and_precisions(dtype: torch.dtype) -> None:
    g = torch.randn(5, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for function in (inverse, exponential, logarithm, left_invariant_fields):
        result = function(g)
        assert isinstance(result, torch.Tensor)
        assert result.dtype == dtype
        double = function(g.double().numpy())
        assert isinstance(double, np.ndarray)
        np.testing.assert_allclose(result, double, atol=1e-5 if dtype == torch.float32 else 1e-12)
    assert compose(g, g[0]).dtype == dtype
