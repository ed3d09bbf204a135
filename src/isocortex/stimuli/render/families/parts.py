"""Closed shapes that objects are put together from."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isocortex.stimuli.render.halves import mirror_joined
from isocortex.stimuli.render.mesh import FloatArray, IntArray, Mesh

Shape: TypeAlias = tuple[FloatArray, IntArray]
"""Vertices (v, 3) and faces (f, 3) of a closed surface, wound outwards."""


class Assembly:
    """Shapes and their colours, put side by side or through each other into one mesh.

    Parameters
    ----------
    planes : sequence of int
        Axes to mirror along: ``(0,)`` for one plane of symmetry (x = 0), ``(0, 2)`` for two. Only
        what lies on the positive side of them need be added; what reaches across is cut.
    """

    def __init__(self, planes: Sequence[int] = ()) -> None:
        self.planes = tuple(planes)
        self._vertices: list[FloatArray] = []
        self._faces: list[IntArray] = []
        self._colors: list[FloatArray] = []

    def add(self, shape: Shape, color: npt.ArrayLike) -> None:
        """Add a shape in one colour (3,), or in a colour for each face (f, 3)."""
        vertices, faces = shape
        offset = sum(len(v) for v in self._vertices)
        self._vertices.append(vertices)
        self._faces.append(faces + offset)
        self._colors.append(np.broadcast_to(np.asarray(color, dtype=np.float64), faces.shape))

    def mesh(self) -> Mesh:
        """Return all of it, mirrored and normalised."""
        vertices, faces, colors = mirror_joined(
            np.concatenate(self._vertices),
            np.concatenate(self._faces),
            np.concatenate(self._colors),
            self.planes,
        )
        return Mesh(vertices, faces, np.clip(colors, 0, 1)).normalised()


def loft(
    sections: npt.ArrayLike,
    start: npt.ArrayLike | None = None,
    end: npt.ArrayLike | None = None,
) -> Shape:
    """Stretch a skin over a row of rings.

    Parameters
    ----------
    sections : array (k, m, 3)
        k rings of m points each.
    start, end : array (3,), optional
        Tips on which the skin is closed; the centres of the first and last ring if left out.
    """
    rings = np.asarray(sections, dtype=np.float64)
    k, m, _ = rings.shape
    tips = (
        rings[0].mean(axis=0) if start is None else np.asarray(start, dtype=np.float64),
        rings[-1].mean(axis=0) if end is None else np.asarray(end, dtype=np.float64),
    )
    vertices = np.concatenate([rings.reshape(-1, 3), np.stack(tips)])
    here = np.arange(k * m).reshape(k, m)
    after = np.roll(here, -1, axis=1)
    a, b, c, d = here[:-1], after[:-1], after[1:], here[1:]
    first, last = np.full(m, k * m), np.full(m, k * m + 1)
    faces = np.concatenate(
        [
            np.stack([a, b, c], axis=-1).reshape(-1, 3),
            np.stack([a, c, d], axis=-1).reshape(-1, 3),
            np.stack([after[0], here[0], first], axis=-1),
            np.stack([here[-1], after[-1], last], axis=-1),
        ]
    )
    return _outwards(vertices, faces)


def lathe(profile: npt.ArrayLike, sides: int = 16) -> Shape:
    """Turn a profile about the y axis.

    Parameters
    ----------
    profile : array (k, 2)
        (radius, height) from one end to the other. The first and the last radius are taken as 0.
    sides : int
        Points round the axis; the first lies on +z.
    """
    outline = np.asarray(profile, dtype=np.float64)
    angle = 2 * np.pi * np.arange(sides) / sides
    radius, height = outline[1:-1, 0, None], outline[1:-1, 1, None]
    rings = np.stack([radius * np.sin(angle), height + 0 * angle, radius * np.cos(angle)], axis=-1)
    return loft(rings, (0, outline[0, 1], 0), (0, outline[-1, 1], 0))


def ellipsoid(
    centre: npt.ArrayLike, radii: npt.ArrayLike, rings: int = 7, sides: int = 12
) -> Shape:
    """Return an ellipsoid with its axes along x, y and z and its poles above and below."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings + 2)
    vertices, faces = lathe(np.stack([np.cos(latitude), np.sin(latitude)], axis=1), sides)
    return vertices * np.asarray(radii) + np.asarray(centre), faces


def box(centre: npt.ArrayLike, size: npt.ArrayLike, taper: float = 1.0) -> Shape:
    """Return a box with its edges along x, y and z, its top `taper` times as wide as its foot."""
    half = np.asarray(size, dtype=np.float64) / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half[[0, 2]]
    heights = np.array([-half[1], half[1]])
    rings = np.stack(
        [
            np.stack([scale * square[:, 0], np.full(4, y), scale * square[:, 1]], axis=1)
            for scale, y in zip((1.0, taper), heights, strict=True)
        ]
    )
    return loft(rings + np.asarray(centre))


def tube(path: npt.ArrayLike, radii: npt.ArrayLike, sides: int = 8) -> Shape:
    """Sweep a circle or an ellipse along a path.

    Parameters
    ----------
    path : array (k, 3)
        Points of the middle line. It must turn by less than 90 degrees from one to the next.
    radii : float, array (k,) or array (k, 2)
        Radius at each point; two for an ellipse: at the start the first lies level and the second
        upright (where the path leads up or down, the first along x and the second along z).
    sides : int
        Points of a ring.
    """
    points = np.asarray(path, dtype=np.float64)
    widths = np.asarray(radii, dtype=np.float64)
    if widths.ndim < 2:
        widths = np.broadcast_to(widths, (len(points),))[:, None].repeat(2, axis=1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    upright = abs(points[-1] - points[0])[1] > 0.8 * np.linalg.norm(points[-1] - points[0])
    reference = np.array([0.0, 0.0, 1.0]) if upright else np.array([0.0, 1.0, 0.0])
    # Carried from ring to ring, so that the skin does not twist where the path bends.
    across = np.empty_like(points)
    carried = np.cross(reference, tangent[0])
    for k, direction in enumerate(tangent):
        carried = carried - (carried @ direction) * direction
        carried /= np.linalg.norm(carried)
        across[k] = carried
    along = np.cross(tangent, across)
    angle = 2 * np.pi * np.arange(sides) / sides
    rings = (
        points[:, None]
        + (widths[:, :1] * np.sin(angle))[:, :, None] * across[:, None]
        + (widths[:, 1:] * np.cos(angle))[:, :, None] * along[:, None]
    )
    return loft(rings)


def turned(shape: Shape, axis: int, degrees: float, about: npt.ArrayLike = (0, 0, 0)) -> Shape:
    """Turn a shape about a line through `about`, parallel to axis 0 (x), 1 (y) or 2 (z)."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    centre = np.asarray(about, dtype=np.float64)
    return (shape[0] - centre) @ matrix.T + centre, shape[1]


def centres(shape: Shape) -> FloatArray:
    """Return the middle (f, 3) of each face, for colours that depend on place."""
    return shape[0][shape[1]].mean(axis=1)


def normals(shape: Shape) -> FloatArray:
    """Return the outward unit normal (f, 3) of each face; 0 for a face without area."""
    corners = shape[0][shape[1]]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    return np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)


def hsv(hue: float, saturation: float, value: float) -> FloatArray:
    """Return sRGB (3,) of a hue (turns), saturation and value in [0, 1]."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _outwards(vertices: FloatArray, faces: IntArray) -> Shape:
    corners = vertices[faces]
    volume = np.linalg.det(corners - vertices.mean(axis=0)).sum()
    return vertices, faces if volume >= 0 else faces[:, ::-1].copy()
