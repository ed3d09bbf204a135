"""Comparison of RDMs, batched, and weighted by how often a bootstrap drew each stimulus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.similarity.kendall import tau_a
from isocortex.measures.similarity.rdms import condensed, square

Comparison: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``compare(a, b, weights)`` of vectors (..., m) that broadcast; gives (...)."""


def compare_rdms(a: Array, b: Array, method: str = "pearson", *, vectors: bool = False) -> Array:
    """Similarity of two RDMs over the same stimuli, from the upper triangles.

    - ``"pearson"``, ``"spearman"``: correlation of the distances, of their ranks (ties share).
    - ``"tau_a"``: Kendall's ``(concordant - discordant) / all`` pairs of distances; where a model
      predicts ties it is to be preferred (Nili et al. 2014).
    - ``"cosine"``: ``a . b / (|a| |b|)``, for distances with a meaningful zero (crossnobis).
    - ``"whitened_cosine"``: ``a^T V^-1 b / sqrt(a^T V^-1 a  b^T V^-1 b)`` with V the covariance of
      distances under equal independent noise of the stimuli, for squared distances; computed as
      the cosine of the centred matrices ``-H D H / 2``, which is the same (Diedrichsen et al.
      2021).

    Parameters
    ----------
    a, b : array, shape (..., n, n); with ``vectors=True`` (..., n (n - 1) / 2)
        RDMs, symmetric with 0 on the diagonal; leading axes broadcast, so that
        ``compare_rdms(a[:, None], b[None])`` compares all with all.
    method : str
        One of the names above (`METHODS`).
    vectors : bool
        Whether `a` and `b` are upper triangles, row by row.

    Returns
    -------
    array, shape (...)
        In [-1, 1]. NaN where a side holds NaN, or does not vary (for the cosines: is 0).

    Raises
    ------
    UserError
        For an unknown method, RDMs that are not square or of different n, or fewer than three
        stimuli.
    """
    if method not in METHODS:
        raise unknown("RDM comparison", method, METHODS)
    u, v = (distances(x, vectors) for x in (a, b))
    if u.shape[-1] != v.shape[-1]:
        raise UserError(
            "the RDMs must be over the same stimuli, but hold "
            f"{u.shape[-1]} and {v.shape[-1]} distances"
        )
    return like(METHODS[method](u, v, u.new_ones(u.shape[-1])), a)


def distances(x: Array, vectors: bool) -> Tensor:
    """Return upper triangles in float64, shape (..., m), of at least three stimuli."""
    vector = (to_torch(x) if vectors else to_torch(condensed(x))).double()
    if vector.ndim == 0 or vector.shape[-1] < 3:
        raise UserError(f"RDMs of three or more stimuli can be compared, not {tuple(x.shape)}")
    return vector


def unit_distances(x: Tensor, weights: Tensor) -> Tensor:
    """Centre and scale, so that dot products are weighted Pearson r; NaN where constant."""
    total = weights.sum(dim=-1, keepdim=True)
    mean = (weights * x).sum(dim=-1, keepdim=True) / total
    centred = (x - mean) * weights.sqrt()
    norm = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    rounding = 8 * torch.finfo(x.dtype).eps * mean.abs() * total.sqrt()
    return centred / torch.where(norm > rounding, norm, torch.nan)


def unit_scaled(x: Tensor, weights: Tensor) -> Tensor:
    """Scale, so that dot products are weighted cosines; NaN where 0."""
    scaled = x * weights.sqrt()
    norm = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return scaled / torch.where(norm > 0, norm, torch.nan)


def unit_whitened(x: Tensor, weights: Tensor) -> Tensor:
    """Centred second moments of the RDMs, of length 1, shape (..., n * n).

    Weights must be equal: the covariance of distances is that of the whole set of stimuli.
    """
    d = square(x)
    rows = d.mean(dim=-1, keepdim=True)
    moments = (d - rows - rows.mT + rows.mean(dim=-2, keepdim=True)).flatten(start_dim=-2)
    norm = torch.linalg.vector_norm(moments, dim=-1, keepdim=True)
    return moments / torch.where(norm > 0, norm, torch.nan)


def ranks(x: Tensor, weights: Tensor) -> Tensor:
    """Mean ranks in a sample that holds each entry as many times as its weight says.

    Parameters
    ----------
    x, weights : Tensor, shapes (..., m) that broadcast
        The order is found once for all weights that share the same x.

    Returns
    -------
    Tensor, broadcast shape (..., m)
        Ties share the mean of their ranks; NaN throughout where x holds NaN.
    """
    ordered, order = x.sort(dim=-1)
    shape = torch.broadcast_shapes(x.shape, weights.shape)
    order = order.expand(shape)
    w = weights.expand(shape).gather(-1, order)
    upto = w.cumsum(dim=-1)
    mean = (upto - w).add_(upto)
    if bool((ordered[..., 1:] == ordered[..., :-1]).any()):
        start, end = (position.expand(shape) for position in _ties(ordered))
        mean = (upto - w).gather(-1, start).add_(upto.gather(-1, end))
    mean = mean.add_(1.0).div_(2.0)
    ranked = torch.empty_like(mean).scatter_(-1, order, mean)
    return ranked.masked_fill_(x.isnan().any(dim=-1, keepdim=True), torch.nan)


def _ties(ordered: Tensor) -> tuple[Tensor, Tensor]:
    """Return the positions where the run of equal entries that each belongs to starts and ends."""
    m = ordered.shape[-1]
    position = torch.arange(m, device=ordered.device)
    changes = ordered[..., 1:] != ordered[..., :-1]
    edge = torch.ones_like(changes[..., :1])
    first, last = torch.cat([edge, changes], dim=-1), torch.cat([changes, edge], dim=-1)
    start = torch.where(first, position, 0).cummax(dim=-1).values
    end = torch.where(last, position, m - 1).flip(-1).cummin(dim=-1).values.flip(-1)
    return start, end


def _pearson(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return _dot(unit_distances(a, weights), unit_distances(b, weights))


def _spearman(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return _pearson(ranks(a, weights), ranks(b, weights), weights)


def _cosine(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return _dot(unit_scaled(a, weights), unit_scaled(b, weights))


def _whitened_cosine(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    return _dot(unit_whitened(a, weights), unit_whitened(b, weights))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=-1).clamp(-1.0, 1.0)


METHODS: dict[str, Comparison] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "tau_a": tau_a,
    "cosine": _cosine,
    "whitened_cosine": _whitened_cosine,
}
"""Ways to compare RDMs."""
