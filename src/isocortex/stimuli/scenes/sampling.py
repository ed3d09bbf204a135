"""From (image, attempt) to numbers, and from numbers to a scene in the axes of the camera.

The camera sits in the origin, x right, y up, z backwards: what it sees has negative z, and depth
is counted along -z. The world stands about the object: y up, the sun where the background says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocortex.stimuli.render.mesh import FloatArray, IntArray
from isocortex.stimuli.render.views import (
    compose,
    cos_sin,
    light_from,
    rotation_x,
    rotation_y,
    rotation_z,
)
from isocortex.stimuli.scenes.parameters import BACKGROUND, Freeze, Rerange, Shrink, members, moved
from isocortex.stimuli.scenes.philox import uniforms, words
from isocortex.stimuli.scenes.poses import matrix_from_euler
from isocortex.stimuli.scenes.spec import SceneSpec

Columns = dict[str, np.ndarray]
"""Arrays by name, one row an image."""

OBSTACLES = ("box", "column")
_WARM, _COLD = np.array([1.0, 0.9, 0.74]), np.array([0.97, 0.99, 1.0])


def take(columns: Columns, rows: np.ndarray | slice) -> Columns:
    """Return some rows of all columns."""
    return {name: values[rows] for name, values in columns.items()}


def draw(
    spec: SceneSpec,
    index: IntArray,
    attempt: int | IntArray,
    backgrounds: Sequence[IntArray],
    background_class: IntArray,
) -> Columns:
    """Draw every parameter of images.

    Parameters
    ----------
    spec : SceneSpec
    index : int array (n,)
    attempt : int or int array (n,)
    backgrounds : sequence of int arrays
        The backgrounds of each class.
    background_class : int array (n,)
        Which class an image has.

    Returns
    -------
    Columns
        One for each of `spec.spans`, interventions done; and `background_index`, `noise_key`.
    """
    own = [name for name in spec.spans if name not in BACKGROUND]
    drawn = parameters(spec, own, index, attempt)
    sizes = np.array([len(rows) for rows in backgrounds], dtype=np.int64)
    size = sizes[background_class]
    place = np.minimum((drawn["background"] * size).astype(np.int64), size - 1)
    which = np.concatenate(backgrounds)[(np.cumsum(sizes) - sizes)[background_class] + place]
    shared = [name for name in spec.spans if name in BACKGROUND]
    drawn |= parameters(spec, shared, which)
    drawn["background_index"] = which
    drawn["noise_key"] = words(spec.seed, ["noise_key"], index, attempt)[0].astype(np.int64)
    return drawn


def parameters(
    spec: SceneSpec, names: Sequence[str], index: IntArray, attempt: int | IntArray = 0
) -> Columns:
    """Draw some parameters, each in its range, and apply the interventions on them."""
    numbers = uniforms(spec.seed, names, index, attempt)
    return {name: _changed(spec, name, u) for name, u in zip(names, numbers, strict=True)}


def _changed(spec: SceneSpec, name: str, share: FloatArray) -> FloatArray:
    """Stretch uniform numbers to the parameter's range, and apply the interventions on it."""
    span = spec.spans[name]
    values = span[0] + share * (span[1] - span[0])
    for change in spec.interventions:
        if isinstance(change, Freeze | Shrink | Rerange) and name in members(
            change.latent, spec.spans
        ):
            values, span = moved(values, span, change)
    return values


