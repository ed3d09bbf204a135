"""What was shown and how training went, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from isocortex.measures import symmetry, viewpoint
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.image_files import png_text
from isocortex.studies.farzmahdi2024.measuring import N_VIEWS, tuning
from isocortex.studies.farzmahdi2024.networks import Train
from isocortex.studies.farzmahdi2024.stimuli import Views, by_object

CONTROLS = ["area", "mean", "sd", "aspect_ratio"]
"""What of an image could be mirror-symmetric over views without any pattern."""


def object_table(views: Mapping[str, Views]) -> pd.DataFrame:
    """Return the manifest of every image of every set."""
    parts = []
    for name, step in views.items():
        table = step.stimuli().table
        table.insert(0, "set", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def montage(views: Mapping[str, Views], per_class: int = 2) -> pd.DataFrame:
    """Return a few objects of each class as PNGs in base64, one row an image."""
    rows = []
    for name in ("classes", "heads"):
        stimuli = views[name].stimuli()
        table = stimuli.table
        kinds = table["symmetry_class"] if name == "classes" else pd.Series("heads", table.index)
        for kind in kinds.unique():
            for object_id in table.loc[kinds == kind, "object_id"].unique()[:per_class]:
                chosen = np.flatnonzero(table["object_id"] == object_id)
                rows += _pictures(stimuli, chosen, str(kind))
    return pd.DataFrame(rows)


def _pictures(stimuli: StimulusSet, chosen: np.ndarray, kind: str) -> list[dict[str, object]]:
    rows = []
    for image, (_, row) in zip(
        stimuli.images(chosen), stimuli.table.iloc[chosen].iterrows(), strict=True
    ):
        rows.append(
            {
                "symmetry_class": kind,
                "object_id": row["object_id"],
                "view": row["view"],
                "yaw": row["yaw"],
                "png": png_text(image),
            }
        )
    return rows


def pixel_index(views: Mapping[str, Views], null_draws: int) -> pd.DataFrame:
    """Return the index of the pixels themselves, z-scored over the set as units are."""
    parts = []
    for name, step in views.items():
        stimuli = step.stimuli()
        objects = stimuli.table.iloc[::N_VIEWS].reset_index(drop=True)
        z, kept = symmetry.zscore(stimuli.images().flatten(1))
        parts.append(tuning({"pixels": z[:, kept]}, objects, name, null_draws)["index"])
    return pd.concat(parts, ignore_index=True)


def control_index(views: Mapping[str, Views]) -> pd.DataFrame:
    """Return the index of area, mean, SD and aspect ratio alone, from Euclidean distances (3.2).

    Each feature is z-scored over the set. One row an object.
    """
    parts = []
    for name, step in views.items():
        table = step.stimuli().table
        z, kept = symmetry.zscore(torch.tensor(table[CONTROLS].to_numpy(dtype=float)))
        features = by_object(z[:, kept], N_VIEWS)
        objects = table.iloc[::N_VIEWS].reset_index(drop=True)
        parts.append(
            objects[["object_id", "category", "symmetry_class"]].assign(
                set=name,
                exact=viewpoint.mirror_symmetry_index(torch.cdist(features, features)).numpy(),
            )
        )
    return pd.concat(parts, ignore_index=True)


def training_table(networks: Sequence[Train], trained: Sequence[dict]) -> pd.DataFrame:
    """Return one row a network: accuracy on held-out pictures and last loss."""
    rows = []
    for step, found in zip(networks, trained, strict=True):
        history = found["history"]
        rows.append(
            {
                "source": step.source,
                "policy": step.policy,
                "seed": step.seed,
                "n_labels": step.n_outputs,
                "device": step.device,
                "steps": 0 if history is None else step.steps,
                "last_loss": np.nan if history is None else float(history["loss"].iloc[-1]),
                "test_accuracy": found["accuracy"].get("test", np.nan),
            }
        )
    return pd.DataFrame(rows)
