"""Latent scenes as a whole: reproducible, filtered, logged, paired."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli.render import families
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes import LatentScenes, SceneBatch, SceneSpec, backgrounds
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.poses import (
    matrix_from_euler,
    matrix_from_quaternion,
    matrix_from_six,
    rotation_error,
)
from isocortex.stimuli.scenes.sampling import take

FULL = SceneSpec(
    n_images=500,
    occluder=0.5,
    distractor=0.5,
    ranges={"exposure": (-0.5, 0.5), "tone": (0.8, 1.2), "blur": (0, 2), "noise": (0, 0.03)},
)


@pytest.fixture(scope="module")
def meshes() -> list[Mesh]:
    names = ("car_like", "chair_like", "fruit_like")
    return [families.build(name, k) for name in names for k in range(2)]


@pytest.fixture(scope="module")
def full(meshes: list[Mesh], mixed: Backgrounds) -> LatentScenes:
    return LatentScenes(FULL, meshes, mixed)


def same(a: SceneBatch, b: SceneBatch, rows: list[int]) -> None:
    for field in fields(SceneBatch):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name == "columns":
            assert all(np.array_equal(x[k][rows], y[k]) for k in x)
        else:
            assert torch.equal(x[rows], y), field.name


def test_an_image_alone_is_the_same_as_in_any_batch(full: LatentScenes) -> None:
    together = full.render(np.arange(40), 32)
    for i in (0, 7, 39):
        same(together, full.render([i], 32), [i])
    order = np.random.default_rng(0).permutation(40)
    same(together, full.render(order, 32), order.tolist())
    same(together, full.render(order + 500, 32), order.tolist())  # i modulo n_images
    again = LatentScenes(FULL, full.meshes, full.backgrounds)
    same(together, again.render(np.arange(40), 32), list(range(40)))
    same(together, again.render(full.columns(np.arange(40)), 32), list(range(40)))


def test_freezing_changes_the_frozen_alone(meshes: list[Mesh], mixed: Backgrounds) -> None:
    spec = SceneSpec(n_images=200, sampler="direct", filter="none")
    base = LatentScenes(spec, meshes, mixed).latents(np.arange(50))
    frozen = LatentScenes(spec.frozen("depth", 2.5), meshes, mixed).latents(np.arange(50))
    assert (frozen["z"] == 2.5).all()
    depends = {"x", "y", "z", "range", "visual_size", "visible_area", "in_frame_fraction"}
    depends |= {"visible_fraction", "accepted", "sampled_depth"}
    for name in base:
        if name in depends or name.startswith("box_"):
            continue
        if name in ("angle_x", "angle_y", "u", "v"):
            assert np.abs(base[name] - frozen[name]).max() < 1e-12
        else:
            assert (base[name] == frozen[name]).all(), name


def test_a_reference_filter_pairs_images(meshes: list[Mesh], mixed: Backgrounds) -> None:
    spec = SceneSpec(n_images=400, sampler="direct")
    n = np.arange(300)
    base = LatentScenes(spec, meshes, mixed).latents(n)
    shrunk = spec.shrunk("distance", 0.0)
    paired = LatentScenes(shrunk.model_copy(update={"filter": "reference"}), meshes, mixed).latents(
        n
    )
    own = LatentScenes(shrunk, meshes, mixed).latents(n)
    assert (base["attempt"] > 0).any()
    assert (paired["attempt"] == base["attempt"]).all()
    assert (paired["yaw"] == base["yaw"]).all()
    assert (own["attempt"] != base["attempt"]).any()
    assert (paired["z"] == (0.9 + 4.2) / 2).all()


def test_what_is_accepted_is_visible_enough(full: LatentScenes) -> None:
    table = full.latents(np.arange(200))
    assert (table["visible_fraction"][table["accepted"]] > 0.8).all()
    assert (table["visible_area"][table["accepted"]] > 2 / 255).all()
    assert table["accepted"].mean() > 0.9
    free = LatentScenes(
        full.spec.model_copy(update={"filter": "none"}), full.meshes, full.backgrounds
    )
    raw = free.latents(np.arange(200))
    assert (raw["attempt"] == 0).all()
    first = table["attempt"] == 0
    assert (raw["accepted"] == first)[table["accepted"]].all()
    assert 0.02 < (~raw["accepted"]).mean() < 0.7


def test_rows_that_never_pass_are_marked(meshes: list[Mesh], mixed: Backgrounds) -> None:
    spec = SceneSpec(n_images=5, min_area=0.9, attempts=3)
    table = LatentScenes(spec, meshes, mixed).latents()
    assert not table["accepted"].any()
    assert (table["attempt"] == 2).all()


def test_the_log_says_what_the_picture_shows(full: LatentScenes) -> None:
    n = np.arange(60)
    table, batch = full.latents(n), full.render(n, 96, 2)
    area = batch.mask.mean(dim=(1, 2, 3)).numpy()
    assert np.abs(area / table["visible_area"] - 1).max() < 0.15
    assert np.abs(area / table["visible_area"] - 1).mean() < 0.03
    assert np.allclose(batch.visible_area.numpy(), table["visible_area"])
    for k in range(60):
        rows, columns = np.nonzero(batch.mask[k, 0].numpy())
        left, top, right, bottom = batch.box[k].tolist()
        assert left - 1 <= columns.min()
        assert columns.max() <= right + 1
        assert top - 1 <= rows.min()
        assert rows.max() <= bottom + 1
        if table["visible_fraction"][k] == 1:
            assert abs(left - columns.min()) < 3
            assert abs(bottom - 1 - rows.max()) < 3
    assert batch.depth is not None
    near = batch.depth.amin(dim=(1, 2, 3)).numpy()
    assert (near > table["z"] - 0.9).all()
    assert (near < table["z"] + 0.5).all()


def test_every_form_of_the_pose_gives_the_same_picture(full: LatentScenes) -> None:
    """Latents of the log, put back into the scene, render the image again."""
    n = np.arange(30)
    table, columns = full.latents(n), full.columns(n)
    base = full.render(columns, 48)
    rotations = {
        "quaternion": matrix_from_quaternion(table[[f"quaternion_{k}" for k in "wxyz"]]),
        "euler": matrix_from_euler(table["pitch"], table["yaw"], table["roll"]),
        "six": matrix_from_six(table[[f"six_{k}" for k in range(6)]]),
    }
    for rotation in rotations.values():
        assert rotation_error(rotation, columns["rotation"]).max() < 1e-10
        again = {name: values.copy() for name, values in columns.items()}
        again["body_rotation"][:, 0] = rotation
        again["body_centre"][:, 0] = np.stack([table["x"], table["y"], -table["z"]], axis=-1)
        other = full.render(again, 48)
        assert (other.image != base.image).float().mean() < 1e-3
        assert (other.mask != base.mask).float().mean() < 1e-4
    half = 2 * full.caster.extent
    assert np.allclose(table["u"], 0.5 + np.tan(np.radians(table["angle_x"])) / half)
    assert np.allclose(table["range"], np.hypot(np.hypot(table["x"], table["y"]), table["z"]))


def test_subsets_keep_the_number_of_images(full: LatentScenes) -> None:
    one = LatentScenes(full.spec.one_category("chair_like"), full.meshes, full.backgrounds)
    table = one.latents()
    assert len(table) == 500
    assert set(table["category"]) == {"chair_like"}
    assert one.categories == ["car_like", "chair_like", "fruit_like"]
    two = LatentScenes(full.spec.ncat(2, seed=3), full.meshes, full.backgrounds)
    assert two.latents(np.arange(50))["category"].nunique() == 2


def test_balance_over_the_set(full: LatentScenes) -> None:
    table = full.latents()
    assert np.ptp(table.groupby("category").size()) <= 4
    assert np.ptp(table.groupby("background_class").size()) <= 1
    assert table["stimulus_id"].is_unique
    assert table.notna().all().all()


def test_without_maps_image_and_mask_are_the_same(full: LatentScenes) -> None:
    n = np.arange(8)
    a, b = full.render(n, 24), full.render(n, 24, maps=False)
    assert torch.equal(a.image, b.image)
    assert torch.equal(a.mask, b.mask)
    assert b.depth is b.normal is b.face is None
    rounded = full.render(n, 24, eight_bit=True).image
    assert torch.equal(rounded, (a.image * 255).round() / 255)
    assert a.image.min() >= 0
    assert a.image.max() <= 1
    assert a.image.dtype == torch.float32


def test_sets_without_an_end(meshes: list[Mesh], mixed: Backgrounds) -> None:
    endless = LatentScenes(SceneSpec(), meshes, mixed)
    table = endless.latents([0, 10**12, 2**40 + 5])
    assert table["index"].tolist() == [0, 10**12, 2**40 + 5]
    with pytest.raises(UserError, match="n_images"):
        len(endless)


def test_no_images(full: LatentScenes) -> None:
    assert len(full.render(np.empty(0, dtype=int), 8)) == 0
    assert len(full.latents(np.empty(0, dtype=int))) == 0


def test_mistakes_are_one_clear_line(full: LatentScenes, meshes: list[Mesh]) -> None:
    for arguments, word in (
        (([-1], 8), "negative"),
        (([0.5], 8), "whole numbers"),
        (([0], 0), "size"),
        (([0], 8, 0), "supersample"),
    ):
        with pytest.raises(UserError, match=word):
            full.render(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no meshes"):
        LatentScenes(FULL, [], full.backgrounds)
    with pytest.raises(UserError, match="unknown category"):
        LatentScenes(FULL.one_category("chiar"), meshes, full.backgrounds)


def test_the_digest_follows_meshes_and_backgrounds(full: LatentScenes, mixed: Backgrounds) -> None:
    digest = full.digest()
    fewer = LatentScenes(FULL, full.meshes[:-1], mixed)
    other = LatentScenes(FULL, full.meshes, mixed[:-1])
    assert len({digest, fewer.digest(), other.digest(), full.digest(64)}) == 4
    assert LatentScenes(FULL, full.meshes, mixed).digest() == digest


@pytest.mark.data
def test_the_mesh_library_on_photographs(data_folder: Path) -> None:
    from isocortex.stimuli.render import library

    meshes = library.load(data_folder)
    scenes = LatentScenes(
        SceneSpec(n_images=2000), meshes, backgrounds.photographs(data_folder, count=20)
    )
    assert len(scenes.categories) == 16
    table = scenes.latents(np.arange(1000))
    rejected = (table["attempt"] > 0).mean()
    assert 0.06 < rejected < 0.14  # a tenth, which brings the mean depth down
    assert table["z"].mean() == pytest.approx(2.36, abs=0.08)
    assert len(set(scenes.ids)) == 343
    batch = scenes.render(take(scenes.columns(np.arange(16)), slice(0, 4)), 32)
    assert batch.image.std() > 0.1
