"""Filters that are kept over a training, also where it goes on after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

Snapshot = dict[str, np.ndarray]


class Snapshots:
    """What an `observe` of `training.fit` keeps, in memory and in a folder of unfinished work.

    Parameters
    ----------
    folder : Path or None
        Where earlier snapshots of the same training may lie.
    take : callable
        Network -> arrays by name.

    Attributes
    ----------
    kept : dict of int to dict of str to numpy.ndarray
        Step -> arrays, in the order of the steps.
    """

    def __init__(self, folder: Path | None, take: Callable[[nn.Module], Snapshot]) -> None:
        self._folder, self._take = folder, take
        self._found: dict[int, Snapshot] = {}
        for file in folder.glob("filters-*.npz") if folder is not None else ():
            with np.load(file, allow_pickle=False) as arrays:
                self._found[int(file.stem.rpartition("-")[2])] = dict(arrays)

    def __call__(self, step: int, network: nn.Module) -> None:
        """Keep what the network has now."""
        self._found[step] = self._take(network)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = self._folder / f"partial-{step}.npz"
            np.savez(partial, **self._found[step], allow_pickle=False)
            partial.replace(self._folder / f"filters-{step}.npz")

    @property
    def kept(self) -> dict[int, Snapshot]:
        """Everything that was kept."""
        return dict(sorted(self._found.items()))


def milestones(steps: int, count: int) -> list[int]:
    """Return steps at which filters are kept: the first, denser soon after it, and the last."""
    wanted = np.geomspace(max(1, steps // 64), steps, count).round().astype(int)
    return sorted({0, steps} | {int(s) for s in wanted})
