"""Differences of angles and orientations, in degrees."""

from __future__ import annotations

import torch
from torch import Tensor


def wrap_degrees(difference: Tensor, period: float = 180.0) -> Tensor:
    """Bring a difference of angles into ``(-period/2, period/2]``.

    Parameters
    ----------
    difference : Tensor, any shape
        In degrees.
    period : float
        180 for orientations, 360 for directions.

    Returns
    -------
    Tensor, same shape
        The representative of smallest magnitude; half a period stays positive.
    """
    half = period / 2
    return half - torch.remainder(half - difference, period)
