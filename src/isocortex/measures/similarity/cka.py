"""Linear centred kernel alignment and Procrustes distance, from features or from Grams."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.grams import (
    double_centred,
    epsilon,
    feature_gram,
    stacked_grams,
    unit_grams,
)

_CHUNK_BYTES = 2**27


def linear_cka(x: Array, y: Array, *, debiased: bool = True, gram: bool = False) -> Array:
    """Linear centred kernel alignment of two sets of responses to the same presentations.

    ``CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))`` with ``K = X X^T`` and ``L = Y Y^T``. Biased:
    ``HSIC = <H K H, H L H>``, in [0, 1] (Kornblith et al. 2019). Debiased: the inner product of
    the matrices centred without their diagonals, in [-1, 1], about 0 for independent noise
    whatever the number of neuroids (Song et al. 2012; Nguyen et al. 2021; Murphy et al. 2024).

    Parameters
    ----------
    x, y : array, shapes (..., n, p) and (..., n, q); with ``gram=True`` (..., n, n)
        Responses (presentation, neuroid), or Grams of them; leading axes broadcast. A Gram must
        hold the plain inner products, centred or not.
    debiased : bool
        Whether the diagonal is left out; then n must be 4 or more.
    gram : bool
        Whether `x` and `y` are Grams.

    Returns
    -------
    array, shape (...)
        1 for Y = a X R with R a rotation. NaN where a side does not vary over the presentations,
        or holds NaN.

    Raises
    ------
    UserError
        If the numbers of presentations differ or are too few, or Grams are not square.
    """
    k, l_, eps = _two_grams(x, y, gram)
    check_presentations(k.shape[-1], l_.shape[-1], debiased)
    a, b = unit_grams(k, eps, debiased), unit_grams(l_, eps, debiased)
    return like((a * b).sum(dim=-1).clamp(-1.0, 1.0), x)


def cka_matrix(
    grams_a: Array | Sequence[Array],
    grams_b: Array | Sequence[Array] | None = None,
    *,
    debiased: bool = True,
) -> Array:
    """Linear CKA of every layer of one network with every layer of another, at once.

    Each Gram is centred and scaled once; all pairs are then one matrix product.

    Parameters
    ----------
    grams_a, grams_b : array, shapes (layers, n, n), or sequences of arrays (n, n)
        Grams over the same n presentations; `grams_b` is `grams_a` where it is not given. In
        memory they take 8 bytes an entry, twice.
    debiased : bool
        As in `linear_cka`.

    Returns
    -------
    array, shape (layers of a, layers of b)
        NaN in the rows and columns of layers that do not vary.

    Raises
    ------
    UserError
        As `linear_cka`, or if the Grams of a network have other than three axes.
    """
    template = grams_a[0] if isinstance(grams_a, list | tuple) else grams_a
    other = grams_a if grams_b is None else grams_b
    k = stacked_grams(grams_a)
    l_ = k if grams_b is None else stacked_grams(other)
    if k.ndim != 3 or l_.ndim != 3:
        raise UserError(
            "cka_matrix takes the Grams of all layers of a network, (layers, n, n), not "
            f"{tuple(k.shape)} and {tuple(l_.shape)}"
        )
    check_presentations(k.shape[-1], l_.shape[-1], debiased)
    a = unit_grams(k, epsilon(grams_a), debiased)
    b = a if grams_b is None else unit_grams(l_, epsilon(other), debiased)
    return like((a @ b.mT).clamp_(-1.0, 1.0), template)


def procrustes(x: Array, y: Array, *, gram: bool = False) -> Array:
    """Squared Procrustes distance: how far apart two centred, scaled sets are after rotation.

    ``d^2 = min over rotations Q of |X - Y Q|_F^2 = 2 - 2 |X^T Y|_*`` with both sides centred and
    of Frobenius norm 1, and ``|.|_*`` the sum of singular values. ``sqrt(d^2)`` and
    ``arccos(1 - d^2 / 2)`` are metrics (Williams et al. 2021; Ding et al. 2021).

    Parameters
    ----------
    x, y : array, shapes (..., n, p) and (..., n, q); with ``gram=True`` (..., n, n)
        Responses (presentation, neuroid) or their Grams; leading axes broadcast, so that
        ``procrustes(a[:, None], b[None], gram=True)`` compares all layers. The smaller set is
        taken as padded with silent neuroids.
    gram : bool
        Whether `x` and `y` are Grams.

    Returns
    -------
    array, shape (...)
        In [0, 2]; 0 for Y = a X Q. NaN where a side does not vary over the presentations.

    Raises
    ------
    UserError
        If the numbers of presentations differ, or Grams are not square.
    """
    k, l_, eps = _two_grams(x, y, gram)
    check_presentations(k.shape[-1], l_.shape[-1], False)
    roots = [_unit_root(g, eps) for g in (k, l_)]
    lead = torch.broadcast_shapes(*(r.shape[:-2] for r in roots))
    n = k.shape[-1]
    a, b = (r.expand(*lead, n, n).reshape(-1, n, n) for r in roots)
    step = max(1, _CHUNK_BYTES // (16 * n * n))
    overlap = [
        torch.linalg.svdvals((a[i : i + step] @ b[i : i + step]).nan_to_num()).sum(dim=-1)
        for i in range(0, len(a), step)
    ]
    distance = (2 - 2 * torch.cat(overlap)).clamp(0.0, 2.0)
    undefined = a.isnan().any(dim=-1).any(dim=-1) | b.isnan().any(dim=-1).any(dim=-1)
    return like(torch.where(undefined, torch.nan, distance).reshape(lead), x)


def _unit_root(k: Tensor, eps: float) -> Tensor:
    """Symmetric root of a centred Gram of trace 1; the nuclear norm of X^T Y is that of roots."""
    centred = double_centred(k)
    trace = centred.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    floor = 64 * eps * torch.linalg.vector_norm(k, dim=(-2, -1))
    defined = trace > floor
    values, vectors = torch.linalg.eigh(torch.where(defined[..., None, None], centred, 0.0))
    root = (vectors * values.clamp_min(0.0).sqrt()[..., None, :]) @ vectors.mT
    return root / torch.where(defined, trace, torch.nan).sqrt()[..., None, None]


def _two_grams(x: Array, y: Array, gram: bool) -> tuple[Tensor, Tensor, float]:
    eps = max(epsilon(x), epsilon(y))
    if gram:
        return stacked_grams(x), stacked_grams(y), eps
    for side in (x, y):
        if side.ndim < 2 or side.shape[-1] == 0:
            raise UserError(
                "responses must be (..., presentations, neuroids) with neuroids, not "
                f"{tuple(side.shape)}"
            )
    return feature_gram(to_torch(x)).double(), feature_gram(to_torch(y)).double(), eps


def check_presentations(n: int, other: int, debiased: bool) -> None:
    """Refuse sides of different numbers of presentations, or of too few."""
    least = 4 if debiased else 2
    if other != n:
        raise UserError(
            f"both sides must hold responses to the same presentations, not {n} and {other}"
        )
    if n < least:
        raise UserError(
            f"{'debiased CKA' if debiased else 'a comparison'} needs at least {least} "
            f"presentations, not {n}"
        )
