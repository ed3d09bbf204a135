"""Ringach's table: how 308 V1 neurons are tuned to orientation, one row a neuron."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from isocortex.brains.assembly import Card
from isocortex.brains.mat_files import read_mat
from isocortex.errors import UserError

FIELDS = {
    "animal": "animal",
    "expt": "expt",
    "chan": "chan",
    "orivar": "circular_variance",
    "bw": "bandwidth_deg",
    "po": "orth_pref_ratio",
    "maxdc": "max_dc_spk_s",
    "mindc": "min_dc_spk_s",
    "maxfirst": "max_f1_spk_s",
    "spont": "spontaneous_spk_s",
    "depth": "relative_depth",
}
"""Field of ``db`` in the public ``.mat`` file -> column of the table."""

UNDEFINED_BANDWIDTH = 180.0
"""Bandwidth written for a neuron that has none (its tuning never falls to the criterion)."""

IDENTITY = ("animal", "expt", "unit", "chan")
"""What tells cells apart; ``unit`` is missing from the public ``.mat`` file."""

RESPONSE_THRESHOLD = 5.0
"""Spikes/s above the spontaneous rate from which a cell counts as responsive."""

_TEXT = ("animal",)
_NUMBERS = tuple(c for c in FIELDS.values() if c not in _TEXT)


@dataclass(frozen=True, eq=False)
class OrientationTable:
    """Tuning of single neurons to orientation.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a neuron: ``circular_variance`` in [0, 1] (0 = answers one orientation alone),
        ``bandwidth_deg`` (half-width; NaN where undefined), rates in spikes/s, ``relative_depth``
        of the cortex in [0, 1], and the columns of `FIELDS`.
    card : Card
        Licence and citation.
    """

    table: pd.DataFrame
    card: Card

    def __len__(self) -> int:
        return len(self.table)

    def cells(self, *, distinct: bool = True, responsive: bool = True) -> OrientationTable:
        """Return the rows to compare with.

        Parameters
        ----------
        distinct : bool
            Keep one row a cell: the first with its animal, experiment, unit and channel.
        responsive : bool
            Keep cells whose largest mean rate is more than 5 spikes/s above the spontaneous one.

        Returns
        -------
        OrientationTable
            With these rows, and what was left out noted on its card.

        Raises
        ------
        UserError
            If a column that tells cells apart is missing.
        """
        keep = np.ones(len(self), dtype=bool)
        notes = {}
        if distinct:
            missing = [column for column in IDENTITY if column not in self.table]
            if missing:
                raise UserError(
                    f"the table has no column {missing[0]!r}, so rows of one cell cannot be told "
                    "apart; take all rows with distinct=False"
                )
            keep &= ~self.table.duplicated(list(IDENTITY)).to_numpy()
            notes["duplicates_left_out"] = len(self) - int(keep.sum())
        if responsive:
            answers = (
                self.table["max_dc_spk_s"] > self.table["spontaneous_spk_s"] + RESPONSE_THRESHOLD
            ).to_numpy()
            notes["unresponsive_left_out"] = int((keep & ~answers).sum())
            keep &= answers
        return OrientationTable(self.table[keep].reset_index(drop=True), self.card.noting(**notes))

    @property
    def modulation(self) -> np.ndarray:
        """F1 / F0 at the best orientation, shape (neurons,); above 1 for simple cells.

        F0 is the largest mean rate over orientations; NaN for a neuron that is silent.
        """
        f0 = self.table["max_dc_spk_s"].to_numpy()
        return self.table["max_f1_spk_s"].to_numpy() / np.where(f0 > 0, f0, np.nan)


def read_ringach(path: str | os.PathLike[str], card: Card | None = None) -> OrientationTable:
    """Read Ringach's public database of orientation tuning (``.mat``), or its table as CSV.

    Parameters
    ----------
    path : path
        A MATLAB file with the structure ``db`` of equally long fields (see `FIELDS`), or a CSV
        with the columns that these become.
    card : Card, optional
        Licence and citation; those of the public database if not given.

    Returns
    -------
    OrientationTable
        All neurons, in the order of the file.

    Raises
    ------
    UserError
        If the file is missing, damaged, lacks a field, or holds values that cannot be.
    """
    path = Path(path)
    table = _from_csv(path) if path.suffix.lower() == ".csv" else _from_mat(path)
    for column in _NUMBERS:
        table[column] = pd.to_numeric(table[column], errors="coerce").astype(float)
        bad = ~np.isfinite(table[column].to_numpy())
        if bad.any():
            raise UserError(
                f"'{path}': {column} of neuron {int(bad.argmax())} is not a number; "
                "replace the file by an intact copy"
            )
    if not table["circular_variance"].between(0, 1).all():
        raise UserError(
            f"'{path}': circular variance leaves 0 to 1; replace the file by an intact copy"
        )
    width = table["bandwidth_deg"]
    table["bandwidth_deg"] = width.where(width < UNDEFINED_BANDWIDTH)
    return OrientationTable(table, CARD if card is None else card)


CARD = Card(
    "ringach2002",
    "macaque V1: orientation tuning of single neurons",
    "unclear: research use, do not republish",
    "Ringach, Shapley & Hawken, J Neurosci 22:5639-5651, 2002",
)
"""The card of the public database."""


def _from_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"animal": str}, quoting=csv.QUOTE_MINIMAL)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"cannot read '{path}': {reason}; give an intact CSV file") from None
    missing = [c for c in FIELDS.values() if c not in table]
    if missing or not len(table):
        raise UserError(
            f"'{path}' lacks {f'the column {missing[0]}' if missing else 'rows'}; "
            "replace it by an intact copy"
        )
    return table


def _from_mat(path: Path) -> pd.DataFrame:
    db = read_mat(path, ("db",))["db"]
    names = db.dtype.names
    if not names or db.size == 0:
        raise UserError(f"'{path}': db is no structure; give Ringach's database file")
    missing = [field for field in FIELDS if field not in names]
    if missing:
        raise UserError(f"'{path}': db lacks the field {missing[0]!r}; give the intact database")
    columns = {column: _column(db, field) for field, column in FIELDS.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise UserError(f"'{path}': fields of db differ in length; give the intact database")
    return pd.DataFrame(columns)


def _column(db: np.ndarray, field: str) -> list:
    """Return one value a neuron, from a structure of arrays or an array of structures."""
    cells = db[field].ravel() if db.size > 1 else np.atleast_1d(db[field].flat[0])
    if cells.dtype.kind == "U" and cells.ndim <= 1:  # a character matrix has one row a neuron
        return [str(c).strip() for c in cells]
    return [_single(cell) for cell in cells.ravel()]


def _single(cell: object) -> object:
    array = np.asarray(cell)
    value = array.flat[0] if array.size else np.nan
    return value.strip() if isinstance(value, str) else value
