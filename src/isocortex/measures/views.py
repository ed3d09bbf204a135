"""Geometry of views in order of yaw: which entries of an RDM mirror each other."""

from __future__ import annotations

import functools
from typing import Literal

import torch
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError, unknown

Variant = Literal["exact", "no_diagonals", "corrected"]
"""Which entries the index compares, and whether it is corrected for its baseline."""

VARIANTS = ("exact", "no_diagonals", "corrected")


def check_variant(variant: str) -> None:
    """Refuse a variant of the index that there is not."""
    if variant not in VARIANTS:
        raise unknown("variant of the index", variant, VARIANTS)


@functools.lru_cache
def mirrored_entries(n: int, diagonals: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return flat positions of the entries of D that the index compares, and of their partners."""
    rows, columns = torch.meshgrid(
        torch.arange(n, device=device), torch.arange(n, device=device), indexing="ij"
    )
    keep = columns != n // 2
    if not diagonals:
        keep &= (columns != rows) & (columns != n - 1 - rows)
    j, k = rows[keep], columns[keep]
    return j * n + k, j * n + n - 1 - k


def count_views(rdm: Array) -> int:
    """Return n of RDMs (..., n, n); a UserError if they are not square or n is even or below 3."""
    if rdm.ndim < 2 or rdm.shape[-1] != rdm.shape[-2]:
        raise UserError(f"an RDM must be square, (..., n, n), not of shape {tuple(rdm.shape)}")
    check_odd(rdm.shape[-1])
    return int(rdm.shape[-1])


def check_odd(n: int) -> None:
    """Refuse a number of views that has no middle."""
    if n < 3 or n % 2 == 0:
        raise UserError(
            f"{n} views: the index needs an odd number of views, at least 3, with the frontal one "
            "in the middle"
        )


def same_views(*rdms: Array) -> int:
    """Return the number of views that all RDMs share.

    Raises
    ------
    UserError
        If they differ: the baseline of the index depends on the number of views, so that indices
        of 5 and of 9 views cannot be pooled or compared.
    """
    counts = sorted({count_views(rdm) for rdm in rdms})
    if len(counts) != 1:
        named = ", ".join(f"n = {n}: {equidistant_baseline(n):.3f}" for n in counts)
        raise UserError(
            f"indices of different numbers of views cannot be mixed (baselines {named}); "
            "take the same views of all objects"
        )
    return counts[0]


def equidistant_baseline(n: int) -> float:
    """Return the index of n equidistant views, ``-1 / (n - 1)``: what no tuning gives, not 0.

    Raises
    ------
    UserError
        If n is even or below 3.
    """
    check_odd(n)
    return -1.0 / (n - 1)


def correct_baseline(index: Tensor, n: int) -> Tensor:
    """Rescale the exact index so that equidistant views give 0 and perfect symmetry 1."""
    return (index - equidistant_baseline(n)) / (1 - equidistant_baseline(n))


def view_pairs(n: int) -> tuple[Tensor, Tensor]:
    """Return flat positions of the pairs j < k, and which of them are mirror pairs."""
    j, k = torch.triu_indices(n, n, 1)
    return j * n + k, j + k == n - 1
