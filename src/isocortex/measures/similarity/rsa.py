"""Models against the RDMs of several subjects: scores, noise ceilings, and their bootstrap.

A draw of stimuli with replacement is a weight for every pair of them, so that all draws share the
RDMs as they are: nothing is copied, and a pair of a stimulus with itself never enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.similarity.compare import (
    METHODS,
    distances,
    ranks,
    unit_distances,
    unit_scaled,
    unit_whitened,
)
from isocortex.measures.similarity.kendall import tau_a
from isocortex.statistics import Interval

_CHUNK_BYTES = 2**22

OVER = ("stimuli", "subjects")
"""What a bootstrap can draw anew."""


@dataclass(frozen=True)
class NoiseCeiling:
    """Bounds on the mean score over subjects that a true model could reach.

    Attributes
    ----------
    lower, upper : float
        Mean over subjects of their similarity to the mean of the others, and to the mean of all.
    lower_subjects, upper_subjects : array, shape (subjects,)
        The same, subject by subject.
    method : str
        How RDMs were compared.
    """

    lower: float
    upper: float
    lower_subjects: Array
    upper_subjects: Array
    method: str


@dataclass(frozen=True)
class RSA:
    """Similarity of models to subjects, with draws of its bootstrap.

    Attributes
    ----------
    scores : array, shape (models,)
        Mean over subjects.
    subjects : array, shape (models, subjects)
        Similarity of each model to each subject.
    ceiling : NoiseCeiling
        Of the data as they are.
    draws : array, shape (n_draws, models)
        Scores of the bootstrap samples.
    ceiling_draws : array, shape (n_draws, 2)
        Lower and upper noise ceiling of the bootstrap samples; a lower one is NaN where the
        sample holds a single subject.
    level : float
        Coverage of the intervals.
    over : tuple of str
        What was drawn anew.
    n : int
        The smaller number of what was drawn, stimuli or subjects.
    """

    scores: Array
    subjects: Array
    ceiling: NoiseCeiling
    draws: Array
    ceiling_draws: Array
    level: float
    over: tuple[str, ...]
    n: int

    def intervals(self) -> list[Interval]:
        """Return the score of each model with its percentile interval."""
        return [self._interval(self.scores[k], self.draws[:, k]) for k in range(len(self.scores))]

    def difference(self, first: int, second: int) -> Interval:
        """Score of one model minus that of another, paired draw by draw."""
        weights = np.zeros(len(self.scores))
        weights[first] += 1
        weights[second] -= 1
        return self.contrast(weights)

    def contrast(self, weights: Array) -> Interval:
        """Sum of the scores of all models, each times its weight, paired draw by draw."""
        draws, scores = (to_torch(x).double() for x in (self.draws, self.scores))
        w = torch.as_tensor(weights, dtype=torch.float64, device=draws.device)
        # A model without weight may be undefined in some draws; 0 times NaN would spread.
        held = w != 0
        return self._interval(scores[held] @ w[held], draws[:, held] @ w[held])

    def below_ceiling(self, model: int) -> Interval:
        """Lower noise ceiling minus the score of a model, paired draw by draw."""
        return self._interval(
            self.ceiling.lower - self.scores[model], self.ceiling_draws[:, 0] - self.draws[:, model]
        )

    def ceiling_intervals(self) -> tuple[Interval, Interval]:
        """Return the lower and the upper noise ceiling with their percentile intervals."""
        return (
            self._interval(self.ceiling.lower, self.ceiling_draws[:, 0]),
            self._interval(self.ceiling.upper, self.ceiling_draws[:, 1]),
        )

    def _interval(self, estimate: Array, draws: Array) -> Interval:
        drawn = np.asarray(draws.cpu() if isinstance(draws, Tensor) else draws, dtype=float)
        drawn = drawn[~np.isnan(drawn)]
        tail = (1 - self.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (np.nan, np.nan)
        name = "percentile over " + " and ".join(self.over)
        return Interval(float(estimate), float(low), float(high), self.level, self.n, name)


def noise_ceiling(
    subjects: Array, method: str = "spearman", *, vectors: bool = False
) -> NoiseCeiling:
    """Noise ceiling of the RDMs of several subjects (Nili et al. 2014).

    Lower: each subject against the mean of the others; upper: against the mean of all, which
    holds the subject itself. Before the mean RDMs are brought to what the method compares: unit
    variance after centring (Pearson), ranks (Spearman, tau-a), unit length (cosine, whitened
    cosine); so the upper bound is the best that any model can do (for ranks nearly).

    Parameters
    ----------
    subjects : array, shape (subjects, n, n); with ``vectors=True`` (subjects, n (n - 1) / 2)
        RDMs over the same stimuli.
    method : str
        As in `compare_rdms`.
    vectors : bool
        Whether `subjects` are upper triangles.

    Returns
    -------
    NoiseCeiling
        NaN for a subject whose RDM does not vary, and then for the means.

    Raises
    ------
    UserError
        For an unknown method, fewer than two subjects or three stimuli, or RDMs that hold NaN.
    """
    rdms = checked_subjects(subjects, method, vectors)
    weights = rdms.new_ones(1, 1, rdms.shape[1])
    ranked = comparable(method, rdms[None], weights)
    lower, upper = _ceilings(method, ranked, rdms.new_ones(1, len(rdms)), weights)
    return NoiseCeiling(
        lower=float(lower.mean()),
        upper=float(upper.mean()),
        lower_subjects=like(lower[0], subjects),
        upper_subjects=like(upper[0], subjects),
        method=method,
    )


def bootstrap_rsa(
    models: Array,
    subjects: Array,
    method: str = "spearman",
    *,
    over: Sequence[str] = OVER,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    vectors: bool = False,
) -> RSA:
    """Compare models with the RDMs of subjects; draw stimuli and subjects anew for intervals.

    A sample that holds a stimulus ``c_i`` times holds the distance of i and j ``c_i c_j`` times
    and no distance of a stimulus to itself. Models, subjects and noise ceilings see the same
    samples, so that differences between them are paired. Copies of a subject are left out
    together in the lower ceiling. Drawing stimuli and subjects at once is conservative
    (Schuett et al. 2023).

    Parameters
    ----------
    models : array, shape (models, n, n) or (n, n); with ``vectors=True`` upper triangles
        RDMs that are predicted.
    subjects : array, shape (subjects, n, n); with ``vectors=True`` upper triangles
        RDMs that were measured.
    method : str
        As in `compare_rdms`. For the whitened cosine only subjects can be drawn: its covariance is
        that of different stimuli.
    over : sequence of {"stimuli", "subjects"}
        What is drawn anew.
    n_draws : int
        Bootstrap samples. Samples with fewer than three different stimuli are drawn again.
    level : float
        Coverage of the intervals.
    seed : int
        Seed of the draws.
    vectors : bool
        Whether the RDMs are upper triangles.

    Returns
    -------
    RSA
        Arrays in the kind and precision of `subjects`.

    Raises
    ------
    UserError
        As `noise_ceiling`; for an unknown level of resampling, or RDMs over different stimuli.
    """
    over = tuple(over)
    for name in over:
        if name not in OVER:
            raise unknown("level to resample", name, OVER)
    if not over or n_draws < 1 or not 0 < level < 1:
        raise UserError(
            f"need something to draw over, n_draws >= 1 and 0 < level < 1, not {over}, {n_draws} "
            f"and {level}"
        )
    if method == "whitened_cosine" and "stimuli" in over:
        raise UserError(
            "the whitened cosine has no bootstrap over stimuli; use over=('subjects',) or "
            "method='cosine'"
        )
    data = checked_subjects(subjects, method, vectors)
    predicted = checked_models(models, data, vectors)
    n_subjects, m = data.shape
    n = round((1 + (1 + 8 * m) ** 0.5) / 2)
    rng = np.random.default_rng(seed)
    shown, drawn = (
        data.new_tensor(
            _counts(rng, n_draws, size, least) if name in over else np.ones((1, size))
        ).expand(n_draws, size)
        for name, size, least in (("stimuli", n, 3), ("subjects", n_subjects, 1))
    )
    j, k = torch.triu_indices(n, n, 1, device=data.device)
    step = max(1, _CHUNK_BYTES // (8 * m * (n_subjects + len(predicted))))
    scores, ceilings = [], []
    for start in range(0, n_draws, step):
        part, c = shown[start : start + step], drawn[start : start + step]
        weights = (part[:, j] * part[:, k])[:, None]
        a, b = (comparable(method, x[None], weights) for x in (predicted, data))
        a, b, weights = _sampled(a, b, weights)
        scores.append(_mean(_agreement(method, a, b, weights), c[:, None]))
        ceilings.append(torch.stack([_mean(x, c) for x in _ceilings(method, b, c, weights)], 1))
    whole = data.new_ones(1, 1, m)
    a, b = (comparable(method, x[None], whole) for x in (predicted, data))
    agreement = _agreement(method, a, b, whole)[0]
    sizes = [{"stimuli": n, "subjects": n_subjects}[name] for name in over]
    return RSA(
        scores=like(agreement.mean(dim=1), subjects),
        subjects=like(agreement, subjects),
        ceiling=noise_ceiling(subjects, method, vectors=vectors),
        draws=like(torch.cat(scores), subjects),
        ceiling_draws=like(torch.cat(ceilings), subjects),
        level=level,
        over=over,
        n=min(sizes),
    )


def checked_models(models: Array, subjects: Tensor, vectors: bool) -> Tensor:
    """Return distances (models, m) that fit those of subjects, or raise `UserError`."""
    predicted = distances(models, vectors).to(subjects.device)
    predicted = predicted.reshape(-1, predicted.shape[-1])
    if predicted.shape[1] != subjects.shape[1] or not bool(predicted.isfinite().all()):
        raise UserError(
            f"models must be finite RDMs over the stimuli of the subjects ({subjects.shape[1]} "
            f"distances), not {tuple(models.shape)}"
        )
    return predicted


def checked_subjects(subjects: Array, method: str, vectors: bool) -> Tensor:
    """Return distances (subjects, m) of a known method's kind, or raise `UserError`."""
    if method not in METHODS:
        raise unknown("RDM comparison", method, METHODS)
    rdms = distances(subjects, vectors)
    if rdms.ndim != 2 or len(rdms) < 2 or not bool(rdms.isfinite().all()):
        raise UserError(
            "a noise ceiling needs finite RDMs of two or more subjects, (subjects, ...), not "
            f"{tuple(subjects.shape)}; leave out stimuli whose distances are NaN"
        )
    return rdms


