"""Linear decoding of categories and of continuous latents, with chance and a permutation null.

A decoder is ridge regression from features to targets: to the latents themselves, or to one
indicator per category, of which the largest wins. All permutations of the labels share the
factorisations of the features, so that each costs a few matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.correlation import pearson
from isocortex.measures.encoding.folds import Fold, Folds, as_folds
from isocortex.measures.encoding.problem import Problem, prepare
from isocortex.measures.encoding.ridge import Factors, check_alphas, factorise
from isocortex.measures.labels import as_numpy, permutations, stratified_k_fold
from isocortex.statistics import Interval, permutation_p

ALPHAS = tuple(np.logspace(-5, 3, 17).tolist())
"""Penalties tried where none are given, over the mean squared length of the centred features."""

TARGETS = ("categories", "latents")
"""What can be decoded."""

_CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class Decoding:
    """What was decoded, how well, and how well by chance.

    Attributes
    ----------
    score : array, shape () or (t,)
        Categories: balanced accuracy, the mean over categories of the share of their
        presentations that was decoded. Latents: ``R2 = 1 - sum (y - p)^2 / sum (y - m)^2`` with m
        the mean of the training presentations, over all tests.
    chance : float
        Score without information: 1 / categories, or 0.
    null : array, shape (n_permutations,) or (n_permutations, t)
        Scores after permutation of the targets.
    p : float or numpy.ndarray, shape (t,)
        ``(b + 1) / (m + 1)`` with b of m permutations at least as good; NaN without permutations.
    predictions : array, shape (n, categories) or (n, t)
        Decision values or decoded latents of the presentations where they were tested, mean over
        folds that tested them; NaN where never.
    classes : numpy.ndarray or None
        The categories, in the order of the columns of `predictions`.
    confusion : array, shape (categories, categories), or None
        How often a category (row) was decoded as another (column), over all folds.
    pearson : array, shape (t,), or None
        Latents: correlation with the decoded ones, mean over folds.
    alphas : array, shape (folds,) or (folds, t)
        Chosen penalties, over the mean squared length of the centred training features.
    n_permutations, n : int
        Permutations, and presentations that were tested.
    parts : Tensor, shape (units, 2, categories) or (units, 2, t)
        What the score is a ratio of, for each presentation or group that was tested: hits and
        counts of each category, or squared errors of the decoder and of the mean.
    """

    score: Array
    chance: float
    null: Array
    p: float | np.ndarray
    predictions: Array
    classes: np.ndarray | None
    confusion: Array | None
    pearson: Array | None
    alphas: Array
    n_permutations: int
    n: int
    parts: Tensor

    @property
    def tested(self) -> np.ndarray:
        """Which presentations were tested, shape (n,)."""
        return np.isfinite(as_numpy(self.predictions)).any(axis=1)

    @property
    def labels(self) -> np.ndarray:
        """Decoded categories of the tested presentations, shape (tested,)."""
        if self.classes is None:
            raise UserError("latents have no labels; their decoded values are in .predictions")
        return self.classes[as_numpy(self.predictions)[self.tested].argmax(axis=1)]

    def intervals(
        self, *, n_draws: int = 2000, level: float = 0.95, seed: int = 0
    ) -> list[Interval]:
        """Bootstrap the score over tested presentations (or groups), the decoders as they are.

        Returns
        -------
        list of Interval
            One for the balanced accuracy, or one per latent; percentile bounds.
        """
        units = len(self.parts)
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(units, np.full(units, 1 / units), n_draws)
        weights = torch.from_numpy(counts).to(self.parts)
        sums = (weights @ self.parts.flatten(start_dim=1)).unflatten(1, self.parts.shape[1:])
        draws = _score(sums, self.classes is not None)
        bounds = draws.new_tensor([(1 - level) / 2, (1 + level) / 2])
        low, high = draws.nanquantile(bounds, dim=0).reshape(2, -1).tolist()
        estimates = np.atleast_1d(as_numpy(self.score)).tolist()
        return [
            Interval(e, a, b, level, units, "percentile over presentations")
            for e, a, b in zip(estimates, low, high, strict=True)
        ]


def decode(
    features: Array,
    targets: Array,
    *,
    folds: Folds = 5,
    what: str | None = None,
    alphas: Array = ALPHAS,
    inner: Folds = 5,
    gram: bool = False,
    groups: Array | None = None,
    n_permutations: int = 0,
    seed: int = 0,
) -> Decoding:
    """Decode categories or continuous latents from responses, by ridge with nested penalties.

    For each fold the penalty with the least squared error over inner folds of the training
    presentations is taken, one for all categories, one for each latent. Categories are coded by
    indicators; the largest decision value wins (a ridge classifier). Categories that lie in a row
    along a single line hide the middle one from it (Hastie et al. 2009, section 4.2).

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        Responses, not standardised here, or their Gram.
    targets : array, shape (n,) or (n, t)
        Labels, or latents in any unit. An angle goes in as its sine and cosine.
    folds : int or sequence of (train, test)
        Random folds, in which every category has its share, or row numbers.
    what : {"categories", "latents"}, optional
        What the targets are; by default floating-point numbers are latents and all else labels.
    alphas : array, shape (a,)
        Penalties to choose from, over the mean squared length of the centred training features, so
        that the unit of the responses does not matter.
    inner : int or sequence of (train, test)
        Inner folds: a number, or positions among the sorted training rows.
    gram : bool
        Whether `features` is a Gram.
    groups : array, shape (n,), optional
        Presentations of one group (views of an object) stay together in outer and inner folds.
    n_permutations : int
        Permutations of the targets for the null. They keep what can be exchanged: within the test
        set of each fold where every one holds different targets, so that folds stay balanced;
        between groups where the target is constant in each, else within groups.
    seed : int
        Seed of random folds and permutations.

    Returns
    -------
    Decoding
        Arrays in the kind of `features`. Latents that are constant are NaN. Features that do not
        vary decode at chance.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, fewer than two categories, folds that test a category on
        which they do not train, bad penalties, or an unknown `what`.
    """
    if n_permutations < 0:
        raise UserError(f"n_permutations={n_permutations} must be 0 (no null) or more")
    labels, classes, coded = _coded(targets, what)
    if classes is not None and isinstance(folds, int | np.integer) and groups is None:
        folds = stratified_k_fold(labels, int(folds), seed=seed)
    problem = prepare(features, coded, folds, gram=gram, groups=groups, seed=seed)
    if classes is not None:
        _check_trained(labels, classes, problem.folds)
    penalties = check_alphas(alphas).to(problem.x.device)
    members = None if groups is None else np.asarray(as_numpy(groups))
    orders = np.concatenate(
        [
            np.arange(problem.n)[None],
            permutations(labels, problem.folds, members, n_permutations, seed),
        ]
    )
    run = _Run(problem, penalties, inner, members, seed, classes is not None)
    return run.decoding(torch.from_numpy(orders).to(problem.x.device), classes, features)


@dataclass(frozen=True)
class _Run:
    """One call: targets in all their orders, decoded fold by fold."""

    problem: Problem
    penalties: Tensor
    inner: Folds
    groups: np.ndarray | None
    seed: int
    categories: bool

    def decoding(self, orders: Tensor, classes: np.ndarray | None, features: Array) -> Decoding:
        """Decode the targets (order 0) and their permutations."""
        problem, y = self.problem, self.problem.y
        n, columns = y.shape
        parts = y.new_zeros((n, 2, columns))
        sums = y.new_zeros((len(orders), 2, columns))
        values, times = y.new_zeros((n, columns)), y.new_zeros((n, 1))
        confusion = y.new_zeros((columns, columns))
        chosen, correlations = [], []
        for train, test in problem.folds:
            fits = self._factors(train, test)
            rows = torch.from_numpy(test).to(y.device)
            step = max(1, _CHUNK_BYTES // (8 * n * max(1, columns)))
            for start in range(0, len(orders), step):
                block = orders[start : start + step]
                decoded, alpha = self._decoded(fits, train, y[block])
                true = y[block[:, rows]]
                mean = y[block[:, torch.from_numpy(train).to(y.device)]].mean(dim=1, keepdim=True)
                error = self._parts(true, decoded, mean)
                sums[start : start + step] += error.sum(dim=1)
                if start == 0:
                    parts[rows] += error[0]
                    values[rows] += decoded[0]
                    times[rows] += 1
                    chosen.append(alpha[0, 0] if self.categories else alpha[0])
                    if self.categories:
                        winner = torch.nn.functional.one_hot(decoded[0].argmax(dim=1), columns)
                        confusion += true[0].T @ winner.to(y)
                    else:
                        correlations.append(pearson(true[0].T, decoded[0].T))
        scores = self._all(_score(sums, self.categories))
        values = self._all(torch.where(times > 0, values / times, torch.nan))
        tested = times[:, 0] > 0
        null = scores[1:]
        p: float | np.ndarray = np.full(scores.shape[1:], np.nan)
        if len(null):
            p = permutation_p(scores[0].cpu().numpy(), null.cpu().numpy())
        r = None if self.categories else self._all(torch.stack(correlations).nanmean(dim=0))
        return Decoding(
            score=like(scores[0], features),
            chance=1 / columns if self.categories else 0.0,
            null=like(null, features),
            p=float(p) if np.ndim(p) == 0 else p,
            predictions=like(values, features),
            classes=classes,
            confusion=like(confusion, features) if self.categories else None,
            pearson=None if r is None else like(r, features),
            alphas=like(self._all(torch.stack(chosen)), features),
            n_permutations=len(null),
            n=int(tested.sum()),
            parts=self._all(self._units(parts, tested)),
        )

    def _factors(self, train: np.ndarray, test: np.ndarray) -> list[tuple[Factors, Fold]]:
        """Factorise a fold and then its inner folds, with the rows of each."""
        splits: list[Fold] = []
        if len(self.penalties) > 1:
            members = None if self.groups is None else self.groups[train]
            inner = as_folds(self.inner, len(train), groups=members, seed=self.seed, what="inner")
            splits = [(train[a], train[b]) for a, b in inner]
        x, gram = self.problem.x, self.problem.gram
        return [(factorise(x, gram, a, b), (a, b)) for a, b in [(train, test), *splits]]

    def _decoded(
        self, fits: list[tuple[Factors, Fold]], train: np.ndarray, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode targets (orders, n, c): (orders, tested, c) and penalties (orders, 1 or c)."""
        orders, n, columns = y.shape
        # All orders side by side, so that each penalty is one product.
        wide = y.transpose(0, 1).reshape(n, orders * columns)
        errors = wide.new_zeros((len(self.penalties), wide.shape[1]))
        for factors, (a, b) in fits[1:]:
            fitted, tested = (wide[torch.from_numpy(rows).to(y.device)] for rows in (a, b))
            mean = fitted.mean(dim=0)
            weights, residual = factors.train.T @ (fitted - mean), tested - mean
            for i, alpha in enumerate(self.penalties * _length(factors)):
                decoded = (factors.test / (factors.values + alpha)) @ weights
                errors[i] += (residual - decoded).square().sum(dim=0)
        total = errors.view(len(errors), orders, columns)
        total = total.sum(dim=-1, keepdim=True) if self.categories else total
        alpha = self.penalties[total.argmin(dim=0)]
        factors, _ = fits[0]
        fitted = wide[torch.from_numpy(train).to(y.device)]
        mean = fitted.mean(dim=0)
        penalty = alpha.expand(orders, columns).reshape(-1) * _length(factors)
        weights = (factors.train.T @ (fitted - mean)) / (factors.values[:, None] + penalty)
        decoded = factors.test @ weights + mean
        return decoded.view(len(decoded), orders, columns).transpose(0, 1), alpha

    def _parts(self, true: Tensor, decoded: Tensor, mean: Tensor) -> Tensor:
        """Return what the score is a ratio of, (orders, tested, 2, c): hits, counts; or squares."""
        if self.categories:
            hit = true.gather(-1, decoded.argmax(dim=-1, keepdim=True))
            return torch.stack([true * hit, true], dim=2)
        return torch.stack([(true - decoded).square(), (true - mean).square()], dim=2)

    def _units(self, parts: Tensor, tested: Tensor) -> Tensor:
        """Sum over the presentations of each group, of those that were tested."""
        if self.groups is None:
            return parts[tested]
        kept = tested.cpu().numpy()
        member = torch.from_numpy(np.unique(self.groups[kept], return_inverse=True)[1])
        total = parts.new_zeros((int(member.max()) + 1, *parts.shape[1:]))
        return total.index_add_(0, member.to(parts.device), parts[tested])

    def _all(self, kept: Tensor) -> Tensor:
        """Put latents that were constant back, as NaN along the last axis."""
        mask = self.problem.kept
        if self.categories or mask.all():
            return kept
        full = kept.new_full((*kept.shape[:-1], len(mask)), torch.nan)
        full[..., torch.from_numpy(mask).to(kept.device)] = kept
        return full


