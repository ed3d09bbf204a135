"""From tables to intervals: over cells, neurons, subjects or seeds, each with its bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from isocortex.statistics import Interval
from isocortex.studies.farahat2025.claims import CEILING, CELLS, SESSIONS
from isocortex.studies.farahat2025.contrasts import Network
from isocortex.studies.farahat2025.resampling import Resampler, stacked, stacked_moments

Tables = dict[str, pd.DataFrame]
Statistic = Callable[[np.ndarray], np.ndarray]
"""From draws (1 + draws, networks, ...) of scores to one number a draw."""


def _with_pixels_of_each_seed(encoding: pd.DataFrame) -> pd.DataFrame:
    """Return scores in which pixels, which have no seed, stand beside every seed of networks."""
    pixels = encoding["configuration"] == "pixels"
    seeds = encoding.loc[~pixels, "seed"].unique()
    return pd.concat(
        [encoding[~pixels], *(encoding[pixels].assign(seed=seed) for seed in seeds)],
        ignore_index=True,
    )


class Intervals:
    """Intervals by the name of the part that they decide, with the seeds behind each."""

    def __init__(self, tables: Tables, n_resamples: int) -> None:
        self.tables, self.n_resamples = dict(tables), n_resamples
        if "encoding" in tables:
            self.tables["encoding"] = _with_pixels_of_each_seed(tables["encoding"])
        self.intervals: dict[str, Interval] = {}
        self.seeds: dict[str, int] = {}
        self.reasons: dict[str, str] = {}

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table, or None where it was not made."""
        return self.tables.get(name)

    def put(self, name: str, interval: Interval, seeds: int) -> None:
        """Keep an interval, unless its estimate is not a number."""
        if np.isfinite(interval.estimate):
            self.intervals[name], self.seeds[name] = interval, seeds

    def v1(
        self,
        name: str,
        networks: Sequence[Network],
        statistic: Statistic,
        table: str = "moments",
        *,
        first_predicts: bool = False,
    ) -> None:
        """Judge each cell; with `first_predicts` only those that the first network predicts."""
        moments = self.table(table)
        values = None if moments is None else stacked_moments(moments, networks)
        if values is None:
            return
        draws = Resampler(len(values), self.n_resamples)
        r = draws.correlations(values)
        for cell in CELLS[: r.shape[-1]]:
            if first_predicts and not draws.interval(r[:, 0, cell], "").low > 0:
                self.reasons[f"{name} cell {cell + 1}"] = (
                    f"not decidable: the first network of {name} predicts nothing of cell"
                    f" {cell + 1}, so a small difference says nothing"
                )
                continue
            what = f"seeds x {values.shape[1]} runs of patterns"
            interval = draws.interval(statistic(r[..., cell]), what)
            self.put(f"{name} cell {cell + 1}", interval, len(values))

    def neurons(
        self,
        name: str,
        area: str,
        networks: Sequence[Network],
        statistic: Statistic,
        value: str = "r",
        table: str = "encoding",
    ) -> None:
        """Keep the interval of a statistic over seeds and the neurons of one area."""
        found = self.table(table)
        wanted = [{"area": area, **network} for network in networks]
        stack = None if found is None else stacked(found, wanted, "neuroid", value)
        if stack is None:
            return
        draws = Resampler(len(stack.values), self.n_resamples)
        drawn = statistic(draws.over_units(stack.values))
        self.put(name, draws.interval(drawn, "seeds x neurons", stack.dropped), draws.seeds)

    def v4(
        self,
        name: str,
        networks: Sequence[Network],
        statistic: Statistic,
        table: str = "encoding",
    ) -> None:
        """Keep one interval for each session with natural images."""
        for session in SESSIONS:
            self.neurons(f"{name} {session}", session, networks, statistic, table=table)

    def explained(
        self,
        name: str,
        area: str,
        networks: Sequence[Network],
        statistic: Statistic,
    ) -> None:
        """Keep the interval of a statistic of FEV over the neurons of an area."""
        self.neurons(name, area, networks, statistic, value="fev")

    def human(self, networks: Sequence[Network]) -> np.ndarray | None:
        """Return rho (seeds, subjects, networks, 2) of the last block with EVC and IT."""
        rsa = self.table("rsa")
        if rsa is None:
            return None
        last = rsa[rsa["last"]]
        pair = [
            stacked(last[last["region"] == region], networks, "subject", "rho")
            for region in CEILING
        ]
        if any(p is None for p in pair):
            return None
        return np.stack([p.values for p in pair if p is not None], axis=-1)

    def of_subjects(
        self,
        name: str,
        networks: Sequence[Network],
        statistic: Statistic,
    ) -> None:
        """Keep the interval of a statistic of both human regions over seeds and subjects."""
        values = self.human(networks)
        if values is None:
            return
        seeds, subjects, k, _ = values.shape
        draws = Resampler(seeds, self.n_resamples)
        drawn = draws.over_units(values.reshape(seeds, subjects, -1)).reshape(-1, k, 2)
        self.put(name, draws.interval(statistic(drawn), "seeds x subjects"), seeds)

    def all_sessions(
        self, encoding: pd.DataFrame, networks: Sequence[Network]
    ) -> np.ndarray | None:
        """Return r (seeds, neurons of all natural sessions, networks), None if one is missing."""
        by_session = [
            stacked(encoding, [{"area": session, **n} for n in networks], "neuroid", "r")
            for session in SESSIONS
        ]
        found = [stack.values for stack in by_session if stack is not None]
        return np.concatenate(found, axis=1) if len(found) == len(SESSIONS) else None

    def pair(
        self,
        name: str,
        areas: tuple[str, str],
        networks: Sequence[Network],
        statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
        undefined: str = "",
    ) -> None:
        """Keep the interval of a statistic of FEV in a late area and an early one."""
        encoding = self.table("encoding")
        if encoding is None:
            return
        late, early = (
            stacked(encoding, [{"area": area, **n} for n in networks], "neuroid", "fev")
            for area in areas
        )
        if late is None or early is None or len(late.values) != len(early.values):
            return
        draws = Resampler(len(late.values), self.n_resamples)
        drawn = statistic(draws.over_units(late.values), draws.over_units(early.values))
        if undefined and not np.isfinite(drawn[0]):
            self.reasons[name] = undefined
        dropped = late.dropped + early.dropped
        self.put(name, draws.interval(drawn, "seeds x neurons", dropped), draws.seeds)

    def of_seeds(
        self,
        name: str,
        table: pd.DataFrame,
        networks: Sequence[Network],
        value: str,
        statistic: Statistic,
    ) -> None:
        """Keep the interval of a statistic over seeds alone."""
        stack = stacked(table, networks, "all", value)
        if stack is None:
            return
        draws = Resampler(len(stack.values), self.n_resamples)
        drawn = statistic(draws.over_seeds(stack.values[:, 0]))
        self.put(name, draws.interval(drawn, "seeds"), draws.seeds)
