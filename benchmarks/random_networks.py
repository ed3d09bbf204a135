"""Encoding of one V4-sized recording by a grid of random networks, stage by stage.

Random images of 56 px in place of 1,200 photographs, 89 neurons of Poisson counts; networks of the
family at the width of the preset `small`; 1,600 units of each of three blocks, five folds, 19
penalties chosen on validation rows. Three configurations are run; seconds are those of one core
that they took (CPU time, so that other work on the machine does not count), the mean over
configurations. `grid` is what 15 configurations with 2 seeds each then take on two cores.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from isocortex.measures.encoding import pearson_r, validated_ridge, validation_parts
from isocortex.models.rnet import rnet
from isocortex.studies.farahat2025.encoding import drawn
from isocortex.studies.farahat2025.networks import blocks

IMAGES, NEURONS, SIZE, N_PRED = 1_200, 89, 56, 1_600
CONFIGURATIONS = (("relu", "avg"), ("tanh", "avg"), ("relu", "max"))
GRID, CORES = 30, 2


def main() -> list[dict[str, Any]]:
    """Measure the stages of a few networks."""
    images = torch.randn(IMAGES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    responses = np.random.default_rng(0).poisson(3.0, (IMAGES, NEURONS)).astype(float)
    parts = validation_parts(IMAGES)
    spent: dict[str, list[float]] = {}

    def clock(stage: str, began: float) -> float:
        now = time.process_time()
        spent.setdefault(stage, []).append(now - began)
        return now

    for seed, (activation, pooling) in enumerate(CONFIGURATIONS):
        at = time.process_time()
        network = rnet(activation, pooling, seed=seed)
        at = clock("build and set the gain", at)
        maps = blocks(network, images, 128)
        at = clock("forward, all blocks", at)
        predictors = [drawn(m.flatten(1), N_PRED, seed, k) for k, m in enumerate(maps)]
        at = clock("draw units", at)
        for x in predictors:
            for fold in parts:
                found = validated_ridge(x, responses, fold)
                pearson_r(responses[fold[2]], found.predictions)
        clock("ridge: 3 blocks, 5 folds, 19 penalties", at)
    rows = [
        {"stage": stage, "seconds a network": float(np.mean(values))}
        for stage, values in spent.items()
    ]
    total = sum(row["seconds a network"] for row in rows)
    rows.append({"stage": "all", "seconds a network": total})
    return [
        {**row, "share": row["seconds a network"] / total,
         "grid, minutes on two cores": row["seconds a network"] * GRID / CORES / 60}
        for row in rows
    ]  # fmt: skip


if __name__ == "__main__":
    import pandas as pd

    print(pd.DataFrame(main()).to_string(index=False))
