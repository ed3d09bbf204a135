"""Natural photographs as a stimulus set, read from their archives when asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.data import require
from isocortex.errors import UserError, unknown
from isocortex.stimuli import image_archives, image_files
from isocortex.stimuli.stimulus_set import StimulusSet

COLLECTIONS: dict[str, tuple[str, str]] = {
    "imagenet": ("images/imagenet1000_samples_128px.zip", r"\d{4}_n\d{8}_.+\.jpg"),
    "bsds500": ("images/bsds500_train_val.zip", r"(train|val)/\d+\.jpg"),
}
"""Name of a collection -> its archive in the data folder, and the names of images therein."""


def photographs(
    data: str | os.PathLike[str] | None,
    size: int,
    *,
    collections: Sequence[str] = tuple(COLLECTIONS),
    grey: bool = False,
    degrees: float | None = None,
) -> StimulusSet:
    """Return natural photographs, scaled and cropped to centre squares.

    Parameters
    ----------
    data : path or None
        The data folder, as `isocortex.data.folder` returns it.
    size : int
        Width and height; the shorter side is scaled to it (bicubic, antialiased).
    collections : sequence of str
        Of "imagenet" (1000 photographs, one of each class, 128 px) and "bsds500" (300, 321 px).
    grey : bool
        Luminance in place of colour.
    degrees : float, optional
        Visual angle of the image width.

    Returns
    -------
    StimulusSet
        Columns stimulus_id, collection, category (name of the ImageNet class; missing for
        bsds500).

    Raises
    ------
    UserError
        If an archive is missing or broken, or a name or number is wrong.
    """
    if size < 1:
        raise UserError(f"size is {size}, but images need at least one pixel")
    if not collections:
        raise UserError(f"no collection is named; give one or more of {', '.join(COLLECTIONS)}")
    files, rows = [], []
    for name in collections:
        if name not in COLLECTIONS:
            raise unknown("collection of photographs", name, COLLECTIONS)
        archive, pattern = COLLECTIONS[name]
        path = require(data, archive)
        for entry in image_archives.names(path, pattern):
            stem = PurePosixPath(entry).stem
            category = stem.split("_", 2)[2].replace("_", " ") if name == "imagenet" else None
            files.append((path, entry))
            rows.append((f"{name}/{PurePosixPath(entry).with_suffix('')}", name, category))
    table = pd.DataFrame(rows, columns=["stimulus_id", "collection", "category"])
    channels = 1 if grey else 3
    source = _Archived(tuple(files), channels, size)
    return StimulusSet(source, table, degrees, shape=(channels, size, size))


@dataclass(frozen=True)
class _Archived:
    """Source that reads one archived photograph a row."""

    files: tuple[tuple[Path, str], ...]
    channels: int
    size: int

    def __call__(self, rows: np.ndarray) -> Tensor:
        images = torch.empty(len(rows), self.channels, self.size, self.size)
        picked = [self.files[row] for row in rows]
        for archive in dict.fromkeys(path for path, _ in picked):
            where = [i for i, (path, _) in enumerate(picked) if path == archive]
            read = image_archives.read(archive, [picked[i][1] for i in where])
            for i, image in zip(where, read, strict=True):
                images[i] = image_files.fit(
                    image_files.with_channels(image, self.channels), self.size
                )
        return images


def whole_photographs(
    data: str | os.PathLike[str] | None,
    collection: str = "bsds500",
    *,
    split: str = "",
    count: int | None = None,
    halvings: int = 0,
) -> list[Tensor]:
    """Return grey photographs uncropped, for the statistics of contours and of spectra.

    Parameters
    ----------
    data : path or None
        The data folder, as `isocortex.data.folder` returns it.
    collection : str
        A name in `COLLECTIONS`.
    split : str
        Of "bsds500": "train" (200 photographs) or "val" (100); all unless given.
    count : int, optional
        The first ones only.
    halvings : int
        How often height and width are halved, by means of 2 x 2 pixels; a last odd row or column
        is left out.

    Returns
    -------
    list of Tensor
        (h, w) each, float32 in [0, 1].

    Raises
    ------
    UserError
        If the archive is missing or broken, or a name is wrong.
    """
    if collection not in COLLECTIONS:
        raise unknown("collection of photographs", collection, COLLECTIONS)
    archive, pattern = COLLECTIONS[collection]
    path = require(data, archive)
    entries = [n for n in image_archives.names(path, pattern) if n.startswith(split)][:count]
    if not entries:
        raise UserError(f"{path} has no photographs of split {split!r}; leave the split out")
    images = [image_files.with_channels(image, 1) for image in image_archives.read(path, entries)]
    for _ in range(halvings):
        images = [torch.nn.functional.avg_pool2d(image, 2) for image in images]
    return [image[0] for image in images]
