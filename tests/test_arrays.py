from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.arrays import like, to_torch
from isocortex.errors import nearest, unknown


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_comes_back_as_numpy_of_the_same_dtype(dtype: type) -> None:
    x = np.ones((2, 3), dtype=dtype)
    back = like(to_torch(x) * 2, x)
    assert isinstance(back, np.ndarray)
    assert back.dtype == dtype


def test_torch_comes_back_as_torch_and_shares_memory_on_the_way_in() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    inside = to_torch(x)
    assert inside.data_ptr() == x.data_ptr()
    assert not inside.requires_grad
    assert like(inside.double(), x).dtype == torch.float32


def test_integers_are_computed_in_double_and_half_in_single() -> None:
    assert to_torch(np.arange(3)).dtype == torch.float64
    assert to_torch(torch.ones(2, dtype=torch.float16)).dtype == torch.float32
    assert like(to_torch(np.arange(3)), np.arange(3)).dtype == np.float64


def test_read_only_and_reversed_arrays_are_copied() -> None:
    x = np.arange(4.0)
    x.flags.writeable = False
    assert torch.equal(to_torch(x[::-1]), torch.tensor([3.0, 2.0, 1.0, 0.0], dtype=torch.float64))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert nearest("farzmadi", ["farzmahdi2024", "xie2024"]) == ["farzmahdi2024"]
    message = str(unknown("study", "farzmadi", ["farzmahdi2024", "xie2024"]))
    assert "did you mean farzmahdi2024" in message
    assert "\n" not in message