def _counts(rng: np.random.Generator, draws: int, n: int, least: int) -> np.ndarray:
    """How often each of n was drawn, shape (draws, n), at least `least` of them in every draw."""
    counts = np.zeros((draws, n))
    poor = np.arange(draws)
    while len(poor):
        drawn = rng.integers(0, n, (len(poor), n)) + n * np.arange(len(poor))[:, None]
        counts[poor] = np.bincount(drawn.ravel(), minlength=len(poor) * n).reshape(-1, n)
        poor = poor[(counts[poor] > 0).sum(axis=1) < least]
    return counts


def _sampled(models: Tensor, subjects: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the distances that a draw holds, padded with some of weight 0 to the fullest draw.

    Returns
    -------
    Tensor, shapes (draws, models, kept), (draws, subjects, kept), (draws, 1, kept)
    """
    held = weights > 0
    kept = int(held.sum(dim=-1).max())
    index = held.byte().argsort(dim=-1, descending=True, stable=True)[..., :kept]
    a, b = (
        x.expand(len(weights), -1, -1).gather(-1, index.expand(-1, x.shape[1], -1))
        for x in (models, subjects)
    )
    return a, b, weights.gather(-1, index)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """Mean along the last axis over what was drawn, as often as it was drawn."""
    kept = torch.where(counts > 0, values, 0.0)
    return (kept * counts).sum(dim=-1) / counts.sum(dim=-1)


UNITS = {
    "pearson": unit_distances,
    "spearman": unit_distances,
    "cosine": unit_scaled,
    "whitened_cosine": unit_whitened,
}
"""Methods that are dot products of something of length 1, of ranks for Spearman."""

_OF_RANKS = ("spearman", "tau_a")


def comparable(method: str, rdms: Tensor, weights: Tensor) -> Tensor:
    """Replace distances by their ranks in each sample, where the method compares ranks.

    The order of the distances is that of all samples; only the ranks are each sample's own.
    """
    return ranks(rdms, weights) if method in _OF_RANKS else rdms


def _keys(ranked: Tensor) -> Tensor:
    """Whole numbers in the order of mean ranks, which are 1 or more apart where they differ."""
    return ranked.floor().int()


def _agreement(method: str, models: Tensor, subjects: Tensor, weights: Tensor) -> Tensor:
    """Similarity of every model to every subject, (draws, models, subjects)."""
    if method not in UNITS:
        subjects = _keys(subjects) if method in _OF_RANKS else subjects
        return METHODS[method](models[:, :, None], subjects[:, None], weights[:, None])
    a, b = (UNITS[method](x, weights) for x in (models, subjects))
    return (a @ b.mT).clamp_(-1.0, 1.0)


def _ceilings(
    method: str, subjects: Tensor, counts: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Similarity of every subject to the mean of the others and of all, (draws, subjects) each."""
    if method in _OF_RANKS:
        return _rank_ceilings(method, subjects, counts, weights)
    u = UNITS[method](subjects, weights)
    r = u @ u.mT
    to_all = (r @ counts[..., None])[..., 0]
    square = (counts * to_all).sum(dim=-1, keepdim=True)
    own = counts * r.diagonal(dim1=-2, dim2=-1)
    # |sum of all|^2 less the subject's copies; nothing is left where they were alone.
    square_others = square - 2 * counts * to_all + counts * own
    alone = counts >= counts.sum(dim=-1, keepdim=True)
    others = torch.where(alone, torch.nan, square_others.clamp_min(0.0).sqrt())
    return (to_all - own) / others, to_all / square.sqrt()


def _rank_ceilings(
    method: str, ranked: Tensor, counts: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    share = counts[..., None] * ranked
    total = share.sum(dim=-2, keepdim=True)
    if method == "tau_a":
        keys = _keys(ranked)
        return tau_a(total - share, keys, weights), tau_a(total, keys, weights)
    u = unit_distances(ranked, weights)
    lower, upper = (unit_distances(ranks(x, weights), weights) for x in (total - share, total))
    return (lower * u).sum(dim=-1), (upper * u).sum(dim=-1)
