"""Backgrounds: what there is, what they look like, and what they depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.render import families
from isocortex.stimuli.scenes import LatentScenes, SceneSpec, backgrounds
from isocortex.stimuli.scenes.backgrounds import PROCEDURAL, concatenate, from_folder, procedural
from isocortex.stimuli.scenes.patterns import fractal
from isocortex.stimuli.scenes.pictures import LEVELS, make_atlas


@pytest.mark.parametrize("name", PROCEDURAL)
def test_every_class_shows_varied_pictures_in_range(name: str) -> None:
    known = procedural((name,), 4, seed=1)
    assert set(known.classes) == {name}
    assert len(set(known.names)) == len(known) == 4
    assert known.hash == procedural((name,), 4, seed=1).hash
    assert known.hash != procedural((name,), 4, seed=2).hash
    # One by one they are what they are among others.
    assert known[:2].hash == procedural((name,), 6, seed=1)[:2].hash
    weights = np.array([0.2126, 0.7152, 0.0722])
    assert np.allclose(known.tints @ weights, 1)
    scenes = LatentScenes(SceneSpec(n_images=12), [families.build("blob", 0)], known)
    image = scenes.render(np.arange(12), 24).image
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.mean(dim=(2, 3)).std(dim=0).min() > 0.01


def test_noise_falls_off_as_one_over_f() -> None:
    picture = fractal(np.random.default_rng(0), 256).astype(float)
    power = np.abs(np.fft.rfft2(picture - picture.mean())) ** 2
    f = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    band = (f > 0.02) & (f < 0.3)
    slope = np.polyfit(np.log(f[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.15)  # of power; amplitude falls half as steeply
    assert picture.mean() == pytest.approx(128, abs=2)
    assert picture.std() == pytest.approx(42, abs=2)


def test_halvings_keep_the_mean() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 32, 3), dtype=np.uint8), np.full((1, 1, 3), 7, np.uint8)]
    atlas = make_atlas(pictures)
    assert atlas.height[0].tolist() == [64, 32, 16, 8, 4, 2, 1, 1, 1]
    assert atlas.width[0].tolist() == [32, 16, 8, 4, 2, 1, 1, 1, 1]
    assert atlas.height.shape == (2, LEVELS)
    last = atlas.pixels[atlas.offset[0, 6]]
    assert np.abs(last - pictures[0].mean(axis=(0, 1))).max() < 2
    assert (atlas.pixels[atlas.offset[1]] == 7).all()
    first = atlas.pixels[: 64 * 32].reshape(64, 32, 3)
    assert (first == pictures[0]).all()
    half = atlas.pixels[atlas.offset[0, 1] :][: 32 * 16].reshape(32, 16, 3)
    assert np.abs(half - first.reshape(32, 2, 16, 2, 3).mean(axis=(1, 3))).max() <= 0.5


def test_a_folder_of_photographs_names_the_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("b.png", "wood/a.png", "wood/deep/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image_files.write_png(
            torch.from_numpy(rng.random((3, 20, 30), dtype=np.float32)), tmp_path / name
        )
    known = from_folder(tmp_path)
    assert known.classes == ("photograph", "wood", "wood")
    assert known.names == ("b.png", "wood/a.png", "wood/deep/c.png")
    assert known.pictures[0].shape == (20, 30, 3)
    with pytest.raises(UserError, match="no folder"):
        from_folder(tmp_path / "none")


def test_large_photographs_are_scaled_down() -> None:
    image = torch.rand(1, 600, 900)
    made = backgrounds._bytes(image)
    assert made.shape == (512, 768, 3)
    assert (made[..., 0] == made[..., 2]).all()


def test_mistakes_are_one_clear_line() -> None:
    with pytest.raises(UserError, match="unknown class of backgrounds 'nois'; did you mean noise"):
        procedural(("nois",))
    with pytest.raises(UserError, match="1 or more"):
        procedural(("noise",), 0)
    with pytest.raises(UserError, match="at least one"):
        concatenate([])
    one = procedural(("uniform",), 1)
    with pytest.raises(UserError, match="twice"):
        concatenate([one, one])
    with pytest.raises(UserError, match="uint8"):
        make_atlas([np.zeros((3, 3, 3))])  # type: ignore[list-item]


@pytest.mark.data
def test_photographs_of_the_data_folder(data_folder: Path) -> None:
    known = backgrounds.photographs(data_folder, count=5)
    assert len(known) == 5
    assert all(min(p.shape[:2]) == 321 for p in known.pictures)
    with pytest.raises(UserError, match="bsds500"):
        backgrounds.photographs(data_folder, "bsds")
