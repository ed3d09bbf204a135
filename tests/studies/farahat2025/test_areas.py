"""What areas hold: recordings as they are known, parts that share nothing, shares of variance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.measures.encoding import pearson_r, validated_ridge, validation_parts
from isocortex.studies.farahat2025.areas import (
    TANG,
    Recorded,
    Shown,
    SimulatedArea,
    gabor_pyramid,
)
from isocortex.studies.farahat2025.encoding import (
    correlation,
    drawn,
    explainable,
    explained_share,
)
from isocortex.studies.farahat2025.networks import Network, blocks, objects, standardise


@pytest.mark.data
def test_v1_patterns_are_split_by_runs_and_predicted_from_pixels_as_known(
    data_folder: Path,
) -> None:
    area = Recorded(
        name=TANG, size=20, presentations=9500, folds=5, data=data_folder, data_checksum=""
    )
    shown = area.shown()
    assert shown.images.shape == (9500, 3, 20, 20)
    assert torch.equal(shown.images[:, 0], shown.images[:, 2])
    for train, validation, test in shown.parts:
        runs = [set(shown.groups[rows]) for rows in (train, validation, test)]
        assert not (runs[0] & runs[1]) | (runs[0] & runs[2]) | (runs[1] & runs[2])
    raw = shown.images[:, 0]
    white = (raw > raw.mean()).double().mean()
    assert float(white) == pytest.approx(0.81, abs=0.05)  # the centre is mostly white
    pixels = raw.flatten(1).numpy()
    r = [
        pearson_r(shown.responses[p[2]], validated_ridge(pixels, shown.responses, p).predictions)
        for p in shown.parts
    ]
    mean = np.mean(r, axis=0)
    assert (mean > 0.26).all()
    assert (mean < 0.37).all()


@pytest.mark.data
def test_energies_of_components_predict_v1_patterns_as_known(data_folder: Path) -> None:
    """A quadratic model on 40 principal components: far above any that is linear in pixels."""
    area = Recorded(
        name=TANG, size=20, presentations=9500, folds=5, data=data_folder, data_checksum=""
    )
    shown = area.shown()
    pixels = shown.images[:, 0].flatten(1).double().numpy()
    first, second = np.triu_indices(40)
    r = []
    for parts in shown.parts:
        train, _, test = parts
        _, vectors = np.linalg.eigh(np.cov(pixels[train], rowvar=False))
        found = (pixels - pixels[train].mean(axis=0)) @ vectors[:, -40:]
        found /= found[train].std(axis=0)
        quadratic = np.concatenate([found, found[:, first] * found[:, second]], axis=1)
        fit = validated_ridge(quadratic, shown.responses, parts)
        r.append(pearson_r(shown.responses[test], fit.predictions))
    mean = np.mean(r, axis=0).round(2)
    assert (mean >= 0.50).all()
    assert (mean <= 0.69).all()


@pytest.mark.data
def test_the_simulated_it_is_shown_the_photographs_of_its_teacher(data_folder: Path) -> None:
    teacher = Network(
        activation="gelu", pooling="avg", norm="bn", calibration_images=0, channels=(8, 8, 12),
        source="cifar10", data=data_folder,
    )  # fmt: skip
    area = SimulatedArea(
        name="it-sim", images=200, size=32, cells=12, repetitions=10, spikes=5.0, folds=5,
        teacher=teacher,
    )  # fmt: skip
    found = area.compute()
    assert found["trials"].shape == (20, 200, 12)
    expected, _ = objects("cifar10", "test", 200, data_folder)
    assert torch.equal(found["images"], expected)
    # The teacher's own maps explain the responses far better than chance.
    seen = standardise(expected)
    maps = blocks(teacher.network(seen), seen, 100)[-1].flatten(1).double().numpy()
    parts = validation_parts(200, 5)[0]
    means = found["trials"].mean(axis=0).astype(np.float64)
    predicted = validated_ridge(maps, means, parts).predictions
    assert np.mean(pearson_r(means[parts[2]], predicted)) > 0.3


@pytest.mark.data
def test_46_of_50_cells_of_the_session_with_trials_can_be_explained(data_folder: Path) -> None:
    area = Recorded(
        name="v4-210325", size=32, presentations=640, folds=5, data=data_folder, data_checksum=""
    )
    shown = area.shown()
    assert shown.trials is not None
    assert int(explainable(shown.trials).sum()) == 46
    perfect = np.nanmean(shown.trials, axis=0)
    share = explained_share(shown, perfect)
    assert int(np.isfinite(share).sum()) == 46
    # The mean of the trials themselves knows their noise, too: 1 + N / (k S), about 1.3 here.
    assert 1 < np.nanmedian(share) < 1.5


def shown(trials: np.ndarray) -> Shown:
    n = trials.shape[1]
    return Shown(torch.zeros(n, 3, 8, 8), trials.mean(axis=0), trials, None, ("",) * 2, [])


def test_explained_share_is_1_for_the_signal_0_for_the_mean_and_nan_for_noise() -> None:
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((400, 2)) * [1.0, 0.0]
    trials = signal + rng.standard_normal((8, 400, 2))
    area = shown(trials)
    perfect, mean = explained_share(area, signal), explained_share(area, np.zeros((400, 2)))
    assert perfect[0] == pytest.approx(1, abs=0.1)
    assert mean[0] == pytest.approx(0, abs=0.05)
    assert np.isnan(perfect[1])


def test_a_prediction_that_does_not_vary_predicts_nothing() -> None:
    y = np.stack([np.arange(5.0), np.ones(5)], axis=1)
    r = correlation(y, np.zeros((5, 2)))
    assert r[0] == 0
    assert np.isnan(r[1])


def test_units_are_the_same_places_for_all_networks_of_a_seed() -> None:
    units = torch.arange(100.0).repeat(3, 1)
    one, other = drawn(units, 60, 4, 1), drawn(units + 1, 60, 4, 1)
    np.testing.assert_array_equal(one + 1, other)
    assert not np.array_equal(one, drawn(units, 60, 5, 1))
    assert drawn(units, 60, 4, 1).shape == (3, 60)


def test_the_pyramid_answers_the_orientation_that_it_is_tuned_to() -> None:
    x = torch.arange(32) / 32
    upright = (0.5 + 0.5 * torch.sin(2 * torch.pi * 6 * x)).expand(1, 1, 32, 32)
    maps = gabor_pyramid(torch.cat([upright, upright.mT])).view(2, 5, 3, 4, 16)
    energy = maps[:, 4, 2].mean(dim=-1)  # image, orientation, at 6 cycles an image
    assert energy[0].argmax() == 0
    assert energy[1].argmax() == 2
    assert maps.shape[1:] == (5, 3, 4, 16)
