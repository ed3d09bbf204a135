"""Assemblies as folders.

Layout of a saved assembly::

    card.json           format, version, card, dtypes of the tables, checksum of the arrays
    responses.zarr/     responses (presentation, neuroid), trials (repetition, ...) if there are
    presentations.csv   one row a presentation
    units.csv           one row a neuroid
    stimuli/            a saved stimulus set, if the images are public
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from isocortex import folders
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.stimulus_files import check_table_survives, read_table, table_text

CARD = "card.json"
"""The file that makes a folder a saved assembly."""

_FORMAT = "isocortex assembly"
_VERSION = 1
_ARRAYS = "responses.zarr"
_DIMS = ("repetition", "presentation", "neuroid")
_TABLES = ("presentations", "units")
_CARD_KEYS = ("name", "what", "licence", "citation", "notes")
_MEND = "save the assembly again"


def save(
    folder: Path,
    arrays: Mapping[str, np.ndarray | None],
    presentations: pd.DataFrame,
    units: pd.DataFrame,
    stimuli: StimulusSet | None,
    card: Mapping[str, Any],
) -> Path:
    """Write all to `folder` in one step; see `Assembly.save`."""
    there = {name: array for name, array in arrays.items() if array is not None}
    record: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "card": dict(card),
        "arrays": {name: _checksum(array) for name, array in there.items()},
        "stimuli": stimuli is not None,
        "tables": {},
    }
    texts = {}
    for name, table in zip(_TABLES, (presentations, units), strict=True):
        dtypes = {c: str(table[c].dtype) for c in table.columns}
        texts[name], missing = table_text(table)
        check_table_survives(table, texts[name], dtypes, missing)
        record["tables"][name] = {"dtypes": dtypes, "missing": missing}
    try:
        content = json.dumps(record, indent=1)
    except TypeError:
        raise UserError("the notes of a card are words and numbers; leave others out") from None
    ours = folders.only_these(
        CARD, _ARRAYS, "stimuli", *(f"{name}.csv" for name in _TABLES), mark=CARD
    )
    try:
        with folders.replacing(folder, ours) as partial:
            group = zarr.create_group(partial / _ARRAYS, zarr_format=3)
            for name, array in there.items():
                made = group.create_array(
                    name,
                    shape=array.shape,
                    dtype=array.dtype,
                    dimension_names=_DIMS[-array.ndim :],
                )
                made[...] = array
            for name, text in texts.items():
                (partial / f"{name}.csv").write_bytes(text.encode())
            if stimuli is not None:
                stimuli.save(partial / "stimuli")
            (partial / CARD).write_text(content, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder"
        ) from None
    return folder


def load(
    folder: Path,
) -> tuple[dict[str, np.ndarray], dict[str, pd.DataFrame], StimulusSet | None, dict[str, Any]]:
    """Return arrays, tables, stimuli and card of a saved assembly."""
    record = _record(folder)
    try:
        arrays = _arrays(folder, record["arrays"])
        card = {key: record["card"][key] for key in _CARD_KEYS}
        tables = {
            name: read_table(
                (folder / f"{name}.csv").read_bytes().decode(), about["dtypes"], about["missing"]
            )
            for name, about in ((name, record["tables"][name]) for name in _TABLES)
        }
        stimuli = StimulusSet.load(folder / "stimuli") if record["stimuli"] else None
        return arrays, tables, stimuli, card
    except UserError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"the assembly in {folder} is damaged ({reason}); {_MEND}") from None


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if record["format"] != _FORMAT:
            raise ValueError
        version = record["version"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder} is not a saved assembly (no readable {CARD}); import other files with "
            "brains.read_folder"
        ) from None
    if version != _VERSION:
        raise UserError(f"{folder} has version {version}, but {_VERSION} is read here; {_MEND}")
    return record


def _arrays(folder: Path, checksums: Mapping[str, str]) -> dict[str, np.ndarray]:
    if "responses" not in checksums:
        raise KeyError("responses")
    group = zarr.open_group(folder / _ARRAYS, mode="r", zarr_format=3)
    arrays = {}
    for name, expected in checksums.items():
        array = np.asarray(group[name][...])  # type: ignore[index]
        if _checksum(array) != expected:
            raise UserError(f"{name} in {folder} are not those that were saved; {_MEND}")
        arrays[name] = array
    return arrays


def _checksum(array: np.ndarray) -> str:
    """Return the SHA-256 of the numbers, their shape and type."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.str} {little.shape}\n".encode())
    digest.update(little.tobytes())
    return digest.hexdigest()
