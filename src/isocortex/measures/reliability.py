"""Split-half reliability, over repetitions of the stimuli or over neuroids.

A measurement is split at random into halves, something is computed from each half, and the two
results are correlated; Spearman-Brown extrapolates from a half to the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.correlation import pearson, unit_vectors
from isocortex.statistics import Interval, bootstrap_interval

_CHUNK_BYTES = 2**25

OVER = ("repetitions", "neuroids")


def spearman_brown(r: Array, factor: float = 2.0) -> Array:
    """Reliability of a measurement that is `factor` times as long: ``f r / (1 + (f - 1) r)``.

    Parameters
    ----------
    r : array or float, any shape
        Correlation of two parts of equal length.
    factor : float
        Length wanted over length of a part; 2 for halves.

    Returns
    -------
    array or float
        As `r`. NaN where ``1 + (f - 1) r <= 0``, that is, for halves, at r = -1.

    Raises
    ------
    UserError
        If `factor` is not positive.
    """
    if not factor > 0:
        raise UserError(f"Spearman-Brown factor {factor} must be above 0; use 2 for halves")
    if isinstance(r, float | int):
        return float(spearman_brown(np.array([r], dtype=float), factor)[0])
    x = to_torch(r)
    below = 1 + (factor - 1) * x
    return like(factor * x / torch.where(below > 0, below, torch.nan), r)


@dataclass(frozen=True)
class Reliability:
    """Split-half reliability, corrected for length by Spearman-Brown.

    Attributes
    ----------
    values : array, shape (...)
        Spearman-Brown of the mean correlation over splits: one value per neuroid (splits over
        repetitions) or per set of presentations (splits over neuroids).
    splits : array, shape (n_splits, ...)
        Correlation of the halves in each split, not corrected.
    low, high : array, shape (...)
        Quantiles of the corrected splits: how much the choice of halves matters. They say nothing
        about other neuroids or presentations; for these see `interval`.
    level : float
        Share of the splits between `low` and `high`.
    """

    values: Array
    splits: Array
    low: Array
    high: Array
    level: float

    def interval(
        self,
        statistic: Callable[..., np.ndarray] = np.median,
        *,
        method: Literal["percentile", "bca"] = "bca",
        n_resamples: int = 2000,
        seed: int = 0,
    ) -> Interval:
        """Bootstrap a summary over the entries of `values` (neuroids, persons).

        Undefined entries are left out and counted in ``n_dropped``.
        """
        return bootstrap_interval(
            self.values.reshape(-1),
            statistic,
            method=method,
            n_resamples=n_resamples,
            level=self.level,
            seed=seed,
            nan="drop",
        )


def split_half(
    responses: Array,
    over: Literal["repetitions", "neuroids"] = "repetitions",
    *,
    n_splits: int = 100,
    level: float = 0.95,
    seed: int = 0,
) -> Reliability:
    """Split-half reliability with Spearman-Brown.

    Over repetitions: the repetitions of each presentation are divided at random, each half is
    averaged, and the halves are correlated over presentations, for each neuroid by itself. Over
    neuroids: the neuroids are divided at random, each half gives an RDM over presentations
    (1 - Pearson), and the distances of the two RDMs are correlated.

    Parameters
    ----------
    responses : array
        Over repetitions: (repetitions, presentations, neuroids), NaN where a repetition was not
        shown; presentations with fewer than two repetitions are left out, neuroid by neuroid.
        Over neuroids: (..., presentations, neuroids), as a rule z-scored per neuroid; each
        leading index (an object, a person) has its own RDM, all share the splits.
    over : {"repetitions", "neuroids"}
        What is divided. Of an odd number of neuroids one half gets one more; of odd repetitions,
        too.
    n_splits : int
        Random splits.
    level : float
        Share of the splits between the bounds.
    seed : int
        Seed of the splits.

    Returns
    -------
    Reliability
        ``values`` of shape (neuroids,) or (...). NaN where a correlation is undefined in every
        split (fewer than three presentations, constant halves); the mean is over the defined ones.

    Raises
    ------
    UserError
        For an unknown `over`, too few axes, or fewer than two repetitions or four neuroids.
    """
    if over not in OVER:
        raise unknown("way to split", over, OVER)
    if n_splits < 1 or not 0 < level < 1:
        raise UserError(f"need n_splits >= 1 and 0 < level < 1, not {n_splits} and {level}")
    rng = np.random.default_rng(seed)
    split = _over_repetitions if over == "repetitions" else _over_neuroids
    splits = split(responses, n_splits, rng)
    values = spearman_brown(splits.nanmean(dim=0))
    tail = (1 - level) / 2
    bounds = torch.tensor([tail, 1 - tail], dtype=splits.dtype, device=splits.device)
    low, high = spearman_brown(splits).nanquantile(bounds, dim=0)
    values, splits, low, high = (like(t, responses) for t in (values, splits, low, high))
    return Reliability(values, splits, low, high, level)


def _over_repetitions(responses: Array, n_splits: int, rng: np.random.Generator) -> Tensor:
    if responses.ndim != 3 or responses.shape[0] < 2:
        raise UserError(
            "splitting repetitions needs responses (repetitions >= 2, presentations, neuroids), "
            f"not {tuple(responses.shape)}"
        )
    x = to_torch(responses)
    repetitions, presentations = x.shape[:2]
    shown = ~x.isnan()
    filled = x.nan_to_num()
    enough = shown.sum(dim=0) >= 2
    step = max(1, _CHUNK_BYTES // (8 * x.numel()))
    out = []
    for start in range(0, n_splits, step):
        size = min(step, n_splits - start)
        keys = torch.from_numpy(rng.random((size, repetitions, presentations, 1))).to(x.device)
        # Rank of each repetition among those that were shown; even ranks make the first half.
        ranks = torch.where(shown, keys, torch.inf).argsort(dim=1).argsort(dim=1)
        first = shown & (ranks % 2 == 0)
        second = shown & (ranks % 2 == 1)
        a = (filled * first).sum(dim=1) / first.sum(dim=1)
        b = (filled * second).sum(dim=1) / second.sum(dim=1)
        out.append(_masked_pearson(a.mT, b.mT, enough.T))
    return torch.cat(out)


def _masked_pearson(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Pearson r along the last axis over the entries of the mask, shape of the last axes."""
    if bool(mask.all()):
        r = pearson(a, b)
    else:
        count = mask.sum(dim=-1, keepdim=True)

        def filled(x: Tensor) -> Tensor:
            # Entries at the mean of the others weigh nothing in a correlation.
            mean = torch.where(mask, x, 0.0).sum(dim=-1, keepdim=True) / count
            return torch.where(mask, x, mean)

        r = (unit_vectors(filled(a)) * unit_vectors(filled(b))).sum(dim=-1).clamp(-1.0, 1.0)
    return torch.where(mask.sum(dim=-1) >= 3, r, torch.nan)


def _over_neuroids(responses: Array, n_splits: int, rng: np.random.Generator) -> Tensor:
    if responses.ndim < 2 or responses.shape[-1] < 4:
        raise UserError(
            "splitting neuroids needs responses (..., presentations, neuroids >= 4), not "
            f"{tuple(responses.shape)}"
        )
    x = to_torch(responses)
    presentations, neuroids = x.shape[-2:]
    j, k = torch.triu_indices(presentations, presentations, 1, device=x.device)
    enough = len(j) >= 3
    out = []
    for _ in range(n_splits):
        order = torch.from_numpy(rng.permutation(neuroids)).to(x.device)
        halves = []
        for half in (order[: neuroids // 2], order[neuroids // 2 :]):
            u = unit_vectors(x[..., half])
            halves.append((1 - u @ u.mT)[..., j, k])
        r = pearson(*halves)
        out.append(r if enough else torch.full_like(r, torch.nan))
    return torch.stack(out)
