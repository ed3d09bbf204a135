"""What filters, pooling, objects and light do before anything is learned (8.4, 9)."""

from __future__ import annotations

import pandas as pd
import torch

from isocortex.execution import Step, tick
from isocortex.measures import symmetry, viewpoint
from isocortex.models.filters import READOUTS, FilterNetwork
from isocortex.recording import record
from isocortex.stimuli.transforms import TRANSFORMS
from isocortex.studies.farzmahdi2024.measuring import N_VIEWS
from isocortex.studies.farzmahdi2024.stimuli import Views, by_object


class Mechanism(Step):
    """Measure hand-made networks: filters x read-out x class of symmetry x light.

    Units are z-scored over the views of one class, so that asymmetric objects cannot disturb the
    exactness of symmetric ones. The table has one row an object.
    """

    views: dict[str, Views]
    seeds: int

    def compute(self) -> pd.DataFrame:
        """Record and measure every network."""
        flip = TRANSFORMS["hflip"]
        rows = []
        for seed in range(self.seeds):
            for filters, transform in (("random", None), ("symmetric", flip)):
                for lighting, views in self.views.items():
                    stimuli = views.stimuli()
                    size = stimuli.shape[-1]
                    network = FilterNetwork(transform, flip, size=size, seed=seed).eval()
                    recording = record(network, stimuli, list(READOUTS.values()))
                    objects = stimuli.table.iloc[::N_VIEWS].reset_index(drop=True)
                    for readout, layer in READOUTS.items():
                        found = _index_by_class(torch.from_numpy(recording[layer]), objects)
                        rows.append(
                            found.assign(
                                seed=seed, filters=filters, lighting=lighting, readout=readout
                            )
                        )
            tick(seed + 1, self.seeds)
        table = pd.concat(rows, ignore_index=True)
        first = ["seed", "filters", "lighting", "readout"]
        return table[first + [c for c in table if c not in first]]


def _index_by_class(responses: torch.Tensor, objects: pd.DataFrame) -> pd.DataFrame:
    """Return the index of every object, each unit z-scored within the object's class."""
    folded = by_object(responses, N_VIEWS)
    parts = []
    for kind, rows in objects.groupby("symmetry_class", sort=False).groups.items():
        chosen = folded[torch.tensor(rows.to_numpy())]
        z, kept = symmetry.zscore(chosen.flatten(0, 1))
        rdm = viewpoint.view_rdm(by_object(z[:, kept], N_VIEWS))
        parts.append(
            pd.DataFrame(
                {
                    "symmetry_class": kind,
                    "object_id": objects.loc[rows, "object_id"].to_numpy(),
                    "exact": viewpoint.mirror_symmetry_index(rdm).numpy(),
                    "n_units": int(kept.sum()),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
