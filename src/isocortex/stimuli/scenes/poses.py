"""Rotations as matrices, Euler angles, quaternions and two columns, each turned into the others.

A rotation brings the object's frame (y up, front towards +z) to the axes of the camera (x right,
y up, z backwards). R = Ry(yaw) Rx(pitch) Rz(roll); the identity faces the camera. All functions
take any number of leading axes and compute in float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocortex.stimuli.render.mesh import FloatArray
from isocortex.stimuli.render.views import compose, rotation_x, rotation_y, rotation_z

__all__ = [
    "euler_from_matrix",
    "matrix_from_euler",
    "matrix_from_quaternion",
    "matrix_from_six",
    "quaternion_from_matrix",
    "rotation_error",
    "six_from_matrix",
]


def matrix_from_euler(pitch: npt.ArrayLike, yaw: npt.ArrayLike, roll: npt.ArrayLike) -> FloatArray:
    """Return Ry(yaw) Rx(pitch) Rz(roll), (..., 3, 3), of angles in degrees."""
    return compose(compose(rotation_y(yaw), rotation_x(pitch)), rotation_z(roll))


def euler_from_matrix(rotation: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return pitch in [-90, 90], yaw and roll in (-180, 180], degrees.

    pitch = asin(-R[1, 2]), yaw = atan2(R[0, 2], R[2, 2]), roll = atan2(R[1, 0], R[1, 1]). At a
    pitch of 90 degrees yaw and roll turn about one axis and all of it is counted as yaw.
    """
    r = np.asarray(rotation, dtype=np.float64)
    pitch = np.arcsin(np.clip(-r[..., 1, 2], -1, 1))
    level = np.hypot(r[..., 1, 0], r[..., 1, 1])
    locked = level < 1e-9
    across = np.where(locked, np.sign(-r[..., 1, 2]) * r[..., 0, 1], r[..., 0, 2])
    yaw = np.arctan2(across, np.where(locked, r[..., 0, 0], r[..., 2, 2]))
    roll = np.where(locked, 0.0, np.arctan2(r[..., 1, 0], r[..., 1, 1]))
    return np.degrees(pitch), np.degrees(yaw), np.degrees(roll)


def quaternion_from_matrix(rotation: npt.ArrayLike) -> FloatArray:
    """Return unit quaternions (..., 4) as (w, x, y, z); of the two that there are, w >= 0.

    The largest of the four comes from the diagonal, the others from it, so nothing is divided by a
    small number (Shepperd 1978).
    """
    r = np.asarray(rotation, dtype=np.float64)
    a, b, c = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    squares = np.stack([1 + a + b + c, 1 + a - b - c, 1 - a + b - c, 1 - a - b + c], axis=-1)
    # Row k holds 4 q q_k, whatever k is.
    wx, wy = r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0]
    wz, xy = r[..., 1, 0] - r[..., 0, 1], r[..., 0, 1] + r[..., 1, 0]
    xz, yz = r[..., 0, 2] + r[..., 2, 0], r[..., 1, 2] + r[..., 2, 1]
    w2, x2, y2, z2 = np.moveaxis(squares, -1, 0)
    rows = np.stack(
        [
            np.stack([w2, wx, wy, wz], axis=-1),
            np.stack([wx, x2, xy, xz], axis=-1),
            np.stack([wy, xy, y2, yz], axis=-1),
            np.stack([wz, xz, yz, z2], axis=-1),
        ],
        axis=-2,
    )
    largest = squares.argmax(axis=-1)[..., None, None]
    q = np.take_along_axis(rows, largest, axis=-2)[..., 0, :]
    q = q / np.sqrt((q**2).sum(axis=-1, keepdims=True))
    return np.where(q[..., :1] < 0, -q, q)


def matrix_from_quaternion(quaternion: npt.ArrayLike) -> FloatArray:
    """Return rotations (..., 3, 3) of quaternions (w, x, y, z) of any length but 0."""
    q = np.asarray(quaternion, dtype=np.float64)
    w, x, y, z = np.moveaxis(q / np.sqrt((q**2).sum(axis=-1, keepdims=True)), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def six_from_matrix(rotation: npt.ArrayLike) -> FloatArray:
    """Return the first two columns (..., 6) of rotations, one after the other.

    The continuous form of Zhou et al., "On the continuity of rotation representations in neural
    networks" (CVPR 2019).
    """
    r = np.asarray(rotation, dtype=np.float64)
    return np.concatenate([r[..., 0], r[..., 1]], axis=-1)


def matrix_from_six(columns: npt.ArrayLike) -> FloatArray:
    """Return the rotations (..., 3, 3) of two columns (..., 6), made orthonormal (Gram-Schmidt).

    Columns without length, or parallel to each other, give NaN.
    """
    six = np.asarray(columns, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = _unit(six[..., :3])
        second = six[..., 3:]
        second = _unit(second - (first * second).sum(axis=-1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def rotation_error(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Return the angle (...) in degrees, 0 to 180, of the turn that brings one rotation to another.

    ``2 asin(|A - B| / (2 sqrt 2))`` with the Frobenius norm, which keeps small angles exact.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    half = np.sqrt((difference**2).sum(axis=(-1, -2)) / 8)
    return np.degrees(2 * np.arcsin(np.clip(half, 0, 1)))


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
