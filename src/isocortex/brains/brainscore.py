"""Brain-Score assemblies: netCDF-4 of single presentations, a stimulus table, a zip of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from isocortex.brains.archived_images import archived_images
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import (
    MEND,
    check_archive,
    check_sha1,
    existing,
    plain,
    read_csv,
)
from isocortex.brains.repetitions import stacked
from isocortex.errors import UserError, unknown
from isocortex.stimuli import StimulusSet

_BLOCK_BYTES = 2**26
_DIMS = ("presentation", "neuroid", "time_bin")
_LEGACY = {"image_id": "stimulus_id"}


def read_brainscore(
    assembly: str | os.PathLike[str],
    stimuli: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    window: tuple[float, float] | None = None,
    region: str | None = None,
    degrees: float | None = None,
    size: int | None = None,
    channels: Literal[1, 3] | None = 3,
    nan: Literal["refuse", "drop"] = "refuse",
    sha1: Sequence[str | None] = (None, None, None),
    card: Card | None = None,
) -> Assembly:
    """Import a Brain-Score assembly with its stimulus set.

    Parameters
    ----------
    assembly : path
        NetCDF-4 with one array of dims presentation, neuroid and (as a rule) time_bin, and the
        coordinates ``stimulus_id`` (or ``image_id``) and ``neuroid_id``.
    stimuli : path
        CSV with ``stimulus_id`` (or ``image_id``) and ``filename``, one row a stimulus.
    images : path
        Zip of these files. It stays as it is, nothing is unpacked; the result reads from it.
    window : (float, float), optional
        Mean over the time bins that lie between these ms; needed if there are several bins.
    region : str, optional
        Only neuroids of this ``region``.
    degrees : float, optional
        Visual angle of the image width.
    size, channels : int, optional
        Make images of several sizes or colours alike; see `StimulusSet.from_folder`.
    nan : {"refuse", "drop"}
        What to do with neuroids that have a NaN: refuse them, or leave them out, counted on the
        card.
    sha1 : sequence of str or None
        Checksums of the three files, in their order; None is not checked.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        Presentations of one stimulus are its repetitions; stimuli in the order of the CSV, those
        never shown left out.

    Raises
    ------
    UserError
        If a file is missing, damaged or not the expected one, an entry of the zip leads out of
        it, a coordinate or image is missing, or a response is NaN.
    """
    if nan not in ("refuse", "drop"):
        raise unknown("NaN policy", nan, ("refuse", "drop"))
    paths = [existing(p) for p in (assembly, stimuli, images)]
    for path, expected in zip(paths, sha1, strict=True):
        check_sha1(path, expected)
    check_archive(paths[2])
    values, shown, units = _recorded(paths[0], window, region)
    table, files = _stimulus_table(paths[1], shown)
    row = pd.Index(table["stimulus_id"]).get_indexer(shown)
    card = Card(paths[0].stem) if card is None else card
    bad = np.isnan(values).any(axis=0)
    if bad.any():
        if nan == "refuse" or bad.all():
            raise UserError(
                f"'{paths[0]}': {int(bad.sum())} of {len(bad)} neuroids have NaN responses, first "
                f"{units['neuroid_id'].iloc[int(bad.argmax())]!r}; leave them out with nan='drop'"
            )
        values, units = values[:, ~bad], units[~bad]
        card = card.noting(dropped_neuroids=int(bad.sum()))
    trials = stacked(values, row, len(table))
    if window is not None:
        card = card.noting(window_ms=list(window))
    shown_set: StimulusSet = archived_images(
        paths[2], files, table, degrees=degrees, size=size, channels=channels
    )
    return Assembly(
        trials[0] if len(trials) == 1 else None,
        trials=None if len(trials) == 1 else trials,
        units=units,
        stimuli=shown_set,
        card=card,
    )


def _recorded(
    path: Path, window: tuple[float, float] | None, region: str | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Return responses (presentation, neuroid), the stimulus of each presentation, and units."""
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
            array = _only_array(opened, path)
            ids = _coordinate(array, "stimulus_id", "presentation", path)
            units = _units(array, path)
            keep = _of_region(units, region, path)
            values = _in_window(array, _bins(array, window, path), keep)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"cannot read '{path}' as netCDF-4 ({reason}); {MEND}") from None
    return values, ids, units[keep]


