"""What an encoding model gives back: predictions of presentations it has not seen, scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.measures.encoding.folds import Fold
from isocortex.measures.encoding.problem import Problem
from isocortex.measures.encoding.scores import aggregate, score_function


@dataclass(frozen=True)
class Encoding:
    """Predictions and scores on presentations that the model was not fitted to.

    Attributes
    ----------
    predictions : array, shape (n, t)
        Each presentation as predicted by the folds that test it (their mean); NaN where none does
        and for constant targets.
    scores : array, shape (t,)
        Mean over the folds in which the score is defined; NaN for constant targets.
    fold_scores : array, shape (folds, t)
        Score of each fold. NaN where a target is constant among the presentations tested.
    score : str
        Name of the score, see `scores.SCORES`.
    folds : tuple of (train, test)
        Row numbers.
    fold_predictions : tuple of arrays, shapes (tested, t)
        Predictions of each fold, in the order of its test rows.
    n_constant_targets : int
        Targets without variance, left out.
    n_constant_features : int
        Features without variance, of no effect; 0 where a Gram was given.
    alphas : array, shape (folds, t), optional
        Ridge: penalty chosen on the training presentations of each fold; NaN for constant targets.
    n_components : array, shape (folds, t), optional
        PLS: number of components, given or chosen on the training presentations.
    inner_r2 : array, shape (folds, t), optional
        Ridge with penalties to choose from: explained variance within the training presentations
        of each fold, as the inner folds predict them at the chosen penalty.
    """

    predictions: Array
    scores: Array
    fold_scores: Array
    score: str
    folds: tuple[Fold, ...]
    fold_predictions: tuple[Array, ...]
    n_constant_targets: int
    n_constant_features: int
    alphas: Array | None = None
    n_components: Array | None = None
    inner_r2: Array | None = None

    def aggregate(self, how: str = "median_neuroids_mean_splits") -> float:
        """One number from all folds and neuroids, see `scores.aggregate`."""
        return aggregate(self.fold_scores, how)


def encoding(
    problem: Problem,
    fold_predictions: Sequence[Tensor],
    score: str,
    *,
    alphas: Tensor | None = None,
    n_components: Tensor | None = None,
    inner_r2: Tensor | None = None,
) -> Encoding:
    """Score the predictions of all folds and put the constant targets back in as NaN.

    Parameters
    ----------
    problem : Problem
        What was predicted.
    fold_predictions : sequence of Tensor, shapes (tested, kept targets)
        One per fold.
    score : str
        Name of a score.
    alphas, n_components, inner_r2 : Tensor, shape (folds, kept targets), optional
        What was chosen, and how well it did where it was chosen.

    Returns
    -------
    Encoding
        In the kind, dtype and device of the targets.
    """
    function = score_function(score)
    y = problem.y
    total, count = torch.zeros_like(y), y.new_zeros((problem.n, 1))
    scores = []
    for (_, test), predicted in zip(problem.folds, fold_predictions, strict=True):
        rows = torch.from_numpy(test).to(y.device)
        total.index_add_(0, rows, predicted)
        count[rows] += 1
        scores.append(function(y[rows], predicted))
    by_fold = torch.stack(scores)

    def out(x: Tensor) -> Array:
        return like(_with_constant(x, problem.kept), problem.template)

    return Encoding(
        predictions=out(total / torch.where(count > 0, count, torch.nan)),
        scores=out(by_fold.nanmean(dim=0)),
        fold_scores=out(by_fold),
        score=score,
        folds=tuple(problem.folds),
        fold_predictions=tuple(out(p) for p in fold_predictions),
        n_constant_targets=int((~problem.kept).sum()),
        n_constant_features=problem.n_constant_features,
        alphas=None if alphas is None else out(alphas),
        n_components=None if n_components is None else out(n_components),
        inner_r2=None if inner_r2 is None else out(inner_r2),
    )


def _with_constant(x: Tensor, kept: np.ndarray) -> Tensor:
    full = x.new_full((*x.shape[:-1], len(kept)), torch.nan)
    full[..., torch.from_numpy(kept).to(x.device)] = x
    return full
