"""Areas of recordings that users fetch themselves: V1 of Cadena et al., TVSD, THINGS-fMRI."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isocortex.brains import OWN_COPIES, Assembly, load_assembly
from isocortex.measures.encoding import validation_parts
from isocortex.stimuli import image_files
from isocortex.stimuli.image_files import with_channels
from isocortex.studies.farahat2025.networks import standardise
from isocortex.studies.farahat2025.shown import Shown

REGIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "v1-cadena": {"V1": ("V1",)},
    **{
        f"tvsd-{animal}": {r: (r,) for r in ("V1", "V4", "IT")} for animal in ("monkeyN", "monkeyF")
    },
    **{
        f"things-fmri-{person}": {"V1": ("V1",), "hV4": ("hV4",), "VO": ("VO1", "VO2")}
        for person in ("01", "02", "03")
    },
}
"""Recording -> area -> regions of its units that belong to it."""

AT_ONCE = 256
"""Images that are read before they are brought to their size."""

COUNTS = ("v1-cadena",)
"""Recordings of spike counts, which are learned by a Poisson loss."""


def own_names(recording: str) -> list[str]:
    """Return the names of the areas of a recording, e.g. ``tvsd-monkeyN:IT``."""
    return [f"{recording}:{area}" for area in REGIONS[recording]]


def is_own(name: str) -> bool:
    """Whether an area is one of such a recording."""
    return name.partition(":")[0] in REGIONS


def parts_of(recording: str) -> list[str]:
    """Return the names in the catalogue that a recording is read from."""
    test = f"{recording}-test"
    return [recording, *([test] if test in OWN_COPIES else [])]


def missing_files(recording: str, data: Path | None) -> list[str]:
    """Return the files of a recording that the data folder lacks."""
    return list(dict.fromkeys(f for p in parts_of(recording) for f in OWN_COPIES[p].missing(data)))


def own_area(name: str, size: int, presentations: int, data: Path) -> Shown:
    """Return images and responses of one area.

    There is one fold. Tested are the published test images, alone with repetitions in TVSD and
    THINGS-fMRI; a fifth of the others is for validation. Images synthesised from the photograph of
    a tested one (Cadena) are left out of training.

    Parameters
    ----------
    name : str
        See `own_names`.
    size : int
        Pixels that images are brought to.
    presentations : int
        At most so many images that are not tested, the first ones.
    data : Path
    """
    recording, _, area = name.partition(":")
    regions = REGIONS[recording][area]
    if len(parts_of(recording)) == 1:
        return _within(load_assembly(recording, data), regions, size, presentations)
    once, often = (load_assembly(part, data) for part in parts_of(recording))
    once = once.take(slice(0, presentations))
    units = np.isin(once.units["region"], regions)
    shared = sorted(
        set(once.units["neuroid_id"][units]) & set(often.units["neuroid_id"])
    )  # units that were complete in both parts
    columns = [a.units["neuroid_id"].to_list() for a in (once, often)]
    first, second = (np.array([column.index(neuroid) for neuroid in shared]) for column in columns)
    assert often.trials is not None
    trials = often.trials.to_numpy()[:, :, second].astype(np.float64)
    responses = np.concatenate(
        [once.responses.to_numpy()[:, first], often.responses.to_numpy()[:, second]]
    ).astype(np.float64)
    n = len(once)
    train, validation = _two(n)
    test = np.arange(n, n + len(often))
    images = _images(recording, size, presentations, data)
    return Shown(
        with_channels(standardise(images, train), 3), responses, trials, None,
        ("",) * len(shared), [(train, validation, test)], repeated=test,
    )  # fmt: skip


def _within(found: Assembly, regions: tuple[str, ...], size: int, presentations: int) -> Shown:
    """Return an area whose test images stand among the others."""
    table = found.presentations
    tested = np.flatnonzero(table["part"] == "test")
    near = table["image_id"].isin(table["image_id"].iloc[tested]).to_numpy()
    rest = np.flatnonzero(~near)[:presentations]
    train, validation = _two(len(rest), table["image_id"].to_numpy()[rest])
    units = np.flatnonzero(np.isin(found.units["region"], regions))
    rows = np.concatenate([rest, tested])
    assert found.stimuli is not None
    assert found.trials is not None
    images = image_files.fit(found.stimuli.images(rows), size)
    parts = (train, validation, np.arange(len(rest), len(rows)))
    return Shown(
        with_channels(standardise(images, train), 3),
        found.responses.to_numpy()[np.ix_(rows, units)].astype(np.float64),
        found.trials.to_numpy()[:, rows][:, :, units].astype(np.float64),
        None,
        ("",) * len(units),
        [parts],
    )


def _two(n: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into four fifths to fit and one to choose on."""
    train, validation, test = validation_parts(n, 5, groups=groups)[0]
    return np.sort(np.concatenate([train, validation])), test


@lru_cache(maxsize=1)
def _images(recording: str, size: int, presentations: int, data: Path) -> Tensor:
    """Return the images of both parts once for all areas of a recording."""
    found = []
    for k, part in enumerate(parts_of(recording)):
        stimuli = load_assembly(part, data).stimuli
        assert stimuli is not None
        rows = np.arange(len(stimuli))[: presentations if k == 0 else None]
        found += [
            image_files.fit(stimuli.images(some), size)
            for some in np.array_split(rows, 1 + len(rows) // AT_ONCE)
        ]
    return torch.cat(found)
