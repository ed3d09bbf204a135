"""The category set: nine categories, each with what the mesh library has of it (3.3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.symmetry import library_classes

CATEGORIES = (
    "car", "boat", "head", "chair", "airplane", "tool", "animal", "fruit_vegetable", "cactus_plant",
)  # fmt: skip
SHORT = "airplane"
FILLED_FROM = "spaceship"
"""There are few airplanes; spaceships with one mirror plane stand in for the rest."""


def category_set(
    data: Path | None, per_category: int, seed: int, cache: Path | None = None
) -> list[Mesh]:
    """Return up to `per_category` objects of each category (208 in all at 25).

    Parameters
    ----------
    data : Path or None
        Folder of real data; without it the families of procedural meshes are the categories.
    per_category : int
    seed : int
        Of the choice where a category has more.
    cache : Path, optional
        Where the measured classes of the library are kept.
    """
    if data is None:
        return [
            families.build(name, exemplar, seed)
            for name in families.FAMILIES
            for exemplar in range(per_category)
        ]
    chosen: list[Mesh] = []
    for number, category in enumerate(CATEGORIES):
        meshes = library.load(data, category)
        picked = np.random.default_rng([seed, number]).permutation(len(meshes))[:per_category]
        chosen += [meshes[k] for k in sorted(picked)]
        if category == SHORT:
            chosen += _stand_ins(data, per_category - len(picked), seed, cache)
    return chosen


def _stand_ins(data: Path, count: int, seed: int, cache: Path | None) -> list[Mesh]:
    table = library_classes(data, cache)
    rows = table[table["category"] == FILLED_FROM].reset_index(drop=True)
    symmetric = np.flatnonzero(rows["symmetry_class"] == "one_plane")
    picked = np.random.default_rng([seed, len(CATEGORIES)]).permutation(symmetric)[:count]
    ships = library.load(data, FILLED_FROM)
    return [replace(ships[k], category=SHORT) for k in sorted(picked)]
