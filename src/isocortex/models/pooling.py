"""Poolings by name. All give a map of the same size: that of the windows that they pool.

Along an axis of n units, windows of k units start at -p and go on by s, so there are
``floor((n + 2p - k) / s) + 1`` of them; with `ceil_mode` a last window may reach over the edge.
"""

from __future__ import annotations

from math import comb
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = int | tuple[int, int]


class _Windows(nn.Module):
    """Sliding windows, alike in all poolings that torch does not have."""

    def __init__(
        self, size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.size, self.padding, self.ceil_mode = _pair(size), _pair(padding), ceil_mode
        self.stride = self.size if stride is None else _pair(stride)

    def extra_repr(self) -> str:
        """Say what the windows are."""
        text = f"size={self.size}, stride={self.stride}, padding={self.padding}"
        return f"{text}, ceil_mode={self.ceil_mode}"

    def spread(self, x: Tensor, reach: int) -> Tensor:
        """Repeat the edges of (n, c, h, w), so that windows `reach` units wider need no padding."""
        margins: list[int] = []
        for axis in (1, 0):  # the last axis of the map comes first
            n, k, s, p = (
                x.shape[axis - 2],
                self.size[axis],
                self.stride[axis],
                self.padding[axis],
            )
            count = (n + 2 * p - k) // s + 1
            if self.ceil_mode and count * s < n + p and (n + 2 * p - k) % s:
                count += 1
            end = (count - 1) * s + k - p  # where the last window ends
            margins += [p + reach, end - n + reach]
        return x if not any(margins) else F.pad(x, margins, mode="replicate")


class L2Pool(_Windows):
    """The root mean square of each window, ``sqrt(mean x^2)``, over the units inside the map."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool a map (n, c, h, w)."""
        power = F.avg_pool2d(
            x.square(), self.size, self.stride, self.padding, self.ceil_mode, False
        )
        # The root has no slope at 0; a window of zeros gets none.
        return power.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


class BlurPool(_Windows):
    """A binomial low-pass filter two units wider than the window, then one unit a window.

    A window of 2 is blurred by (1, 3, 3, 1) / 8 along each axis, and the edges are repeated. The
    filter lies symmetrically about its window, so that mirroring commutes with it as with average
    pooling. A linear pooling without most of the aliasing of subsampling (compare Zhang, 2019).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool a map (n, c, h, w)."""
        rows, columns = (
            torch.tensor([comb(k + 1, i) / 2 ** (k + 1) for i in range(k + 2)], dtype=x.dtype)
            for k in self.size
        )
        c = x.shape[1]
        weight = torch.outer(rows, columns).to(x.device).expand(c, 1, -1, -1)
        return F.conv2d(self.spread(x, 1), weight, stride=self.stride, groups=c)


class Subsample(_Windows):
    """One unit a window, that at its centre or left and above of it: ``[::2, ::2]`` for size 2."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool a map (n, c, h, w)."""
        wide = self.spread(x, 0)
        (ky, kx), (sy, sx) = self.size, self.stride
        top, left = (ky - 1) // 2, (kx - 1) // 2
        bottom, right = wide.shape[-2] - (ky - 1 - top), wide.shape[-1] - (kx - 1 - left)
        return wide[..., top:bottom:sy, left:right:sx]


class Pooling(Protocol):
    """Makes a pooling of windows."""

    def __call__(
        self, size: Size, stride: Size, padding: Size, ceil_mode: bool = False, /
    ) -> nn.Module:
        """Return the module."""


def _max(size: Size, stride: Size, padding: Size, ceil_mode: bool = False) -> nn.Module:
    return nn.MaxPool2d(size, stride, padding, ceil_mode=ceil_mode)


def _average(size: Size, stride: Size, padding: Size, ceil_mode: bool = False) -> nn.Module:
    return nn.AvgPool2d(size, stride, padding, ceil_mode, count_include_pad=False)


POOLINGS: dict[str, Pooling] = {
    "max": _max,
    "avg": _average,
    "l2": L2Pool,
    "blur": BlurPool,
    "subsample": Subsample,
}
"""Name -> (size, stride, padding, ceil_mode) -> module."""


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
