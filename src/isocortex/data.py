"""Other people's data: where the folder is, which file is whose, and safe ways to read them.

The folder is named by the user (``--data`` or ``ISOCORTEX_DATA``) and laid out as `CATALOGUE`
says. Nothing in it is needed: without it every study falls back on procedural stimuli.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from isocortex.errors import UserError

VARIABLE = "ISOCORTEX_DATA"
"""The environment variable that names the data folder."""


@dataclass(frozen=True)
class Entry:
    """One file that the laboratory can use.

    Parameters
    ----------
    path : str
        Where it lies below the data folder, with forward slashes.
    what : str
        What is in it.
    licence : str
        On what terms it may be used; "unclear" where none travels with the data.
    citation : str
        Whom to cite.
    """

    path: str
    what: str
    licence: str
    citation: str


_UNCLEAR = "unclear: research use, do not republish"
_COWLEY = "Cowley, Stan, Pillow & Smith, bioRxiv 2023"
_LIBRARY = "Quaternius; Kenney; pmndrs market (creator of each mesh: meshes/index.csv)"
_ICT = "Li et al., CVPR 2020 (ICT-FaceKit)"


def _v4(session: str, images: int, neurons: int) -> tuple[Entry, Entry]:
    stem = f"neural/v4_cowley_{session}"
    where = f"macaque V4, session {session}"
    return (
        Entry(f"{stem}_images.zip", f"{where}: {images} images", "GPL-3.0", _COWLEY),
        Entry(
            f"{stem}_responses.npz", f"{where}: responses of {neurons} neurons", "GPL-3.0", _COWLEY
        ),
    )


def _library(category: str, count: int) -> Entry:
    return Entry(f"meshes/{category}.npz", f"{count} meshes: {category}", "CC0-1.0", _LIBRARY)


CATALOGUE: tuple[Entry, ...] = (
    *_v4("190923", 1200, 33),
    *_v4("201025", 1200, 89),
    *_v4("210225", 1200, 55),
    *_v4("210325", 640, 50),
    Entry(
        "neural/v1_patterns_tang_monkeyA.npz",
        "macaque V1: 9500 binary patterns, 3 neurons",
        _UNCLEAR,
        "Tang et al., Curr Biol 28:38-48, 2018; Wu et al., arXiv:1911.08241",
    ),
    Entry(
        "neural/ringach2002_v1_orientation.csv",
        "macaque V1: orientation tuning of 308 neurons",
        _UNCLEAR,
        "Ringach, Shapley & Hawken, J Neurosci 22:5639-5651, 2002",
    ),
    Entry(
        "neural/am_faceviews_monkeyB.npz",
        "macaque face patch AM: 25 persons in 8 orientations, 134 neurons",
        _UNCLEAR,
        "Freiwald & Tsao, Science 330:845-851, 2010; "
        "Meyers, Borzello, Freiwald & Tsao, J Neurosci 35:7069-7081, 2015",
    ),
    Entry(
        "neural/it_7objects_zhang_desimone.npz",
        "macaque IT: 7 objects in 3 positions, 132 neurons",
        "GPL-3.0",
        "Zhang, Meyers, Bichot, Serre, Poggio & Desimone, PNAS 108:8850-8855, 2011",
    ),
    Entry(
        "neural/objects92_rdms.npz",
        "92 object images with human fMRI and behavioural RDMs",
        "MIT and BSD-like; photographs unclear",
        "Kriegeskorte et al., Neuron 60:1126-1141, 2008; Cichy, Pantazis & Oliva, "
        "Nat Neurosci 17:455-462, 2014; Mur et al., Front Psychol 4:128, 2013",
    ),
    Entry(
        "neural/fmri_81categories.npz",
        "human fMRI: 81 object categories, 696 voxels in 7 regions",
        _UNCLEAR,
        "presumably Bonner & Epstein, Nat Commun 12:4081, 2021",
    ),
    Entry(
        "images/mnist.npz",
        "60000 + 10000 handwritten digits, 28 px",
        "CC BY-SA 3.0",
        "LeCun et al., Proc IEEE 86:2278-2324, 1998",
    ),
    Entry(
        "images/cifar10_subset.zip",
        "25000 + 5000 colour photographs of 10 classes, 32 px",
        "none stated: research use",
        "Krizhevsky, technical report, Toronto 2009",
    ),
    Entry(
        "images/bsds500_train_val.zip",
        "300 natural photographs, 481 x 321 px",
        "non-commercial research and education",
        "Arbelaez et al., PAMI 33:898-916, 2011",
    ),
    Entry(
        "images/imagenet1000_samples_128px.zip",
        "one photograph of each of 1000 classes, 128 px",
        "ImageNet terms: non-commercial research",
        "Russakovsky et al., IJCV 115:211-252, 2015",
    ),
    Entry(
        "textures/brodatz112_320px.zip",
        "the 112 Brodatz textures, 320 px",
        "unclear: customary research use",
        "Brodatz, Textures, 1966",
    ),
    Entry(
        "textures/kim_bair_pasupathy2019_21textures.npz",
        "21 textures shown to V4 neurons, 256 px",
        _UNCLEAR,
        "Kim, Bair & Pasupathy, J Neurosci 2019",
    ),
    Entry(
        "textures/portilla_simoncelli_examples.npz",
        "6 example textures, 256 px",
        "MIT",
        "Portilla & Simoncelli, IJCV 40:49-70, 2000",
    ),
    _library("car", 29),
    _library("airplane", 5),
    _library("spaceship", 22),
    _library("boat", 12),
    _library("chair", 23),
    _library("sofa", 11),
    _library("animal", 24),
    _library("dinosaur", 6),
    _library("fish", 37),
    _library("person", 21),
    _library("cactus_plant", 26),
    _library("fruit_vegetable", 29),
    _library("tool", 24),
    _library("tree", 24),
    _library("house", 25),
    Entry("meshes/head.npz", "25 meshes: head", "MIT", _ICT),
    Entry("meshes/ict_head_model.npz", "morphable head: identity and expression", "MIT", _ICT),
    Entry(
        "meshes/index.csv",
        "creator, licence and mirror asymmetry of each mesh",
        "CC0-1.0",
        _LIBRARY,
    ),
    Entry("meshes/preview.png", "nine meshes of each category", "CC0-1.0; heads MIT", _LIBRARY),
)
"""Every file that the data folder may hold. Tests and `isocortex data` walk over it."""


def folder(explicit: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the data folder, or None where the user has named none.

    Parameters
    ----------
    explicit : path, optional
        What the user gave as ``--data``. It goes before the environment variable.

    Returns
    -------
    Path or None
        The folder, as it was written. None if neither is given; an empty variable counts as none.

    Raises
    ------
    UserError
        If the named folder is not there, or is a file.
    """
    if explicit is not None:
        name, origin = os.fspath(explicit), "--data"
    else:
        name, origin = os.environ.get(VARIABLE, ""), VARIABLE
        if not name:
            return None
    path = Path(name).expanduser()
    if not path.is_dir():
        state = "is a file" if path.is_file() else "does not exist"
        raise UserError(
            f"data folder {name!r} ({origin}) {state}; name a folder, or leave it out to use "
            "procedural stimuli"
        )
    return path


