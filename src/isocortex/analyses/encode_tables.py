"""The tables of `encode`: scores of every network and layer with intervals, ceilings, choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from isocortex.analyses.encode_steps import Encode, EncodePixels, presented
from isocortex.brains import Assembly
from isocortex.execution import Step
from isocortex.measures.encoding import (
    Encoding,
    LayerChoice,
    aggregate,
    combined_interval,
    feve,
    normalise,
)
from isocortex.statistics import Interval, bootstrap_interval

GIVEN = "given"
"""The network that was asked for, in the column of networks; then ``random 1``, ..., pixels."""

NESTED = "nested choice"
"""In the column of layers: the layer that the training data of each fold chose."""

_NOTHING = Interval(np.nan, np.nan, np.nan)


class Summarise(Step):
    """Scores with intervals over neuroids and stimuli, related to ceilings and controls."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ()
    own: Encode
    twins: list[Encode]
    pixels: EncodePixels
    n_resamples: int = 1000
    seed: int = 0

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        source = self.own.layers
        assembly = presented(source.dataset, source.data, source.n_presentations, source.draw_seed)
        ceilings = ceiling_table(assembly, self.seed)
        networks = {GIVEN: self.own.result()}
        networks |= {f"random {k}": twin.result() for k, twin in enumerate(self.twins, 1)}
        pixels = self.pixels.result()
        twins = [choice for name, choice in networks.items() if name != GIVEN]
        made = {GIVEN: source.grams()}
        made |= {f"random {k}": twin.layers.grams() for k, twin in enumerate(self.twins, 1)}
        score = _Scoring(assembly, ceilings, self.own.how, self.n_resamples, self.seed)
        rows, neuroids = [], []
        for name, choice in networks.items():
            for depth, (layer, result) in enumerate(_with_nested(choice)):
                row = {"network": name, "layer": layer, "depth": depth, **score.row(result)}
                if layer in made[name]:
                    row["n_units"] = made[name].n_units[layer]
                    row["n_constant_units"] = made[name].n_constant[layer]
                if name == GIVEN and twins:
                    row |= score.over(
                        "random", result, [dict(_with_nested(t))[layer] for t in twins]
                    )
                if name == GIVEN:
                    row |= score.over("pixels", result, list(pixels.values())[:1])
                rows.append(row)
                neuroids.append(score.neuroids(result, network=name, layer=layer))
        for name, result in pixels.items():
            rows.append({"network": name, "layer": "", "depth": 0, **score.row(result)})
            neuroids.append(score.neuroids(result, network=name, layer=""))
        tables = {
            "layers": pd.DataFrame(rows),
            "neuroids": pd.concat(neuroids, ignore_index=True),
            "choice": _choice_table(networks),
        }
        return tables if ceilings is None else tables | {"ceilings": ceilings}


def ceiling_table(assembly: Assembly, seed: int) -> pd.DataFrame | None:
    """Return ceilings of each neuroid; None where stimuli were not repeated.

    ``reliability`` is the split-half correlation of means over all repetitions (Spearman-Brown),
    ``ceiling`` its square root, the correlation with them that a perfect model of the mean response
    would have; NaN where the reliability is not above 0. ``fev`` is the explainable share of the
    variance of those means.
    """
    trials = assembly.trials
    if trials is None or len(trials) < 2:
        return None
    table = assembly.ceilings("split_half", seed=seed).rename(columns={"ceiling": "reliability"})
    known = table["reliability"].where(table["reliability"] > 0)
    table.insert(2, "ceiling", np.sqrt(known))
    table["fev"] = assembly.reliability("explainable_variance", of="mean", n_draws=1).values
    return table


