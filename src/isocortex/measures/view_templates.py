"""How much of an RDM over views is view tuning, mirror tuning, or neither."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.views import check_odd, count_views, view_pairs

TEMPLATES = ("view", "mirror", "identity")
"""Ideal codes of `template_fit`, in the order of its weights."""


@dataclass(frozen=True)
class TemplateFit:
    """Non-negative weights of the ideal codes, in the order of `TEMPLATES`.

    Attributes
    ----------
    weights : array, shape (..., 3)
        Mean distance that each code contributes.
    shares : array, shape (..., 3)
        Weights over their sum; NaN where all are 0.
    r_squared : array, shape (...)
        Variance of the distances explained; NaN where the distances are constant.
    """

    weights: Array
    shares: Array
    r_squared: Array


def ideal_templates(n: int) -> Tensor:
    """Distances of three ideal codes over the pairs j < k of n evenly spaced views.

    ``view``: difference of yaw, ``|j - k|``; ``mirror``: difference of absolute yaw,
    ``||j - c| - |k - c||`` with c the frontal view; ``identity``: every view its own pattern, all
    distances equal (the identity matrix as similarity). Each is scaled to mean 1.

    Returns
    -------
    Tensor, shape (3, n (n - 1) / 2)
        float64, pairs in row-major order.

    Raises
    ------
    UserError
        If n is even, or below 5, where the three are not independent.
    """
    check_odd(n)
    if n < 5:
        raise UserError(f"{n} views cannot tell three codes apart; the fit needs at least 5")
    j, k = torch.triu_indices(n, n, 1)
    c = n // 2
    rows = [(j - k).abs(), ((j - c).abs() - (k - c).abs()).abs(), torch.ones_like(j)]
    templates = torch.stack(rows).double()
    return templates / templates.mean(dim=1, keepdim=True)


def template_fit(rdm: Array) -> TemplateFit:
    """Explain an RDM as a non-negative mixture of ideal codes (`ideal_templates`).

    ``min || d - T' w ||`` over ``w >= 0`` for the distances d of the pairs j < k: solved exactly
    by trying all seven sets of non-zero weights.

    Parameters
    ----------
    rdm : array, shape (..., n, n)
        RDMs over n >= 5 evenly spaced views, n odd.

    Returns
    -------
    TemplateFit
        All NaN for an RDM that holds NaN.
    """
    n = count_views(rdm)
    templates = ideal_templates(n)
    d = to_torch(rdm).double().flatten(start_dim=-2)
    d = d[..., view_pairs(n)[0].to(d.device)]
    templates = templates.to(d.device)
    best = torch.zeros(*d.shape[:-1], len(templates), dtype=d.dtype, device=d.device)
    least = d.square().sum(dim=-1)
    for size in range(1, len(templates) + 1):
        for support in map(list, itertools.combinations(range(len(templates)), size)):
            basis = templates[support]
            weights = d @ torch.linalg.pinv(basis)
            error = (d - weights @ basis).square().sum(dim=-1)
            better = (weights >= 0).all(dim=-1) & (error < least)
            least = torch.where(better, error, least)
            full = torch.zeros_like(best)
            full[..., support] = weights
            best = torch.where(better.unsqueeze(-1), full, best)
    total = (d - d.mean(dim=-1, keepdim=True)).square().sum(dim=-1)
    floor = d.shape[-1] * (8 * torch.finfo(d.dtype).eps * d.mean(dim=-1)) ** 2
    best = torch.where(d.isnan().any(dim=-1, keepdim=True), torch.nan, best)
    weight_sum = best.sum(dim=-1, keepdim=True)
    shares = best / torch.where(weight_sum > 0, weight_sum, torch.nan)
    r_squared = 1 - least / torch.where(total > floor, total, torch.nan)
    return TemplateFit(like(best, rdm), like(shares, rdm), like(r_squared, rdm))
