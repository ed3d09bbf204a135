"""Objects with one plane of symmetry, x = 0: left and right alike, front and back not."""

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

_SKIN = ((0.93, 0.76, 0.65), (0.85, 0.64, 0.50), (0.70, 0.48, 0.35), (0.48, 0.32, 0.24))
_HAIR = ((0.10, 0.08, 0.07), (0.30, 0.18, 0.10), (0.55, 0.36, 0.18), (0.80, 0.66, 0.38))
_COAT = ((0.55, 0.36, 0.20), (0.75, 0.60, 0.42), (0.35, 0.30, 0.28), (0.85, 0.80, 0.74))
_WOOD = ((0.55, 0.36, 0.20), (0.38, 0.24, 0.15), (0.72, 0.54, 0.34), (0.82, 0.80, 0.76))
_EYE_WHITE, _EYE_DARK = (0.95, 0.95, 0.93), (0.08, 0.07, 0.07)


def head(rng: np.random.Generator) -> Mesh:
    """Build a head: skull, brow, nose, lips, chin, eyes, ears, hair, neck."""
    skin = np.array(_SKIN[rng.integers(len(_SKIN))]) * rng.uniform(0.9, 1.05)
    hair = np.array(_HAIR[rng.integers(len(_HAIR))])
    width, depth = rng.uniform(0.63, 0.75), rng.uniform(0.86, 0.97)
    jaw, chin = rng.uniform(0.15, 0.45), rng.uniform(0.05, 0.22)
    brow, socket = rng.uniform(0.02, 0.07), rng.uniform(0.05, 0.11)
    back = rng.uniform(0.0, 0.15)

    def skull(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
        """Return surface points; degrees, longitude 0 in front and 90 at the ear."""
        up, round_ = np.deg2rad(latitude), np.deg2rad(longitude)
        girth = np.cos(up) ** np.where(up > 0, 0.78, 1.0)
        x = width * girth * np.sin(round_)
        y = np.sin(up)
        z = depth * girth * np.cos(round_)
        below = np.clip(-y - 0.1, 0, 1)
        x = x * (1 - jaw * below)
        facing = np.clip(np.cos(round_), 0, 1)
        front = facing * np.cos(up)
        z = z + front * (
            brow * _bump(y - 0.20, 0.10)
            - socket * _bump(y - 0.04, 0.12) * _bump(np.abs(x) - 0.28, 0.14)
            - 0.10 * _bump(y + 0.05, 0.5) * (np.abs(x) / width) ** 2
        )
        z = z + facing * (
            0.20 * _bump(y + 0.72, 0.22) + chin * _bump(y + 0.86, 0.10) * _bump(x, 0.2)
        )
        z = np.where(z < 0, z * (1 + back * np.clip(y + 0.4, 0, 1)), z)
        z = np.where(z < 0, z * (1 - 0.45 * below), z)
        return np.stack(np.broadcast_arrays(x, y, z), axis=-1)

    def on_skull(latitude: float, longitude: float) -> FloatArray:
        return skull(np.array(latitude), np.array(longitude))

    parts = Assembly(planes=(0,))
    rings = skull(np.linspace(-78, 78, 19)[:, None], np.arange(0.0, 360.0, 12.0)[None])
    parts.add(loft(rings, on_skull(-90, 0), on_skull(90, 0)), skin)

    bridge, tip = on_skull(10, 0), on_skull(rng.uniform(-20, -14), 0)
    reach, breadth = rng.uniform(0.13, 0.30), rng.uniform(0.07, 0.14)
    share = np.array([0.0, 0.35, 0.75, 1.0, 1.12])
    middle = bridge + share[:, None] * (tip - bridge)
    middle[:, 2] += reach * np.array([0.0, 0.35, 0.85, 0.75, 0.05])
    across = breadth * np.array([0.45, 0.6, 0.95, 1.15, 0.8])
    parts.add(tube(middle, np.stack([across, across + 0.03], axis=1)), skin * 0.97)

    eye = on_skull(4, rng.uniform(18, 23))
    size = rng.uniform(0.085, 0.12)
    parts.add(ellipsoid(eye, (1.25 * size, size * rng.uniform(0.6, 0.9), 0.09)), _EYE_WHITE)
    iris = hsv(rng.choice([0.08, 0.33, 0.58]), 0.6, 0.35)
    pupil = eye + np.array([-0.005, 0.0, 0.062])
    parts.add(ellipsoid(pupil, (0.5 * size, 0.5 * size, 0.045), 5, 10), iris)
    lift = rng.uniform(0.10, 0.17)
    arch = eye + np.array([[-0.13, 0.9, 0.06], [0.0, 1.1, 0.08], [0.16, 0.85, 0.0]]) * [1, lift, 1]
    parts.add(tube(arch, [0.022, 0.035, 0.018], 6), hair * 0.9)

    mouth = on_skull(rng.uniform(-33, -28), 0)
    lips = (rng.uniform(0.17, 0.27), rng.uniform(0.035, 0.075), 0.07)
    parts.add(ellipsoid(mouth, lips, 5, 14), skin * [1.0, 0.62, 0.62])

    ear = on_skull(0, rng.uniform(92, 98))
    tall = rng.uniform(0.16, 0.26)
    parts.add(ellipsoid(ear, (0.07, tall, 0.6 * tall)), skin * 0.93)
    shoulder = rng.uniform(0.32, 0.44)
    neck = [(0, -0.45, -0.18), (0, -0.95, -0.26), (0, -1.25, -0.30), (0, -1.36, -0.30)]
    parts.add(tube(neck, np.array([1.0, 0.95, 1.1, 1.5]) * shoulder, 14), skin * 0.9)
    _hair(parts, rng, hair, width, depth)
    return parts.mesh()


def _hair(
    parts: Assembly, rng: np.random.Generator, color: FloatArray, width: float, depth: float
) -> None:
    style = rng.choice(["bald", "short", "long", "bun", "cap"])
    if style == "bald":
        return
    line = rng.uniform(0.24, 0.40)
    centre = np.array([0.0, line, -0.16])
    radii = np.array([width + 0.08, 1.12 - line, depth + 0.08])
    shade = hsv(rng.random(), 0.7, 0.6) if style == "cap" else color
    parts.add(ellipsoid(centre, radii, 9, 24), shade)
    if style == "long":
        drop = rng.uniform(0.7, 1.2)
        flow = ([0, 0.4, -0.42], [0, -0.2, -0.55], [0, -drop, -0.55], [0, -drop - 0.1, -0.5])
        wide = np.array([[0.75, 0.5], [0.8, 0.38], [0.72, 0.28], [0.4, 0.1]]) * [width / 0.75, 1]
        parts.add(tube(flow, wide, 16), color * 0.92)
    elif style == "bun":
        bun = rng.uniform(0.2, 0.32)
        place = (0, rng.uniform(0.3, 0.9), -depth * rng.uniform(0.85, 1.0))
        parts.add(ellipsoid(place, (bun, bun, bun)), color * 0.92)
    elif style == "cap":
        peak = (0, line + 0.06, depth - 0.22)
        reach = rng.uniform(0.35, 0.5)
        parts.add(ellipsoid(peak, (0.75 * width, 0.05, reach), 5, 20), shade * 0.8)


def animal(rng: np.random.Generator) -> Mesh:
    """Build a four-legged animal: body, neck, head with snout and ears, legs, tail."""
    coat = np.array(_COAT[rng.integers(len(_COAT))]) * rng.uniform(0.85, 1.1)
    pale = np.clip(coat * 1.3 + 0.08, 0, 1)
    thick, leg = rng.uniform(0.17, 0.30), rng.uniform(0.22, 0.75)
    belly = leg + thick * 0.55
    middle = belly + thick * 0.5

    parts = Assembly(planes=(0,))
    knots = np.array([-0.52, -0.46, -0.30, -0.05, 0.20, 0.38, 0.50])
    round_ = np.array([0.35, 0.75, 1.0, rng.uniform(0.85, 1.2), 1.0, 0.95, 0.55])
    sway = np.array([0, 0.02, 0.02, rng.uniform(-0.05, 0.03), 0.01, 0.03, 0.05])
    z = np.linspace(-0.52, 0.50, 19)
    round_, sway = np.interp(z, knots, round_), np.interp(z, knots, sway)
    spine = np.stack([0 * z, middle + sway, z], axis=1)
    body = tube(spine, np.stack([0.82 * thick * round_, thick * round_], axis=1), 14)
    parts.add(body, _coat(rng, body, coat, pale))

    rise, ahead = rng.uniform(0.15, 0.75) ** 1.2, rng.uniform(0.18, 0.32)
    root = np.array([0, middle + 0.25 * thick, 0.38])
    skull = np.array([0, middle + 0.5 * thick + rise, 0.46 + ahead])
    bend = (root + skull) / 2 + np.array([0, -0.03, 0.04])
    big = rng.uniform(0.12, 0.18)
    neck = tube([root, bend, skull], np.array([0.75 * thick, 0.9 * big, 0.75 * big]), 10)
    parts.add(neck, coat)
    parts.add(ellipsoid(skull, (0.85 * big, big, 1.1 * big), 7, 12), coat)
    long_, slim = rng.uniform(1.0, 2.4) * big, rng.uniform(0.45, 0.7) * big
    dip = rng.uniform(0.2, 0.6) * big
    snout = skull + np.array(
        [[0, -0.1 * big, 0.3 * big], [0, -dip, long_], [0, -dip, long_ + 0.03]]
    )
    parts.add(tube(snout, [1.1 * slim, 0.8 * slim, 0.55 * slim], 10), pale)
    nose = snout[-1] + np.array([0, 0.3 * slim, 0.01])
    parts.add(ellipsoid(nose, np.array([0.45, 0.35, 0.3]) * slim, 3, 8), _EYE_DARK)
    eye = skull + big * np.array([0.62, 0.35, 0.68])
    parts.add(ellipsoid(eye, np.full(3, 0.17 * big), 3, 8), _EYE_DARK)

    ear = rng.uniform(0.5, 1.6) * big
    lean = rng.uniform(0.1, 0.8)
    base = skull + big * np.array([0.5, 0.7, -0.2])
    tip = base + ear * np.array([lean, 1.0, rng.uniform(-0.4, 0.3)])
    parts.add(tube([base, (base + tip) / 2, tip], np.array([0.3, 0.32, 0.04]) * big, 6), coat * 0.8)
    if rng.random() < 0.3:
        horn = skull + big * np.array([0.25, 0.8, 0.1])
        up = rng.uniform(0.9, 2.2) * big
        curve = horn + up * np.array([[0, 0, 0], [0.25, 0.5, 0.1], [0.35, 1.0, -0.05]])
        parts.add(tube(curve, np.array([0.2, 0.14, 0.03]) * big, 6), (0.85, 0.80, 0.68))

    stout = rng.uniform(0.24, 0.42) * thick
    knee = rng.uniform(0.02, 0.07)
    for where, bow in ((rng.uniform(0.30, 0.38), -knee), (rng.uniform(-0.40, -0.34), knee)):
        x = 0.55 * thick
        path: list[tuple[float, float, float]] = [
            (x, middle, where),
            (x, 0.55 * leg, where - bow),
            (x, 0.12 * leg, where),
            (x, 0.0, where + 0.02),
        ]
        parts.add(tube(path, np.array([1.5, 0.95, 0.75, 0.8]) * stout, 8), coat * 0.93)
        foot = (x, 0.02, where + 0.03)
        parts.add(ellipsoid(foot, np.array([1.1, 0.8, 1.4]) * stout, 4, 8), coat * 0.45)

    hang, out = rng.uniform(-0.45, 0.35), rng.uniform(0.08, 0.27)
    start = np.array([0, middle + 0.4 * thick, -0.48])
    tail = start + np.array([[0, 0, 0], [0, 0.3 * hang, -0.6 * out], [0, hang, -out]])
    thin = rng.uniform(0.02, 0.06)
    parts.add(tube(tail, [1.3 * thin, thin, rng.uniform(0.4, 1.8) * thin], 8), coat * 0.85)
    return parts.mesh()


def _coat(rng: np.random.Generator, body: Shape, coat: FloatArray, pale: FloatArray) -> FloatArray:
    """Return a colour for each face: plain, spotted or striped, pale below."""
    colors = np.tile(coat, (len(body[1]), 1))
    pattern = rng.choice(["plain", "spots", "stripes"])
    if pattern == "spots":
        colors[rng.random(len(colors)) < rng.uniform(0.15, 0.4)] *= 0.5
    elif pattern == "stripes":
        wave = np.sin(centres(body)[:, 2] * rng.uniform(30, 60))
        colors[wave > 0.2] *= 0.5
    colors[normals(body)[:, 1] < -0.6] = pale
    return colors


def chair(rng: np.random.Generator) -> Mesh:
    """Build a chair: seat, back, legs or pedestal, sometimes arms and a cushion."""
    wood = np.array(_WOOD[rng.integers(len(_WOOD))]) * rng.uniform(0.85, 1.1)
    cloth = hsv(rng.random(), rng.uniform(0.2, 0.7), rng.uniform(0.4, 0.85))
    seat = rng.uniform(0.40, 0.52)
    width, depth = rng.uniform(0.42, 0.60), rng.uniform(0.42, 0.55)
    slab = rng.uniform(0.03, 0.09)
    parts = Assembly(planes=(0,))
    parts.add(box((0, seat, 0), (width, slab, depth)), wood)
    if rng.random() < 0.6:
        height = rng.uniform(0.03, 0.07)
        cushion = ellipsoid((0, seat + slab / 2, 0), (0.46 * width, height, 0.46 * depth), 5, 20)
        parts.add(cushion, cloth)
    _chair_base(parts, rng, wood, seat, width, depth)
    _chair_back(parts, rng, (wood, cloth), seat, width, depth)
    if rng.random() < 0.45:
        rest, x = seat + rng.uniform(0.16, 0.24), 0.47 * width
        arm = [(x, rest - 0.02, -0.5 * depth), (x, rest, 0), (x, rest - 0.02, 0.45 * depth)]
        parts.add(tube(arm, [0.02, 0.03, 0.028], 6), wood * 0.85)
        parts.add(tube([(x, seat, 0.36 * depth), (x, rest, 0.36 * depth)], 0.018, 6), wood * 0.85)
    return parts.mesh()


def _chair_base(
    parts: Assembly,
    rng: np.random.Generator,
    wood: FloatArray,
    seat: float,
    width: float,
    depth: float,
) -> None:
    kind = rng.choice(["legs", "legs", "pedestal", "sled"])
    radius = rng.uniform(0.016, 0.034)
    x, z = 0.43 * width, 0.43 * depth
    if kind == "pedestal":
        metal = np.full(3, rng.uniform(0.2, 0.6))
        parts.add(tube([(0, seat, 0), (0, 0.05, 0)], 1.4 * radius, 10), metal)
        reach = rng.uniform(0.24, 0.32)
        for turn in np.deg2rad([0, 72, 144]):
            end = np.array([reach * np.sin(turn), 0.03, reach * np.cos(turn)])
            parts.add(tube([np.array([0, 0.08, 0]), end], [radius, 0.6 * radius], 6), metal)
            parts.add(ellipsoid(end, np.full(3, 0.035), 3, 8), metal * 0.5)
        return
    splay = rng.uniform(0.0, 0.05)
    for side in (-1, 1):
        leg = [(x, seat, side * z), (x + splay, 0.0, side * (z + splay))]
        parts.add(tube(leg, [radius, 0.7 * radius], 8), wood * 0.9)
    if kind == "sled":
        runner = [(x + splay, 0.0, -z - splay - 0.04), (x + splay, 0.0, z + splay + 0.04)]
        parts.add(tube(runner, 0.8 * radius, 8), wood * 0.8)
    elif rng.random() < 0.5:
        low = rng.uniform(0.3, 0.6) * seat
        parts.add(tube([(x, low, -z), (x, low, z)], 0.6 * radius, 6), wood * 0.8)
        parts.add(tube([(-x, low, 0), (x, low, 0)], 0.6 * radius, 6), wood * 0.8)


def _chair_back(
    parts: Assembly,
    rng: np.random.Generator,
    colors: tuple[FloatArray, FloatArray],
    seat: float,
    width: float,
    depth: float,
) -> None:
    wood, cloth = colors
    top = rng.uniform(0.38, 0.65)
    recline = rng.uniform(0.02, 0.14)
    x = 0.44 * width

    def at(share: float, aside: float = 0.0) -> FloatArray:
        return np.array([aside, seat + share * top, -0.45 * depth - share**1.5 * recline])

    kind = rng.choice(["panel", "slats", "spindles", "oval"])
    if kind == "oval":
        parts.add(tube([at(0.0, 0.6 * x), at(0.45, 0.8 * x)], 0.025, 6), wood * 0.9)
        parts.add(ellipsoid(at(0.65), (1.1 * x, 0.38 * top, 0.035), 7, 20), cloth)
        return
    shares = np.linspace(0, 1, 5)
    parts.add(tube([at(s, x) for s in shares], [0.026, 0.026, 0.024, 0.022, 0.018], 8), wood * 0.9)
    if kind == "panel":
        rows = np.array([at(s) for s in (0.15, 0.4, 0.7, 0.95)])
        parts.add(tube(rows, np.tile([x, rng.uniform(0.012, 0.04)], (4, 1)), 12), cloth)
    elif kind == "slats":
        for share in np.linspace(0.3, 0.92, rng.integers(2, 6)):
            parts.add(box(at(share), (2 * x, rng.uniform(0.04, 0.07), 0.02)), wood)
    else:
        parts.add(box(at(0.95), (2.2 * x, 0.07, 0.03)), wood)
        count = int(rng.integers(2, 4))
        for aside in x * (np.arange(count) + 0.5) / (count + 0.5):
            parts.add(tube([at(0.0, aside), at(0.5, aside), at(0.95, aside)], 0.011, 6), wood)


def airplane(rng: np.random.Generator) -> Mesh:
    """Build an airplane: fuselage, wings, tail, engines, cockpit."""
    paint = hsv(rng.random(), rng.uniform(0.0, 0.5), rng.uniform(0.75, 0.95))
    trim = hsv(rng.random(), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8))
    girth = rng.uniform(0.085, 0.16)
    parts = Assembly(planes=(0,))
    z = np.array([0.98, 0.90, 0.75, 0.35, -0.20, -0.60, -0.92])
    size = girth * np.array([0.40, 0.75, 0.97, 1.0, 0.95, 0.60, 0.20])
    height = girth * np.array([-0.15, -0.08, 0, 0, 0, 0.25, 0.5])
    spine = np.stack([0 * z, height, z], axis=1)
    fuselage = tube(spine, size, 14)
    band = np.abs(centres(fuselage)[:, 1]) < 0.25 * girth
    parts.add(fuselage, np.where(band[:, None], trim, paint))
    glass = (0, 0.45 * girth, rng.uniform(0.66, 0.76))
    parts.add(ellipsoid(glass, girth * np.array([0.62, 0.75, 1.1])), (0.15, 0.20, 0.28))

    span, chord = rng.uniform(0.65, 1.05), rng.uniform(0.24, 0.42)
    sweep, dihedral = rng.uniform(0.12, 0.55), rng.uniform(-0.02, 0.16)
    level = girth * rng.choice([-0.6, 0.0, 0.75])
    root = np.array([0, level, rng.uniform(0.20, 0.38)])
    tip = root + np.array([span, dihedral, -sweep])
    taper = rng.uniform(0.3, 0.75)
    parts.add(_wing(root, tip, chord, taper * chord), paint * 0.9)
    tail = np.array([0, 0.45 * girth, -0.80])
    fin = tail + np.array([0, rng.uniform(0.30, 0.46), -rng.uniform(0.10, 0.24)])
    parts.add(_wing(tail, fin, 0.26, 0.14), trim)
    plane = fin - np.array([0, 0.03, 0]) if rng.random() < 0.25 else tail
    end = plane + np.array(
        [rng.uniform(0.28, 0.42), rng.uniform(0, 0.06), -rng.uniform(0.03, 0.15)]
    )
    parts.add(_wing(plane, end, 0.2, 0.12), paint * 0.9)

    kind = rng.choice(["under wing", "rear", "propeller", "propeller"])
    if kind == "propeller":
        parts.add(
            ellipsoid((0, -0.15 * girth, 0.99), np.array([0.4, 0.4, 0.7]) * girth, 5, 10), trim
        )
        blade = rng.uniform(0.2, 0.3)
        parts.add(box((0, -0.15 * girth, 1.02), (2 * blade, 0.045, 0.02)), (0.15, 0.15, 0.15))
        if rng.random() < 0.4:
            up = np.array([0, 2.6 * girth - level, 0])
            parts.add(_wing(root + up, tip + up, chord, taper * chord), paint * 0.9)
            strut = [root + 0.6 * (tip - root) + lift for lift in (np.zeros(3), up)]
            parts.add(tube(strut, 0.014, 6), trim)
    elif kind == "rear":
        _engine(
            parts, np.array([1.45 * girth, 0.35 * girth, -0.5]), rng.uniform(0.4, 0.6) * girth, trim
        )
    else:
        for share in (0.35, 0.68)[: rng.integers(1, 3)]:
            place = root + share * (tip - root) + np.array([0, -0.45 * girth, 0.35 * chord])
            _engine(parts, place, rng.uniform(0.35, 0.55) * girth, trim)
    return parts.mesh()


