"""The areas that networks are compared with: recorded, and simulated ones whose answer is known."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.brains import load, load_assembly
from isocortex.brains.simulated import Simulation, it_population, v1_population, voxel_population
from isocortex.execution import Step
from isocortex.measures.encoding import (
    feve,
    validated_ridge,
    validation_parts,
    variance_parts,
)
from isocortex.stimuli import StimulusSet, image_files
from isocortex.stimuli.image_files import with_channels
from isocortex.studies.farahat2025.networks import Network, blocks, objects, standardise
from isocortex.studies.farahat2025.own_areas import is_own, own_area
from isocortex.studies.farahat2025.patches import natural_patches
from isocortex.studies.farahat2025.shown import Shown

TANG = "v1-tang"
RUN = 200
"""Neighbouring patterns of the V1 set are shifted copies: so many stay in one part of a split."""

CENTRE = slice(60, 100)
"""Rows and columns of the V1 patterns that are shown to networks."""

IT_EXPLAINABLE = 0.163
"""Signal share of a single IT trial: the median split-half correlation .66 of ten against ten
trials of recorded IT neurons (100-400 ms) is S / (S + N / 10)."""

IT_REPETITIONS = 20
MOST_PYRAMID = 0.3
"""A simulated IT that a Gabor pyramid explains to this share (FEV) is no late area."""

_CYCLES = (1.5, 3.0, 6.0)
_ORIENTATIONS = 4


class Recorded(Step):
    """A recording of the data folder; its result says what it holds."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    name: str
    size: int
    presentations: int
    folds: int
    data: Path
    data_checksum: str

    def shown(self) -> Shown:
        """Return images and responses."""
        if is_own(self.name):
            return own_area(self.name, self.size, self.presentations, self.data)
        return _recorded(self.name, self.size, self.presentations, self.folds, self.data)

    def compute(self) -> dict[str, Any]:
        """Return one row of the table of areas."""
        return describe(self.name, self.shown())


class SimulatedArea(Step):
    """A simulated area: simple and complex cells, voxels of these, or readouts of a teacher."""

    VERSION: ClassVar[str] = "2"
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    name: Literal["v1-sim", "fmri-sim", "it-sim"]
    images: int
    size: int
    cells: int
    repetitions: int
    spikes: float
    folds: int
    teacher: Network | None = None
    data: Path | None = None
    data_checksum: str = ""

    def compute(self) -> dict[str, Any]:
        """Return images, trials and, for IT, what a Gabor pyramid explains of it."""
        if self.name == "it-sim":
            return self._it()
        patches = natural_patches(self.images, self.size, "train", self.data, seed=2)
        stimuli = StimulusSet.from_tensor(patches.images)
        made = v1_population(
            stimuli,
            simple=self.cells // 2,
            complex_=self.cells - self.cells // 2,
            repetitions=self.repetitions,
            spikes=self.spikes,
            exponent=1.3,
            normalisation=1.0,
        )
        if self.name == "fmri-sim":
            made = voxel_population(made, voxels=self.cells, repetitions=self.repetitions)
        kept = self._kept(made, patches.images, float("nan"))
        return kept | {"photograph": patches.photograph}

    def shown(self) -> Shown:
        """Return images and responses."""
        found = self.result()
        trials = found["trials"].astype(np.float64)
        # Patches of one photograph may overlap: they stay in one part.
        parts = validation_parts(trials.shape[1], self.folds, groups=found.get("photograph"))
        images = with_channels(standardise(found["images"], parts[0][0]), 3)
        return Shown(images, trials.mean(axis=0), trials, None, found["kinds"], parts)

    def _it(self) -> dict[str, Any]:
        assert self.teacher is not None
        images, _ = objects(self.teacher.source, "test", self.images, self.teacher.data)
        seen = standardise(images)
        maps = blocks(self.teacher.network(seen), seen, 128)[-1]
        made = it_population(
            maps.flatten(1).numpy(),
            neuroids=self.cells,
            repetitions=IT_REPETITIONS,
            explainable=IT_EXPLAINABLE,
        )
        return self._kept(made, images, _pyramid_fev(images, made, self.folds))

    def _kept(self, made: Simulation, images: Tensor, pyramid: float) -> dict[str, Any]:
        trials = made.assembly.trials
        assert trials is not None
        units = made.assembly.units
        kinds = units["kind"] if "kind" in units else [""] * len(units)
        return {
            "images": images,
            "trials": trials.to_numpy().astype(np.float32),
            "kinds": tuple(kinds),
            "pyramid_fev": pyramid,
        }


