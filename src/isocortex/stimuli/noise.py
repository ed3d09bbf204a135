"""Noise with the spectrum of natural images, for calibration without photographs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from isocortex.errors import UserError

CONTRAST = 0.2
"""SD of the pixels before they are clipped to [0, 1], about that of natural photographs."""


def pink_noise(
    n: int, size: int, channels: int = 1, *, exponent: float = 1.0, seed: int = 0
) -> Tensor:
    """Draw images of Gaussian noise whose amplitude falls with frequency, ``1 / f^exponent``.

    Natural photographs have an exponent near 1 (Field, 1987). Each image has the mean 0.5 and
    pixels of SD `CONTRAST`, clipped to [0, 1]. Colour images are grey: all channels are alike, as
    in photographs they nearly are.

    Parameters
    ----------
    n, size, channels : int
        Number of images, width and height in pixels, and 1 or 3 channels.
    exponent : float
        0 is white noise.
    seed : int
        Image i depends on (`seed`, i) alone.

    Returns
    -------
    Tensor, shape (n, channels, size, size)
        float32.

    Raises
    ------
    UserError
        If a number is too small.
    """
    for name, value, least in (("n", n, 1), ("size", size, 2), ("channels", channels, 1)):
        if value < least:
            raise UserError(f"{name} is {value}, but noise needs {least} or more")
    grain = np.stack(
        [np.random.default_rng([seed, i]).standard_normal((size, size)) for i in range(n)]
    )
    values = shaped(grain, exponent)
    values *= CONTRAST / values.std(axis=(1, 2), keepdims=True)
    images = torch.from_numpy(np.clip(0.5 + values, 0, 1).astype(np.float32))
    return images[:, None].repeat(1, channels, 1, 1)


def shaped(grain: np.ndarray, exponent: float) -> np.ndarray:
    """Return white noise (..., size, size) with amplitudes ``1 / f^exponent``, periodic, mean 0."""
    size = grain.shape[-1]
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    radius[0, 0] = np.inf  # no mean
    return np.fft.irfft2(np.fft.rfft2(grain) / radius**exponent, s=(size, size))
