"""Writes a small Brain-Score assembly: netCDF-4, CSV and zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

EDGES = np.arange(50, 200, 50)


@dataclass
class Written:
    """The three files, and the array that is in the first."""

    assembly: Path
    stimuli: Path
    images: Path
    array: xr.DataArray

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        return self.assembly, self.stimuli, self.images


def array(
    n_stimuli: int = 5, repetitions: int = 3, bins: np.ndarray = EDGES, seed: int = 0
) -> xr.DataArray:
    """Presentations in random order, the last stimulus one repetition short."""
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(n_stimuli), repetitions)[:-1]
    repetition = np.tile(np.arange(repetitions), n_stimuli)[:-1]
    order = rng.permutation(len(which))
    values = rng.normal(size=(len(which), 4, len(bins))).astype(np.float32)
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            "stimulus_id": ("presentation", [f"im{i}" for i in which[order]]),
            "repetition": ("presentation", repetition[order]),
            "neuroid_id": ("neuroid", ["Chabo_1", "Chabo_2", "Tito_1", "Tito_2"]),
            "region": ("neuroid", ["V4", "IT", "V4", "IT"]),
            "x": ("neuroid", [0.5, 1.5, 2.5, 3.5]),
            "time_bin_start": ("time_bin", bins),
            "time_bin_end": ("time_bin", bins + 50),
        },
        name="assembly",
    )


def png(level: int, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), level, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    folder: Path,
    recorded: xr.DataArray | None = None,
    unseen: int = 1,
    pictures: Sequence[bytes] | None = None,
    **columns: object,
) -> Written:
    """Write the files; `unseen` further stimuli of the set were never shown.

    With `pictures` they are the images, and `columns` are added to the table.
    """
    recorded = array() if recorded is None else recorded
    pictures = [png(40 * i) for i in range(5 + unseen)] if pictures is None else pictures
    n = len(pictures)
    out = Written(folder / "assy.nc", folder / "set.csv", folder / "set.zip", recorded)
    recorded.to_netcdf(out.assembly, engine="h5netcdf")
    table = pd.DataFrame(
        {
            "Unnamed: 0": range(n),
            "stimulus_id": [f"im{i}" for i in range(n)],
            "filename": [f"im{i}.png" for i in range(n)],
            "objectName": [f"object{i % 2}" for i in range(n)],
            "rxy": np.linspace(0, 1, n),
            **columns,
        }
    )
    table.sample(frac=1, random_state=1).to_csv(out.stimuli, index=False)
    with zipfile.ZipFile(out.images, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, picture in enumerate(pictures):
            archive.writestr(f"im{i}.png", picture)
    return out
