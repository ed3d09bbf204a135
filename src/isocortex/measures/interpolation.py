"""Cubic convolution on a regular grid, as weights: sampling is then one product of matrices."""

from __future__ import annotations

import torch
from torch import Tensor


def _keys(distance: Tensor) -> Tensor:
    """Weight of a sample at this distance (Keys 1981, a = -1/2)."""
    d = distance.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def cubic_weights(position: Tensor, n: int) -> Tensor:
    """Weights of `n` equally spaced samples in the value at a position between them.

    Cubic convolution (Keys 1981, IEEE Trans. ASSP 29:1153; a = -1/2): exact for polynomials up to
    degree 2 inside, error O(h^3). Beyond its ends the grid goes on with its outermost samples.

    Parameters
    ----------
    position : Tensor, shape (...)
        In units of the spacing, 0 at the first sample; between 0 and n - 1.
    n : int
        Number of samples.

    Returns
    -------
    Tensor, shape (..., n)
        At most four differ from 0 (three at the ends); they sum to 1.
    """
    index = torch.arange(-2, n + 2, dtype=position.dtype, device=position.device)
    extended = _keys(position[..., None] - index)
    weights = extended[..., 2:-2].clone()
    weights[..., 0] += extended[..., :2].sum(dim=-1)
    weights[..., -1] += extended[..., -2:].sum(dim=-1)
    return weights
