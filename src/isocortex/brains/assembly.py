"""`Assembly`: what a recorded population answered to each presentation, and whose data it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from isocortex.brains import assembly_checks as checks
from isocortex.brains import assembly_files
from isocortex.errors import UserError, unknown
from isocortex.measures import reliability
from isocortex.measures.reliability import Reliability
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.stimulus_checks import Selection, positions

RELIABILITIES: dict[str, Callable[..., Reliability]] = {
    "split_half": reliability.split_half,
    "explainable_variance": reliability.explainable_variance,
    "oracle": reliability.oracle,
}
"""Name of a formula -> function of trials (repetitions, presentations, neuroids)."""


@dataclass(frozen=True)
class Card:
    """Whose data these are, and on what terms.

    Parameters
    ----------
    name : str
        Short name of the recording.
    what : str
        What was recorded, in one line.
    licence : str
        On what terms it may be used.
    citation : str
        Whom to cite.
    notes : dict
        Further facts in words or numbers, e.g. the unit of the responses.
    """

    name: str
    what: str = ""
    licence: str = "unknown: ask the owner"
    citation: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def noting(self, **notes: Any) -> Card:
        """Return the card with these notes added."""
        return Card(**{**asdict(self), "notes": {**self.notes, **notes}})


class Assembly:
    """Responses of a recorded population: one number for each presentation and neuroid.

    Parameters
    ----------
    responses : numpy.ndarray, shape (presentations, neuroids), optional
        Means over repetitions, all finite; the mean of `trials` if not given.
    trials : numpy.ndarray, shape (repetitions, presentations, neuroids), optional
        Single repetitions; NaN where one was not shown.
    presentations : pandas.DataFrame, optional
        One row a presentation with unique `stimulus_id`; the table of `stimuli` if not given.
    units : pandas.DataFrame, optional
        One row a neuroid; `neuroid_id` is unique, and 0, 1, 2, ... if not given.
    stimuli : StimulusSet, optional
        The images, in the order of the presentations; None if they are not public.
    card : Card
        Licence and citation.

    Raises
    ------
    UserError
        If shapes or ids do not fit together, or a response is not a finite number.

    Notes
    -----
    An assembly does not change. A neuroid that has no response to some presentation has no place
    here: `dropping_incomplete` leaves it out and counts it on the card.
    """

    def __init__(
        self,
        responses: np.ndarray | None = None,
        *,
        trials: np.ndarray | None = None,
        presentations: pd.DataFrame | None = None,
        units: pd.DataFrame | None = None,
        stimuli: StimulusSet | None = None,
        card: Card,
    ) -> None:
        name = card.name
        self._trials = checks.floating(trials, 3, name)
        self._responses = checks.means(checks.floating(responses, 2, name), self._trials, name)
        n, neuroids = self._responses.shape
        self._units = checks.with_ids(units, neuroids, "neuroid_id", "neuroids", name)
        if presentations is None and stimuli is not None:
            presentations = stimuli.table
        self._presentations = checks.with_ids(
            presentations, n, "stimulus_id", "presentations", name
        )
        if stimuli is not None and not np.array_equal(
            stimuli.table["stimulus_id"].to_numpy(), self._presentations["stimulus_id"].to_numpy()
        ):
            raise UserError(
                f"{name}: the stimulus_id of images and presentations differ; "
                "give both in one order"
            )
        checks.check_finite(self._responses, self._units, self._presentations, name)
        self._stimuli, self._card = stimuli, card

    @classmethod
    def dropping_incomplete(
        cls,
        responses: np.ndarray | None = None,
        *,
        trials: np.ndarray | None = None,
        units: pd.DataFrame | None = None,
        card: Card,
        **others: Any,
    ) -> Assembly:
        """Make an assembly of the neuroids that answered every presentation.

        Parameters are those of `Assembly`. The number of neuroids left out is the note
        ``dropped_neuroids`` of the card.

        Raises
        ------
        UserError
            If no neuroid is complete, or as `Assembly`.
        """
        trials = checks.floating(trials, 3, card.name)
        means = checks.means(checks.floating(responses, 2, card.name), trials, card.name)
        keep = np.isfinite(means).all(axis=0)
        if not keep.any():
            raise UserError(
                f"{card.name}: no neuroid has a response to every presentation; "
                "choose fewer presentations"
            )
        units = checks.with_ids(units, means.shape[1], "neuroid_id", "neuroids", card.name)
        return cls(
            means[:, keep],
            trials=None if trials is None else trials[:, :, keep],
            units=units[keep],
            card=card.noting(dropped_neuroids=int((~keep).sum())),
            **others,
        )

    @property
    def responses(self) -> xr.DataArray:
        """Means over repetitions, dims (presentation, neuroid), with both tables as coordinates."""
        return xr.DataArray(
            self._responses,
            dims=("presentation", "neuroid"),
            coords=self._coordinates(),
            attrs=self._attributes(),
            name="responses",
        )

    @property
    def trials(self) -> xr.DataArray | None:
        """Single responses, dims (repetition, presentation, neuroid), NaN where not shown."""
        if self._trials is None:
            return None
        return xr.DataArray(
            self._trials,
            dims=("repetition", "presentation", "neuroid"),
            coords=self._coordinates(),
            attrs=self._attributes(),
            name="trials",
        )

    @property
    def stimuli(self) -> StimulusSet | None:
        """The images, one a presentation, or None."""
        return self._stimuli

    @property
    def presentations(self) -> pd.DataFrame:
        """One row a presentation; a copy."""
        return self._presentations.copy()

    @property
    def units(self) -> pd.DataFrame:
        """One row a neuroid; a copy."""
        return self._units.copy()

    @property
    def card(self) -> Card:
        """Licence, citation and notes."""
        return self._card

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of presentations and neuroids."""
        n, neuroids = self._responses.shape
        return n, neuroids

    def __len__(self) -> int:
        return len(self._responses)

    def __repr__(self) -> str:
        n, neuroids = self.shape
        repeated = "" if self._trials is None else f", up to {len(self._trials)} repetitions"
        images = "no images" if self._stimuli is None else f"images of {self._stimuli.shape}"
        size = f"{n} presentations x {neuroids} neuroids{repeated}"
        return f"Assembly({self.card.name}: {size}; {images})"

    def _coordinates(self) -> dict[str, tuple[str, np.ndarray]]:
        both = {c: ("neuroid", self._units[c].to_numpy()) for c in self._units}
        for column in self._presentations:
            name = f"stimulus_{column}" if column in both else column
            both[name] = ("presentation", self._presentations[column].to_numpy())
        return both

    def _attributes(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self.card).items() if k != "notes"} | self.card.notes

    def take(
        self, presentations: Selection | None = None, neuroids: Selection | None = None
    ) -> Assembly:
        """Return the assembly of some presentations and some neuroids.

        Parameters
        ----------
        presentations, neuroids : slice, integers or boolean mask, optional
            Which, in which order; all unless given: ``a.take(neuroids=a.units.region == "IT")``.

        Raises
        ------
        UserError
            If one is not there.
        """
        rows = (
            np.arange(len(self)) if presentations is None else positions(presentations, len(self))
        )
        width = self.shape[1]
        columns = np.arange(width) if neuroids is None else positions(neuroids, width)
        return Assembly(
            self._responses[np.ix_(rows, columns)],
            trials=None if self._trials is None else self._trials[:, rows][:, :, columns],
            presentations=self._presentations.iloc[rows],
            units=self._units.iloc[columns],
            stimuli=None if self._stimuli is None else self._stimuli[rows],
            card=self._card,
        )

    def reliability(self, method: str = "split_half", **options: Any) -> Reliability:
        """How far a neuroid agrees with itself over repetitions.

        Parameters
        ----------
        method : str
            One of `RELIABILITIES`: "split_half", "explainable_variance" or "oracle".
        **options
            Of the function of that name in `measures.reliability`, e.g. ``n_splits`` and ``seed``.

        Returns
        -------
        measures.reliability.Reliability
            Values of shape (neuroids,), with bounds and the name of the formula.

        Raises
        ------
        UserError
            If the recording has no repetitions, or the method is unknown.
        """
        if method not in RELIABILITIES:
            raise unknown("reliability", method, RELIABILITIES)
        if self._trials is None or len(self._trials) < 2:
            raise UserError(
                f"{self.card.name} has no repetitions, so its reliability is unknown; "
                "use a recording with trials"
            )
        return RELIABILITIES[method](self._trials, **options)

    def ceilings(self, method: str = "split_half", **options: Any) -> pd.DataFrame:
        """Return `reliability` as a table that can be kept beside scores.

        Parameters
        ----------
        method, **options
            As in `reliability`.

        Returns
        -------
        pandas.DataFrame
            One row a neuroid: neuroid_id, ceiling, low, high, level, formula, n_presentations,
            max_repetitions.

        Raises
        ------
        UserError
            As `reliability`.
        """
        found = self.reliability(method, **options)
        shown = np.isfinite(self._trials)  # type: ignore[arg-type]
        return pd.DataFrame(
            {
                "neuroid_id": self._units["neuroid_id"],
                "ceiling": found.values,
                "low": found.low,
                "high": found.high,
                "level": found.level,
                "formula": found.formula,
                "n_presentations": (shown.sum(axis=0) >= 2).sum(axis=0),
                "max_repetitions": shown.sum(axis=0).max(axis=0),
            }
        )

    def save(self, folder: str | Path) -> Path:
        """Write the assembly to a folder: zarr, CSV tables, images and a card.

        Parameters
        ----------
        folder : path
            Written beside under a temporary name and moved; only a saved assembly is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UserError
            If something else is there, it cannot be written, or a table has no form in a CSV.
        """
        return assembly_files.save(
            Path(folder),
            {"responses": self._responses, "trials": self._trials},
            self._presentations,
            self._units,
            self._stimuli,
            asdict(self._card),
        )

    @classmethod
    def load(cls, folder: str | Path) -> Assembly:
        """Open a folder that `save` wrote.

        Raises
        ------
        UserError
            If the folder is no saved assembly, or is damaged.
        """
        arrays, tables, stimuli, card = assembly_files.load(Path(folder))
        return cls(
            arrays["responses"],
            trials=arrays.get("trials"),
            presentations=tables["presentations"],
            units=tables["units"],
            stimuli=stimuli,
            card=Card(**card),
        )
