"""Pearson correlation that says NaN where it is undefined, batched, in torch."""

from __future__ import annotations

import torch
from torch import Tensor


def unit_vectors(x: Tensor) -> Tensor:
    """Centre the last axis and scale it to length 1, so that dot products are Pearson r.

    Parameters
    ----------
    x : Tensor, shape (..., p)
        Floating point.

    Returns
    -------
    Tensor, shape (..., p)
        NaN throughout where the vector is constant to working precision (its norm after
        centring is at most ``8 eps |mean| sqrt(p)``) or holds NaN.
    """
    mean = x.mean(dim=-1, keepdim=True)
    centred = x - mean
    return centred.div_(defined_norm(centred, mean))


def defined_norm(centred: Tensor, mean: Tensor) -> Tensor:
    """Length of centred vectors, shape (..., 1); NaN where only rounding of the mean is left."""
    norm = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    rounding = 8 * torch.finfo(centred.dtype).eps * mean.abs() * centred.shape[-1] ** 0.5
    return torch.where(norm > rounding, norm, torch.nan)


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson r along the last axis; NaN where either side is constant.

    Parameters
    ----------
    a, b : Tensor, shapes (..., p) that broadcast
        Floating point, same device.

    Returns
    -------
    Tensor, shape (...)
        In [-1, 1]; all NaN for p = 0.
    """
    if a.shape[-1] == 0:
        return a.new_full(torch.broadcast_shapes(a.shape[:-1], b.shape[:-1]), torch.nan)
    return (unit_vectors(a) * unit_vectors(b)).sum(dim=-1).clamp(-1.0, 1.0)
