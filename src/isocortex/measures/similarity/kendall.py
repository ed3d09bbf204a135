"""Kendall's tau-a of many pairs of vectors, each entry counted as often as it was drawn."""

from __future__ import annotations

import torch
from torch import Tensor

_LANES = {"cpu": 1, "cuda": 2**13}
"""Rows that are counted side by side: each has a tree, and one tree fits a core's nearest cache."""


def tau_a(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """Kendall's ``(concordant - discordant) / all pairs``, exact, in ``O(m log m)``.

    Copies of an entry are pairs tied in a and in b: they count among all pairs alone.

    Parameters
    ----------
    a : Tensor, shape (..., m)
        Sorted once for all that it is compared with: leading axes broadcast and are not copied.
    b : Tensor, shape (..., m)
        Of floating point; or integers, 0 or more and not much more than m, taken as ranks.
    weights : Tensor, shape (..., m)
        How often each entry is there: whole numbers, 0 or more.

    Returns
    -------
    Tensor, shape (...)
        In [-1, 1], float64. NaN where a or b holds NaN, or all entries of one that are there are
        tied.
    """
    # Imported here: Warp takes a moment, and no other comparison needs it.
    import warp as wp

    from isocortex import warp_runtime
    from isocortex.measures.similarity import kendall_kernel

    keys = _dense(b) if b.dtype.is_floating_point else b
    ordered, order = a.double().sort(dim=-1)
    parts = (ordered, keys, weights)
    lead = torch.broadcast_shapes(*(x.shape[:-1] for x in parts))
    rows = torch.stack([_rows(x.shape[:-1], lead, a.device) for x in parts], dim=1)
    m = a.shape[-1]
    values, order, keys, counts = (
        x.reshape(-1, m).to(dtype)
        for x, dtype in (
            (ordered, torch.float64),
            (order, torch.int64),
            (keys, torch.int32),
            (weights, torch.int32),
        )
    )
    levels = int(keys.max()) + 1
    lanes = min(len(rows), _LANES[a.device.type])
    tree = torch.empty(lanes, levels + 1, dtype=torch.int64, device=a.device)
    out = torch.empty(len(rows), dtype=torch.float64, device=a.device)
    warp_runtime.start()
    with warp_runtime.stream_of_torch(a.device):
        wp.launch(
            kendall_kernel.tau,
            dim=lanes,
            inputs=[
                *(wp.from_torch(x.contiguous()) for x in (values, order, keys, counts, rows)),
                lanes,
                levels,
                wp.from_torch(tree),
            ],
            outputs=[wp.from_torch(out)],
            device=wp.device_from_torch(a.device),
        )
    undefined = a.isnan().any(dim=-1) | b.isnan().any(dim=-1)
    return torch.where(undefined, torch.nan, out.reshape(lead))


def _rows(own: torch.Size, lead: torch.Size, device: torch.device) -> Tensor:
    """Which row of a flattened tensor of leading shape `own` each broadcast row reads."""
    index = torch.arange(own.numel(), dtype=torch.int32, device=device)
    return index.reshape(own).expand(lead).reshape(-1)


def _dense(x: Tensor) -> Tensor:
    """Replace numbers by 0, 1, 2, ... in their order, equal ones alike."""
    ordered, order = x.sort(dim=-1)
    step = torch.zeros_like(order)
    step[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.zeros_like(order).scatter_(-1, order, step.cumsum(dim=-1))
