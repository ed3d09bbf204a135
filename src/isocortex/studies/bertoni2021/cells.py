"""Tuning of the first layer's filters to orientation beside recorded cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from isocortex.analyses.orientation_steps import REFERENCE, reference_cells
from isocortex.execution import Step
from isocortex.measures import tuning
from isocortex.studies.bertoni2021.measuring import MeasureNetwork

MEASURES = {"circular_variance": "circular_variance", "bandwidth": "bandwidth_deg"}
"""Column of the filters -> column of the cells."""

COLUMNS = [
    "arm", "measure", "n_units", "n_undefined", "n_cells", "n_animals", "median", "median_cells",
    "distance", "distance_low", "distance_high", "floor",
]  # fmt: skip
_DRAWS = 2000


class CompareCells(Step):
    """Compare the retained filters of each arm, pooled over seeds, with Ringach's cells.

    Circular variance and half-width are those of the filter's linear answer to gratings of its own
    frequency; those of the cells are of their rates, over many more stages.
    """

    VERSION: ClassVar[str] = "1"
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    measures: list[MeasureNetwork]
    data: Path
    data_checksum: str

    def compute(self) -> pd.DataFrame:
        """Return one row an arm and measure.

        `n_units` and `n_undefined` filters, medians of both sides, the `distance` (Wasserstein-1,
        in the unit of the measure) with its 95 % interval, and the `floor`: its mean between random
        halves of the cells.
        """
        cells = reference_cells(REFERENCE, str(self.data)).table
        filters = pd.concat([m.result()["filters"] for m in self.measures], ignore_index=True)
        kept = filters[filters["retained"]]
        rows: list[dict[str, Any]] = []
        for arm, part in kept.groupby("arm", sort=False):
            for column, recorded in MEASURES.items():
                values = part[column].to_numpy(float)
                good = values[np.isfinite(values)]
                theirs = cells.dropna(subset=recorded)
                reference = theirs[recorded].to_numpy(float)
                row: dict[str, Any] = {
                    "arm": arm,
                    "measure": column,
                    "n_units": len(good),
                    "n_undefined": len(values) - len(good),
                    "n_cells": len(reference),
                    "n_animals": theirs["animal"].nunique(),
                    "median": float(np.median(good)) if len(good) else np.nan,
                    "median_cells": float(np.median(reference)),
                }
                if len(good):
                    row |= _compared(good, reference, theirs["animal"].to_numpy())
                rows.append(row)
        return pd.DataFrame(rows, columns=COLUMNS)


def _compared(values: np.ndarray, reference: np.ndarray, animals: np.ndarray) -> dict[str, float]:
    drawn = tuning.distance_draws(values, reference, clusters=animals, n_draws=_DRAWS)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "distance": tuning.distance(values, reference),
        "distance_low": float(low),
        "distance_high": float(high),
        "floor": tuning.split_floor(reference, n_draws=_DRAWS).mean,
    }
