"""Procedural objects of declared symmetry, as many of each family as one likes.

Each family belongs to one symmetry class, and tests hold it to that class numerically. An exemplar
depends on (seed, family, exemplar) alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.families import asymmetric, one_plane, radial, two_plane
from isocortex.stimuli.render.mesh import Mesh

__all__ = ["FAMILIES", "Family", "build"]


@dataclass(frozen=True)
class Family:
    """A kind of object.

    Parameters
    ----------
    build : callable
        Makes a normalised mesh of a random generator.
    symmetry : str
        Symmetry class of every exemplar. Meshes of ``one_plane`` and ``two_plane`` are symmetric
        bit by bit, others numerically.
    """

    build: Callable[[np.random.Generator], Mesh]
    symmetry: str


FAMILIES: dict[str, Family] = {
    "head_like": Family(one_plane.head, "one_plane"),
    "animal_like": Family(one_plane.animal, "one_plane"),
    "chair_like": Family(one_plane.chair, "one_plane"),
    "airplane_like": Family(one_plane.airplane, "one_plane"),
    "car_like": Family(two_plane.car, "two_plane"),
    "boat_like": Family(two_plane.boat, "two_plane"),
    "fruit_like": Family(radial.fruit, "radial"),
    "flower_like": Family(radial.flower, "radial"),
    "tool_like": Family(asymmetric.tool, "asymmetric"),
    "blob": Family(asymmetric.blob, "asymmetric"),
}
"""The families by name. One more entry is one more kind of object, tested by being there."""


def build(name: str, exemplar: int, seed: int = 0) -> Mesh:
    """Build one exemplar of a family.

    Parameters
    ----------
    name : str
        One of `FAMILIES`.
    exemplar : int
        Which, from 0 on; there is no last one.
    seed : int
        Another seed gives another series of exemplars.

    Returns
    -------
    Mesh
        Normalised, named ``<family>_<exemplar>``, with the family as its category and the family's
        symmetry class declared.

    Raises
    ------
    UserError
        If the family is unknown, or a number negative.
    """
    if name not in FAMILIES:
        raise unknown("mesh family", name, FAMILIES)
    if exemplar < 0 or seed < 0:
        raise UserError(f"exemplar {exemplar} of seed {seed}: neither may be negative")
    family = FAMILIES[name]
    entropy = np.random.SeedSequence([seed, zlib.crc32(name.encode()), exemplar])
    mesh = family.build(np.random.Generator(np.random.Philox(entropy)))
    return replace(mesh, name=f"{name}_{exemplar:03d}", category=name, symmetry=family.symmetry)
