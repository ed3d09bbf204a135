"""How symmetric a mesh is: measured, classed, imposed and broken.

Two distances between a surface and its moved self, above sampling noise and in units of the
object's radius: P(a) after the mirror image in the vertical plane at azimuth a, Q(b) after a turn
by b about the vertical axis.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.spatial import cKDTree

from isocortex import data
from isocortex.errors import UserError
from isocortex.stimuli.render import library_files, mesh
from isocortex.stimuli.render.halves import mirror_joined
from isocortex.stimuli.render.mesh import FloatArray, Mesh

AZIMUTHS = tuple(22.5 * i for i in range(8))
"""Azimuths (degrees) of the vertical planes of a profile; 0 is the plane x = 0, 90 is z = 0."""
ANGLES = (22.5, 45.0, 67.5, 90.0)
"""Turns about the vertical axis (degrees) of a profile."""
UNCLEAR = "unclear"
"""What a mesh is called that belongs to no symmetry class; it enters no test."""

_CLASSES_WITH = {1: ("one_plane", "two_plane", "radial"), 2: ("two_plane", "radial")}
_LOW_ORDER = tuple((i, j) for i, j in product(range(4), repeat=2) if 1 <= i + j <= 3)


def sample_surface(mesh: Mesh, n_points: int, rng: np.random.Generator) -> FloatArray:
    """Draw points from the surface, each patch as likely as its area.

    Parameters
    ----------
    mesh : Mesh
        With at least one triangle that has an area.
    n_points : int
        How many.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    array (n_points, 3)

    Raises
    ------
    UserError
        If the surface has no area.
    """
    corners = mesh.vertices[mesh.faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(first, second), axis=1)
    if not area.sum() > 0:
        raise UserError(f"mesh {mesh.name!r} has no surface area; its symmetry cannot be measured")
    cumulative = np.cumsum(area)
    face = np.searchsorted(cumulative, rng.random(n_points) * cumulative[-1], side="right")
    face = np.minimum(face, len(area) - 1)
    u, v = rng.random((2, n_points, 1))
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return corners[face, 0] + u * first[face] + v * second[face]


def mirror_distance(mesh: Mesh, azimuth: float = 0.0, n_points: int = 6000, seed: int = 0) -> float:
    """Distance P(a) between the surface and its mirror image in a vertical plane.

    P = max(0, mean_i min_j |M a_i - b_j| - mean_i min_j |a_i - b_j|), with a and b two samples of
    the surface and M the reflection. In units of the mesh, which should be normalised.

    Parameters
    ----------
    mesh : Mesh
        Normalised.
    azimuth : float
        Degrees by which the plane x = 0 is turned about y.
    n_points : int
        Points of each of the two samples.
    seed : int
        Seed of the samples.

    Returns
    -------
    float
        0 for a symmetric surface, up to sampling noise of about 1e-4.
    """
    return _distances(mesh, [_reflection(azimuth)], n_points, seed)[0]


def rotation_distance(mesh: Mesh, angle: float, n_points: int = 6000, seed: int = 0) -> float:
    """Distance Q(b) between the surface and itself turned by `angle` degrees about y.

    Defined like `mirror_distance`, with the turn in the place of the reflection.

    Parameters
    ----------
    mesh : Mesh
        Normalised.
    angle : float
        Degrees.
    n_points : int
        Points of each of the two samples.
    seed : int
        Seed of the samples.
    """
    return _distances(mesh, [_rotation(angle)], n_points, seed)[0]


def profile(mesh: Mesh, n_points: int = 6000, seed: int = 0) -> dict[str, float]:
    """Measure all distances that a class is made of.

    Parameters
    ----------
    mesh : Mesh
        Normalised.
    n_points : int
        Points of each of the two samples; they are the same for all distances.
    seed : int
        Seed of the samples.

    Returns
    -------
    dict of str to float
        ``mirror_0`` ... ``mirror_157.5`` (P at `AZIMUTHS`), then ``rotation_22.5`` ...
        ``rotation_90`` (Q at `ANGLES`).
    """
    moves = [_reflection(a) for a in AZIMUTHS] + [_rotation(b) for b in ANGLES]
    distances = _distances(mesh, moves, n_points, seed)
    return dict(zip(_profile_names(), distances, strict=True))


def classify(profile: Mapping[str, float]) -> str:
    """Return the symmetry class of a profile; the first rule that fits wins.

    ========== ==========================================================
    class      rule (P mirror distances, Q turn distances)
    ========== ==========================================================
    radial     max P <= .03 and max Q <= .03
    two_plane  P(0) <= .005 and P(90) <= .015
    one_plane  P(0) <= .005, P(90) >= .03, all P(a > 0) >= .02
    asymmetric P(0) >= .02 and min P >= .015
    unclear    none of these
    ========== ==========================================================

    Parameters
    ----------
    profile : mapping
        As `profile` returns it.
    """
    mirror = np.array([profile[f"mirror_{a:g}"] for a in AZIMUTHS])
    rotation = np.array([profile[f"rotation_{b:g}"] for b in ANGLES])
    sideways, lengthways = mirror[0], mirror[AZIMUTHS.index(90.0)]
    if mirror.max() <= 0.03 and rotation.max() <= 0.03:
        return "radial"
    if sideways <= 0.005 and lengthways <= 0.015:
        return "two_plane"
    if sideways <= 0.005 and lengthways >= 0.03 and mirror[1:].min() >= 0.02:
        return "one_plane"
    if sideways >= 0.02 and mirror.min() >= 0.015:
        return "asymmetric"
    return UNCLEAR


def symmetrise(mesh: Mesh, planes: int = 1) -> Mesh:
    """Return a mesh that is mirror-symmetric bit by bit.

    What lies at x >= 0 is kept, triangles across the plane x = 0 are cut at it, and the mirror
    image is added, colours included. With two planes the same is done about z = 0.

    Parameters
    ----------
    mesh : Mesh
        Normalised.
    planes : {1, 2}
        1 for x = 0; 2 for z = 0 too.

    Returns
    -------
    Mesh
        Normalised, named ``<name>-symmetrised``. `symmetry` stays as it was declared if that class
        has as many planes; otherwise it is the class that the result measures, None where that is
        unclear.

    Raises
    ------
    UserError
        If nothing of the mesh is left to mirror.
    """
    if planes not in _CLASSES_WITH:
        raise UserError(f"planes={planes} cannot be imposed; give 1 (x = 0) or 2 (z = 0 too)")
    axes = (0, 2)[:planes]
    vertices, faces, colors = mirror_joined(mesh.vertices, mesh.faces, mesh.colors, axes)
    if not (vertices[faces][..., axes] > 0).any(axis=(0, 1)).all():
        raise UserError(
            f"mesh {mesh.name!r} has nothing on the positive side to mirror; normalise it first"
        )
    joined = replace(mesh, vertices=vertices, faces=faces, colors=colors).normalised()
    joined = replace(joined, name=f"{mesh.name}-symmetrised")
    return joined if mesh.symmetry in _CLASSES_WITH[planes] else _measured(joined)


def break_symmetry(mesh: Mesh, asymmetry: float = 0.05, seed: int = 0) -> Mesh:
    """Return the mesh bent sideways until its mirror distance P(0) is `asymmetry`.

    x becomes x + s p(y, z), p a polynomial of total degree 1 to 3 with random normal coefficients;
    s is found by root finding on the measured distance.

    Parameters
    ----------
    mesh : Mesh
        Normalised and less asymmetric than asked for.
    asymmetry : float
        P(0) of the result.
    seed : int
        Seed of the polynomial and of the surface samples.

    Returns
    -------
    Mesh
        Normalised, named ``<name>-broken``; `symmetry` is the class that it measures now, None
        where that is unclear.

    Raises
    ------
    UserError
        If the mesh is at least as asymmetric already, or cannot be bent that far.
    """
    coefficients = np.random.default_rng(seed).normal(size=len(_LOW_ORDER))
    y, z = mesh.vertices[:, 1], mesh.vertices[:, 2]
    shift = sum(c * y**i * z**j for c, (i, j) in zip(coefficients, _LOW_ORDER, strict=True))
    direction = np.stack([shift, np.zeros_like(y), np.zeros_like(y)], axis=1)

    def bent(scale: float) -> Mesh:
        return replace(mesh, vertices=mesh.vertices + scale * direction).normalised()

    def excess(scale: float) -> float:
        return mirror_distance(bent(scale), seed=seed) - asymmetry

    if excess(0.0) >= 0:
        raise UserError(
            f"mesh {mesh.name!r} has an asymmetry of {asymmetry:g} or more already; symmetrise it "
            "first"
        )
    upper = asymmetry
    while excess(upper) < 0:
        upper *= 2
        if upper > 100:
            raise UserError(
                f"mesh {mesh.name!r} cannot be bent to an asymmetry of {asymmetry:g}; ask for less"
            )
    scale = brentq(excess, 0.0, upper, xtol=1e-5 * upper)
    return _measured(replace(bent(scale), name=f"{mesh.name}-broken"))


def library_classes(
    data_folder: str | os.PathLike[str] | None,
    cache_folder: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return the measured symmetry of every mesh of the library.

    Parameters
    ----------
    data_folder : path
        The data folder.
    cache_folder : path, optional
        Where the table is kept. Its file is named after the checksums of the mesh files and of the
        code that measures them, so a change of either measures anew. None keeps nothing.

    Returns
    -------
    DataFrame
        One row a mesh, in the order of `isocortex.stimuli.render.library.load`: category, index
        (within the category), name, mesh_hash, the columns of `profile`, symmetry_class.

    Raises
    ------
    UserError
        If a mesh file is missing or damaged, or the cache folder cannot be written.
    """
    if cache_folder is None:
        return _measure_library(data_folder)
    path = Path(cache_folder) / f"mesh_symmetry-{_library_key(data_folder)}.csv"
    if path.is_file():
        return pd.read_csv(path, engine="python")  # this engine reads each float as it was written
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            table = _measure_library(data_folder)
            table.to_csv(Path(scratch) / path.name, index=False)
            os.replace(Path(scratch) / path.name, path)
    except OSError as error:
        raise UserError(
            f"cannot write to the cache folder {str(path.parent)!r}: {error.strerror}; choose "
            "another with --cache"
        ) from None
    return table