def _length(factors: Factors) -> Tensor:
    """Mean squared length of the centred training features."""
    return factors.values.sum() / len(factors.train)


def _score(parts: Tensor, categories: bool) -> Tensor:
    """Balanced accuracy (...) of hits and counts, or R2 (..., t) of squares; (..., 2, c) in."""
    first, second = parts.unbind(dim=-2)
    ratio = first / torch.where(second > 0, second, torch.nan)
    return ratio.nanmean(dim=-1) if categories else 1 - ratio


def _coded(targets: Array, what: str | None) -> tuple[np.ndarray, np.ndarray | None, Array]:
    """Return targets as rows to permute, the categories if they are, and the coded targets."""
    if what is not None and what not in TARGETS:
        raise unknown("kind of target", what, TARGETS)
    values = as_numpy(targets)
    if what is None:
        what = "latents" if np.issubdtype(values.dtype, np.floating) else "categories"
    if what == "latents":
        if values.dtype.kind not in "fiub":
            raise UserError("latents must be numbers; labels are decoded with what='categories'")
        return values, None, to_torch(targets).double()
    if values.ndim != 1:
        raise UserError(
            f"categories must be one label a presentation, shape (n,), not {values.shape}; for "
            "numbers use what='latents'"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UserError("labels hold NaN; leave those presentations out")
    classes, member = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise UserError(f"decoding needs two or more categories, not {len(classes)}")
    return member, classes, np.eye(len(classes))[member]


def _check_trained(labels: np.ndarray, classes: np.ndarray, folds: list[Fold]) -> None:
    for i, (train, test) in enumerate(folds):
        missing = np.setdiff1d(labels[test], labels[train])
        if len(missing):
            raise UserError(
                f"folds[{i}] tests category {classes[missing[0]]!s} but does not train on it; use "
                "fewer folds, or leave the category out"
            )
