"""Normals: analytic solids, winding, creases."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from isocortex.stimuli.render.normals import corner_normals, face_normals


def shuffled_winding(faces: np.ndarray, seed: int = 0) -> np.ndarray:
    turn = np.random.default_rng(seed).random(len(faces)) < 0.5
    return np.where(turn[:, None], faces[:, ::-1], faces)


def test_face_normals_of_a_tetrahedron() -> None:
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 4]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    want = np.array([[0, 0, -1], [0, -1, 0], [-1, 0, 0], [6, 4, 3] / np.sqrt(61)])
    assert np.abs(face_normals(vertices, faces) - want).max() < 1e-15


def test_faces_without_area_have_no_normal() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 0, 1]])
    assert np.array_equal(face_normals(vertices, faces), np.zeros((2, 3)))
    assert np.array_equal(corner_normals(vertices, faces), np.zeros((2, 3, 3)))


def test_corners_of_a_sphere_point_outwards_whatever_the_winding() -> None:
    ball = trimesh.creation.icosphere(3)
    faces = shuffled_winding(ball.faces)
    normals = corner_normals(ball.vertices, faces)
    cosine = (normals * ball.vertices[faces]).sum(-1)
    assert np.abs(cosine).min() > 0.9995
    # On the side of their own face each.
    side = (face_normals(ball.vertices, faces)[:, None] * normals).sum(-1)
    assert side.min() > 0.9


def test_corners_of_a_box_stay_sharp_and_do_not_depend_on_its_diagonals() -> None:
    box = trimesh.creation.box()
    normals = corner_normals(box.vertices, box.faces)
    assert np.abs(normals - face_normals(box.vertices, box.faces)[:, None]).max() < 1e-12
    # Two faces of a roof, 140 degrees apart, one of them cut along either diagonal.
    slope = np.tan(np.radians(20))
    points = np.array([[-1, 0, 0], [-1, 0, 1], [0, slope, 0], [0, slope, 1], [1, 0, 0], [1, 0, 1]])
    left = [[0, 2, 3], [0, 3, 1]]
    for right in ([[2, 4, 5], [2, 5, 3]], [[2, 4, 3], [3, 4, 5]]):
        faces = np.array(left + right)
        at_ridge = (faces == 2) | (faces == 3)
        normals = corner_normals(points, faces)[at_ridge]
        assert np.abs(np.abs(normals[:, 1]) - 1).max() < 1e-12


def test_vertices_in_one_place_are_one_vertex() -> None:
    ball = trimesh.creation.icosphere(2)
    whole = corner_normals(ball.vertices, ball.faces)
    apart = corner_normals(ball.vertices[ball.faces].reshape(-1, 3), np.arange(960).reshape(-1, 3))
    assert np.abs(whole - apart).max() < 1e-12


@pytest.mark.parametrize("crease", [-0.5, 0.5, 1.1])
def test_the_crease_decides(crease: float) -> None:
    ball = trimesh.creation.icosphere(1)
    normals = corner_normals(ball.vertices, ball.faces, crease)
    flat = np.abs(normals - face_normals(ball.vertices, ball.faces)[:, None]).max() < 1e-12
    assert flat == (crease > 1)
