"""From images in [0, 1] to what a network was made for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.errors import UserError

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in a grey value (ITU-R BT.709)."""


@dataclass(frozen=True)
class Preprocess:
    """Channels, size and normalisation of a network's images; call it on (n, c, h, w).

    Images that already have the network's height and width are shown pixel by pixel and are
    normalised alone. All others are resized, and cropped around the centre, as the network's makers
    did.

    Parameters
    ----------
    input_shape : tuple of int
        (c, h, w) that the network takes. Grey images are repeated for a network that takes
        colours; colours become luminance for one that takes grey.
    resize : int or (int, int), optional
        Length of the shorter side before cropping, or height and width whatever the image's; by
        default no more is cropped than must be.
    interpolation : str
        A value of `torchvision.transforms.InterpolationMode` that works on tensors; antialiased.
    mean, std : tuple of float
        Subtracted from, and divided into, each channel.
    """

    input_shape: tuple[int, int, int]
    resize: int | tuple[int, int] | None = None
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images as the network takes them.

        Raises
        ------
        UserError
            If `images` is not a floating (n, c, h, w), or its channels do not fit.
        """
        if images.ndim != 4 or not images.is_floating_point():
            raise UserError(
                f"images must be floating point (n, c, h, w) in [0, 1], but they are "
                f"{str(images.dtype).removeprefix('torch.')} of shape {tuple(images.shape)}"
            )
        images = self._fit(self._channels(images))
        mean, std = (
            torch.tensor(v, dtype=images.dtype, device=images.device).reshape(-1, 1, 1)
            for v in (self.mean, self.std)
        )
        return (images - mean) / std

    def _channels(self, images: Tensor) -> Tensor:
        given, wanted = images.shape[1], self.input_shape[0]
        if given == wanted:
            return images
        if given == 1:
            return images.expand(-1, wanted, -1, -1)
        if given == 3 and wanted == 1:
            weights = torch.tensor(LUMINANCE, dtype=images.dtype, device=images.device)
            return torch.einsum("c,nchw->nhw", weights, images).unsqueeze(1)
        raise UserError(
            f"images have {given} channels, but the network takes {wanted}; give it "
            f"{'grey or colour' if wanted in (1, 3) else 'grey'} images"
        )

    def _fit(self, images: Tensor) -> Tensor:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as tv

        size = list(self.input_shape[1:])
        if list(images.shape[-2:]) == size:
            return images
        resize = self.resize or max(size)
        target = [resize] if isinstance(resize, int) else list(resize)
        mode = InterpolationMode(self.interpolation)
        return tv.center_crop(tv.resize(images, target, mode, antialias=True).clamp(0, 1), size)
