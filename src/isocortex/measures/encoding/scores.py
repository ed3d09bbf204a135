"""Scores of predictions: correlation, explained variance, and shares of what can be explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.correlation import pearson


def pearson_r(targets: Array, predictions: Array) -> Array:
    """Pearson correlation of targets and predictions, neuroid by neuroid.

    Parameters
    ----------
    targets, predictions : array, shapes (..., n, t) that broadcast
        Measured and predicted responses.

    Returns
    -------
    array, shape (..., t)
        NaN where either side is constant.
    """
    y, p = to_torch(targets), to_torch(predictions)
    return like(pearson(y.mT, p.mT), targets)


def r2(targets: Array, predictions: Array) -> Array:
    """Explained variance ``1 - sum (y - p)^2 / sum (y - mean y)^2``, neuroid by neuroid.

    The mean is that of the tested presentations, as in scikit-learn.

    Parameters
    ----------
    targets, predictions : array, shapes (..., n, t) that broadcast
        Measured and predicted responses.

    Returns
    -------
    array, shape (..., t)
        At most 1, negative where the mean predicts better; NaN where the targets are constant.
    """
    y, p = to_torch(targets), to_torch(predictions)
    mean = y.mean(dim=-2, keepdim=True)
    total = (y - mean).square().sum(dim=-2)
    floor = (8 * torch.finfo(y.dtype).eps * mean.squeeze(-2)).square() * y.shape[-2]
    return like(
        1 - (y - p).square().sum(dim=-2) / torch.where(total > floor, total, torch.nan), targets
    )


SCORES: dict[str, Callable[[Array, Array], Array]] = {"pearson": pearson_r, "r2": r2}
"""Scores of predictions by name, ``score(targets, predictions)``."""


def score_function(name: str) -> Callable[[Array, Array], Array]:
    """Look a score up by its name."""
    if name not in SCORES:
        raise unknown("score", name, SCORES)
    return SCORES[name]


def variance_parts(repetitions: Array) -> tuple[Array, Array]:
    """Total and noise variance of single trials, neuroid by neuroid.

    ``V_total`` is the variance of all trials of a neuroid, ``V_noise`` the mean over presentations
    of the variance over its trials; both unbiased (ddof 1).

    Parameters
    ----------
    repetitions : array, shape (repetitions, n, t)
        Single trials; NaN where a presentation was not repeated that often.

    Returns
    -------
    total, noise : array, shape (t,)
        NaN where no presentation has two trials.

    Raises
    ------
    UserError
        If there are not three axes, or fewer than two repetitions.
    """
    x = to_torch(repetitions).double()
    if x.ndim != 3 or x.shape[0] < 2:
        raise UserError(
            f"repetitions must be (repetitions >= 2, stimuli, neuroids), not {tuple(x.shape)}"
        )
    total = _nan_variance(x.flatten(end_dim=1))
    noise = _nan_variance(x).nanmean(dim=0)
    return like(total, repetitions), like(noise, repetitions)


def feve(repetitions: Array, predictions: Array) -> Array:
    """Share of the explainable variance that is explained (FEVE), neuroid by neuroid.

    ``(V_total - MSE) / (V_total - V_noise)``, with the MSE over single trials: 1 for the perfect
    model, 0 in expectation for the mean (Cadena et al., PLoS Comput. Biol. 2019). Some papers call
    this FEV, and the explainable share ``1 - V_noise / V_total`` of `variance_parts` FEV.

    Parameters
    ----------
    repetitions : array, shape (repetitions, n, t)
        Single trials of the tested presentations; NaN where one was not shown.
    predictions : array, shape (n, t)
        Predicted responses.

    Returns
    -------
    array, shape (t,)
        NaN where nothing can be explained (``V_noise >= V_total``), and where a presentation has
        no prediction: leave such presentations out of both.

    Raises
    ------
    UserError
        As `variance_parts`, and for predictions of another shape.
    """
    total, noise = (to_torch(v).double() for v in variance_parts(repetitions))
    x, p = to_torch(repetitions).double(), to_torch(predictions).double()
    if x.shape[1:] != p.shape:
        raise UserError(
            f"predictions must be {tuple(x.shape[1:])} for these trials, not {tuple(p.shape)}"
        )
    # ddof 1 as in the variances, so that the mean of the trials itself scores 0.
    count = (~x.isnan()).flatten(end_dim=1).sum(dim=0)
    mse = (x - p).square().flatten(end_dim=1).nansum(dim=0) / (count - 1)
    mse = torch.where(p.isnan().any(dim=0), torch.nan, mse)
    explainable = total - noise
    rounding = 64 * torch.finfo(x.dtype).eps * x.square().flatten(end_dim=1).nanmean(dim=0)
    return like(
        (total - mse) / torch.where(explainable > rounding, explainable, torch.nan), repetitions
    )


def _nan_variance(x: Tensor) -> Tensor:
    """Unbiased variance along axis 0 over the entries that are not NaN; NaN for fewer than two."""
    count = (~x.isnan()).sum(dim=0)
    squares = (x - x.nanmean(dim=0)).square().nansum(dim=0)
    return squares / torch.where(count > 1, count - 1.0, torch.nan)


# Each takes scores (splits, neuroids) without the undefined ones being hidden: NaN are left out.
AGGREGATIONS: dict[str, Callable[[np.ndarray], Any]] = {
    # Brain-Score: the median neuroid of each split, then the mean of the splits.
    "median_neuroids_mean_splits": lambda s: np.nanmean(np.nanmedian(s, axis=-1), axis=-1),
    "mean_splits_median_neuroids": lambda s: np.nanmedian(np.nanmean(s, axis=-2), axis=-1),
    "mean": lambda s: np.nanmean(np.nanmean(s, axis=-2), axis=-1),
}
"""Ways to one number from scores (..., splits, neuroids), by name; NaN are left out."""


def aggregate(scores: Array, how: str = "median_neuroids_mean_splits") -> float:
    """Reduce scores of all splits and neuroids to one number.

    Parameters
    ----------
    scores : array, shape (splits, neuroids)
        E.g. `Encoding.fold_scores`. Undefined scores are left out.
    how : str
        A name of `AGGREGATIONS`.

    Returns
    -------
    float
        NaN if a split (or neuroid) that is reduced first has no defined score at all.

    Raises
    ------
    UserError
        For an unknown name, or scores that are not (splits, neuroids).
    """
    if how not in AGGREGATIONS:
        raise unknown("aggregation", how, AGGREGATIONS)
    values = to_torch(scores).double().cpu().numpy()
    if values.ndim != 2:
        raise UserError(f"scores must be (splits, neuroids), not {values.shape}")
    values = values[:, np.isfinite(values).any(axis=0)]
    if values.size == 0 or not np.isfinite(values).any(axis=1).all():
        return float("nan")
    return float(AGGREGATIONS[how](values))


NORMALISATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ratio": lambda score, ceiling: score / ceiling,
    # Brain-Score until, and since, January 2026.
    "brainscore_2024": lambda score, ceiling: (score / ceiling) ** 2,
    "brainscore_2026": lambda score, ceiling: score**2 / ceiling,
}
"""Ways to relate a score to its ceiling, by name, ``rule(score, ceiling)``."""


def normalise(score: Array, ceiling: Array, rule: str = "ratio") -> Array:
    """Relate correlations to their ceiling; nothing is clipped.

    ``ratio`` is r / c; ``brainscore_2024`` is (r / c)^2, Brain-Score's until January 2026;
    ``brainscore_2026`` is r^2 / c, Brain-Score's since, and c times the former.

    Parameters
    ----------
    score, ceiling : float or array
        Correlations; shapes that broadcast.
    rule : str
        A name of `NORMALISATIONS`.

    Returns
    -------
    float or array
        NaN where the ceiling is not above 0.

    Raises
    ------
    UserError
        For an unknown rule.
    """
    if rule not in NORMALISATIONS:
        raise unknown("normalisation", rule, NORMALISATIONS)
    if isinstance(score, float | int) and isinstance(ceiling, float | int):
        return NORMALISATIONS[rule](score, ceiling) if ceiling > 0 else float("nan")
    template = score if hasattr(score, "shape") else ceiling
    r, c = (to_torch(v) for v in (score, ceiling))
    return like(NORMALISATIONS[rule](r, torch.where(c > 0, c, torch.nan)), template)
