"""Splits: nothing of the test in the training."""

from __future__ import annotations

import pytest

from isocortex.errors import UserError
from isocortex.stimuli.render import families
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes import LatentScenes, SceneSpec
from isocortex.stimuli.scenes.backgrounds import Backgrounds, procedural
from isocortex.stimuli.scenes.splits import (
    split_backgrounds,
    split_images,
    split_models,
    split_range,
)


@pytest.fixture(scope="module")
def scenes(mixed: Backgrounds) -> LatentScenes:
    names = ("car_like", "blob")
    meshes: list[Mesh] = [families.build(name, k) for name in names for k in range(4)]
    return LatentScenes(SceneSpec(n_images=120, filter="none"), meshes, mixed)


def tables(scenes: LatentScenes, specs: tuple[SceneSpec, SceneSpec]):  # type: ignore[no-untyped-def]
    return [LatentScenes(s, scenes.meshes, scenes.backgrounds).latents() for s in specs]


def test_images() -> None:
    train, test = split_images(100, 30)
    assert sorted([*train, *test]) == list(range(100))
    assert len(test) == 30
    assert (split_images(100, 30)[1] == test).all()
    assert set(split_images(100, 20)[1]) < set(test)
    assert (split_images(100, 30, seed=1)[1] != test).any()
    for bad in (0, 100):
        with pytest.raises(UserError, match="leave a part empty"):
            split_images(100, bad)


def test_models(scenes: LatentScenes) -> None:
    train, test = tables(scenes, split_models(scenes, 0.25))
    assert not set(train["identity"]) & set(test["identity"])
    assert train.groupby("category")["identity"].nunique().tolist() == [3, 3]
    assert test.groupby("category")["identity"].nunique().tolist() == [1, 1]
    assert len(train) == len(test) == 120


def test_backgrounds(scenes: LatentScenes) -> None:
    train, test = tables(scenes, split_backgrounds(scenes, 0.3))
    assert not set(train["background"]) & set(test["background"])
    assert set(train["background_class"]) == set(test["background_class"])


def test_ranges(scenes: LatentScenes) -> None:
    train, test = tables(scenes, split_range(scenes.spec, "range", 0.25))
    assert train["range"].max() < 3.375 < test["range"].min()
    assert test["range"].max() > 4.1
    with pytest.raises(UserError, match="unknown sampled parameter"):
        split_range(scenes.spec, "depth", 0.25)
    with pytest.raises(UserError, match="one value only"):
        split_range(scenes.spec, "blur", 0.25)


def test_what_cannot_be_split(scenes: LatentScenes) -> None:
    few = LatentScenes(scenes.spec, [families.build("blob", 0)], procedural(("uniform",), 1))
    with pytest.raises(UserError, match="blob has one model only"):
        split_models(few, 0.5)
    with pytest.raises(UserError, match="uniform has one background only"):
        split_backgrounds(few, 0.5)
    with pytest.raises(UserError, match="between 0 and 1"):
        split_models(scenes, 1.0)
