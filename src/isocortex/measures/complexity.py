"""How far responses are from linear in the pixels, by several definitions.

`linear_complexity` is the primary one; the others ask for evenness, for curvature between and along
images, for the states of rectifiers. The effective dimension of responses is
`dimensionality.participation_ratio`. All are 0 for responses that are linear in the image, save
`path_frequency`, for which a straight line is a ramp.
"""

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

RECTIFIERS: dict[str, int] = {"identity": 1, "relu": 2, "leaky": 2, "abs": 2}
"""Piecewise linear activations -> number of their pieces, which meet at 0."""

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


def evenness(responses: Array, inverted: Array) -> Array:
    """Share of the variance of responses that does not change with the sign of the image, E_even.

    With ``e, o = (f(x) +- f(-x)) / 2``: ``sum_u var e_u / sum_u (var e_u + var o_u)``.

    Parameters
    ----------
    responses, inverted : array, shape (..., n, p)
        Responses f(x) and f(-x) to images and to their negatives, in which the mean grey is 0.

    Returns
    -------
    array, shape (...)
        0 for odd units, 1 for even ones; for white Gaussian images about 0.27 for half-wave
        rectification. NaN where nothing varies.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    a, b = _alike(responses, inverted, "responses and their negatives'")
    even, odd = ((a + b) / 2).var(dim=-2, correction=0), ((a - b) / 2).var(dim=-2, correction=0)
    numerator, total = even.sum(dim=-1), (even + odd).sum(dim=-1)
    return like(numerator / torch.where(total > 0, total, torch.nan), responses)


def midpoint_deviation(start: Array, end: Array, middle: Array) -> Array:
    """Distance of the response to a mean image from the mean response; C_mid is its median.

    ``2 |f((a + b) / 2) - (f(a) + f(b)) / 2| / |f(a) - f(b)|`` for each pair of images a, b.

    Parameters
    ----------
    start, end, middle : array, shape (..., pairs, p)
        Responses to a, b and (a + b) / 2.

    Returns
    -------
    array, shape (..., pairs)
        0 for an affine map. NaN where a and b give the same response.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    a, b = _alike(start, end, "responses to both ends")
    _, m = _alike(start, middle, "responses to ends and middles")
    length = torch.linalg.vector_norm(a - b, dim=-1)
    away = 2 * torch.linalg.vector_norm(m - (a + b) / 2, dim=-1)
    return like(away / torch.where(length > 0, length, torch.nan), start)


def path_curvature(responses: Array) -> Array:
    """Mean angle by which responses turn along a straight path of images; C_curv is its mean.

    The angle between successive differences of the responses, averaged along the path, as the
    curvature of Henaff et al. (2019).

    Parameters
    ----------
    responses : array, shape (..., steps, p)
        To images at equal steps along a straight line in pixel space, at least three.

    Returns
    -------
    array, shape (...)
        Degrees, 0 (straight) to 180. Steps at which nothing changes are left out; NaN where no two
        successive steps are left.

    Raises
    ------
    UserError
        If a path has fewer than three steps.
    """
    steps = _paths(responses).diff(dim=-2)
    length = torch.linalg.vector_norm(steps, dim=-1, keepdim=True)
    unit = steps / torch.where(length > 0, length, torch.nan)
    a, b = unit[..., :-1, :], unit[..., 1:, :]
    # Half the angle by its tangent, which keeps all digits of small angles.
    angle = 2 * torch.atan2(
        torch.linalg.vector_norm(a - b, dim=-1), torch.linalg.vector_norm(a + b, dim=-1)
    )
    return like(angle.rad2deg().nanmean(dim=-1), responses)


def path_frequency(responses: Array) -> Array:
    """Mean frequency of responses along a straight path of images; C_four is its mean.

    The discrete Fourier transform along the path gives amplitudes A_ku at k cycles a path for each
    unit u; the result is ``sum_ku k A_ku / sum_ku A_ku`` over k = 1 ... steps / 2, divided by the
    largest of these k.

    Parameters
    ----------
    responses : array, shape (..., steps, p)
        To images at equal steps along a straight line in pixel space, at least three.

    Returns
    -------
    array, shape (...)
        In (0, 1]. A straight line is a ramp and does not give 0: compare with the value of pixels.
        NaN where nothing varies.

    Raises
    ------
    UserError
        If a path has fewer than three steps.
    """
    x = _paths(responses)
    amplitude = torch.fft.rfft(x - x.mean(dim=-2, keepdim=True), dim=-2)[..., 1:, :].abs()
    k = torch.arange(1, amplitude.shape[-2] + 1, dtype=x.dtype, device=x.device)
    total = amplitude.sum(dim=(-2, -1))
    mean = (amplitude * k[:, None]).sum(dim=(-2, -1)) / torch.where(total > 0, total, torch.nan)
    return like(mean / k[-1], responses)


def gate_entropy(preactivations: Array, activation: str) -> Array:
    """Entropy of the state of each rectifier over images; C_gate is its mean.

    Piecewise linear activations are in one of their pieces, here below or above 0; with the share q
    of images above, ``H = -q log2 q - (1 - q) log2 (1 - q)``.

    Parameters
    ----------
    preactivations : array, shape (..., n, p)
        What goes into the activation.
    activation : str
        Its name; see `RECTIFIERS` for those that are piecewise linear.

    Returns
    -------
    array, shape (..., p)
        Bits, 0 (always the same linear map) to 1. 0 for the identity; NaN for activations that are
        not piecewise linear.
    """
    x = to_torch(preactivations)
    if RECTIFIERS.get(activation, 0) == 2:
        q = (x > 0).to(torch.float64).mean(dim=-2)
        bits = -(torch.xlogy(q, q) + torch.xlogy(1 - q, 1 - q)) / math.log(2)
    else:
        value = 0.0 if activation in RECTIFIERS else torch.nan
        bits = torch.full((*x.shape[:-2], x.shape[-1]), value, device=x.device)
    return like(bits, preactivations)


def _alike(a: Array, b: Array, what: str) -> tuple[Tensor, Tensor]:
    x, y = to_torch(a).double(), to_torch(b).double()
    if x.shape != y.shape or x.ndim < 2:
        raise UserError(
            f"{what} have shapes {tuple(x.shape)} and {tuple(y.shape)}; give both as "
            "(presentations, neuroids)"
        )
    return x, y


def _paths(responses: Array) -> Tensor:
    x = to_torch(responses).double()
    if x.ndim < 2 or x.shape[-2] < 3:
        raise UserError(
            f"paths have shape {tuple(x.shape)}; give (..., steps, neuroids) with at least 3 steps"
        )
    return x


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
