from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.training.spectral import (
    amplitude_law,
    code_loss,
    gain_of,
    power_spectrum,
    spectral_codec,
    spectral_loss,
    squared_distance,
)


def natural_spectrum(n: int = 32, exponent: float = 2.0) -> torch.Tensor:
    f = torch.fft.fftfreq(n, dtype=torch.float64)
    radius = (f[:, None] ** 2 + f**2).sqrt().clamp(min=1 / n)
    spectrum = radius**-exponent
    return spectrum / spectrum.mean()


def test_white_noise_has_a_flat_spectrum_of_its_variance() -> None:
    torch.manual_seed(0)
    spectrum = power_spectrum(2 * torch.randn(4000, 1, 16, 16))
    torch.testing.assert_close(spectrum, torch.full_like(spectrum, 4), rtol=0.12, atol=0)
    assert float(spectrum.mean()) == pytest.approx(4, rel=0.02)


@given(st.floats(0.01, 10), st.floats(1e-3, 1), st.floats(0.01, 100))
def test_no_gain_is_better_than_the_law(noise: float, penalty: float, power: float) -> None:
    spectrum = torch.full((1, 1), power, dtype=torch.float64)
    best = code_loss(amplitude_law(spectrum, noise, penalty), spectrum, noise, penalty)
    gains = torch.logspace(-6, 6, 4001, dtype=torch.float64).reshape(-1, 1, 1)
    others = code_loss(gains, spectrum, noise, penalty)
    assert float(best) <= float(others.min()) + 1e-12
    assert float(best) >= float(others.min()) * (1 - 1e-3)


def test_a_flat_spectrum_has_a_flat_law() -> None:
    law = amplitude_law(torch.full((8, 8), 3.0), 1.0, 0.02)
    assert float(law.min()) == float(law.max()) > 0


def test_what_is_too_weak_to_pay_for_is_not_coded() -> None:
    assert float(amplitude_law(torch.tensor([[0.01]]), 1.0, 0.02)) == 0


def test_the_gradient_is_that_of_finite_differences() -> None:
    spectrum, price = natural_spectrum(16), 1e-2 * squared_distance(5)
    filter_ = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w: spectral_loss(w, spectrum, 1.0, 0.02, price), (filter_,)
    )


def test_the_descent_comes_close_to_the_law_and_never_below_it() -> None:
    spectrum = natural_spectrum()
    found = spectral_codec(spectrum, starts=5, seed=1)
    assert float(found.losses.min()) >= found.law_loss - 1e-12
    assert found.loss == float(found.losses.min())
    assert found.loss <= 1.02 * found.law_loss
    gain = gain_of(found.filter, (32, 32))
    assert float(code_loss(gain, spectrum, 1.0, 0.02)) == pytest.approx(found.loss)


def test_a_price_of_distance_makes_the_filter_even_and_compact() -> None:
    found = spectral_codec(natural_spectrum(), locality=1e-2, starts=3)
    filter_ = found.filter / found.filter.abs().max()
    torch.testing.assert_close(filter_, filter_.flip(0, 1), atol=2e-3, rtol=0)
    assert int(filter_.abs().argmax()) == 24


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="odd side"):
        spectral_codec(natural_spectrum(), size=6)
    with pytest.raises(UserError, match="above 0"):
        spectral_codec(torch.zeros(16, 16))
