"""Normals of faces and of their corners, whatever the winding."""

from __future__ import annotations

import numpy as np

from isocortex.stimuli.render.mesh import FloatArray, IntArray

CREASE = 0.57  # |cosine| of the angle between faces above which an edge looks round
_PAIRS_AT_ONCE = 2**20


def face_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Return unit normals (f, 3); 0 for faces without area. The sign follows the winding."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return _unit(np.cross(b - a, c - a))


def corner_normals(vertices: FloatArray, faces: IntArray, crease: float = CREASE) -> FloatArray:
    """Return a unit normal (f, 3, 3) for each corner of each face, for smooth shading.

    The normals of all faces that meet at the corner are added, weighted by their angles there and
    each turned to the side of the corner's own face. Faces across an edge sharper than `crease`
    are left out, so a box stays a box. Vertices in one and the same place are one, and the winding
    of the faces does not matter.

    Parameters
    ----------
    vertices : array (v, 3)
    faces : int array (f, 3)
    crease : float
        Smallest absolute cosine between the normals of faces that are smoothed together.

    Returns
    -------
    array (f, 3, 3)
        Face, corner, x y z.
    """
    normals = face_normals(vertices, faces)
    _, place = np.unique(vertices + 0.0, axis=0, return_inverse=True)
    corner_place = place.reshape(-1)[faces].reshape(-1)
    corner_face = np.repeat(np.arange(len(faces)), 3)
    corner_normal = normals[corner_face]
    angle = _angles(vertices, faces).reshape(-1)

    order = np.argsort(corner_place, kind="stable")
    _, start, valence = np.unique(corner_place[order], return_index=True, return_counts=True)
    out = corner_normal.copy()
    for m in np.unique(valence):
        starts = start[valence == m]
        step = max(1, _PAIRS_AT_ONCE // int(m) ** 2)
        for i in range(0, len(starts), step):
            corners = order[starts[i : i + step, None] + np.arange(m)]
            n = corner_normal[corners]
            cosine = n @ n.swapaxes(-1, -2)
            weight = np.where(np.abs(cosine) >= crease, np.sign(cosine), 0.0)
            out[corners] = (weight * angle[corners][:, None, :]) @ n
    length = np.sqrt((out**2).sum(axis=-1, keepdims=True))
    out = np.where(length > 0, out, corner_normal)
    return _unit(out).reshape(-1, 3, 3)


def _angles(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Angles (f, 3) of the faces at their corners, radians."""
    p = vertices[faces]
    to_next = np.roll(p, -1, axis=1) - p
    to_last = np.roll(p, 1, axis=1) - p
    cross = np.cross(to_next, to_last)
    return np.arctan2(np.sqrt((cross**2).sum(axis=-1)), (to_next * to_last).sum(axis=-1))


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
