"""Responses to THINGS: the ventral stream of two macaques (TVSD), and human fMRI."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import MEND, existing, read_csv
from isocortex.brains.listed_images import listed_images
from isocortex.brains.repetitions import stacked
from isocortex.errors import UserError, unknown

ELECTRODES = {
    "monkeyN": {"V1": slice(0, 512), "V4": slice(512, 768), "IT": slice(768, 1024)},
    "monkeyF": {"V1": slice(0, 512), "IT": slice(512, 832), "V4": slice(832, 1024)},
}
"""Animal -> area -> its electrodes, in the order of the normalised file (Papale et al. 2025)."""

FMRI_DEGREES = 10.0
"""Visual angle of the images in the scanner."""

REGIONS = ("V1", "V2", "V3", "hV4", "VO1", "VO2")
"""Regions of the voxel table from retinotopy, early ones first; a voxel of two is of the first."""

SIZE = 224


def read_tvsd(
    folder: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    animal: str | None = None,
    part: str = "train",
    size: int = SIZE,
    card: Card | None = None,
) -> Assembly:
    """Import one animal of the THINGS ventral-stream spiking data, normalised multi-unit activity.

    Parameters
    ----------
    folder : path
        With ``THINGS_normMUA.mat`` (MATLAB 7.3; ``train_MUA``, ``test_MUA_reps``, ``reliab``) and
        ``_logs/things_imgs.mat`` (``train_imgs/things_path``, ``test_imgs/things_path``).
    images : path
        The folder ``object_images`` of THINGS.
    animal : str, optional
        ``"monkeyN"`` or ``"monkeyF"``, which says where electrodes are; the folder's name by
        default.
    part : {"train", "test"}
        22,248 images shown once, or 100 shown 30 times.
    size : int
        Pixels that images are brought to.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        ``units`` have `region` (V1, V4, IT) and `reliability`, the mean of ``reliab``.

    Raises
    ------
    UserError
        If a file, field or image is missing or damaged, or shapes do not fit.
    """
    folder = Path(folder)
    animal = folder.name if animal is None else animal
    if animal not in ELECTRODES:
        raise unknown("animal of TVSD", animal, ELECTRODES)
    if part not in ("train", "test"):
        raise unknown("part", part, ("train", "test"))
    path = folder / "THINGS_normMUA.mat"
    names = _things_paths(folder / "_logs" / "things_imgs.mat", part)
    field = "train_MUA" if part == "train" else "test_MUA_reps"
    with _hdf5(path) as file:
        values = _dataset(file, field, path)
        reliability = _dataset(file, "reliab", path)
    count = max(where.stop for where in ELECTRODES[animal].values())
    wanted = (len(names), count)
    if values.shape[-2:] != wanted or values.ndim != (2 if part == "train" else 3):
        raise UserError(
            f"'{path}': {field} is {values.shape} for {wanted[0]} images and {count} electrodes; "
            f"{MEND}"
        )
    if reliability.shape[-1] != count:
        raise UserError(f"'{path}': reliab is {reliability.shape} for {count} electrodes; {MEND}")
    region = np.empty(count, dtype=object)
    for name, where in ELECTRODES[animal].items():
        region[where] = name
    table = pd.DataFrame({"stimulus_id": names, "concept": [n.split("/")[0] for n in names]})
    return Assembly.dropping_incomplete(
        values if part == "train" else None,
        trials=None if part == "train" else values,
        units=pd.DataFrame(
            {
                "neuroid_id": [f"{animal}/{k}" for k in range(count)],
                "region": region.astype(str),
                "animal": animal,
                "reliability": np.atleast_2d(reliability).mean(axis=0),
            }
        ),
        stimuli=listed_images(Path(images), names, table, size=size, degrees=None),
        card=(Card(f"tvsd-{animal}") if card is None else card).noting(
            response="multi-unit activity, normalised", part=part
        ),
    )


def read_things_fmri(
    folder: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    subject: str,
    part: str = "train",
    regions: Sequence[str] = REGIONS,
    size: int = SIZE,
    card: Card | None = None,
) -> Assembly:
    """Import one person of THINGS-fMRI, single-trial responses in table format.

    Parameters
    ----------
    folder : path
        ``betas_csv``, with ``sub-01_ResponseData.h5`` (a pandas frame ``ResponseData``, voxels x
        trials), ``sub-01_StimulusMetadata.csv`` (``trial_type``, ``stimulus``, ``session``) and
        ``sub-01_VoxelMetadata.csv`` (``voxel_id`` and a column of 0 and 1 for each region).
    images : path
        The folder ``object_images`` of THINGS.
    subject : str
        ``"01"``, ``"02"`` or ``"03"``.
    part : {"train", "test"}
        8,640 images shown once, or 100 shown twelve times.
    regions : sequence of str
        Columns of the table of voxels; voxels of none are not read.
    size : int
        Pixels that images are brought to.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        ``units`` have `region`; betas are as they were published, not z-scored by session.

    Raises
    ------
    UserError
        If a file, field or image is missing or damaged, or shapes do not fit.
    """
    folder = Path(folder)
    if part not in ("train", "test"):
        raise unknown("part", part, ("train", "test"))
    paths = {
        what: folder / f"sub-{subject}_{what}"
        for what in ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv")
    }
    shown = _columns(paths["StimulusMetadata.csv"], ("trial_type", "stimulus", "session"))
    voxels = _columns(paths["VoxelMetadata.csv"], ("voxel_id", *regions))
    trials = np.flatnonzero((shown["trial_type"] == part).to_numpy())
    if not len(trials):
        raise UserError(
            f"'{paths['StimulusMetadata.csv']}' has no trial of trial_type {part!r}; {MEND}"
        )
    inside = voxels[list(regions)].to_numpy() == 1
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        raise UserError(
            f"'{paths['VoxelMetadata.csv']}' has no voxel of {', '.join(regions)}; {MEND}"
        )
    values = _betas(paths["ResponseData.h5"], voxels["voxel_id"].to_numpy(), rows, len(shown))
    names = shown["stimulus"].to_numpy()[trials]
    unique, first, cell = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(first)
    table = pd.DataFrame({"stimulus_id": unique[order]})
    table["concept"] = [_concept(name, paths["StimulusMetadata.csv"]) for name in unique[order]]
    files = (table["concept"] + "/" + table["stimulus_id"]).to_list()
    by_image = stacked(values[:, trials].T, np.argsort(order)[cell], len(table))
    return Assembly.dropping_incomplete(
        by_image[0] if len(by_image) == 1 else None,
        trials=None if len(by_image) == 1 else by_image,
        units=pd.DataFrame(
            {
                "neuroid_id": voxels["voxel_id"].to_numpy()[rows].astype(str),
                "region": np.array(regions)[inside[rows].argmax(axis=1)],
                "animal": f"sub-{subject}",
            }
        ),
        stimuli=listed_images(Path(images), files, table, size=size, degrees=FMRI_DEGREES),
        card=(Card(f"things-fmri-{subject}") if card is None else card).noting(
            response="fMRI beta", part=part
        ),
    )


@contextmanager
def _hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; whatever goes wrong in reading it is one line that names it."""
    existing(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"cannot read '{path}' as HDF5 ({reason}); {MEND}") from None


