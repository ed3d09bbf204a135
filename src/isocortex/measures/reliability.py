"""Reliability of recordings: split halves, explainable variance and the leave-one-out oracle.

Split halves, over repetitions of the stimuli or over neuroids: a measurement is split at random,
something is computed from each half, and the two results are correlated; Spearman-Brown
extrapolates from a half to the whole. Explainable variance and oracle take the repetitions as they
are; their intervals come from a bootstrap over presentations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.correlation import pearson, unit_vectors
from isocortex.statistics import Interval, bootstrap_interval

_CHUNK_BYTES = 2**25

OVER = ("repetitions", "neuroids")


def spearman_brown(r: Array, factor: float = 2.0) -> Array:
    """Reliability of a measurement that is `factor` times as long: ``f r / (1 + (f - 1) r)``.

    Parameters
    ----------
    r : array or float, any shape
        Correlation of two parts of equal length.
    factor : float
        Length wanted over length of a part; 2 for halves.

    Returns
    -------
    array or float
        As `r`. NaN where ``1 + (f - 1) r <= 0``, that is, for halves, at r = -1.

    Raises
    ------
    UserError
        If `factor` is not positive.
    """
    if not factor > 0:
        raise UserError(f"Spearman-Brown factor {factor} must be above 0; use 2 for halves")
    if isinstance(r, float | int):
        return float(spearman_brown(np.array([r], dtype=float), factor)[0])
    x = to_torch(r)
    below = 1 + (factor - 1) * x
    return like(factor * x / torch.where(below > 0, below, torch.nan), r)


@dataclass(frozen=True)
class Reliability:
    """Reliability per neuroid, or per set of presentations, with bounds.

    Attributes
    ----------
    values : array, shape (...)
        One value per neuroid. Split half: Spearman-Brown of the mean correlation over splits; over
        neuroids one value per set of presentations.
    splits : array, shape (n_splits, ...)
        Split half: correlation of the halves in each split, not corrected. Explainable variance
        and oracle: values of the bootstrap samples of presentations.
    low, high : array, shape (...)
        Quantiles of the (corrected) splits. Split half: how much the choice of halves matters.
        Otherwise: how much the choice of presentations does. For other neuroids see `interval`.
    level : float
        Share of the splits between `low` and `high`.
    formula : str
        Which of the formulas of this module `values` come from.
    """

    values: Array
    splits: Array
    low: Array
    high: Array
    level: float
    formula: str = "split_half"

    def interval(
        self,
        statistic: Callable[..., np.ndarray] = np.median,
        *,
        method: Literal["percentile", "bca"] = "bca",
        n_resamples: int = 2000,
        seed: int = 0,
    ) -> Interval:
        """Bootstrap a summary over the entries of `values` (neuroids, persons).

        Undefined entries are left out and counted in ``n_dropped``.
        """
        return bootstrap_interval(
            self.values.reshape(-1),
            statistic,
            method=method,
            n_resamples=n_resamples,
            level=self.level,
            seed=seed,
            nan="drop",
        )


def split_half(
    responses: Array,
    over: Literal["repetitions", "neuroids"] = "repetitions",
    *,
    n_splits: int = 100,
    level: float = 0.95,
    seed: int = 0,
) -> Reliability:
    """Split-half reliability with Spearman-Brown.

    Over repetitions: the repetitions of each presentation are divided at random, each half is
    averaged, and the halves are correlated over presentations, for each neuroid by itself. Over
    neuroids: the neuroids are divided at random, each half gives an RDM over presentations
    (1 - Pearson), and the distances of the two RDMs are correlated.

    Parameters
    ----------
    responses : array
        Over repetitions: (repetitions, presentations, neuroids), NaN where a repetition was not
        shown; presentations with fewer than two repetitions are left out, neuroid by neuroid.
        Over neuroids: (..., presentations, neuroids), as a rule z-scored per neuroid; each
        leading index (an object, a person) has its own RDM, all share the splits.
    over : {"repetitions", "neuroids"}
        What is divided. Of an odd number of neuroids one half gets one more; of odd repetitions,
        too.
    n_splits : int
        Random splits.
    level : float
        Share of the splits between the bounds.
    seed : int
        Seed of the splits.

    Returns
    -------
    Reliability
        ``values`` of shape (neuroids,) or (...). NaN where a correlation is undefined in every
        split (fewer than three presentations, constant halves); the mean is over the defined ones.

    Raises
    ------
    UserError
        For an unknown `over`, too few axes, or fewer than two repetitions or four neuroids.
    """
    if over not in OVER:
        raise unknown("way to split", over, OVER)
    if n_splits < 1 or not 0 < level < 1:
        raise UserError(f"need n_splits >= 1 and 0 < level < 1, not {n_splits} and {level}")
    rng = np.random.default_rng(seed)
    split = _over_repetitions if over == "repetitions" else _over_neuroids
    splits = split(responses, n_splits, rng)
    values = spearman_brown(splits.nanmean(dim=0))
    tail = (1 - level) / 2
    bounds = torch.tensor([tail, 1 - tail], dtype=splits.dtype, device=splits.device)
    low, high = spearman_brown(splits).nanquantile(bounds, dim=0)
    values, splits, low, high = (like(t, responses) for t in (values, splits, low, high))
    return Reliability(values, splits, low, high, level)


def _over_repetitions(responses: Array, n_splits: int, rng: np.random.Generator) -> Tensor:
    if responses.ndim != 3 or responses.shape[0] < 2:
        raise UserError(
            "splitting repetitions needs responses (repetitions >= 2, presentations, neuroids), "
            f"not {tuple(responses.shape)}"
        )
    x = to_torch(responses)
    repetitions, presentations = x.shape[:2]
    shown = ~x.isnan()
    filled = x.nan_to_num()
    enough = shown.sum(dim=0) >= 2
    step = max(1, _CHUNK_BYTES // (8 * x.numel()))
    out = []
    for start in range(0, n_splits, step):
        size = min(step, n_splits - start)
        keys = torch.from_numpy(rng.random((size, repetitions, presentations, 1))).to(x.device)
        # Rank of each repetition among those that were shown; even ranks make the first half.
        ranks = torch.where(shown, keys, torch.inf).argsort(dim=1).argsort(dim=1)
        first = shown & (ranks % 2 == 0)
        second = shown & (ranks % 2 == 1)
        a = (filled * first).sum(dim=1) / first.sum(dim=1)
        b = (filled * second).sum(dim=1) / second.sum(dim=1)
        out.append(_masked_pearson(a.mT, b.mT, enough.T))
    return torch.cat(out)


def _masked_pearson(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Pearson r along the last axis over the entries of the mask, shape of the last axes."""
    if bool(mask.all()):
        r = pearson(a, b)
    else:
        count = mask.sum(dim=-1, keepdim=True)

        def filled(x: Tensor) -> Tensor:
            # Entries at the mean of the others weigh nothing in a correlation.
            mean = torch.where(mask, x, 0.0).sum(dim=-1, keepdim=True) / count
            return torch.where(mask, x, mean)

        r = (unit_vectors(filled(a)) * unit_vectors(filled(b))).sum(dim=-1).clamp(-1.0, 1.0)
    return torch.where(mask.sum(dim=-1) >= 3, r, torch.nan)


