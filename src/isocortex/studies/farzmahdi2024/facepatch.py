"""The recorded face patch AM: index, reliabilities, interval, null (specification 5.3, 1 to 7).

Rates are arrays (neurons, persons, views), five views from one profile to the other unless said
otherwise. Every neuron is z-scored over the persons and views that are used, so that the set of
conditions belongs to each number; neurons without variance are dropped. The index of a person is
the mirror-symmetric viewpoint tuning of its 5 x 5 RDM; the *raw index* is its median over persons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import stats

from isocortex.measures.correlation import pearson
from isocortex.measures.reliability import Reliability, spearman_brown, split_half
from isocortex.measures.symmetry import zscore
from isocortex.measures.viewpoint import (
    crossvalidated_view_rdm,
    mirror_symmetry_index,
    view_permutation_null,
    view_rdm,
)
from isocortex.statistics import (
    Interval,
    bootstrap_interval,
    permutation_p,
    proportion_interval,
)

WINDOW = (100, 400)
"""Milliseconds after onset in which the response is measured."""

CONTROL_WINDOW = (0, 75)
"""Before the response has reached AM: the index here is that of noise."""

MIN_TRIALS = 2
SENSITIVITY_TRIALS = 4


def normalised(rates: np.ndarray) -> np.ndarray:
    """Z-score every neuron over persons and views and drop those without variance.

    Parameters
    ----------
    rates : array, shape (neurons, persons, views)
        Without NaN.

    Returns
    -------
    numpy.ndarray, shape (persons, views, neurons kept)
        The order of axes that the measures take.
    """
    neurons, persons, views = rates.shape
    z, kept = zscore(np.ascontiguousarray(rates.reshape(neurons, -1).T, dtype=float))
    return z[:, kept].reshape(persons, views, -1)


def person_rdms(rates: np.ndarray) -> np.ndarray:
    """Return one RDM over views per person, shape (persons, views, views)."""
    return view_rdm(normalised(rates))


def person_indices(rates: np.ndarray) -> np.ndarray:
    """Return the exact index of every person, shape (persons,)."""
    return mirror_symmetry_index(person_rdms(rates))


def raw_index(rates: np.ndarray) -> float:
    """Median index over persons; NaN if the index of a person is undefined."""
    return float(np.median(person_indices(rates)))


def neuron_reliability(rates: np.ndarray, n_splits: int = 100, seed: int = 0) -> Reliability:
    """Reliability of each person's distances over random halves of the neurons.

    Each half gives an RDM; its distances (10 for five views) are correlated with those of the
    other half, averaged over splits, and corrected by Spearman-Brown.
    """
    return split_half(normalised(rates), "neuroids", n_splits=n_splits, seed=seed)


@dataclass(frozen=True)
class TrialHalves:
    """What random halves of the trials say.

    Attributes
    ----------
    reliability : Reliability
        Of each person's distances, as `neuron_reliability` but over halves of the trials of each
        cell.
    crossvalidated : array, shape (splits,)
        Median over persons of the index of the crossvalidated RDM. On another scale than the raw
        index: the diagonal holds the unreliability of a view instead of 0.
    """

    reliability: Reliability
    crossvalidated: np.ndarray


def trial_halves(halves: np.ndarray, level: float = 0.95) -> TrialHalves:
    """Compare halves of the trials.

    Parameters
    ----------
    halves : array, shape (2, splits, neurons, persons, views)
        Mean rates of the two halves, as `FaceViews.half_rates` returns them. Each half is
        z-scored by itself; a neuron without variance in either half of a split is dropped there.
    level : float
        Share of the splits between the bounds of the reliability.
    """
    _, n_splits, neurons, persons, views = halves.shape
    upper = np.triu_indices(views, 1)
    correlations, crossvalidated = np.empty((n_splits, persons)), np.empty(n_splits)
    for split in range(n_splits):
        flat = halves[:, split].reshape(2, neurons, -1).transpose(0, 2, 1)
        (a, in_a), (b, in_b) = (zscore(np.ascontiguousarray(half)) for half in flat)
        kept = in_a & in_b
        a, b = (z[:, kept].reshape(persons, views, -1) for z in (a, b))
        first, second = (view_rdm(z)[:, *upper] for z in (a, b))
        correlations[split] = pearson(torch.from_numpy(first), torch.from_numpy(second))
        crossvalidated[split] = np.median(mirror_symmetry_index(crossvalidated_view_rdm(a, b)))
    low, high = np.quantile(
        spearman_brown(correlations), [(1 - level) / 2, (1 + level) / 2], axis=0
    )
    values = spearman_brown(correlations.mean(axis=0))
    return TrialHalves(Reliability(values, correlations, low, high, level), crossvalidated)


def pooled_reliability(reliability: Reliability) -> float:
    """Spearman-Brown of the mean correlation over splits and persons: one number, not a median."""
    return float(spearman_brown(float(np.mean(reliability.splits))))


def index_interval(
    rates: np.ndarray,
    method: Literal["bca", "percentile"] = "bca",
    *,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of the raw index over neurons.

    The sums over neurons that correlations are made of are linear in how often each neuron was
    drawn, so all resamples are one matrix product. Percentile intervals are biased low here: a
    resample holds fewer distinct neurons, and noisier RDMs have an index nearer to the baseline.

    Parameters
    ----------
    rates : array, shape (neurons, persons, views)
        Without NaN.
    method : {"bca", "percentile"}
        BCa is the interval of the claims; the other is for comparison.
    n_resamples, level, seed
        As in `statistics.bootstrap_interval`.
    """
    z = normalised(rates)
    persons, views, neurons = z.shape
    j, k = np.triu_indices(views)
    products = (z[:, j] * z[:, k]).reshape(-1, neurons)
    sums = np.concatenate([z.reshape(-1, neurons), products]).T

    def median_index(samples: np.ndarray, axis: int) -> np.ndarray:
        drawn = samples.astype(int)
        count, size = drawn.shape
        flat = drawn + neurons * np.arange(count)[:, None]
        weights = np.bincount(flat.ravel(), minlength=count * neurons).reshape(count, neurons)
        total = weights @ sums / size
        mean = total[:, : persons * views].reshape(count, persons, views)
        covariance = total[:, persons * views :].reshape(count, persons, -1)
        covariance = covariance - mean[..., j] * mean[..., k]
        square = np.empty((count, persons, views, views))
        square[..., j, k] = square[..., k, j] = covariance
        sd = np.sqrt(np.diagonal(square, axis1=-2, axis2=-1))
        rdms = 1 - square / (sd[..., :, None] * sd[..., None, :])
        return np.median(mirror_symmetry_index(rdms), axis=-1)

    return bootstrap_interval(
        np.arange(neurons),
        median_index,
        method=method,
        n_resamples=n_resamples,
        level=level,
        seed=seed,
    )


