from __future__ import annotations

import pytest
import torch

from isocortex.errors import UserError
from isocortex.models.fourier import FourierConv2d, correlate


@pytest.mark.parametrize("size", [1, 3, 7, 13])
@pytest.mark.parametrize(("padding", "mode"), [("valid", "zeros"), ("same", "zeros"),
                                               ("same", "reflect")])  # fmt: skip
def test_learning_and_looking_give_the_same(size: int, padding: str, mode: str) -> None:
    layer = FourierConv2d(4, size, padding=padding, padding_mode=mode).double()
    images = torch.randn(3, 1, 14, 17, dtype=torch.float64, requires_grad=True)
    slopes = []
    for training in (True, False):
        layer.train(training)
        layer.zero_grad()
        images.grad = None
        out = layer(images)
        out.square().mean().backward()
        slopes.append((out.detach(), layer.weight.grad.clone(), images.grad.clone()))
    for fast, direct in zip(*slopes, strict=True):
        torch.testing.assert_close(fast, direct)
    kept = padding == "same"
    assert out.shape == (3, 4, 14 if kept else 15 - size, 17 if kept else 18 - size)


def test_single_precision_is_kept() -> None:
    images, filters = torch.randn(5, 1, 32, 32), torch.randn(6, 1, 9, 9)
    fast = correlate(images, filters)
    assert fast.dtype == torch.float32
    direct = torch.nn.functional.conv2d(images, filters)
    torch.testing.assert_close(fast, direct, atol=1e-4, rtol=1e-4)


def test_an_even_filter_is_refused() -> None:
    with pytest.raises(UserError, match="odd side"):
        FourierConv2d(1, 6)
