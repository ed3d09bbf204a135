"""Recordings that users fetch from their owners and put into the data folder themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.cadena import read_cadena
from isocortex.brains.things import ELECTRODES, read_things_fmri, read_tvsd
from isocortex.errors import UserError

IMAGES = "things/object_images"
"""Folder of the THINGS photographs below the data folder, one folder a concept."""


@dataclass(frozen=True)
class OwnCopy:
    """One recording that travels with nothing of ours.

    Parameters
    ----------
    files : tuple of str
        Files below the data folder, named as their owners name them.
    what, licence, citation, source : str
        For the card; the source is where to get the files.
    read : callable
        Takes the card and the data folder.
    images : str
        A folder of images that it reads beside its files, or nothing.
    """

    files: tuple[str, ...]
    what: str
    licence: str
    citation: str
    source: str
    read: Callable[[Card, Path], Assembly]
    images: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, and the folder of images, below the data folder."""
        return (*self.files, *((self.images,) if self.images else ()))

    def missing(self, folder: Path | None) -> list[str]:
        """Return those of `paths` that are not there."""
        return [path for path in self.paths if folder is None or not (folder / path).exists()]

    def load(self, name: str, folder: Path | None) -> Assembly:
        """Read the recording.

        Raises
        ------
        UserError
            If there is no data folder or a file is not there, with the place to get it from.
        """
        lacking = self.missing(folder)
        if lacking or folder is None:
            where = "no data folder is named" if folder is None else f"'{folder}' lacks it"
            raise UserError(
                f"{name} needs {lacking[0]} in the data folder, but {where}; get it from "
                f"{self.source}"
            )
        return self.read(Card(name, self.what, self.licence, self.citation), folder)


_THINGS_TERMS = "photographs of THINGS: research use, see things-initiative.org"


def _tvsd(animal: str, part: str) -> OwnCopy:
    def read(card: Card, folder: Path) -> Assembly:
        return read_tvsd(
            folder / "tvsd" / animal,
            folder / IMAGES,
            animal=animal,
            part=part,
            card=card,
        )

    shown = "22248 images once" if part == "train" else "100 images 30 times"
    return OwnCopy(
        (f"tvsd/{animal}/THINGS_normMUA.mat", f"tvsd/{animal}/_logs/things_imgs.mat"),
        f"macaque V1, V4, IT, {animal}: multi-unit activity, {shown}",
        f"as its owners state; {_THINGS_TERMS}",
        "Papale, Wang, Self & Roelfsema, Neuron 113:539-553, 2025",
        "https://gin.g-node.org/paolo_papale/TVSD (images: https://osf.io/jum2f)",
        read,
        IMAGES,
    )


def _fmri(subject: str, part: str) -> OwnCopy:
    def read(card: Card, folder: Path) -> Assembly:
        return read_things_fmri(
            folder / "things_fmri/betas_csv",
            folder / IMAGES,
            subject=subject,
            part=part,
            card=card,
        )

    stem = f"things_fmri/betas_csv/sub-{subject}"
    shown = "8640 images once" if part == "train" else "100 images 12 times"
    return OwnCopy(
        (f"{stem}_ResponseData.h5", f"{stem}_StimulusMetadata.csv", f"{stem}_VoxelMetadata.csv"),
        f"human V1 to VO2, person {subject}: fMRI betas, {shown}",
        f"as its owners state; {_THINGS_TERMS}",
        "Hebart et al., eLife 12:e82580, 2023",
        "https://plus.figshare.com/articles/dataset/6161151 (images: https://osf.io/jum2f)",
        read,
        IMAGES,
    )


def _cadena(card: Card, folder: Path) -> Assembly:
    return read_cadena(folder / "cadena2019/cadena_ploscb_data.pkl", card=card)


OWN_COPIES: dict[str, OwnCopy] = {
    "v1-cadena": OwnCopy(
        ("cadena2019/cadena_ploscb_data.pkl",),
        "macaque V1: 7250 images of five types, up to 4 trials, 166 neurons",
        "as its owners state: publishing results needs their permission",
        "Cadena et al., PLoS Comput Biol 15:e1006897, 2019",
        "https://gin.g-node.org/doi/Cadena_PlosCB19_data",
        _cadena,
    ),
    **{
        f"tvsd-{animal}{suffix}": _tvsd(animal, part)
        for animal in ELECTRODES
        for part, suffix in (("train", ""), ("test", "-test"))
    },
    **{
        f"things-fmri-{subject}{suffix}": _fmri(subject, part)
        for subject in ("01", "02", "03")
        for part, suffix in (("train", ""), ("test", "-test"))
    },
}
"""Name -> recording. ``-test`` are the repeated images, for ceilings and scores."""
