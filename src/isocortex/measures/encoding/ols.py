"""Ordinary least squares, for a few features and many presentations."""

from __future__ import annotations

import torch

from isocortex.arrays import Array
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import Folds
from isocortex.measures.encoding.problem import prepare
from isocortex.measures.encoding.result import Encoding, encoding


def ols_cv(
    features: Array,
    targets: Array,
    *,
    folds: Folds = 5,
    groups: Array | None = None,
    score: str = "pearson",
    seed: int = 0,
) -> Encoding:
    """Predict targets by least squares with an intercept.

    Parameters
    ----------
    features : array, shape (n, p)
        A few features (latents, components); each fold must train on more than ``p + 1``
        presentations. Features that depend on each other share the smallest weights that fit.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds : int or sequence of (train, test)
        Random folds, or row numbers.
    groups : array, shape (n,), optional
        Presentations of one group stay together.
    score : {"pearson", "r2"}
        What `scores` holds.
    seed : int
        Seed of random folds.

    Returns
    -------
    Encoding
        Constant targets are NaN throughout and counted; constant features are counted.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, or as many features as training presentations.
    """
    problem = prepare(features, targets, folds, groups=groups, seed=seed, reduce=False)
    features_used = problem.x.shape[1] - problem.n_constant_features
    predictions = []
    for i, (train, test) in enumerate(problem.folds):
        if features_used + 1 >= len(train):
            raise UserError(
                f"folds[{i}] trains on {len(train)} stimuli, too few for {features_used} features "
                "and an intercept; use ridge_cv"
            )
        a, b = (torch.from_numpy(rows).to(problem.x.device) for rows in (train, test))
        mean, y_mean = problem.x[a].mean(dim=0), problem.y[a].mean(dim=0)
        weights = torch.linalg.pinv(problem.x[a] - mean) @ (problem.y[a] - y_mean)
        predictions.append((problem.x[b] - mean) @ weights + y_mean)
    return encoding(problem, predictions, score)
