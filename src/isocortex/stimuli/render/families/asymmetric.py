"""Objects without a plane of symmetry."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.special import eval_legendre

from isocortex.stimuli.render.families.parts import (
    Assembly,
    box,
    ellipsoid,
    hsv,
    tube,
    turned,
)
from isocortex.stimuli.render.mesh import FloatArray, Mesh


def tool(rng: np.random.Generator) -> Mesh:
    """Build a tool: a bent grip, a head on one side, a side handle out of the head's plane."""
    wood = hsv(0.08, rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.75))
    steel = np.full(3, rng.uniform(0.45, 0.75))
    grip = hsv(rng.random(), 0.7, rng.uniform(0.3, 0.8))
    facing = rng.uniform(0, 360)
    other = facing + rng.choice([-1, 1]) * rng.uniform(65, 115)

    share = np.linspace(0, 1, 9)
    bend, twist = rng.uniform(0.18, 0.38), rng.uniform(0.10, 0.22)
    middle = np.stack(
        [bend * np.sin(np.pi * share) ** 2, 1.6 * share - 0.8, twist * np.sin(2 * np.pi * share)],
        axis=1,
    )
    thick = rng.uniform(0.05, 0.08)
    parts = Assembly()
    shaft = tube(middle, thick * (1.2 - 0.4 * share), 10)
    held = (shaft[0][shaft[1]].mean(axis=1)[:, 1] < -0.3)[:, None]
    parts.add(turned(shaft, 1, other), np.where(held, grip, wood))

    head = str(rng.choice(["hammer", "axe", "hook", "ladle", "wrench"]))
    for shape, color in _HEADS[head](rng, steel):
        parts.add(turned(shape, 1, facing, (0, 0.8, 0)), color)
    reach = rng.uniform(0.35, 0.5)
    low = rng.uniform(-0.35, 0.15)
    handle = np.array([[0, low, 0], [0, low + 0.03, 0.6 * reach], [0, low - 0.10, reach]])
    parts.add(turned(tube(handle, thick * np.array([0.8, 0.9, 1.2]), 8), 1, other), grip)
    parts.add(turned(ellipsoid(handle[-1], np.full(3, 1.5 * thick), 5, 10), 1, other), wood)
    return parts.mesh()


def _hammer(rng: np.random.Generator, steel: FloatArray) -> list[tuple[tuple, FloatArray]]:
    size, long_ = rng.uniform(0.10, 0.16), rng.uniform(0.35, 0.5)
    claw = [(0, 0.82, 0), (0.03, 0.84, -0.25), (0.12, 0.72, -0.45)]
    return [
        (box((0, 0.8, long_ / 2), (1.4 * size, 1.6 * size, long_)), steel),
        (box((0, 0.8, long_), (2 * size, 2 * size, 0.12)), steel * 0.8),
        (tube(claw, [(size, 0.7 * size), (0.8 * size, 0.5 * size), (0.5 * size, 0.02)], 8), steel),
    ]


def _axe(rng: np.random.Generator, steel: FloatArray) -> list[tuple[tuple, FloatArray]]:
    edge, long_ = rng.uniform(0.22, 0.38), rng.uniform(0.4, 0.55)
    drop = rng.uniform(0.05, 0.2)
    blade = [
        (0, 0.8, -0.08),
        (0, 0.8, 0.12),
        (0.02, 0.8 - drop / 2, 0.7 * long_),
        (0.05, 0.8 - drop, long_),
    ]
    wide = [(0.06, 0.08), (0.06, 0.09), (0.03, 0.8 * edge), (0.006, edge)]
    return [(tube(blade, wide, 12), steel), (box((0, 0.8, -0.16), (0.1, 0.1, 0.2)), steel * 0.8)]


