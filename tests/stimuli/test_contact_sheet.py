"""Contact sheets: every image in its row and column, and a file that is whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet, write_contact_sheet

YAWS = (45.0, -90.0, 0.0)


def marked(n_objects: int, shape: tuple[int, int, int] = (3, 80, 80)) -> StimulusSet:
    """Uniform images whose red says the object and green the view."""
    rows = [(f"o{k}_{yaw}", f"o{k}", yaw) for k in range(n_objects) for yaw in YAWS]
    images = torch.zeros(len(rows), *shape)
    for i, (_, name, yaw) in enumerate(rows):
        images[i, 0] = (10 + int(name[1:])) / 255
        images[i, -1] = (10 + YAWS.index(yaw)) / 255
    table = pd.DataFrame(rows, columns=["stimulus_id", "object_id", "yaw"])
    return StimulusSet.from_tensor(images, table)


def cells(path: Path) -> list[list[tuple[int, int]]]:
    """Read (object, view) marks off a sheet, row by row, from left to right."""
    with Image.open(path) as image:
        pixels = np.asarray(image)
    marks = (pixels[..., 1] == 0) & (pixels[..., 0] >= 10) & (pixels[..., 0] < 250)
    found: list[list[tuple[int, int]]] = []
    for line in np.flatnonzero(np.diff(marks.any(1).astype(int)) == 1) + 1:
        starts = np.flatnonzero(np.diff(marks[line].astype(int)) == 1) + 1
        found.append([(int(pixels[line, x, 0]) - 10, int(pixels[line, x, 2]) - 10) for x in starts])
    return found


def test_rows_are_objects_and_columns_are_yaws_in_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(12)
    path = write_contact_sheet(marked(4)[order], tmp_path / "sheet.png")
    first = pd.unique(marked(4)[order].table["object_id"])
    by_yaw = [YAWS.index(yaw) for yaw in sorted(YAWS)]
    assert cells(path) == [[(int(name[1:]), view) for view in by_yaw] for name in first]
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


def test_missing_views_stay_empty(tmp_path: Path) -> None:
    stimuli = marked(2)[[0, 2, 3, 4]]
    found = cells(write_contact_sheet(stimuli, tmp_path / "sheet.png"))
    assert found == [[(0, 2), (0, 0)], [(1, 1), (1, 0)]]


def test_of_many_rows_some_are_shown(tmp_path: Path) -> None:
    path = write_contact_sheet(marked(9), tmp_path / "sheet.png", max_rows=3)
    assert [row[0][0] for row in cells(path)] == [0, 4, 8]
    assert [row[0][0] for row in cells(write_contact_sheet(marked(2), path))] == [0, 1]


def test_a_set_without_views_is_laid_out_in_rows(tmp_path: Path) -> None:
    stimuli = marked(4)
    plain = StimulusSet(stimuli.images, stimuli.table[["stimulus_id"]], shape=stimuli.shape)
    found = cells(write_contact_sheet(plain, tmp_path / "sheet.png"))
    assert [len(row) for row in found] == [9, 3]
    assert [mark for row in found for mark in row] == [(k, v) for k in range(4) for v in range(3)]


@pytest.mark.parametrize(("shape", "cell"), [((1, 10, 10), 72), ((3, 200, 400), 128)])
def test_images_are_scaled_to_be_seen(
    tmp_path: Path, shape: tuple[int, int, int], cell: int
) -> None:
    stimuli = StimulusSet.from_tensor(torch.zeros(1, *shape))
    with Image.open(write_contact_sheet(stimuli, tmp_path / "sheet.png")) as image:
        black = np.asarray(image).sum(2) == 0
    assert black.any(0).sum() == cell
    assert black.any(1).sum() == cell * shape[1] // shape[2]


def test_labels_are_drawn(tmp_path: Path) -> None:
    stimuli = marked(2)
    table = stimuli.table.assign(symmetry_class=["one_plane"] * 3 + [None] * 3, lighting="side")
    labelled = StimulusSet(stimuli.images, table, shape=stimuli.shape)
    sheets = [
        np.asarray(Image.open(write_contact_sheet(s, tmp_path / f"{i}.png")))
        for i, s in enumerate((stimuli, labelled))
    ]
    ink = [int((sheet < 128).all(2).sum()) for sheet in sheets]
    assert ink[1] > ink[0] > 6 * 80 * 80  # the images are dark too


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty"):
        write_contact_sheet(marked(1)[:0], tmp_path / "sheet.png")
    with pytest.raises(UserError, match="cannot write"):
        write_contact_sheet(marked(1), tmp_path / "nowhere" / "sheet.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        write_contact_sheet(marked(1), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
