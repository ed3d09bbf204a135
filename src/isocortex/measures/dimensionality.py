"""How many dimensions responses fill: the participation ratio."""

from __future__ import annotations

import torch

from isocortex.arrays import Array, like, to_torch
from isocortex.measures.grams import double_centred, epsilon, stacked_grams
from isocortex.measures.grams import gram as gram_of


def participation_ratio(x: Array, *, gram: bool = False) -> Array:
    """Effective number of dimensions of responses: ``(sum l)^2 / sum l^2``.

    The l are the eigenvalues of the covariance of the neuroids over presentations; by way of the
    centred Gram G it is ``trace(G)^2 / |G|_F^2``, without any eigenvalue (Gao et al. 2017;
    Elmoznino & Bonner 2024).

    Parameters
    ----------
    x : array, shape (..., n, p); with ``gram=True`` (..., n, n)
        Responses (presentation, neuroid), or their Gram.
    gram : bool
        Whether `x` is a Gram, centred or not.

    Returns
    -------
    array, shape (...)
        Between 1 (all variance along one line) and ``min(n - 1, p)`` (the same along all); it is
        biased down by few presentations. NaN where no neuroid varies.

    Raises
    ------
    UserError
        If there are fewer than two axes, no neuroids, or a Gram is not square.
    """
    k = stacked_grams(x) if gram else to_torch(gram_of(x)).double()
    centred = double_centred(k)
    square = centred.square().sum(dim=(-2, -1))
    floor = (64 * epsilon(x) * torch.linalg.vector_norm(k, dim=(-2, -1))).square()
    trace = centred.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return like(trace.square() / torch.where(square > floor, square, torch.nan), x)
