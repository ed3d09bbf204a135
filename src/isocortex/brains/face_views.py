"""The recorded face-view population: spikes per trial of neurons x persons x head orientations.

The file is `FILE` of the data folder (Freiwald & Tsao, Science 330:845-851, 2010; the "face views
AM" set of Meyers et al., J Neurosci 35:7069-7081, 2015). It holds spike counts in 25-ms bins from
stimulus onset, so that rates can be formed in any window and trials can be split into halves.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from isocortex.data import read_npz
from isocortex.errors import UserError

FILE = "neural/am_faceviews_monkeyB.npz"
"""Where the recording lies below the data folder."""

YAW_VIEWS = (2, 1, 0, 3, 4)
"""Orientations at yaw -90, -45, 0, 45, 90 degrees (which side is negative is a convention)."""

_KEYS = (
    *("trial_neuron", "trial_person", "trial_view", "trial_counts", "bin_edges_ms"),
    *("view_names", "view_yaw_deg", "mean_rate", "site", "monkey", "area"),
)


@dataclass(frozen=True, eq=False)
class FaceViews:
    """Trials of one population. Neurons, persons and views are counted from 0.

    Attributes
    ----------
    neuron, person, view : int array, shape (trials,)
        What each trial belongs to.
    counts : int array, shape (trials, bins)
        Spikes.
    bin_edges : float array, shape (bins + 1,)
        Milliseconds after stimulus onset.
    view_names : tuple of str
        Head orientations.
    view_yaw : float array, shape (views,)
        Degrees; NaN for up and down.
    mean_rate : float array, shape (neurons, persons, views)
        Rates that came with the recording, spikes/s in 100-400 ms; NaN where never shown.
    site : tuple of str
        Recording site of each neuron.
    monkey, area : str
        Whose neurons, and where.
    """

    neuron: np.ndarray
    person: np.ndarray
    view: np.ndarray
    counts: np.ndarray
    bin_edges: np.ndarray
    view_names: tuple[str, ...]
    view_yaw: np.ndarray
    mean_rate: np.ndarray
    site: tuple[str, ...]
    monkey: str
    area: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of neurons, persons and views."""
        n, p, v = self.mean_rate.shape
        return n, p, v

    @functools.cached_property
    def n_trials(self) -> np.ndarray:
        """Trials of each cell of the design, shape (neurons, persons, views)."""
        return np.bincount(self._cell, minlength=int(np.prod(self.shape))).reshape(self.shape)

    @functools.cached_property
    def _cell(self) -> np.ndarray:
        return np.ravel_multi_index((self.neuron, self.person, self.view), self.shape)

    def complete(self, min_trials: int = 1, views: Sequence[int] | None = None) -> np.ndarray:
        """Return the neurons with at least `min_trials` trials of every person at every view."""
        enough = self.n_trials[:, :, self._views(views)] >= min_trials
        return np.flatnonzero(enough.all(axis=(1, 2)))

    def _views(self, views: Sequence[int] | None) -> np.ndarray:
        n_views = self.shape[2]
        chosen = np.arange(n_views) if views is None else np.asarray(views, dtype=int)
        if np.any((chosen < 0) | (chosen >= n_views)):
            raise UserError(f"views {chosen.tolist()}: the recording has views 0 to {n_views - 1}")
        return chosen

    def _trial_rates(self, window: tuple[float, float]) -> np.ndarray:
        start, stop = window
        edges = self.bin_edges
        if start not in edges or stop not in edges or start >= stop:
            raise UserError(
                f"window {start:g}-{stop:g} ms: its ends must be bin edges, in order "
                f"({edges[0]:g} to {edges[-1]:g} ms in steps of {edges[1] - edges[0]:g})"
            )
        inside = (edges[:-1] >= start) & (edges[1:] <= stop)
        return self.counts[:, inside].sum(axis=1, dtype=float) / ((stop - start) / 1000)

    def rates(
        self,
        window: tuple[float, float] = (100, 400),
        *,
        views: Sequence[int] | None = None,
        neurons: Sequence[int] | np.ndarray | None = None,
    ) -> xr.DataArray:
        """Mean rate of each cell of the design.

        Parameters
        ----------
        window : (float, float)
            Start and end in ms after stimulus onset, both bin edges. Beyond 400 ms the response
            is to the next stimulus.
        views : sequence of int, optional
            Orientations, in the order wanted; all if not given.
        neurons : sequence of int, optional
            As `complete` returns them; all if not given.

        Returns
        -------
        xarray.DataArray, dims (neuron, person, view)
            Spikes/s, float64; NaN where never shown. Coordinates ``site``, ``view_name``, ``yaw``.

        Raises
        ------
        UserError
            For a window that is not made of whole bins, or an unknown view.
        """
        chosen = self._views(views)
        total = np.bincount(
            self._cell, self._trial_rates(window), minlength=int(np.prod(self.shape))
        ).reshape(self.shape)
        mean = total / np.where(self.n_trials > 0, self.n_trials, np.nan)
        rows = np.arange(self.shape[0]) if neurons is None else np.asarray(neurons)
        return xr.DataArray(
            mean[np.ix_(rows, np.arange(self.shape[1]), chosen)],
            dims=("neuron", "person", "view"),
            coords={
                "neuron": rows,
                "person": np.arange(self.shape[1]),
                "view": chosen,
                "site": ("neuron", [self.site[i] for i in rows]),
                "view_name": ("view", [self.view_names[i] for i in chosen]),
                "yaw": ("view", self.view_yaw[chosen]),
            },
            attrs={"units": "spikes/s", "window_ms": list(window), "area": self.area},
            name="rate",
        )

    def half_rates(
        self,
        window: tuple[float, float] = (100, 400),
        *,
        views: Sequence[int] | None = None,
        neurons: Sequence[int] | np.ndarray | None = None,
        n_splits: int = 100,
        seed: int = 0,
    ) -> np.ndarray:
        """Mean rates of random halves of the trials of each cell.

        Parameters
        ----------
        window, views, neurons
            As in `rates`.
        n_splits : int
            Random divisions.
        seed : int
            Seed of the divisions.

        Returns
        -------
        numpy.ndarray, shape (2, n_splits, neurons, persons, views)
            Spikes/s. The first half has one trial more where their number is odd; NaN where a
            half has none.

        Raises
        ------
        UserError
            As `rates`.
        """
        chosen = self._views(views)
        rows = np.arange(self.shape[0]) if neurons is None else np.asarray(neurons)
        shape = (len(rows), self.shape[1], len(chosen))
        number = np.full(self.shape, -1)
        number[np.ix_(rows, np.arange(self.shape[1]), chosen)] = np.arange(np.prod(shape)).reshape(
            shape
        )
        cell = number.ravel()[self._cell]
        taken = np.flatnonzero(cell >= 0)
        taken = taken[np.argsort(cell[taken], kind="stable")]
        cell, rate = cell[taken], self._trial_rates(window)[taken]
        halves = np.full((2, n_splits, int(np.prod(shape))), np.nan)
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        rank = np.arange(len(cell)) - np.repeat(starts, np.diff(np.append(starts, len(cell))))
        members = (rank % 2 == 0, rank % 2 == 1)
        rng = np.random.default_rng(seed)
        for split in range(n_splits if len(cell) else 0):
            shuffled = rate[np.argsort(cell + rng.random(len(cell)))]
            for half, member in enumerate(members):
                count = np.add.reduceat(member.astype(float), starts)
                total = np.add.reduceat(shuffled * member, starts)
                halves[half, split, cell[starts]] = total / np.where(count > 0, count, np.nan)
        return halves.reshape(2, n_splits, *shape)


