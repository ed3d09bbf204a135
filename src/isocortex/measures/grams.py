"""Gram matrices of features: made, centred, and centred without their diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError

_ROUNDING = 64.0
"""Centred norms below this many eps times the uncentred norm are rounding of a constant."""


def gram(x: Array) -> Array:
    """Gram matrix of features about their mean: ``(X - mean) (X - mean)^T``.

    Centring first keeps digits that a large common response would take; similarity, ridge with
    intercept and dimensionality do not depend on it.

    Parameters
    ----------
    x : array, shape (..., n, p)
        Responses (presentation, neuroid).

    Returns
    -------
    array, shape (..., n, n)
        In squared units of the responses. Exactly 0 where no neuroid varies beyond rounding; NaN
        where the responses hold NaN.

    Raises
    ------
    UserError
        If there are fewer than two axes, or no neuroids.
    """
    if x.ndim < 2 or x.shape[-1] == 0:
        raise UserError(
            f"features must be (..., presentations, neuroids) with neuroids, not {tuple(x.shape)}"
        )
    return like(feature_gram(to_torch(x)), x)


def feature_gram(x: Tensor) -> Tensor:
    """Return the Gram of centred features, shape (..., n, n), in the precision of `x`."""
    centred = x - x.mean(dim=-2, keepdim=True)
    size = torch.linalg.vector_norm(x, dim=(-2, -1))
    varies = (
        torch.linalg.vector_norm(centred, dim=(-2, -1))
        > _ROUNDING * torch.finfo(x.dtype).eps * size
    )
    product = centred @ centred.mT
    return torch.where(varies[..., None, None] | product.isnan(), product, 0.0)


def stacked_grams(grams: Array | Sequence[Array]) -> Tensor:
    """Return one Gram or a sequence of them as a float64 tensor, shape (..., n, n).

    Raises
    ------
    UserError
        If a matrix is not square, or they differ in size.
    """
    parts: list[Array] = list(grams) if isinstance(grams, list | tuple) else [grams]
    shapes = {tuple(g.shape) for g in parts}
    if len(shapes) != 1 or any(len(s) < 2 or s[-1] != s[-2] for s in shapes):
        raise UserError(
            "Grams must be square and all of one size (presentations, presentations), not "
            f"{', '.join(map(str, sorted(shapes)))}; a feature matrix goes through gram(x) first"
        )
    tensors = [to_torch(g).double() for g in parts]
    return torch.stack(tensors) if isinstance(grams, list | tuple) else tensors[0]


def epsilon(grams: Array | Sequence[Array]) -> float:
    """Return the rounding unit of the precision of a Gram, or of the first of a sequence."""
    first = grams[0] if isinstance(grams, list | tuple) else grams
    return torch.finfo(to_torch(first).dtype).eps


def double_centred(k: Tensor) -> Tensor:
    """Centre rows and columns, ``H K H`` with ``H = I - 1 1^T / n``, shape (..., n, n)."""
    rows = k.mean(dim=-1, keepdim=True)
    return k - rows - rows.mT + rows.mean(dim=-2, keepdim=True)


def u_centred(k: Tensor) -> Tensor:
    """Centre without the diagonal (Szekely & Rizzo 2014), shape (..., n, n), n >= 4.

    Off the diagonal ``K_ij - r_i / (n - 2) - r_j / (n - 2) + s / ((n - 1) (n - 2))``, with r the
    row sums and s the sum of K without its diagonal; 0 on the diagonal. Inner products of two
    such matrices are unbiased estimates of HSIC, up to the factor ``1 / (n (n - 3))``.
    """
    n = k.shape[-1]
    hollow = k - torch.diag_embed(k.diagonal(dim1=-2, dim2=-1))
    rows = hollow.sum(dim=-1, keepdim=True)
    total = rows.sum(dim=-2, keepdim=True)
    centred = hollow - (rows + rows.mT) / (n - 2) + total / ((n - 1) * (n - 2))
    centred.diagonal(dim1=-2, dim2=-1).zero_()
    return centred


def unit_grams(k: Tensor, eps: float, debiased: bool) -> Tensor:
    """Centre Grams and scale them to length 1, flat: shape (..., n * n), so that dots are CKA.

    NaN throughout where the centred Gram is nothing but the rounding of the Gram.
    """
    centred = (u_centred if debiased else double_centred)(k).flatten(start_dim=-2)
    norm = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    floor = _ROUNDING * eps * torch.linalg.vector_norm(k, dim=(-2, -1))[..., None]
    return centred / torch.where(norm > floor, norm, torch.nan)
