"""Which files of the data folder there are, and their checksums."""

from __future__ import annotations

from pathlib import Path

from isocortex.brains import OWN_COPIES
from isocortex.errors import UserError
from isocortex.studies.data_files import DataFiles
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
    """The data folder by names of sources in place of files."""

    def __init__(self, files: DataFiles) -> None:
        self.data, self._files = files.folder, files

    def has(self, name: str) -> bool:
        """Whether the files of a source are in the data folder."""
        if is_own(name):
            return not missing_files(name, self.data)
        return self.data is not None and self._files.has(*files_of(name))

    def checksum(self, *names: str) -> str:
        """Return the checksums of the files of some sources, joined, and remember them."""
        files = [file for name in names for file in files_of(name)]
        return "-".join(self._files.checksum(file)[:16] for file in files)


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