def _over_neuroids(responses: Array, n_splits: int, rng: np.random.Generator) -> Tensor:
    if responses.ndim < 2 or responses.shape[-1] < 4:
        raise UserError(
            "splitting neuroids needs responses (..., presentations, neuroids >= 4), not "
            f"{tuple(responses.shape)}"
        )
    x = to_torch(responses)
    presentations, neuroids = x.shape[-2:]
    j, k = torch.triu_indices(presentations, presentations, 1, device=x.device)
    enough = len(j) >= 3
    out = []
    for _ in range(n_splits):
        order = torch.from_numpy(rng.permutation(neuroids)).to(x.device)
        halves = []
        for half in (order[: neuroids // 2], order[neuroids // 2 :]):
            u = unit_vectors(x[..., half])
            halves.append((1 - u @ u.mT)[..., j, k])
        r = pearson(*halves)
        out.append(r if enough else torch.full_like(r, torch.nan))
    return torch.stack(out)


def explainable_variance(
    responses: Array,
    of: Literal["trial", "mean"] = "trial",
    *,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Reliability:
    """Share of the variance over presentations that is not noise between repetitions.

    Of single trials ``1 - V_noise / V_total``, with V_total the variance of all trials and V_noise
    the mean over presentations of the variance over repetitions, both unbiased (Cadena et al.,
    PLoS Comput. Biol. 2019). Of the mean over k repetitions ``S / (S + V_noise mean(1 / k))`` with
    ``S = V_total - V_noise``, which is Spearman-Brown of the former. The largest correlation that a
    prediction can reach is the square root.

    Parameters
    ----------
    responses : array, shape (repetitions, presentations, neuroids)
        Single trials, NaN where a repetition was not shown. Presentations with fewer than two
        repetitions are left out, neuroid by neuroid.
    of : {"trial", "mean"}
        What a prediction is compared with: single trials, or the mean over repetitions.
    n_draws : int
        Bootstrap samples of presentations.
    level : float
        Share of the samples between the bounds.
    seed : int
        Seed of the samples.

    Returns
    -------
    Reliability
        ``values`` of shape (neuroids,), at most 1 and about 0 for noise, at times below. NaN for
        neuroids that are constant or have fewer than three presentations.

    Raises
    ------
    UserError
        For an unknown `of`, other than three axes, or fewer than two repetitions.
    """
    if of not in ("trial", "mean"):
        raise unknown("kind of response", of, ("trial", "mean"))
    x, shown = _trials(responses)
    k = shown.sum(dim=0)
    mean = x.sum(dim=0) / k
    spread = (torch.where(shown, x - mean, 0.0)).square().sum(dim=0) / (k - 1)
    enough = k >= 2
    inverse = torch.where(enough, 1.0 / k, 0.0)
    sums = [k, x.sum(dim=0), x.square().sum(dim=0), spread, enough, inverse]
    parts = torch.stack([torch.where(enough, part.to(x), 0.0) for part in sums])

    def share(weights: Tensor) -> Tensor:
        trials, total, square, noise, count, shorter = (weights @ part for part in parts)
        variance = (square - total.square() / trials) / (trials - 1)
        noise = noise / count
        signal = variance - noise
        if of == "mean":
            variance = signal + noise * shorter / count
        return signal / torch.where(variance > 0, variance, torch.nan)

    return _bootstrapped(
        share, responses, enough, f"explainable_variance of {of}", n_draws, level, seed
    )


def oracle(
    responses: Array, *, n_draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Reliability:
    """Correlation of each trial with the mean of the other repetitions of its presentation.

    ``r(x_rp, mean over s != r of x_sp)`` over all trials (r, p) together: what a model reaches
    that knows all but the trial it predicts (Walker et al., Nat. Neurosci. 2019).

    Parameters
    ----------
    responses : array, shape (repetitions, presentations, neuroids)
        Single trials, NaN where a repetition was not shown. Presentations with fewer than two
        repetitions are left out, neuroid by neuroid.
    n_draws : int
        Bootstrap samples of presentations.
    level : float
        Share of the samples between the bounds.
    seed : int
        Seed of the samples.

    Returns
    -------
    Reliability
        ``values`` of shape (neuroids,), in [-1, 1]; 0 in expectation for noise. NaN for neuroids
        that are constant or have fewer than three presentations.

    Raises
    ------
    UserError
        For other than three axes, or fewer than two repetitions.
    """
    x, shown = _trials(responses)
    k = shown.sum(dim=0)
    enough = k >= 2
    others = torch.where(shown, (x.sum(dim=0) - x) / (k - 1), 0.0)
    sums = [k, x.sum(dim=0), others.sum(dim=0)]
    sums += [(a * b).sum(dim=0) for a, b in ((x, x), (others, others), (x, others))]
    parts = torch.stack([torch.where(enough, part.to(x), 0.0) for part in sums])

    def correlation(weights: Tensor) -> Tensor:
        n, a, b, aa, bb, ab = (weights @ part for part in parts)
        both = (aa - a * a / n) * (bb - b * b / n)
        r = (ab - a * b / n) / torch.where(both > 0, both, torch.nan).sqrt()
        return r.clamp(-1.0, 1.0)

    return _bootstrapped(correlation, responses, enough, "oracle", n_draws, level, seed)


def _trials(responses: Array) -> tuple[Tensor, Tensor]:
    """Trials about the mean of their neuroid, in float64, 0 where not shown; and which were.

    Neuroids that are constant to working precision become exactly 0.
    """
    if responses.ndim != 3 or responses.shape[0] < 2:
        raise UserError(
            "trials must be responses (repetitions >= 2, presentations, neuroids), not "
            f"{tuple(responses.shape)}"
        )
    given = to_torch(responses)
    x = given.double()
    shown = ~x.isnan()
    mean = x.nanmean(dim=(0, 1))
    centred = torch.where(shown, x - mean, 0.0)
    rounding = 8 * torch.finfo(given.dtype).eps * mean.abs()
    varies = centred.abs().amax(dim=(0, 1)) > rounding
    return torch.where(varies, centred, 0.0), shown


def _bootstrapped(
    statistic: Callable[[Tensor], Tensor],
    responses: Array,
    enough: Tensor,
    formula: str,
    n_draws: int,
    level: float,
    seed: int,
) -> Reliability:
    """Evaluate ``statistic(weights (draws, presentations)) -> (draws, neuroids)`` on samples."""
    if n_draws < 1 or not 0 < level < 1:
        raise UserError(f"need n_draws >= 1 and 0 < level < 1, not {n_draws} and {level}")
    n = len(enough)
    rng = np.random.default_rng(seed)
    counts = torch.from_numpy(rng.multinomial(n, np.full(n, 1 / max(n, 1)), n_draws))
    weights = counts.to(enough.device, torch.float64)
    few = enough.sum(dim=0) < 3
    values = torch.where(few, torch.nan, statistic(torch.ones_like(weights[:1]))[0])
    draws = torch.where(values.isnan(), torch.nan, statistic(weights))
    tail = (1 - level) / 2
    bounds = draws.new_tensor([tail, 1 - tail])
    low, high = draws.nanquantile(bounds, dim=0)
    values, draws, low, high = (like(t, responses) for t in (values, draws, low, high))
    return Reliability(values, draws, low, high, level, formula)
