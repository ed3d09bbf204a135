from __future__ import annotations

import pytest
import torch

from isocortex.errors import UserError
from isocortex.models.codecs import CODECS, CodecConfig, LinearCodec, codec


@pytest.mark.parametrize("decoder", CODECS)
def test_images_come_back_in_their_size(decoder: str) -> None:
    made = codec(CodecConfig(decoder=decoder), seed=2)
    images = torch.randn(3, 1, 20, 24)
    back, code = made(images)
    assert back.shape == code.shape == images.shape
    assert made.filter.shape == (7, 7)
    back.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in made.parameters())


def test_noise_of_the_given_variance_lies_on_the_code() -> None:
    made = LinearCodec(CodecConfig(decoder_size=1, noise=4.0))
    with torch.no_grad():
        made.decoder.weight.fill_(1)
    torch.manual_seed(0)
    back, code = made(torch.randn(8, 1, 64, 64))
    assert float((back - code).detach().var()) == pytest.approx(4, rel=0.03)


def test_a_normalised_code_has_unit_variance_whatever_the_filter() -> None:
    made = LinearCodec(CodecConfig(normalised=True, initial_sd=3.0))
    _, code = made(torch.randn(4, 1, 32, 32))
    assert float(code.detach().std()) == pytest.approx(1, abs=1e-5)


def test_the_seed_decides_and_the_width_is_that_asked_for() -> None:
    first, again = (LinearCodec(CodecConfig(initial_sd=0.083), seed=5) for _ in range(2))
    assert torch.equal(first.filter, again.filter)
    drawn = torch.stack([LinearCodec(CodecConfig(), seed=k).filter for k in range(40)])
    assert float(drawn.std()) == pytest.approx(0.02, rel=0.06)


def test_an_even_filter_is_refused() -> None:
    with pytest.raises(UserError, match="odd side"):
        LinearCodec(CodecConfig(size=6))
