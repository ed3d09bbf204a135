"""Stimulus sets of image files that a table names, in its order, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet, image_files


@dataclass(frozen=True)
class _Listed:
    """Source of one image file a row, in colour, cut to a square."""

    folder: Path
    names: tuple[str, ...]
    size: int

    def __call__(self, rows: np.ndarray) -> Tensor:
        images = torch.empty(len(rows), 3, self.size, self.size)
        for i, row in enumerate(rows):
            image = image_files.read(self.folder / self.names[row])
            images[i] = image_files.fit(image_files.with_channels(image, 3), self.size)
        return images


def listed_images(
    folder: Path, names: Sequence[str], table: pd.DataFrame, *, size: int, degrees: float | None
) -> StimulusSet:
    """Return images of a folder in the order of a list; they are read when asked for.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Paths below it, with forward slashes, one a row of `table`.
    table : pandas.DataFrame
        With `stimulus_id`.
    size : int
        The shorter side is scaled to this and the centre square cut out.
    degrees : float, optional
        Visual angle of the image width.

    Raises
    ------
    UserError
        If the folder or an image is missing; the first one is named.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"'{folder}' lacks {missing[0]} ({len(missing)} of {len(names)} images are missing); "
            "put the images of THINGS there, one folder a concept"
        )
    source = _Listed(folder, tuple(names), size)
    return StimulusSet(source, table, degrees, shape=(3, size, size))
