"""Comparing recorded persons with shown heads where the two do not correspond (spec. 5.3, 9).

Without the photographs, person i is no particular head. What can be compared is how distances
depend on the design: between views of one person, and between persons, averaged over persons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson, unit_vectors


class DesignPooled(NamedTuple):
    """Mean distances by place in the design, pairs of views in row-major order.

    Attributes
    ----------
    same : array, shape (..., n (n - 1) / 2)
        Same person, views j < k: 10 values for five views.
    different : array, shape (..., n (n + 1) / 2)
        Different persons, views j <= k: 15 values for five views.
    """

    same: Array
    different: Array


def design_pooled_rdms(responses: Array) -> DesignPooled:
    """Average the RDM over persons x views within the places of the design.

    Distances are 1 - Pearson over neuroids.

    Parameters
    ----------
    responses : array, shape (..., persons, views, neuroids)
        As a rule z-scored per neuroid over persons and views; at least two persons.

    Returns
    -------
    DesignPooled
        Arrays of the kind that came in; NaN where a response vector is constant.

    Raises
    ------
    UserError
        If there are fewer than three axes or two persons.
    """
    if responses.ndim < 3 or responses.shape[-3] < 2:
        raise UserError(
            "responses must be (..., persons >= 2, views, neuroids), not of shape "
            f"{tuple(responses.shape)}"
        )
    u = unit_vectors(to_torch(responses))
    persons, views = u.shape[-3:-1]
    within = (u @ u.mT).sum(dim=-3)
    total = u.sum(dim=-3)
    same = 1 - within / persons
    different = 1 - (total @ total.mT - within) / (persons * (persons - 1))
    blocks = _upper(same, different, views)
    return DesignPooled(*(like(block, responses) for block in blocks))


def _upper(same: Tensor, different: Tensor, views: int) -> tuple[Tensor, Tensor]:
    j, k = torch.triu_indices(views, views, 1, device=same.device)
    p, q = torch.triu_indices(views, views, 0, device=same.device)
    return same[..., j, k], different[..., p, q]


def block_score(a: DesignPooled, b: DesignPooled) -> Array:
    """Mean over the two blocks of the correlation of their distances.

    Parameters
    ----------
    a, b : DesignPooled
        Of the same number of views; leading axes broadcast.

    Returns
    -------
    array, shape (...)
        In [-1, 1]; NaN where a block is constant.

    Raises
    ------
    UserError
        If the numbers of views differ.
    """
    if a.same.shape[-1] != b.same.shape[-1]:
        raise UserError(
            f"blocks of {a.same.shape[-1]} and {b.same.shape[-1]} pairs of views cannot be "
            "compared; take the same views on both sides"
        )
    r = [pearson(to_torch(x).double(), to_torch(y).double()) for x, y in zip(a, b, strict=True)]
    return like((r[0] + r[1]) / 2, a.same)


def block_table(pooled: DesignPooled) -> pd.DataFrame:
    """Tabulate the blocks: ``block`` (same, different), ``view``, ``other_view``, ``distance``."""
    parts = []
    for offset, (name, values) in zip((1, 0), pooled._asdict().items(), strict=True):
        count = len(values)
        views = round((np.sqrt(8 * count + 1) - 1) / 2) + offset
        j, k = np.triu_indices(views, offset)
        distance = to_torch(values).cpu().numpy()
        parts.append(
            pd.DataFrame({"block": name, "view": j, "other_view": k, "distance": distance})
        )
    return pd.concat(parts, ignore_index=True)


def bootstrap_scores(
    neural: Array,
    models: Mapping[str, Array],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of several layers when neurons and heads are drawn again.

    All layers share the draws, so that differences of columns are paired. Pairs of the same head
    drawn twice do not count as different persons.

    Parameters
    ----------
    neural : array, shape (persons, views, neurons)
        The recording, z-scored per neuron.
    models : mapping of str to array, shape (heads, views, units)
        Layers, z-scored per unit; all with the same heads.
    n_resamples : int
        Bootstrap samples.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame, shape (n_resamples, layers)
        One column a layer.

    Raises
    ------
    UserError
        If the layers differ in their number of heads, or as `block_score`.
    """
    heads = {responses.shape[0] for responses in models.values()}
    if len(heads) != 1:
        raise UserError(f"layers must be recorded to the same heads, not to {sorted(heads)}")
    rng = np.random.default_rng(seed)
    recorded = to_torch(neural).double()
    n_neurons, n_heads = recorded.shape[-1], heads.pop()
    grams = {name: _head_gram(to_torch(x).double()) for name, x in models.items()}
    scores: dict[str, list[np.ndarray]] = {name: [] for name in models}
    step = max(1, 2**25 // (8 * recorded.numel()))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = torch.from_numpy(rng.integers(0, n_neurons, (size, n_neurons)))
        brain = design_pooled_rdms(recorded[:, :, drawn].movedim(2, 0))
        counts = rng.multinomial(n_heads, np.full(n_heads, 1 / n_heads), size)
        weights = torch.from_numpy(counts).double()
        for name, gram in grams.items():
            scores[name].append(block_score(brain, _weighted(gram, weights)).numpy())
    return pd.DataFrame({name: np.concatenate(parts) for name, parts in scores.items()})


def _head_gram(x: Tensor) -> Tensor:
    """Correlations of all heads and views, shape (heads, heads, views, views)."""
    heads, views, _ = x.shape
    u = unit_vectors(x).flatten(0, 1).cpu()
    return (u @ u.T).reshape(heads, views, heads, views).transpose(1, 2)


def _weighted(gram: Tensor, weights: Tensor) -> DesignPooled:
    """Pool as `design_pooled_rdms` with a weight per head, weights (draws, heads)."""
    own = gram.diagonal(dim1=0, dim2=1).movedim(-1, 0)
    same = torch.einsum("bp,pjk->bjk", weights, own) / weights.sum(dim=1)[:, None, None]
    within = torch.einsum("bp,pjk->bjk", weights.square(), own)
    everything = torch.einsum("bp,bq,pqjk->bjk", weights, weights, gram)
    pairs = weights.sum(dim=1).square() - weights.square().sum(dim=1)
    different = (everything - within) / pairs[:, None, None]
    return DesignPooled(*_upper(1 - same, 1 - different, gram.shape[-1]))
