"""Pictures in ever smaller copies, end to end in one array, to look colours up in at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from isocortex.errors import UserError

ByteArray = npt.NDArray[np.uint8]

LEVELS = 9
_LARGEST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Atlas:
    """Pictures (k of them) and their halvings.

    Parameters
    ----------
    pixels : uint8 array (pixels, 3)
        sRGB, row by row, level by level, picture by picture.
    offset, height, width : int32 arrays (k, LEVELS)
        Where each level begins and how large it is; levels below one pixel repeat the last.
    """

    pixels: ByteArray
    offset: npt.NDArray[np.int32]
    height: npt.NDArray[np.int32]
    width: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offset)


def make_atlas(pictures: Sequence[ByteArray]) -> Atlas:
    """Halve pictures by averaging 2 x 2 pixels, until one is left or `LEVELS` are there.

    Parameters
    ----------
    pictures : sequence of uint8 arrays (h, w, 3)

    Raises
    ------
    UserError
        If a picture is no such array, or all together are too large for one array.
    """
    parts: list[ByteArray] = []
    offset, height, width = (np.zeros((len(pictures), LEVELS), dtype=np.int32) for _ in range(3))
    begin = 0
    for k, picture in enumerate(pictures):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise UserError(
                f"picture {k} is {picture.dtype} of shape {picture.shape}; give uint8 (h, w, 3)"
            )
        level: npt.NDArray[np.float32] = picture.astype(np.float32)
        for depth in range(LEVELS):
            if depth and max(level.shape[:2]) == 1:
                offset[k, depth] = offset[k, depth - 1]
                height[k, depth], width[k, depth] = 1, 1
                continue
            if depth:
                level = _halved(level)
            h, w = level.shape[:2]
            offset[k, depth], height[k, depth], width[k, depth] = begin, h, w
            parts.append(np.rint(level).astype(np.uint8).reshape(-1, 3))
            begin += h * w
            if begin > _LARGEST:
                raise UserError(
                    f"backgrounds hold more than {_LARGEST} pixels; give fewer or smaller pictures"
                )
    pixels = np.concatenate(parts) if parts else np.zeros((1, 3), dtype=np.uint8)
    return Atlas(pixels, offset, height, width)


def _halved(level: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    planes = torch.from_numpy(level).permute(2, 0, 1)[None]
    h, w = level.shape[:2]
    pool = (min(2, h), min(2, w))
    half = torch.nn.functional.avg_pool2d(planes, pool, stride=pool, ceil_mode=False)
    return half[0].permute(1, 2, 0).contiguous().numpy()
