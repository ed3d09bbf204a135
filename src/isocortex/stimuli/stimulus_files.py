"""Stimulus sets as folders: PNG files, a CSV table, and a small JSON of what a CSV forgets.

Layout of a saved set::

    stimuli.json    version, shape, degrees, dtypes of the columns, missing cells, checksum
    stimuli.csv     the table, with the column image_file added
    images/         00000_<id>.png, 00001_<id>.png, ...
    images.npy      float32 (n, c, h, w); only if some pixel is not exactly k/255
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.stimulus_checks import FILE_COLUMN

if TYPE_CHECKING:
    from isocortex.stimuli.stimulus_set import StimulusSet

_VERSION = 1
_BATCH = 64


def table_text(table: pd.DataFrame) -> tuple[str, dict[str, list[int]]]:
    """Return a table as CSV text, and the rows of each column that are missing values."""
    missing = {c: np.flatnonzero(table[c].isna()).tolist() for c in table.columns}
    # Text is quoted always: a bare carriage return would end the row.
    text = table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text, {column: rows for column, rows in missing.items() if rows}


def read_table(text: str, dtypes: dict[str, str], missing: dict[str, list[int]]) -> pd.DataFrame:
    """Undo `table_text`: the same values in the same dtypes."""
    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_filter=False)
    columns = {}
    for name, dtype in dtypes.items():
        column = cells[name].astype(object)
        column[missing.get(name, [])] = None
        if dtype in ("bool", "boolean"):
            column = column.map({"True": True, "False": False, None: None})
        elif dtype == "float16":  # text to half precision by way of float64, which is exact
            column = column.astype("float64")
        columns[name] = column.astype(pd.api.types.pandas_dtype(dtype))
    return pd.DataFrame(columns)


def checksum(
    table: pd.DataFrame,
    shape: tuple[int, ...],
    degrees: float | None,
    batches: Iterable[Tensor],
) -> str:
    """Return the SHA-256 of a set's table, shape, degrees and pixels."""
    text, missing = table_text(table)
    digest = hashlib.sha256(f"{json.dumps([shape, degrees, missing])}\n{text}".encode())
    for images in batches:
        digest.update(np.ascontiguousarray(images.cpu().numpy(), dtype="<f4").tobytes())
    return digest.hexdigest()


def save(stimuli: StimulusSet, folder: Path, overwrite: bool) -> Path:
    """Write `stimuli` to `folder`; see `StimulusSet.save`."""
    table = stimuli.table
    dtypes = {column: str(table[column].dtype) for column in table.columns}
    text, missing = table_text(table)
    check_table_survives(table, text, dtypes, missing)
    _check_target(folder, overwrite)
    files = [_file_name(i, s) for i, s in enumerate(table["stimulus_id"])]
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        (beside / "images").mkdir(parents=True)
        batches = _written(stimuli, beside, files)
        checksum_ = checksum(table, stimuli.shape, stimuli.degrees, batches)
        listing = table.copy()
        listing.insert(1, FILE_COLUMN, [f"images/{f}" for f in files])
        with (beside / "stimuli.csv").open("w", encoding="utf-8", newline="") as file:
            file.write(table_text(listing)[0])
        record = {
            "format": "isocortex stimulus set",
            "version": _VERSION,
            "count": len(stimuli),
            "shape": list(stimuli.shape),
            "degrees": stimuli.degrees,
            "pixels": "npy" if (beside / "images.npy").exists() else "png",
            "dtypes": dtypes,
            "missing": missing,
            "checksum": checksum_,
        }
        (beside / "stimuli.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        _move(beside, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {folder}: {reason}; choose another folder") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def load(folder: Path) -> tuple[ImageFiles | NpyFile, pd.DataFrame, float | None, tuple]:
    """Return source, table, degrees and shape of a saved set; see `StimulusSet.load`."""
    record = _record(folder)
    try:
        count, shape = record["count"], tuple(record["shape"])
        with (folder / "stimuli.csv").open(encoding="utf-8", newline="") as file:
            table = read_table(file.read(), record["dtypes"], record["missing"])
        pixels, degrees = record["pixels"], record["degrees"]
    except FileNotFoundError:
        raise UserError(f"{folder} lacks stimuli.csv; write the set again with save()") from None
    except (KeyError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the table in {folder} was changed or is broken ({reason}); write the set again"
        ) from None
    if len(table) != count:
        raise UserError(
            f"stimuli.csv in {folder} has {len(table)} rows but {count} were written; "
            "write the set again with save()"
        )
    if pixels == "npy":
        source: ImageFiles | NpyFile = NpyFile(folder / "images.npy")
        expected = [folder / "images.npy"]
    else:
        names = [_file_name(i, s) for i, s in enumerate(table["stimulus_id"])]
        expected = [folder / "images" / name for name in names]
        source = ImageFiles(tuple(expected), shape, None, None)
    for path in expected:
        if not path.is_file():
            raise UserError(f"the stimulus set lacks {path}; write it again with save()")
    return source, table, degrees, shape


