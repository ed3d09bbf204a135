from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from isocortex.models.activations import ACTIVATIONS
from isocortex.models.layers import trace_layers
from isocortex.models.pooling import POOLINGS

VALUES = {
    "identity": [-2, 0, 1], "tanh": np.tanh([-2, 0, 1]), "sigmoid": 1 / (1 + np.exp([2, 0, -1])),
    "softplus": np.log1p(np.exp([-2, 0, 1])), "elu": [np.expm1(-2), 0, 1], "relu": [0, 0, 1],
    "abs": [2, 0, 1], "leaky": [-0.02, 0, 1], "gelu": [-0.0455003, 0, 0.8413447],
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_functions_of_their_names(name):
    x = torch.tensor([-2.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(
        ACTIVATIONS[name]()(x), torch.as_tensor(VALUES[name]).double(), atol=1e-6, rtol=0
    )


@given(
    name=st.sampled_from(sorted(POOLINGS)),
    size=st.tuples(st.integers(4, 11), st.integers(4, 11)),
    k=st.integers(1, 3),
    s=st.integers(1, 3),
    p=st.integers(0, 1),
    ceil=st.booleans(),
)
def test_all_poolings_give_the_map_of_max_pooling(name, size, k, s, p, ceil):
    p = min(p, k // 2)
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    expected = nn.MaxPool2d(k, s, p, ceil_mode=ceil)(x).shape
    made = POOLINGS[name](k, s, p, ceil)(x)
    assert made.shape == expected
    assert made.min() >= 0
    assert made.max() <= x.max() + 1e-12
    constant = POOLINGS[name](k, s, p, ceil)(torch.full_like(x, 0.7))
    torch.testing.assert_close(constant, torch.full_like(constant, 0.7))


def windows(x: np.ndarray) -> dict[str, np.ndarray]:
    """Pool a map by 2 x 2, unit by unit."""
    h, w = x.shape[0] // 2, x.shape[1] // 2
    out = {name: np.zeros((h, w)) for name in POOLINGS}
    taps = np.array([1, 3, 3, 1]) / 8
    wide = np.pad(x, 1, mode="edge")
    for i, j in product(range(h), range(w)):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        out["max"][i, j], out["avg"][i, j] = window.max(), window.mean()
        out["l2"][i, j], out["subsample"][i, j] = np.sqrt((window**2).mean()), window[0, 0]
        out["blur"][i, j] = taps @ wide[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] @ taps
    return out


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poolings_against_windows_one_by_one(name, dtype):
    x = np.random.default_rng(0).standard_normal((6, 8))
    made = POOLINGS[name](2, 2, 0)(torch.from_numpy(x).to(dtype)[None, None])
    assert made.dtype == dtype
    np.testing.assert_allclose(made[0, 0].numpy(), windows(x)[name], atol=1e-6)


@pytest.mark.parametrize("name", POOLINGS)
def test_gradients_are_finite_even_where_all_is_zero(name):
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    POOLINGS[name](2, 2, 0)(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", [n for n in POOLINGS if n != "subsample"])
def test_mirroring_commutes_with_pooling_of_an_even_map(name):
    x = torch.rand(1, 2, 6, 6)
    pool = POOLINGS[name](2, 2, 0)
    torch.testing.assert_close(pool(x.flip(-1)), pool(x).flip(-1))


@pytest.mark.parametrize(("name", "seen"), [("max", 2), ("blur", 4), ("subsample", 1)])
def test_receptive_fields_are_followed_through(name, seen):
    field = trace_layers(nn.Sequential(POOLINGS[name](2, 2, 0)), (1, 8, 8))["0"].receptive_field
    assert field is not None
    assert (field.size, field.jump) == ((seen, seen), (2, 2))
    assert field.start == ((0, 0) if name == "subsample" else (0.5, 0.5))
