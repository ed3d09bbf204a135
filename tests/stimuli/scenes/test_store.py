"""Scenes on disk: the same images, in shards, resumed after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from isocortex.errors import UserError
from isocortex.stimuli.render import families
from isocortex.stimuli.scenes import LatentScenes, SceneSpec, store
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.sheet import write_latent_sheet
from isocortex.stimuli.scenes.store import open_scenes, stored, write_shard

SPEC = SceneSpec(n_images=25, occluder=0.5)


@pytest.fixture(scope="module")
def scenes(mixed: Backgrounds) -> LatentScenes:
    return LatentScenes(SPEC, [families.build("car_like", 0), families.build("blob", 0)], mixed)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHUNK", 4)
    monkeypatch.setattr(store, "PARTS", 3)


def test_a_stored_set_holds_the_images_and_the_log(scenes: LatentScenes, tmp_path: Path) -> None:
    kept = stored(scenes, tmp_path, 16, maps=("mask", "depth"))
    n = np.arange(25)
    batch = scenes.render(n, 16, eight_bit=True)
    assert torch.equal(kept.images(n), batch.image)
    assert torch.equal(kept.images([30, 3]), batch.image[[5, 3]])
    assert (kept.read("mask", n) - batch.mask).abs().max() <= 0.5 / 255 + 1e-6
    assert batch.depth is not None
    depth = kept.read("depth", n)
    there = batch.mask > 0
    assert torch.equal(torch.isfinite(depth), there)
    assert (depth - batch.depth).abs()[there].max() < 2e-3
    pd.testing.assert_frame_equal(kept.latents, scenes.latents())
    (file,) = kept.folder.glob("latents-*.parquet")
    assert pq.ParquetFile(file).num_row_groups == 3  # 12, 12 and 1 rows: memory stays bounded
    again = stored(scenes, tmp_path, 16, maps=("mask", "depth"), progress=pytest.fail)
    assert again.folder == kept.folder


def test_other_scenes_are_stored_elsewhere(scenes: LatentScenes, tmp_path: Path) -> None:
    other = LatentScenes(SPEC.frozen("yaw", 0), scenes.meshes, scenes.backgrounds)
    folders = {
        stored(scenes, tmp_path, 8).folder,
        stored(scenes, tmp_path, 8, 1).folder,
        stored(scenes, tmp_path, 9).folder,
        stored(scenes, tmp_path, 8, maps=["mask"]).folder,
        stored(other, tmp_path, 8).folder,
    }
    assert len(folders) == 5


def test_shards_make_up_the_set(scenes: LatentScenes, tmp_path: Path) -> None:
    for k in (2, 0, 1):
        write_shard(scenes, tmp_path / "set", 12, shard=k, shards=3)
    whole, parts = stored(scenes, tmp_path, 12), open_scenes(tmp_path / "set")
    order = np.random.default_rng(0).permutation(25)
    assert torch.equal(parts.images(order), whole.images(order))
    pd.testing.assert_frame_equal(parts.latents, whole.latents)


def test_an_interrupted_shard_goes_on_where_it_was(
    scenes: LatentScenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(scenes, tmp_path, 12, maps=["mask"])
    folder = tmp_path / "set"
    made: list[int] = []
    render = LatentScenes.render

    def counted(self: LatentScenes, columns: dict, *args: object, **options: object) -> object:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(len(columns["index"]))
        return render(self, columns, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LatentScenes, "render", counted)
        with pytest.raises(KeyboardInterrupt):
            write_shard(scenes, folder, 12, maps=["mask"])
    with pytest.raises(UserError, match="lacks 1 of 1 shards"):
        open_scenes(folder)
    assert not list(folder.glob("image-*"))
    assert not list(folder.glob(".latents-*.new"))
    made.clear()

    def only_rest(self: LatentScenes, columns: dict, *args: object, **options: object) -> object:
        made.extend(columns["index"])
        return render(self, columns, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(LatentScenes, "render", only_rest)
        write_shard(scenes, folder, 12, maps=["mask"])
    assert made == list(range(12, 25))
    opened = open_scenes(folder)
    assert torch.equal(opened.images(np.arange(25)), whole.images(np.arange(25)))
    assert torch.equal(opened.read("mask", [20]), whole.read("mask", [20]))
    assert sorted(p.name.split("-")[0] for p in folder.iterdir()) == [
        "image", "latents", "mask", "scenes.json",
    ]  # fmt: skip


def test_what_lies_there_is_not_mixed_up(scenes: LatentScenes, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_shard(scenes, folder, 8)
    other = LatentScenes(SPEC.frozen("yaw", 0), scenes.meshes, scenes.backgrounds)
    for arguments, word in (
        ((other, folder, 8), "spec differs"),
        ((scenes, folder, 9), "size differs"),
        ((LatentScenes(SPEC, scenes.meshes[:1], scenes.backgrounds), folder, 8), "categories"),
        ((scenes, tmp_path, 8), "not empty"),
    ):
        with pytest.raises(UserError, match=word):
            write_shard(*arguments)
    with pytest.raises(UserError, match="counted from 0 to 1"):
        write_shard(scenes, tmp_path / "b", 8, shard=2, shards=2)
    with pytest.raises(UserError, match="unknown map 'mas'; did you mean mask"):
        write_shard(scenes, tmp_path / "b", 8, maps=["mas"])
    with pytest.raises(UserError, match="n_images"):
        write_shard(LatentScenes(SceneSpec(), scenes.meshes, scenes.backgrounds), tmp_path / "b", 8)
    assert not (tmp_path / "b").exists()
    with pytest.raises(UserError, match="unknown stored map 'depth'"):
        open_scenes(folder).read("depth", [0])
    with pytest.raises(UserError, match=r"holds no scenes\.json"):
        open_scenes(tmp_path / "nowhere")
    log = folder / "latents-00000-of-00001.parquet"
    log.write_bytes(log.read_bytes()[:100])
    with pytest.raises(UserError, match=r"cannot read .*parquet .*render the shard again"):
        _ = open_scenes(folder).latents
    (folder / "scenes.json").write_text("{")
    with pytest.raises(UserError, match="cannot read"):
        open_scenes(folder)


def test_the_record_says_what_the_set_is(scenes: LatentScenes, tmp_path: Path) -> None:
    folder = write_shard(scenes, tmp_path / "set", 8)
    record = json.loads((folder / "scenes.json").read_text())
    assert SceneSpec.model_validate(record["spec"]) == SPEC
    assert record["categories"] == ["blob", "car_like"]
    assert (record["size"], record["n_images"], record["maps"]) == (8, 25, ["image"])


def test_a_prepared_set_and_a_stimulus_set_show_the_same(scenes: LatentScenes) -> None:
    n = np.array([3, 20, 28])
    prepared = LatentScenes(SPEC, scenes.meshes, scenes.backgrounds).prepare()
    assert torch.equal(prepared.render(n, 16).image, scenes.render(n, 16).image)
    stimuli = scenes.stimuli(np.arange(10), 16)
    assert torch.equal(stimuli.images([4]), scenes.render([4], 16, eight_bit=True).image)
    assert stimuli.table["category"].isin(["car_like", "blob"]).all()


def test_the_sheet_shows_images_under_their_title(scenes: LatentScenes, tmp_path: Path) -> None:
    path = write_latent_sheet(scenes, tmp_path / "sheet.png", indices=[0, 5, 7], columns=2)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert pixels.shape[1] > 600  # the legend is not cut
    for color in ((0, 114, 178), (213, 94, 0), (0, 158, 115)):
        assert (np.abs(pixels.astype(int) - color).max(axis=-1) < 30).sum() > 150
    with pytest.raises(UserError, match="empty"):
        write_latent_sheet(scenes, tmp_path / "sheet.png", indices=[])
    with pytest.raises(UserError, match="cannot write"):
        write_latent_sheet(scenes, tmp_path / "none" / "sheet.png", indices=[0])
