"""Plain folders: responses as ``.npz`` or CSV, a folder of image files, a table of units."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import MEND, plain, read_csv
from isocortex.brains.repetitions import stacked
from isocortex.data import read_npz
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet


def read_folder(
    folder: str | os.PathLike[str],
    *,
    degrees: float | None = None,
    size: int | None = None,
    channels: int | None = None,
    card: Card | None = None,
) -> Assembly:
    """Import responses that lie beside their images.

    Parameters
    ----------
    folder : path
        With one of

        - ``responses.npz``: ``responses`` (presentations, neuroids), or ``trials`` (repetitions,
          presentations, neuroids) with NaN where not shown; and ``stimulus_id`` if wanted;
        - ``responses.csv``: a column ``stimulus_id``, and one a neuroid; several rows of one id
          are repetitions;

        and, if wanted, ``images/`` (any image files) and ``units.csv`` (one row a neuroid). A
        `stimulus_id` is the path of an image below ``images/``, with or without its ending;
        without ids the rows belong to the images in the order of their paths.
    degrees, size, channels
        As in `StimulusSet.from_folder`.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        In the order of the responses.

    Raises
    ------
    UserError
        If a file is missing or damaged, an image is missing, or a response is NaN.
    """
    folder = Path(folder)
    responses, trials, ids, names = _responses(folder)
    card = Card(folder.name) if card is None else card
    n, neuroids = trials.shape[1:] if trials is not None else responses.shape  # type: ignore[union-attr]
    units = _units(folder, neuroids, names)
    images = _images(folder, n, ids, degrees, size, channels)
    table = None if ids is None or images is not None else pd.DataFrame({"stimulus_id": ids})
    return Assembly(
        responses, trials=trials, presentations=table, units=units, stimuli=images, card=card
    )


_Responses = tuple[np.ndarray | None, np.ndarray | None, list[str] | None, list[str] | None]


def _responses(folder: Path) -> _Responses:
    """Return responses or trials, the ids of presentations, the names of neuroids."""
    npz, text = folder / "responses.npz", folder / "responses.csv"
    if npz.is_file() == text.is_file():
        what = "both" if npz.is_file() else "neither"
        raise UserError(
            f"'{folder}' holds {what} of responses.npz and responses.csv; put one of them there"
        )
    return _from_csv(text) if text.is_file() else _from_npz(npz)


def _from_npz(path: Path) -> _Responses:
    read_npz(path, ())  # says what is wrong with a file that cannot be opened
    with np.load(path, allow_pickle=False) as archive:
        there = [k for k in ("responses", "trials", "stimulus_id") if k in archive.files]
    arrays = read_npz(path, there)
    responses, trials, ids = (arrays.get(k) for k in ("responses", "trials", "stimulus_id"))
    if responses is None and trials is None:
        raise UserError(f"'{path}' holds neither responses nor trials; name the array so")
    for array, ndim in ((responses, 2), (trials, 3)):
        if array is not None and (array.ndim != ndim or array.dtype.kind not in "iuf"):
            raise UserError(
                f"'{path}': an array of {array.dtype} {array.shape} is no response; give numbers "
                "(presentations, neuroids) or trials (repetitions, presentations, neuroids)"
            )
    if trials is not None:
        never = ~np.isfinite(trials).any(axis=0)
        if never.any():
            row, column = np.argwhere(never)[0]
            raise UserError(
                f"'{path}': neuroid {column} has no trial of presentation {row}; leave it out"
            )
    return responses, trials, None if ids is None else ids.astype(str).tolist(), None


def _from_csv(path: Path) -> _Responses:
    table = read_csv(path, ("stimulus_id",))
    if "stimulus_id" not in table or table["stimulus_id"].isna().any():
        raise UserError(f"'{path}' lacks the column stimulus_id, or values in it; {MEND}")
    numbers = table.drop(columns="stimulus_id")
    if not len(numbers.columns):
        raise UserError(f"'{path}' has no column of a neuroid; {MEND}")
    for column in numbers:
        values = pd.to_numeric(numbers[column], errors="coerce")
        bad = ~np.isfinite(values.to_numpy(dtype=float))
        if bad.any():
            raise UserError(
                f"'{path}': row {int(bad.argmax()) + 2} of {column} is not a number; "
                "leave the neuroid or the stimulus out"
            )
    ids = list(dict.fromkeys(table["stimulus_id"]))
    cell = pd.Index(ids).get_indexer(table["stimulus_id"])
    trials = stacked(numbers.to_numpy(dtype=np.float64), cell, len(ids))
    names = [str(c) for c in numbers.columns]
    return (trials[0], None, ids, names) if len(trials) == 1 else (None, trials, ids, names)


def _units(folder: Path, n: int, names: list[str] | None) -> pd.DataFrame:
    path = folder / "units.csv"
    units = (
        plain(read_csv(path, ("neuroid_id",))) if path.is_file() else pd.DataFrame(index=range(n))
    )
    if len(units) != n:
        raise UserError(f"'{path}' has {len(units)} rows for {n} neuroids; give one each")
    if names is not None and "neuroid_id" not in units:
        units.insert(0, "neuroid_id", names)
    elif names is not None and units["neuroid_id"].to_list() != names:
        raise UserError(f"'{path}' and the columns of responses.csv differ; give one order")
    return units


def _images(
    folder: Path,
    n: int,
    ids: list[str] | None,
    degrees: float | None,
    size: int | None,
    channels: int | None,
) -> StimulusSet | None:
    path = folder / "images"
    if not path.is_dir():
        return None
    images = StimulusSet.from_folder(path, size=size, channels=channels, degrees=degrees)
    names = images.table["stimulus_id"].to_list()
    if ids is None:
        if len(names) != n:
            raise UserError(
                f"'{path}' holds {len(names)} images for {n} presentations; add stimulus_id to "
                "the responses"
            )
        return images
    place = {Path(name).with_suffix("").as_posix(): i for i, name in enumerate(names)}
    place |= {name: i for i, name in enumerate(names)}
    missing = [i for i in ids if i not in place]
    if missing:
        raise UserError(
            f"'{path}' holds no image {missing[0]!r} ({len(missing)} of {len(ids)} are missing)"
        )
    chosen = images[[place[i] for i in ids]]
    return StimulusSet(
        chosen.images, chosen.table.assign(stimulus_id=ids), degrees, shape=chosen.shape
    )