def require(folder: str | os.PathLike[str] | None, relative: str) -> Path:
    """Return the path of a data file that must be there.

    Parameters
    ----------
    folder : path or None
        The data folder, as `folder` returns it.
    relative : str
        The file below it, as in `CATALOGUE`.

    Raises
    ------
    UserError
        If there is no folder, or it lacks the file.
    """
    if folder is None:
        raise UserError(
            f"{relative} is needed but no data folder is named; give --data or set {VARIABLE}"
        )
    path = Path(folder) / relative
    if not path.is_file():
        raise UserError(
            f"data folder {os.fspath(folder)!r} lacks {relative}; `isocortex data` lists what is "
            "found and missing"
        )
    return path


def checksum(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in pieces.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {os.fspath(path)!r}: {error.strerror or error}") from None


def listing(folder: str | os.PathLike[str]) -> str:
    """Return a digest of the names and sizes of all files below a folder, 16 hexadecimal digits."""
    root = Path(folder)
    files = sorted(file for file in root.rglob("*") if file.is_file())
    lines = "\n".join(f"{file.relative_to(root)} {file.stat().st_size}" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def read_npz(path: str | os.PathLike[str], keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays out of an ``.npz`` file, without ever unpickling an object.

    Parameters
    ----------
    path : path
        The file.
    keys : sequence of str
        The arrays wanted; others are not read.

    Returns
    -------
    dict of str to ndarray
        In the order of `keys`.

    Raises
    ------
    UserError
        If the file cannot be opened, is truncated or damaged, holds pickled objects, or lacks one
        of `keys`.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UserError(f"{name!r} is not an .npz file; replace it by an intact copy")
            missing = [key for key in keys if key not in archive.files]
            if missing:
                raise UserError(
                    f"{name!r} lacks the array {missing[0]!r}; replace it by an intact copy"
                )
            return {key: archive[key] for key in keys}
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"cannot read {name!r}: {reason}; replace it by an intact copy") from None


def table(folder: str | os.PathLike[str] | None) -> pd.DataFrame:
    """Return what of the catalogue is found and what is missing.

    Parameters
    ----------
    folder : path or None
        The data folder; None finds nothing.

    Returns
    -------
    DataFrame
        One row a catalogued file: path, what, found (bool), bytes (0 where missing), licence,
        citation.
    """
    rows = []
    for entry in CATALOGUE:
        path = None if folder is None else Path(folder) / entry.path
        found = path is not None and path.is_file()
        size = path.stat().st_size if path is not None and found else 0
        rows.append((entry.path, entry.what, found, size, entry.licence, entry.citation))
    return pd.DataFrame(rows, columns=["path", "what", "found", "bytes", "licence", "citation"])
