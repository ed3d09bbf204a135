"""A small made population with a known amount of mirror tuning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from isocortex.brains import FaceViews

VIEW_NAMES = ("front", "l34", "lp", "r34", "rp", "back", "up", "down")


def made_population(
    mirror: float = 1.0, neurons: int = 40, persons: int = 6, trials: int = 4, seed: int = 0
) -> FaceViews:
    """Poisson spikes whose rates mix a mirror-symmetric and a free part, from 100 ms on."""
    rng = np.random.default_rng(seed)
    drive = rng.normal(size=(neurons, persons, 8)) + rng.normal(size=(neurons, 1, 8))
    even = drive.copy()
    for left, right in ((2, 4), (1, 3)):
        even[:, :, right] = even[:, :, left]
    log_rate = mirror * even + (1 - mirror) * drive
    mean = 30 * np.exp(0.6 * log_rate)
    shape = mean.shape
    cells = np.repeat(np.arange(mean.size), trials)
    neuron, person, view = np.unravel_index(cells, shape)
    in_response = (np.arange(32) >= 4) & (np.arange(32) < 16)
    rate = np.where(in_response, mean[neuron, person, view][:, None], 10.0)
    counts = rng.poisson(rate * 0.025).astype(np.uint8)
    totals = np.bincount(cells, counts[:, 4:16].sum(axis=1), minlength=mean.size)
    return FaceViews(
        neuron,
        person,
        view,
        counts,
        np.arange(0, 801, 25.0),
        VIEW_NAMES,
        np.array([0, -45, -90, 45, 90, 180, np.nan, np.nan]),
        (totals / trials / 0.3).reshape(shape),
        tuple(f"site{i}" for i in range(neurons)),
        "made",
        "AM",
    )


@pytest.fixture(scope="session")
def make_population() -> Callable[..., FaceViews]:
    return made_population


@pytest.fixture(scope="session")
def mirror_population() -> FaceViews:
    return made_population(mirror=0.7)


@pytest.fixture(scope="session")
def free_population() -> FaceViews:
    return made_population(mirror=0.0)
