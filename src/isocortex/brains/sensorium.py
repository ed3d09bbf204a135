"""Sensorium-style folders: one small file a trial for images and responses, and meta data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import MEND
from isocortex.brains.repetitions import stacked
from isocortex.errors import UserError, unknown
from isocortex.stimuli import StimulusSet

_IMAGE_IDS = ("frame_image_id", "colorframeprojector_image_id")
_AXES = ("x", "y", "z")


def read_sensorium(
    folder: str | os.PathLike[str],
    *,
    tiers: Sequence[str] | None = None,
    degrees: float | None = None,
    card: Card | None = None,
) -> Assembly:
    """Import a folder of static images and responses as the Sensorium competition has them.

    Parameters
    ----------
    folder : path
        With ``data/images/K.npy`` (c, h, w) in 0..255, ``data/responses/K.npy`` (neurons,) for
        each trial K, ``meta/trials/tiers.npy`` and ``frame_image_id.npy``, and
        ``meta/neurons/*.npy``.
    tiers : sequence of str, optional
        Which trials, e.g. ``["test"]``; all if not given. The array of repetitions grows with
        images x most repetitions: take the repeated tier by itself if memory is short.
    degrees : float, optional
        Visual angle of the image width.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        One presentation an image, in the order of first showing, trials as repetitions. It reads
        its images from the folder when asked for.

    Raises
    ------
    UserError
        If a file is missing or damaged, shapes differ, or a response is NaN.
    """
    folder = Path(folder)
    tier = _load(folder / "meta" / "trials" / "tiers.npy").astype(str)
    image = _image_ids(folder)
    if tier.ndim != 1 or image.shape != tier.shape:
        raise UserError(f"the trials in '{folder}' have {len(tier)} tiers but {len(image)} images")
    if tiers is not None:
        for name in tiers:
            if name not in tier:
                raise unknown("tier", name, sorted(set(tier)))
    trials = np.arange(len(tier)) if tiers is None else np.flatnonzero(np.isin(tier, list(tiers)))
    rows = [_load(folder / "data" / "responses" / f"{k}.npy").ravel() for k in trials]
    if len({len(row) for row in rows}) != 1:
        raise UserError(f"responses in '{folder}' differ in length or are none; {MEND}")
    values = np.stack(rows)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise UserError(
            f"responses of trial {trials[bad][0]} in '{folder}' hold NaN; leave its tier out"
        )
    first, cell = _first_seen(image[trials])
    source, shape = _open_images(folder, trials[first])
    table = pd.DataFrame(
        {"stimulus_id": image[trials][first].astype(str), "tier": tier[trials][first]}
    )
    repeated = stacked(values, cell, len(first))
    return Assembly(
        repeated[0] if len(repeated) == 1 else None,
        trials=None if len(repeated) == 1 else repeated,
        units=_neurons(folder, values.shape[1]),
        stimuli=StimulusSet(source, table, degrees, shape=shape),
        card=Card(folder.name) if card is None else card,
    )


@dataclass(frozen=True)
class _Frames:
    """Source of one ``.npy`` image a row, levels 0..255."""

    paths: tuple[Path, ...]

    def __call__(self, rows: np.ndarray) -> Tensor:
        levels = np.stack([_load(self.paths[row]) for row in rows])
        return torch.from_numpy(levels.astype(np.float32) / np.float32(255))


def _open_images(folder: Path, trials: np.ndarray) -> tuple[_Frames, tuple[int, ...]]:
    """Return the images of some trials; a file shorter than the others is refused at once."""
    paths = tuple(folder / "data" / "images" / f"{k}.npy" for k in trials)
    first = _load(paths[0])
    shape = first.shape
    for path in paths:
        if not path.is_file() or path.stat().st_size != paths[0].stat().st_size:
            state = "is of another size than the others" if path.is_file() else "is missing"
            raise UserError(f"'{path}' {state}; {MEND}")
    if first.ndim != 3 or first.dtype.kind not in "uif":
        raise UserError(f"'{paths[0]}' has shape {shape}, but images are (c, h, w); {MEND}")
    return _Frames(paths), shape


def _image_ids(folder: Path) -> np.ndarray:
    trials = folder / "meta" / "trials"
    for name in _IMAGE_IDS:
        if (trials / f"{name}.npy").is_file():
            return _load(trials / f"{name}.npy").astype(str)
    raise UserError(f"'{trials}' lacks {_IMAGE_IDS[0]}.npy; {MEND}")


def _first_seen(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each id occurs first, in that order, and the number of each entry's id."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[inverse]


def _neurons(folder: Path, n: int) -> pd.DataFrame:
    """Return all that is written of each neuron in arrays of one row a neuron."""
    columns: dict[str, np.ndarray] = {}
    for path in sorted((folder / "meta" / "neurons").glob("*.npy")):
        values = _load(path)
        if values.dtype.kind not in "biufU" or values.shape[:1] != (n,):
            continue
        if values.ndim == 1:
            columns[path.stem.lower()] = values
        elif values.ndim == 2 and values.shape[1] <= len(_AXES):
            columns |= {
                f"{path.stem.lower()}_{a}": v for a, v in zip(_AXES, values.T, strict=False)
            }
    table = pd.DataFrame(columns, index=range(n))
    ids = table["unit_ids"] if "unit_ids" in table else pd.Series(range(n))
    if ids.duplicated().any():
        raise UserError(f"unit_ids in '{folder}' are not unique; {MEND}")
    table.insert(0, "neuroid_id", ids.astype(str))
    return table


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"there is no file '{path}'; {MEND}") from None
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"cannot read '{path}' ({reason}); {MEND}") from None
