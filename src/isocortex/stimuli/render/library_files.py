"""The mesh library on disk: 343 objects in 16 categories, read as they were published.

``meshes/<category>.npz`` holds all meshes of a category end to end: `vertices`, `faces` (indices
local to a mesh), `face_color` (bytes), `vertex_offset` and `face_offset` (n + 1 each), `name`.
``meshes/index.csv`` has one row a mesh.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from isocortex import data
from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.mesh import Mesh

CATEGORIES = (
    "car",
    "airplane",
    "spaceship",
    "boat",
    "chair",
    "sofa",
    "animal",
    "dinosaur",
    "fish",
    "person",
    "cactus_plant",
    "fruit_vegetable",
    "tool",
    "tree",
    "house",
    "head",
)
"""The categories of the library, in its own order."""

_KEYS = ("vertices", "faces", "face_color", "vertex_offset", "face_offset", "name")
_INDEX_COLUMNS = ("category", "index", "name", "mirror_asymmetry", "creator", "licence")


def load(data_folder: str | os.PathLike[str] | None, category: str | None = None) -> list[Mesh]:
    """Read the meshes of one category, or of all.

    Parameters
    ----------
    data_folder : path
        The data folder.
    category : str, optional
        One of `CATEGORIES`; all of them, in that order, if left out.

    Returns
    -------
    list of Mesh
        Normalised, named as in the index, in the order of the files. `symmetry` is left undeclared:
        `isocortex.stimuli.render.symmetry.library_classes` measures it.

    Raises
    ------
    UserError
        If the category is unknown, or its file is missing or damaged.
    """
    if category is None:
        return [mesh for name in CATEGORIES for mesh in load(data_folder, name)]
    if category not in CATEGORIES:
        raise unknown("mesh category", category, CATEGORIES)
    path = mesh_file(data_folder, category)
    arrays = data.read_npz(path, _KEYS)
    try:
        return _split(arrays, category)
    except (UserError, ValueError, IndexError, TypeError) as error:
        raise UserError(
            f"mesh library {str(path)!r} is damaged: {error}; replace it by an intact copy"
        ) from None


def mesh_file(data_folder: str | os.PathLike[str] | None, category: str) -> Path:
    """Return the path of a category's file, which must be there."""
    return data.require(data_folder, f"meshes/{category}.npz")


def index(data_folder: str | os.PathLike[str] | None) -> pd.DataFrame:
    """Return the library's own index: one row a mesh, with creator, licence, mirror asymmetry.

    Parameters
    ----------
    data_folder : path
        The data folder.

    Raises
    ------
    UserError
        If the index is missing or damaged.
    """
    path = data.require(data_folder, "meshes/index.csv")
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise UserError(f"cannot read {str(path)!r}: {_first_line(error)}") from None
    missing = [column for column in _INDEX_COLUMNS if column not in table.columns]
    if missing:
        raise UserError(
            f"{str(path)!r} lacks the column {missing[0]!r}; replace it by an intact copy"
        )
    return table


def _split(arrays: dict[str, np.ndarray], category: str) -> list[Mesh]:
    vertex_offset, face_offset = arrays["vertex_offset"], arrays["face_offset"]
    names = arrays["name"]
    for what, offset in (("vertices", vertex_offset), ("faces", face_offset)):
        if (
            offset.shape != (len(names) + 1,)
            or offset[0] != 0
            or offset[-1] != len(arrays[what])
            or (np.diff(offset) <= 0).any()
        ):
            raise UserError(f"its offsets of {what} do not fit {len(names)} meshes")
    if len(arrays["face_color"]) != len(arrays["faces"]):
        raise UserError("it has not one colour a face")
    meshes = []
    for k, name in enumerate(names):
        of_mesh = slice(face_offset[k], face_offset[k + 1])
        mesh = Mesh(
            arrays["vertices"][vertex_offset[k] : vertex_offset[k + 1]],
            arrays["faces"][of_mesh],
            arrays["face_color"][of_mesh] / 255.0,
            name=str(name),
            category=category,
        )
        meshes.append(mesh.normalised())
    return meshes


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
