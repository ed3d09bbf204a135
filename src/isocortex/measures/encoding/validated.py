"""Ridge regression with its penalty chosen on a part of its own: training, validation, test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import FEWEST, as_folds
from isocortex.measures.encoding.ridge import check_alphas

ALPHAS = tuple(np.logspace(-2, 7, 19).tolist())
"""Penalties of z-scored features."""

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Row numbers to train on, to choose the penalty on, and to test on."""


@dataclass(frozen=True)
class Validated:
    """One fit.

    Attributes
    ----------
    predictions : array, shape (tested, t)
        Of the test rows, by the penalty that predicts the validation rows best.
    alphas : array, shape (t,)
        Penalty of each target.
    validation_r2 : array, shape (t,)
        ``1 - MSE / variance`` on the validation rows at that penalty; NaN for constant targets.
    n_constant : int
        Features without variance on some part, left out.
    """

    predictions: Array
    alphas: Array
    validation_r2: Array
    n_constant: int


def validation_parts(
    n: int, folds: int = 5, *, groups: Array | None = None, seed: int = 0
) -> list[Parts]:
    """Divide presentations into parts to train on (64 %), to validate (16 %) and to test (20 %).

    Parameters
    ----------
    n : int
        Presentations.
    folds : int
        Each presentation is tested in one of them; a fifth of the rest validates.
    groups : array, shape (n,), optional
        Presentations of one group are always in one part.
    seed : int

    Returns
    -------
    list of (train, validation, test)
        Sorted row numbers.

    Raises
    ------
    UserError
        If a part gets fewer than three presentations.
    """
    labels = None if groups is None else np.asarray(groups)
    parts = []
    for rest, test in as_folds(folds, n, groups=labels, seed=seed):
        members = None if labels is None else labels[rest]
        train, validation = as_folds(5, len(rest), groups=members, seed=seed)[0]
        parts.append((rest[train], rest[validation], test))
    return parts


def validated_ridge(
    features: Array, targets: Array, parts: Parts, *, alphas: Sequence[float] | Array = ALPHAS
) -> Validated:
    """Predict targets by ridge regression, the penalty of each chosen on the validation rows.

    ``W = (X'X + a I)^-1 X'Y`` with X z-scored and Y centred by the training rows; in the dual form
    where there are more features than training rows. The model is not fitted again with the
    validation rows.

    Parameters
    ----------
    features : array, shape (n, p)
        Those that are constant (to rounding) on any of the parts are left out and counted.
    targets : array, shape (n, t)
    parts : (train, validation, test)
        Row numbers, disjoint, at least three each.
    alphas : array, shape (a,)
        Penalties, all above 0.

    Returns
    -------
    Validated

    Raises
    ------
    UserError
        For shapes or rows that do not fit, values that are not finite, penalties of 0, or no
        feature that varies.

    Notes
    -----
    All penalties share one eigendecomposition of the smaller of ``X'X`` and ``XX'``; only products
    with the targets are formed beyond it.
    """
    x, y = to_torch(features), to_torch(targets).double()
    rows = _checked(x, y, parts)
    penalties = check_alphas(alphas).to(y.device)
    if not bool((penalties > 0).all()):
        raise UserError("penalties must be above 0: without one the z-scored problem may be flat")
    kept = _varying(x, rows)
    if not bool(kept.any()):
        raise UserError("no feature varies on all parts; give other features or larger parts")
    train, held, tested = (x[r][:, kept].double() for r in rows)
    mean, sd = train.mean(dim=0), train.std(dim=0, correction=0)
    train, held, tested = ((part - mean) / sd for part in (train, held, tested))
    level = y[rows[0]].mean(dim=0)
    # Coefficients in the space of eigenvectors; `back` takes them to predictions.
    if train.shape[1] <= train.shape[0]:
        values, vectors = torch.linalg.eigh(train.T @ train)
        inner = vectors.T @ (train.T @ (y[rows[0]] - level))

        def back(part: Tensor, shrunk: Tensor) -> Tensor:
            return part @ (vectors @ shrunk)
    else:
        values, vectors = torch.linalg.eigh(train @ train.T)
        inner = vectors.T @ (y[rows[0]] - level)

        def back(part: Tensor, shrunk: Tensor) -> Tensor:
            return part @ (train.T @ (vectors @ shrunk))

    values = values.clamp_min(0)
    t = y.shape[1]
    by_penalty = [inner / (values[:, None] + a) for a in penalties]
    errors = (
        (back(held, torch.cat(by_penalty, dim=1)) + level.repeat(len(penalties)))
        .sub_(y[rows[1]].repeat(1, len(penalties)))
        .square_()
        .mean(dim=0)
        .view(len(penalties), t)
    )
    chosen = penalties[errors.argmin(dim=0)]
    predictions = back(tested, inner / (values[:, None] + chosen)) + level
    variance = y[rows[1]].var(dim=0, correction=0)
    best = errors.amin(dim=0)
    return Validated(
        predictions=like(predictions, targets),
        alphas=like(chosen, targets),
        validation_r2=like(1 - best / torch.where(variance > 0, variance, torch.nan), targets),
        n_constant=int((~kept).sum()),
    )


def _varying(x: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """Return which features vary on every part beyond rounding, bool (p,)."""
    kept = torch.ones(x.shape[1], dtype=torch.bool, device=x.device)
    for part in rows:
        values = x[part]
        spread = values.amax(dim=0) - values.amin(dim=0)
        kept &= spread > 8 * torch.finfo(x.dtype).eps * values.abs().amax(dim=0)
    return kept


def _checked(x: Tensor, y: Tensor, parts: Parts) -> list[Tensor]:
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise UserError(
            f"features (n, p) and targets (n, t) must have one row a presentation, not "
            f"{tuple(x.shape)} and {tuple(y.shape)}"
        )
    if not (bool(x.isfinite().all()) and bool(y.isfinite().all())):
        raise UserError("a feature or target is NaN or infinite; leave the unit out")
    if len(parts) != 3 or min(len(p) for p in parts) < FEWEST:
        raise UserError(f"give three parts of at least {FEWEST} rows: train, validation, test")
    all_rows = np.concatenate([np.asarray(p) for p in parts])
    if all_rows.min() < 0 or all_rows.max() >= len(x) or len(np.unique(all_rows)) < len(all_rows):
        raise UserError(f"a part names a row twice or outside 0 to {len(x) - 1}")
    return [torch.from_numpy(np.asarray(p)).to(x.device) for p in parts]
