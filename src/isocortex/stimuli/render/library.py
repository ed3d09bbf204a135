"""Sets of objects by symmetry class: from the mesh library where it is, else procedural.

`load` and `index` read the library; `class_set` and `heads` choose from it.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pandas as pd

from isocortex.errors import UserError
from isocortex.stimuli.render import families
from isocortex.stimuli.render.library_files import CATEGORIES, index, load
from isocortex.stimuli.render.mesh import SYMMETRY_CLASSES, Mesh
from isocortex.stimuli.render.morphable import HeadModel
from isocortex.stimuli.render.symmetry import library_classes

__all__ = ["CATEGORIES", "class_set", "heads", "index", "load"]

CATEGORY_SHARE = 9 / 25
"""At most this share of a class comes from one category, where there are enough others."""


def class_set(
    data_folder: str | os.PathLike[str] | None,
    per_class: int = 25,
    seed: int = 0,
    cache_folder: str | os.PathLike[str] | None = None,
) -> list[Mesh]:
    """Choose equally many objects of each symmetry class.

    Parameters
    ----------
    data_folder : path or None
        The data folder. Without one, the objects are procedural.
    per_class : int
        Objects of each of `SYMMETRY_CLASSES`. At most 9 in 25 come from one category, unless the
        class has too few objects of others; then the limit rises by one until the class is full.
    seed : int
        Seed of the choice; of the shapes too where they are procedural.
    cache_folder : path, optional
        Where the measured classes of the library are kept.

    Returns
    -------
    list of Mesh
        Class by class, within a class in the order of the library. `symmetry` is the class that the
        mesh measures (library) or declares (procedural), `category` that of the library or the
        family.

    Raises
    ------
    UserError
        If `per_class` is not positive or exceeds what the library has of a class.
    """
    if per_class < 1:
        raise UserError(f"per_class={per_class} asks for no object; give 1 or more")
    if data_folder is None:
        return [mesh for name in SYMMETRY_CLASSES for mesh in _procedural(name, per_class, seed)]
    table = library_classes(data_folder, cache_folder)
    meshes = load(data_folder)
    chosen = []
    for number, name in enumerate(SYMMETRY_CLASSES):
        rows = table.index[table["symmetry_class"] == name].to_numpy()
        if len(rows) < per_class:
            raise UserError(
                f"per_class={per_class} but the mesh library has {len(rows)} {name} objects; ask "
                "for fewer"
            )
        rng = np.random.default_rng([seed, number])
        picked = _spread(table["category"].loc[rng.permutation(rows)], per_class)
        chosen += [replace(meshes[row], symmetry=name) for row in sorted(picked)]
    return chosen


def heads(data_folder: str | os.PathLike[str] | None, n: int = 25) -> list[Mesh]:
    """Return `n` heads of different persons.

    Parameters
    ----------
    data_folder : path or None
        The data folder: its 25 heads come first, then new identities of the morphable model,
        seeded 0, 1, ... Without one, heads are procedural.
    n : int
        How many.

    Returns
    -------
    list of Mesh
        The symmetry of those from the data folder is undeclared: they are nearly symmetric.
    """
    if n < 1:
        raise UserError(f"n={n} asks for no head; give 1 or more")
    if data_folder is None:
        return [families.build("head_like", exemplar) for exemplar in range(n)]
    found = load(data_folder, "head")[:n]
    if n > len(found):
        model = HeadModel(data_folder)
        found += [model.identity(seed) for seed in range(n - len(found))]
    return found


def _procedural(symmetry: str, count: int, seed: int) -> list[Mesh]:
    """Take the families of a class in turn, so that they are equally frequent."""
    names = [name for name, family in families.FAMILIES.items() if family.symmetry == symmetry]
    turns = [(k % len(names), k // len(names)) for k in range(count)]
    return [families.build(names[family], exemplar, seed) for family, exemplar in sorted(turns)]


def _spread(categories: pd.Series, count: int) -> list[int]:
    """Return the labels of `count` rows, first come first served, few from one category."""
    limit = math.ceil(CATEGORY_SHARE * count)
    rank = categories.groupby(categories).cumcount().to_numpy()
    order = np.argsort(np.maximum(rank, limit - 1), kind="stable")
    return categories.index[order][:count].tolist()
