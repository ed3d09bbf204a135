"""The pixels of a square filter: checked input, coordinates, what counts as constant."""

from __future__ import annotations

import torch
from torch import Tensor

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError


def checked(filters: Array, smallest: int = 3) -> Tensor:
    """Return filters as float64, shape (n, s, s), on their own device.

    Raises
    ------
    UserError
        If they are not square, smaller than `smallest`, or not finite.
    """
    shape = tuple(filters.shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < smallest:
        raise UserError(
            f"filters must be (n, s, s) with s >= {smallest}, not {shape}; of a convolution take "
            "one input channel, weight[:, 0]"
        )
    tensor = to_torch(filters).double()
    bad = ~tensor.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise UserError(
            f"{int(bad.sum())} of {shape[0]} filters hold values that are not finite; "
            "leave them out"
        )
    return tensor


def coordinates(side: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Return x (column) and y (-row, up) of the pixels from the centre, each (side * side,)."""
    axis = torch.arange(side, dtype=torch.float64, device=device) - (side - 1) / 2
    return axis.repeat(side), -axis.repeat_interleave(side)


def varies(filters: Tensor, given: Array) -> Tensor:
    """Find filters, shape (n, ...), that are not constant to the precision they were given in."""
    flat = filters.flatten(1)
    precision = 8 * torch.finfo(to_torch(given[:0]).dtype).eps
    return (flat - flat.mean(dim=1, keepdim=True)).abs().amax(1) > precision * flat.abs().amax(1)
