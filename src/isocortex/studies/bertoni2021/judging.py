"""From tables to intervals, from intervals to verdicts (specification 6).

Every statistic has one value a seed; the interval is Student's t over seeds, contrasts are paired
by seed. Of photographs the interval is a bootstrap over photographs; of a given network, one over
its filters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from isocortex.analyses.lateral import LEARNED, OVERLAP, RESIDUAL, log_where
from isocortex.claims import Claim, Judgement, judge
from isocortex.statistics import Interval, t_interval
from isocortex.studies.bertoni2021.claims import CLAIMS, FULL, LATERAL
from isocortex.studies.bertoni2021.contours import WIDE

Tables = dict[str, pd.DataFrame]
Intervals = dict[str, Interval]

MAIN = "all"
SMALL_P = 0.01


class Statistics:
    """The statistics of the classification arms and codecs, by name: one value a seed."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def named(self) -> dict[str, Callable[[], pd.Series]]:
        """Return every statistic under the name that the claims use."""
        lateral, difference = self._lateral, self._difference
        return {
            "gate": lambda: self._emergence("gate", "last"),
            "radial share gained": lambda: (
                self._emergence("q", "last") - self._emergence("q", "first")
            ),
            "positive gate": lambda: self._codec("positive", "gate"),
            "positive radial share": lambda: self._codec("positive", "q"),
            "Q positive - unpenalised": lambda: (
                self._codec("positive", "q") - self._codec("unpenalised", "q")
            ),
            "Q positive - white": lambda: self._codec("positive", "q") - self._codec("white", "q"),
            "white gate": lambda: self._codec("white", "gate"),
            "law r": lambda: self._amplitude("law_r", 0.2),
            "law r wide": lambda: self._amplitude("law_r", 0.3),
            "amplitude difference": lambda: self._amplitude("phase_difference", 0.2),
            "amplitude difference wide": lambda: self._amplitude("phase_difference", 0.3),
            "gabor gain": lambda: self._network(MAIN, "mean_gain"),
            "gabor gain with - without LGN": lambda: difference("no_lgn", "mean_gain"),
            "accuracy with - without LGN": lambda: difference("no_lgn", "accuracy"),
            "accuracy with - without K": lambda: difference("no_lateral", "accuracy"),
            "log LR - permuted": self._permuted,
            "log LR residual": lambda: lateral("like_ratio", "disc", RESIDUAL),
            "log LR beyond": lambda: lateral("like_ratio", "beyond overlap"),
            "log axial": lambda: lateral("axial_ratio", "disc"),
            "log axial - overlap": lambda: (
                lateral("axial_ratio", "disc") - lateral("axial_ratio", "disc", OVERLAP)
            ),
            "e_p - e_c": lambda: lateral("parallel", "r>=2") - lateral("cocircular", "r>=2"),
            "e_p - e_c, r >= 3": lambda: (
                lateral("parallel", "r>=3") - lateral("cocircular", "r>=3")
            ),
            "beta - beta of overlap": lambda: (
                lateral("slope", "r>=2") - lateral("slope", "r>=2", OVERLAP)
            ),
            "beta - beta of overlap, r >= 5": lambda: (
                lateral("slope", "r>=5") - lateral("slope", "r>=5", OVERLAP)
            ),
            "axial share - overlap": lambda: (
                self._association("axial_share") - self._association("axial_share", OVERLAP)
            ),
            "rms ray - rms arc": lambda: self._association("arc_gain"),
            "R2 stochastic - overlap": self._stochastic,
            "induced log LR - control": lambda: self._induced("like_ratio"),
            "induced log axial - control": lambda: self._induced("axial_ratio"),
        }

    def _of(self, table: str, **where: object) -> pd.DataFrame:
        """Return the rows of a table that match."""
        found = self._tables.get(table, pd.DataFrame())
        if found.empty:
            return found
        for column, value in where.items():
            found = found[found[column] == value]
        return found

    def _one(self, rows: pd.DataFrame, column: str) -> pd.Series:
        """Return one value a seed; NaN, which is counted, where units are too few to conclude."""
        if rows.empty:
            return pd.Series(dtype=float)
        values = rows[column].astype(float)
        if "enough" in rows:
            values = values.where(rows["enough"].astype(bool))
        return values.set_axis(rows["seed"]).sort_index()

    def _emergence(self, column: str, when: Literal["first", "last"]) -> pd.Series:
        return self._one(_end(self._of("emergence", arm=MAIN), when), column)

    def _codec(self, arm: str, column: str) -> pd.Series:
        return self._one(_end(self._of("codecs", arm=arm), "last"), column)

    def _amplitude(self, column: str, limit: float) -> pd.Series:
        return self._one(self._of("amplitudes", limit=limit), column)

    def _network(self, arm: str, column: str) -> pd.Series:
        rows = self._tables.get("networks", pd.DataFrame())
        return self._one(rows[rows["arm"] == arm], column) if len(rows) else pd.Series(dtype=float)

    def _difference(self, without: str, column: str) -> pd.Series:
        return self._network(MAIN, column) - self._network(without, column)

    def _lateral(self, statistic: str, region: str, what: str = LEARNED) -> pd.Series:
        rows = self._of("lateral", arm=MAIN, what=what, sign="positive", region=region)
        values = self._one(rows, statistic)
        return pd.Series(log_where(statistic, values.to_numpy()), index=values.index)

    def _permuted(self) -> pd.Series:
        rows = self._of("null", arm=MAIN, region="disc", statistic="like_ratio")
        return self._one(rows, "observed") - self._one(rows, "null_mean")

    def _association(self, column: str, what: str = LEARNED) -> pd.Series:
        return self._one(self._of("association", arm=MAIN, what=what), column)

    def _stochastic(self) -> pd.Series:
        r2 = {
            model: self._one(self._of("comparison", arm=MAIN, model=model), "r2")
            for model in ("direction", "diffusion", OVERLAP)
        }
        both = pd.concat([r2["direction"], r2["diffusion"]], axis=1)
        return both.max(axis=1, skipna=False) - r2[OVERLAP]

    def _induced(self, statistic: str) -> pd.Series:
        return self._one(self._of("induced_contrast", statistic=statistic), "value")


