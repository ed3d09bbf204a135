"""How activity spreads through a lateral kernel from one unit, step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.lateral.kernels import displacements

_CHUNK_BYTES = 2**27


def propagate(
    kernel: Array, *, steps: int = 3, starts: Array | None = None, unit_sum: bool = True
) -> Array:
    """Spread an impulse of one unit through the kernel: ``u <- N[(u + K * u) / 2]``.

    K * u is the cross-correlation ``sum_gD K[f, g, D] u_g(p + D)`` that the lateral layer computes;
    from an impulse of f0 at the origin it gives its efferent view, ``K[f, f0, -p]`` at p. N scales
    to unit sum. The map is as large as activity can get, ``2 steps c + 1`` with c = (side - 1) / 2,
    so nothing is lost at a border; all steps are taken in the Fourier domain, where each wave
    vector is a product of small matrices and the sum is the wave vector 0.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        Displacements D = source - target; not negative, as a rule.
    steps : int
        T.
    starts : array of int, shape (m,), optional
        Units to start from; all if not given.
    unit_sum : bool
        Whether activity is scaled to unit sum after each step (N); False for the plain layer.

    Returns
    -------
    array, shape (m, n, size, size)
        Activity after the last step, the origin in the centre, rows going down. NaN for starts
        whose activity sums to 0 or less at some step.

    Raises
    ------
    UserError
        For a kernel of another shape or with NaN, no steps, or units that there are not.
    """
    k = to_torch(kernel)
    if k.ndim != 4 or k.shape[0] != k.shape[1] or k.shape[2] != k.shape[3]:
        raise UserError(f"a lateral kernel is (n, n, side, side), not {tuple(k.shape)}")
    displacements(k.shape[-1])
    if steps < 1:
        raise UserError(f"{steps} steps spread nothing; take 1 or more")
    if not bool(torch.isfinite(k).all()):
        raise UserError("the kernel holds NaN or infinity; leave those units out")
    n, side = len(k), k.shape[-1]
    first = torch.arange(n) if starts is None else torch.as_tensor(starts).long()
    if first.ndim != 1 or bool(((first < 0) | (first >= n)).any()):
        raise UserError(f"starts must be numbers of units, 0 to {n - 1}")
    c = (side - 1) // 2
    size = 2 * steps * c + 1
    padded = torch.zeros(n, n, size, size, dtype=k.dtype, device=k.device)
    padded[..., :side, :side] = k
    spectrum = torch.fft.rfft2(padded.roll((-c, -c), (-2, -1))).conj()
    operator = spectrum.permute(2, 3, 0, 1).flatten(end_dim=1)  # (waves, f, g)
    batch = max(1, _CHUNK_BYTES // (16 * len(operator) * n))
    maps = [
        _spread(operator, part.to(k.device), steps, size, unit_sum) for part in first.split(batch)
    ]
    empty = k.new_zeros(0, n, size, size)
    return like(torch.cat(maps) if maps else empty, kernel)


def _spread(operator: Tensor, starts: Tensor, steps: int, size: int, unit_sum: bool) -> Tensor:
    n, m = operator.shape[-1], len(starts)
    u = torch.zeros(len(operator), n, m, dtype=operator.dtype, device=operator.device)
    u[:, starts, torch.arange(m, device=starts.device)] = 1
    for _ in range(steps):
        u = (u + operator @ u) / 2
        if unit_sum:
            total = u[0].sum(dim=0).real
            u = u / torch.where(total > 0, total, torch.nan)
    waves = u.permute(2, 1, 0).reshape(m, n, size, size // 2 + 1)
    return torch.fft.fftshift(torch.fft.irfft2(waves, s=(size, size)), dim=(-2, -1))
