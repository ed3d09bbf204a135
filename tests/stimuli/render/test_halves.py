from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from isocortex.stimuli.render.halves import cut, mirror_joined

Triangles = tuple[np.ndarray, np.ndarray, np.ndarray]


def soup(seed: int, n: int = 40) -> Triangles:
    """Triangles at random, some with corners or whole edges on the plane x = 0."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(n, 3))
    vertices[: n // 4, 0] = 0.0
    faces = np.stack([rng.permutation(n)[:3] for _ in range(n)])
    return vertices, faces, np.round(rng.random((n, 3)), 1)


def areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.linalg.norm(cross, axis=1) / 2


def clipped_area(corners: np.ndarray, axis: int) -> float:
    """Clip one triangle the slow way: walk its edges, then fan the polygon."""
    polygon = []
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        if a[axis] >= 0:
            polygon.append(a)
        if a[axis] * b[axis] < 0:
            polygon.append(a + a[axis] / (a[axis] - b[axis]) * (b - a))
    area = 0.0
    for k in range(1, len(polygon) - 1):
        area += np.linalg.norm(np.cross(polygon[k] - polygon[0], polygon[k + 1] - polygon[0])) / 2
    return area


def in_plane(vertices: np.ndarray, faces: np.ndarray, axis: int) -> np.ndarray:
    return (vertices[faces][..., axis] == 0).all(axis=1)


def sorted_rows(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T[::-1])]


def canonical(mesh: Triangles, flip: tuple[int, ...] = ()) -> np.ndarray:
    """Each face as a row that depends on no order of faces, corners or winding."""
    vertices, faces, colors = mesh
    signs = np.ones(3)
    signs[list(flip)] = -1
    corners = (vertices * signs + 0.0)[faces]
    rows = [
        np.concatenate([sorted_rows(corner).ravel(), color])
        for corner, color in zip(corners, colors, strict=True)
    ]
    return sorted_rows(np.array(rows))


def closed(faces: np.ndarray) -> bool:
    """Whether each directed edge has exactly one partner in the other direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.array_equal(sorted_rows(edges), sorted_rows(edges[:, ::-1]))


@given(st.integers(0, 10_000), st.integers(0, 2))
def test_each_triangle_keeps_the_area_on_the_positive_side(seed: int, axis: int) -> None:
    vertices, faces, colors = soup(seed)
    for face, color in zip(faces, colors, strict=True):
        v, f, c = cut(vertices, face[None], color[None], axis)
        assert areas(v, f).sum() == pytest.approx(clipped_area(vertices[face], axis), abs=1e-12)
        assert (c == color).all()
        assert (v[f][..., axis] >= 0).all()


@given(st.integers(0, 10_000))
def test_two_halves_make_the_whole(seed: int) -> None:
    vertices, faces, colors = soup(seed)
    keep = ~in_plane(vertices, faces, 0)
    faces, colors = faces[keep], colors[keep]
    right = cut(vertices, faces, colors)
    left = cut(vertices * [-1, 1, 1], faces, colors)
    total = areas(right[0], right[1]).sum() + areas(left[0], left[1]).sum()
    assert total == pytest.approx(areas(vertices, faces).sum(), rel=1e-12)


@given(st.integers(0, 10_000), st.sampled_from([(0,), (2,), (0, 2), (2, 0), (0, 1, 2)]))
def test_the_join_is_symmetric_bit_by_bit(seed: int, axes: tuple[int, ...]) -> None:
    joined = mirror_joined(*soup(seed), axes)
    for axis in axes:
        np.testing.assert_array_equal(canonical(joined), canonical(joined, (axis,)))


def test_faces_in_the_plane_are_there_once() -> None:
    vertices = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0.0]])
    faces = np.array([[0, 1, 2], [0, 1, 3]])
    _, joined, colors = mirror_joined(vertices, faces, np.eye(3)[:2])
    assert len(joined) == 3
    np.testing.assert_array_equal(colors, np.eye(3)[[0, 1, 1]])


def test_the_second_half_follows_the_order_of_the_first() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces, colors = mirror_joined(
        np.asarray(sphere.vertices) + np.array([0.2, 0, 0]),
        np.asarray(sphere.faces),
        np.random.default_rng(0).random((len(sphere.faces), 3)),
    )
    half = len(faces) // 2
    np.testing.assert_array_equal(
        vertices[faces[:half]] * [-1, 1, 1], vertices[faces[half:]][:, [0, 2, 1]]
    )
    np.testing.assert_array_equal(colors[:half], colors[half:])


@pytest.mark.parametrize("shift", [0.0, 0.3, -0.4])
@pytest.mark.parametrize("axes", [(0,), (0, 2)])
@pytest.mark.parametrize("shape", ["sphere", "box"])
def test_what_was_closed_stays_closed(shape: str, axes: tuple[int, ...], shift: float) -> None:
    if shape == "sphere":
        body = trimesh.creation.icosphere(subdivisions=2)
    else:
        body = trimesh.creation.box(extents=(1, 2, 3))
    vertices = np.asarray(body.vertices, dtype=float) + np.array([shift, 0, 0.1])
    faces = np.asarray(body.faces, dtype=np.int64)
    assert closed(faces)
    _, joined, _ = mirror_joined(vertices, faces, np.zeros((len(faces), 3)), axes)
    assert closed(joined)


def test_vertices_almost_in_the_plane_leave_no_splinters() -> None:
    vertices = np.array([[-1e-16, 0, 0], [1e-17, 1, 0], [1, 0, 0.0], [-1, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3]])
    v, f, _ = cut(vertices, faces, np.zeros((2, 3)))
    np.testing.assert_array_equal(f, [[0, 1, 2]])
    np.testing.assert_array_equal(v[:2, 0], [0, 0])


def test_nothing_on_the_positive_side_leaves_no_face() -> None:
    vertices = np.array([[-1, 0, 0], [-1, 1, 0], [-2, 0, 0.0]])
    _, faces, colors = mirror_joined(vertices, np.array([[0, 1, 2]]), np.zeros((1, 3)))
    assert faces.shape == (0, 3)
    assert colors.shape == (0, 3)
