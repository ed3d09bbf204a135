"""Which networks count in claims, and the matrix of CKA between them, drawn over networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from isocortex.claims import OVER_NETWORKS
from isocortex.statistics import Interval
from isocortex.studies.xie2024.networks import UNTRAINED

LEVEL = 0.95
"""Of every interval."""


class Gate:
    """Lets networks through that have learned something; those that have not are named."""

    def __init__(self, training: pd.DataFrame) -> None:
        trained = training[training["task_set"] != UNTRAINED]
        share = trained.groupby(["task_set", "variant", "seed"])["learned"].all()
        self._failed = {key for key, good in share.items() if not good}

    @property
    def failed(self) -> list[str]:
        """Networks that did not learn."""
        return sorted(f"{s} {v} seed {n}" for s, v, n in self._failed)

    def learned(self, task_set: str, variant: str, seed: int) -> bool:
        """Return whether a network is counted."""
        return (task_set, variant, seed) not in self._failed

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of `table` whose networks are counted."""
        keys = zip(table["task_set"], table["variant"], table["seed"], strict=True)
        return table[[self.learned(*key) for key in keys]]


Group = tuple[str, str]
Draw = Callable[[str, Group, Group], float]


class Blocks:
    """The matrix of CKA between networks at the last block of each stage, drawn over networks.

    Layers of a stage stand in the table in order of depth.
    """

    def __init__(self, table: pd.DataFrame, gate: Gate) -> None:
        self._members: dict[Group, list[int]] = {}
        names: dict[tuple[str, str, int], int] = {}
        for side in "ab":
            for key in zip(
                table[f"task_set_{side}"], table[f"variant_{side}"], table[f"seed_{side}"],
                strict=True,
            ):  # fmt: skip
                if gate.learned(*key) and key not in names:
                    names[key] = len(names)
                    self._members.setdefault((key[0], key[1]), []).append(names[key])
        self._matrix: dict[str, np.ndarray] = {}
        for stage, rows in table.groupby("stage"):
            rows = rows[rows["layer"] == rows["layer"].iloc[-1]]
            matrix = np.full((len(names), len(names)), np.nan)
            for row in rows.itertuples(index=False):
                a = names.get((row.task_set_a, row.variant_a, row.seed_a))
                b = names.get((row.task_set_b, row.variant_b, row.seed_b))
                if a is not None and b is not None:
                    matrix[a, b] = matrix[b, a] = row.cka
            self._matrix[f"layer{stage:.0f}"] = matrix

    def has(self, *groups: Group) -> bool:
        """Return whether all of these groups have networks."""
        return all(self._members.get(group) for group in groups)

    def mean(self, layer: str, a: Group, b: Group, drawn: Mapping[Group, Sequence[int]]) -> float:
        """Return the mean CKA over pairs of drawn networks that are not one and the same."""
        block = self._matrix[layer][np.ix_(drawn[a], drawn[b])]
        return float(np.nanmean(block)) if np.isfinite(block).any() else float("nan")

    def interval(self, statistic: Callable[[Draw], float], resamples: int) -> Interval:
        """Return a statistic with its percentile interval over networks drawn within groups.

        Its n is the number of networks of the smallest group that the statistic looks at.
        """
        rng = np.random.default_rng(0)
        asked: set[Group] = set()

        def value(drawn: Mapping[Group, Sequence[int]]) -> float:
            def at(layer: str, a: Group, b: Group) -> float:
                asked.update((a, b))
                return self.mean(layer, a, b, drawn)

            return statistic(at)

        estimate = value(self._members)
        draws = np.array(
            [
                value({g: rng.choice(m, len(m)).tolist() for g, m in self._members.items()})
                for _ in range(resamples)
            ]
        )
        fewest = min(len(self._members[group]) for group in asked)
        kept = draws[np.isfinite(draws)]
        if fewest < 2 or len(kept) < resamples / 2:
            return Interval(estimate, np.nan, np.nan, LEVEL, fewest, OVER_NETWORKS)
        low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(
            estimate, float(low), float(high), LEVEL, fewest, OVER_NETWORKS,
            resamples - len(kept),
        )  # fmt: skip
