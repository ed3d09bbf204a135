"""Cut a mesh at a coordinate plane, and join a half with its mirror image, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocortex.stimuli.render.mesh import FloatArray, IntArray

SNAP = 1e-9
"""Vertices nearer to the plane than this share of the largest coordinate are moved onto it."""


def mirror_joined(
    vertices: FloatArray, faces: IntArray, colors: FloatArray, axes: Sequence[int] = (0,)
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Keep the positive side of each axis and add its mirror images.

    Parameters
    ----------
    vertices, faces, colors : arrays (v, 3), (f, 3), (f, 3)
        Any triangles; those that cross a plane are cut at it.
    axes : sequence of int
        0, 1, 2 for the planes x = 0, y = 0, z = 0. All cuts come before all mirror images, so that
        the result is symmetric about each plane.

    Returns
    -------
    vertices, faces, colors : arrays
        Vertices of a half are the negated coordinates of the other half exactly; those on the plane
        are shared, so that what was closed stays closed. Faces of the second half are the mirror
        images of those of the first, in the same order, except that faces lying in the plane are
        there once. There may be no face at all: if nothing was on the positive side.
    """
    for axis in axes:
        vertices, faces, colors = cut(vertices, faces, colors, axis)
    for axis in axes:
        vertices, faces, colors = _joined(vertices, faces, colors, axis)
    return vertices, faces, colors


def cut(
    vertices: FloatArray, faces: IntArray, colors: FloatArray, axis: int = 0
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Keep what lies on the positive side of a coordinate plane; cut the triangles that cross it.

    Parameters
    ----------
    vertices, faces, colors : arrays (v, 3), (f, 3), (f, 3)
        The triangles.
    axis : {0, 1, 2}
        The coordinate that must not be negative.

    Returns
    -------
    vertices, faces, colors : arrays
        New vertices lie on the plane exactly, one for each edge that crosses it. A triangle keeps
        its winding and colour; a cut one may become two. Triangles in the plane are kept.
    """
    vertices = vertices.copy()
    vertices[np.abs(vertices[:, axis]) <= SNAP * np.abs(vertices).max(initial=0.0), axis] = 0.0
    depth = vertices[:, axis][faces]
    whole = (depth >= 0).all(axis=1)
    whole &= (depth > 0).any(axis=1) | (depth == 0).all(axis=1)
    crossing = (depth < 0).any(axis=1) & (depth > 0).any(axis=1)

    corner, after = faces[crossing], np.roll(faces[crossing], -1, axis=1)
    here, there = depth[crossing], np.roll(depth[crossing], -1, axis=1)
    cuts = here * there < 0
    # From the positive end to the negative one, so that neighbours agree on the point.
    ends = np.where(here > 0, corner, after)[cuts], np.where(here > 0, after, corner)[cuts]
    edges, which = np.unique(np.stack(ends, axis=1), axis=0, return_inverse=True)
    start, stop = vertices[edges[:, 0]], vertices[edges[:, 1]]
    share = start[:, axis] / (start[:, axis] - stop[:, axis])
    points = start + share[:, None] * (stop - start)
    points[:, axis] = 0.0

    # Walk round each triangle: a corner that stays, then the point on the edge that follows it.
    polygon = np.full((len(corner), 6), -1, dtype=np.int64)
    polygon[:, ::2] = np.where(here >= 0, corner, -1)
    inserted = np.full(cuts.shape, -1, dtype=np.int64)
    inserted[cuts] = len(vertices) + which.reshape(-1)
    polygon[:, 1::2] = inserted
    order = np.argsort(polygon < 0, axis=1, kind="stable")
    polygon = np.take_along_axis(polygon, order, axis=1)
    four = polygon[:, 3] >= 0
    kept = colors[crossing]
    return (
        np.concatenate([vertices, points]),
        np.concatenate([faces[whole], polygon[:, :3], polygon[four][:, [0, 2, 3]]]),
        np.concatenate([colors[whole], kept, kept[four]]),
    )


def _joined(
    vertices: FloatArray, faces: IntArray, colors: FloatArray, axis: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Add the mirror image of a half; faces and vertices in the plane are not doubled."""
    off = vertices[:, axis] != 0
    image = np.where(off, len(vertices) + np.cumsum(off) - 1, np.arange(len(vertices)))
    reflected = vertices[off]
    reflected[:, axis] *= -1
    lifted = off[faces].any(axis=1)
    return (
        np.concatenate([vertices, reflected]),
        np.concatenate([faces, image[faces[lifted]][:, [0, 2, 1]]]),
        np.concatenate([colors, colors[lifted]]),
    )