def open_folder(
    folder: Path, size: int | None, channels: int | None
) -> tuple[ImageFiles, pd.DataFrame, tuple[int, int, int]]:
    """Return source, table and shape of a folder of images; see `StimulusSet.from_folder`."""
    if channels not in (None, 1, 3):
        raise UserError(f"channels is {channels}, but images are grey (1) or RGB (3)")
    if size is not None and size < 1:
        raise UserError(f"size is {size}, but images need at least one pixel")
    paths = image_paths(folder)
    names = [path.relative_to(folder) for path in paths]
    layouts = [image_files.layout(path) for path in paths]
    if channels is None:
        _check_alike(paths, [c for c, _, _ in layouts], "channels", "channels=1 or channels=3")
    if size is None:
        _check_alike(paths, [f"{w}x{h}" for _, h, w in layouts], "size", "size=PIXELS")
    table = pd.DataFrame({"stimulus_id": [name.as_posix() for name in names]})
    if any(len(name.parts) > 1 for name in names):
        table["category"] = [n.parent.as_posix() if len(n.parts) > 1 else "" for n in names]
    c, h, w = layouts[0]
    shape = (channels or c, size or h, size or w)
    return ImageFiles(paths, shape, size, channels), table, shape


def image_paths(folder: Path) -> tuple[Path, ...]:
    """Return the files of a folder and its subfolders in the order of their paths.

    Names that begin with a dot are passed over.

    Raises
    ------
    UserError
        If there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give a folder of image files")
    names = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    if not names:
        raise UserError(f"there is no file in {folder}; put images there or name another folder")
    return tuple(folder / name for name in names)


@dataclass(frozen=True)
class ImageFiles:
    """Source that reads one image file a row, scaled and cropped to `size` if given."""

    paths: tuple[Path, ...]
    shape: tuple[int, ...]
    size: int | None
    channels: int | None

    def __call__(self, rows: np.ndarray) -> Tensor:
        """Return the images (k, c, h, w) of these rows."""
        images = []
        for row in rows:
            image = image_files.read(self.paths[row])
            if self.channels is not None:
                image = image_files.with_channels(image, self.channels)
            if self.size is not None:
                image = image_files.fit(image, self.size)
            if tuple(image.shape) != self.shape:
                raise UserError(
                    f"{self.paths[row]} has shape {tuple(image.shape)}, but {self.shape} was "
                    "expected; restore the file"
                )
            images.append(image)
        return torch.stack(images)


@dataclass(frozen=True)
class NpyFile:
    """Source that reads rows of one array file."""

    path: Path

    def __call__(self, rows: np.ndarray) -> Tensor:
        """Return the images (k, c, h, w) of these rows."""
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
            return torch.from_numpy(np.array(array[rows]))
        except (OSError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"cannot read {self.path} ({reason}); write the set again") from None


def _written(stimuli: StimulusSet, folder: Path, files: list[str]) -> Iterator[Tensor]:
    """Write all images batch by batch, and pass them on.

    The array file is written beside the PNG files, and removed at the end if they say it all.
    """
    path, exact = folder / "images.npy", True
    shape = (len(stimuli), *stimuli.shape)
    if not len(stimuli):  # an empty file cannot be mapped
        return
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for start, images in zip(range(0, len(stimuli), _BATCH), stimuli.batches(_BATCH), strict=True):
        exact = exact and image_files.is_eight_bit(images)
        for i, image in enumerate(images, start):
            image_files.write_png(image, folder / "images" / files[i])
        array[start : start + len(images)] = images.cpu().numpy()
        yield images
    del array
    if exact:
        path.unlink()


def _file_name(row: int, stimulus_id: str) -> str:
    return f"{row:05d}_{re.sub(r'[^A-Za-z0-9.+-]+', '_', stimulus_id)[:80]}.png"


def check_table_survives(
    table: pd.DataFrame, text: str, dtypes: dict[str, str], missing: dict[str, list[int]]
) -> None:
    """Raise `UserError` naming a column that `read_table` would not give back as it is."""
    for column in table.columns:
        try:
            again = read_table(text, {column: dtypes[column]}, missing)[column]
            same = again.dtype == table[column].dtype and again.equals(table[column])
        except (ValueError, TypeError, OverflowError):
            same = False
        if not same:
            raise UserError(
                f"column {column!r} ({dtypes[column]}) cannot be written to a CSV without loss; "
                "make it numbers, booleans or text"
            )


def _check_target(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; choose another folder for the stimulus set")
    if not any(folder.iterdir()):
        return
    if not overwrite:
        raise UserError(f"{folder} is not empty; choose another folder or say overwrite=True")
    _record(folder)


def _record(folder: Path) -> dict:
    """Return the JSON of a saved set, or say why the folder is none."""
    path = folder / "stimuli.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != "isocortex stimulus set":
            raise ValueError
        version = record["version"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{folder} is not a saved stimulus set (no readable stimuli.json); for a folder of "
            "pictures use StimulusSet.from_folder"
        ) from None
    if version != _VERSION:
        raise UserError(f"{path} has version {version}, but this isocortex reads {_VERSION}")
    return record


def _move(made: Path, folder: Path) -> None:
    """Put the finished folder in place of what is there."""
    old = made.with_name(f"{made.name}.old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(made, folder)
    shutil.rmtree(old, ignore_errors=True)


def _check_alike(paths: tuple[Path, ...], values: list, what: str, remedy: str) -> None:
    for path, value in zip(paths, values, strict=True):
        if value != values[0]:
            raise UserError(
                f"{what} {values[0]} in {paths[0]} but {value} in {path}; give {remedy} to "
                "make all alike"
            )
