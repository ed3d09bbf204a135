"""Objects that look nearly the same from all around the vertical axis."""

from __future__ import annotations

import numpy as np

from isocortex.stimuli.render.families.parts import (
    Assembly,
    Shape,
    centres,
    ellipsoid,
    hsv,
    lathe,
    loft,
    tube,
    turned,
)
from isocortex.stimuli.render.mesh import FloatArray, Mesh

_GREEN = (0.30, 0.50, 0.20)

# Radius at equal steps of latitude from below to above, and height over width.
_FRUITS = {
    "apple": ((0.30, 0.66, 0.88, 0.99, 1.00, 0.92, 0.74, 0.40), 0.90),
    "orange": ((0.38, 0.71, 0.92, 1.00, 1.00, 0.92, 0.71, 0.38), 0.97),
    "pear": ((0.50, 0.85, 1.00, 0.98, 0.78, 0.56, 0.45, 0.30), 1.35),
    "lemon": ((0.14, 0.50, 0.85, 1.00, 1.00, 0.85, 0.50, 0.14), 1.35),
    "aubergine": ((0.55, 0.88, 1.00, 0.97, 0.84, 0.70, 0.58, 0.40), 1.80),
    "pumpkin": ((0.50, 0.82, 0.97, 1.00, 1.00, 0.97, 0.82, 0.50), 0.68),
}


def fruit(rng: np.random.Generator) -> Mesh:
    """Build a fruit: a turned profile with lobes, a blush, a stalk and sometimes a leaf."""
    kind = str(rng.choice(list(_FRUITS)))
    radii, tall = _FRUITS[kind]
    tall = tall * rng.uniform(0.9, 1.12)
    count, sides = len(radii), 36
    wobble = 1 + rng.normal(0, 0.02, size=count)
    latitude = np.linspace(-1, 1, count + 2)[1:-1]
    height = tall * np.sin(np.pi / 2 * latitude)
    hollow = rng.uniform(0.05, 0.18) * (kind in ("apple", "pumpkin"))
    profile = np.stack([np.array(radii) * wobble, height], axis=1)
    ends = np.array([[0.0, -tall * 0.98 + hollow / 2], [0.0, tall * 0.99 - hollow]])
    vertices, faces = lathe(np.concatenate([ends[:1], profile, ends[1:]]), sides)
    lobes = int(rng.integers(9, 12)) if kind == "pumpkin" else int(rng.integers(4, 7))
    depth = 0.05 if kind == "pumpkin" else rng.uniform(0.0, 0.024)
    turn = np.arctan2(vertices[:, 0], vertices[:, 2])
    swell = 1 + depth * np.cos(lobes * turn + rng.uniform(0, 6)) - depth
    swell *= 1 + 0.01 * np.cos(turn + rng.uniform(0, 6))
    flesh = vertices * np.stack([swell, np.ones_like(swell), swell], axis=1), faces

    hue = {"lemon": 0.14, "aubergine": 0.80, "pumpkin": 0.07, "orange": 0.08, "pear": 0.19}
    skin = hsv(hue.get(kind, rng.choice([0.0, 0.02, 0.25])) + rng.normal(0, 0.015), 0.75, 0.78)
    side = rng.normal(size=3)
    blush = np.clip(centres(flesh) @ side / np.linalg.norm(side), -1, 1)[:, None]
    parts = Assembly()
    parts.add(flesh, skin * (1 + 0.18 * blush) * rng.uniform(0.96, 1.04, size=(len(faces), 1)))

    top = ends[1, 1] - 0.03
    stalk = rng.uniform(0.12, 0.35)
    lean = stalk * rng.uniform(-0.3, 0.3, size=2)
    path = [
        (0, top, 0),
        (0.3 * lean[0], top + 0.6 * stalk, 0.3 * lean[1]),
        (lean[0], top + stalk, lean[1]),
    ]
    thick = 0.12 if kind in ("pumpkin", "aubergine") else rng.uniform(0.03, 0.06)
    parts.add(tube(path, thick * np.array([1.2, 0.8, 0.9]), 8), (0.35, 0.27, 0.15))
    if kind == "aubergine":
        cap = tall * 0.80
        parts.add(ellipsoid((0, cap, 0), (0.48, 0.22 * tall, 0.48), 5, 16), _GREEN)
    elif rng.random() < 0.6:
        leaf = _leaf(rng.uniform(0.24, 0.38), rng.uniform(0.08, 0.14), rng.uniform(0.1, 0.5))
        moved = leaf[0] + np.array([0, top + 0.4 * stalk, 0]), leaf[1]
        parts.add(turned(moved, 1, rng.uniform(0, 360)), _GREEN)
    return parts.mesh()


