"""Intervals of encoding scores over neuroids, stimuli or both, and paired differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.encoding.result import Encoding
from isocortex.measures.encoding.scores import AGGREGATIONS
from isocortex.statistics import Interval

OVER = ("neuroids", "stimuli", "both")

_CHUNK_BYTES = 2**25


def score_interval(
    result: Encoding,
    targets: Array,
    *,
    over: str = "neuroids",
    how: str = "median_neuroids_mean_splits",
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of an aggregated score.

    Parameters
    ----------
    result : Encoding
        Predictions of all folds.
    targets : array, shape (n, t)
        The responses that were predicted.
    over : {"neuroids", "stimuli", "both"}
        What is drawn with replacement: the neuroids, the tested stimuli of each fold (a stimulus
        that several folds test is drawn equally often in all), or both, crossed. The models are
        not fitted again, so intervals over stimuli are those of the predictions at hand.
    how : str
        Aggregation, a name of `AGGREGATIONS`.
    n_resamples : int
        Bootstrap samples.
    level : float
        Coverage of the percentile interval.
    seed : int
        Seed of the draws.

    Returns
    -------
    Interval
        ``n`` counts neuroids, or stimuli for ``over="stimuli"`` (the fewer of the two for both);
        ``n_dropped`` counts neuroids without a defined score.

    Raises
    ------
    UserError
        For unknown names, targets of another shape, or no defined score.
    """
    return combined_interval(
        [result],
        [1.0],
        targets,
        over=over,
        how=how,
        n_resamples=n_resamples,
        level=level,
        seed=seed,
    )


def difference_interval(
    result: Encoding,
    other: Encoding,
    targets: Array,
    *,
    over: str = "neuroids",
    how: str = "median_neuroids_mean_splits",
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of the aggregated score of one model less that of another.

    Both models are scored on the same draws, so what neuroids and stimuli do to both cancels.

    Parameters
    ----------
    result, other : Encoding
        Predictions of the same targets in the same folds, with the same kind of score.
    targets, over, how, n_resamples, level, seed
        As `score_interval`.

    Returns
    -------
    Interval
        Of ``result - other``. Neuroids that either model leaves undefined are dropped from both.

    Raises
    ------
    UserError
        As `score_interval`, and for models with other folds or another score.
    """
    return combined_interval(
        [result, other],
        [1.0, -1.0],
        targets,
        over=over,
        how=how,
        n_resamples=n_resamples,
        level=level,
        seed=seed,
    )


def combined_interval(
    results: Sequence[Encoding],
    weights: Sequence[float],
    targets: Array,
    *,
    over: str = "neuroids",
    how: str = "median_neuroids_mean_splits",
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of a weighted sum of the aggregated scores of several models.

    Parameters
    ----------
    results : sequence of Encoding
        Predictions of the same targets in the same folds, with the same kind of score.
    weights : sequence of float
        Weight of each model's aggregate, e.g. 1 and -1 for a difference.
    targets, over, how, n_resamples, level, seed
        As `score_interval`.

    Returns
    -------
    Interval
        All models are scored on the same draws. Neuroids that any of them leaves undefined are
        dropped from all.

    Raises
    ------
    UserError
        As `difference_interval`.
    """
    first = results[0]
    for other in results[1:]:
        if other.score != first.score or not _same_tests(first, other):
            raise UserError("models are compared in the same folds and by the same score")
    if over not in OVER:
        raise unknown("way to resample", over, OVER)
    if how not in AGGREGATIONS:
        raise unknown("aggregation", how, AGGREGATIONS)
    if not 0 < level < 1 or n_resamples < 1:
        raise UserError(f"need n_resamples >= 1 and 0 < level < 1, not {n_resamples} and {level}")
    y = to_torch(targets).double()
    y = y[:, None] if y.ndim == 1 else y
    if y.shape != tuple(first.predictions.shape):
        raise UserError(
            f"targets {tuple(y.shape)} are not those predicted, {tuple(first.predictions.shape)}"
        )
    defined = [np.isfinite(_numbers(r.fold_scores)).any(axis=0) for r in results]
    kept = np.logical_and.reduce(defined)
    if not kept.any():
        raise UserError("no neuroid has a defined score; there is nothing to resample")
    aggregate, rng = AGGREGATIONS[how], np.random.default_rng(seed)

    def reduce(scores: list[np.ndarray]) -> np.ndarray:
        with warnings.catch_warnings():
            # A draw in which no neuroid is defined is NaN, and so are the bounds.
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.sum([w * aggregate(s) for w, s in zip(weights, scores, strict=True)], axis=0)

    fixed = [_numbers(r.fold_scores)[:, kept] for r in results]
    n_neuroids = int(kept.sum())
    tested = np.unique(np.concatenate([test for _, test in first.folds]))
    columns = torch.from_numpy(kept).to(y.device)
    step = max(1, _CHUNK_BYTES // (8 * len(first.folds) * n_neuroids))
    draws = []
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        scores = [f[None] for f in fixed]
        if over != "neuroids":
            counts = _counts(first, len(y), size, rng, y.device)
            scores = [_resampled(r, y, columns, counts) for r in results]
        if over != "stimuli":
            index = rng.integers(0, n_neuroids, (size, 1, n_neuroids))
            scores = [np.take_along_axis(s, index, axis=-1) for s in scores]
        draws.append(reduce(scores))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(draws), [tail, 1 - tail])
    n = {"neuroids": n_neuroids, "stimuli": len(tested), "both": min(n_neuroids, len(tested))}
    return Interval(
        float(reduce(fixed)),
        float(low),
        float(high),
        level,
        n[over],
        f"percentile over {'neuroids and stimuli' if over == 'both' else over}",
        int((~kept).sum()),
    )


def _same_tests(a: Encoding, b: Encoding) -> bool:
    return len(a.folds) == len(b.folds) and all(
        np.array_equal(x[1], y[1]) for x, y in zip(a.folds, b.folds, strict=True)
    )


def _counts(result: Encoding, n: int, size: int, rng: np.random.Generator, device: Any) -> Tensor:
    """How often each draw shows each stimulus, shape (size, n).

    Disjoint test sets are drawn from one by one, so that no fold is left empty; where test sets
    overlap, stimuli are drawn from all that are tested.
    """
    tests = [test for _, test in result.folds]
    together = np.concatenate(tests)
    strata = tests if len(np.unique(together)) == len(together) else [np.unique(together)]
    counts = np.zeros((size, n))
    for rows in strata:
        drawn = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=size)
        counts[:, rows] += drawn
    return torch.from_numpy(counts).to(device)


