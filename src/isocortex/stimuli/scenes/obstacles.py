"""What may stand before an object: a box and a column, grey, longest side 1."""

from __future__ import annotations

import numpy as np
import trimesh

from isocortex.stimuli.render.mesh import Mesh

_SIDES = 24


def obstacles() -> list[Mesh]:
    """Return the meshes of `sampling.OBSTACLES`, in its order."""
    box = trimesh.creation.box(extents=(0.8, 1.0, 0.6))
    column = trimesh.creation.cylinder(radius=0.14, height=1.0, sections=_SIDES)
    upright = np.asarray(column.vertices)[:, [0, 2, 1]]
    return [
        Mesh(box.vertices, box.faces, np.array([0.55, 0.5, 0.45]), "box", "obstacle"),
        Mesh(upright, column.faces, np.array([0.6, 0.6, 0.62]), "column", "obstacle"),
    ]
