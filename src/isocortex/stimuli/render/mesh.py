"""Triangle meshes with a colour for each face, made by hand or read from a file.

The frame of every mesh: y up, the front of the object towards +z, x to the right of somebody who
looks at the front from a camera on +z. The plane x = 0 is the one that bilateral symmetry is
about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import trimesh

from isocortex.errors import UserError, unknown

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SYMMETRY_CLASSES = ("one_plane", "two_plane", "radial", "asymmetric")
DEFAULT_COLOR = (0.7, 0.7, 0.7)
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)

_ARCHIVES_AND_PATHS = {"bz2", "dxf", "svg", "tar.bz2", "tar.gz", "xyz", "zip"}
_AXES = {
    "x": (1, 0, 0),
    "y": (0, 1, 0),
    "z": (0, 0, 1),
    "-x": (-1, 0, 0),
    "-y": (0, -1, 0),
    "-z": (0, 0, -1),
}


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh, y up, front towards +z.

    Parameters
    ----------
    vertices : array (v, 3)
        Positions; kept as float64.
    faces : array (f, 3)
        Rows of vertices; kept as int64. Winding need not be consistent.
    colors : array (f, 3), (3,) or None
        sRGB in [0, 1] of each face; one colour for all; or a light grey.
    name, category : str
        What the object is called and what kind of thing it is.
    symmetry : {"one_plane", "two_plane", "radial", "asymmetric"} or None
        The symmetry that its maker declares; None where nobody did.

    Raises
    ------
    UserError
        If a shape is wrong, a number is not finite, a face names a vertex that is not there, a
        colour is outside [0, 1], or there is no face.

    Notes
    -----
    The arrays are copied and cannot be written to, so `hash` stays true.
    """

    vertices: FloatArray
    faces: IntArray
    colors: FloatArray = None  # type: ignore[assignment]
    name: str = "mesh"
    category: str = ""
    symmetry: str | None = None

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int64)
        where = f"mesh {self.name!r}"
        if faces.size == 0:
            raise UserError(f"{where} has no faces; give at least one triangle")
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise UserError(f"{where}: vertices have shape {vertices.shape}; give (v, 3)")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise UserError(f"{where}: faces have shape {faces.shape}; give triangles (f, 3)")
        finite = np.isfinite(vertices).all(axis=1)
        if not finite.all():
            raise UserError(
                f"{where}: {int((~finite).sum())} of {len(vertices)} vertices are NaN or infinite "
                f"(first: vertex {int(np.argmin(finite))}); mend or remove them"
            )
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise UserError(
                f"{where}: a face names vertex {int(max(faces.max(), -faces.min()))} but there are "
                f"{len(vertices)} (0 to {len(vertices) - 1}); the file is cut short or broken"
            )
        given: Any = DEFAULT_COLOR if self.colors is None else self.colors
        colors = np.array(given, dtype=np.float64)
        if colors.shape == (3,):
            colors = np.tile(colors, (len(faces), 1))
        if colors.shape != (len(faces), 3):
            raise UserError(
                f"{where}: colors have shape {colors.shape}; give one sRGB row for each of the "
                f"{len(faces)} faces"
            )
        if not (colors.min() >= 0 and colors.max() <= 1):
            raise UserError(f"{where}: a color lies outside [0, 1]; divide bytes by 255")
        if self.symmetry is not None and self.symmetry not in SYMMETRY_CLASSES:
            raise unknown("symmetry class", str(self.symmetry), SYMMETRY_CLASSES)
        for name, array in (("vertices", vertices), ("faces", faces), ("colors", colors)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of vertices, faces and colours, in hexadecimal; the names do not enter."""
        digest = hashlib.sha256()
        for array in (self.vertices, self.faces, self.colors):
            digest.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    @property
    def radius(self) -> float:
        """Largest distance of a vertex from the origin."""
        return float(np.sqrt((self.vertices**2).sum(axis=1).max()))

    @property
    def luminance(self) -> FloatArray:
        """Grey value (f,) of each face: .2126 R + .7152 G + .0722 B."""
        return self.colors @ np.array(LUMINANCE_WEIGHTS)

    def normalised(self) -> Mesh:
        """Return the mesh with its bounding box centred on 0 and its largest radius 1.

        Vertices that no face uses are left out first. A mesh that is mirror-symmetric bit by bit
        stays so.

        Raises
        ------
        UserError
            If all vertices are in one place.
        """
        used, faces = np.unique(self.faces, return_inverse=True)
        vertices = self.vertices[used]
        with np.errstate(over="ignore"):
            vertices = vertices - (vertices.min(axis=0) / 2 + vertices.max(axis=0) / 2)
        # Scaled by its largest coordinate first, so that squares neither overflow nor vanish.
        largest = np.abs(vertices).max()
        if not np.isfinite(largest) or largest == 0:
            raise UserError(
                f"mesh {self.name!r} has no extent that can be scaled to radius 1; "
                "its vertices are all in one place, or too far apart for float64"
            )
        vertices = vertices / largest
        vertices = vertices / np.sqrt((vertices**2).sum(axis=1).max())
        return replace(self, vertices=vertices, faces=faces.reshape(self.faces.shape))

    def mirrored(self) -> Mesh:
        """Return the mirror image in the plane x = 0, winding turned so that normals go along."""
        return replace(
            self, vertices=self.vertices * np.array([-1.0, 1.0, 1.0]), faces=self.faces[:, ::-1]
        )


def suffixes() -> tuple[str, ...]:
    """Return the endings of the mesh files that can be read here, e.g. ``".obj"``."""
    return tuple(sorted(f".{f}" for f in trimesh.available_formats() - _ARCHIVES_AND_PATHS))


def read_mesh(
    path: str | Path,
    *,
    up: str = "y",
    front: str = "+z",
    normalise: bool = True,
    category: str = "",
    symmetry: str | None = None,
) -> Mesh:
    """Read a mesh file of any format that trimesh knows.

    Parameters
    ----------
    path : str or Path
        The file. Several objects in one file become one mesh. Texture and vertex colours become
        one colour a face.
    up, front : str
        Which axis of the file points up and which to the front: ``"x"``, ``"-z"``, ``"+y"``...
    normalise : bool
        Centre the bounding box on 0 and scale the largest radius to 1.
    category : str
        Category of the mesh.
    symmetry : str or None
        Symmetry class of the mesh, if it is known.

    Returns
    -------
    Mesh
        Named after the file, without its ending.

    Raises
    ------
    UserError
        If the file is missing, of a kind that cannot be read, broken, without faces, or with
        vertices that are NaN or infinite.
    """
    path = Path(path)
    turn = _turn(up, front)
    if not path.is_file():
        raise UserError(f"mesh file {path} is not there; check the path")
    if path.suffix.lower() not in suffixes():
        raise UserError(
            f"cannot read {path}: {path.suffix or 'no ending'!r} is no mesh format that is known "
            f"here; convert it to one of {' '.join(suffixes())}"
        )
    try:
        scene = trimesh.load_scene(path, process=False)
        vertices, faces, colors = _join(scene)
    except Exception as error:  # every reader of trimesh has its own kinds of failure
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"mesh file {path} is broken or cut short ({reason}); export it again"
        ) from error
    if len(faces) == 0:
        raise UserError(
            f"mesh file {path} has no faces (empty, cut short, a point cloud, or not of the format "
            f"that its ending {path.suffix!r} says); export it again as triangles"
        )
    try:
        with np.errstate(invalid="ignore"):  # 0 times infinity, which Mesh will speak of
            turned = vertices @ turn.T
        mesh = Mesh(turned, faces, colors, path.stem, category, symmetry)
        return mesh.normalised() if normalise else mesh
    except UserError as error:
        raise UserError(f"mesh file {path}: {error}") from error


def read_folder(
    folder: str | Path, *, up: str = "y", front: str = "+z", normalise: bool = True
) -> list[Mesh]:
    """Read all mesh files in a folder and its subfolders, in the order of their paths.

    The first level of subfolders names the categories; files beside them have the category of the
    folder's own name.

    Parameters
    ----------
    folder : str or Path
        Where the files are. Files that are no meshes (materials, textures) are passed over.
    up, front, normalise
        As in `read_mesh`.

    Returns
    -------
    list of Mesh

    Raises
    ------
    UserError
        If the folder is missing or holds no mesh file, or one of them cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"mesh folder {folder} is not there; check the path")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in suffixes())
    if not paths:
        raise UserError(
            f"mesh folder {folder} holds no mesh file; put files ending in "
            f"{' '.join(suffixes())} there"
        )
    meshes = []
    for path in paths:
        parents = path.relative_to(folder).parts[:-1]
        category = parents[0] if parents else folder.resolve().name
        meshes.append(read_mesh(path, up=up, front=front, normalise=normalise, category=category))
    return meshes


