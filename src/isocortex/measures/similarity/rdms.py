"""Representational dissimilarity matrices, and the vector of their upper triangle."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.grams import stacked_grams
from isocortex.measures.viewpoint import view_rdm


def rdm(
    x: Array,
    metric: str = "correlation",
    *,
    gram: bool = False,
    precision: Array | None = None,
) -> Array:
    """Dissimilarity of every presentation to every other.

    With ``x_i`` the p responses to presentation i:

    - ``"correlation"``: ``1 - Pearson r`` over neuroids, in [0, 2].
    - ``"cosine"``: ``1 - x_i . x_j / (|x_i| |x_j|)``, in [0, 2].
    - ``"euclidean"``: ``|x_i - x_j|``, in units of the responses.
    - ``"squared_euclidean"``: ``|x_i - x_j|^2 / p``, mean over neuroids, in squared units.
    - ``"crossnobis"``: the mean over pairs of different repetitions r and s of
      ``(x_i^r - x_j^r)^T P (x_i^s - x_j^s) / p``; unbiased, 0 on average for equal patterns, so
      negative at times (Walther et al. 2016).

    Parameters
    ----------
    x : array, shape (..., n, p); for crossnobis (..., repetitions, n, p)
        Responses (presentation, neuroid). With ``gram=True`` the Gram (..., n, n): of the
        responses centred over neuroids for the correlation, plain for the cosine, of
        responses divided by ``sqrt(p)`` for the mean squared distance.
    metric : str
        One of the names above (`METRICS`).
    gram : bool
        Whether `x` is a Gram; not for crossnobis.
    precision : array, shape (p, p), optional
        For crossnobis the inverse covariance P of the noise (`noise_precision`); the identity if
        not given.

    Returns
    -------
    array, shape (..., n, n)
        Symmetric, 0 on the diagonal. NaN in the rows and columns of presentations that hold NaN
        and, for the correlation and the cosine, of those that are constant or 0.

    Raises
    ------
    UserError
        For an unknown metric, too few axes or repetitions, no neuroids, or a precision whose
        shape or use does not fit.
    """
    if metric not in METRICS:
        raise unknown("RDM metric", metric, METRICS)
    if precision is not None and metric != "crossnobis":
        raise UserError(f"a noise precision is for metric='crossnobis', not {metric!r}")
    if gram:
        if metric == "crossnobis":
            raise UserError("crossnobis needs the repetitions; give responses, not a Gram")
        return like(FROM_GRAM[metric](stacked_grams(x), 1), x)
    axes = 3 if metric == "crossnobis" else 2
    if x.ndim < axes or x.shape[-1] == 0:
        shape = "repetitions, presentations, neuroids" if axes == 3 else "presentations, neuroids"
        raise UserError(
            f"responses for metric={metric!r} must be (..., {shape}) with neuroids, not "
            f"{tuple(x.shape)}"
        )
    if metric == "correlation":
        return view_rdm(x)
    t = to_torch(x).double()  # near presentations are differences of large numbers
    if metric == "crossnobis":
        return like(_crossnobis(t, precision), x)
    if metric != "cosine":
        t = t - t.nanmean(dim=-2, keepdim=True)
    return like(FROM_GRAM[metric](t @ t.mT, t.shape[-1]), x)


def _cosine(k: Tensor, p: int) -> Tensor:
    norm = k.diagonal(dim1=-2, dim2=-1).sqrt()
    norm = torch.where(norm > 0, norm, torch.nan)
    return _hollow((1.0 - k / norm[..., None] / norm[..., None, :]).clamp(0.0, 2.0))


def _squared_euclidean(k: Tensor, p: int) -> Tensor:
    return _hollow(_squared(k).clamp_min(0.0) / p)


def _euclidean(k: Tensor, p: int) -> Tensor:
    return _hollow(_squared(k).clamp_min(0.0)).sqrt()


def _squared(k: Tensor) -> Tensor:
    size = k.diagonal(dim1=-2, dim2=-1)
    return size[..., None] + size[..., None, :] - (k + k.mT)


def _hollow(d: Tensor) -> Tensor:
    """Set the diagonal to 0 where it is a number."""
    d.diagonal(dim1=-2, dim2=-1).mul_(0.0)
    return d


def _crossnobis(x: Tensor, precision: Array | None) -> Tensor:
    """Sum over pairs of different repetitions as the whole less the pairs with themselves."""
    repetitions, _, p = x.shape[-3:]
    if repetitions < 2:
        raise UserError(f"crossnobis needs two or more repetitions, not {repetitions}")
    x = x - x.nanmean(dim=(-3, -2), keepdim=True)
    weighted = x
    if precision is not None:
        if tuple(precision.shape) != (p, p):
            raise UserError(
                f"the noise precision must be ({p}, {p}) for {p} neuroids, not "
                f"{tuple(precision.shape)}"
            )
        weighted = x @ to_torch(precision).to(x)
    whole = weighted.sum(dim=-3) @ x.sum(dim=-3).mT
    k = whole - (weighted @ x.mT).sum(dim=-3)
    return _hollow(_squared(k) / (repetitions * (repetitions - 1) * p))


FROM_GRAM: dict[str, Callable[[Tensor, int], Tensor]] = {
    "correlation": _cosine,
    "cosine": _cosine,
    "euclidean": _euclidean,
    "squared_euclidean": _squared_euclidean,
}
"""Metrics that a Gram is enough for: functions of it and of the number of neuroids."""

METRICS = (*FROM_GRAM, "crossnobis")


def noise_precision(x: Array) -> Array:
    """Inverse covariance of the noise of neuroids, shrunk so that it exists.

    The residuals about the mean over repetitions have covariance ``S = R^T R / dof``; Ledoit & Wolf
    (2004) shrink it to ``mean(diag S) I`` by the share that minimises the expected squared error.

    Parameters
    ----------
    x : array, shape (repetitions, n, p)
        Responses, at least two repetitions.

    Returns
    -------
    array, shape (p, p)
        For `rdm`. NaN where the responses hold NaN or do not differ between repetitions.

    Raises
    ------
    UserError
        If there are other than three axes, or fewer than two repetitions.
    """
    if x.ndim != 3 or x.shape[0] < 2 or x.shape[-1] == 0:
        raise UserError(
            "the noise needs responses (repetitions >= 2, presentations, neuroids), not "
            f"{tuple(x.shape)}"
        )
    t = to_torch(x).double()
    residuals = (t - t.mean(dim=0)).flatten(end_dim=1)
    count, p = residuals.shape
    s = residuals.T @ residuals / count
    scale = s.diagonal().mean()
    target = scale * torch.eye(p, dtype=s.dtype, device=s.device)
    distance = (s - target).square().sum()
    spread = (residuals.square().sum(dim=1).square().mean() - s.square().sum()) / count
    share = torch.where(distance > 0, spread.clamp_max(distance) / distance, 1.0)
    covariance = ((1 - share) * s + share * target) * (count / (count - t.shape[1]))
    if not bool(scale > 0) or not bool(covariance.isfinite().all()):
        return like(torch.full_like(s, torch.nan), x)
    return like(torch.linalg.inv(covariance), x)


def condensed(rdms: Array) -> Array:
    """Upper triangle of RDMs, row by row: (..., n, n) to (..., n (n - 1) / 2).

    Raises
    ------
    UserError
        If the last two axes differ.
    """
    if rdms.ndim < 2 or rdms.shape[-1] != rdms.shape[-2]:
        raise UserError(f"an RDM must be square, (..., n, n), not {tuple(rdms.shape)}")
    n = rdms.shape[-1]
    t = to_torch(rdms)
    j, k = torch.triu_indices(n, n, 1, device=t.device)
    return like(t[..., j, k], rdms)


def square(vector: Array) -> Array:
    """RDMs from their upper triangles: (..., n (n - 1) / 2) to (..., n, n), 0 on the diagonal.

    Raises
    ------
    UserError
        If the length is not n (n - 1) / 2 for any n.
    """
    length = vector.shape[-1] if vector.ndim else 0
    n = round((1 + (1 + 8 * length) ** 0.5) / 2)
    if n * (n - 1) // 2 != length or length == 0:
        raise UserError(
            f"{length} distances are not the upper triangle of an RDM, n (n - 1) / 2 = 1, 3, 6, ..."
        )
    t = to_torch(vector)
    j, k = torch.triu_indices(n, n, 1, device=t.device)
    out = t.new_zeros((*t.shape[:-1], n, n))
    out[..., j, k] = t
    out[..., k, j] = t
    return like(out, vector)
