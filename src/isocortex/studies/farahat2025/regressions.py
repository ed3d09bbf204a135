"""One point a configuration: what predicts areas, and digits and textures, over networks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from isocortex.measures.encoding import pearson_r
from isocortex.statistics import bootstrap_interval
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.claims import SESSIONS
from isocortex.studies.farahat2025.nonlinearity import MEASURES, summary
from isocortex.studies.farahat2025.own_areas import is_own
from isocortex.studies.farahat2025.resampling import difference_of_r2, explained, left_out

Tables = dict[str, pd.DataFrame]

BRODATZ = "real-brodatz"
"""The textures that R10 and R11 speak of."""

R11_RANGE = (0.2, 0.9)
"""Mean accuracies outside leave no room for a difference between networks."""

FEWEST_POINTS = 4

COLUMNS = (
    *("area", "measure", "blocks", "r2", "low", "high", "slope_sign", "spearman"),
    *("left_out_r2", "r2_least", "r2_most", "configurations"),
)

AREAS = {TANG: "V1 (3 cells)", "V4": "V4", "EVC": "human EVC", "IT": "human IT",
         "v1-sim": "simulated V1"}  # fmt: skip
"""Areas in the order of figures."""


def known_areas(names: Iterable[str]) -> list[str]:
    """Return the areas among some names in the order of figures, those that users fetch last."""
    names = list(names)
    return [*(a for a in AREAS if a in names), *sorted(n for n in names if is_own(n))]


def area_label(area: str) -> str:
    """Return what figures call an area."""
    return {**AREAS, "it-sim": "simulated IT"}.get(area, area.replace("v4-", "V4 "))


def _grid(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["arm"] == "random") & (table["norm"] == "gain")]


def points(tables: Tables) -> pd.DataFrame:
    """Return one row a configuration: measures of complexity, and the score of each area.

    Scores are means over seeds and over cells, neurons of all natural sessions, or subjects; r for
    recordings, rho of the last block for human areas, FEV for simulated V1 and for recordings that
    users fetch. ``seeds`` is the
    smallest number of seeds behind a row. Empty without complexity.
    """
    if "complexity" not in tables:
        return pd.DataFrame()
    found = summary(tables["complexity"])
    seeds = [_grid(tables["complexity"]).groupby("configuration")["seed"].nunique()]
    columns: dict[str, pd.Series] = {}
    if "encoding" in tables:
        grid = _grid(tables["encoding"])
        natural = grid[grid["area"].isin(SESSIONS)]
        if natural["area"].nunique() < len(SESSIONS):
            natural = natural.iloc[:0]
        own = [area for area in grid["area"].unique() if is_own(area)]
        for name, rows, value in (
            (TANG, grid[grid["area"] == TANG], "r"),
            ("V4", natural, "r"),
            ("v1-sim", grid[grid["area"] == "v1-sim"], "fev"),
            *((area, grid[grid["area"] == area], "fev") for area in own),
        ):
            if len(rows):
                columns[name] = rows.groupby("configuration")[value].mean()
                seeds.append(rows.groupby("configuration")["seed"].nunique())
    if "rsa" in tables:
        grid = _grid(tables["rsa"])
        for region, rows in grid[grid["last"]].groupby("region"):
            columns[str(region)] = rows.groupby("configuration")["rho"].mean()
            seeds.append(rows.groupby("configuration")["seed"].nunique())
    joined = found.join(pd.DataFrame(columns), how="left")
    return joined.assign(seeds=pd.concat(seeds, axis=1).min(axis=1))


def texture_points(tables: Tables) -> pd.DataFrame:
    """Return C_lin and accuracies of texture and digit, one row a configuration that has all."""
    if "textures" not in tables or "complexity" not in tables:
        return pd.DataFrame()
    table = tables["textures"]
    rows = table[
        (table["source"] == BRODATZ) & (table["readout"] == "means") & (table["arm"] == "random")
    ]
    wide = rows.pivot_table("accuracy", "configuration", "label", aggfunc="mean")
    if not {"texture", "digit"} <= set(wide):
        return pd.DataFrame()
    each = rows.groupby(["configuration", "label"])["seed"].nunique()
    seeds = each.groupby("configuration").min().rename("seeds")
    complexity = summary(tables["complexity"])[["c_lin", "e_even"]]
    return wide.join(complexity).join(seeds).dropna()


def regressions(tables: Tables, n_resamples: int) -> pd.DataFrame:
    """Regress the scores of each area on each measure of complexity, over configurations.

    Returns
    -------
    DataFrame
        One row a measure and area: ``r2`` with its percentile interval over configurations,
        ``spearman``, ``left_out_r2``, the range of R2 when each configuration is left out in turn
        (``r2_least``, ``r2_most``), and ``configurations``. Empty with fewer than four points.
    """
    found = points(tables)
    rows = []
    for area in known_areas(found.columns):
        for measure in (*MEASURES, *(f"{m}_mean" for m in MEASURES)):
            if measure not in found:
                continue
            both = found[[measure, area]].dropna()
            if len(both) < FEWEST_POINTS or both[measure].nunique() < 2:
                continue
            c, score = both[measure].to_numpy(), both[area].to_numpy()
            interval = bootstrap_interval(
                both.to_numpy(),
                lambda sample, axis: explained(sample[..., 0], sample[..., 1]),
                n_resamples=n_resamples,
            )
            keep = ~np.eye(len(c), dtype=bool)
            each = [float(explained(c[k], score[k])) for k in keep]
            rows.append(
                {
                    "area": area,
                    "measure": measure.removesuffix("_mean"),
                    "blocks": "mean" if measure.endswith("_mean") else "1",
                    "r2": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "slope_sign": float(np.sign(pearson_r(c[:, None], score[:, None])[0])),
                    "spearman": float(stats.spearmanr(c, score).statistic),
                    "left_out_r2": left_out(c, score),
                    "r2_least": min(each),
                    "r2_most": max(each),
                    "configurations": len(c),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def contrasts(tables: Tables, n_resamples: int) -> pd.DataFrame:
    """Return R2 early less R2 late for each measure of complexity, on the same configurations.

    One row a measure and pair of areas, with a percentile interval over configurations.
    """
    found = points(tables)
    rows = []
    for early, late in (("EVC", "IT"), (TANG, "V4")):
        for measure in (*MEASURES, *(f"{m}_mean" for m in MEASURES)):
            if found.empty or not {early, late, measure} <= set(found):
                continue
            both = found[[measure, early, late]].dropna()
            if len(both) < FEWEST_POINTS or both[measure].nunique() < 2:
                continue
            c, a, b = both.to_numpy().T
            interval = difference_of_r2(c, a, b, n_resamples)
            rows.append(
                {
                    "early": early,
                    "late": late,
                    "measure": measure.removesuffix("_mean"),
                    "blocks": "mean" if measure.endswith("_mean") else "1",
                    "difference": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "configurations": len(both),
                }
            )
    names = ("early", "late", "measure", "blocks", "difference", "low", "high", "configurations")
    return pd.DataFrame(rows, columns=list(names))