def _turn(up: str, front: str) -> FloatArray:
    """Rotation (3, 3) that brings `up` to y and `front` to z."""
    axes = []
    for kind, name in (("up axis", up), ("front axis", front)):
        key = name.lower().removeprefix("+")
        if key not in _AXES:
            raise unknown(kind, name, _AXES)
        axes.append(np.array(_AXES[key], dtype=np.float64))
    if axes[0] @ axes[1] != 0:
        raise UserError(f"up={up!r} and front={front!r} lie on one axis; choose two different ones")
    return np.stack([np.cross(axes[0], axes[1]), axes[0], axes[1]])


def _join(scene: trimesh.Scene) -> tuple[FloatArray, IntArray, FloatArray]:
    """Put all triangle meshes of a scene in one place, with a colour for each face."""
    vertices: list[FloatArray] = [np.empty((0, 3))]
    faces: list[IntArray] = [np.empty((0, 3), dtype=np.int64)]
    colors: list[FloatArray] = [np.empty((0, 3))]
    offset = 0
    for node in sorted(scene.graph.nodes_geometry):
        transform, name = scene.graph[node]
        part = scene.geometry[name]
        if not isinstance(part, trimesh.Trimesh) or len(part.faces) == 0:
            continue
        points = np.asarray(part.vertices, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            vertices.append(points @ transform[:3, :3].T + transform[:3, 3])
        # An index that is out of range must not hide in the next part's vertices.
        indices = np.asarray(part.faces, dtype=np.int64)
        if indices.min() < 0 or indices.max() >= len(points):
            raise UserError(f"a face names vertex {int(indices.max())} of {len(points)}")
        faces.append(indices + offset)
        colors.append(_face_colors(part))
        offset += len(points)
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(colors)


def _face_colors(part: trimesh.Trimesh) -> FloatArray:
    """Return sRGB (f, 3) of a trimesh part; the default colour where it has none."""
    visual: Any = part.visual
    if not visual.defined:
        return np.tile(np.array(DEFAULT_COLOR), (len(part.faces), 1))
    if visual.kind != "texture":
        colors = np.asarray(visual.face_colors, dtype=np.float64)
    elif visual.uv is None:
        colors = np.tile(np.asarray(visual.material.main_color, float), (len(part.faces), 1))
    else:
        corners = np.asarray(visual.to_color().vertex_colors, dtype=np.float64)[part.faces]
        colors = corners.mean(axis=1)
    return colors[:, :3] / 255
