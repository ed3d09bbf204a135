"""Texture classes: patches that share no pixel, classes that can be told apart, seeded draws."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli.procedural_textures import PROCEDURAL
from isocortex.stimuli.textures import (
    PATCH,
    SPLITS,
    PhotographedTextures,
    ProceduralTextures,
    class_set,
    low_frequency_share,
    texture_features,
    textures,
    usable_classes,
)


def family(side: int = 256) -> PhotographedTextures:
    """White noise, and sines of two frequencies, one of them twice."""
    rng = np.random.default_rng(0)
    x = np.arange(side) / PATCH
    rows = [rng.standard_normal((side, side))]
    rows += [
        np.sin(2 * np.pi * f * x)[None] + 0.3 * rng.standard_normal((side, side))
        for f in (3, 12, 12)
    ]
    images = torch.from_numpy(np.stack(rows)).float()
    return PhotographedTextures("own", ("noise", "coarse", "fine", "again"), images, 144, 160)


@pytest.mark.parametrize(("side", "columns"), [(256, (144, 160)), (320, (192, 208))])
def test_regions_of_the_splits_share_no_pixel(side: int, columns: tuple[int, int]) -> None:
    source = PhotographedTextures("own", ("one",), torch.zeros(1, side, side), *columns)
    taken = {}
    for split in SPLITS:
        taken[split] = np.zeros((side, side), dtype=bool)
        y, x = source.corners(500, split, np.random.default_rng(0))
        for row, column in zip(y, x, strict=True):
            taken[split][row : row + PATCH, column : column + PATCH] = True
    assert all(t.any() for t in taken.values())
    for one, other in combinations(SPLITS, 2):
        assert not (taken[one] & taken[other]).any()


def test_patches_are_the_windows_at_their_corners() -> None:
    source = family()
    labels, y, x = np.array([0, 2]), np.array([3, 100]), np.array([7, 0])
    cut = source.cut(labels, y, x)
    torch.testing.assert_close(cut[0], source.images[0, 3:67, 7:71])
    torch.testing.assert_close(cut[1], source.images[2, 100:164, 0:64])


def test_features_are_mean_power_in_bands_and_moments() -> None:
    patches = torch.from_numpy(np.random.default_rng(1).gamma(2.0, size=(2, PATCH, PATCH)))
    found = texture_features(patches).numpy()
    hann = np.hanning(PATCH + 2)[1:-1]
    f = np.fft.fftfreq(PATCH) * PATCH
    for patch, row in zip(patches.numpy(), found, strict=True):
        z = (patch - patch.mean()) / patch.std()
        power = np.abs(np.fft.fft2(z * np.outer(hann, hann))) ** 2
        bands: list[list[float]] = [[] for _ in range(24)]
        for i, fy in enumerate(f):
            for j, fx in enumerate(f):
                radius = np.hypot(fx, fy)
                if 2 <= radius < 32:
                    band = int(np.floor(np.log2(radius))) - 1
                    sector = int(np.rad2deg(np.arctan2(fy, fx)) % 180 // 30)
                    bands[6 * band + sector].append(power[i, j])
        np.testing.assert_allclose(row[:24], [np.log(np.mean(b)) for b in bands], rtol=1e-9)
        np.testing.assert_allclose(row[24:], [(z**3).mean(), (z**4).mean()])


def test_low_frequency_share_is_all_or_nothing_for_sines() -> None:
    x = torch.arange(PATCH) / PATCH
    waves = torch.stack([torch.sin(2 * torch.pi * f * x).expand(PATCH, PATCH) for f in (2, 3)])
    torch.testing.assert_close(low_frequency_share(waves), torch.tensor([1.0, 0.0]).double())


def test_classes_that_cannot_be_told_apart_are_not_usable() -> None:
    assert usable_classes(family()) == (0, 1)


@pytest.mark.parametrize("kind", PROCEDURAL)
def test_procedural_patches_follow_the_generator_and_vary(kind: str) -> None:
    draw = PROCEDURAL[kind]
    one, same = (draw(3, PATCH, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (3, PATCH, PATCH)
    assert np.isfinite(one).all()
    assert (one.std(axis=(1, 2)) > 1e-3).all()
    assert not np.allclose(one[0], one[1])


def test_procedural_classes_are_told_apart_by_their_features() -> None:
    source = ProceduralTextures()
    labels = np.repeat(np.arange(10), 30)
    fitted, tested = (
        texture_features(source.patches(labels, split, np.random.default_rng(seed)))
        for seed, split in enumerate(("train", "test"))
    )
    means = torch.stack([fitted[labels == k].mean(dim=0) for k in range(10)])
    scale = fitted.std(dim=0)
    named = torch.cdist(tested / scale, means / scale).argmin(dim=1).numpy()
    assert (named == labels).mean() > 0.8


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="family of textures"):
        textures("brodats")
    with pytest.raises(UserError, match="needed but no data folder"):
        textures("real-brodatz")
    with pytest.raises(UserError, match="split"):
        ProceduralTextures().patches(np.zeros(1, dtype=int), "tests", np.random.default_rng(0))


@pytest.mark.data
def test_sets_of_recorded_classes(data_folder: Path) -> None:
    assert len(usable_classes(textures("real-brodatz", data_folder))) == 52
    sets = [class_set("real-brodatz", seed, data_folder) for seed in range(6)]
    assert len(set(sum(sets[:5], ()))) == 50  # five disjoint sets of ten of the usable classes
    assert sets[5] == sets[0]
    overlapping = [class_set("real-kim", seed, data_folder) for seed in range(5)]
    assert all(len(set(s)) == 10 for s in overlapping)
    with pytest.raises(UserError, match="6 classes"):
        class_set("real-portilla", 0, data_folder)
