"""Object views: the table, the mirror, the matching over the set, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli import VIEWS_5, VIEWS_9, StimulusSet, luminance, object_views, objects
from isocortex.stimuli.render import families, symmetry
from isocortex.stimuli.render.mesh import Mesh

SMALL = {"size": 20, "supersample": 2}


def test_views_are_those_of_the_specification() -> None:
    assert VIEWS_9 == (-90, -67.5, -45, -22.5, 0, 22.5, 45, 67.5, 90)
    assert VIEWS_5 == (-90, -45, 0, 45, 90)


def test_the_table_is_object_major_and_says_how_each_image_was_made() -> None:
    stimuli = object_views(
        categories=["car_like", "blob"],
        exemplars=2,
        yaws=VIEWS_5,
        lighting="side",
        luminance="mean",
        elevation=10,
        seed=3,
        degrees=6,
        **SMALL,
    )
    table = stimuli.table
    assert len(table) == 2 * 2 * 5
    assert stimuli.shape == (1, 20, 20)
    assert stimuli.degrees == 6
    assert table["yaw"].tolist() == list(VIEWS_5) * 4
    assert table["view"].tolist() == list(range(5)) * 4
    objects_ = table.iloc[::5]
    assert objects_["object_id"].tolist() == [
        "car_like_000", "car_like_001", "blob_000", "blob_001",
    ]  # fmt: skip
    assert objects_["exemplar"].tolist() == [0, 1, 0, 1]
    assert objects_["symmetry_class"].tolist() == ["two_plane"] * 2 + ["asymmetric"] * 2
    assert table["stimulus_id"].tolist()[5:8] == [
        "car_like_001_yaw-90", "car_like_001_yaw-45", "car_like_001_yaw+0",
    ]  # fmt: skip
    hashes = [families.build(n, k, 3).hash for n in ("car_like", "blob") for k in range(2)]
    assert objects_["mesh_hash"].tolist() == hashes
    for column, value in {
        "lighting": "side", "luminance": "mean", "elevation": 10.0, "seed": 3,
    }.items():  # fmt: skip
        assert set(table[column]) == {value}
    assert table["azimuth"].isna().all()


def test_an_image_depends_on_its_object_and_view_alone() -> None:
    many = object_views(categories=["head_like", "flower_like"], exemplars=3, **SMALL)
    few = object_views(
        categories=["flower_like"], exemplars=2, yaws=(45.0, -90.0, 7.0), **SMALL
    ).images()
    table = many.table
    for k, yaw in ((0, 45.0), (1, -90.0)):
        row = (table["object_id"] == "flower_like_001") & (table["yaw"] == yaw)
        assert torch.equal(many[row].images()[0], few[3 + k])
    assert torch.equal(many.images([30, 2, 30]), many.images()[[30, 2, 30]])
    other = object_views(categories=["flower_like"], exemplars=2, seed=1, **SMALL)
    assert not torch.equal(
        other.images([4]), many[table["object_id"] == "flower_like_000"].images([4])
    )


def test_rendering_on_demand_gives_the_same_as_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"categories": ["tool_like"], "exemplars": 3, "luminance": "mean_sd", **SMALL}
    kept = object_views(**options)
    monkeypatch.setattr(objects, "_KEPT_BYTES", 0)
    monkeypatch.setattr(objects, "_BATCH", 7)
    again = object_views(**options)
    assert torch.equal(again.images(), kept.images())
    pd.testing.assert_frame_equal(again.table, kept.table)
    assert torch.equal(again.images([11]), kept.images([11]))


@cache
def symmetric_meshes() -> list[Mesh]:
    """Bilateral objects: declared so, and made so out of objects that are not."""
    made = [symmetry.symmetrise(families.build(name, 1)) for name in ("blob", "tool_like")]
    return [families.build("animal_like", 0), families.build("head_like", 2), *made]


@pytest.mark.parametrize(
    ("lighting", "mode", "elevation"),
    [
        *(("symmetric", mode, elevation) for mode in luminance.MODES for elevation in (0.0, 77.7)),
        *(("symmetric", "mean_sd", elevation) for elevation in (15.0, -33.0)),
        ("object_front", "mean_sd", 15.0),
    ],
)
def test_opposite_views_are_mirror_images(lighting: str, mode: str, elevation: float) -> None:
    options = {"elevation": elevation, "luminance": mode, "lighting": lighting, **SMALL}
    stimuli = object_views(symmetric_meshes(), **options)
    images = stimuli.images().reshape(4, 9, 20, 20)
    mirrored = images.flip(1).flip(-1)
    assert float((images - mirrored).abs().max()) <= 1e-6
    # The views themselves are no mirror images of each other, so the test can fail.
    assert float((images[:, 1] - images[:, 1].flip(-1)).abs().amax((1, 2)).min()) > 0.05
    for column in ("area", "mean", "sd", "aspect_ratio", "clipped_share"):
        values = stimuli.table[column].to_numpy().reshape(4, 9)
        np.testing.assert_allclose(values, values[:, ::-1], atol=1e-9)


def test_side_light_and_asymmetry_break_the_mirror() -> None:
    side = object_views(symmetric_meshes(), lighting="side", **SMALL).images()
    images = side.reshape(4, 9, 20, 20)
    difference = (images - images.flip(1).flip(-1)).abs().amax((1, 2, 3))
    assert (difference > 0.05).all()
    tools = object_views(categories=["blob"], exemplars=3, **SMALL).images()
    images = tools.reshape(3, 9, 20, 20)
    assert ((images - images.flip(1).flip(-1)).abs().amax((1, 2, 3)) > 0.05).all()
    # A light that is turned to the other side gives the mirror image again.
    right = object_views(symmetric_meshes(), azimuth=30, **SMALL).images().reshape(4, 9, 20, 20)
    left = object_views(symmetric_meshes(), azimuth=-30, **SMALL).images().reshape(4, 9, 20, 20)
    assert float((right - left.flip(1).flip(-1)).abs().max()) <= 1e-6
    assert float((right - left).abs().max()) > 0.05


@pytest.mark.parametrize("name", ["car_like", "boat_like"])
@pytest.mark.parametrize("lighting", ["symmetric", "side"])
@pytest.mark.parametrize("mode", ["none", "mean_sd"])
def test_both_profiles_of_two_plane_objects_are_one_image(
    name: str, lighting: str, mode: str
) -> None:
    stimuli = object_views(
        categories=[name], exemplars=2, lighting=lighting, elevation=20, luminance=mode, **SMALL
    )
    images = stimuli.images().reshape(2, 9, 20, 20)
    assert float((images[:, 0] - images[:, 8]).abs().max()) <= 1e-6
    assert float((images[:, 1] - images[:, 7]).abs().max()) > 0.05


@pytest.mark.parametrize("mode", luminance.MODES)
def test_matching_is_over_the_set_and_recorded(mode: str) -> None:
    options = {"categories": ["boat_like", "fruit_like"], "exemplars": 2, **SMALL}
    raw, matched = object_views(**options), object_views(luminance=mode, **options)
    table = matched.table
    np.testing.assert_allclose(table["rendered_mean"], raw.table["mean"])
    np.testing.assert_allclose(table["rendered_sd"], raw.table["sd"])
    np.testing.assert_allclose(table["area"], raw.table["area"])
    assert set(raw.table["clipped_share"]) == {0}
    unclipped = table["clipped_share"] == 0
    if mode in ("mean", "mean_sd"):
        assert unclipped.sum() > 10
        goal = raw.table["mean"].mean()
        np.testing.assert_allclose(table["mean"][unclipped], goal, rtol=1e-5)
    if mode == "mean_sd":
        np.testing.assert_allclose(table["sd"][unclipped], raw.table["sd"].mean(), rtol=1e-4)
    if mode == "none":
        assert torch.equal(matched.images(), raw.images())
    else:
        assert float((matched.images() - raw.images()).abs().max()) > 0.02
    # A part of the set shows the same images: the target is that of the whole.
    assert torch.equal(matched[20:24].images(), matched.images()[20:24])


def test_object_measures_of_a_known_object() -> None:
    box = Mesh(
        np.array([[x, y, 0] for x in (-0.8, 0.8) for y in (-0.4, 0.4)]),
        np.array([[0, 1, 2], [1, 2, 3]]),
        np.array([0.5, 0.5, 0.5]),
    )
    stimuli = object_views([box], yaws=[0, 60], size=64, background=0.2)
    table = stimuli.table
    assert table["category"].tolist() == ["object"] * 2
    assert table["symmetry_class"].isna().all()
    expected = 1.6 * 0.8 * (0.95 / 2) ** 2
    np.testing.assert_allclose(table["area"], [expected, expected / 2], rtol=0.05)
    np.testing.assert_allclose(table["aspect_ratio"], [2, 1], rtol=0.05)
    assert float(table["mean"][0]) == pytest.approx(0.5 * (0.35 + 0.65 * 0.75**0.5), rel=1e-4)
    np.testing.assert_allclose(table["sd"], 0, atol=1e-6)
    assert float(stimuli.images()[0, 0, 0, 0]) == pytest.approx(0.2)


def test_views_survive_saving(tmp_path: Path) -> None:
    stimuli = object_views(
        symmetric_meshes()[:1], yaws=VIEWS_5, luminance="histogram", degrees=4, **SMALL
    )
    loaded = StimulusSet.load(stimuli.save(tmp_path / "views"))
    assert loaded.checksum() == stimuli.checksum()
    pd.testing.assert_frame_equal(loaded.table, stimuli.table)


def test_own_meshes_by_category_and_heads_without_data() -> None:
    meshes = [families.build(n, k) for k in range(2) for n in ("blob", "car_like", "fruit_like")]
    stimuli = object_views(meshes, categories=["car_like", "blob"], yaws=[0], **SMALL)
    assert stimuli.table["name"].tolist() == [
        "car_like_000", "car_like_001", "blob_000", "blob_001",
    ]  # fmt: skip
    heads = object_views("heads", exemplars=2, yaws=[0, 90], **SMALL)
    assert set(heads.table["category"]) == {"head_like"}
    every = object_views(exemplars=1, yaws=[0], **SMALL)
    assert every.table["category"].tolist() == list(families.FAMILIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objects": "mesh"}, "did you mean meshes"),
        ({"objects": []}, "must be a list of meshes"),
        ({"objects": families.build("blob", 0)}, "must be a list of meshes"),
        ({"objects": [families.build("blob", 0)], "categories": ["car"]}, "unknown category 'car'"),
        ({"categories": ["chair"]}, "nearest: chair_like"),
        ({"objects": "heads", "categories": ["head"]}, "leave out categories"),
        ({"objects": "meshes", "categories": ["car"]}, "no data folder is named"),
        ({"exemplars": 0}, "exemplars is 0"),
        ({"size": 0}, "size is 0"),
        ({"supersample": 0}, "supersample is 0"),
        ({"yaws": []}, "one or more angles"),
        ({"yaws": [0, np.nan]}, "one or more angles"),
        ({"yaws": [0, 0.0]}, "an angle twice"),
        ({"lighting": "front"}, "did you mean object_front"),
        ({"luminance": "sd"}, "unknown luminance matching 'sd'"),
        ({"background": 1.5}, "grey levels lie in"),
        ({"elevation": np.inf}, "elevation"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_what_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        object_views(**({"exemplars": 1, "yaws": [0]} | SMALL | options))
    assert "\n" not in str(raised.value)


@pytest.mark.data
@pytest.mark.parametrize(
    ("call", "count"),
    [
        (lambda d: object_views("meshes", categories=["car", "boat"], exemplars=12, data=d), 24),
        (lambda d: object_views("heads", exemplars=26, data=d), 26),
    ],
)
def test_objects_of_the_data_folder(
    data_folder: Path, call: Callable[[Path], StimulusSet], count: int
) -> None:
    stimuli = call(data_folder)
    assert len(stimuli) == count * 9
    assert stimuli.table["object_id"].nunique() == count
    assert (stimuli.table["area"] > 0.02).all()
    assert stimuli.table["mesh_hash"].nunique() == count


@pytest.mark.data
def test_more_exemplars_than_the_library_has(data_folder: Path) -> None:
    with pytest.raises(UserError, match="the mesh library has 5 of airplane"):
        object_views("meshes", categories=["airplane"], exemplars=6, data=data_folder)


@pytest.mark.gpu
def test_the_gpu_shows_the_same() -> None:
    options = {"categories": ["head_like"], "exemplars": 2, "luminance": "mean_sd", **SMALL}
    on_gpu = object_views(device="cuda", **options).images()
    assert on_gpu.is_cuda
    on_cpu = object_views(**options).images()
    assert float((on_gpu.cpu() - on_cpu).abs().max()) < 1e-5
