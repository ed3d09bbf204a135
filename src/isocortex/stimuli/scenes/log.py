"""The log: every latent of every image, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from isocortex.stimuli.scenes.poses import (
    euler_from_matrix,
    quaternion_from_matrix,
    six_from_matrix,
)
from isocortex.stimuli.scenes.sampling import OBSTACLES, Columns

if TYPE_CHECKING:
    from isocortex.stimuli.scenes.scenes import LatentScenes


def table(scenes: LatentScenes, columns: Columns) -> pd.DataFrame:
    """Return one row an image.

    Parameters
    ----------
    scenes : LatentScenes
        What the images are of.
    columns : Columns
        What `LatentScenes.columns` gave.

    Returns
    -------
    pandas.DataFrame
        Columns, lengths in the object's longest side, angles in degrees:

        - stimulus_id, seed, index, attempt (from 0), accepted;
        - mesh (number), identity (its name), category, mesh_hash;
        - background_class, background, crop_left, crop_top, crop_side (pixels of the picture),
          crop_mirrored;
        - x, y, z (depth along the camera's axis, positive), range, angle_x, angle_y (visual angles
          of the centre), visual_size (visual angle of the longest side at that depth);
        - pitch, yaw, roll; quaternion_w, _x, _y, _z; rotation_00 ... rotation_22 (row, column);
          six_0 ... six_5;
        - light_x, _y, _z (towards the sun, axes of the camera), sun, sky, ground (luminances);
          up_x, _y, _z (of the world, axes of the camera);
        - u, v (centre in the picture, shares of its width from the left and from the top);
          box_left, box_top, box_right, box_bottom (the object within the frame, same units);
        - visible_area (share of the frame), visible_fraction, in_frame_fraction;
        - occluder, distractor (what stands there, empty if nothing), where asked for;
        - sampled_*: every parameter as drawn, interventions done.
    """
    known = scenes.backgrounds
    mesh, which = columns["mesh"], columns["background_index"]
    centre, rotation = columns["centre"], columns["rotation"]
    x, y, z = centre[:, 0], centre[:, 1], -centre[:, 2]
    half = 2 * scenes.caster.extent
    pitch, yaw, roll = euler_from_matrix(rotation)
    weights = np.array([0.2126, 0.7152, 0.0722])
    rows: dict[str, object] = {
        "stimulus_id": [f"{i:08d}" for i in columns["index"]],
        "seed": np.full(len(mesh), scenes.spec.seed),
        "index": columns["index"],
        "attempt": columns["attempt"],
        "accepted": columns["accepted"],
        "mesh": mesh,
        "identity": [scenes.ids[k] for k in mesh],
        "category": [scenes.meshes[k].category for k in mesh],
        "mesh_hash": [scenes.meshes[k].hash for k in mesh],
        "background_class": [known.classes[k] for k in which],
        "background": [known.names[k] for k in which],
        "crop_left": columns["crop"][:, 0],
        "crop_top": columns["crop"][:, 1],
        "crop_side": columns["crop"][:, 2],
        "crop_mirrored": columns["crop"][:, 3] < 0,
        "x": x,
        "y": y,
        "z": z,
        "range": np.sqrt((centre**2).sum(axis=1)),
        "angle_x": np.degrees(np.arctan2(x, z)),
        "angle_y": np.degrees(np.arctan2(y, z)),
        "visual_size": np.degrees(2 * np.arctan2(0.5, z)),
        "pitch": pitch,
        "yaw": yaw,
        "roll": roll,
    }
    rows |= _parts("quaternion", quaternion_from_matrix(rotation), "wxyz")
    rows |= _parts(
        "rotation", rotation.reshape(-1, 9), [f"{i}{j}" for i in range(3) for j in range(3)]
    )
    rows |= _parts("six", six_from_matrix(rotation), [str(k) for k in range(6)])
    rows |= _parts("light", columns["light"], "xyz")
    rows |= {name: columns[name] @ weights for name in ("sun", "sky", "ground")}
    rows |= _parts("up", columns["world"][:, :, 1], "xyz")
    rows |= {"u": 0.5 + x / (z * half), "v": 0.5 - y / (z * half)}
    rows |= _parts("box", columns["box"], ["left", "top", "right", "bottom"])
    rows |= {
        name: columns[name] for name in ("visible_area", "visible_fraction", "in_frame_fraction")
    }
    for k, name in enumerate(n for n in ("occluder", "distractor") if getattr(scenes.spec, n)):
        labels = [*scenes.ids, *OBSTACLES, ""]
        rows[name] = [labels[m] for m in columns["body_mesh"][:, 1 + k]]
    rows |= {f"sampled_{name}": columns[name] for name in scenes.spec.spans}
    return pd.DataFrame(rows)


def _parts(name: str, values: np.ndarray, labels: object) -> dict[str, object]:
    return {f"{name}_{label}": values[:, k] for k, label in enumerate(list(labels))}  # type: ignore[call-overload]
