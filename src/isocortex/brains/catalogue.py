"""Every recording that has a name: what it is, whose, whether it is found, and how it is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex import data as data_room
from isocortex.brains import recordings
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.assembly_files import CARD
from isocortex.brains.human_rdms import read_objects92
from isocortex.brains.orientation import OrientationTable, read_ringach
from isocortex.brains.own_copies import OWN_COPIES
from isocortex.brains.public_assemblies import PUBLIC, read_public
from isocortex.errors import UserError, unknown


@dataclass(frozen=True)
class Recording:
    """One entry of the catalogue.

    Parameters
    ----------
    kind : str
        ``"assembly"``, ``"rdms"`` or ``"table"``: what `load` gives.
    files : tuple of str
        Files below the data folder; the first describes the recording.
    read : callable
        Takes the card and the paths of the files.
    """

    kind: str
    files: tuple[str, ...]
    read: Callable[..., Any]


def _table(card: Card, path: Path) -> OrientationTable:
    return read_ringach(path, card)


def _v4(session: str) -> Recording:
    stem = f"neural/v4_cowley_{session}"
    return Recording(
        "assembly", (f"{stem}_responses.npz", f"{stem}_images.zip"), recordings.read_cowley
    )


CATALOGUE: dict[str, Recording] = {
    "v4-cowley-190923": _v4("190923"),
    "v4-cowley-201025": _v4("201025"),
    "v4-cowley-210225": _v4("210225"),
    "v4-cowley-210325": _v4("210325"),
    "v1-patterns-tang": Recording(
        "assembly", ("neural/v1_patterns_tang_monkeyA.npz",), recordings.read_tang
    ),
    "ringach2002": Recording("table", ("neural/ringach2002_v1_orientation.csv",), _table),
    "am-faceviews": Recording(
        "assembly", ("neural/am_faceviews_monkeyB.npz",), recordings.read_face_view_assembly
    ),
    "it-7objects": Recording(
        "assembly", ("neural/it_7objects_zhang_desimone.npz",), recordings.read_it_objects
    ),
    "objects92": Recording("rdms", ("neural/objects92_rdms.npz",), read_objects92),
    "fmri-81categories": Recording(
        "assembly", ("neural/fmri_81categories.npz",), recordings.read_fmri_categories
    ),
}
"""Name -> recording."""


def catalogue(data: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """List the recordings that have a name, those that users fetch themselves last.

    Parameters
    ----------
    data : path, optional
        The data folder; ISOCORTEX_DATA if not given.

    Returns
    -------
    pandas.DataFrame
        One row a recording: name, kind ("assembly", "rdms" or "table"), what, found (bool, all of
        its files), bytes, licence, citation, source (where to get it, or nothing).

    Raises
    ------
    UserError
        If the data folder is named but not there.
    """
    folder = data_room.folder(data)
    files = data_room.table(folder).set_index("path")
    rows = []
    for name, entry in CATALOGUE.items():
        mine = files.loc[list(entry.files)]
        card = _card(name)
        rows.append(
            {
                "name": name,
                "kind": entry.kind,
                "what": card.what,
                "found": bool(mine["found"].all()),
                "bytes": int(mine["bytes"].sum()),
                "licence": card.licence,
                "citation": card.citation,
                "source": "",
            }
        )
    for name, own in OWN_COPIES.items():
        there = [] if folder is None else [f for f in own.files if (folder / f).is_file()]
        rows.append(
            {
                "name": name,
                "kind": "assembly",
                "what": own.what,
                "found": not own.missing(folder),
                "bytes": sum((folder / f).stat().st_size for f in there) if folder else 0,
                "licence": own.licence,
                "citation": own.citation,
                "source": own.source,
            }
        )
    return pd.DataFrame(rows)


def names_of_files() -> dict[str, str]:
    """Return the name of the recording that each file of the data folder belongs to."""
    return {file: name for name, entry in CATALOGUE.items() for file in entry.files}


def load(name: str, data: str | os.PathLike[str] | None = None) -> Any:
    """Load a recording by its name, or a saved assembly by its folder.

    Parameters
    ----------
    name : str
        A name of `catalogue`; the path of a folder that `Assembly.save` wrote; or a public
        Brain-Score assembly that `read_public` has fetched, if wanted with its region, as in
        ``"MajajHong2015.IT"``.
    data : path, optional
        The data folder; ISOCORTEX_DATA if not given.

    Returns
    -------
    Assembly, SubjectRDMs or OrientationTable
        As the column ``kind`` of the catalogue says.

    Raises
    ------
    UserError
        If the name is unknown, or a file is missing or damaged.
    """
    if name in OWN_COPIES:
        return OWN_COPIES[name].load(name, data_room.folder(data))
    if name not in CATALOGUE:
        if (Path(name) / CARD).is_file():
            return Assembly.load(name)
        public, _, region = name.partition(".")
        if public in PUBLIC:
            return read_public(public, region=region or None)
        raise unknown(
            "recording",
            name,
            [*CATALOGUE, *OWN_COPIES],
            "list them with brains.catalogue(), or give the folder of a saved assembly",
        )
    entry, folder = CATALOGUE[name], data_room.folder(data)
    return entry.read(_card(name), *(data_room.require(folder, file) for file in entry.files))


def load_assembly(name: str, data: str | os.PathLike[str] | None = None) -> Assembly:
    """Load a recording that must be an assembly; parameters as `load`.

    Raises
    ------
    UserError
        If it is a table or a set of dissimilarity matrices, or as `load`.
    """
    if name in CATALOGUE and CATALOGUE[name].kind != "assembly":
        names = ", ".join(n for n, entry in CATALOGUE.items() if entry.kind == "assembly")
        raise UserError(
            f"{name} holds no responses but {CATALOGUE[name].kind}; assemblies are {names}"
        )
    loaded = load(name, data)
    assert isinstance(loaded, Assembly)
    return loaded


def checksum(name: str, data: str | os.PathLike[str] | None = None) -> str:
    """Return what changes whenever the files of a recording do; parameters as `load`.

    The SHA-256 of a catalogued recording's files (photographs of THINGS apart), or one digest of
    all files of a saved assembly; nothing for public assemblies, whose name stands for files of
    known checksums.

    Raises
    ------
    UserError
        If a file is missing or cannot be read.
    """
    if name in CATALOGUE or name in OWN_COPIES:
        folder = data_room.folder(data)
        listed = CATALOGUE[name].files if name in CATALOGUE else OWN_COPIES[name].files
        files = [data_room.require(folder, file) for file in listed]
        return " ".join(map(data_room.checksum, files))
    if not (Path(name) / CARD).is_file():
        return ""
    digest = hashlib.sha256()
    for file in sorted(path for path in Path(name).rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(name).as_posix()} {data_room.checksum(file)}\n".encode())
    return digest.hexdigest()


def _card(name: str) -> Card:
    described = {entry.path: entry for entry in data_room.CATALOGUE}
    entry = described[CATALOGUE[name].files[0]]
    return Card(name, entry.what, entry.licence, entry.citation)
