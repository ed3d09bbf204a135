"""How much of responses is not linear in the pixels: ridge regression, held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.encoding.folds import FEWEST, group_k_fold
from isocortex.measures.encoding.ridge import check_alphas, factorise

ALPHAS = tuple(np.logspace(-2, 7, 19).tolist())
"""Penalties for pixels that are z-scored."""

Split = Sequence[Any]
"""Row numbers of training, validation and test presentations."""


def split_by_group(groups: Array, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide presentations 60 / 20 / 20 so that no group (photograph) is in two parts.

    Parameters
    ----------
    groups : array, shape (n,)
        Label of each presentation's group; at least five groups.
    seed : int

    Returns
    -------
    train, validation, test : numpy.ndarray of int
        Sorted row numbers; shares are as near to 60 / 20 / 20 as whole groups allow.

    Raises
    ------
    UserError
        If there are too few groups or presentations.
    """
    folds = group_k_fold(groups, 5, seed=seed)
    validation, test = folds[0][1], folds[1][1]
    rest = np.setdiff1d(np.arange(len(np.asarray(groups))), np.concatenate([validation, test]))
    return rest, validation, test


@dataclass(frozen=True)
class LinearComplexity:
    """How much of some units is not linear in the pixels.

    Attributes
    ----------
    value : float
        C_lin, in [0, 1]; NaN if no unit varies.
    r2 : array, shape (units,)
        Held-out R2 of every unit that was given, not clipped; NaN for units that were left out.
    n_units : int
        Units that `value` is the mean of.
    n_constant : int
        Units without variance on some part of the split, left out.
    """

    value: float
    r2: Array
    n_units: int
    n_constant: int


class PixelRidge:
    """Ridge regression of responses on pixels, factorised once for any number of units.

    Pixels are z-scored by the training rows (pixels that are constant there are left out) and
    responses centred by them. Each unit has the penalty with the least squared error on the
    validation rows, and is scored on the test rows.

    Parameters
    ----------
    pixels : array, shape (n, ...)
        Images, flattened here.
    split : (train, validation, test)
        Row numbers, e.g. from `split_by_group`.
    alphas : array, shape (a,)
        Penalties to choose from.

    Raises
    ------
    UserError
        If the split names rows twice or that are not there, or a part has fewer than three, or no
        pixel varies.
    """

    def __init__(self, pixels: Array, split: Split, *, alphas: Array = ALPHAS) -> None:
        x = to_torch(pixels).double().flatten(1)
        self._train, self._validation, self._test = self._parts = _parts(split, len(x))
        self._n = len(x)
        self._alphas = check_alphas(alphas).to(x.device)
        fitted = x[self._train]
        sd = fitted.std(dim=0, correction=0)
        varies = sd > 1e-12 * fitted.abs().amax(dim=0).clamp_min(1e-300)
        if not bool(varies.any()):
            raise UserError("no pixel varies over the training images; give images that differ")
        x = (x[:, varies] - fitted[:, varies].mean(dim=0)) / sd[varies]
        rest = np.concatenate([self._validation, self._test])
        self._factors = factorise(x, False, self._train, rest)

    def r2(self, responses: Array) -> Array:
        """Return the held-out R2 of each unit.

        Parameters
        ----------
        responses : array, shape (n, ...)
            Flattened to (n, units).

        Returns
        -------
        array, shape (units,)
            ``1 - sum (y - prediction)^2 / sum (y - mean)^2`` over the test rows, at most 1, below
            0 where the prediction is worse than the mean. NaN for units that are constant (to
            rounding) on the training, the validation or the test rows.

        Raises
        ------
        UserError
            If there is not one row a presentation, or a response is not finite.
        """
        y = self._checked(responses)
        kept = self._varying(y)
        out = torch.full((y.shape[1],), torch.nan, dtype=torch.float64, device=y.device)
        out[kept] = self._scores(y[:, kept].double())
        return like(out, responses)

    def complexity(
        self, responses: Array, *, max_units: int = 500, seed: int = 0
    ) -> LinearComplexity:
        """Return C_lin: ``1 - mean over units of R2``, each R2 clipped to [0, 1].

        Parameters
        ----------
        responses : array, shape (n, ...)
            Flattened to (n, units).
        max_units : int
            Of the units that vary, at most so many are drawn.
        seed : int
            Of this draw.

        Returns
        -------
        LinearComplexity

        Raises
        ------
        UserError
            As `r2`, or if `max_units` is below 1.
        """
        if max_units < 1:
            raise UserError(f"max_units is {max_units}; the mean needs at least one unit")
        y = self._checked(responses)
        kept = self._varying(y)
        constant = y.shape[1] - len(kept)
        if len(kept) > max_units:
            drawn = np.random.default_rng(seed).choice(len(kept), max_units, replace=False)
            kept = kept[torch.from_numpy(np.sort(drawn)).to(kept.device)]
        scores = self._scores(y[:, kept].double())
        out = torch.full((y.shape[1],), torch.nan, dtype=torch.float64, device=y.device)
        out[kept] = scores
        value = 1 - scores.clamp(0, 1).mean().item() if len(kept) else math.nan
        return LinearComplexity(value, like(out, responses), len(kept), constant)

    def _checked(self, responses: Array) -> Tensor:
        y = to_torch(responses).flatten(1)
        if len(y) != self._n:
            raise UserError(f"{len(y)} responses to {self._n} images; give one row an image")
        if not bool(y.isfinite().all()):
            raise UserError("a response is NaN or infinite; mend the network or leave the unit out")
        return y

    def _varying(self, y: Tensor) -> Tensor:
        """Return the numbers of the units that vary on every part beyond rounding."""
        varies = torch.ones(y.shape[1], dtype=torch.bool, device=y.device)
        rounding = 8 * torch.finfo(y.dtype).eps
        for rows in self._parts:
            part = y[rows]
            spread = part.amax(dim=0) - part.amin(dim=0)
            varies &= spread > rounding * part.abs().amax(dim=0)
        return varies.nonzero()[:, 0]

    def _scores(self, y: Tensor) -> Tensor:
        """R2 on the test rows, of units that all vary, shape (units,)."""
        train, n = y[self._train], len(self._validation)
        mean = train.mean(dim=0)
        weights = self._factors.train.T @ (train - mean)
        inner, outer = self._factors.test[:n], self._factors.test[n:]
        held = y[self._validation] - mean
        errors = torch.stack(
            [
                (held - inner @ (weights / (self._factors.values[:, None] + alpha)))
                .square()
                .sum(dim=0)
                for alpha in self._alphas
            ]
        )
        chosen = self._alphas[errors.argmin(dim=0)]
        test = y[self._test]
        prediction = outer @ (weights / (self._factors.values[:, None] + chosen)) + mean
        total = (test - test.mean(dim=0)).square().sum(dim=0)
        return 1 - (test - prediction).square().sum(dim=0) / total


