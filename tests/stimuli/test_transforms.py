"""Every registered image symmetry, against index arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.stimuli import transforms
from isocortex.stimuli.transforms import TRANSFORMS

SOURCES = {  # target (row, column) in an h x w map <- source
    "hflip": lambda r, c, h, w: (r, w - 1 - c),
    "vflip": lambda r, c, h, w: (h - 1 - r, c),
    "rot90": lambda r, c, h, w: (c, w - 1 - r),
    "rot180": lambda r, c, h, w: (h - 1 - r, w - 1 - c),
    "rot270": lambda r, c, h, w: (h - 1 - c, r),
}


def test_every_transform_has_an_oracle() -> None:
    assert set(SOURCES) == set(TRANSFORMS)
    assert all(name == t.name for name, t in TRANSFORMS.items())


@pytest.mark.parametrize("name", TRANSFORMS)
@given(h=st.integers(1, 6), w=st.integers(1, 6), lead=st.sampled_from([(), (2,), (2, 3)]))
def test_moves_values_as_the_oracle_and_back(
    name: str, h: int, w: int, lead: tuple[int, ...]
) -> None:
    x = np.arange(np.prod((*lead, h, w)), dtype=np.float32).reshape(*lead, h, w)
    t = TRANSFORMS[name]
    moved = t(x)
    for r in range(moved.shape[-2]):
        for c in range(moved.shape[-1]):
            rs, cs = SOURCES[name](r, c, h, w)
            np.testing.assert_array_equal(moved[..., r, c], x[..., rs, cs])
    np.testing.assert_array_equal(t.inverse(moved), x)
    np.testing.assert_array_equal(t(t.inverse(x)), x)
    in_torch = t(torch.from_numpy(x))
    assert isinstance(in_torch, torch.Tensor)
    np.testing.assert_array_equal(in_torch.numpy(), moved)
    np.testing.assert_array_equal(t.inverse(in_torch).numpy(), x)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, bool])
def test_keeps_dtype_and_gives_memory_that_torch_takes(name: str, dtype: type) -> None:
    x = np.ones((2, 3, 4), dtype=dtype)
    moved = TRANSFORMS[name](x)
    assert moved.dtype == x.dtype
    assert torch.from_numpy(moved).shape == moved.shape


def test_four_quarter_turns_are_the_identity_and_turn_anticlockwise() -> None:
    turn = TRANSFORMS["rot90"]
    x = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(turn(x), [[2, 4], [1, 3]])
    np.testing.assert_array_equal(turn(turn(turn(turn(x)))), x)


def test_errors_are_the_users() -> None:
    with pytest.raises(UserError, match="hflip"):
        transforms.get("hflop")
    assert transforms.get("vflip") is TRANSFORMS["vflip"]
    with pytest.raises(UserError, match="list"):
        TRANSFORMS["hflip"]([[1, 2]])
    with pytest.raises(UserError, match="shape is"):
        TRANSFORMS["rot90"](np.zeros(3))
