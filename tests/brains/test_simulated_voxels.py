"""Normalised cells and voxels: formulas, ceilings, and what the exponent does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.brains.simulated import v1_population, voxel_population
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet

IMAGES = StimulusSet.from_tensor(
    torch.rand((200, 1, 24, 24), generator=torch.Generator().manual_seed(0))
)


def test_normalised_rates_are_the_formula() -> None:
    plain = v1_population(IMAGES, simple=4, complex_=4)
    found = v1_population(IMAGES, simple=4, complex_=4, exponent=1.3, normalisation=0.5)
    d = plain.expected / plain.expected.mean(axis=0)
    rates = d**1.3 / (0.5**1.3 + (d**1.3).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(found.expected, 5 * rates / rates.mean(axis=0))


def test_an_exponent_of_one_without_normalisation_changes_nothing() -> None:
    one, other = v1_population(IMAGES), v1_population(IMAGES, exponent=1.0)
    np.testing.assert_array_equal(one.expected, other.expected)


def test_voxels_are_weighted_means_of_cells_with_the_wanted_ceiling() -> None:
    cells = v1_population(IMAGES, simple=20, complex_=20)
    made = voxel_population(cells, voxels=6, reach=0.08, explainable=0.3, repetitions=40)
    units, places = made.assembly.units, cells.assembly.units
    for k in range(6):
        away = (places["x"] - units["x"][k]) ** 2 + (places["y"] - units["y"][k]) ** 2
        w = np.exp(-away.to_numpy() / (2 * 0.08**2))
        signal = (cells.expected / cells.expected.mean(axis=0)) @ w
        assert np.corrcoef(signal, made.expected[:, k])[0, 1] == pytest.approx(1)
    np.testing.assert_allclose(made.expected.std(axis=0, ddof=1), 1)
    np.testing.assert_allclose(made.explainable_variance(), 0.3)
    trials = made.assembly.trials
    assert trials is not None
    noise = (trials.to_numpy() - made.expected).var()
    assert noise == pytest.approx(1 / 0.3 - 1, rel=0.03)


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="exponent"):
        v1_population(IMAGES, exponent=0.0)
    cells = v1_population(IMAGES)
    with pytest.raises(UserError, match="explainable"):
        voxel_population(cells, explainable=0.0)
