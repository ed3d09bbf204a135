"""Which files of the data folder a run reads, with the checksums that its record keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from isocortex import data as data_room
from isocortex.errors import UserError


class DataFiles:
    """The data folder, as a run sees it.

    Parameters
    ----------
    folder : Path or None
        The folder; None has no file.
    checksums : dict of str to str, optional
        SHA-256 by file below the folder, filled as files are asked for.
    """

    def __init__(self, folder: Path | None, checksums: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.checksums = {} if checksums is None else checksums

    def has(self, *files: str) -> bool:
        """Whether all of these files are there."""
        return self.folder is not None and all((self.folder / file).is_file() for file in files)

    def wanted(self, file: str, otherwise: str) -> bool:
        """Whether a file that a run wants is there; without a folder it is not.

        Raises
        ------
        UserError
            If there is a folder without this file; it says that `otherwise`, an assignment of a
            field, does without.
        """
        if self.folder is None:
            return False
        if not self.has(file):
            raise UserError(
                f"the data folder {self.folder} lacks {file}; add it, or do without: "
                f"--set {otherwise}"
            )
        return True

    def checksum(self, file: str) -> str:
        """Return the checksum of a file, and remember it.

        Raises
        ------
        UserError
            If the file is not there.
        """
        if file not in self.checksums:
            self.checksums[file] = data_room.checksum(data_room.require(self.folder, file))
        return self.checksums[file]

    def digest(self, files: Iterable[str]) -> str:
        """Return one digest of the names and contents of some files, 16 hexadecimal digits."""
        lines = sorted(f"{file}:{self.checksum(file)}" for file in files)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def meshes(self) -> list[str]:
        """Return the files of the mesh library.

        Raises
        ------
        UserError
            If there is none.
        """
        folder = data_room.require(self.folder, "meshes/index.csv").parent
        return [f"meshes/{file.name}" for file in sorted(folder.glob("*.npz"))]
