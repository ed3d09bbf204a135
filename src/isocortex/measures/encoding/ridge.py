"""Ridge regression for many targets and penalties, from one factorisation per fold.

With training features X and targets Y, both less their training means, and ``X = U S V'``, the
prediction at penalty a is ``x V S (S^2 + a)^-1 U' Y``. ``U, S^2`` come from the smaller of
``X X'`` and ``X' X``; a Gram is centred with the means of its training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import Fold, Folds, as_folds
from isocortex.measures.encoding.problem import Problem, prepare
from isocortex.measures.encoding.result import Encoding, encoding

ALPHAS = tuple(np.logspace(-3, 6, 19).tolist())
"""Penalties tried where none are given; they are relative to features as they come."""

_CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class Factors:
    """The factorisation of one fold.

    Attributes
    ----------
    values : Tensor, shape (r,)
        Squared singular values of the centred training features, without the zero ones.
    train : Tensor, shape (trained, r)
        Left singular vectors U.
    test : Tensor, shape (tested, r)
        ``x V S`` of the test presentations.
    """

    values: Tensor
    train: Tensor
    test: Tensor


def factorise(x: Tensor, gram: bool, train: np.ndarray, test: np.ndarray) -> Factors:
    """Centre by the training rows and factorise them, by whichever Gram is smaller.

    Parameters
    ----------
    x : Tensor, shape (n, p) or (n, n)
        Features or, with `gram`, their Gram.
    gram : bool
        Which of the two.
    train, test : numpy.ndarray of int
        Row numbers.

    Returns
    -------
    Factors
        With r = 0 if the training features are constant.
    """
    a, b = (torch.from_numpy(rows).to(x.device) for rows in (train, test))
    if gram:
        inner, across = x[a][:, a], x[b][:, a]
        mean = inner.mean(dim=0)
        across = across - across.mean(dim=1, keepdim=True) - mean + mean.mean()
        inner = inner - mean - mean[:, None] + mean.mean()
        values, vectors = _eigh(inner, centred=True)
        return Factors(values, vectors, across @ vectors)
    fitted = x[a]
    mean = fitted.mean(dim=0)
    fitted, tested = fitted - mean, x[b] - mean
    if fitted.shape[1] > fitted.shape[0]:
        values, vectors = _eigh(fitted @ fitted.T, centred=True)
        return Factors(values, vectors, tested @ (fitted.T @ vectors))
    values, vectors = _eigh(fitted.T @ fitted, centred=False)
    length = values.sqrt()
    return Factors(values, fitted @ (vectors / length), tested @ (vectors * length))


def _eigh(matrix: Tensor, *, centred: bool) -> tuple[Tensor, Tensor]:
    """Eigenvalues above rounding and their vectors; at most n - 1 where rows were centred."""
    values, vectors = torch.linalg.eigh(matrix)
    floor = len(matrix) * torch.finfo(matrix.dtype).eps * values[-1].abs()
    kept = values > floor
    if centred:
        kept[0] = False
    return values[kept], vectors[:, kept]


def ridge_cv(
    features: Array,
    targets: Array,
    *,
    folds: Folds = 5,
    alphas: Array = ALPHAS,
    inner: Folds | str = 5,
    gram: bool = False,
    groups: Array | None = None,
    score: str = "pearson",
    seed: int = 0,
) -> Encoding:
    """Predict targets by ridge regression, each with the penalty that its training data choose.

    Minimises ``||Y - X B||^2 + alpha ||B||^2`` with an intercept that is not penalised. For each
    fold and target, alpha has the least squared error over inner folds of the training
    presentations; the model is then fitted to all of these.

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        Responses of a network's units, not standardised here, or their Gram ``X X'`` (centred or
        not; any positive semi-definite kernel gives kernel ridge regression).
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds : int or sequence of (train, test)
        Random folds (`k_fold`, with groups `group_k_fold`), or row numbers.
    alphas : array, shape (a,)
        Penalties to choose from, 0 or more. All together cost one factorisation per fold.
    inner : int, sequence of (train, test) or "loo"
        Inner folds: a number; row numbers that are the same for all, positions among the sorted
        training rows of a fold; or leave-one-out in closed form, from the same factorisation.
    gram : bool
        Whether `features` is a Gram.
    groups : array, shape (n,), optional
        Presentations of one group (views of an object) stay together in outer and inner folds.
    score : {"pearson", "r2"}
        What `scores` holds.
    seed : int
        Seed of random folds.

    Returns
    -------
    Encoding
        With ``alphas`` and, of several, ``inner_r2`` of shape (folds, t). Constant targets are NaN
        throughout and counted.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, too few stimuli for a fold, negative or no penalties,
        leave-one-out of grouped presentations.

    Notes
    -----
    The residuals of presentations b that were left out are ``((1 - H)_bb)^-1 ((1 - H) y)_b`` with
    the hat matrix of ridge and intercept, ``H = 1/n + U S^2 (S^2 + a)^-1 U'``, so that inner folds
    need no factorisation of their own. Inner folds that are large against the features, or that
    do not train on all the rest, are factorised each by itself.
    """
    problem = prepare(features, targets, folds, gram=gram, groups=groups, seed=seed)
    penalties = check_alphas(alphas).to(problem.x.device)
    if isinstance(inner, str) and (inner != "loo" or groups is not None):
        raise UserError(
            f"inner={inner!r}: use a number of folds"
            + ("; leave-one-out would divide groups" if inner == "loo" else " or 'loo'")
        )
    labels = None if groups is None else np.asarray(groups)
    chosen, predictions, within = [], [], []
    for train, test in problem.folds:
        factors = factorise(problem.x, problem.gram, train, test)
        y = problem.y[torch.from_numpy(train).to(problem.y.device)]
        if len(penalties) == 1:
            errors = y.new_zeros((1, y.shape[1]))
        elif isinstance(inner, str):
            errors = left_out_errors(factors, y, penalties, None)
        else:
            members = None if labels is None else labels[train]
            splits = as_folds(inner, len(train), groups=members, seed=seed, what="inner")
            if _from_one_factorisation(splits, len(train), len(factors.values)):
                errors = left_out_errors(factors, y, penalties, [b for _, b in splits])
            else:
                errors = _inner_errors(problem, train, splits, penalties)
        alpha = penalties[errors.argmin(dim=0)]
        chosen.append(alpha)
        mean = y.mean(dim=0)
        within.append(1 - errors.amin(dim=0) / (y - mean).square().sum(dim=0))
        weights = factors.train.T @ (y - mean)
        predictions.append(factors.test @ (weights / (factors.values[:, None] + alpha)) + mean)
    return encoding(
        problem,
        predictions,
        score,
        alphas=torch.stack(chosen),
        inner_r2=torch.stack(within) if len(penalties) > 1 else None,
    )


def ridge_path(
    features: Array, targets: Array, fold: tuple[Array, Array], alphas: Array, *, gram: bool = False
) -> Array:
    """Predict the test presentations of one fold at every penalty.

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        As for `ridge_cv`.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    fold : (train, test)
        Row numbers.
    alphas : array, shape (a,)
        Penalties.
    gram : bool
        Whether `features` is a Gram.

    Returns
    -------
    array, shape (a, tested, t)
        Constant targets are NaN.

    Raises
    ------
    UserError
        As `ridge_cv`.
    """
    problem = prepare(features, targets, [fold], gram=gram)
    penalties = check_alphas(alphas).to(problem.x.device)
    train, test = problem.folds[0]
    factors = factorise(problem.x, problem.gram, train, test)
    y = problem.y[torch.from_numpy(train).to(problem.y.device)]
    shrunk = 1 / (factors.values + penalties[:, None, None])
    weights = factors.train.T @ (y - y.mean(dim=0))
    full = y.new_full((len(penalties), len(test), len(problem.kept)), torch.nan)
    full[..., torch.from_numpy(problem.kept)] = (factors.test * shrunk) @ weights + y.mean(dim=0)
    return like(full, targets)


def check_alphas(alphas: Array) -> Tensor:
    """Return penalties as a float64 row; refuse none, negative ones and NaN."""
    values = to_torch(np.asarray(alphas) if isinstance(alphas, list | tuple) else alphas).double()
    if values.ndim != 1 or len(values) == 0 or not bool((values >= 0).all()):
        raise UserError("alphas must be a row of penalties, none below 0, e.g. np.logspace(-3, 6)")
    return values


def _inner_errors(
    problem: Problem, train: np.ndarray, splits: list[Fold], alphas: Tensor
) -> Tensor:
    """Squared error of each penalty and target, summed over inner folds, shape (a, t)."""
    total = problem.y.new_zeros((len(alphas), problem.y.shape[1]))
    for a, b in splits:
        factors = factorise(problem.x, problem.gram, train[a], train[b])
        fitted, tested = (problem.y[torch.from_numpy(train[i]).to(alphas.device)] for i in (a, b))
        mean = fitted.mean(dim=0)
        weights, residual = factors.train.T @ (fitted - mean), tested - mean
        step = max(1, _CHUNK_BYTES // (8 * residual.numel() + 8 * factors.test.numel()))
        for start in range(0, len(alphas), step):
            shrunk = 1 / (factors.values + alphas[start : start + step, None, None])
            # One product for a block of penalties, taken from the residual in place.
            left = (factors.test * shrunk).flatten(end_dim=1)
            error = residual.repeat(len(shrunk), 1).addmm_(left, weights, alpha=-1)
            error = error.view(len(shrunk), *residual.shape)
            total[start : start + step] += torch.linalg.vector_norm(error, dim=1).square()
    return total


def _from_one_factorisation(splits: list[Fold], n: int, rank: int) -> bool:
    """Whether all inner folds train on all the rest, and are smaller than the rank of the whole."""
    return all(len(a) + len(b) == n and len(b) < rank for a, b in splits)


def left_out_errors(
    factors: Factors, y: Tensor, alphas: Tensor, blocks: list[np.ndarray] | None
) -> Tensor:
    """Squared error of training rows as predicted by the others, in closed form.

    Parameters
    ----------
    factors : Factors
        Of all training rows.
    y : Tensor, shape (trained, t)
        Their targets.
    alphas : Tensor, shape (a,)
        Penalties.
    blocks : list of numpy.ndarray of int, or None
        Rows that are left out together; each by itself if None.

    Returns
    -------
    Tensor, shape (a, t)
        Sums over all blocks; infinite where the rows left over do not determine a prediction.
    """
    u, centred = factors.train, y - y.mean(dim=0)
    weights = u.T @ centred
    # With as many directions as centred rows have, 1 - H is a multiple of alpha, which cancels.
    full = len(factors.values) >= len(y) - 1
    rows = [torch.from_numpy(b).to(y.device) for b in blocks or []]
    rest = y.new_zeros(()) if full else centred - u @ weights
    if blocks is None:
        own = y.new_zeros(()) if full else 1 - 1 / len(y) - u.square().sum(dim=1)
    else:
        own_blocks = [
            y.new_zeros(())
            if full
            else torch.eye(len(b), dtype=y.dtype, device=y.device) - 1 / len(y) - u[b] @ u[b].T
            for b in rows
        ]
    errors = []
    for alpha in alphas:
        shrunk = (1.0 if full else alpha) / (factors.values + alpha)
        scaled = u * shrunk
        residual = scaled @ weights + rest
        if blocks is None:
            left = scaled.mul_(u).sum(dim=1) + own
            left = torch.where(left > torch.finfo(left.dtype).eps * left.max(), left, torch.nan)
            error = residual.div_(left[:, None]).square_().sum(dim=0)
        else:
            error = y.new_zeros(y.shape[1])
            for b, own_block in zip(rows, own_blocks, strict=True):
                factor, failed = torch.linalg.cholesky_ex(scaled[b] @ u[b].T + own_block)
                if bool(failed):
                    error = error + torch.nan
                    break
                # Blocks have far fewer rows than there are targets: a product beats a solve.
                error += (torch.cholesky_inverse(factor) @ residual[b]).square_().sum(dim=0)
        errors.append(error.nan_to_num(nan=torch.inf))
    return torch.stack(errors)
