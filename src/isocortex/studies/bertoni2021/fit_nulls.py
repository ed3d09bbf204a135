"""What noise gives where filters are fitted: levels and p of every null, shapes of copies."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from isocortex.execution import Step
from isocortex.measures.receptive_fields import (
    fit_gabor,
    fit_log,
    log_null,
    p_values,
    shape_family,
    surrogates,
)
from isocortex.measures.receptive_fields.nulls import noise
from isocortex.studies.bertoni2021.networks import Train

Tables = dict[str, pd.DataFrame]

BLUR = {"white": 0.0, "smooth": 1.0}
"""Null -> blur of its noise in pixels; beside them copies of each filter with random phases."""

LEVEL, SMALL_P = 0.95, 0.05
LGN, FILTERS, COPIES = "filter in front", "filters", "copies with random phases"


class FitNulls(Step):
    """Hold the fits of one network's filters against all nulls (specification 4.8).

    ``fit_nulls``: by `part`, `statistic` and `null` the observed figure (a mean over filters), the
    mean of the null and its 95 % level, `p` of the filter in front, and of the first layer the
    share of filters with p < .05. ``shapes``: how far n_x and n_y of the retained filters form one
    family, and those of copies that are Gabors, too.
    """

    VERSION: ClassVar[str] = "1"
    network: Train
    draws: int
    copies: int

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return self.network.title

    def compute(self) -> Tables:
        """Return the tables, each with columns `arm` and `seed`."""
        snapshots = self.network.result()["filters"]
        last = snapshots[max(snapshots)]
        rows = self._front(last["lgn"].astype(np.float64)) if "lgn" in last else []
        filters = last["filters"].astype(np.float64)
        fit = fit_gabor(filters)
        drawn = surrogates(filters, "phase", self.copies, self.network.seed)
        copied = fit_gabor(drawn.reshape(-1, *filters.shape[1:]))
        r = copied.r.reshape(self.copies, len(filters))
        for null in (*BLUR, "phase"):
            values = r if null == "phase" else _gabor_r(filters.shape[-1], null, self.draws)
            rows.append(_row(FILTERS, "gabor_r", null, fit.r, values))
        shapes = []
        for what, one in ((FILTERS, fit), (COPIES, copied)):
            kept = one.retained
            family = shape_family(one.n_x[kept], one.n_y[kept])
            shapes.append(
                {
                    "what": what,
                    "n": family.n,
                    "share": family.share,
                    "slope": family.slope,
                    "elongation": family.elongation,
                    "n_x": float(np.median(one.n_x[kept])) if kept.any() else np.nan,
                    "n_y": float(np.median(one.n_y[kept])) if kept.any() else np.nan,
                }
            )
        tables = {"fit_nulls": pd.DataFrame(rows), "shapes": pd.DataFrame(shapes)}
        for table in tables.values():
            table.insert(0, "arm", self.network.arm)
            table.insert(1, "seed", self.network.seed)
        return tables

    def _front(self, filter_: np.ndarray) -> list[dict[str, Any]]:
        fit, side = fit_log(filter_[None]), filter_.shape[-1]
        copies = surrogates(filter_[None], "phase", self.draws, self.network.seed)[:, 0]
        rows = []
        for null in (*BLUR, "phase"):
            drawn = fit_log(copies) if null == "phase" else log_null(side, null, self.draws)
            for statistic in ("r", "q"):
                observed, values = getattr(fit, statistic), getattr(drawn, statistic)
                rows.append(_row(LGN, f"log_{statistic}", null, observed, values))
        return rows


def _row(
    part: str, statistic: str, null: str, observed: np.ndarray, drawn: np.ndarray
) -> dict[str, Any]:
    p = p_values(observed, drawn)
    one = len(observed) == 1
    defined = p[np.isfinite(p)]
    return {
        "part": part,
        "statistic": statistic,
        "null": null,
        "observed": float(np.nanmean(observed)),
        "null_mean": float(np.nanmean(drawn)),
        "null_95": float(np.nanquantile(drawn, LEVEL)),
        "p": float(p[0]) if one else np.nan,
        "share_small_p": np.nan if one or not len(defined) else float((defined < SMALL_P).mean()),
        "n": int(np.isfinite(observed).sum()),
        "n_draws": len(drawn),
    }


@lru_cache(maxsize=4)
def _gabor_r(side: int, null: str, draws: int) -> np.ndarray:
    found: np.ndarray = fit_gabor(noise(draws, side, blur=BLUR[null])).r
    return found
