"""Areas whose answer is known, fitted from images to verdict: energies are told from pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocortex.brains.simulated import v1_population
from isocortex.claims import Verdict
from isocortex.measures.encoding import validation_parts
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.image_files import with_channels
from isocortex.studies.farahat2025.areas import SimulatedArea
from isocortex.studies.farahat2025.contrasts import SMOOTH
from isocortex.studies.farahat2025.encoding import Encode
from isocortex.studies.farahat2025.judging import judge_all
from isocortex.studies.farahat2025.networks import Network, standardise
from isocortex.studies.farahat2025.patches import Patches, natural_patches
from isocortex.studies.farahat2025.shown import Shown

IMAGES, SIZE, CELLS, SEEDS = 1_000, 20, 40, 3
NETWORKS = [("relu", "avg"), *((a, p) for p in ("avg", "max") for a in SMOOTH)]


@pytest.fixture(scope="module")
def patches() -> Patches:
    return natural_patches(IMAGES, SIZE, "train", None, seed=2)


def fitted(
    patches: Patches, trials: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Verdict]:
    """Fit random networks to the area, one fold, and judge ReLU and max pooling in it."""
    parts = validation_parts(IMAGES, 5, groups=patches.photograph)
    images = with_channels(standardise(patches.images, parts[0][0]), 3)
    kinds = ("",) * CELLS
    area = Shown(images, trials.mean(axis=0), trials, None, kinds, parts)
    monkeypatch.setattr(SimulatedArea, "shown", lambda self: area)
    named = SimulatedArea(
        name="v1-sim", images=IMAGES, size=SIZE, cells=CELLS, repetitions=10, spikes=20, folds=5
    )
    tables = [
        Encode(
            network=Network(
                activation=activation, pooling=pooling, seed=seed, channels=(16, 24, 32)
            ),
            simulated=named,
            n_pred=400,
            folds_run=1,
            batch_size=200,
        ).compute()["encoding"]
        for activation, pooling in NETWORKS
        for seed in range(SEEDS)
    ]
    judged = judge_all({"encoding": pd.concat(tables)}, 300, (), rejected=False)
    return {j.claim.id: j.verdict for j in judged}


def test_relu_and_max_predict_simple_and_energy_cells_best(
    patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = v1_population(
        StimulusSet.from_tensor(patches.images), simple=CELLS // 4, complex_=CELLS * 3 // 4,
        repetitions=10, spikes=20.0, cycles=(2.0, 4.0),
    )  # fmt: skip
    trials = made.assembly.trials
    assert trials is not None
    found = fitted(patches, trials.to_numpy().astype(np.float64), monkeypatch)
    assert (found["T3"], found["T4"]) == (Verdict.SHOWN, Verdict.SHOWN)


def test_neither_is_shown_of_cells_that_are_linear_in_pixels(
    patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    filters = np.zeros((SIZE, SIZE, CELLS))
    for cell in range(CELLS):
        y, x = rng.integers(0, SIZE - 6, 2)
        filters[y : y + 6, x : x + 6, cell] = rng.standard_normal((6, 6))
    pixels = patches.images.flatten(1).double().numpy()
    linear = (pixels - pixels.mean(axis=0)) @ filters.reshape(-1, CELLS)
    linear /= linear.std(axis=0)
    trials = linear + 0.7 * rng.standard_normal((10, IMAGES, CELLS))
    found = fitted(patches, trials, monkeypatch)
    assert Verdict.SHOWN not in (found["T3"], found["T4"])