def _measure_library(data_folder: str | os.PathLike[str] | None) -> pd.DataFrame:
    rows = []
    for category in library_files.CATEGORIES:
        for index, object_ in enumerate(library_files.load(data_folder, category)):
            measured = profile(object_)
            rows.append(
                {
                    "category": category,
                    "index": index,
                    "name": object_.name,
                    "mesh_hash": object_.hash,
                    **measured,
                    "symmetry_class": classify(measured),
                }
            )
    return pd.DataFrame(rows)


def _library_key(data_folder: str | os.PathLike[str] | None) -> str:
    files = [library_files.mesh_file(data_folder, name) for name in library_files.CATEGORIES]
    code = [Path(str(module)) for module in (__file__, library_files.__file__, mesh.__file__)]
    checksums = [data.checksum(path) for path in files + code]
    return hashlib.sha256("".join(checksums).encode()).hexdigest()[:16]


def _measured(mesh: Mesh) -> Mesh:
    """Return the mesh with the class that it measures."""
    found = classify(profile(mesh))
    return replace(mesh, symmetry=None if found == UNCLEAR else found)


def _profile_names() -> list[str]:
    return [f"mirror_{a:g}" for a in AZIMUTHS] + [f"rotation_{b:g}" for b in ANGLES]


def _distances(mesh: Mesh, moves: list[FloatArray], n_points: int, seed: int) -> list[float]:
    """Mean nearest distance of each moved sample to another, above that of the unmoved one."""
    if n_points < 1:
        raise UserError(f"n_points={n_points} leaves nothing to measure; use 6000 or more")
    rng = np.random.default_rng(seed)
    first, second = (sample_surface(mesh, n_points, rng) for _ in range(2))
    tree = cKDTree(second, leafsize=32, balanced_tree=False, compact_nodes=False)
    noise = np.mean(tree.query(first)[0])
    return [max(0.0, float(np.mean(tree.query(first @ move.T)[0]) - noise)) for move in moves]


def _rotation(angle: float) -> FloatArray:
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _reflection(azimuth: float) -> FloatArray:
    turn = _rotation(azimuth)
    return turn @ np.diag([-1.0, 1.0, 1.0]) @ turn.T
