"""From tables to intervals, from intervals to verdicts.

Every statistic is computed per seed as the mean over exemplars; contrasts are paired by seed; the
interval is Student's t over seeds. Pixels have no seeds: their interval is BCa over exemplars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from isocortex.claims import Claim, Judgement, judge
from isocortex.statistics import Interval, bootstrap_interval, t_interval
from isocortex.studies.farzmahdi2024.claims import (
    CLAIMS,
    FC,
    LATER,
    NOT_BUILT,
    TRAINED,
)
from isocortex.studies.farzmahdi2024.measuring import GAP
from isocortex.studies.farzmahdi2024.recordings import CONV_LAYERS, LAYERS

Tables = dict[str, pd.DataFrame]
Intervals = dict[str, Interval]

RECORDED = frozenset({"F19"})
SIMULATED = frozenset({"F23"})
OF_GIVEN = frozenset({"F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F13"})
TABLED = "indices of given networks stand in the table; their claims are not judged yet"
LAST_CONV = CONV_LAYERS[-1]


def per_seed(index: pd.DataFrame, **where: str) -> pd.Series:
    """Return the mean exact index over exemplars, one value a seed, for the rows that match."""
    rows = index.loc[np.logical_and.reduce([index[k] == v for k, v in where.items()])]
    return rows.groupby("seed")["exact"].mean().sort_index()


def paired(first: pd.Series, second: pd.Series) -> pd.Series:
    """Return the difference at the seeds that both have."""
    return first - second


class Statistics:
    """The statistics of one training source, by name."""

    def __init__(self, tables: Tables, source: str) -> None:
        index, symmetry = tables["index"], tables["symmetry"]
        self._index = index[index["source"] == source]
        self._natural = index[index["source"] == "cifar10"]
        self._symmetry = symmetry[symmetry["source"] == source]
        self._alignment = tables.get("alignment", pd.DataFrame())
        self._source = source

    @property
    def policies(self) -> set[str]:
        """The diets that were run."""
        return set(self._index["policy"])

    def m(self, policy: str, kind: str, layer: str, shown: str = "classes") -> pd.Series:
        """Return M per seed of a class of objects at a layer."""
        where = {"policy": policy, "layer": layer, "set": shown}
        if shown != "heads":
            where["symmetry_class"] = kind
        return per_seed(self._index, **where)

    def flip(self, measure: str, policy: str, layer: str, transform: str = "hflip") -> pd.Series:
        """Return invariance or equivariance per seed, all images of the class set together."""
        rows = self._symmetry.query(
            "policy == @policy and layer == @layer and transform == @transform"
        )
        defined = rows[f"n_{measure}"]
        weighted = (rows[measure] * defined).groupby(rows["seed"]).sum()
        return weighted / defined.groupby(rows["seed"]).sum().replace(0, np.nan)

    def slope(self, policy: str, transform: str) -> pd.Series:
        """Return the slope of equivariance over conv layers (per layer), one value a seed."""
        by_layer = pd.concat(
            [self.flip("equivariance", policy, layer, transform) for layer in CONV_LAYERS], axis=1
        ).to_numpy()
        depth = np.arange(len(CONV_LAYERS)) - (len(CONV_LAYERS) - 1) / 2
        values = by_layer @ depth / (depth @ depth)
        return pd.Series(values)

    def invariance_range(self, policy: str, layer: str) -> pd.Series:
        """Return the range over classes of h-invariance, one value a seed."""
        rows = self._symmetry.query(
            "policy == @policy and layer == @layer and transform == 'hflip'"
            " and symmetry_class != 'unclear'"
        )
        grouped = rows.groupby("seed")["invariance"]
        return grouped.max() - grouped.min()

    def named(self) -> dict[str, Callable[[], pd.Series]]:
        """Return every statistic of this source under the name that the claims use."""
        one, none = "one_plane", "asymmetric"
        m, flip = self.m, self._flip_difference
        fc1, last = ("sym", one, "fc1"), ("sym", one, LAST_CONV)
        gap = ("sym", one, GAP)
        equivariance, invariance = "equivariance", "invariance"
        found: dict[str, Callable[[], pd.Series]] = {
            "sym M(1p) fc1 - conv2_2": partial(self._difference, fc1, last),
            "sym intact - broken fc1": partial(
                self._difference, fc1, ("sym", "broken", "fc1", "broken")
            ),
            "sym equivariance slope hflip": partial(self.slope, "sym", "hflip"),
            "sym equivariance hflip - vflip conv2_2": partial(
                flip, equivariance, ("sym", LAST_CONV, "hflip"), ("sym", LAST_CONV, "vflip")
            ),
            "sym equivariance vflip - rot90 conv2_2": partial(
                flip, equivariance, ("sym", LAST_CONV, "vflip"), ("sym", LAST_CONV, "rot90")
            ),
            "sym invariance hflip fc1 - conv2_2": partial(
                flip, invariance, ("sym", "fc1"), ("sym", LAST_CONV)
            ),
            "none - sym equivariance hflip conv1_1": partial(
                flip, equivariance, ("none", "conv1_1"), ("sym", "conv1_1")
            ),
            "sym - none equivariance hflip conv2_2": partial(
                flip, equivariance, ("sym", LAST_CONV), ("none", LAST_CONV)
            ),
            "sym invariance range fc1": partial(self.invariance_range, "sym", "fc1"),
            "sym M(1p) - M(as) fc1": partial(self._difference, fc1, ("sym", none, "fc1")),
            "sym - orig M(1p) fc2": partial(
                self._difference, ("sym", one, "fc2"), ("orig", one, "fc2")
            ),
            "cifar10 - orig M(heads) fc2": self._natural_heads,
            "sym M(heads) fc2": partial(m, "sym", "", "fc2", "heads"),
            "sym - none M(1p) gap": partial(self._difference, gap, ("none", one, GAP)),
            "sym M(1p) gap - fc1": partial(self._difference, gap, fc1),
            "symmetric - side, sym fc1": partial(
                self._difference, fc1, ("sym", one, "fc1", "side")
            ),
            "sym AM score fc1 - conv2_2": self._score_difference,
        }
        for layer in ("fc1", "fc2"):
            for policy, other in (("sym", "none"), ("sym", "asym"), ("sym20", "asym")):
                found[f"{policy} - {other} M(1p) {layer}"] = partial(
                    self._difference, (policy, one, layer), (other, one, layer)
                )
        for policy in TRAINED:
            for layer in LAYERS:
                found[f"{policy} M(2p) {layer}"] = partial(m, policy, "two_plane", layer)
            for layer in FC:
                found[f"{policy} M(as) {layer}"] = partial(m, policy, none, layer)
        return found

    def _difference(self, first: tuple[str, ...], second: tuple[str, ...]) -> pd.Series:
        return paired(self.m(*first), self.m(*second))

    def _flip_difference(
        self, measure: str, first: tuple[str, ...], second: tuple[str, ...]
    ) -> pd.Series:
        return paired(self.flip(measure, *first), self.flip(measure, *second))

    def _natural_heads(self) -> pd.Series:
        natural = per_seed(self._natural, policy="orig", layer="fc2", set="heads")
        return paired(natural, self.m("orig", "", "fc2", "heads"))

    def _score_difference(self) -> pd.Series:
        return paired(self._score("sym", "fc1"), self._score("sym", LAST_CONV))

    def _score(self, policy: str, layer: str) -> pd.Series:
        if self._alignment.empty:
            return pd.Series(dtype=float)
        rows = self._alignment.query(
            "source == @self._source and policy == @policy and layer == @layer"
        )
        return rows.set_index("seed")["score"].sort_index()


def intervals_of(statistics: Statistics) -> Intervals:
    """Return the t interval over seeds of every statistic that has a value."""
    found = {}
    for name, compute in statistics.named().items():
        values = compute().to_numpy()
        if np.isfinite(values).any():
            found[name] = t_interval(values, nan="drop")
    return found


def shared_intervals(tables: Tables, resamples: int) -> Intervals:
    """Return the intervals that no diet decides: pixels, hand-made filters, simulations."""
    found = {}
    pixels = tables["pixels"].query("set == 'classes' and symmetry_class == 'two_plane'")
    values = pixels["exact"].dropna().to_numpy()
    if len(values):
        found["pixels M(2p)"] = bootstrap_interval(
            values, method="bca", n_resamples=resamples, seed=0
        )
    mechanism = tables["mechanism"].query(
        "filters == 'symmetric' and readout == 'gap' and symmetry_class == 'one_plane'"
    )
    by_light = mechanism.pivot_table("exact", "seed", "lighting", aggfunc="mean")
    if {"symmetric", "side"} <= set(by_light):
        found["symmetric - side, filters + pooling"] = t_interval(
            (by_light["symmetric"] - by_light["side"]).to_numpy()
        )
    by_kind = tables["simulated"].pivot_table("exact", "seed", "kind", aggfunc="mean")
    for first, second in (("mirror", "invariant"), ("invariant", "view")):
        name = f"M {first} - {second}"
        found[name] = t_interval((by_kind[first] - by_kind[second]).to_numpy())
    return found


def neural_intervals(tables: Tables) -> Intervals:
    """Return the intervals of the recorded face patch; empty where there are no recordings."""
    if "face_patch" not in tables:
        return {}
    rows = tables["face_patch"].set_index("measure")

    def interval(measure: str, method: str) -> Interval:
        value, low, high = (float(rows.loc[measure, k]) for k in ("value", "low", "high"))
        return Interval(value, low, high, 0.95, int(rows.loc[measure, "n"]), method)

    raw = interval("raw", "BCa over neurons")
    return {
        "AM raw index": raw,
        "AM raw index over the baseline": raw,
        "AM null p": interval("null_p", "Clopper-Pearson over permutations"),
    }


def judge_all(
    tables: Tables, sources: Sequence[str], seeds: int, resamples: int, objects: str
) -> list[Judgement]:
    """Judge every claim: once for each training source, and once where none has a part in it.

    Parameters
    ----------
    tables : dict of str to DataFrame
    sources : sequence of str
        Training sources.
    seeds : int
        Networks of each diet.
    resamples : int
        Bootstrap samples of exemplars.
    objects : str
        Where the objects come from, for the condition of the verdicts.
    """
    shared = shared_intervals(tables, resamples)
    neural = neural_intervals(tables)
    judgements = []
    by_source = {source: intervals_of(Statistics(tables, source)) for source in sources}
    for claim in CLAIMS:
        if claim.id in RECORDED:
            judgements.append(_neural(claim, neural))
        elif claim.id in SIMULATED:
            drawn = tables["simulated"]["seed"].nunique()
            judgements.append(judge(claim, shared, n_seeds=drawn, condition="simulated"))
        elif claim.id in NOT_BUILT:
            judgements.append(judge(claim, {}, n_seeds=seeds, reason=LATER))
        elif claim.id == "F18":
            judgements.append(judge(claim, {}, n_seeds=seeds, reason=_given_reason(tables)))
        else:
            judgements += [
                judge(
                    claim,
                    {**shared, **by_source[source]},
                    n_seeds=seeds,
                    condition=f"{source}; {objects}",
                    reason=_missing(claim, tables),
                )
                for source in sources
            ]
            if "given" in tables and claim.id in OF_GIVEN:
                judgements.append(
                    judge(claim, {}, n_seeds=seeds, condition="given networks", reason=TABLED)
                )
    return judgements


def _neural(claim: Claim, intervals: Intervals) -> Judgement:
    reason = "" if intervals else "the recordings are not there: set ISOCORTEX_DATA"
    return judge(claim, intervals, n_seeds=1, condition="one animal", reason=reason)


def _given_reason(tables: Tables) -> str:
    if "given" in tables:
        return "reported only: see the table of given networks"
    return "no network was given; the full preset takes them"


def _missing(claim: Claim, tables: Tables) -> str:
    if claim.id == "F11" and "cifar10" not in set(tables["index"]["source"]):
        return "needs the natural diet (preset small, with data)"
    if claim.id == "F20" and "alignment" not in tables:
        return "the recordings are not there: set ISOCORTEX_DATA"
    return ""
