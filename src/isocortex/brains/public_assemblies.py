"""Public Brain-Score assemblies by name; fetched only when the user asks for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pooch

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.brainscore import read_brainscore
from isocortex.errors import UserError, unknown

BASE_URL = "https://brainscore-storage.s3.amazonaws.com/brainio-brainscore/"
"""Where the public files lie."""


@dataclass(frozen=True)
class PublicAssembly:
    """Three files, and how they are read.

    Parameters
    ----------
    files : tuple of str
        Names of the netCDF, the CSV and the zip.
    sha1 : tuple of str
        Their checksums, in that order.
    window : (int, int)
        Time bins of the public benchmark, in ms.
    degrees : float
        Visual angle of the images.
    regions : tuple of str
        Where neuroids were recorded.
    card : Card
        Licence and citation.
    version : str
        Version of the netCDF in the storage; empty for the latest.
    label : str
        Column of the stimuli by which the splits of the public benchmark are stratified; empty for
        plain ones.
    """

    files: tuple[str, str, str]
    sha1: tuple[str, str, str]
    window: tuple[int, int]
    degrees: float
    regions: tuple[str, ...]
    card: Card
    version: str = ""
    label: str = ""


PUBLIC: dict[str, PublicAssembly] = {
    "MajajHong2015": PublicAssembly(
        (
            "assy_dicarlo_MajajHong2015_public.nc",
            "stimulus_hvm-public.csv",
            "stimulus_hvm-public.zip",
        ),
        (
            "13d28ca0ce88ee550b54db3004374ae19096e9b9",
            "5ca7a3da00d8e9c694a9cd725df5ba0ad6d735af",
            "8aa44e038d7b551efa8077467622f9d48d72e473",
        ),
        (70, 170),
        8.0,
        ("V4", "IT"),
        Card(
            "MajajHong2015",
            "macaque V4 and IT: 3200 images of objects on backgrounds",
            "none stated: research use, do not republish",
            "Majaj, Hong, Solomon & DiCarlo, J Neurosci 35:13402-13418, 2015",
        ),
        label="object_name",
    ),
    "FreemanZiemba2013": PublicAssembly(
        (
            "assy_movshon_FreemanZiemba2013_public.nc",
            "stimulus_FreemanZiemba2013_aperture-public.csv",
            "stimulus_FreemanZiemba2013_aperture-public.zip",
        ),
        (
            "761c08f796db4e342555cdb60eef23a4f19ead43",
            "194c9b301a4e3e9cff02481d4c19b39331d52660",
            "3a6fec1fc28c212882d6833e267ea8654d289611",
        ),
        (50, 200),
        4.0,
        ("V1", "V2"),
        Card(
            "FreemanZiemba2013",
            "macaque V1 and V2: 135 textures and spectrally matched noise",
            "none stated: research use, do not republish",
            "Freeman, Ziemba, Heeger, Simoncelli & Movshon, Nat Neurosci 16:974-981, 2013",
        ),
        "W2vx7jdh9utZdVumHHarXa4L1zOrA8Fd",
        "texture_type",
    ),
}
"""Name -> files, checksums and terms."""


def read_public(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    region: str | None = None,
    download: bool = False,
) -> Assembly:
    """Read a public Brain-Score assembly by its name.

    Parameters
    ----------
    name : str
        One of `PUBLIC`: "MajajHong2015" or "FreemanZiemba2013".
    folder : path, optional
        Where its three files lie or shall lie; the cache folder of the user if not given.
    region : str, optional
        Only neuroids of this region, e.g. "IT".
    download : bool
        Fetch files that are missing. Without it nothing is ever fetched.

    Returns
    -------
    Assembly
        Mean over the time bins of the public benchmark, with all repetitions.

    Raises
    ------
    UserError
        If the name is unknown, a file is missing and may not or cannot be fetched, or a file is
        not the expected one.
    """
    if name not in PUBLIC:
        raise unknown("public assembly", name, PUBLIC)
    entry = PUBLIC[name]
    if region is not None and region not in entry.regions:
        raise unknown("region", region, entry.regions)
    where, missing = public_files(name, folder)
    if missing and not download:
        raise UserError(
            f"{name} needs {', '.join(missing)} in '{where}'; put them there, or fetch them from "
            f"{BASE_URL} with download=True"
        )
    for file in missing:
        _fetch(entry, file, where)
    return read_brainscore(
        *(where / file for file in entry.files),
        window=entry.window,
        region=region,
        degrees=entry.degrees,
        sha1=entry.sha1,
        card=entry.card,
    )


def public_files(name: str, folder: str | os.PathLike[str] | None = None) -> tuple[Path, list[str]]:
    """Return where the files of a public assembly shall lie, and which of them are missing.

    Parameters
    ----------
    name : str
        One of `PUBLIC`.
    folder : path, optional
        The cache folder of the user if not given.
    """
    where = Path(pooch.os_cache("isocortex")) / "brainscore" if folder is None else Path(folder)
    return where, [file for file in PUBLIC[name].files if not (where / file).is_file()]


def _fetch(entry: PublicAssembly, file: str, folder: Path) -> None:
    """Download one file under a temporary name, check it, and move it to its place."""
    checksum = dict(zip(entry.files, entry.sha1, strict=True))[file]
    version = f"?versionId={entry.version}" if entry.version and file == entry.files[0] else ""
    try:
        pooch.retrieve(
            f"{BASE_URL}{file}{version}", f"sha1:{checksum}", fname=file, path=str(folder)
        )
    except (OSError, ValueError) as error:  # no network or no room; another checksum
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"cannot fetch {file} ({reason}); fetch it by hand from {BASE_URL} and put it into "
            f"'{folder}'"
        ) from None
