"""Grams of layers, in memory or in a folder from which each is read when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from isocortex.errors import UserError, unknown

FORMAT = 1
"""Version of the layout on disk."""

_TABLE = "grams.json"


class Grams(Mapping[str, np.ndarray]):
    """Grams of layers, (n, n) in float64 each, by layer.

    Attributes
    ----------
    scaling : str
        What was done to the features.
    n_units, n_constant : dict of str to int
        Units of each layer, and those among them that answer all presentations alike.
    """

    def __init__(
        self,
        values: Mapping[str, np.ndarray],
        scaling: str,
        n_units: Mapping[str, int],
        n_constant: Mapping[str, int],
    ) -> None:
        self._values = dict(values)
        self.scaling = scaling
        self.n_units = dict(n_units)
        self.n_constant = dict(n_constant)

    @classmethod
    def open(cls, folder: str | Path) -> Grams:
        """Open the folder that `recording.grams` was given; a Gram is read when it is used.

        Raises
        ------
        UserError
            If there are no Grams, they are damaged, or making them was cut short.
        """
        folder = Path(folder)
        if not (folder / _TABLE).is_file():
            raise UserError(f"there are no Grams at {folder}; make them with grams(folder=...)")
        try:
            table = json.loads((folder / _TABLE).read_text(encoding="utf-8"))
            if table["format"] != FORMAT or not table["complete"]:
                raise UserError(
                    f"the Grams at {folder} were cut short or come from another version; remove "
                    "the folder and make them again"
                )
            rows = table["layers"]
            values = {r["layer"]: np.load(folder / r["file"], mmap_mode="r") for r in rows}
            return cls(
                values,
                table["scaling"],
                {r["layer"]: r["n_units"] for r in rows},
                {r["layer"]: r["n_constant"] for r in rows},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"the Grams at {folder} are damaged; remove the folder and make them again"
            ) from error

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order in which they were asked for."""
        return list(self._values)

    def __getitem__(self, layer: str) -> np.ndarray:
        if layer not in self._values:
            raise unknown("layer of the Grams", str(layer), self._values)
        return self._values[layer]

    def __contains__(self, layer: object) -> bool:
        return layer in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        widths = ", ".join(f"{name} of {p} units" for name, p in self.n_units.items())
        n = len(next(iter(self._values.values()))) if self._values else 0
        return f"Grams({n} presentations, scaling {self.scaling}; {widths})"


class Writer:
    """Writes Grams into a folder one by one; the table of the folder says when all are there.

    Parameters
    ----------
    folder : Path
        Is made; must not hold anything.
    scaling : str
        What was done to the features.

    Raises
    ------
    UserError
        If something is there, or nothing can be written.
    """

    def __init__(self, folder: Path, scaling: str) -> None:
        self.folder = folder
        self._table: dict[str, object] = {"format": FORMAT, "scaling": scaling, "complete": False}
        self._rows: list[dict[str, object]] = []
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} holds something; give another folder for the Grams")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from error

    def keep(self, layer: str, values: np.ndarray, n_units: int, n_constant: int) -> np.ndarray:
        """Write one Gram and return it as it is read from there."""
        file = f"{len(self._rows)}.npy"
        try:
            np.save(self.folder / file, values)
        except OSError as error:
            raise self._refused(error) from error
        self._rows.append(
            {"layer": layer, "file": file, "n_units": n_units, "n_constant": n_constant}
        )
        return np.load(self.folder / file, mmap_mode="r")

    def finish(self) -> None:
        """Say in the folder that all Grams are there."""
        partial = self.folder / f"{_TABLE}.partial"
        table = {**self._table, "complete": True, "layers": self._rows}
        try:
            partial.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
            os.replace(partial, self.folder / _TABLE)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> UserError:
        reason = error.strerror or type(error).__name__
        return UserError(f"Grams cannot be written to {self.folder}: {reason}; give another folder")
