"""Stimulus sets by name: recordings with images, folders, and sets that are made on the spot."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pydantic

from isocortex import brains
from isocortex import data as data_room
from isocortex.brains.assembly_files import CARD
from isocortex.brains.catalogue import CATALOGUE
from isocortex.brains.public_assemblies import PUBLIC
from isocortex.errors import UserError, unknown
from isocortex.stimuli import StimulusSet, object_views, photographs
from isocortex.stimuli.photographs import COLLECTIONS

SIZE = 128
"""Pixels on a side of the sets that are made here, where nothing else is said."""


@dataclass(frozen=True)
class BuiltIn:
    """A set that needs no folder of its own.

    Parameters
    ----------
    make : callable
        ``make(data_folder, size) -> StimulusSet``.
    files : tuple of str
        What it reads below the data folder.
    what : str
        In words.
    """

    make: Callable[[str | None, int], StimulusSet]
    files: tuple[str, ...]
    what: str


BUILT_IN: dict[str, BuiltIn] = {
    "photographs": BuiltIn(
        lambda data, size: photographs(data, size),
        tuple(archive for archive, _ in COLLECTIONS.values()),
        "natural photographs of the data folder",
    ),
    "object-views": BuiltIn(
        lambda data, size: object_views(size=size),
        (),
        "procedural objects over nine views; needs no data",
    ),
}
"""Name -> set."""


class ShownSet(pydantic.BaseModel):
    """Which stimuli are shown; a part of the keys of steps.

    Made by `shown_set`. The checksum is that of the files which are read; what is made on the spot
    follows from the code.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    name: str
    checksum: str = ""
    size: int | None = None
    count: int | None = None
    seed: int = 0
    data: str | None = None

    def stimuli(self) -> StimulusSet:
        """Return the set; of more stimuli than `count` so many are drawn, in their order."""
        full = self._full()
        if self.count is None or self.count == len(full):
            return full
        if not 0 < self.count < len(full):
            raise UserError(f"{self.name} holds {len(full)} stimuli, not {self.count}")
        rows = np.random.default_rng(self.seed).permutation(len(full))[: self.count]
        return full[np.sort(rows)]

    def _full(self) -> StimulusSet:
        if self.name in BUILT_IN:
            return BUILT_IN[self.name].make(self.data, self.size or SIZE)
        if _is_recording(self.name):
            found = brains.load(self.name, self.data)
            stimuli = getattr(found, "stimuli", None)
            if stimuli is None:
                raise UserError(
                    f"{self.name} comes without its images, so that no network can be shown them; "
                    f"take another recording, a folder of images or {' or '.join(BUILT_IN)}"
                )
            assert isinstance(stimuli, StimulusSet)
            return stimuli
        if (Path(self.name) / "stimuli.json").is_file():
            return StimulusSet.load(self.name)
        return StimulusSet.from_folder(self.name, size=self.size, channels=3)


def shown_set(
    name: str,
    *,
    data: str | os.PathLike[str] | None = None,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
) -> ShownSet:
    """Find a stimulus set by its name.

    Parameters
    ----------
    name : str
        A name of `BUILT_IN`; of a recording with images (`brains.catalogue`) or the folder of a
        saved one; the folder of a saved stimulus set; or any folder of images.
    data : path, optional
        The data folder, as `isocortex.data.folder` returns it.
    size : int, optional
        Pixels on a side, for a folder of images (shorter side scaled, centre cropped) or a
        built-in set; other sets are as they are.
    count : int, optional
        Draw so many stimuli; all if None.
    seed : int
        Of the draw.

    Returns
    -------
    ShownSet

    Raises
    ------
    UserError
        If there is no such set, or a file of it is missing.
    """
    folder = None if data is None else os.fspath(data)
    if name in BUILT_IN:
        files = [data_room.require(folder, file) for file in BUILT_IN[name].files]
        found = " ".join(map(data_room.checksum, files))
    elif _is_recording(name):
        found = brains.checksum(name, folder)
    elif Path(name).is_dir():
        found = _folder_checksum(Path(name))
    else:
        known = [*BUILT_IN, *CATALOGUE]
        raise unknown("stimulus set", name, known, "or give a folder of images that exists")
    return ShownSet(name=name, checksum=found, size=size, count=count, seed=seed, data=folder)


def _is_recording(name: str) -> bool:
    public = name.partition(".")[0] in PUBLIC
    return name in CATALOGUE or public or (Path(name) / CARD).is_file()


def _folder_checksum(folder: Path) -> str:
    """Return one digest of the names and contents of all files that are not hidden."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = file.relative_to(folder)
        if not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()} {data_room.checksum(file)}\n".encode())
    return digest.hexdigest()
