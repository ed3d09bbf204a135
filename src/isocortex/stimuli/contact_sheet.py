"""A stimulus set at one glance: one row an object, one column a yaw, labelled."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.stimulus_set import StimulusSet

_CELL = (72, 128)  # smallest and largest width of an image on the sheet, in pixels
_GAP, _MARGIN, _TEXT = 4, 16, 14
_PLAIN_COLUMNS = 9
_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def write_contact_sheet(
    stimuli: StimulusSet, path: str | os.PathLike[str], *, max_rows: int = 60
) -> Path:
    """Write a PNG of a stimulus set.

    With columns `object_id` and `yaw` there is one row an object and one column a yaw; without
    them the images follow each other in rows of nine under their `stimulus_id`.

    Parameters
    ----------
    stimuli : StimulusSet
        What to show.
    path : path
        PNG file to write; it is moved into place when it is whole.
    max_rows : int
        Of more rows, so many are shown, evenly spaced; the title says so.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If there is nothing to show, or the file cannot be written.
    """
    path = Path(path)
    if not len(stimuli) or max_rows < 1:
        raise UserError(f"a contact sheet of {len(stimuli)} images in {max_rows} rows is empty")
    grid, rows, columns = _arranged(stimuli.table)
    shown = np.unique(np.linspace(0, len(grid) - 1, min(max_rows, len(grid))).round().astype(int))
    title = f"{len(stimuli)} images, {stimuli.shape[2]} x {stimuli.shape[1]} px"
    title += "".join(f", {said}" for said in _common(stimuli.table))
    if len(shown) < len(grid):
        title += f"; {len(shown)} of {len(grid)} rows shown"
    sheet = _drawn(stimuli, grid[shown], [rows[i] for i in shown], columns, title)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.png")
    try:
        sheet.save(beside)
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {path}: {reason}; choose another place") from None
    finally:
        beside.unlink(missing_ok=True)
    return path


def _arranged(table: pd.DataFrame) -> tuple[np.ndarray, list[tuple[str, str]], list[str]]:
    """Return positions (rows, columns), -1 where there is none, and labels of both."""
    if {"object_id", "yaw"} <= set(table.columns):
        objects, yaws = pd.unique(table["object_id"]), np.sort(pd.unique(table["yaw"]))
        grid = np.full((len(objects), len(yaws)), -1)
        row = pd.Index(objects).get_indexer(table["object_id"])
        grid[row, np.searchsorted(yaws, table["yaw"])] = np.arange(len(table))
        first = table.drop_duplicates("object_id").set_index("object_id")
        notes = pd.Series("", index=first.index)
        for column in ("name", "symmetry_class"):  # the latter where both are there
            if column in first:
                notes = first[column].combine_first(notes)
        labels = [(str(o), _short(str(notes[o]))) for o in objects]
        return grid, labels, [f"{yaw:+g}°" if yaw else "0°" for yaw in yaws]
    columns = min(_PLAIN_COLUMNS, len(table))
    count = -(-len(table) // columns)
    grid = np.full((count, columns), -1)
    grid.flat[: len(table)] = np.arange(len(table))
    ids = table["stimulus_id"]
    labels = [(str(ids.iloc[k * columns]), "and following") for k in range(count)]
    return grid, labels, [""] * columns


def _common(table: pd.DataFrame) -> list[str]:
    """Return what holds for all images alike, of how they were made."""
    return [
        f"{column} {table[column].iloc[0]}".removesuffix(".0")
        for column in ("lighting", "luminance", "elevation")
        if column in table and table[column].nunique(dropna=False) == 1
    ]


def _drawn(
    stimuli: StimulusSet,
    grid: np.ndarray,
    rows: list[tuple[str, str]],
    columns: list[str],
    title: str,
) -> Image.Image:
    font, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_TEXT - 2)
    h, w = stimuli.shape[1:]
    cell_w = int(np.clip(w, *_CELL))
    cell_h = max(1, round(cell_w * h / w))
    names = [_short(name) for name, _ in rows]
    left = _MARGIN + max(
        *(font.getlength(n) for n in names), *(small.getlength(note) for _, note in rows), 40
    )
    left = round(left) + 3 * _GAP
    top = _MARGIN + 3 * _TEXT + 2 * _GAP
    width = (
        max(left + grid.shape[1] * (cell_w + _GAP), _MARGIN + round(font.getlength(title)))
        + _MARGIN
    )
    sheet = Image.new("RGB", (width, top + len(grid) * (cell_h + _GAP) + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, _INK, font)
    for column, label in enumerate(columns):
        middle = left + column * (cell_w + _GAP) + cell_w // 2
        pen.text((middle, top - _GAP), label, _INK, font, anchor="ms")
    for row, (positions, name, (_, note)) in enumerate(zip(grid, names, rows, strict=True)):
        y = top + row * (cell_h + _GAP)
        pen.text((_MARGIN, y + cell_h // 2), name, _INK, font, anchor="ls")
        pen.text((_MARGIN, y + cell_h // 2 + 3), note, _FAINT, small, anchor="la")
        there = np.flatnonzero(positions >= 0)
        for column, image in zip(there.tolist(), stimuli.images(positions[there]), strict=True):
            x = left + column * (cell_w + _GAP)
            sheet.paste(_scaled(image, (cell_w, cell_h)), (x, y))
    return sheet


def _scaled(image: Tensor, size: tuple[int, int]) -> Image.Image:
    levels = image_files.to_eight_bit(image)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))
    larger = size[0] > picture.width
    return picture.resize(size, Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS)


def _short(name: str, longest: int = 28) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
