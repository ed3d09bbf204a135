"""Comparison of RDMs, batched, and weighted by how often a bootstrap drew each stimulus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
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
    start, end = _ties(ordered)
    shape = torch.broadcast_shapes(x.shape, weights.shape)
    w = weights.expand(shape).gather(-1, order.expand(shape))
    upto = w.cumsum(dim=-1)
    below = (upto - w).gather(-1, start.expand(shape))
    mean = (below + upto.gather(-1, end.expand(shape)) + 1) / 2
    ranked = torch.empty_like(mean).scatter_(-1, order.expand(shape), mean)
    return torch.where(x.isnan().any(dim=-1, keepdim=True), torch.nan, ranked)


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


def _tau_a(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Kendall's tau-a by a radix sort of b in the order of a, which counts what is out of order."""
    undefined = a.isnan().any(dim=-1) | b.isnan().any(dim=-1)
    lead = torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    dense_a, dense_b = (_dense(x).expand(*lead, -1) for x in (a, b))
    order = (dense_a * dense_a.shape[-1] + dense_b).argsort(dim=-1)
    shape = torch.broadcast_shapes(order.shape, weights.shape)
    w = weights.expand(shape).gather(-1, order.expand(shape))
    key_a, key_b = dense_a.gather(-1, order), dense_b.gather(-1, order)
    by_b = key_b.argsort(dim=-1, stable=True)
    drawn = w.sum(dim=-1)
    pairs = _pairs_alike(w, torch.zeros_like(key_a))
    alike_a = _pairs_alike(w, key_a)
    alike_b = _pairs_alike(w.gather(-1, by_b.expand(shape)), key_b.gather(-1, by_b))
    alike_both = _pairs_alike(w, key_a * key_a.shape[-1] + key_b)
    agreement = pairs - alike_a - alike_b + alike_both - 2 * _discordant(key_b, w)
    # Where weights are counts, copies of a distance are tied with each other in both RDMs.
    tau = agreement / (drawn * (drawn - 1) / 2)
    flat = (alike_a >= pairs) | (alike_b >= pairs)
    return torch.where(undefined | flat, torch.nan, tau).clamp(-1.0, 1.0)


def _dense(x: Tensor) -> Tensor:
    """Replace numbers by 0, 1, 2, ... in their order, equal ones alike."""
    ordered, order = x.sort(dim=-1)
    step = torch.zeros_like(order)
    step[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.zeros_like(order).scatter_(-1, order, step.cumsum(dim=-1))


def _pairs_alike(w: Tensor, key: Tensor) -> Tensor:
    """Weight of the pairs of different entries with one key; equal keys stand together."""
    start, _ = _ties(key)
    before = w.cumsum(dim=-1) - w
    return (w * (before - before.gather(-1, start.expand(w.shape)))).sum(dim=-1)


def _discordant(key: Tensor, w: Tensor) -> Tensor:
    """Weight of the pairs whose keys stand in the wrong order, digit by binary digit.

    From the highest digit down, the entries of each group with equal digits so far are parted
    into those with a 0 and those with a 1; every 1 that stood before a 0 is a pair out of order.
    """
    m = key.shape[-1]
    total = torch.zeros_like(w[..., 0])
    place = torch.arange(m, device=key.device).expand_as(key)
    start, end = torch.zeros_like(key), torch.full_like(key, m - 1)
    for level in reversed(range(int(key.max()).bit_length())):
        zero = 1 - ((key >> level) & 1)
        ones = (w * (1 - zero)).cumsum(dim=-1)
        first = start.expand(w.shape)
        # A group's first entry may be a 1 itself, which the sum before it does not hold.
        before = ones - (ones - w * (1 - zero)).gather(-1, first)
        total += (w * zero * before).sum(dim=-1)
        zeros = zero.cumsum(dim=-1)
        earlier = (zeros - zero).gather(-1, start)
        middle = start + zeros.gather(-1, end) - earlier
        position = zeros - zero - earlier
        position = torch.where(zero == 1, start + position, middle + place - start - position)
        start = torch.empty_like(key).scatter_(-1, position, torch.where(zero == 1, start, middle))
        end = torch.empty_like(key).scatter_(-1, position, torch.where(zero == 1, middle - 1, end))
        key = torch.empty_like(key).scatter_(-1, position, key)
        w = torch.empty_like(w).scatter_(-1, position.expand(w.shape), w)
    return total


METHODS: dict[str, Comparison] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "tau_a": _tau_a,
    "cosine": _cosine,
    "whitened_cosine": _whitened_cosine,
}
"""Ways to compare RDMs."""
