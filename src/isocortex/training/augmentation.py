"""Images that are moved and mirrored at random each time they are shown."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.training.batches import BatchSource, as_source


def augmented(
    images: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    *,
    shift: int = 3,
    flips: bool = True,
) -> BatchSource:
    """Return a source of images that are shifted and mirrored anew in every epoch.

    Parameters
    ----------
    images : Tensor or numpy.ndarray
        (n, c, h, w).
    labels : Tensor or numpy.ndarray
        (n,) integers from 0.
    shift : int
        Largest shift in pixels, down, up, left and right alike; what comes in over the border is
        the image reflected at it.
    flips : bool
        Whether half of the images are mirrored left to right.

    Returns
    -------
    BatchSource
        Its random numbers are torch's, which a training seeds at each step.

    Raises
    ------
    UserError
        If images and labels do not fit, or the shift is not smaller than the image.
    """
    plain = as_source(images, labels)
    height, width = images.shape[-2:]
    if not 0 <= shift < min(height, width):
        raise UserError(f"a shift of {shift} px does not fit images of {height} x {width} px")

    def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        pictures, targets = plain.draw(rows)
        n = len(rows)
        if shift:
            padded = F.pad(pictures, [shift] * 4, mode="reflect")
            down, right = torch.randint(0, 2 * shift + 1, (2, n, 1, 1))
            y = down + torch.arange(height)[:, None]
            x = right + torch.arange(width)
            of = torch.arange(n)[:, None, None]
            pictures = padded.movedim(1, -1)[of, y, x].movedim(-1, 1)
        if flips:
            mirrored = torch.rand(n, 1, 1, 1) < 0.5
            pictures = torch.where(mirrored.to(pictures.device), pictures.flip(-1), pictures)
        return pictures, targets

    return BatchSource(plain.n, draw, plain.largest_label)
