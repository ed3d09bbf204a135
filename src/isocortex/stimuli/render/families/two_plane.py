"""Objects with two planes of symmetry, x = 0 and z = 0: left as right, front as back."""

from __future__ import annotations

import numpy as np

from isocortex.stimuli.render.families.parts import (
    Assembly,
    Shape,
    box,
    centres,
    ellipsoid,
    hsv,
    loft,
    normals,
    tube,
)
from isocortex.stimuli.render.mesh import FloatArray, Mesh

_GLASS = (0.16, 0.22, 0.28)
_RUBBER = (0.10, 0.10, 0.11)


def car(rng: np.random.Generator) -> Mesh:
    """Build a car whose two ends are alike: body, cabin, wheels, lights, bumpers."""
    paint = hsv(rng.random(), rng.uniform(0.15, 0.85), rng.uniform(0.45, 0.9))
    metal = np.full(3, rng.uniform(0.35, 0.75))
    half, wide = rng.uniform(0.95, 1.5), rng.uniform(0.38, 0.50)
    wheel = rng.uniform(0.15, 0.22)
    floor = 0.75 * wheel
    hood = floor + rng.uniform(0.24, 0.40)
    blunt = rng.uniform(0.75, 0.97)

    parts = Assembly(planes=(0, 2))
    z = half * np.array([-1, -0.97, -0.8, -0.4, 0, 0.4, 0.8, 0.97, 1])
    top = hood - (hood - floor) * (1 - blunt) * np.array([1.6, 1, 0.4, 0, 0, 0, 0.4, 1, 1.6])
    side = wide * np.array([0.8, 0.9, 0.98, 1, 1, 1, 0.98, 0.9, 0.8])
    body = loft([_slice(w, floor, t, at) for w, t, at in zip(side, top, z, strict=True)])
    parts.add(body, paint)

    share = rng.uniform(0.42, 0.92)
    roof = hood + rng.uniform(0.24, 0.46)
    slope = rng.uniform(0.62, 0.95)
    cabin = _cabin(hood, roof, 0.93 * wide, share * half, slope)
    level = np.abs(normals(cabin)[:, 1:2]) > 0.8
    parts.add(cabin, np.where(level, paint, _GLASS))
    pillars = np.linspace(0, 0.62 * share * half, rng.integers(1, 4))
    for place in pillars:
        foot, head = (0.94 * wide, hood, place), (0.94 * wide * 0.87, roof, place * slope)
        parts.add(tube([foot, head], 0.025, 6), paint * 0.85)
    if rng.random() < 0.35:
        rack = (0, roof + 0.03, 0)
        parts.add(box(rack, (1.1 * wide, 0.06, rng.uniform(0.2, 1.0) * share * half)), metal)

    axle = half * rng.uniform(0.58, 0.70)
    parts.add(_wheel((0.92 * wide, wheel, axle), wheel, 0.10), _RUBBER)
    parts.add(_wheel((0.97 * wide, wheel, axle), 0.55 * wheel, 0.08), metal)
    if half > 1.3 and rng.random() < 0.5:
        parts.add(_wheel((0.92 * wide, wheel, 0), wheel, 0.10), _RUBBER)
    light = rng.uniform(0.035, 0.065)
    middle = floor + 0.6 * blunt * (hood - floor)
    parts.add(
        ellipsoid((0.6 * wide, middle, 0.985 * half), (light, light, 0.04), 5, 10), (1, 0.95, 0.7)
    )
    bumper = (0, floor + 0.04, half)
    parts.add(box(bumper, (1.8 * wide, 0.08, 0.07)), metal * 0.7)
    sill = (0, floor + 0.02, 0)
    parts.add(box(sill, (2.06 * wide, 0.05, 2 * (axle - 1.2 * wheel))), metal * 0.6)
    return parts.mesh()


def _slice(wide: float, low: float, high: float, z: float) -> FloatArray:
    """Return a cross section (12, 3) of the body: a rectangle with rounded shoulders."""
    half = np.array([[0.35, 1.0], [0.75, 0.97], [0.96, 0.78], [1.0, 0.4], [0.97, 0.1], [0.8, 0.0]])
    ring = np.concatenate([half, half[::-1] * [-1, 1]])
    return np.stack(
        [wide * ring[:, 0], low + (high - low) * ring[:, 1], np.full(len(ring), z)], axis=1
    )


def _cabin(low: float, high: float, wide: float, long_: float, slope: float) -> Shape:
    corner = np.array([[1, 0.85], [0.85, 1], [-0.85, 1], [-1, 0.85]])
    ring = np.concatenate([corner, -corner])
    rings = []
    for height, shrink in ((low - 0.05, 1.0), (low, 1.0), (high - 0.03, 0.0), (high, -0.25)):
        x = wide * (0.87 + 0.13 * shrink) * ring[:, 0]
        z = long_ * (slope + (1 - slope) * shrink) * ring[:, 1]
        rings.append(np.stack([x, np.full(len(ring), height), z], axis=1))
    return loft(rings)