def pose(spec: SceneSpec, drawn: Columns) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Turn the sampled parameters of the pose into rotation, centre, and turn of the camera.

    Parameters
    ----------
    spec : SceneSpec
    drawn : Columns
        The parameters of `spec.sampler`.

    Returns
    -------
    rotation : array (n, 3, 3)
        From the object's frame to the axes of the camera.
    centre : array (n, 3)
        Of the object, in the axes of the camera.
    back : array (n, 3, 3)
        From the axes that the camera had while it looked at the object to those that it has.

    Notes
    -----
    ``tdw``: with J = Rx(turn_pitch) Ry(turn_yaw) and `back` = J', the centre is J'(0, 0, -range)
    and the rotation J' Rx(pitch) Ry(yaw) Rz(roll). ``direct``: `back` is the identity, z = depth,
    x = z tan(angle_x), y = z tan(angle_y), the rotation Ry(yaw) Rx(pitch) Rz(roll).
    """
    if spec.sampler == "tdw":
        back = compose(rotation_y(-drawn["turn_yaw"]), rotation_x(-drawn["turn_pitch"]))
        local = compose(
            compose(rotation_x(drawn["pitch"]), rotation_y(drawn["yaw"])),
            rotation_z(drawn["roll"]),
        )
        return compose(back, local), -drawn["range"][:, None] * back[:, :, 2], back
    z = drawn["depth"]
    x, y = (z * np.tan(np.radians(drawn[name])) for name in ("angle_x", "angle_y"))
    pitch = drawn["pitch"] if spec.rotation == "euler" else degrees_of_sine(drawn["pitch_sine"])
    rotation = matrix_from_euler(pitch, drawn["yaw"], drawn["roll"])
    return rotation, np.stack([x, y, -z], axis=-1), np.tile(np.eye(3), (len(z), 1, 1))


def arrange(spec: SceneSpec, drawn: Columns, tints: FloatArray) -> Columns:
    """Turn parameters into pose, world and light.

    Parameters
    ----------
    spec : SceneSpec
    drawn : Columns
        Of `draw`.
    tints : array (n, 2, 3)
        Colour of the light from the sky and from the ground.

    Returns
    -------
    Columns
        `rotation` (n, 3, 3) and `centre` (n, 3) of the object; `world` (n, 3, 3) turns the axes of
        the world to those of the camera; `light` (n, 3) towards the sun; `sun`, `sky`, `ground`
        (n, 3) colours times strengths.

    Notes
    -----
    The sun stands where the background has it, above the horizon; where that is behind the object,
    it is mirrored to the camera's side.
    """
    rotation, centre, back = pose(spec, drawn)
    turn = rotation_y(-drawn["view_azimuth"])
    tilt = compose(back, rotation_x(degrees_of_sine(drawn["view_height"])))
    sun = _turned(turn, light_from(drawn["sun_azimuth"], drawn["sun_elevation"]))
    sun[:, 2] = np.abs(sun[:, 2])
    warmth, ambient = drawn["sun_warmth"][:, None], drawn["ambient_strength"][:, None]
    return {
        "rotation": rotation,
        "centre": centre,
        "world": compose(tilt, turn),
        "light": _turned(tilt, sun),
        "sun": drawn["sun_strength"][:, None] * (warmth * _WARM + (1 - warmth) * _COLD),
        "sky": ambient * tints[:, 0],
        "ground": 0.6 * ambient * tints[:, 1],
    }


def degrees_of_sine(sine: FloatArray) -> FloatArray:
    """Return the angle in [-90, 90] degrees that has this sine."""
    return np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def bodies(
    spec: SceneSpec, drawn: Columns, placed: Columns, mesh: IntArray, n_meshes: int
) -> Columns:
    """Add what may stand before and behind the object.

    Parameters
    ----------
    spec, drawn
        As in `arrange`.
    placed : Columns
        What `arrange` gave.
    mesh : int array (n,)
        Of the object.
    n_meshes : int
        Number of meshes; those of `OBSTACLES` follow them.

    Returns
    -------
    Columns
        `body_mesh` (n, b), -1 where nothing stands, `body_rotation` (n, b, 3, 3), `body_centre`
        (n, b, 3), `body_scale` (n, b). The first body is the object.
    """
    parts = [(mesh, placed["rotation"], placed["centre"], np.ones(len(mesh)))]
    depth = -placed["centre"][:, 2]
    if spec.occluder:
        near = drawn["occluder_nearness"]
        cosine, sine = cos_sin(drawn["occluder_bearing"])
        # Offset and size are those of the object's depth, so that they look alike at any depth.
        aside = drawn["occluder_offset"]
        centre = placed["centre"] + np.stack(
            [aside * cosine, aside * sine, np.zeros(len(mesh))], axis=-1
        )
        kind = np.minimum(drawn["occluder_kind"] * len(OBSTACLES), len(OBSTACLES) - 1)
        there = drawn["occluder_there"] < spec.occluder
        parts.append(
            (
                np.where(there, n_meshes + kind.astype(np.int64), -1),
                matrix_from_euler(
                    drawn["occluder_pitch"], drawn["occluder_yaw"], drawn["occluder_roll"]
                ),
                near[:, None] * centre,
                near * drawn["occluder_size"],
            )
        )
    if spec.distractor:
        far = depth + drawn["distractor_behind"]
        x, y = (far * np.tan(np.radians(drawn[f"distractor_{axis}"])) for axis in "xy")
        # Any mesh but that of the object, where there is another.
        step = 1 + np.minimum(drawn["distractor_kind"] * (n_meshes - 1), max(n_meshes - 2, 0))
        there = drawn["distractor_there"] < spec.distractor
        parts.append(
            (
                np.where(there, (mesh + step.astype(np.int64)) % n_meshes, -1),
                matrix_from_euler(
                    drawn["distractor_pitch"], drawn["distractor_yaw"], drawn["distractor_roll"]
                ),
                np.stack([x, y, -far], axis=-1),
                np.ones(len(mesh)),
            )
        )
    names = ("body_mesh", "body_rotation", "body_centre", "body_scale")
    return {name: np.stack([part[k] for part in parts], axis=1) for k, name in enumerate(names)}


def _turned(rotation: FloatArray, vectors: FloatArray) -> FloatArray:
    """Rotate vectors (n, 3) by matrices (n, 3, 3)."""
    return np.einsum("nij,nj->ni", rotation, vectors)
