"""Codecs that learn to give images back, with a price on the power of their code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.models.initial import seeded
from isocortex.training.batches import BatchSource
from isocortex.training.objectives import Objective

CropSource = Callable[[int], Tensor]
"""Number of images -> (n, 1, h, w) float32, drawn with torch's random numbers."""


def crops_of(images: Sequence[Tensor], size: int) -> CropSource:
    """Return a source of square crops at random places of random images.

    Parameters
    ----------
    images : sequence of Tensor
        (h, w) each, of any sizes.
    size : int
        Width and height of the crops.

    Raises
    ------
    UserError
        If there is no image, or one is smaller than a crop.
    """
    if not images or min(min(image.shape) for image in images) < size:
        raise UserError(f"crops of {size} px need images of at least that size; give larger ones")
    heights = torch.tensor([image.shape[0] for image in images])
    widths = torch.tensor([image.shape[1] for image in images])

    def draw(n: int) -> Tensor:
        which = torch.randint(len(images), (n,))
        down, right = (
            (torch.rand(n) * (extent[which] - size + 1)).long().tolist()
            for extent in (heights, widths)
        )
        parts = [
            images[k][y : y + size, x : x + size]
            for k, y, x in zip(which.tolist(), down, right, strict=True)
        ]
        return torch.stack(parts)[:, None]

    return draw


def white_noise(size: int) -> CropSource:
    """Return a source of images of white Gaussian noise of unit variance."""
    return lambda n: torch.randn(n, 1, size, size)


def standardised(images: Sequence[Tensor]) -> list[Tensor]:
    """Remove the mean over all pixels of all images, and divide by their standard deviation."""
    pixels = torch.cat([image.flatten().double() for image in images])
    mean, sd = float(pixels.mean()), float(pixels.std())
    if not sd > 0:
        raise UserError("all images are uniform and alike; show images with contrast")
    return [(image - mean) / sd for image in images]


def random_phase(images: Sequence[Tensor], *, seed: int = 0) -> list[Tensor]:
    """Give images random phases: the same spectrum each, and no contours.

    Parameters
    ----------
    images : sequence of Tensor
        (h, w) each.
    seed : int
        The phases are those of white noise, drawn for each image.

    Returns
    -------
    list of Tensor
        Of the same shapes, with the same means.
    """
    found = []
    with seeded(seed):
        for image in images:
            noise = torch.fft.fft2(torch.randn(image.shape, dtype=torch.float64))
            spectrum = torch.fft.fft2(image.double())
            turned = spectrum.abs() * noise / noise.abs()
            turned[0, 0] = spectrum[0, 0]
            found.append(torch.fft.ifft2(turned).real.to(image.dtype))
    return found


def reconstruct(power_penalty: float) -> Objective:
    """Return the objective of codecs: ``mean((y - x)^2) + power_penalty mean(z^2)``.

    Parameters
    ----------
    power_penalty : float
        lambda. The figure that is watched is the error without the price, ``error``.
    """

    def loss(output: tuple[Tensor, Tensor], images: Tensor) -> Tensor:
        back, code = output
        return F.mse_loss(back, images) + power_penalty * code.square().mean()

    return Objective(
        name=f"reconstruction, {power_penalty!r} power",
        loss=loss,
        measure=lambda output, images: F.mse_loss(output[0].detach(), images),
        measured="error",
    )


def images_of(draw: CropSource, batch_size: int) -> BatchSource:
    """Return a source for `fit` of images that are also their own targets.

    An epoch is one batch, since a source of crops has no end.

    Parameters
    ----------
    draw : callable
        See `CropSource`.
    batch_size : int
    """

    def both(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images = draw(len(rows))
        return images, images

    return BatchSource(batch_size, both)