def _hook(rng: np.random.Generator, steel: FloatArray) -> list[tuple[tuple, FloatArray]]:
    radius, turn = rng.uniform(0.25, 0.4), np.deg2rad(np.linspace(0, rng.uniform(190, 250), 12))
    rise = rng.uniform(0.10, 0.22)
    path = np.stack(
        [
            rise * turn / np.pi,
            0.78 + radius * np.sin(turn),
            radius * (1 - np.cos(turn)),
        ],
        axis=1,
    )
    taper = 0.075 * np.linspace(1, 0.25, len(turn))
    return [(tube(path, np.stack([taper, 0.6 * taper], axis=1), 8), steel)]


def _ladle(rng: np.random.Generator, steel: FloatArray) -> list[tuple[tuple, FloatArray]]:
    bowl = rng.uniform(0.22, 0.32)
    spout = [(0, 0.85, 0.3), (0.14, 0.93, 0.3 + 0.7 * bowl), (0.3, 0.96, 0.35 + bowl)]
    arm = [(0, 0.75, 0), (0, 0.88, 0.12), (0, 0.85, 0.3)]
    return [
        (tube(arm, 0.05, 8), steel),
        (ellipsoid((0, 0.82, 0.2 + bowl), (bowl, 0.55 * bowl, bowl), 8, 16), steel),
        (tube(spout, [0.1, 0.08, 0.05], 8), steel * 0.8),
    ]


def _wrench(rng: np.random.Generator, steel: FloatArray) -> list[tuple[tuple, FloatArray]]:
    open_, long_ = rng.uniform(0.12, 0.2), rng.uniform(0.3, 0.42)
    jaw = [(0, 0.78, -0.02), (0, 0.9, -0.15), (0.02, 1.1, -0.12)]
    prong = [
        (0, 0.75, 0),
        (0.02, 0.88, open_),
        (0.08, 0.95, open_ + 0.5 * long_),
        (0.2, 1.0, open_ + long_),
    ]
    return [
        (tube(jaw, [0.12, 0.1, 0.06], 8), steel),
        (tube(prong, [0.12, 0.11, 0.09, 0.05], 8), steel),
        (ellipsoid((0.1, 0.8, 0.04), (0.1, 0.06, 0.06), 5, 10), steel * 0.6),
    ]


_HEADS = {"hammer": _hammer, "axe": _axe, "hook": _hook, "ladle": _ladle, "wrench": _wrench}


def blob(rng: np.random.Generator) -> Mesh:
    """Build a sphere deformed by random spherical harmonics of degree 1 to 5, in two colours.

    A random harmonic of degree l is a sum of Legendre polynomials P_l(u . d) over random axes d.
    """
    sphere = trimesh.creation.icosphere(subdivisions=3)
    directions = np.asarray(sphere.vertices, dtype=np.float64)
    faces = np.asarray(sphere.faces, dtype=np.int64)
    amplitude = np.array([0.15, 0.32, 0.28, 0.18, 0.12]) * rng.uniform(0.7, 1.2)
    field = sum(a * _harmonic(rng, directions, k + 1) for k, a in enumerate(amplitude))
    radius = np.exp(field)
    middles = directions[faces].mean(axis=1)
    patch = _harmonic(rng, middles, 2) + 0.7 * _harmonic(rng, middles, 4) > rng.uniform(-0.3, 0.6)
    hue = rng.random()
    light = hsv(hue, rng.uniform(0.1, 0.6), rng.uniform(0.7, 0.95))
    dark = hsv(hue + rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.6))
    colors = np.where(patch[:, None], light, dark)
    return Mesh(directions * radius[:, None], faces, colors).normalised()


def _harmonic(rng: np.random.Generator, points: FloatArray, degree: int) -> FloatArray:
    """Return a random harmonic (n,) of one degree with unit mean square on the sphere."""
    axes = rng.normal(size=(16, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    weights = rng.normal(size=16) / 4
    cosine = points @ axes.T / np.linalg.norm(points, axis=1, keepdims=True)
    return np.sqrt(2 * degree + 1) * (eval_legendre(degree, cosine) @ weights)
