"""From tables to the intervals that decide: every statistic of the claims, by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from isocortex.claims import Verdict, judge
from isocortex.statistics import Interval
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.claims import CEILING, CLAIMS
from isocortex.studies.farahat2025.contrasts import (
    OTHERS,
    R3_NETWORKS,
    R4_NETWORKS,
    SMOOTH,
    Network,
    gain,
    least_r3,
    least_r4,
    random,
    twin,
)
from isocortex.studies.farahat2025.full_claims import CADENA, LATE, MONKEYS
from isocortex.studies.farahat2025.intervals import Intervals
from isocortex.studies.farahat2025.regressions import (
    BRODATZ,
    R11_RANGE,
    points,
    texture_points,
)
from isocortex.studies.farahat2025.resampling import (
    FEWEST_CONFIGURATIONS,
    Resampler,
    difference_of_r2,
    stacked_moments,
)

CHANCE = 0.1
"""Of ten textures or digits."""

SIMULATED = ("it-sim", "v1-sim")

DEPTH = 2
"""Block whose circular variances are compared."""


def _early(statistic: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Apply a statistic to early cortex alone, the first of the last axis."""
    return statistic(x[..., 0])


class Evidence(Intervals):
    """Intervals of all parts that the tables have numbers for."""

    def collect(self) -> None:
        """Compute everything."""
        for name, networks, statistic in (
            ("R3", R3_NETWORKS, least_r3),
            ("R4", R4_NETWORKS, least_r4),
        ):
            self.v1(name, networks, statistic)
            self.v4(name, networks, statistic)
            self.of_subjects(f"{name} EVC", networks, partial(_early, statistic))
            self.explained(name.replace("R", "T"), "v1-sim", networks, statistic)
        self._trained_on_responses()
        self._objects()
        self._complexity()
        self._regressions()
        self._full_scale()
        self._species()
        self._selectivity()
        self._textures()

    def _trained_on_responses(self) -> None:
        def both(configuration: str) -> list[Network]:
            return [twin(configuration) | {"frozen": f} for f in (True, False)]

        named = ("relu-avg", "relu-max", "identity-max")
        for configuration in named:
            name = f"R2a {configuration}"
            self.v1(name, both(configuration), gain, "neural_moments", first_predicts=True)
        plain = [f"{a}-avg" for a in SMOOTH]
        networks = [n for c in (*plain, *named) for n in both(c)]

        def more(x: np.ndarray) -> np.ndarray:
            gains = x[:, 1::2] - x[:, ::2]
            return np.asarray(gains[:, :3].mean(axis=1) - gains[:, 3:].mean(axis=1))

        self.v1("R2b", networks, more, "neural_moments")
        self.v4("R2c", both("relu-max"), gain, "neural")
        self.neurons("T2c", "it-sim", both("relu-max"), gain, "fev", "neural")

    def _objects(self) -> None:
        """Judge what object training gives and what shuffling takes."""
        ceilings = np.array(list(CEILING.values()))

        def late(x: np.ndarray) -> np.ndarray:
            relative = (x[:, 1] - x[:, 0]) / ceilings
            return np.asarray(relative[:, 1] - relative[:, 0])

        random_and_trained = [twin(), twin(arm="trained")]
        self.of_subjects("R1 human", random_and_trained, late)
        self._macaque("R1 macaque", random_and_trained)
        self.pair("T1", SIMULATED, random_and_trained, lambda it, v1: gain(it) - 2 * gain(v1))
        for kind in ("S2", "S3"):
            networks = [twin(arm=kind), twin(arm="trained")]
            self.of_subjects(f"R7 {kind} human", networks, late)
            self._macaque(f"R7 {kind} macaque", networks)
            self._relative_drop(kind)

    def _macaque(self, name: str, networks: Sequence[Network]) -> None:
        """V4 (all neurons of natural sessions) minus V1 (mean of the cells)."""
        moments, encoding = self.table("moments"), self.table("encoding")
        if moments is None or encoding is None:
            return
        v1 = stacked_moments(moments, networks)
        v4 = self.all_sessions(encoding, networks)
        if v1 is None or v4 is None or len(v1) != len(v4):
            return
        draws = Resampler(len(v1), self.n_resamples)
        late = gain(draws.over_units(v4))
        early = gain(draws.correlations(v1).mean(axis=-1))
        self.put(name, draws.interval(late - early, "seeds x neurons and runs"), len(v1))

    def _relative_drop(self, kind: str) -> None:
        """Compare drops relative to what training gives beyond the pixels, neuron by neuron."""

        def relative(x: np.ndarray) -> np.ndarray:
            above = x[:, 1] - x[:, 2]
            if np.quantile(above[1:], 0.025) <= 0:  # a denominator that may be 0
                return np.full(len(x), np.nan)
            return np.asarray((x[:, 1] - x[:, 0]) / above)

        monkeys = {f"R7 {kind} {monkey}": (f"{monkey}:IT", f"{monkey}:V1") for monkey in MONKEYS}
        for name, areas in {f"T7 {kind}": SIMULATED, **monkeys}.items():
            self.pair(
                name,
                areas,
                [twin(arm=kind), twin(arm="trained"), {"configuration": "pixels"}],
                lambda late, early: relative(late) - relative(early),
                "the relative drop is undefined: training adds nothing clearly above pixels",
            )

    def _complexity(self) -> None:
        table = self.table("complexity")
        if table is None:
            return
        first = table[(table["block"] == 1) & table["in_grid"]].assign(all=0)
        complex_ = [random("relu-avg"), *(random(f"{a}-max") for a in (*OTHERS, "relu", "abs"))]
        k = len(complex_)
        self.of_seeds(
            "R5",
            first,
            [*complex_, *(random(f"{a}-avg") for a in SMOOTH)],
            "c_lin",
            lambda x: x[:, :k].min(axis=1) - x[:, k:].max(axis=1),
        )
        biased = random("tanh-avg") | {"arm": "biased"}
        self.of_seeds("R12 c_lin", first, [random("tanh-avg"), biased], "c_lin", gain)
        self.of_seeds("R13 c_lin", first, [random("relu-avg"), random("abs-avg")], "c_lin", gain)
        self.v4("R12", [random("tanh-avg"), biased], gain)
        self.v4("R13", [random("abs-avg"), random("relu-avg")], gain)

    def _full_scale(self) -> None:
        """Judge areas of one animal or person that saw the same images."""
        for recording in (CADENA, *MONKEYS):
            for claim, networks, least in (
                ("R3", R3_NETWORKS, least_r3),
                ("R4", R4_NETWORKS, least_r4),
            ):
                self.explained(f"{claim} {recording}", f"{recording}:V1", networks, least)
        found = points(self.tables)
        for recording, late in LATE.items():
            areas = (f"{recording}:{late}", f"{recording}:V1")
            self.pair(
                f"R1 {recording}",
                areas,
                [twin(), twin(arm="trained")],
                lambda late, early: gain(late) - gain(early),
            )
            self._contrast(f"R6 {recording}", found, "c_lin", areas[1], areas[0])

    def _regressions(self) -> None:
        found = points(self.tables)
        for species, (early, late) in {"human": ("EVC", "IT"), "macaque": (TANG, "V4")}.items():
            for measure in ("c_lin", "e_even"):
                self._contrast(f"R6 {measure} {species}", found, measure, early, late)

    def _contrast(
        self, name: str, found: pd.DataFrame, measure: str, early: str, late: str
    ) -> None:
        """Keep the interval of R2 in an early area minus that in a late one."""
        if found.empty or not {early, late, measure} <= set(found):
            return
        rows = found[[measure, early, late, "seeds"]].dropna()
        if len(rows) < FEWEST_CONFIGURATIONS:
            self.reasons[name] = (
                f"needs {FEWEST_CONFIGURATIONS} configurations, there are {len(rows)}"
            )
            return
        c, a, b = (rows[k].to_numpy() for k in (measure, early, late))
        interval = difference_of_r2(c, a, b, self.n_resamples)
        self.put(name, interval, int(rows["seeds"].min()))

    def _species(self) -> None:
        """Compare signs, where both species have shown or contradicted the claim."""
        for which in ("R1", "R6"):
            self.reasons[f"R8 {which}"] = (
                f"not decidable: {which} of the macaque is confounded (other images and cells)"
            )
        signs = {claim: self._sign(claim) for claim in ("R3 EVC", "R3 V1")}
        undecided = [claim for claim, sign in signs.items() if sign == 0]
        if undecided:
            self.reasons["R8 R3"] = (
                f"not decidable: {undecided[0]} is neither shown nor contradicted"
            )
            return
        product = float(np.prod(list(signs.values())))
        names = [p.name for claim in CLAIMS if claim.id in signs for p in claim.parts]
        interval = Interval(product, product, product, 0.95, 2, "sign of both species")
        self.put("R8 R3", interval, min(self.seeds[n] for n in names))

    def _sign(self, identity: str) -> int:
        """Return 1 for a claim that is shown, -1 for one that is contradicted, else 0."""
        (claim,) = (claim for claim in CLAIMS if claim.id == identity)
        known = {p.name: self.intervals[p.name] for p in claim.parts if p.name in self.intervals}
        seeds = min((self.seeds[name] for name in known), default=0)
        verdict = judge(claim, known, n_seeds=seeds).verdict
        return int(verdict is Verdict.SHOWN) - int(verdict is Verdict.CONTRADICTED)

    def _selectivity(self) -> None:
        table = self.table("selectivity_draws")
        if table is None:
            return
        for rule, rows in table[table["block"] == DEPTH].groupby("rule"):
            wide = rows.pivot_table("w1", ["seed", "draw"], ["arm", "configuration"])
            found = list(wide.columns)
            complete = wide.dropna()
            draws_each = rows["draw"].max() + 1
            sizes = complete.groupby("seed").size()
            seeds = sizes[sizes == draws_each].index
            lost = wide.index.get_level_values("seed").nunique() - len(seeds)
            if not len(seeds):
                self.reasons[f"R9a {rule}"] = (
                    "no seed in which every network has a unit that answers"
                )
                continue
            draws = Resampler(len(seeds), draws_each - 1)
            mean = draws.over_drawn(
                complete.loc[seeds].to_numpy().reshape(len(seeds), draws_each, len(found))
            )
            at = {name: mean[:, i] for i, name in enumerate(found)}
            what = "seeds x units and animals"

            def put(name: str, difference: np.ndarray, rule: str = rule) -> None:
                interval = draws.interval(difference, what, lost)  # noqa: B023
                self.put(f"{name} {rule}", interval, draws.seeds)  # noqa: B023

            relu, best = ("random", "relu-avg"), ("trained", "relu-avg")
            others = [("random", f"{a}-avg") for a in OTHERS]
            partners = [("trained", f"{a}-avg") for a in ("tanh", "identity")]
            if not {relu, *others} <= set(at):
                continue
            put("R9a", np.min([at[name] for name in others], axis=0) - at[relu])
            if set(partners) <= set(at):
                put("R9c", at[relu] - np.median([at[name] for name in partners], axis=0))
                if best in at:
                    rest = [v for name, v in at.items() if name != best]
                    put("R9b", np.min(rest, axis=0) - at[best])

    def _textures(self) -> None:
        table = self.table("textures")
        if table is None:
            return
        primary = table[table["source"] == BRODATZ].assign(all=0)
        means = primary[(primary["readout"] == "means") & (primary["label"] == "texture")]
        self.of_seeds(
            "R10a",
            means,
            [twin("relu-avg"), *(twin(f"{a}-avg") for a in OTHERS)],
            "accuracy",
            lambda x: x[:, 0] - x[:, 1:].max(axis=1),
        )
        taught = means[means["arm"] == "trained on it"]
        least = CHANCE + 3 * np.sqrt(CHANCE * (1 - CHANCE) / taught["n_test"])
        if (taught["accuracy"] > least).all():
            both = [twin("relu-avg"), twin("relu-avg", "trained on it")]
            self.of_seeds("R10b", means, both, "accuracy", gain)
        else:
            self.reasons["R10b"] = "training on textures failed: a trained network is at chance"
        found = texture_points(self.tables)
        if len(found) < FEWEST_CONFIGURATIONS:
            self.reasons["R11"] = (
                f"needs {FEWEST_CONFIGURATIONS} configurations, there are {len(found)}"
            )
            return
        low, high = R11_RANGE
        mean = {label: found[label].mean() for label in ("texture", "digit")}
        if not all(low <= m <= high for m in mean.values()):
            said = ", ".join(f"{label} {m:.2f}" for label, m in mean.items())
            self.reasons["R11"] = f"not decidable: mean accuracies ({said}) must be in .2 to .9"
            return
        c, a, b = (found[k].to_numpy() for k in ("c_lin", "texture", "digit"))
        self.put("R11", difference_of_r2(c, a, b, self.n_resamples), int(found["seeds"].min()))