def _only_array(opened: xr.Dataset, path: Path) -> xr.DataArray:
    arrays = [a for a in opened.data_vars.values() if {"presentation", "neuroid"} <= set(a.dims)]
    if len(arrays) != 1 or not set(arrays[0].dims) <= set(_DIMS):
        raise UserError(
            f"'{path}' holds {len(arrays)} arrays of presentation x neuroid (x time_bin) where one "
            "is needed; give a Brain-Score assembly"
        )
    array = arrays[0]
    for old, new in _LEGACY.items():
        if old in opened.coords and new not in opened.coords:
            array = array.rename({old: new})
    if array.dtype.kind not in "biuf":
        raise UserError(f"'{path}' holds {array.dtype} where numbers are needed; {MEND}")
    return array.transpose(*[d for d in _DIMS if d in array.dims])


def _coordinate(array: xr.DataArray, name: str, dim: str, path: Path) -> np.ndarray:
    if name not in array.coords or array.coords[name].dims != (dim,):
        raise UserError(
            f"'{path}' lacks the coordinate {name} along {dim}; give a Brain-Score assembly that "
            "has it"
        )
    return array.coords[name].values.astype(str)


def _units(array: xr.DataArray, path: Path) -> pd.DataFrame:
    ids = _coordinate(array, "neuroid_id", "neuroid", path)
    along = {
        str(name): c.values
        for name, c in array.coords.items()
        if c.dims == ("neuroid",) and name not in ("neuroid", "neuroid_id")
    }
    return plain(pd.DataFrame({"neuroid_id": ids, **along}))


def _of_region(units: pd.DataFrame, region: str | None, path: Path) -> np.ndarray:
    if region is None:
        return np.ones(len(units), dtype=bool)
    if "region" not in units:
        raise UserError(f"'{path}' lacks the coordinate region; leave region out")
    keep = (units["region"].astype(str) == region).to_numpy()
    if not keep.any():
        raise unknown("region", region, sorted(set(units["region"].astype(str))))
    return keep


def _bins(array: xr.DataArray, window: tuple[float, float] | None, path: Path) -> slice | None:
    """Return the time bins inside the window, or None if there is no such axis."""
    if "time_bin" not in array.dims:
        return None
    if array.sizes["time_bin"] == 1 and window is None:
        return slice(0, 1)
    ends = [
        _coordinate(array, f"time_bin_{end}", "time_bin", path).astype(float)
        for end in ("start", "end")
    ]
    if window is None:
        raise UserError(
            f"'{path}' has {array.sizes['time_bin']} time bins from {ends[0].min():g} to "
            f"{ends[1].max():g} ms; choose some with window=(START, END)"
        )
    inside = np.flatnonzero((ends[0] >= window[0]) & (ends[1] <= window[1]))
    if not len(inside):
        raise UserError(
            f"no time bin of '{path}' lies between {window[0]:g} and {window[1]:g} ms; bins go "
            f"from {ends[0].min():g} to {ends[1].max():g} ms"
        )
    if np.any(np.diff(inside) != 1):
        raise UserError(f"the time bins of '{path}' are not in order; {MEND}")
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _in_window(array: xr.DataArray, bins: slice | None, keep: np.ndarray) -> np.ndarray:
    """Read block by block, so that bins of 1 ms never lie in memory all at once."""
    if bins is not None:
        array = array.isel(time_bin=bins)
    dtype = np.float32 if array.dtype in (np.float32, np.float16) else np.float64
    n = array.sizes["presentation"]
    out = np.empty((n, int(keep.sum())), dtype=dtype)
    step = max(1, _BLOCK_BYTES // max(1, array.nbytes // max(n, 1)))
    for start in range(0, n, step):
        block = array.isel(presentation=slice(start, start + step)).values[:, keep]
        out[start : start + step] = block if bins is None else block.mean(axis=-1, dtype=np.float64)
    return out


def _stimulus_table(path: Path, shown: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of stimuli that were shown, and the names of their images."""
    table = read_csv(path, ("stimulus_id", "image_id", "filename"))
    if "stimulus_id" not in table:
        table = table.rename(columns=_LEGACY)
    for column in ("stimulus_id", "filename"):
        if column not in table or table[column].isna().any():
            raise UserError(f"'{path}' lacks the column {column}, or values in it; {MEND}")
    twice = table["stimulus_id"].duplicated()
    if twice.any():
        raise UserError(
            f"'{path}' has two rows for {table['stimulus_id'][twice].iloc[0]!r}; {MEND}"
        )
    unknown_ids = sorted(set(shown.tolist()) - set(table["stimulus_id"]))
    if unknown_ids:
        raise UserError(
            f"'{path}' lacks stimulus {unknown_ids[0]!r} ({len(unknown_ids)} that were shown are "
            "missing); give the stimulus set of this assembly"
        )
    table = table[table["stimulus_id"].isin(set(shown))].reset_index(drop=True)
    return plain(table), table["filename"].to_list()