Area = Recorded | SimulatedArea


def describe(name: str, shown: Shown) -> dict[str, Any]:
    """Return one row of the table of areas."""
    share, kept = np.nan, 0
    if shown.trials is not None:
        total, noise = variance_parts(shown.trials)
        share = float(np.nanmedian(1 - noise / total))
        kept = int((1 - noise / total >= 0.15).sum())
    return {
        "area": name,
        "images": len(shown.images),
        "pixels": shown.images.shape[-1],
        "neuroids": shown.responses.shape[1],
        "explainable_share": share,
        "neuroids_with_fev": kept,
        "grouped": shown.groups is not None,
    }


@lru_cache(maxsize=3)
def _recorded(name: str, size: int, presentations: int, folds: int, data: Path) -> Shown:
    if name == TANG:
        assembly = load_assembly("v1-patterns-tang", data)
        rows = slice(0, presentations)
        assert assembly.stimuli is not None
        centre = assembly.stimuli.images(rows)[..., CENTRE, CENTRE]
        images = F.avg_pool2d(centre, 2)
        groups = np.arange(len(images)) // RUN
        responses, trials = assembly.responses.to_numpy()[rows], None
    else:
        assembly = load_assembly(f"v4-cowley-{name.removeprefix('v4-')}", data)
        rows, groups = slice(0, presentations), None
        assert assembly.stimuli is not None
        images = image_files.fit(assembly.stimuli.images(rows), size)
        responses = assembly.responses.to_numpy()[rows]
        recorded = assembly.trials
        trials = None if recorded is None else recorded.to_numpy()[:, rows]
    parts = validation_parts(len(images), folds, groups=groups)
    shown = with_channels(standardise(images, parts[0][0]), 3)
    kinds = tuple([""] * responses.shape[1])
    return Shown(shown, responses.astype(np.float64), trials, groups, kinds, parts)


@lru_cache(maxsize=1)
def objects92(size: int, data: Path) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Return the 92 images, standardised, and the RDMs (subjects, 92, 92) of EVC and IT."""
    recorded = load("objects92", data)
    images = image_files.fit(recorded.stimuli.images(), size)
    return standardise(images), {r: recorded.rdms[r].to_numpy() for r in ("EVC", "IT")}


def _pyramid_fev(images: Tensor, made: Simulation, folds: int) -> float:
    """Return the median share of explainable variance that a Gabor pyramid predicts."""
    trials = made.assembly.trials
    assert trials is not None
    x = gabor_pyramid(image_files.grey(images)).numpy()
    y = trials.to_numpy()
    parts = validation_parts(len(x), folds)[0]
    found = validated_ridge(x, y.mean(axis=0), parts)
    return float(np.nanmedian(feve(y[:, parts[2]], found.predictions)))


def gabor_pyramid(images: Tensor) -> Tensor:
    """Return rectified responses and energies of Gabor filters, pooled to 4 x 4 places.

    Filters of 3 frequencies (1.5, 3, 6 cycles per image width), 4 orientations and 2 phases, at
    every place; both half-waves of each phase and the energy of both are pooled by their mean.

    Parameters
    ----------
    images : Tensor, shape (n, 1, h, w)

    Returns
    -------
    Tensor, shape (n, 960)
    """
    size = images.shape[-1]
    filters = torch.from_numpy(_filters(size)).float()
    x = F.conv2d(images - images.mean(), filters, padding=filters.shape[-1] // 2)
    even, odd = x[:, ::2], x[:, 1::2]
    maps = torch.cat(
        [even.relu(), (-even).relu(), odd.relu(), (-odd).relu(), torch.hypot(even, odd)], dim=1
    )
    return F.adaptive_avg_pool2d(maps, 4).flatten(1)


def _filters(size: int) -> np.ndarray:
    side = size // 2 * 2 + 1
    y, x = np.meshgrid(*[(np.arange(side) - side // 2) / size] * 2, indexing="ij")
    made = []
    for cycles in _CYCLES:
        envelope = np.exp(-(x**2 + y**2) * cycles**2 / (2 * 0.5**2))
        for k in range(_ORIENTATIONS):
            angle = np.pi * k / _ORIENTATIONS
            along = x * np.cos(angle) + y * np.sin(angle)
            for phase in (0.0, np.pi / 2):
                wave = np.cos(2 * np.pi * cycles * along - phase)
                wave -= (envelope * wave).sum() / envelope.sum()
                made.append((envelope * wave) / np.linalg.norm(envelope * wave))
    return np.stack(made)[:, None]
