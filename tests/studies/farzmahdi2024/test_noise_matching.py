"""Layers with as much noise as a recording."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.errors import UserError
from isocortex.measures.reliability import spearman_brown
from isocortex.measures.viewpoint import mirror_symmetry_index, view_rdm
from isocortex.studies.farzmahdi2024.facepatch import normalised, raw_index
from isocortex.studies.farzmahdi2024.noise_matching import noise_matched_index


def mirror_layer(units: int = 200, heads: int = 8) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(heads, 5, units))
    x[:, 3:] = x[:, 1::-1] + 0.3 * x[:, 3:]
    x[:, 2] += np.random.default_rng(1).normal(size=units)
    return x


def test_target_is_reached_and_noise_lowers_the_index() -> None:
    layer = mirror_layer()
    clean = raw_index(layer.transpose(2, 0, 1))
    medians, noises = [], []
    for target in (0.95, 0.5):
        matched = noise_matched_index(layer, target, n_units=60, n_draws=20)
        assert matched.reliability == pytest.approx(target, abs=0.01)
        assert matched.indices.shape == (20,)
        assert matched.n_units == 60
        medians.append(np.median(matched.indices))
        noises.append(matched.noise_sd)
    assert clean > medians[0] > medians[1]
    assert noises[0] < noises[1]


def test_halves_with_fresh_noise_reach_the_target() -> None:
    """The mean of two halves has the noise reported, so that each half has sqrt(2) of it."""
    layer = mirror_layer(units=80, heads=12)
    matched = noise_matched_index(layer, 0.7, n_units=80, n_draws=30)
    z = normalised(layer.transpose(2, 0, 1))
    upper = np.triu_indices(5, 1)
    rng = np.random.default_rng(9)
    r, indices = [], []
    for _ in range(30):
        halves = z + np.sqrt(2) * matched.noise_sd * rng.normal(size=(2, *z.shape))
        first, second = view_rdm(halves)[..., *upper]
        r.append([np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)])
        indices.append(np.median(mirror_symmetry_index(view_rdm(halves.mean(axis=0)))))
    assert np.median(spearman_brown(np.mean(r, axis=0))) == pytest.approx(0.7, abs=0.02)
    assert np.mean(indices) == pytest.approx(np.mean(matched.indices), abs=0.03)


def test_layers_may_be_small_but_must_vary() -> None:
    layer = mirror_layer(units=20)
    layer[..., 3] = 1.0
    assert noise_matched_index(layer, 0.8, n_draws=5).n_units == 19
    again = noise_matched_index(layer, 0.8, n_draws=5)
    np.testing.assert_array_equal(again.indices, noise_matched_index(layer, 0.8, n_draws=5).indices)
    with pytest.raises(UserError, match="between 0 and 1"):
        noise_matched_index(layer, 1.0)
    with pytest.raises(UserError, match="units of the layer vary"):
        noise_matched_index(np.ones((4, 5, 10)), 0.8)
