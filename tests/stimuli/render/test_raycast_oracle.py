"""The ray caster against a slow one in plain numpy: every ray against every face."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.normals import corner_normals as smooth_normals
from isocortex.stimuli.render.raycast import Renderer
from isocortex.stimuli.render.views import Views


def hit(
    origin: np.ndarray, direction: np.ndarray, corners: np.ndarray
) -> tuple[float, int, np.ndarray] | None:
    """Nearest face along a ray (Moeller and Trumbore 1997): distance, face, weights of corners."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    p = np.cross(direction, c - a)
    det = ((b - a) * p).sum(axis=1)
    ok = np.abs(det) > 1e-14
    with np.errstate(divide="ignore", invalid="ignore"):
        s = origin - a
        u = (s * p).sum(axis=1) / det
        q = np.cross(s, b - a)
        v = (q * direction).sum(axis=1) / det
        t = (q * (c - a)).sum(axis=1) / det
    ok &= (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    if not ok.any():
        return None
    face = int(np.flatnonzero(ok)[np.argmin(t[ok])])
    return float(t[face]), face, np.array([1 - u[face] - v[face], u[face], v[face]])


def slow_render(
    mesh: Mesh,
    view: Views,
    size: int,
    supersample: int,
    channels: int = 1,
    corner_normals: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (c, h, w), mask (h, w) and depth (h, w) of a single view, in float64."""
    corners = (view.scale[0] * mesh.vertices @ view.rotation[0].T + view.translation[0])[mesh.faces]
    image = np.zeros((3, size, size))
    mask = np.zeros((size, size))
    depth = np.zeros((size, size))
    width = size * supersample
    for row in range(width):
        for column in range(width):
            x = ((column + 0.5) / width * 2 - 1) * view.extent[0]
            y = (1 - (row + 0.5) / width * 2) * view.extent[0]
            if view.perspective[0]:
                origin, direction = np.zeros(3), np.array([x, y, -1.0])
            else:
                origin, direction = np.array([x, y, 0.0]), np.array([0.0, 0.0, -1.0])
            pixel = (row // supersample, column // supersample)
            found = hit(origin, direction, corners)
            if found is None:
                image[(slice(None), *pixel)] += view.background[0]
                continue
            t, face, weights = found
            a, b, c = corners[face]
            normal = np.cross(b - a, c - a)
            point = (a + b + c) / 3
            if corner_normals is not None:
                side = np.sign(normal @ direction)
                at_corners = corner_normals[face] @ view.rotation[0].T
                at_corners *= np.sign(at_corners @ normal)[:, None] * side
                normal = -(weights @ at_corners)
                point = origin + t * direction
            elif normal @ direction > 0:
                normal = -normal
            to_camera = -point if view.perspective[0] else np.array([0.0, 0.0, 1.0])
            image[(slice(None), *pixel)] += shade(
                normal / np.linalg.norm(normal),
                to_camera / np.linalg.norm(to_camera),
                mesh.colors[face],
                view,
            )
            mask[pixel] += 1
            depth[pixel] += t  # the direction's z is -1, so t is the depth along the axis
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(mask > 0, depth / mask, np.inf)
    image /= supersample**2
    if channels == 1:
        image = np.einsum("c,chw->hw", [0.2126, 0.7152, 0.0722], image)[None]
    return image, mask / supersample**2, depth


def shade(n: np.ndarray, to_camera: np.ndarray, color: np.ndarray, view: Views) -> np.ndarray:
    """Colour of one point."""
    lambert = max(0.0, n @ view.light[0])
    sky, ground = view.ambient[0]
    ambient = ground + (sky - ground) * (1 + n @ view.up[0]) / 2
    value = color * (ambient + view.diffuse[0] * lambert)
    if lambert > 0:
        half = view.light[0] + to_camera
        half = half / np.linalg.norm(half)
        value = value + view.specular[0] * max(0.0, n @ half) ** view.shininess[0]
    return np.minimum(value, 1.0)


@pytest.mark.parametrize("shading", ["flat", "smooth"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_slow_oracle(
    seed: int,
    shading: str,
    soup: Callable[..., Mesh],
    sphere: Callable[..., Mesh],
    wild_views: Callable[..., Views],
) -> None:
    meshes = [soup(seed), sphere(1)]
    views = wild_views(seed, 6, 2)
    got = Renderer(meshes).render(views, 9, 2, 3, shading)
    for k in range(len(views)):
        mesh = meshes[views.mesh[k]]
        normals = smooth_normals(mesh.vertices, mesh.faces) if shading == "smooth" else None
        image, mask, depth = slow_render(mesh, views[k], 9, 2, 3, normals)
        assert mask.any()
        assert np.array_equal(got.mask[k, 0].numpy() * 4, mask * 4)
        assert np.allclose(got.depth[k, 0].numpy(), depth, atol=0, rtol=1e-6)
        assert np.abs(got.image[k].numpy() - image).max() < 1e-6
