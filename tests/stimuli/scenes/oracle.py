"""A slow ray caster in numpy, float64: every ray against every triangle (Möller and Trumbore)."""

from __future__ import annotations

import numpy as np

from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes.sampling import Columns

EXTENT = np.tan(np.radians(30))


def rays(size: int, samples: int) -> np.ndarray:
    """Directions (rows, columns, 3) of all samples, not normalised: depth is their parameter."""
    n = size * samples
    place = (2 * np.arange(n) + 1 - n) / n * EXTENT
    x, y = np.meshgrid(place, -place)
    return np.stack([x, y, -np.ones_like(x)], axis=-1)


def first_hit(
    start: np.ndarray, direction: np.ndarray, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parameter of the nearest hit of each ray (r, 3) with triangles (f, 3, 3), and its face."""
    a, edge_1, edge_2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(direction[:, None], edge_2[None])
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / (p * edge_1).sum(-1)
        to = start[:, None] - a
        u = (to * p).sum(-1) * inverse
        q = np.cross(to, edge_1[None])
        v = (direction[:, None] * q).sum(-1) * inverse
        t = (edge_2 * q).sum(-1) * inverse
        t = np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-9), t, np.inf)
    face = t.argmin(axis=1)
    return t[np.arange(len(t)), face], face


def cast(scene: Columns, meshes: list[Mesh], size: int, samples: int, background: float) -> dict:
    """Render the first row: image (3, h, w), mask, depth, normal, and the share that is visible."""
    parts, owner, local, colors = [], [], [], []
    for b, mesh in enumerate(scene["body_mesh"][0]):
        if mesh < 0:
            continue
        m, scale = meshes[mesh], scene["body_scale"][0, b]
        placed = scale * m.vertices @ scene["body_rotation"][0, b].T + scene["body_centre"][0, b]
        parts.append(placed[m.faces])
        owner += [b] * len(m.faces)
        local += range(len(m.faces))
        colors.append(m.colors)
    corners, who, color = np.concatenate(parts), np.array(owner), np.concatenate(colors)
    direction = rays(size, samples).reshape(-1, 3)
    origin = np.zeros_like(direction)
    t, face = first_hit(origin, direction, corners)
    alone, _ = first_hit(origin, direction, corners[who == 0])
    hit = np.isfinite(t)
    mine = hit & (who[face] == 0)

    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = (flat / np.linalg.norm(flat, axis=1, keepdims=True))[face]
    normal = np.where((normal * direction).sum(1, keepdims=True) > 0, -normal, normal)
    light, up = scene["light"][0], scene["world"][0][:, 1]
    lambert = np.maximum(normal @ light, 0)
    point = np.where(hit, t, 0)[:, None] * direction + 1e-3 * normal
    lit = hit & (lambert > 0)
    blocked, _ = first_hit(point[lit], np.tile(light, (lit.sum(), 1)), corners)
    lambert[lit] *= ~np.isfinite(blocked)
    share = 0.5 + 0.5 * (normal @ up)[:, None]
    light_in = share * scene["sky"][0] + (1 - share) * scene["ground"][0]
    shown = color[face] * (light_in + lambert[:, None] * scene["sun"][0])
    shown = np.where(hit[:, None], shown, background)

    def pixels(values: np.ndarray) -> np.ndarray:
        grid = values.reshape(size, samples, size, samples, -1)
        return grid.mean(axis=(1, 3)).transpose(2, 0, 1)

    with np.errstate(divide="ignore", invalid="ignore"):
        mask = pixels(mine.astype(float))[0]
        depth = pixels(np.where(mine, t, 0))[0] / mask
    return {
        "image": pixels(shown),
        "mask": mask,
        "depth": depth,
        "normal": pixels(np.where(mine[:, None], normal, 0)),
        "face": np.where(mine, np.array(local)[face], -1).reshape(size * samples, -1),
        "visible_area": mine.mean(),
        "visible_fraction": mine.sum() / max(1, np.isfinite(alone).sum()),
    }
