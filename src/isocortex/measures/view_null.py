"""What the mirror-symmetry index would be if views had no order: permutation of view labels."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson
from isocortex.measures.views import (
    Variant,
    check_odd,
    check_variant,
    correct_baseline,
    count_views,
    mirrored_entries,
)

_CHUNK_BYTES = 2**25
_MOST_ENUMERATED_VIEWS = 11


def view_permutation_null(
    rdm: Array,
    *,
    n_draws: int = 1000,
    variant: Variant = "exact",
    common: bool = False,
    exact: bool = False,
    seed: int = 0,
) -> Array:
    """Index under permuted view labels: its null distribution, without a loop over draws.

    Parameters
    ----------
    rdm : array, shape (..., n, n)
        RDMs over views, e.g. (exemplars, n, n).
    n_draws : int
        Random permutations.
    variant : {"exact", "no_diagonals", "corrected"}
        As in `mirror_symmetry_index`.
    common : bool
        False: labels are permuted separately for each RDM, so that what the exemplars share is
        broken, too. True: one permutation a draw for all RDMs; for few views that has few
        outcomes (15 for n = 5, so p >= 1/15).
    exact : bool
        With ``common=True``: enumerate all outcomes instead of drawing, the observed one first;
        use `statistics.permutation_p` with ``exact=True``.
    seed : int
        Seed of the draws.

    Returns
    -------
    array, shape (n_draws, ...)
        Index of every RDM in every draw; take the mean or median over exemplars next. RDMs that
        hold NaN give NaN in every draw.

    Raises
    ------
    UserError
        For ``exact`` without ``common`` or with more than 11 views, and as the index does.
    """
    check_variant(variant)
    n = count_views(rdm)
    entries = to_torch(rdm).double().flatten(start_dim=-2)
    lead = tuple(entries.shape[:-1])
    entries = entries.reshape(-1, n * n)
    n_rdms = 1 if common else len(entries)
    rng = np.random.default_rng(seed)
    if exact:
        if not common or n > _MOST_ENUMERATED_VIEWS:
            raise UserError(
                f"enumeration needs common=True and at most {_MOST_ENUMERATED_VIEWS} views; "
                "draw at random instead (exact=False)"
            )
        permutations = view_pairings(n)[:, None]
        n_draws = len(permutations)
    step = max(1, _CHUNK_BYTES // (8 * n * n * max(1, len(entries))))
    draws = []
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        if exact:
            chunk = permutations[start : start + size]
        else:
            chunk = torch.from_numpy(rng.random((size, n_rdms, n))).argsort(dim=-1)
        draws.append(_permuted_index(entries, chunk.to(entries.device), n, variant))
    return like(torch.cat(draws).reshape(n_draws, *lead), rdm)


def _permuted_index(entries: Tensor, permutations: Tensor, n: int, variant: Variant) -> Tensor:
    """Index of each RDM, entries (m, n * n), under permutations (draws, m or 1, n)."""
    left, right = mirrored_entries(n, variant != "no_diagonals", entries.device)
    values = entries.expand(len(permutations), *entries.shape)

    def permuted(positions: Tensor) -> Tensor:
        rows = permutations[..., positions // n]
        flat = rows * n + permutations[..., positions % n]
        return values.gather(-1, flat.expand(*values.shape[:2], -1))

    index = pearson(permuted(left), permuted(right))
    return correct_baseline(index, n) if variant == "corrected" else index


@functools.lru_cache
def view_pairings(n: int) -> Tensor:
    """All ways to choose a frontal view and pair up the others: the distinct permutations.

    The index depends on a permutation only through which view is in the middle and which views
    are paired, so there are ``n!!`` outcomes (15 for n = 5, 945 for n = 9).

    Returns
    -------
    Tensor, shape (n!!, n)
        Permutations; the first is the identity.
    """
    check_odd(n)

    def pair_up(views: list[int]) -> list[list[tuple[int, int]]]:
        if not views:
            return [[]]
        first, rest = views[0], views[1:]
        return [
            [(first, rest[i]), *others]
            for i in reversed(range(len(rest)))
            for others in pair_up(rest[:i] + rest[i + 1 :])
        ]

    rows = []
    for centre in sorted(range(n), key=lambda view: abs(view - n // 2)):
        for pairs in pair_up([view for view in range(n) if view != centre]):
            rows.append([p[0] for p in pairs] + [centre] + [p[1] for p in reversed(pairs)])
    return torch.tensor(rows)
