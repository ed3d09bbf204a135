"""Images that are made worse, by degrees: noise, blur, loss of contrast, occlusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from isocortex.errors import UserError


@dataclass(frozen=True)
class Corruption:
    """A way to make images worse.

    Attributes
    ----------
    levels : tuple of float
        From slight to severe.
    unit : str
        What a level is.
    apply : callable
        Images (n, c, h, w) in [0, 1], a level and a generator -> images in [0, 1].
    """

    levels: tuple[float, ...]
    unit: str
    apply: Callable[[Tensor, float, torch.Generator], Tensor]


def corrupted(images: Tensor, corruption: Corruption, level: float, *, seed: int = 0) -> Tensor:
    """Return images made worse.

    Parameters
    ----------
    images : Tensor
        (n, c, h, w) in [0, 1].
    corruption : Corruption
        E.g. of `CORRUPTIONS`.
    level : float
        In its unit.
    seed : int
        The same seed gives the same noise and the same places.

    Raises
    ------
    UserError
        If the images are not (n, c, h, w) in [0, 1].
    """
    if images.ndim != 4 or not (len(images) and images.min() >= 0 and images.max() <= 1):
        raise UserError(
            f"images must be (n, c, h, w) with values in [0, 1], not of shape {tuple(images.shape)}"
        )
    generator = torch.Generator().manual_seed(seed)
    return corruption.apply(images, level, generator)


def _noise(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(images.shape, generator=generator).to(images)
    return (images + level * drawn).clamp(0, 1)


def _blur(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    if level == 0:
        return images
    reach = min(int(4 * level + 0.5), min(images.shape[-2:]) - 1)
    return gaussian_blur(images, [2 * reach + 1] * 2, [level] * 2).clamp(0, 1)


def _contrast(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    mean = images.mean(dim=(-3, -2, -1), keepdim=True)
    return mean + level * (images - mean)


def _occlusion(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    n, _, h, w = images.shape
    height, width = (round(level * size) for size in (h, w))
    top, left = (
        (torch.rand(n, generator=generator) * (size - cut + 1)).long().to(images.device)
        for size, cut in ((h, height), (w, width))
    )
    row = torch.arange(h, device=images.device) - top[:, None]
    column = torch.arange(w, device=images.device) - left[:, None]
    hidden = ((row >= 0) & (row < height))[:, None, :, None]
    hidden = hidden & ((column >= 0) & (column < width))[:, None, None, :]
    return torch.where(hidden, images.mean(dim=(-2, -1), keepdim=True), images)


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption((0.05, 0.1, 0.2), "sd of the noise", _noise),
    "blur": Corruption((0.5, 1.0, 2.0), "sd of the blur (px)", _blur),
    "contrast": Corruption((0.5, 0.25, 0.125), "contrast left", _contrast),
    "occlusion": Corruption(
        (0.25, 0.375, 0.5), "side of the patch / side of the image", _occlusion
    ),
}
"""Name -> corruption. White noise, clipped; Gaussian blur; contrast about the mean of the image; a
square of the image's mean at a random place."""