def linear_complexity(
    pixels: Array,
    responses: Array,
    split: Split,
    *,
    alphas: Array = ALPHAS,
    max_units: int = 500,
    seed: int = 0,
) -> LinearComplexity:
    """Share of the variance of units that ridge regression on pixels does not predict, C_lin.

    ``C_lin = 1 - mean_u clip(R2_u, 0, 1)`` with R2 on images that were neither fitted nor used to
    choose the penalty. For several layers or networks on the same images make one `PixelRidge` and
    call its method `complexity`, which shares the factorisation of the pixels.

    Parameters
    ----------
    pixels : array, shape (n, ...)
        Images.
    responses : array, shape (n, ...)
        Of units to them.
    split, alphas
        As for `PixelRidge`.
    max_units, seed
        As for `PixelRidge.complexity`.

    Returns
    -------
    LinearComplexity
        0 for a linear map of the pixels, 1 where nothing is linear, e.g. for even units of
        symmetric images. Too few images bias it upwards.

    Raises
    ------
    UserError
        As `PixelRidge` and its methods.
    """
    return PixelRidge(pixels, split, alphas=alphas).complexity(
        responses, max_units=max_units, seed=seed
    )


def _parts(split: Split, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = [np.asarray(rows) for rows in split]
    if len(parts) != 3:
        raise unknown("split", f"{len(parts)} parts", ("(train, validation, test)",))
    for name, rows in zip(("training", "validation", "test"), parts, strict=True):
        if rows.ndim != 1 or len(rows) < FEWEST or not np.issubdtype(rows.dtype, np.integer):
            raise UserError(f"the {name} part must hold at least {FEWEST} row numbers")
    rows = np.concatenate(parts)
    if rows.min() < 0 or rows.max() >= n or len(np.unique(rows)) < len(rows):
        raise UserError(f"a part names a row twice or outside 0 to {n - 1}, the images there are")
    return parts[0], parts[1], parts[2]
