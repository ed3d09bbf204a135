"""Levenberg-Marquardt within bounds, for many small least-squares problems at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Model = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]
"""(parameters, targets) -> linear parameters, cost, gradient, Gauss-Newton Hessian."""


def minimise(
    model: Model,
    start: Tensor,
    targets: Tensor,
    limits: tuple[Tensor, Tensor],
    *,
    steps: int = 100,
    tolerance: float = 1e-9,
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimise every cost by damped Gauss-Newton steps, projected on the bounds.

    A parameter at a bound whose gradient points outwards is held for that step (projected Newton;
    Bertsekas 1982). The damping of Marquardt is a third after a step that lowers the cost, and
    four times as large after one that does not. Problems that have converged are set aside, so that
    a few slow ones do not cost the time of all.

    Parameters
    ----------
    model : callable
        See `Model`.
    start : Tensor, shape (n, k)
        Within the bounds.
    targets : Tensor, shape (n, p)
        What is fitted.
    limits : pair of Tensor, shape (k,)
        Least and largest values.
    steps : int
        At most.
    tolerance : float
        A problem has converged when a step lowers its cost by less than this share.

    Returns
    -------
    parameters : Tensor, shape (n, k)
    linear : Tensor, shape (n, ...)
        The linear parameters there.
    cost : Tensor, shape (n,)
    """
    low, high = limits
    p, d = start.clamp(low, high), targets
    linear, cost, g, h = model(p, d)
    final = (p.clone(), linear.clone(), cost.clone())
    rows = torch.arange(len(p), device=p.device)
    damping = torch.full_like(cost, 1e-2)
    eye = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    for _ in range(steps):
        if len(rows) == 0:
            break
        held = ((p <= low) & (g > 0)) | ((p >= high) & (g < 0))
        free = (~held).to(p.dtype)
        diagonal = h.diagonal(dim1=1, dim2=2)
        floor = 1e-9 * diagonal.amax(dim=1, keepdim=True) + torch.finfo(p.dtype).tiny
        extra = damping[:, None] * diagonal + floor
        damped = h * free[:, :, None] * free[:, None, :]
        damped = damped + eye * torch.where(held, 1.0, extra)[:, :, None]
        factor, _ = torch.linalg.cholesky_ex(damped)
        step = torch.cholesky_solve((g * free)[:, :, None], factor)[:, :, 0]
        tried = (p - step.nan_to_num(0.0, 0.0, 0.0)).clamp(low, high)
        new_linear, new_cost, new_g, new_h = model(tried, d)
        better = new_cost < cost
        small = (cost - new_cost) <= tolerance * cost
        done = (better & small) | (damping > 1e8)
        p = torch.where(better[:, None], tried, p)
        linear = torch.where(better[:, None], new_linear, linear)
        g = torch.where(better[:, None], new_g, g)
        h = torch.where(better[:, None, None], new_h, h)
        cost = torch.where(better, new_cost, cost)
        damping = torch.where(better, damping / 3, damping * 4)
        if done.any():
            for whole, part in zip(final, (p, linear, cost), strict=True):
                whole[rows] = part
            go = ~done
            p, d, linear, cost, g, h, damping, rows = (
                t[go] for t in (p, d, linear, cost, g, h, damping, rows)
            )
    for whole, part in zip(final, (p, linear, cost), strict=True):
        whole[rows] = part
    return final