class _Scoring:
    """One way of scoring for all networks: the same neuroids, ceilings and draws."""

    def __init__(
        self,
        assembly: Assembly,
        ceilings: pd.DataFrame | None,
        how: str,
        n_resamples: int,
        seed: int,
    ) -> None:
        self._targets = assembly.responses.to_numpy()
        self._trials = None if assembly.trials is None else assembly.trials.to_numpy()
        self._ids = assembly.units["neuroid_id"].to_numpy()
        self._ceilings = None if ceilings is None else ceilings["ceiling"].to_numpy()
        self._reliability = None if ceilings is None else ceilings["reliability"].to_numpy()
        self._options: dict[str, Any] = {"how": how, "n_resamples": n_resamples, "seed": seed}

    def row(self, result: Encoding) -> dict[str, Any]:
        """Return the scores of one layer: raw, with interval, and in shares of the ceiling."""
        raw = self._interval([result], [1.0], "both")
        kept = np.isfinite(result.fold_scores).any(axis=0)
        row: dict[str, Any] = {
            "r": raw.estimate,
            "low": raw.low,
            "high": raw.high,
            "mean_r": aggregate(result.fold_scores, "mean"),
        }
        if self._ceilings is not None and self._reliability is not None:
            share = self._interval([self._normalised(result)], [1.0], "neuroids")
            consistency = _median_of(self._reliability)
            top = bootstrap_interval(
                self._ceilings, np.median, n_resamples=self._options["n_resamples"], nan="drop"
            )
            row |= {
                "ceiling": top.estimate,
                "ceiling_low": top.low,
                "ceiling_high": top.high,
                "normalised": share.estimate,
                "normalised_low": share.low,
                "normalised_high": share.high,
                "brainscore_2024": normalise(raw.estimate, consistency, "brainscore_2024"),
                "brainscore_2026": normalise(raw.estimate, consistency, "brainscore_2026"),
                "feve": _median_of(self._feve(result)),
            }
        if result.alphas is not None:
            row["alpha"] = _median_of(result.alphas)
        if result.n_components is not None:
            row["n_components"] = _median_of(result.n_components)
        row |= {
            "n_neuroids": int(kept.sum()),
            "n_dropped": int((~kept).sum()),
            "n_stimuli": len(self._targets),
        }
        return row

    def over(self, what: str, result: Encoding, others: Sequence[Encoding]) -> dict[str, float]:
        """Return how far a layer is above the mean of controls, with an interval of it."""
        weights = [1.0, *(-1 / len(others) for _ in others)]
        found = self._interval([result, *others], weights, "both")
        name = f"over_{what}"
        return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}

    def neuroids(self, result: Encoding, **which: str) -> pd.DataFrame:
        """Return one row a neuroid."""
        table = pd.DataFrame({**which, "neuroid_id": self._ids, "r": result.scores})
        if self._ceilings is not None:
            table["ceiling"] = self._ceilings
            table["normalised"] = result.scores / self._ceilings
            table["feve"] = self._feve(result)
        if result.alphas is not None:
            table["alpha"] = _median(result.alphas)
        return table

    def _normalised(self, result: Encoding) -> Encoding:
        return replace(result, fold_scores=result.fold_scores / self._ceilings)

    def _feve(self, result: Encoding) -> np.ndarray:
        assert self._trials is not None
        tested = np.isfinite(result.predictions).any(axis=1)  # random splits may leave some out
        return np.asarray(feve(self._trials[:, tested], result.predictions[tested]))

    def _interval(
        self, results: Sequence[Encoding], weights: Sequence[float], over: str
    ) -> Interval:
        scored = [np.isfinite(r.fold_scores).any(axis=0) for r in results]
        if not np.logical_and.reduce(scored).any():
            return _NOTHING
        return combined_interval(results, weights, self._targets, over=over, **self._options)


def _with_nested(choice: LayerChoice) -> Iterator[tuple[str, Encoding]]:
    """Go through the layers in order, and last the nested choice."""
    yield from choice.each.items()
    yield NESTED, choice.encoding


def _choice_table(networks: dict[str, LayerChoice]) -> pd.DataFrame:
    """Return the layer that each fold chose for all neuroids."""
    rows = []
    for name, choice in networks.items():
        for fold, chosen in enumerate(choice.chosen):
            (layer,) = np.unique(chosen[chosen >= 0])
            rows.append({"network": name, "fold": fold, "layer": choice.layers[layer]})
    return pd.DataFrame(rows)


def _median_of(values: np.ndarray) -> float:
    """Median of the defined ones; NaN if there is none."""
    defined = values[np.isfinite(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _median(values: np.ndarray) -> np.ndarray:
    """Median over folds; NaN where all are."""
    defined = np.isfinite(values).any(axis=0)
    found = np.full(values.shape[1], np.nan)
    found[defined] = np.nanmedian(values[:, defined], axis=0)
    return found
