"""Meshes, backgrounds and hand-made scenes that the tests of latent scenes draw on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trimesh

from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes import backgrounds
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.sampling import Columns


@pytest.fixture(scope="session")
def cube() -> Mesh:
    box = trimesh.creation.box(extents=(1, 1, 1))
    return Mesh(box.vertices, box.faces, np.array([1.0, 1.0, 1.0]), "cube", "solid")


@pytest.fixture(scope="session")
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(5, radius=0.5)
    return Mesh(sphere.vertices, sphere.faces, np.array([1.0, 1.0, 1.0]), "ball", "solid")


@pytest.fixture(scope="session")
def wedge() -> Mesh:
    """Return a coloured solid without any symmetry, longest side 1 (x)."""
    corners = np.array(
        [[-0.5, -0.3, -0.2], [0.5, -0.3, -0.3], [0.1, 0.3, 0.1], [-0.2, -0.1, 0.3]], dtype=float
    )
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    colors = np.array([[0.9, 0.2, 0.1], [0.1, 0.8, 0.3], [0.2, 0.3, 0.9], [0.8, 0.8, 0.2]])
    return Mesh(corners, faces, colors, "wedge", "odd")


@pytest.fixture(scope="session")
def grey() -> Backgrounds:
    """Return one plain grey background."""
    plain = backgrounds.procedural(("uniform",), 1)
    return backgrounds.Backgrounds(
        **{
            name: getattr(plain, name)
            for name in ("classes", "names", "kind", "picture", "colors", "cloud", "tile")
        },
        tints=np.ones((1, 2, 3)),
        pictures=(np.full((1, 1, 3), 128, dtype=np.uint8),),
    )


@pytest.fixture(scope="session")
def mixed() -> Backgrounds:
    return backgrounds.procedural(("environment", "noise", "checker", "uniform"), 3)


@pytest.fixture(scope="session")
def scene() -> Callable[..., Columns]:
    return _scene


def _scene(n: int = 1, **columns: Any) -> Columns:
    """Return scenes of mesh 0, two units before the camera, lit from there; others on request.

    `body_*` are given as (bodies, ...) and hold for all images.
    """
    bodies = len(columns.get("body_mesh", [0]))
    defaults: dict[str, tuple[tuple[int, ...], Any]] = {
        "body_mesh": ((bodies,), 0),
        "body_rotation": ((bodies, 3, 3), np.eye(3)),
        "body_centre": ((bodies, 3), (0.0, 0.0, -2.0)),
        "body_scale": ((bodies,), 1.0),
        "world": ((3, 3), np.eye(3)),
        "light": ((3,), (0.0, 0.0, 1.0)),
        "sun": ((3,), 0.6),
        "sky": ((3,), 0.4),
        "ground": ((3,), 0.2),
        "ground_gap": ((), 0.0),
        "background_index": ((), 0),
        "crop": ((4,), (0.0, 0.0, 1.0, 1.0)),
        "crop_x": ((), 0.0),
        "crop_y": ((), 0.0),
        "exposure": ((), 0.0),
        "tone": ((), 1.0),
        "blur": ((), 0.0),
        "noise": ((), 0.0),
        "noise_key": ((), 0),
    }
    return {
        name: np.array(np.broadcast_to(np.asarray(columns.get(name, value)), (n, *shape)))
        for name, (shape, value) in defaults.items()
    }
