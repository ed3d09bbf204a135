"""Images as large as they were shown, in the field that a network is taken to see."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError

GREY = 128 / 255
"""Around images that are smaller than the field."""


def in_field(images: Tensor, degrees: float, field: float, *, grey: float = GREY) -> Tensor:
    """Paste images into the middle of a square field, or cut the field out of their middle.

    Parameters
    ----------
    images : Tensor, shape (n, c, h, w)
        In [0, 1].
    degrees : float
        Visual angle of the image width.
    field : float
        Visual angle of the field's side. Its side in pixels is ``round(field / degrees * w)``, so
        that no image is scaled.
    grey : float
        Value of the field where no image is.

    Returns
    -------
    Tensor, shape (n, c, side, side)
        With an odd difference the image lies half a pixel to the upper left.

    Raises
    ------
    UserError
        If an angle is not above 0, or the field has no pixel.
    """
    if not degrees > 0 or not field > 0:
        raise UserError(f"images of {degrees} degrees in a field of {field}: both must be above 0")
    height, width = images.shape[-2:]
    side = round(field / degrees * width)
    if side < 1:
        raise UserError(f"a field of {field} degrees has no pixel of images of {degrees} degrees")
    left, top = (side - width) // 2, (side - height) // 2
    pads = (left, side - width - left, top, side - height - top)
    return F.pad(images, pads, value=grey)