def _wheel(centre: tuple[float, float, float], radius: float, thick: float) -> Shape:
    path = (
        np.array(centre) + thick * np.array([[-1, 0, 0], [-0.9, 0, 0], [0.9, 0, 0], [1, 0, 0]]) / 2
    )
    return tube(path, radius * np.array([0.9, 1, 1, 0.9]), 16)


def boat(rng: np.random.Generator) -> Mesh:
    """Build a double-ended boat: hull, deck, thwarts or cabin, sometimes mast, sails, funnels."""
    hull = hsv(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.85))
    wood = hsv(0.08, rng.uniform(0.35, 0.6), rng.uniform(0.45, 0.75))
    beam, draught = rng.uniform(0.22, 0.40), rng.uniform(0.20, 0.34)
    sheer, full = rng.uniform(0.03, 0.28), rng.uniform(1.8, 3.5)
    well = rng.uniform(0.3, 0.6) * draught
    parts = Assembly(planes=(0, 2))
    along = np.array([-0.97, -0.88, -0.7, -0.45, -0.2, 0, 0.2, 0.45, 0.7, 0.88, 0.97])
    rings = []
    for t in along:
        b = beam * (1 - abs(t) ** full)
        low, high = -draught * (1 - abs(t) ** (2 * full)), sheer * t**2
        inner = max(b - 0.035, 0.4 * b)
        floor = high - well * (1 - abs(t) ** 4)
        x = np.array([0, 0.55 * b, 0.9 * b, b, b, inner, inner])
        y = np.array([low, 0.85 * low, 0.45 * low, 0.1 * low, high, high, floor])
        ring = np.stack([x, y, np.full(7, t)], axis=1)
        rings.append(np.concatenate([ring, ring[:0:-1] * [-1, 1, 1]]))
    stem = np.array([0, sheer + rng.uniform(0.0, 0.15), 1.0])
    skin = loft(rings, stem * [1, 1, -1], stem)
    inside = (normals(skin)[:, 1] > 0.5) & (centres(skin)[:, 1] > -draught)
    stripe = centres(skin)[:, 1] > -0.2 * draught
    colors = np.where(stripe[:, None], hull * 0.7, hull)
    parts.add(skin, np.where(inside[:, None], wood, colors))

    kind = rng.choice(["rowing", "sailing", "motor"])
    if kind == "rowing":
        for place in np.linspace(0, 0.6, rng.integers(2, 4)):
            bench = 2 * beam * (1 - place**full) - 0.02
            parts.add(box((0, -0.4 * well, place), (bench, 0.03, 0.12)), wood * 0.8)
        oar = [(0.3 * beam, 0.05, 0.2), (beam + 0.35, -0.1, 0.45)]
        parts.add(tube(oar, 0.014, 6), wood * 0.9)
        parts.add(ellipsoid(oar[1], (0.1, 0.012, 0.05), 4, 8), wood * 0.9)
    elif kind == "sailing":
        tall, foot = rng.uniform(0.8, 1.4), rng.uniform(0.45, 0.8)
        parts.add(tube([(0, -well, 0), (0, tall + 0.08, 0)], [0.028, 0.014], 8), wood * 0.7)
        base = rng.uniform(0.12, 0.22)
        sail = np.array(
            [[[w, base, 0.04], [w, base + 0.05, foot], [w, tall, 0.04]] for w in (-0.006, 0.006)]
        )
        parts.add(loft(sail), hsv(rng.random(), rng.uniform(0, 0.4), 0.93))
        parts.add(tube([(0, base, 0.0), (0, base + 0.05, foot)], 0.014, 6), wood * 0.7)
    else:
        _superstructure(parts, rng, beam, well)
    return parts.mesh()


def _superstructure(parts: Assembly, rng: np.random.Generator, beam: float, well: float) -> None:
    white = np.full(3, rng.uniform(0.8, 0.95))
    trim = hsv(rng.random(), 0.7, 0.7)
    wide, long_, low = 1.3 * beam, rng.uniform(0.6, 1.1), -well
    for _ in range(rng.integers(1, 4)):
        tall = rng.uniform(0.15, 0.22)
        parts.add(box((0, low + tall / 2, 0), (wide, tall, long_), 0.95), white)
        window = (0, low + 0.66 * tall, 0)
        parts.add(box(window, (1.0 * wide, 0.3 * tall, 0.9 * long_)), _GLASS)
        low, wide, long_ = low + tall, 0.8 * wide, rng.uniform(0.55, 0.85) * long_
    funnel, high = rng.uniform(0.06, 0.10), rng.uniform(0.15, 0.3)
    place = rng.choice([0.0, 0.3 * long_])
    parts.add(tube([(0, low - 0.05, place), (0, low + high, place)], funnel, 12), trim)
    parts.add(
        tube([(0, low + high, place), (0, low + high + 0.03, place)], 1.1 * funnel, 12), _RUBBER
    )
