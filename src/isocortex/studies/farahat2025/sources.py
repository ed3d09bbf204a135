"""Which files of the data folder there are, and their checksums."""

from __future__ import annotations

from pathlib import Path

from isocortex import data as data_room
from isocortex.brains import OWN_COPIES
from isocortex.errors import UserError
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.own_areas import is_own, missing_files, parts_of

FILES = {
    TANG: ("neural/v1_patterns_tang_monkeyA.npz",),
    "objects92": ("neural/objects92_rdms.npz",),
    "ringach2002": ("neural/ringach2002_v1_orientation.csv",),
    "cifar10": ("images/cifar10_subset.zip",),
    "bsds500": ("images/bsds500_train_val.zip",),
    "mnist": ("images/mnist.npz",),
    "real-brodatz": ("textures/brodatz112_320px.zip",),
    "real-kim": ("textures/kim_bair_pasupathy2019_21textures.npz",),
    "procedural": (),
}
"""Files that each source reads."""


class Sources:
    """The data folder, as a run sees it.

    Parameters
    ----------
    data : Path or None
        The folder.
    checksums : dict of str to str
        Checksums by file, filled as files are asked for.
    """

    def __init__(self, data: Path | None, checksums: dict[str, str]) -> None:
        self.data, self._checksums = data, checksums

    def has(self, name: str) -> bool:
        """Whether the files of a source are in the data folder."""
        if is_own(name):
            return not missing_files(name, self.data)
        return self.data is not None and all((self.data / f).is_file() for f in files_of(name))

    def checksum(self, *names: str) -> str:
        """Return the checksums of the files of some sources, joined, and remember them."""
        found = []
        for name in names:
            for file in files_of(name):
                if file not in self._checksums:
                    path = data_room.require(self.data, file)
                    self._checksums[file] = data_room.checksum(path)
                found.append(self._checksums[file][:16])
        return "-".join(found)


def files_of(name: str) -> tuple[str, ...]:
    """Return the files of a source or recording below the data folder, images of THINGS apart."""
    if is_own(name):
        return tuple(dict.fromkeys(f for p in parts_of(name) for f in OWN_COPIES[p].files))
    if name.startswith("v4-"):
        stem = f"neural/v4_cowley_{name.removeprefix('v4-')}"
        return (f"{stem}_responses.npz", f"{stem}_images.zip")
    return FILES[name]


def own_folder(name: str) -> Path:
    """Return the folder of the objects of a user.

    Raises
    ------
    UserError
        If there is none.
    """
    folder = Path(name).expanduser()
    if not name or not folder.is_dir():
        raise UserError(
            f"objects.folder {name!r} does not exist; name a folder of STL-10, CIFAR-10 or of one"
            " folder a class: --set objects.folder=PATH"
        )
    return folder
