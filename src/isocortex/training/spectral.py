"""The filter that a linear code through noise wants: in closed form, and by deterministic descent.

An image of spectrum S is coded by a filter Psi and read back by the best linear decoder through
noise of variance N. With g = |FFT(Psi)|^2 the loss per frequency is

    S N / (N + S g) + lambda S g,

the error of the decoder and the price of the code's power. It is least at the *amplitude law*
g = max(0, sqrt(N / (lambda S)) - N / S), whatever the phase of Psi: a shape comes from something
else, such as a small filter, small initial weights, or a price mu sum |p|^2 Psi(p)^2 of distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from isocortex.errors import UserError
from isocortex.models.initial import seeded


def power_spectrum(images: Tensor) -> Tensor:
    """Return the mean power spectrum of images, with a Hann window against their borders.

    Parameters
    ----------
    images : Tensor
        (n, 1, h, w); the mean should have been removed.

    Returns
    -------
    Tensor
        (h, w) float64, S at the frequencies of `torch.fft.fft2`. White noise of variance v gives v
        at all frequencies, so that the mean of S is the variance of a pixel.
    """
    h, w = images.shape[-2:]
    window = torch.outer(*(torch.hann_window(n, dtype=torch.float64) for n in (h, w)))
    window = window / window.square().sum().sqrt()
    power = torch.zeros(h, w, dtype=torch.float64)
    for part in images[:, 0].split(4096):
        power += torch.fft.fft2(part.double() * window).abs().square().sum(0)
    return power / len(images)


def amplitude_law(spectrum: Tensor, noise: float, power_penalty: float) -> Tensor:
    """Return the best gain g = |FFT(Psi)|^2 at each frequency; see the module.

    Parameters
    ----------
    spectrum : Tensor
        S, above 0.
    noise, power_penalty : float
        N and lambda, above 0.
    """
    gain = (noise / (power_penalty * spectrum)).sqrt() - noise / spectrum
    return gain.clamp(min=0)


def code_loss(gain: Tensor, spectrum: Tensor, noise: float, power_penalty: float) -> Tensor:
    """Return the loss of a code with gain g, its mean over the last two axes (the frequencies)."""
    error = spectrum * noise / (noise + spectrum * gain)
    return (error + power_penalty * spectrum * gain).mean(dim=(-2, -1))


def gain_of(filters: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return |FFT(Psi)|^2 of filters (..., s, s) at the frequencies of images of a shape."""
    return torch.fft.fft2(filters, s=shape).abs().square()


@dataclass(frozen=True)
class SpectralCode:
    """The filter that `spectral_codec` found.

    Attributes
    ----------
    filter : Tensor
        (size, size) float64, the best of all starts.
    loss : float
        Its loss, the price of distance included.
    losses : Tensor
        (starts,) the loss that each start ended with.
    law_loss : float
        The loss of the amplitude law: below it no filter comes.
    """

    filter: Tensor
    loss: float
    losses: Tensor
    law_loss: float


def spectral_codec(
    spectrum: Tensor,
    *,
    size: int = 7,
    noise: float = 1.0,
    power_penalty: float = 0.02,
    locality: float = 0.0,
    starts: int = 5,
    seed: int = 0,
    max_iterations: int = 2000,
) -> SpectralCode:
    """Find the filter of a few pixels that codes images of a spectrum best.

    Parameters
    ----------
    spectrum : Tensor
        (h, w), S as `power_spectrum` gives it.
    size : int
        Side of the filter, odd, at most h and w.
    noise, power_penalty : float
        N and lambda.
    locality : float
        mu, the price of each weight's squared distance from the centre.
    starts : int
        Random beginnings (normal, sd 0.02), of which the best is kept.
    seed : int
    max_iterations : int
        Of L-BFGS, for each start.

    Returns
    -------
    SpectralCode

    Raises
    ------
    UserError
        If the size does not fit, or the spectrum is not above 0.
    """
    if size % 2 == 0 or size > min(spectrum.shape):
        raise UserError(
            f"size is {size}, but a filter needs an odd side of at most {min(spectrum.shape)}"
        )
    power = spectrum.double()
    if not bool((power > 0).all()):
        raise UserError("the spectrum must be above 0 at all frequencies; show more images")
    with seeded(seed):
        first = 0.02 * torch.randn(starts, size * size, dtype=torch.float64)
    price = locality * squared_distance(size)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        flat = torch.from_numpy(weights).requires_grad_()
        loss = spectral_loss(flat.reshape(size, size), power, noise, power_penalty, price)
        (slope,) = torch.autograd.grad(loss, flat)
        return float(loss.detach()), slope.numpy()

    options = {"maxiter": max_iterations, "maxfun": 10 * max_iterations}
    found = [
        minimize(objective, start.numpy(), jac=True, method="L-BFGS-B", options=options)
        for start in first
    ]
    losses = torch.tensor([result.fun for result in found], dtype=torch.float64)
    best = found[int(losses.argmin())]
    law = code_loss(amplitude_law(power, noise, power_penalty), power, noise, power_penalty)
    filter_ = torch.from_numpy(best.x).reshape(size, size)
    return SpectralCode(filter_, float(best.fun), losses, float(law))


def spectral_loss(
    filter_: Tensor, spectrum: Tensor, noise: float, power_penalty: float, price: Tensor
) -> Tensor:
    """Return what `spectral_codec` minimises; `price` (size, size) is that of each weight."""
    gain = gain_of(filter_, (spectrum.shape[0], spectrum.shape[1]))
    loss = code_loss(gain, spectrum, noise, power_penalty)
    return loss + (price * filter_.square()).sum()


def squared_distance(size: int) -> Tensor:
    """Return |p|^2 in square pixels from the centre of a filter, (size, size) float64."""
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return place[:, None].square() + place.square()
