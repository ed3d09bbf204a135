"""Angles, poses and lights: conventions, exact symmetries, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.stimuli.render.views import (
    Views,
    concatenate,
    cos_sin,
    fov_extent,
    light_from,
    rotation_x,
    rotation_y,
    rotation_z,
)

ANGLES = st.floats(-720, 720)
MIRROR = np.diag([-1.0, 1.0, 1.0])


@given(ANGLES)
def test_cos_sin_against_numpy(angle: float) -> None:
    c, s = cos_sin(angle)
    assert c == pytest.approx(np.cos(np.radians(angle)), abs=1e-13)
    assert s == pytest.approx(np.sin(np.radians(angle)), abs=1e-13)


@given(st.integers(-720 * 8, 720 * 8))
def test_cos_sin_have_their_symmetries_bit_by_bit(eighths: int) -> None:
    angle = eighths / 8
    c, s = cos_sin(angle)
    assert np.array_equal(cos_sin(-angle), [c, -s])
    assert np.array_equal(cos_sin(angle + 360), [c, s])
    assert np.array_equal(cos_sin(180 - angle), [-c, s])
    assert np.array_equal(cos_sin(angle + 90), [-s, c])


def test_quarter_and_eighth_turns_are_exact() -> None:
    c, s = cos_sin([0, 90, 180, 270, 360, -90])
    assert c.tolist() == [1, 0, -1, 0, 1, 0]
    assert s.tolist() == [0, 1, 0, -1, 0, -1]
    c, s = cos_sin(45)
    assert c == s


def test_rotations_turn_the_way_they_say() -> None:
    front, top, right = np.eye(3)[2], np.eye(3)[1], np.eye(3)[0]
    assert np.array_equal(rotation_y(90) @ front, right)
    assert np.array_equal(rotation_x(90) @ top, front)
    assert np.array_equal(rotation_z(90) @ right, top)


@given(ANGLES, ANGLES, ANGLES)
def test_rotations_are_rotations(a: float, b: float, c: float) -> None:
    r = rotation_x(a) @ rotation_y(b) @ rotation_z(c)
    assert np.abs(r @ r.T - np.eye(3)).max() < 1e-12
    assert np.linalg.det(r) == pytest.approx(1)


def test_lights_of_the_specification() -> None:
    assert Views.turntable(0, 0).light[0] == pytest.approx([0, 0.5, 0.866], abs=1e-3)
    side = Views.turntable(0, 0, lighting="side").light[0]
    assert side == pytest.approx([0.612, 0.5, 0.612], abs=1e-3)
    assert np.array_equal(Views.turntable(0, 0, azimuth=45).light[0], side)
    assert light_from(90, 0) == pytest.approx([1, 0, 0])


@given(ANGLES, st.floats(-90, 90))
def test_object_front_light_is_fixed_in_the_object(yaw: float, elevation: float) -> None:
    view = Views.turntable(0, yaw, elevation, lighting="object_front")
    assert view.rotation[0].T @ view.light[0] == pytest.approx([0, 0.5, 0.75**0.5], abs=1e-12)


@given(ANGLES, st.floats(-90, 90), st.sampled_from(["symmetric", "object_front"]))
def test_opposite_yaws_are_mirror_images_bit_by_bit(
    yaw: float, elevation: float, lighting: str
) -> None:
    views = Views.turntable([0, 0], [yaw, -yaw], elevation, lighting=lighting)
    assert np.array_equal(MIRROR @ views.rotation[0] @ MIRROR, views.rotation[1])
    assert np.array_equal(MIRROR @ views.light[0], views.light[1])


def test_the_camera_stands_above() -> None:
    rotation = Views.turntable(0, 0, 30).rotation[0]
    top, front = rotation @ [0, 1, 0], rotation @ [0, 0, 1]
    assert top[2] > 0  # the top comes towards the camera
    assert front[1] < 0  # the front sinks in the picture
    assert Views.turntable(0, 0, 30).up[0] == pytest.approx([0, np.cos(np.pi / 6), 0.5])


def test_defaults_are_those_of_the_specification() -> None:
    view = Views(np.array([3]))
    assert view.mesh.tolist() == [3]
    assert not view.perspective[0]
    assert view.extent[0] == pytest.approx(1 / 0.95)
    assert view.ambient.tolist() == [[0.35, 0.35]]
    assert view.diffuse[0] == pytest.approx(0.65)
    assert view.background.tolist() == [[128 / 255] * 3]
    assert view.specular[0] == 0


def test_one_value_holds_for_all_and_rows_can_be_given() -> None:
    views = Views(
        np.arange(4), scale=2.0, background=(0, 0.5, 1), extent=[1, 2, 3, 4], light=(0, 3, 4)
    )
    assert views.scale.tolist() == [2] * 4
    assert views.background.shape == (4, 3)
    assert views.background[2].tolist() == [0, 0.5, 1]
    assert views.light[1] == pytest.approx([0, 0.6, 0.8])


def test_rows_are_cut_out_and_put_together_bit_by_bit() -> None:
    rng = np.random.default_rng(0)
    views = Views(np.arange(5), light=rng.normal(size=(5, 3)), up=rng.normal(size=(5, 3)))
    parts = [views[:2], views[np.array([2])], views[3], views[np.array([0, 0, 0, 0, 1], bool)]]
    again = concatenate(parts)
    assert len(again) == 5
    for name in ("mesh", "light", "up", "rotation", "extent"):
        assert np.array_equal(getattr(again, name), getattr(views, name))


def test_a_pinhole_shows_the_unit_sphere_as_large_as_the_orthographic_camera() -> None:
    view = Views.turntable(0, 0, fov=40)
    distance = -view.translation[0, 2]
    assert view.perspective[0]
    assert view.extent[0] == pytest.approx(np.tan(np.radians(20)))
    assert np.tan(np.arcsin(1 / distance)) == pytest.approx(0.95 * view.extent[0])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mesh": [0.5]}, "whole number"),
        ({"mesh": [[0]]}, "whole number"),
        ({"scale": [1.0, 2, 3]}, "scale"),
        ({"scale": 0.0}, "scale"),
        ({"extent": -1.0}, "extent"),
        ({"translation": (0, 0, np.nan)}, "translation"),
        ({"rotation": np.ones((3, 3))}, "orthogonal"),
        ({"light": (0, 0, 0)}, "light"),
        ({"ambient": -0.1}, "ambient"),
        ({"background": 128}, "255"),
        ({"specular": -1}, "specular"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word) as error:
        Views(**({"mesh": [0, 1]} | change))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"lighting": "symetric"}, "symmetric"),
        ({"yaw": [0, 1, 2]}, "lengths"),
        ({"yaw": np.nan}, "yaw"),
        ({"fov": 180}, "180"),
        ({"fill": 0}, "fill"),
    ],
)
def test_turntables_that_are_none(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        Views.turntable(**({"mesh": [0, 1], "yaw": 0} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("fov", [0, -10, 180, np.nan])
def test_fields_of_view_that_no_camera_has(fov: float) -> None:
    with pytest.raises(UserError, match="field of view"):
        fov_extent(fov)
