"""Gram matrices of features: made, centred, and centred without their diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.grams import ROUNDING, gram_of


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
    """Return the Gram of centred features, shape (..., n, n), in float64 (see `grams.gram_of`)."""
    centred = x - x.mean(dim=-2, keepdim=True)
    size = torch.linalg.vector_norm(x, dim=(-2, -1))
    varies = (
        torch.linalg.vector_norm(centred, dim=(-2, -1)) > ROUNDING * torch.finfo(x.dtype).eps * size
    )
    product = gram_of(centred)
    return torch.where(varies[..., None, None] | product.isnan(), product, 0.0)


def stacked_grams(grams: Array | Sequence[Array]) -> Tensor:
    """Copy one Gram or a sequence of them into a float64 tensor, shape (..., n, n).

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
    tensors = [to_torch(g) for g in parts]
    stacked = tensors[0].new_empty((len(parts), *tensors[0].shape), dtype=torch.float64)
    for i, tensor in enumerate(tensors):
        stacked[i] = tensor
    return stacked if isinstance(grams, list | tuple) else stacked[0]


def epsilon(grams: Array | Sequence[Array]) -> float:
    """Return the rounding unit of the precision of a Gram, or of the first of a sequence."""
    first = grams[0] if isinstance(grams, list | tuple) else grams
    return torch.finfo(to_torch(first).dtype).eps


def double_centred(k: Tensor) -> Tensor:
    """Centre rows and columns, ``H K H`` with ``H = I - 1 1^T / n``, shape (..., n, n)."""
    rows = k.mean(dim=-1, keepdim=True)
    return (k - rows).sub_(rows.mT).add_(rows.mean(dim=-2, keepdim=True))


def unit_grams(k: Tensor, eps: float, debiased: bool) -> Tensor:
    """Centre Grams in place and scale them to length 1, so that dot products are CKA.

    Biased: ``H K H`` with ``H = I - 1 1^T / n``. Debiased, without the diagonal (Szekely & Rizzo
    2014): off it ``K_ij - r_i / (n - 2) - r_j / (n - 2) + s / ((n - 1) (n - 2))``, with r the row
    sums and s the sum of K without its diagonal; 0 on it. Inner products of two such matrices are
    unbiased estimates of HSIC, up to the factor ``1 / (n (n - 3))``.

    Parameters
    ----------
    k : Tensor, shape (..., n, n)
        Symmetric, float64, contiguous; overwritten. With `debiased` n is 4 or more.
    eps : float
        Rounding unit of the precision that the Grams came in.
    debiased : bool
        Which of the two.

    Returns
    -------
    Tensor, shape (..., n * n)
        The memory of `k`. NaN throughout where only the rounding of the Gram is left.
    """
    n = k.shape[-1]
    size = torch.linalg.vector_norm(k, dim=(-2, -1))
    diagonal = k.diagonal(dim1=-2, dim2=-1)
    free = n - 2 if debiased else n
    if debiased:
        diagonal.zero_()
    rows = k.sum(dim=-1, keepdim=True) / free
    grand = rows.sum(dim=-2, keepdim=True) / (n - 1 if debiased else n)
    k.sub_(rows - grand).sub_(rows.mT)
    if debiased:
        diagonal.zero_()
    norm = torch.linalg.vector_norm(k, dim=(-2, -1))
    norm = torch.where(norm > ROUNDING * eps * size, norm, torch.nan)
    return k.div_(norm[..., None, None]).flatten(start_dim=-2)
