"""Partial least squares for many targets at once, with every number of components from one run.

PLS2: each component is the direction w of the features whose scores ``t = X w`` have the largest
summed squared covariance with all targets, that is, the first left singular vector of ``X' Y``;
then the part of X and Y that t explains is taken away. Nothing but inner products of presentations
enters, so features wider than the presentations are many are first replaced by a root of their
Gram, a rotation without loss, made once for all folds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import Folds, as_folds
from isocortex.measures.encoding.problem import Problem, prepare
from isocortex.measures.encoding.result import Encoding, encoding

_FRESH = 1e-3
"""Share of its last exact trace below which the updated ``Y' X X' Y`` is computed afresh."""


def coordinates(problem: Problem) -> Tensor:
    """Return the features, or coordinates with the same Gram about its mean, shape (n, r)."""
    if not problem.gram:
        return problem.x
    mean = problem.x.mean(dim=0)
    return _root(problem.x - mean - mean[:, None] + mean.mean())


def _root(gram: Tensor) -> Tensor:
    """Return x with ``x x' = gram`` and as many columns as the Gram has rank."""
    if gram.is_cuda:
        values, vectors = torch.linalg.eigh(gram)
        kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1].abs()
        return vectors[:, kept] * values[kept].sqrt()
    # A triangular root with pivots takes a sixth of the time of eigenvectors.
    matrix = gram.numpy()
    (factorise,) = scipy.linalg.get_lapack_funcs(("pstrf",), (matrix,))
    lower, pivots, rank, _ = factorise(matrix, lower=1)
    root = np.empty_like(lower[:, :rank])
    root[pivots - 1] = np.tril(lower)[:, :rank]
    return torch.from_numpy(root)


def components(
    x: Tensor, y: Tensor, train: np.ndarray, test: np.ndarray, n_components: int
) -> tuple[Tensor, Tensor]:
    """Fit PLS to the training rows and project the test rows onto its components.

    Parameters
    ----------
    x : Tensor, shape (n, r)
        Features or coordinates.
    y : Tensor, shape (n, t)
        Targets.
    train, test : numpy.ndarray of int
        Row numbers.
    n_components : int
        Components wanted.

    Returns
    -------
    scores : Tensor, shape (tested, n_components)
        Scores of the test presentations.
    loadings : Tensor, shape (n_components, t)
        Their weights for the targets: the prediction from k components is the training mean plus
        ``scores[:, :k] @ loadings[:k]``. Both are 0 once nothing is left to explain.
    """
    a, b = (torch.from_numpy(rows).to(x.device) for rows in (train, test))
    rows = x[torch.cat([a, b])]
    rows = rows - rows[: len(a)].mean(dim=0)
    fitted, y = rows[: len(a)], y[a] - y[a].mean(dim=0)
    scores = rows.new_zeros((len(rows), n_components))
    loadings = rows.new_zeros((n_components, y.shape[1]))
    covariance = _Covariance(fitted.T @ y)
    eps = torch.finfo(x.dtype).eps
    floor = 64 * eps * float(torch.linalg.norm(fitted)) * float(torch.linalg.norm(y))
    for k in range(n_components):
        if covariance.norm() <= floor:
            break
        score = rows @ covariance.direction()
        for _ in range(2):  # the second time takes away what rounding left
            score = score - scores[:, :k] @ (scores[: len(a), :k].T @ score[: len(a)])
        scores[:, k] = score / torch.linalg.norm(score[: len(a)])
        loadings[k] = scores[: len(a), k] @ y
        covariance.deflate(fitted.T @ scores[: len(a), k], loadings[k])
    return scores[len(a) :], loadings


class _Covariance:
    """``M = X' Y`` as components are taken away, with its smaller Gram kept up to date."""

    def __init__(self, matrix: Tensor) -> None:
        # More targets than features: the same with the sides exchanged.
        self.wide = matrix.shape[1] > matrix.shape[0]
        self.matrix = matrix
        self._refresh()

    def _refresh(self) -> None:
        self.square = self.matrix @ self.matrix.T if self.wide else self.matrix.T @ self.matrix
        self.exact_trace = float(self.square.trace())

    def norm(self) -> float:
        """Frobenius norm of M."""
        return float(torch.linalg.norm(self.matrix))

    def direction(self) -> Tensor:
        """First left singular vector of M."""
        vector = _dominant(self.square)
        if self.wide:
            return vector
        vector = self.matrix @ vector
        return vector / torch.linalg.norm(vector)

    def deflate(self, left: Tensor, right: Tensor) -> None:
        """Subtract ``left right'`` from M."""
        if self.wide:
            inner, outer, weight = self.matrix @ right, left, right @ right
        else:
            inner, outer, weight = self.matrix.T @ left, right, left @ left
        self.matrix = torch.addr(self.matrix, left, right, alpha=-1)
        cross = torch.outer(inner - outer * (weight / 2), outer)
        self.square = self.square - cross - cross.T
        # Differences of large numbers lose digits; the loss is kept to three.
        if not float(self.square.trace()) > _FRESH * self.exact_trace:
            self._refresh()


def _dominant(matrix: Tensor) -> Tensor:
    """Eigenvector of the largest eigenvalue of a symmetric matrix."""
    if matrix.is_cuda:
        return torch.linalg.eigh(matrix)[1][:, -1]
    last = len(matrix) - 1
    # One vector alone takes LAPACK a third of the time of all.
    _, vector = scipy.linalg.eigh(
        matrix.numpy(), subset_by_index=(last, last), check_finite=False, overwrite_a=False
    )
    return torch.from_numpy(vector[:, 0])


