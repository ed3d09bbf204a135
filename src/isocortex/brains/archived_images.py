"""Stimulus sets whose images stay in their zip archive until they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet, image_archives, image_files


@dataclass(frozen=True)
class _Archived:
    """Source that reads one entry of a zip a row."""

    path: Path
    entries: tuple[str, ...]
    shape: tuple[int, ...]
    size: int | None
    channels: int | None

    def __call__(self, rows: np.ndarray) -> Tensor:
        images = torch.empty(len(rows), *self.shape)
        chosen = [self.entries[row] for row in rows]
        for i, image in enumerate(image_archives.read(self.path, chosen)):
            image = _prepared(image, self.size, self.channels)
            if tuple(image.shape) != self.shape:
                raise UserError(
                    f"{chosen[i]} in {self.path} has shape {tuple(image.shape)}, others "
                    f"{self.shape}; give size=PIXELS and channels=1 or 3 to make all alike"
                )
            images[i] = image
        return images


def _prepared(image: Tensor, size: int | None, channels: int | None) -> Tensor:
    if channels is not None:
        image = image_files.with_channels(image, channels)
    return image if size is None else image_files.fit(image, size)


def archived_images(
    path: Path,
    entries: Sequence[str],
    table: pd.DataFrame,
    *,
    degrees: float | None = None,
    size: int | None = None,
    channels: int | None = None,
) -> StimulusSet:
    """Return the images of a zip as a stimulus set.

    Parameters
    ----------
    path : Path
        The archive; nothing is unpacked to disk.
    entries : sequence of str
        Names in the archive, one a row of `table`.
    table : pandas.DataFrame
        With `stimulus_id`.
    degrees : float, optional
        Visual angle of the image width.
    size : int, optional
        Scale the shorter side to this and crop the centre square; needed if sizes differ.
    channels : {1, 3}, optional
        Turn all into grey or RGB; needed if both occur.

    Raises
    ------
    UserError
        If the archive or its first image is broken, or an entry is missing.
    """
    present = set(image_archives.names(path, ".*"))
    missing = [entry for entry in entries if entry not in present]
    if missing:
        raise UserError(
            f"{path} lacks {missing[0]} ({len(missing)} of {len(entries)} images are missing); "
            "replace it by an intact copy"
        )
    (first,) = image_archives.read(path, entries[:1])
    shape = tuple(_prepared(first, size, channels).shape)
    source = _Archived(path, tuple(entries), shape, size, channels)
    return StimulusSet(source, table, degrees, shape=shape)
