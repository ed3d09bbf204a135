"""The steps of `orientation`: tuning of a network's units, and its distance from recorded cells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from isocortex import brains
from isocortex.brains import OrientationTable, read_ringach
from isocortex.errors import UserError, unknown
from isocortex.execution import Step, tick
from isocortex.measures import tuning
from isocortex.models import Model, load_model, reestimate_batchnorm
from isocortex.recording import record
from isocortex.stimuli import StimulusSet, marques_gratings, pink_noise, small_gratings
from isocortex.stimuli.gratings import MARQUES_FREQUENCIES

RULES = ("clip", "blanksub")
"""Response rules that stand side by side."""

STIMULI = ("small", "marques2020")
GIVEN, RECORDED = "given", "recorded"
"""Names of the network itself and of the recorded cells in the tables."""

REFERENCE = "ringach2002"

NOISE_IMAGES = 16
"""Images with the spectrum of photographs, on which the batch statistics of networks with random
weights are estimated: they have none of their own, and without them nothing is normalised."""

_LEFT_OUT = ("duplicates_left_out", "unresponsive_left_out")
"""Counts on the card of the reference."""


def gratings_for(model: Model, stimuli: str, contrast: float) -> StimulusSet:
    """Return gratings at the size of a network's images, so that nothing is resampled.

    Raises
    ------
    UserError
        If the set is unknown, or the network's images are too small for it.
    """
    if stimuli not in STIMULI:
        raise unknown("set of gratings", stimuli, STIMULI)
    size = max(model.input_shape[1:])
    if stimuli == "small":
        return small_gratings(size=size, contrast=contrast)
    fewest = math.floor(2 * 12 * max(MARQUES_FREQUENCIES)) + 1
    if size < fewest:
        raise UserError(
            f"{model.name} takes images of {size} px, too few for the finest grating of "
            f"{stimuli}, which needs {fewest}; take the set small"
        )
    if contrast != 1:
        raise UserError(f"the set {stimuli} has contrast 1; leave the contrast out")
    return marques_gratings(size=size)


class Tune(Step):
    """Orientation tuning of the central units of layers, by both response rules.

    ``result()`` is a table of one row a rule and unit: ``layer, rule, channel, y, x, silent,
    circular_variance, preferred`` and ``bandwidth`` (degrees), ``modulation`` (F1 / F0),
    ``frequency`` (cycles per pixel) and ``diameter`` (pixels) of the best grating. Batch
    normalisation of random weights is estimated on `NOISE_IMAGES` images of noise.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device", "batch_size")
    model: str
    weights: str | None
    checksum: str = ""
    seed: int = 0
    layers: list[str]
    stimuli: str = "small"
    contrast: float = 1.0
    batch_size: int = 64
    device: str = "cpu"

    def compute(self) -> pd.DataFrame:
        """Record the layers and read their tuning."""
        model = load_model(self.model, self.weights, seed=self.seed)
        shown = gratings_for(model, self.stimuli, self.contrast)
        if model.weights.startswith("random"):
            channels, *sides = model.input_shape
            noise = pink_noise(NOISE_IMAGES, max(sides), channels)
            reestimate_batchnorm(model.network, model.preprocess(noise), batch_size=self.batch_size)
        recording = record(
            model,
            shown,
            self.layers,
            units="centre_2x2",
            batch_size=self.batch_size,
            device=self.device,
            progress=lambda done, total: tick(done, total, "gratings"),
        )
        table = shown.table
        grating = table[~table["blank"]]
        angles = grating["orientation"].drop_duplicates().to_numpy()
        phases = grating["phase"].nunique()
        conditions = grating.drop_duplicates("condition")
        shape = (len(conditions), len(angles), phases)
        parts = []
        for layer in recording.layers:
            responses = recording[layer]
            units = recording.units(layer)
            curves = responses[: len(grating)].reshape(*shape, -1)
            for rule in RULES:
                found = tuning.orientation_tuning(curves, angles, responses[-1], rule=rule)
                best = conditions.iloc[found.condition]
                parts.append(
                    units.assign(
                        rule=rule,
                        silent=found.silent,
                        circular_variance=found.circular_variance,
                        preferred=found.preferred,
                        bandwidth=found.bandwidth,
                        modulation=found.modulation,
                        frequency=best["frequency"].to_numpy(),
                        diameter=best["diameter"].to_numpy(),
                    )
                )
        return pd.concat(parts, ignore_index=True)


