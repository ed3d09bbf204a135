"""Shapes and views that several test files of the renderer draw on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.views import Views, rotation_x, rotation_y, rotation_z


@pytest.fixture(scope="session")
def soup() -> Callable[..., Mesh]:
    return _soup


@pytest.fixture(scope="session")
def sphere() -> Callable[..., Mesh]:
    return _sphere


@pytest.fixture(scope="session")
def wild_views() -> Callable[..., Views]:
    return _wild_views


def _soup(seed: int, n: int = 14) -> Mesh:
    """Triangles of all sizes that cut through each other, coloured at random."""
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(n, 1, 3)) * 0.4 + rng.normal(size=(n, 3, 3)) * 0.4
    faces = np.arange(3 * n).reshape(n, 3)
    return Mesh(corners.reshape(-1, 3), faces, rng.random((n, 3)), f"soup{seed}").normalised()


def _sphere(subdivisions: int = 4) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions)
    return Mesh(ball.vertices, ball.faces, (1.0, 1.0, 1.0))


def _wild_views(seed: int, n: int, meshes: int) -> Views:
    """Every column drawn at random."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-180, 180, (3, n))
    pinhole = rng.random(n) < 0.5
    return Views(
        rng.integers(0, meshes, n),
        rotation=rotation_y(angles[0]) @ rotation_x(angles[1]) @ rotation_z(angles[2]),
        translation=np.stack([*rng.normal(size=(2, n)) * 0.2, rng.uniform(-3, -0.3, n)], axis=1),
        scale=rng.uniform(0.5, 1.3, n),
        perspective=pinhole,
        extent=np.where(pinhole, rng.uniform(0.2, 0.9, n), rng.uniform(0.7, 1.4, n)),
        light=rng.normal(size=(n, 3)),
        diffuse=rng.uniform(0.2, 0.9, n),
        ambient=rng.uniform(0, 0.5, (n, 2)),
        up=rng.normal(size=(n, 3)),
        specular=np.where(rng.random(n) < 0.5, 0, 0.6),
        shininess=rng.uniform(2, 30, n),
        background=rng.random((n, 3)),
    )
