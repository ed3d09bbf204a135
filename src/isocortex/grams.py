"""Gram matrices summed over blocks of units: the one place where ``X X^T`` is made.

A Gram of n presentations has n^2 numbers whatever the number of units, and a sum over units can be
taken block by block. Products are made in the precision that is asked for, blocks are summed in
float64, and only the half below the diagonal is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from isocortex.errors import UserError, unknown

Scaling: TypeAlias = Literal["none", "centre", "zscore", "correlation"]
"""What is done to features before their products are taken, see `summed`."""

SCALINGS: tuple[str, ...] = get_args(Scaling)
"""The names of scalings."""

ROUNDING = 64.0
"""Norms below this many eps times the norm before centring are rounding of a constant."""

BLOCK_BYTES = 2**26
"""Bytes of a block of units where nobody says otherwise."""

Read: TypeAlias = Callable[[int, int], Tensor]
"""Gives the responses of the units from one number to another, (n, stop - start)."""


@dataclass(frozen=True)
class Gram:
    """A Gram and what became of the units.

    Attributes
    ----------
    values : Tensor, shape (n, n)
        float64, exactly symmetric.
    n_units : int
        Units that were read.
    n_constant : int
        Units without variance over the presentations; ``zscore`` leaves them out, and to the other
        scalings they add what they hold.
    """

    values: Tensor
    n_units: int
    n_constant: int


def summed(
    read: Read,
    n: int,
    n_units: int,
    *,
    scaling: str = "none",
    double: bool = False,
    byte_budget: int = BLOCK_BYTES,
) -> Gram:
    """Sum a Gram over blocks of units that are read one by one.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` gives floating-point (n, stop - start) on any device.
    n, n_units : int
        Presentations and units.
    scaling : {"none", "centre", "zscore", "correlation"}
        ``none``: ``X X^T``. ``centre``: each unit less its mean over presentations. ``zscore``:
        that over the unit's standard deviation (ddof 0); units without variance are left out.
        ``correlation``: each presentation less its mean over units, over its norm, so that the
        Gram holds Pearson's r between presentations, and one minus it is their RDM; NaN for
        presentations in which all units answer alike. It reads the units twice.
    double : bool
        Whether products are made in float64 too, and not in the precision of the features.
    byte_budget : int
        Most bytes of a block of units, its scaled copy included; a block has one unit at least.

    Returns
    -------
    Gram
        On the device of the features.

    Raises
    ------
    UserError
        For an unknown scaling, or no units.
    """
    if scaling not in SCALINGS:
        raise unknown("scaling of features", str(scaling), SCALINGS)
    if n_units < 1:
        raise UserError("a Gram needs at least one unit; the features have none")
    step = block_units(n, scaling=scaling, double=double, byte_budget=byte_budget)
    blocks = [(a, min(a + step, n_units)) for a in range(0, n_units, step)]

    def block_of(start: int, stop: int) -> Tensor:
        x = read(start, stop)
        return x.double() if double else x

    row_mean: Tensor | None = None
    size: Tensor | None = None
    if scaling == "correlation":
        sums = [block_of(a, b).sum(dim=-1, dtype=torch.float64) for a, b in blocks]
        row_mean = torch.stack(sums).sum(dim=0) / n_units
    total: Tensor | None = None
    constant = torch.zeros(())
    eps = 0.0
    for a, b in blocks:
        x = block_of(a, b)
        flat = constant_columns(x)
        constant = constant.to(x.device) + flat.sum()
        eps = max(eps, torch.finfo(x.dtype).eps)
        if scaling == "correlation":
            assert row_mean is not None
            squares = x.double().square().sum(dim=-1)
            size = squares if size is None else size + squares
            x = x - row_mean[:, None].to(x.dtype)
        elif scaling in ("centre", "zscore"):
            x = _by_unit(x, flat, scaling)
        if total is None:
            total = torch.zeros((n, n), dtype=torch.float64, device=x.device)
        add_with_itself(total, x)
        del x  # before the next block is read: the budget is for one
    assert total is not None
    if scaling == "correlation":
        assert size is not None
        _to_correlations(total, size, eps)
    return Gram(mirror(total), n_units, int(constant))


def gram_of(x: Tensor, *, double: bool = False, byte_budget: int = BLOCK_BYTES) -> Tensor:
    """Return ``x @ x.mT`` in float64, summed over blocks of units in the precision of `x`.

    Parameters
    ----------
    x : Tensor, shape (..., n, p)
        Features.
    double : bool
        Whether the products are made in float64 too.
    byte_budget : int
        Most bytes of a block.
    """
    n, p = x.shape[-2:]
    total = x.new_zeros((*x.shape[:-1], n), dtype=torch.float64)
    step = max(1, byte_budget // max(1, x.element_size() * x[..., :1].numel()))
    for start in range(0, p, step):
        block = x[..., start : start + step]
        add_with_itself(total, block.double() if double else block)
    return mirror(total)


def block_units(n: int, *, scaling: str, double: bool, byte_budget: int) -> int:
    """Return how many units of n presentations a block may have within a budget of bytes."""
    one = n * (8 if double else 4)
    # As read, in double precision, and less its mean may lie side by side.
    copies = 1 + (scaling != "none") + double
    return max(1, byte_budget // (one * copies))


def add_with_itself(total: Tensor, x: Tensor) -> None:
    """Add the part below the diagonal of ``x @ x.mT`` to `total`, five eighths of the work."""
    for a, b in _strips(x.shape[-2]):
        total[..., a:, a:b] += x[..., a:, :] @ x[..., a:b, :].mT


def mirror(total: Tensor) -> Tensor:
    """Copy what is below the diagonal to above it, in place."""
    for a, b in _strips(total.shape[-1]):
        square = total[..., a:b, a:b]
        square.copy_(square.tril() + square.tril(-1).mT)
        total[..., a:b, b:] = total[..., b:, a:b].mT
    return total


def constant_columns(x: Tensor) -> Tensor:
    """Tell which columns are constant to working precision, shape (columns,)."""
    mean = x.mean(dim=0)
    rounding = 8 * torch.finfo(x.dtype).eps * mean.abs()
    low, high = torch.aminmax(x, dim=0)
    return torch.maximum(high - mean, mean - low) <= rounding


def _strips(n: int) -> list[tuple[int, int]]:
    step = max(64, -(-n // 4))
    return [(a, min(a + step, n)) for a in range(0, n, step)]


def _by_unit(x: Tensor, flat: Tensor, scaling: str) -> Tensor:
    """Centre each unit, scale it where asked for, and put constant ones to exactly 0."""
    x = x - x.mean(dim=0)
    if scaling == "zscore":
        sd = torch.linalg.vector_norm(x, dim=0) / len(x) ** 0.5
        return x.mul_(torch.where(flat, 0.0, 1 / torch.where(flat, 1.0, sd)))
    return x.mul_(~flat)


def _to_correlations(total: Tensor, size: Tensor, eps: float) -> None:
    """Divide products of centred presentations by their norms, in place."""
    squares = total.diagonal().clone()
    floor = (ROUNDING * eps) ** 2 * size
    length = torch.where(squares > floor, squares, torch.nan).sqrt()
    total.div_(length).div_(length[:, None]).clamp_(-1.0, 1.0)
    total.diagonal().masked_fill_(~length.isnan(), 1.0)