def read_face_views(path: str | os.PathLike[str]) -> FaceViews:
    """Read the recording from its ``.npz`` file.

    Parameters
    ----------
    path : path
        The file, as ``data.require(folder, FILE)`` returns it.

    Returns
    -------
    FaceViews
        All trials of all neurons.

    Raises
    ------
    UserError
        If the file is missing or damaged, lacks an array, or its arrays do not fit together.
    """
    arrays = read_npz(path, _KEYS)
    neuron = arrays["trial_neuron"].astype(np.int64)
    person = arrays["trial_person"].astype(np.int64) - 1
    view = arrays["trial_view"].astype(np.int64)
    counts, edges = arrays["trial_counts"], arrays["bin_edges_ms"].astype(float)
    mean_rate, names = arrays["mean_rate"], arrays["view_names"]
    fits = (
        mean_rate.ndim == 3
        and counts.ndim == 2
        and counts.shape == (len(neuron), len(edges) - 1)
        and len(neuron) == len(person) == len(view)
        and (len(arrays["site"]), len(names)) == (mean_rate.shape[0], mean_rate.shape[2])
        and len(arrays["view_yaw_deg"]) == len(names)
        and all(
            len(index) and index.min() >= 0 and index.max() < size
            for index, size in zip((neuron, person, view), mean_rate.shape, strict=True)
        )
    )
    if not fits:
        raise UserError(
            f"{os.fspath(path)!r}: its arrays do not fit together; replace it by an intact copy"
        )
    return FaceViews(
        neuron,
        person,
        view,
        counts,
        edges,
        tuple(str(name) for name in names),
        arrays["view_yaw_deg"].astype(float),
        mean_rate.astype(float),
        tuple(str(site) for site in arrays["site"]),
        str(arrays["monkey"]),
        str(arrays["area"]),
    )
