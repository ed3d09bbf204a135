"""Variance partitioning: what two or three feature spaces explain alone and together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.encoding.banded import banded_ridge_cv
from isocortex.measures.encoding.folds import Folds
from isocortex.measures.encoding.problem import prepare
from isocortex.measures.encoding.resampling import combined_interval
from isocortex.measures.encoding.result import Encoding
from isocortex.measures.encoding.ridge import ridge_cv
from isocortex.statistics import Interval


@dataclass(frozen=True)
class Partition:
    """Explained variance in the parts of a Venn diagram.

    Attributes
    ----------
    parts : dict of str to Interval
        Mean R2 over neuroids of each part, by the names of the spaces that share it joined by
        ``" & "``: ``"a"`` is unique to a, ``"a & b"`` is shared by a and b and no other.
    values : dict of str to numpy.ndarray, shape (t,)
        The parts neuroid by neuroid; NaN for constant targets.
    models : dict of str to Encoding
        The fitted unions of spaces, by names joined by ``" + "``.
    """

    parts: dict[str, Interval]
    values: dict[str, np.ndarray]
    models: dict[str, Encoding]


def _joint_ridge(spaces: Mapping[str, Array], targets: Array, **options: Any) -> Encoding:
    """One ridge over all spaces, with one penalty: the Gram of the union is the sum of Grams."""
    return ridge_cv(sum(spaces.values()), targets, **options)


METHODS: dict[str, Callable[..., Encoding]] = {"ridge": _joint_ridge, "banded": banded_ridge_cv}
"""Ways to fit a union of spaces given as Grams, by name."""


def variance_partition(
    spaces: Mapping[str, Array],
    targets: Array,
    *,
    folds: Folds = 5,
    method: str = "ridge",
    gram: bool = False,
    groups: Array | None = None,
    over: str = "neuroids",
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Partition:
    """Divide held-out R2 into what feature spaces explain uniquely and what they share.

    Every union of spaces is fitted in the same folds; ``R2(union)`` is the sum of all parts that
    belong to at least one of its spaces, which is solved for the parts. For two spaces:
    ``unique(a) = R2(a + b) - R2(b)`` and ``shared = R2(a) + R2(b) - R2(a + b)``.

    Parameters
    ----------
    spaces : mapping of str to array, shape (n, p) or, with `gram`, (n, n)
        Two or three feature spaces, or their Grams, by name.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds : int or sequence of (train, test)
        Random folds, or row numbers.
    method : {"ridge", "banded"}
        One penalty for a union, whose spaces are first scaled to equal total variance over all
        presentations, or one penalty per space (`banded_ridge_cv`).
    gram : bool
        Whether `spaces` holds Grams.
    groups : array, shape (n,), optional
        Presentations of one group stay together.
    over, n_resamples, level
        Bootstrap of the intervals, as `score_interval`.
    seed : int
        Seed of folds and bootstrap.
    **options
        Further arguments of `ridge_cv` or `banded_ridge_cv`, e.g. ``alphas``.

    Returns
    -------
    Partition
        Parts add up to the R2 of the union of all. A part may be negative: by noise, and where a
        space that explains nothing costs the union something.

    Raises
    ------
    UserError
        For fewer than two or more than three spaces, unknown names, spaces without variance.
    """
    if not 2 <= len(spaces) <= 3:
        raise UserError(f"variance partitioning takes 2 or 3 feature spaces, not {len(spaces)}")
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    names = tuple(spaces)
    grams = {n: _scaled_gram(n, spaces[n], targets, gram) for n in names}
    fold_list = prepare(grams[names[0]], targets, folds, gram=True, groups=groups, seed=seed).folds
    unions = [u for size in range(1, len(names) + 1) for u in combinations(names, size)]
    models = {
        " + ".join(union): METHODS[method](
            {n: grams[n] for n in union},
            targets,
            folds=fold_list,
            gram=True,
            groups=groups,
            score="r2",
            seed=seed,
            **options,
        )
        for union in unions
    }
    # Row: a union; column: a part, by the spaces that share it; 1 where they meet.
    member = np.array([[float(bool(set(u) & set(part))) for part in unions] for u in unions])
    weights = np.linalg.inv(member)
    scores = np.stack([to_torch(m.scores).double().cpu().numpy() for m in models.values()])
    parts = {
        " & ".join(part): combined_interval(
            list(models.values()),
            row.tolist(),
            targets,
            over=over,
            how="mean",
            n_resamples=n_resamples,
            level=level,
            seed=seed,
        )
        for part, row in zip(unions, weights, strict=True)
    }
    values = {" & ".join(part): row @ scores for part, row in zip(unions, weights, strict=True)}
    return Partition(parts, values, models)


def _scaled_gram(name: str, space: Array, targets: Array, gram: bool) -> torch.Tensor:
    """Gram about the mean with unit mean diagonal."""
    problem = prepare(space, targets, 2, gram=gram)
    x = problem.x if problem.gram else problem.x @ problem.x.T
    mean = x.mean(dim=0)
    x = x - mean - mean[:, None] + mean.mean()
    size = x.diagonal().mean()
    if not bool(size > 0):
        raise UserError(f"feature space {name!r} has no variance; leave it out")
    return x / size
