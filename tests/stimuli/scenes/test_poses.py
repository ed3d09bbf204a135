"""Rotations: all forms into each other and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from isocortex.stimuli.scenes.poses import (
    euler_from_matrix,
    matrix_from_euler,
    matrix_from_quaternion,
    matrix_from_six,
    quaternion_from_matrix,
    rotation_error,
    six_from_matrix,
)

ANGLES = st.floats(-180, 180)


@given(st.floats(-90, 90), ANGLES, ANGLES)
def test_every_form_comes_back(pitch: float, yaw: float, roll: float) -> None:
    r = matrix_from_euler(pitch, yaw, roll)
    assert np.abs(matrix_from_euler(*euler_from_matrix(r)) - r).max() < 1e-7
    assert np.abs(matrix_from_quaternion(quaternion_from_matrix(r)) - r).max() < 1e-12
    assert np.abs(matrix_from_six(six_from_matrix(r)) - r).max() < 1e-12
    assert rotation_error(r, r) == 0


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(-179, 179))
def test_euler_angles_come_back_off_the_singularity(pitch: float, yaw: float, roll: float) -> None:
    got = euler_from_matrix(matrix_from_euler(pitch, yaw, roll))
    assert np.abs(np.array(got) - [pitch, yaw, roll]).max() < 1e-9


@pytest.mark.parametrize("pitch", [90.0, -90.0])
def test_at_the_singularity_all_of_the_turn_is_yaw(pitch: float) -> None:
    r = matrix_from_euler(pitch, [10.0, -170.0], [30.0, 50.0])
    got = euler_from_matrix(r)
    assert (got[2] == 0).all()
    assert np.abs(matrix_from_euler(*got) - r).max() < 1e-12


def test_they_are_those_of_scipy() -> None:
    theirs = Rotation.random(500, rng=0)
    r = theirs.as_matrix()
    q = theirs.as_quat(canonical=True, scalar_first=True)
    assert np.abs(quaternion_from_matrix(r) - q).max() < 1e-12
    pitch, yaw, roll = euler_from_matrix(r)
    assert np.abs(np.stack([yaw, pitch, roll], -1) - theirs.as_euler("YXZ", True)).max() < 1e-9
    other = Rotation.random(500, rng=1)
    angle = np.degrees((theirs * other.inv()).magnitude())
    assert np.abs(rotation_error(r, other.as_matrix()) - angle).max() < 1e-6


def test_quaternions_of_half_turns() -> None:
    for axis in np.eye(3):
        r = 2 * np.outer(axis, axis) - np.eye(3)
        q = quaternion_from_matrix(r)
        assert np.abs(np.abs(q) - [0, *axis]).max() < 1e-12
        assert rotation_error(r, np.eye(3)) == pytest.approx(180)


def test_two_columns_need_not_be_orthonormal() -> None:
    r = matrix_from_euler(10, 20, 30)
    six = six_from_matrix(r)
    bent = np.concatenate([3 * six[:3], 0.5 * six[3:] + 0.7 * six[:3]])
    assert np.abs(matrix_from_six(bent) - r).max() < 1e-12
    assert np.isnan(matrix_from_six(np.zeros(6))).any()


def test_positive_angles_turn_as_they_say() -> None:
    assert matrix_from_euler(0, 40, 0)[0, 2] > 0  # the front towards +x
    assert matrix_from_euler(40, 0, 0)[2, 1] > 0  # the top towards the camera
    assert matrix_from_euler(0, 0, 40)[1, 0] > 0  # counter-clockwise
