"""Tables of the recorded face patch AM: every number of specification 5.3 with its conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from isocortex.brains.face_views import YAW_VIEWS, FaceViews
from isocortex.measures.reliability import Reliability
from isocortex.measures.viewpoint import equidistant_baseline
from isocortex.statistics import Interval, bootstrap_interval
from isocortex.studies.farzmahdi2024 import facepatch
from isocortex.studies.farzmahdi2024.alignment import block_table, design_pooled_rdms
from isocortex.studies.farzmahdi2024.facepatch import (
    CONTROL_WINDOW,
    MIN_TRIALS,
    SENSITIVITY_TRIALS,
    WINDOW,
)

Tables = dict[str, pd.DataFrame]

WINDOW_STARTS = tuple(range(0, 301, 25))
"""Starts of the 100-ms windows; from 400 ms on the response is to the next stimulus."""


@dataclass(frozen=True)
class Settings:
    """How often things are drawn.

    Attributes
    ----------
    n_splits : int
        Random halves, of neurons and of trials.
    n_draws : int
        Permutations of view labels.
    n_resamples : int
        Bootstrap samples.
    seed : int
        Seed of all three.
    """

    n_splits: int = 100
    n_draws: int = 1000
    n_resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Measured:
    """What the tables are made of.

    Attributes
    ----------
    population : FaceViews
        The recording.
    settings : Settings
        How often things were drawn.
    rates : array, shape (neurons, persons, 5)
        Complete neurons at the five yaws.
    indices : array, shape (persons,)
        Exact index of every person.
    neurons : Reliability
        (a), over halves of the neurons.
    trials : TrialHalves
        (b), over halves of the trials, and the crossvalidated index.
    null : IndexNull
        View labels permuted.
    """

    population: FaceViews
    settings: Settings
    rates: np.ndarray
    indices: np.ndarray
    neurons: Reliability
    trials: facepatch.TrialHalves
    null: facepatch.IndexNull


def analyse(
    population: FaceViews,
    *,
    n_splits: int = 100,
    n_draws: int = 1000,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Tables:
    """Run the whole protocol.

    Parameters
    ----------
    population : FaceViews
        The recording.
    n_splits, n_draws, n_resamples, seed : int
        As in `Settings`.

    Returns
    -------
    dict of str to DataFrame
        ``face_patch`` (`index_table`), ``face_patch_rdm``, ``face_patch_null``,
        ``face_patch_persons``, ``face_patch_windows``, ``face_patch_correlations``,
        ``face_patch_units``, ``face_patch_blocks``.
    """
    measured = measure(population, Settings(n_splits, n_draws, n_resamples, seed))
    rates = measured.rates
    return {
        "face_patch": index_table(measured),
        "face_patch_rdm": rdm_table(measured),
        "face_patch_null": null_table(measured),
        "face_patch_persons": person_table(measured),
        "face_patch_windows": window_table(population),
        "face_patch_correlations": correlation_table(population),
        "face_patch_units": pd.DataFrame([vars(facepatch.unit_counts(rates))]),
        "face_patch_blocks": block_table(design_pooled_rdms(facepatch.normalised(rates))),
    }


def measure(population: FaceViews, settings: Settings) -> Measured:
    """Compute indices, both reliabilities and the null."""
    rates = five_views(population)
    return Measured(
        population,
        settings,
        rates,
        facepatch.person_indices(rates),
        facepatch.neuron_reliability(rates, settings.n_splits, settings.seed),
        _halves(population, WINDOW, settings),
        facepatch.index_null(rates, settings.n_draws, settings.seed),
    )


def five_views(
    population: FaceViews, window: tuple[float, float] = WINDOW, min_trials: int = MIN_TRIALS
) -> np.ndarray:
    """Return rates of the complete neurons at the five yaws, (neurons, persons, 5)."""
    neurons = population.complete(min_trials, YAW_VIEWS)
    return population.rates(window, views=YAW_VIEWS, neurons=neurons).values


def _halves(
    population: FaceViews, window: tuple[float, float], settings: Settings
) -> facepatch.TrialHalves:
    return facepatch.trial_halves(
        population.half_rates(
            window,
            views=YAW_VIEWS,
            neurons=population.complete(MIN_TRIALS, YAW_VIEWS),
            n_splits=settings.n_splits,
            seed=settings.seed,
        )
    )


def index_table(measured: Measured) -> pd.DataFrame:
    """Tabulate the index with its reliabilities, intervals, null and controls.

    Returns
    -------
    DataFrame
        ``measure``, ``value``, ``low``, ``high``, ``n`` (what the interval is over), ``summary``
        (what the value is), ``interval``, ``window_ms``, ``n_neurons``, ``min_trials``,
        ``conditions``. The rows:

        - ``raw``, ``raw_percentile``: median index over persons, BCa and percentile over neurons;
        - ``baseline``: the index of equidistant views, beside which to read ``raw``;
        - ``neuron_reliability`` (a), ``trial_reliability`` (b): median over persons; with
          ``_pooled`` Spearman-Brown of the mean correlation over splits and persons;
        - ``raw_over_...``: median over persons of index over reliability;
        - ``crossvalidated``: another scale than ``raw``; bounds are quantiles over splits;
        - ``null_p``, ``null_p_common``: views permuted per person, or all alike (exact);
        - ``control_...``: 0-75 ms; ``sensitivity_raw``: neurons with more trials.
    """
    population, settings = measured.population, measured.settings
    resamples, seed = settings.n_resamples, settings.seed
    rates, neurons, trials = measured.rates, measured.neurons, measured.trials.reliability
    early = five_views(population, CONTROL_WINDOW)
    early_neurons = facepatch.neuron_reliability(early, settings.n_splits, seed)
    early_trials = _halves(population, CONTROL_WINDOW, settings).reliability
    many = five_views(population, min_trials=SENSITIVITY_TRIALS)

    def raw(chosen: np.ndarray, method: Literal["bca", "percentile"] = "bca") -> Interval:
        return facepatch.index_interval(chosen, method, n_resamples=resamples, seed=seed)

    def reliable(reliability: Reliability) -> Interval:
        return reliability.interval(n_resamples=resamples, seed=seed)

    def ratio(reliability: Reliability) -> Interval:
        values = facepatch.ratios(measured.indices, reliability.values)
        return bootstrap_interval(
            values, np.median, method="bca", nan="drop", n_resamples=resamples, seed=seed
        )

    median, share = "median over persons", "share of permutations at least as high"
    pooled = "Spearman-Brown of the mean over splits and persons"
    persons, over_neurons = "BCa over persons", "BCa over neurons"
    split = measured.trials.crossvalidated
    low, high = (float(q) for q in np.quantile(split, [0.025, 0.975]))
    crossvalidated = Interval(float(split.mean()), low, high, n=len(split))
    control, null = CONTROL_WINDOW, measured.null
    rows = [
        _row("raw", raw(rates), median, over_neurons),
        _row("raw_percentile", raw(rates, "percentile"), median, "percentile over neurons"),
        _row("baseline", _only(equidistant_baseline(len(YAW_VIEWS))), "equidistant views"),
        _row("neuron_reliability", reliable(neurons), median, persons),
        _row("neuron_reliability_pooled", _only(facepatch.pooled_reliability(neurons)), pooled),
        _row("trial_reliability", reliable(trials), median, persons),
        _row("trial_reliability_pooled", _only(facepatch.pooled_reliability(trials)), pooled),
        _row("raw_over_neuron_reliability", ratio(neurons), median, persons),
        _row("raw_over_trial_reliability", ratio(trials), median, persons),
        _row("crossvalidated", crossvalidated, f"mean over splits of {median}", "over splits"),
        _row("null_p", null.p, share, "Clopper-Pearson over permutations"),
        _row("null_p_common", _only(null.common_p), f"{share}, one for all persons, exact"),
        _row("control_raw", raw(early), median, over_neurons, control),
        _row("control_neuron_reliability", reliable(early_neurons), median, persons, control),
        _row("control_trial_reliability", reliable(early_trials), median, persons, control),
        _row("sensitivity_raw", raw(many), median, over_neurons),
    ]
    table = pd.DataFrame(rows)
    strict = table["measure"] == "sensitivity_raw"
    return table.assign(
        n_neurons=np.where(strict, len(many), len(rates)),
        min_trials=np.where(strict, SENSITIVITY_TRIALS, MIN_TRIALS),
        conditions=_conditions(population, YAW_VIEWS),
    )


def _only(value: float) -> Interval:
    return Interval(value, np.nan, np.nan)


def _row(
    measure: str,
    interval: Interval,
    summary: str,
    how: str = "none",
    window: tuple[float, float] = WINDOW,
) -> dict[str, Any]:
    return {
        "measure": measure,
        "value": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "summary": summary,
        "interval": how,
        "window_ms": f"{window[0]:g}-{window[1]:g}",
    }


def _conditions(population: FaceViews, views: tuple[int, ...]) -> str:
    """Name the set of conditions that a number was z-scored over."""
    names = ", ".join(population.view_names[view] for view in views)
    return f"{population.shape[1]} persons x {len(views)} views: {names}"


def rdm_table(measured: Measured) -> pd.DataFrame:
    """Tabulate the RDM over the five yaws: ``distance`` is the mean over persons."""
    rdms = facepatch.person_rdms(measured.rates)
    first, second = np.indices(rdms.shape[1:])
    yaws = measured.population.view_yaw[list(YAW_VIEWS)]
    return pd.DataFrame(
        {
            "yaw": yaws[first.ravel()],
            "other_yaw": yaws[second.ravel()],
            "distance": rdms.mean(axis=0).ravel(),
            "sd_over_persons": rdms.std(axis=0, ddof=1).ravel(),
        }
    )


def null_table(measured: Measured) -> pd.DataFrame:
    """Tabulate the median index over persons in every permutation of view labels."""
    return pd.DataFrame({"median_index": measured.null.draws})


def person_table(measured: Measured) -> pd.DataFrame:
    """Tabulate index and both reliabilities of every person."""
    return pd.DataFrame(
        {
            "person": np.arange(len(measured.indices)),
            "index": measured.indices,
            "neuron_reliability": measured.neurons.values,
            "trial_reliability": measured.trials.reliability.values,
        }
    )


def window_table(population: FaceViews) -> pd.DataFrame:
    """Tabulate the raw index over time, in windows of 100 ms."""
    rows = []
    for start in WINDOW_STARTS:
        rates = five_views(population, (start, start + 100))
        rows.append(
            {"start_ms": start, "stop_ms": start + 100, "median_index": facepatch.raw_index(rates)}
        )
    return pd.DataFrame(rows)


def correlation_table(population: FaceViews) -> pd.DataFrame:
    """Tabulate how alike pairs of views are over neurons, for two ways of centring.

    Means over persons, z-scored per neuron over all orientations (complete neurons) or over the
    five yaws (all neurons, over the persons that each was shown).
    """
    everything = tuple(range(population.shape[2]))
    ways = {everything: population.complete(), YAW_VIEWS: np.arange(population.shape[0])}
    pairs = {
        "profiles": (0, 4),
        "three-quarter": (1, 3),
        "front-left": (2, 0),
        "front-right": (2, 4),
    }
    rows = []
    for views, neurons in ways.items():
        matrix = facepatch.view_correlations(
            population.rates(WINDOW, views=views, neurons=neurons).values
        )
        place = {view: i for i, view in enumerate(views)}
        for name, (a, b) in pairs.items():
            rows.append(
                {
                    "pair": name,
                    "r": matrix[place[YAW_VIEWS[a]], place[YAW_VIEWS[b]]],
                    "n_neurons": len(neurons),
                    "conditions": _conditions(population, views),
                }
            )
    return pd.DataFrame(rows)
