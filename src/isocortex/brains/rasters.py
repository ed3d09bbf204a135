"""Rasters of the Neural Decoding Toolbox: one MATLAB file a recording site."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import MEND, plain
from isocortex.brains.mat_files import read_mat
from isocortex.brains.repetitions import stacked
from isocortex.errors import UserError, unknown


def read_ndt_rasters(
    folder: str | os.PathLike[str],
    *,
    labels: Sequence[str],
    window: tuple[int, int],
    scale: float = 1000.0,
    card: Card | None = None,
) -> Assembly:
    """Import a folder of raster files; there are no images in this format.

    Parameters
    ----------
    folder : path
        Files ``*.mat`` (up to version 7), one a site, each with ``raster_data``
        (trials x time points), ``raster_labels`` (fields of one entry a trial) and
        ``raster_site_info``.
    labels : sequence of str
        Fields of ``raster_labels`` that together say what was shown; each combination becomes a
        presentation.
    window : (int, int)
        Time points used, counted from 0, the second one excluded.
    scale : float
        Multiplies the mean over time points: 1000 makes spikes/s of spikes in 1-ms points; 1 is
        for potentials.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        Presentations sorted by label, trials as repetitions. Sites that lack a presentation are
        left out and counted on the card.

    Raises
    ------
    UserError
        If there is no raster, one is damaged or holds NaN, or a label or time point is not there.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.mat")) if folder.is_dir() else []
    if not paths:
        raise UserError(f"there are no .mat files in '{folder}'; name a folder of raster files")
    if not labels:
        raise UserError("no label is named; give one or more fields of raster_labels")
    sites = [_read_site(path, labels, window) for path in paths]
    shown = sorted({row for _, rows, _ in sites for row in rows})
    number = {row: i for i, row in enumerate(shown)}
    values = np.concatenate([v for v, _, _ in sites]) * scale
    cell = np.concatenate(
        [
            np.array([number[row] for row in rows], dtype=np.int64) * len(sites) + site
            for site, (_, rows, _) in enumerate(sites)
        ]
    )
    trials = stacked(values, cell, len(shown) * len(sites))
    presentations = plain(pd.DataFrame(shown, columns=list(labels)))
    presentations.insert(0, "stimulus_id", ["/".join(row) for row in shown])
    units = plain(pd.DataFrame([info for *_, info in sites]))
    units.insert(0, "neuroid_id", [path.stem for path in paths])
    card = Card(folder.name) if card is None else card
    return Assembly.dropping_incomplete(
        trials=trials.reshape(-1, len(shown), len(sites)),
        presentations=presentations,
        units=units,
        card=card.noting(window_points=list(window), scale=scale),
    )


def _read_site(
    path: Path, labels: Sequence[str], window: tuple[int, int]
) -> tuple[np.ndarray, list[tuple[str, ...]], dict[str, Any]]:
    """Return the mean of each trial in the window, what was shown, and facts about the site."""
    content = read_mat(path, ("raster_data", "raster_labels", "raster_site_info"))
    raster = content["raster_data"]
    raster = raster.toarray() if sparse.issparse(raster) else np.asarray(raster)
    if raster.ndim != 2 or raster.dtype.kind not in "biuf":
        raise UserError(f"raster_data in '{path}' is no matrix of trials x time points; {MEND}")
    start, stop = window
    if not 0 <= start < stop <= raster.shape[1]:
        raise UserError(
            f"window {start} to {stop}: '{path}' has the time points 0 to {raster.shape[1]}"
        )
    means = raster[:, start:stop].mean(axis=1, dtype=np.float64)
    if not np.isfinite(means).all():
        raise UserError(
            f"trial {int((~np.isfinite(means)).argmax()) + 1} in '{path}' holds NaN in the "
            "window; leave the trial out or choose another window"
        )
    fields = _structure(content["raster_labels"], "raster_labels", path)
    for label in labels:
        if label not in fields:
            raise unknown("label", label, fields, f"in '{path}'")
    columns = [_entries(fields[label]) for label in labels]
    if any(len(column) != len(raster) for column in columns):
        raise UserError(f"labels and trials in '{path}' differ in number; {MEND}")
    info = _structure(content["raster_site_info"], "raster_site_info", path)
    facts = {name: entry for name, value in info.items() if (entry := _scalar(value)) is not None}
    return means, list(zip(*columns, strict=True)), facts


def _structure(value: np.ndarray, name: str, path: Path) -> dict[str, np.ndarray]:
    names = value.dtype.names
    if not names and value.size == 0:
        return {}
    if not names or value.size != 1:
        raise UserError(f"{name} in '{path}' is no structure; {MEND}")
    return {field: np.asarray(value[field].flat[0]) for field in names}


def _entries(values: np.ndarray) -> list[str]:
    """Return a cell array of texts, or a vector of numbers, as texts."""
    return [_text(np.asarray(cell)) for cell in values.ravel()]


def _text(cell: np.ndarray) -> str:
    value = cell.flat[0] if cell.size else ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _scalar(value: np.ndarray) -> Any:
    """Return a text or number, or None for anything larger."""
    if value.size != 1 or value.dtype.kind not in "Ubiuf":
        return None
    return value.flat[0].item()