@dataclass(frozen=True)
class IndexNull:
    """Median index over persons when view labels are permuted.

    Attributes
    ----------
    draws : array, shape (draws,)
        Labels permuted separately for each person.
    p : Interval
        Share of draws (and the observation itself) at least as high as observed, with the
        Clopper-Pearson interval of the share of draws.
    common_p : float
        Exact p when all persons share one permutation; there are 15 outcomes for five views, so
        it is at least 1/15.
    """

    draws: np.ndarray
    p: Interval
    common_p: float


def index_null(rates: np.ndarray, n_draws: int = 1000, seed: int = 0) -> IndexNull:
    """Permute the view labels of every person and compare the raw index with what that gives."""
    rdms = person_rdms(rates)
    observed = float(np.median(mirror_symmetry_index(rdms)))
    draws = np.median(view_permutation_null(rdms, n_draws=n_draws, seed=seed), axis=1)
    common = np.median(view_permutation_null(rdms, common=True, exact=True), axis=1)
    p = permutation_p(observed, draws)
    share = proportion_interval(round(p * (n_draws + 1)) - 1, n_draws)
    interval = Interval(p, share.low, max(share.high, p), share.level, n_draws, share.method)
    return IndexNull(draws, interval, permutation_p(observed, common, exact=True))


def view_correlations(rates: np.ndarray) -> np.ndarray:
    """Correlation over neurons of the responses to two views, averaged over persons first.

    The mean over the persons that were shown is z-scored per neuron over the views given:
    with other views beside them the same two views correlate differently.

    Parameters
    ----------
    rates : array, shape (neurons, persons, views)
        NaN where a person was not shown to a neuron; every neuron has seen someone at every view.

    Returns
    -------
    numpy.ndarray, shape (views, views)
        Neurons without variance over the views are dropped.
    """
    z, kept = zscore(np.ascontiguousarray(np.nanmean(rates, axis=1).T, dtype=float))
    return np.corrcoef(z[:, kept])


@dataclass(frozen=True)
class UnitCounts:
    """How many neurons meet the single-unit criteria of mirror tuning.

    Attributes
    ----------
    n : int
        Neurons.
    n_views_matter : int
        One-way ANOVA of the responses to persons over views, p below the level.
    n_loose : int
        Of these, several local peaks over yaw and the best view not frontal.
    n_strict : int
        Of these, the second-best view mirrors the best and the frontal view is worst.
    n_strict_any : int
        As strict, whatever the ANOVA says.
    chance : float
        Share of ``n_strict_any`` for tuning without order, ``1 / (views (views - 2))``.
    """

    n: int
    n_views_matter: int
    n_loose: int
    n_strict: int
    n_strict_any: int
    chance: float


def unit_counts(rates: np.ndarray, alpha: float = 0.05) -> UnitCounts:
    """Count the neurons with mirror tuning, loosely and strictly.

    Parameters
    ----------
    rates : array, shape (neurons, persons, views)
        An odd number of views, frontal in the middle. Neurons without variance meet no criterion.
    alpha : float
        Level of the ANOVA.
    """
    neurons, _, views = rates.shape
    varying = rates[np.ptp(rates, axis=(1, 2)) > 0]
    matter = stats.f_oneway(*np.moveaxis(varying, 2, 0), axis=1).pvalue < alpha
    tuning = varying.mean(axis=1)
    ranked = tuning.argsort(axis=1)
    rise = np.diff(tuning, axis=1, prepend=-np.inf) > 0
    fall = np.diff(tuning, axis=1, append=-np.inf) < 0
    loose = matter & ((rise & fall).sum(axis=1) >= 2) & (ranked[:, -1] != views // 2)
    mirrored = ranked[:, -1] + ranked[:, -2] == views - 1
    strict = mirrored & (ranked[:, 0] == views // 2)
    return UnitCounts(
        neurons,
        int(matter.sum()),
        int(loose.sum()),
        int((strict & loose).sum()),
        int(strict.sum()),
        1.0 / (views * (views - 2)),
    )


def ratios(indices: np.ndarray, reliabilities: np.ndarray) -> np.ndarray:
    """Index of every person over its reliability; NaN where that is not positive."""
    return indices / np.where(reliabilities > 0, reliabilities, np.nan)