def flower(rng: np.random.Generator) -> Mesh:
    """Build a flower: whorls of petals about a centre, on a stem."""
    color = hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.75, 0.95))
    petals = int(rng.integers(9, 17))
    whorls = int(rng.integers(1, 4))
    cup = rng.uniform(0.05, 0.9)
    disc = rng.uniform(0.16, 0.34)
    parts = Assembly()
    for whorl in range(whorls):
        reach = 1.0 - 0.22 * whorl
        wide = min(0.5, 1.15 * 2 * np.pi * 0.62 * reach / petals / 2)
        petal = _leaf(reach, wide * rng.uniform(0.95, 1.05), cup + 0.25 * whorl, 0.35)
        lifted = petal[0] + np.array([0, 0.03 * whorl, 0]), petal[1]
        first = rng.uniform(0, 360)
        for k in range(petals):
            tint = color * (1 - 0.12 * whorl) * rng.uniform(0.85, 1.05)
            parts.add(turned(lifted, 1, first + 360 * k / petals), tint)
    bloom = hsv(rng.uniform(0.05, 0.16), 0.8, rng.uniform(0.35, 0.9))
    parts.add(ellipsoid((0, 0.05, 0), (disc, rng.uniform(0.4, 0.8) * disc, disc), 6, 16), bloom)
    stem = rng.uniform(0.7, 1.5)
    bend = rng.uniform(-0.06, 0.06, size=2)
    path = [(0, 0.0, 0), (bend[0], -stem / 2, bend[1]), (0, -stem, 0)]
    parts.add(tube(path, [0.05, 0.04, 0.045], 8), _GREEN)
    parts.add(ellipsoid((0, -0.04, 0), (0.6 * disc, 0.12, 0.6 * disc), 5, 12), _GREEN)
    if rng.random() < 0.6:
        blades, first = int(rng.integers(5, 9)), rng.uniform(0, 360)
        blade = _leaf(rng.uniform(0.35, 0.6), 0.14, rng.uniform(0.4, 1.0))
        low = blade[0] - np.array([0, 0.95 * stem, 0]), blade[1]
        for k in range(blades):
            shade = np.array(_GREEN) * rng.uniform(0.85, 1.15)
            parts.add(turned(low, 1, first + 360 * k / blades), shade)
    return parts.mesh()


def _leaf(long_: float, wide: float, rise: float, blunt: float = 0.0) -> Shape:
    """Return a leaf or petal that grows from the axis along +z and bends up to slope `rise`."""
    share = np.array([0.04, 0.25, 0.5, 0.75, 0.92])
    half = wide * (np.sin(np.pi * share**0.8) * (1 - blunt) + blunt * np.sqrt(share))
    half[-1] *= 0.6
    z = long_ * share
    y = long_ * rise * share**2
    thick = np.full_like(z, 0.012 * long_)
    x = np.stack([half, 0 * half, -half, 0 * half], axis=1)
    lift: FloatArray = np.stack([y + 0.15 * half, y + thick, y + 0.15 * half, y - thick], axis=1)
    rings = np.stack([x, lift, np.repeat(z[:, None], 4, axis=1)], axis=-1)
    return loft(rings, (0, 0, 0), (0, long_ * rise, long_))