def _field(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    if name not in file or not isinstance(file[name], h5py.Dataset):
        raise UserError(f"'{path}' lacks the field {name!r}; {MEND}")
    return file[name]


def _dataset(file: h5py.File, name: str, path: Path) -> np.ndarray:
    """Read numbers; MATLAB's axes come in reverse order, electrodes last."""
    found = _field(file, name, path)
    if found.dtype.kind not in "uif":
        raise UserError(f"'{path}': {name} holds {found.dtype}, not numbers; {MEND}")
    return np.asarray(found[()], dtype=np.float32)


def _things_paths(path: Path, part: str) -> list[str]:
    """Return the paths below ``object_images`` of the images of a part, in order."""
    name = f"{part}_imgs/things_path"
    with _hdf5(path) as file:
        references = _field(file, name, path)[()].ravel()
        if references.dtype != h5py.ref_dtype:
            raise UserError(f"'{path}': {name} is no list of texts; {MEND}")
        texts = [np.asarray(file[r][()], dtype="<u2").tobytes().decode("utf-16-le")
                 for r in references]  # fmt: skip
    return [text.replace("\\", "/") for text in texts]


def _columns(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    table = read_csv(existing(path), ("stimulus", "trial_type"))
    for column in wanted:
        if column not in table or table[column].isna().any():
            raise UserError(f"'{path}' lacks the column {column!r}, or values in it; {MEND}")
    return table


def _betas(path: Path, ids: np.ndarray, rows: np.ndarray, trials: int) -> np.ndarray:
    """Return responses (voxels, trials) of some rows of the table of voxels."""
    with _hdf5(path) as file:
        values = _field(file, "ResponseData/block0_values", path)
        stored = _field(file, "ResponseData/block1_values", path)[()].ravel()
        if values.shape != (len(ids), trials) or not np.array_equal(stored, ids):
            raise UserError(
                f"'{path}': ResponseData is {values.shape}, but the tables beside it have "
                f"{len(ids)} voxels and {trials} trials, or the voxels are others; {MEND}"
            )
        return np.asarray(values[rows], dtype=np.float32)


def _concept(stimulus: str, path: Path) -> str:
    found = re.fullmatch(r"(.+)_\d+[a-z]*\.\w+", stimulus)
    if found is None:
        raise UserError(f"'{path}': {stimulus!r} is no name like dog_12s.jpg; {MEND}")
    return found[1]