def _wing(root: FloatArray, tip: FloatArray, wide: float, narrow: float) -> Shape:
    """Return a wing, fin or tail plane; chords lie along z."""
    angle = 2 * np.pi * np.arange(8) / 8
    out = (tip - root) / np.linalg.norm(tip - root)
    across = np.cross((0, 0, 1), out)
    across = across / np.linalg.norm(across)
    sections = []
    for share in (0.0, 0.5, 1.0):
        chord = wide + share * (narrow - wide)
        profile = 0.5 * np.cos(angle)[:, None] * np.array([0, 0, 1.0])
        profile = profile + 0.055 * np.sin(angle)[:, None] * across
        sections.append(root + share * (tip - root) + chord * profile)
    return loft(sections)


def _engine(parts: Assembly, place: FloatArray, radius: float, color: FloatArray) -> None:
    path = place + radius * np.array([[0, 0, 1.6], [0, 0, 1.0], [0, 0, -1.0], [0, 0, -1.8]])
    parts.add(tube(path, radius * np.array([0.85, 1.0, 0.95, 0.55]), 10), color)
    mouth = place + np.array([0, 0, 1.6 * radius])
    parts.add(ellipsoid(mouth, radius * np.array([0.7, 0.7, 0.1]), 3, 10), (0.1, 0.1, 0.1))


def _bump(distance: FloatArray, width: float) -> FloatArray:
    return np.exp(-((distance / width) ** 2) / 2)
