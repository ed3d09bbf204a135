"""Where the fits of Gabor functions start: peaks of the spectrum, and where they lie."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isocortex.measures.receptive_fields import gabor_model as gm
from isocortex.measures.receptive_fields.pixels import coordinates

N_STARTS = 8
_PEAKS = 4
_PADDED = 64


def spectral_starts(filters: Tensor) -> Tensor:
    """Return starting points of the six parameters of `gabor_model`.

    The four highest peaks of the spectrum (padded to 64 x 64 or more; each hides what is nearer
    than 0.8 / s cycles per pixel) give wave vectors. The first two start at the centre of the
    filter's energy with an envelope of s / 8 and of s / 4 pixels; each of the four starts with one
    of s / 7 pixels where the part of the filter that has this wave vector is strongest.

    Parameters
    ----------
    filters : Tensor, shape (n, s, s)
        Without their mean.

    Returns
    -------
    Tensor, shape (n, 8, 6)
        Within the bounds.
    """
    n, side, _ = filters.shape
    low, high = gm.bounds(filters)
    x, y = coordinates(side, filters.device)
    angle, frequency = _peaks(filters, float(low[gm.FREQUENCY]), float(high[gm.FREQUENCY]))
    starts = filters.new_empty(n, N_STARTS, 6)

    energy = filters.flatten(1).square() + torch.finfo(filters.dtype).tiny
    energy = energy / energy.sum(1, keepdim=True)
    centre = torch.stack([energy @ x, energy @ y], dim=1)
    width = filters.new_tensor([side / 8, side / 4]).log().repeat(2)
    starts[:, :4, [gm.X, gm.Y]] = centre[:, None]
    starts[:, :4, gm.ANGLE] = angle[:, :2].repeat_interleave(2, dim=1)
    starts[:, :4, gm.FREQUENCY] = frequency[:, :2].repeat_interleave(2, dim=1)
    starts[:, :4, gm.LOG_SIGMA_U] = starts[:, :4, gm.LOG_SIGMA_V] = width

    place = _strongest_place(filters, angle, frequency, side / 7)
    starts[:, 4:, gm.X], starts[:, 4:, gm.Y] = x[place], y[place]
    starts[:, 4:, gm.ANGLE], starts[:, 4:, gm.FREQUENCY] = angle, frequency
    starts[:, 4:, [gm.LOG_SIGMA_U, gm.LOG_SIGMA_V]] = math.log(side / 7)
    return starts.clamp(low, high)


def _peaks(filters: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Angle in radians and frequency of the highest peaks, each (n, peaks)."""
    n = max(_PADDED, 2 * filters.shape[-1])
    fy = -torch.fft.fftfreq(n, dtype=filters.dtype, device=filters.device)[:, None]
    fx = torch.fft.rfftfreq(n, dtype=filters.dtype, device=filters.device)
    kx, ky = fx.expand(n, -1).flatten(), fy.expand(-1, len(fx)).flatten()
    frequency = torch.hypot(kx, ky)
    allowed = (frequency >= low) & (frequency <= high)
    kx, ky, frequency = kx[allowed], ky[allowed], frequency[allowed]
    power = torch.fft.rfft2(filters, s=(n, n)).abs().flatten(1)[:, allowed]
    hidden = (0.8 / filters.shape[-1]) ** 2
    found = []
    for _ in range(_PEAKS):
        peak = power.argmax(dim=1)
        found.append(peak)
        for sign in (1, -1):  # the spectrum goes on beyond fx = 0 as its own mirror image
            px, py = sign * kx[peak][:, None], sign * ky[peak][:, None]
            power = power * ((kx - px) ** 2 + (ky - py) ** 2 > hidden)
    index = torch.stack(found, dim=1)
    return torch.atan2(ky, kx)[index], frequency[index]


def _strongest_place(filters: Tensor, angle: Tensor, frequency: Tensor, width: float) -> Tensor:
    """Pixel where a Gabor of each wave vector and this width answers most, (n, peaks)."""
    n, side, _ = filters.shape
    x, y = coordinates(side, filters.device)
    across = angle.cos()[..., None] * x + angle.sin()[..., None] * y
    carrier = torch.polar(torch.ones_like(across), -2 * math.pi * frequency[..., None] * across)
    waves = (filters.flatten(1)[:, None] * carrier).reshape(n, _PEAKS, side, side)
    axis = torch.arange(side, dtype=filters.dtype, device=filters.device)
    window = torch.exp(-0.5 * ((axis[:, None] - axis) / width) ** 2)
    window = torch.nn.functional.normalize(window, dim=1).to(waves.dtype)
    return (window @ waves @ window.T).abs().flatten(2).argmax(dim=2)