def reference_cells(reference: str, data: str | None) -> OrientationTable:
    """Return the cells to compare with: a recording's name, or the path of a table of cells.

    Duplicates (where they can be told) and unresponsive cells are left out.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    table = (
        read_ringach(reference)
        if Path(reference).suffix.lower() in (".csv", ".mat")
        else brains.load(reference, data)
    )
    if not isinstance(table, OrientationTable):
        raise UserError(
            f"{reference} is no table of orientation tuning; give {REFERENCE}, or a .csv or .mat "
            "file in the form of Ringach's database"
        )
    cells = table.cells(distinct="unit" in table.table)
    if not len(cells):
        raise UserError(f"{reference} has no responsive cell; give another reference")
    return cells


class CompareTuning(Step):
    """Circular variances of every layer, rule and network beside those of recorded cells.

    ``result()`` holds the tables ``layers``, ``units`` (of the network itself), ``distributions``
    (shares in 13 bins) and, with a reference, ``reference``.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    own: Tune
    twins: tuple[Tune, ...] = ()
    reference: str | None = REFERENCE
    reference_checksum: str = ""
    n_draws: int = 2000
    seed: int = 0
    data: str | None = None

    def compute(self) -> dict[str, pd.DataFrame]:
        """Compare each distribution with the reference."""
        cells = None
        if self.reference is not None:
            cells = reference_cells(self.reference, self.data)
        networks = {GIVEN: self.own.result()}
        networks |= {f"random {k}": twin.result() for k, twin in enumerate(self.twins, 1)}
        groups = [
            (network, layer, rule, part)
            for network, units in networks.items()
            for (layer, rule), part in units.groupby(["layer", "rule"], sort=False)
        ]
        rows, shares = [], []
        for k, (network, layer, rule, part) in enumerate(groups):
            heading = {"network": network, "layer": layer, "rule": rule}
            rows.append(heading | self._row(part, cells))
            shares.append(_shares(heading, part["circular_variance"].dropna().to_numpy()))
            tick(k + 1, len(groups), "layers and rules")
        tables = {"layers": pd.DataFrame(rows), "units": networks[GIVEN]}
        if cells is not None:
            tables["reference"] = self._reference(cells)
            heading = {"network": RECORDED, "layer": "", "rule": ""}
            shares.append(_shares(heading, cells.table["circular_variance"].to_numpy()))
        tables["distributions"] = pd.concat(shares, ignore_index=True)
        return tables

    def _row(self, part: pd.DataFrame, cells: OrientationTable | None) -> dict[str, Any]:
        """Describe one distribution, and its distance from the cells'."""
        defined = part.dropna(subset="circular_variance")
        values = defined["circular_variance"].to_numpy(float)
        row: dict[str, Any] = {
            "n_units": len(values),
            "n_silent": int(part["silent"].sum()),
            "n_channels": int(defined["channel"].nunique()),
            **_summary(values, defined["channel"].to_numpy(), self.n_draws, self.seed),
            "bandwidth_median": float(defined["bandwidth"].median()),
            "n_bandwidth_undefined": int(defined["bandwidth"].isna().sum()),
            "modulation_above_1": float((defined["modulation"] > 1).mean()),
        }
        if cells is None or not len(values):
            return row
        compared = tuning.compare(
            values,
            cells.table["circular_variance"].to_numpy(),
            clusters=cells.table["animal"].to_numpy(),
            n_draws=self.n_draws,
            seed=self.seed,
        )
        for column in tuning.DISTANCES:
            interval = getattr(compared, column)
            row |= {
                column: interval.estimate,
                f"{column}_low": interval.low,
                f"{column}_high": interval.high,
            }
        return row | {
            "brainscore": compared.brainscore,
            "brainscore_raw": compared.brainscore_raw,
            "brainscore_ceiling": compared.brainscore_ceiling,
        }

    def _reference(self, cells: OrientationTable) -> pd.DataFrame:
        values = cells.table["circular_variance"].to_numpy()
        animals = cells.table["animal"].to_numpy()
        floor = tuning.split_floor(values, n_draws=self.n_draws, seed=self.seed)
        row = {
            "reference": self.reference,
            "n_cells": len(values),
            "n_animals": len(np.unique(animals)),
            **{key: cells.card.notes.get(key, 0) for key in _LEFT_OUT},
            **_summary(values, animals, self.n_draws, self.seed),
            "bandwidth_median": float(cells.table["bandwidth_deg"].median()),
            "modulation_above_1": float((cells.modulation > 1).mean()),
            "floor_mean": floor.mean,
            "floor_p95": floor.p95,
        }
        return pd.DataFrame([row])


def _summary(values: np.ndarray, clusters: np.ndarray, n_draws: int, seed: int) -> dict[str, float]:
    """Mean, median and share below .5 with intervals over clusters, and quartiles."""
    names = ("mean", "median", "fraction")
    if not len(values):
        bounds = [f"{n}{end}" for n in names for end in ("", "_low", "_high")]
        return dict.fromkeys([f"cv_{b}" for b in bounds] + ["cv_q25", "cv_q75"], math.nan)
    intervals = tuning.reference_intervals(values, clusters, n_draws=n_draws, seed=seed)
    row: dict[str, float] = {}
    for name in names:
        interval = intervals[name]
        row |= {
            f"cv_{name}": interval.estimate,
            f"cv_{name}_low": interval.low,
            f"cv_{name}_high": interval.high,
        }
    low, high = np.quantile(values, [0.25, 0.75])
    return row | {"cv_q25": float(low), "cv_q75": float(high)}


def _shares(heading: dict[str, str], values: np.ndarray) -> pd.DataFrame:
    """Count circular variances in the bins of `tuning.BINS`."""
    edges = np.array(tuning.BINS)
    counts = np.histogram(values, edges)[0]
    return pd.DataFrame(
        {
            **heading,
            "low": edges[:-1],
            "high": edges[1:],
            "count": counts,
            "share": counts / max(len(values), 1),
        }
    )
