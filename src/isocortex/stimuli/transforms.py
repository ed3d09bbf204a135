"""Image symmetries with true inverses, on images and on feature maps alike.

A transformation acts on the last two axes, (..., h, w), of a numpy array or a torch tensor and
gives back the same kind. It only moves values: ``inverse(forward(x))`` is `x` bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError, unknown


@dataclass(frozen=True)
class Transform:
    """A symmetry of the pixel grid together with its inverse.

    Parameters
    ----------
    name : str
        Its name in `TRANSFORMS`.
    forward, inverse : callable
        (..., h, w) -> (..., h, w), or (..., w, h) for quarter turns of oblong maps; numpy gives
        numpy and torch gives torch.
    """

    name: str
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]

    def __call__(self, x: Array) -> Array:
        """Apply the transformation to the last two axes of `x`."""
        return self.forward(x)


def get(name: str) -> Transform:
    """Return the transformation called `name`.

    Raises
    ------
    UserError
        If there is none of this name; the nearest names are listed.
    """
    if name not in TRANSFORMS:
        raise unknown("image transformation", name, TRANSFORMS)
    return TRANSFORMS[name]


def _flip(axis: int) -> Callable[[Array], Array]:
    def flip(x: Array) -> Array:
        _check(x)
        if isinstance(x, Tensor):
            return torch.flip(x, (axis,))
        return np.ascontiguousarray(np.flip(x, axis))

    return flip


def _turn(quarters: int) -> Callable[[Array], Array]:
    def turn(x: Array) -> Array:
        _check(x)
        if isinstance(x, Tensor):
            return torch.rot90(x, quarters, (-2, -1)).contiguous()
        return np.ascontiguousarray(np.rot90(x, quarters, (-2, -1)))

    return turn


def _check(x: Array) -> None:
    if not isinstance(x, np.ndarray | Tensor):
        raise UserError(
            f"an image transformation takes a numpy array or a torch tensor, not {type(x).__name__}"
        )
    if x.ndim < 2:
        raise UserError(
            f"an image transformation needs axes (..., h, w), but the shape is {tuple(x.shape)}"
        )


TRANSFORMS: dict[str, Transform] = {
    t.name: t
    for t in (
        Transform("hflip", _flip(-1), _flip(-1)),
        Transform("vflip", _flip(-2), _flip(-2)),
        Transform("rot90", _turn(1), _turn(-1)),
        Transform("rot180", _turn(2), _turn(-2)),
        Transform("rot270", _turn(3), _turn(-3)),
    )
}
"""Left-right flip, up-down flip, and anticlockwise turns by 90, 180 and 270 degrees."""