def pls_cv(
    features: Array,
    targets: Array,
    *,
    folds: Folds = 10,
    n_components: int | Sequence[int] = 25,
    inner: Folds = 5,
    gram: bool = False,
    groups: Array | None = None,
    score: str = "pearson",
    seed: int = 0,
) -> Encoding:
    """Predict targets by partial least squares regression on all of them jointly (PLS2).

    The regression is scikit-learn's ``PLSRegression(n_components, scale=False)`` at convergence:
    features and targets less their training means, not scaled.

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        Responses of a network's units, or their Gram ``X X'`` (centred or not).
    targets : array, shape (n, t) or (n,)
        Recorded responses. The components serve all targets, so the set of targets matters.
    folds : int or sequence of (train, test)
        Random folds, or row numbers.
    n_components : int or sequence of int
        Number of components; of several, each target gets that of the least squared error over
        inner folds of the training presentations, all from one run per fold.
    inner : int or sequence of (train, test)
        Inner folds, as in `ridge_cv`; used where there are numbers to choose from.
    gram : bool
        Whether `features` is a Gram.
    groups : array, shape (n,), optional
        Presentations of one group stay together in outer and inner folds.
    score : {"pearson", "r2"}
        What `scores` holds.
    seed : int
        Seed of random folds.

    Returns
    -------
    Encoding
        With ``n_components`` of shape (folds, t). Constant targets are NaN throughout and counted.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, too few stimuli for a fold, or more components than the
        training presentations of a fold (less one) or the features span.

    Notes
    -----
    The normalised scores of the training rows are an orthonormal basis T; ``X' Y`` loses
    ``(X' t)(Y' t)'`` with each component, and test rows follow by the same linear steps. Once the
    targets are explained to rounding no further component is taken.
    """
    problem = prepare(features, targets, folds, gram=gram, groups=groups, seed=seed)
    counts = _check_counts(n_components)
    x = coordinates(problem)
    labels = None if groups is None else np.asarray(groups)
    chosen, predictions = [], []
    for train, test in problem.folds:
        _check_rank(max(counts), x, train)
        count = torch.full(problem.y.shape[1:], counts[0], device=x.device)
        if len(counts) > 1:
            members = None if labels is None else labels[train]
            splits = as_folds(inner, len(train), groups=members, seed=seed, what="inner")
            total = torch.zeros((max(counts), problem.y.shape[1]), dtype=x.dtype, device=x.device)
            for a, b in splits:
                _check_rank(max(counts), x, train[a])
                total += _path_errors(x, problem.y, train[a], train[b], max(counts))
            index = torch.tensor(counts, device=x.device)
            count = index[total[index - 1].argmin(dim=0)]
        chosen.append(count.to(x.dtype))
        scores, loadings = components(x, problem.y, train, test, max(counts))
        used = torch.arange(max(counts), device=x.device)[:, None] < count
        mean = problem.y[torch.from_numpy(train).to(x.device)].mean(dim=0)
        predictions.append(scores @ (loadings * used) + mean)
    return encoding(problem, predictions, score, n_components=torch.stack(chosen))


def pls_path(
    features: Array,
    targets: Array,
    fold: tuple[Array, Array],
    n_components: int,
    *,
    gram: bool = False,
) -> Array:
    """Predict the test presentations of one fold with 1 to `n_components` components.

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        As for `pls_cv`.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    fold : (train, test)
        Row numbers.
    n_components : int
        Most components.
    gram : bool
        Whether `features` is a Gram.

    Returns
    -------
    array, shape (n_components, tested, t)
        Constant targets are NaN.

    Raises
    ------
    UserError
        As `pls_cv`.
    """
    problem = prepare(features, targets, [fold], gram=gram)
    (most,) = _check_counts(n_components)
    x = coordinates(problem)
    train, test = problem.folds[0]
    _check_rank(most, x, train)
    scores, loadings = components(x, problem.y, train, test, most)
    full = x.new_full((most, len(test), len(problem.kept)), torch.nan)
    path = (scores.T[:, :, None] * loadings[:, None]).cumsum(dim=0)
    mean = problem.y[torch.from_numpy(train).to(x.device)].mean(dim=0)
    full[..., torch.from_numpy(problem.kept).to(x.device)] = path + mean
    return like(full, targets)


def _path_errors(
    x: Tensor, y: Tensor, train: np.ndarray, test: np.ndarray, n_components: int
) -> Tensor:
    """Squared error after each component, summed over test rows, shape (n_components, t)."""
    scores, loadings = components(x, y, train, test, n_components)
    a, b = (torch.from_numpy(rows).to(x.device) for rows in (train, test))
    residual = y[b] - y[a].mean(dim=0)
    errors = []
    for score, loading in zip(scores.T, loadings, strict=True):
        residual = torch.addr(residual, score, loading, alpha=-1)
        errors.append(residual.square().sum(dim=0))
    return torch.stack(errors)


def _check_counts(n_components: int | Sequence[int]) -> list[int]:
    single = isinstance(n_components, int | np.integer)
    counts = [int(c) for c in np.atleast_1d(np.asarray(n_components))]
    if not counts or min(counts) < 1:
        raise UserError(f"n_components must be 1 or more, not {n_components}")
    return counts if single else sorted(set(counts))


def _check_rank(n_components: int, x: Tensor, train: np.ndarray) -> None:
    most = min(len(train) - 1, x.shape[1])
    if n_components > most:
        raise UserError(
            f"{n_components} components of {len(train)} training stimuli and {x.shape[1]} "
            f"dimensions of features: use at most {most}"
        )