def _resampled(result: Encoding, y: Tensor, columns: Tensor, counts: Tensor) -> np.ndarray:
    """Scores of all draws, shape (size, folds, neuroids), from weighted sums."""
    score = _WEIGHTED[result.score]
    scores = []
    for (_, test), predicted in zip(result.folds, result.fold_predictions, strict=True):
        rows = torch.from_numpy(test).to(y.device)
        p = to_torch(predicted).double().to(y.device)[:, columns]
        scores.append(score(y[rows][:, columns], p, counts[:, rows]))
    return torch.stack(scores, dim=1).cpu().numpy()


def _moments(y: Tensor, p: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weighted variances and covariance, and the mean squared error, each (draws, neuroids)."""
    share = weights / weights.sum(dim=1, keepdim=True)
    error = share @ (y - p).square()
    y, p = y - y.mean(dim=0), p - p.mean(dim=0)
    scale_y, scale_p = y.square().mean(dim=0), p.square().mean(dim=0)
    mean_y, mean_p = share @ y, share @ p

    def above_rounding(variance: Tensor, scale: Tensor) -> Tensor:
        return torch.where(variance > 64 * torch.finfo(y.dtype).eps * scale, variance, torch.nan)

    var_y = above_rounding(share @ y.square() - mean_y.square(), scale_y)
    var_p = above_rounding(share @ p.square() - mean_p.square(), scale_p)
    return var_y, var_p, share @ (y * p) - mean_y * mean_p, error


def _weighted_pearson(y: Tensor, p: Tensor, weights: Tensor) -> Tensor:
    var_y, var_p, covariance, _ = _moments(y, p, weights)
    return (covariance / (var_y * var_p).sqrt()).clamp(-1.0, 1.0)


def _weighted_r2(y: Tensor, p: Tensor, weights: Tensor) -> Tensor:
    var_y, _, _, error = _moments(y, p, weights)
    return 1 - error / var_y


_WEIGHTED: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "pearson": _weighted_pearson,
    "r2": _weighted_r2,
}


def _numbers(values: Array) -> np.ndarray:
    return to_torch(values).double().cpu().numpy()