def _end(rows: pd.DataFrame, when: Literal["first", "last"]) -> pd.DataFrame:
    """Return the first or last step of each seed, whether or not its figures are defined."""
    if rows.empty:
        return rows
    grouped = rows.sort_values("step").groupby("seed")
    return grouped.head(1) if when == "first" else grouped.tail(1)


def intervals_of(tables: Tables) -> Intervals:
    """Return the t interval over seeds of every statistic that has a value."""
    found = {}
    for name, compute in Statistics(tables).named().items():
        values = compute().to_numpy(dtype=float)
        if np.isfinite(values).any():
            found[name] = t_interval(values, nan="drop")
    return found


def judge_all(tables: Tables, full_scale: bool, images: str) -> list[Judgement]:
    """Judge every claim.

    Parameters
    ----------
    tables : dict of str to DataFrame
    full_scale : bool
        Whether claims of the full scale are judged.
    images : str
        What the networks learned from, for the condition of the verdicts.
    """
    over_seeds = intervals_of(tables)
    found = []
    for claim in CLAIMS:
        if claim.id in FULL and not full_scale:
            found.append(judge(claim, {}, reason="for the presets full-cifar and full"))
        elif claim.id in ("B15", "B16"):
            found += _of_photographs(claim, tables)
        else:
            names = {part.name for part in claim.parts}
            seeds = max((over_seeds[n].n for n in names if n in over_seeds), default=0)
            found.append(
                judge(
                    claim,
                    over_seeds,
                    n_seeds=seeds,
                    condition=_condition(claim, images),
                    reason=_missing(claim, tables) or _counted(claim, tables),
                )
            )
        if claim.id == "B17":
            found += _of_given(claim, tables)
    return found


def _condition(claim: Claim, images: str) -> str:
    if claim.id in ("B2", "B3", "B4", "B4 full"):
        return "codecs"
    return "own networks without LGN" if claim.id == "B17" else images


def _missing(claim: Claim, tables: Tables) -> str:
    if claim.id in LATERAL or claim.id == "B17":
        table = tables.get("induced_contrast" if claim.id == "B17" else "lateral")
        if table is not None and not table["enough"].any():
            return "fewer than 8 retained filters in every network"
    return ""


def _counted(claim: Claim, tables: Tables) -> str:
    """Say in how many networks the like ratio is beyond its permutations, for B8 alone."""
    table = tables.get("null", pd.DataFrame())
    if claim.id != "B8" or table.empty:
        return ""
    rows = table.query("arm == @MAIN and region == 'disc' and statistic == 'like_ratio' and enough")
    beyond = int((rows["p"] < SMALL_P).sum())
    return f"p < {SMALL_P:g} under permutation in {beyond} of {len(rows)} networks"


def _of_photographs(claim: Claim, tables: Tables) -> list[Judgement]:
    table = tables["contour_contrasts"]
    found = []
    for source, rows in table.groupby("source", sort=False):
        if source == "dead leaves":
            reason = "photographs are not there: set ISOCORTEX_DATA"
            found.append(judge(claim, {}, condition="dead leaves", reason=reason))
            continue
        intervals = {
            row.contrast: Interval(
                row.value, row.low, row.high, 0.95, int(row.n), "bootstrap over photographs"
            )
            for row in rows.itertuples()
        }
        few = int(rows["n"].max()) < FEWEST_PHOTOGRAPHS
        reason = f"needs {FEWEST_PHOTOGRAPHS} photographs" if few else ""
        if claim.id == "B16" and not few:
            reason = _ends(tables["contour_fits"].query("source == @source"))
        found.append(
            judge(claim, {} if few else intervals, condition=f"{source}, held out", reason=reason)
        )
    return found


def _ends(fits: pd.DataFrame) -> str:
    """Name the processes that may be better beyond the parameters that were tried."""
    wide = (fits["r_min"] == WIDE[0]) & (fits["r_max"] == WIDE[1]) & fits["at_end"]
    rows = fits[wide & fits["condition"].isin(("photographs", "random_phase"))]
    named = [f"{row.family} for {row.condition.replace('_', ' ')}" for row in rows.itertuples()]
    return f"best candidate at the end of its range: {', '.join(named)}" if named else ""


FEWEST_PHOTOGRAPHS = 30


def _of_given(claim: Claim, tables: Tables) -> list[Judgement]:
    """Judge a claim about induced connections for each given network, over its filters."""
    if "given_contrast" not in tables:
        return []
    names = {
        "like_ratio": "induced log LR - control",
        "axial_ratio": "induced log axial - control",
    }
    found = []
    for network, rows in tables["given_contrast"].groupby("network", sort=False):
        enough = bool(rows["enough"].all())
        intervals = {
            names[row.statistic]: Interval(
                row.value, row.low, row.high, 0.95, int(row.n), "bootstrap over filters"
            )
            for row in rows.itertuples()
            if enough
        }
        found.append(
            judge(
                claim,
                intervals,
                n_seeds=claim.seeds_needed,
                condition=f"{network}, this network only",
                reason="" if enough else "fewer than 8 retained filters",
            )
        )
    return found
