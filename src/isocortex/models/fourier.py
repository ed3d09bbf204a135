"""Convolutions of one channel that learn by fast Fourier transforms on CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocortex.errors import UserError


def correlate(images: Tensor, filters: Tensor) -> Tensor:
    """Cross-correlate one channel with filters, wherever they fit in; as `conv2d`, by transforms.

    Parameters
    ----------
    images : Tensor
        (n, 1, h, w).
    filters : Tensor
        (F, 1, s, s), s at most h and w.

    Returns
    -------
    Tensor
        (n, F, h - s + 1, w - s + 1).
    """
    h, w = images.shape[-2:]
    s = filters.shape[-1]
    # The wrap-around of the circular correlation falls into the margin that is cut off.
    spectrum = torch.fft.rfft2(images) * torch.fft.rfft2(filters, s=(h, w)).conj()[:, 0]
    return torch.fft.irfft2(spectrum, s=(h, w))[..., : h - s + 1, : w - s + 1]


class FourierConv2d(nn.Conv2d):
    """A convolution of one channel with odd square filters and stride 1, without bias.

    In training on a CPU it is computed by transforms, which is two to ten times faster where there
    is one channel alone, and differs by rounding; else as `nn.Conv2d`, so that receptive fields
    can be followed through it.

    Parameters
    ----------
    filters, size : int
        Number and side of the filters.
    padding : {"valid", "same"}
        Whether the margin is lost, or the size kept.
    padding_mode : {"zeros", "reflect"}
        What lies outside where the size is kept.
    initial_sd : float, optional
        Standard deviation of normally distributed initial weights; None draws as `nn.Conv2d`.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        *,
        padding: str = "valid",
        padding_mode: str = "zeros",
        initial_sd: float | None = None,
    ) -> None:
        if size % 2 == 0:
            raise UserError(f"a filter of {size} px has no centre; give it an odd side")
        self.initial_sd = initial_sd
        margin = size // 2 if padding == "same" else 0
        kind: Any = padding_mode
        super().__init__(1, filters, size, padding=margin, padding_mode=kind, bias=False)

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        if self.initial_sd is None:
            super().reset_parameters()
        else:
            nn.init.normal_(self.weight, std=self.initial_sd)

    def forward(self, images: Tensor) -> Tensor:
        """Return the filtered images (n, F, h', w')."""
        if not self.training or images.device.type != "cpu":
            return super().forward(images)
        margin = self.kernel_size[0] // 2 if self.padding != (0, 0) else 0
        if margin:
            mode = "reflect" if self.padding_mode == "reflect" else "constant"
            images = F.pad(images, [margin] * 4, mode=mode)
        return correlate(images, self.weight)
