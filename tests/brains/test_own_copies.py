"""Files that users fetch themselves: miniatures in the published layout, and broken ones."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from tests.brains.own_copy_files import (
    N_ELECTRODES,
    TEST,
    TRAIN,
    cadena,
    fmri,
    photographs,
    tvsd,
)  # fmt: skip

from isocortex import brains
from isocortex.brains import OWN_COPIES, read_cadena, read_things_fmri, read_tvsd
from isocortex.brains.things import ELECTRODES
from isocortex.errors import UserError


def test_v1_neurons_that_saw_everything_are_kept_with_their_trials(tmp_path: Path) -> None:
    path = cadena(tmp_path)
    a = read_cadena(path)
    assert a.shape == (20, 2)
    assert a.card.notes["dropped_neuroids"] == 1
    assert a.trials is not None
    assert a.trials.shape == (4, 20, 2)
    assert np.isnan(a.trials.values[2:, :, 1]).all()
    assert list(a.units["animal"]) == ["31", "31"]
    assert list(a.presentations["part"]).count("test") == 4
    assert list(a.presentations["part"][-4:]) == ["test"] * 4
    assert a.stimuli is not None
    assert a.stimuli.degrees == pytest.approx(8 / 70)
    stored = pickle.loads(path.read_bytes())
    np.testing.assert_allclose(a.stimuli.images([3])[0, 0] * 255, stored["images"][3], atol=1e-4)
    np.testing.assert_array_equal(a.trials.values[:, 7, 0], stored["responses"][:, 7, 0])
    only = read_cadena(path, image_types=["original"])
    assert set(only.presentations["image_type"]) == {"original"}
    np.testing.assert_array_equal(only.trials.values, a.trials.values[:, ::2])
    with pytest.raises(UserError, match="unknown image type 'fc7'"):
        read_cadena(path, image_types=["fc7"])


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm"),))


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = cadena(tmp_path, images=_Harmful())
    with pytest.raises(UserError, match="which is no array"):
        read_cadena(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "field", ["images", "responses", "image_ids", "image_types", "repetitions", "subject_id"]
)
def test_a_field_that_v1_lacks_is_named(tmp_path: Path, field: str) -> None:
    path = cadena(tmp_path, drop=field)
    with pytest.raises(UserError, match=rf"cadena_ploscb_data.pkl' lacks the field '{field}'"):
        read_cadena(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((20, 8))}, "images are float64"),
        ({"responses": np.zeros((4, 19, 3))}, "for 20 images and 3 neurons"),
        ({"image_ids": np.arange(7)}, "differ in length"),
        ({"images": np.full((20, 8, 8), -1.0)}, "negative"),
    ],
)
def test_fields_of_v1_that_do_not_fit_are_one_line(
    tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_cadena(cadena(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_the_ventral_stream_has_areas_by_electrode_and_both_parts(tmp_path: Path) -> None:
    folder, images = tvsd(tmp_path), photographs(tmp_path, [*TRAIN, *TEST])
    train = read_tvsd(folder, images, size=8)
    assert train.shape == (3, N_ELECTRODES)
    assert list(train.presentations["stimulus_id"]) == TRAIN
    assert list(train.presentations["concept"]) == ["dog", "cat", "ice_cream"]
    counts = train.units["region"].value_counts()
    assert counts.to_dict() == {"V1": 512, "IT": 320, "V4": 192}
    for region, where in ELECTRODES["monkeyF"].items():
        assert set(train.units["region"][where]) == {region}
    with h5py.File(folder / "THINGS_normMUA.mat") as file:
        np.testing.assert_allclose(train.responses.values, file["train_MUA"][()], rtol=1e-6)
        np.testing.assert_allclose(
            train.units["reliability"], file["reliab"][()].mean(axis=0), rtol=1e-5
        )
        repeated = file["test_MUA_reps"][()]
    assert train.stimuli is not None
    assert train.stimuli.shape == (3, 8, 8)
    shown = train.stimuli.images()
    assert shown[2, 0].mean() > shown[0, 0].mean()  # the third photograph is redder
    test = read_tvsd(folder, images, part="test", size=8)
    assert test.trials is not None
    np.testing.assert_allclose(test.trials.values, repeated, rtol=1e-6)
    assert list(test.presentations["stimulus_id"]) == TEST


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("train_MUA", r"THINGS_normMUA.mat' lacks the field 'train_MUA'"),
        ("reliab", r"THINGS_normMUA.mat' lacks the field 'reliab'"),
        ("train_imgs", r"things_imgs.mat' lacks the field 'train_imgs/things_path'"),
    ],
)
def test_a_field_that_the_ventral_stream_lacks_is_named(
    tmp_path: Path, drop: str, message: str
) -> None:
    folder, images = tvsd(tmp_path, drop=drop), photographs(tmp_path, TRAIN)
    with pytest.raises(UserError, match=message):
        read_tvsd(folder, images)


def test_what_does_not_fit_the_ventral_stream_is_one_line(tmp_path: Path) -> None:
    images = photographs(tmp_path, TRAIN[:2])
    folder = tvsd(tmp_path)
    with pytest.raises(UserError, match=r"lacks ice_cream/ice_cream_03s.jpg \(1 of 3"):
        read_tvsd(folder, images)
    with pytest.raises(UserError, match="unknown animal of TVSD 'monkeyX'"):
        read_tvsd(folder, images, animal="monkeyX")
    with pytest.raises(UserError, match=r"train_MUA is \(2, 1024\) for 3 images"):
        read_tvsd(tvsd(tmp_path, train_MUA=np.zeros((2, N_ELECTRODES))), images)
    (folder / "THINGS_normMUA.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(UserError, match="as HDF5") as caught:
        read_tvsd(folder, images)
    assert "\n" not in str(caught.value)


def test_people_have_regions_by_voxel_and_repeated_images(tmp_path: Path) -> None:
    folder = fmri(tmp_path)
    images = photographs(tmp_path, ["dog/dog_01b.jpg", "cat/cat_02s.jpg", "cup/cup_01b.jpg"])
    train = read_things_fmri(folder, images, subject="01", size=8)
    assert list(train.presentations["stimulus_id"]) == ["dog_01b.jpg", "cat_02s.jpg"]
    assert train.units[["neuroid_id", "region"]].to_numpy().tolist() == [
        ["6", "V1"], ["7", "VO2"], ["9", "VO1"],
    ]  # fmt: skip
    np.testing.assert_array_equal(train.responses.values, [[5, 10, 15], [7, 12, 17]])
    test = read_things_fmri(folder, images, subject="01", part="test", size=8)
    assert test.trials is not None
    np.testing.assert_array_equal(test.trials.values[:, 0, 0], [6, 8, 9])
    vo = read_things_fmri(folder, images, subject="01", regions=["VO1", "VO2"], size=8)
    assert list(vo.units["region"]) == ["VO2", "VO1"]


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("trial_type", r"sub-01_StimulusMetadata.csv' lacks the column 'trial_type'"),
        ("stimulus", r"sub-01_StimulusMetadata.csv' lacks the column 'stimulus'"),
        ("VO1", r"sub-01_VoxelMetadata.csv' lacks the column 'VO1'"),
        ("voxel_id", r"sub-01_VoxelMetadata.csv' lacks the column 'voxel_id'"),
        ("block0_values", r"sub-01_ResponseData.h5' lacks the field 'ResponseData/block0_values'"),
    ],
)
def test_a_field_that_a_person_lacks_is_named(tmp_path: Path, drop: str, message: str) -> None:
    if drop == "voxel_id":
        folder = fmri(tmp_path)
        table = pd.read_csv(folder / "sub-01_VoxelMetadata.csv").drop(columns="voxel_id")
        table.to_csv(folder / "sub-01_VoxelMetadata.csv", index=False)
    else:
        folder = fmri(tmp_path, drop=drop)
    with pytest.raises(UserError, match=message):
        read_things_fmri(folder, tmp_path, subject="01")


def test_betas_of_other_voxels_are_refused(tmp_path: Path) -> None:
    folder = fmri(tmp_path, values=np.zeros((4, 6)))
    with pytest.raises(UserError, match="4 voxels and 5 trials"):
        read_things_fmri(folder, tmp_path, subject="01")


def test_own_copies_stand_in_the_catalogue_and_load_by_name(tmp_path: Path) -> None:
    table = brains.catalogue(tmp_path).set_index("name")
    assert not table.loc[list(OWN_COPIES), "found"].any()
    assert (table.loc[list(OWN_COPIES), "source"].str.startswith("https://")).all()
    cadena(tmp_path)
    tvsd(tmp_path)
    photographs(tmp_path, [*TRAIN, *TEST])
    found = brains.catalogue(tmp_path).set_index("name")["found"]
    mine = found[list(OWN_COPIES)]
    assert set(mine.index[mine]) == {"v1-cadena", "tvsd-monkeyF", "tvsd-monkeyF-test"}
    assert brains.load_assembly("v1-cadena", tmp_path).shape == (20, 2)
    test = brains.load_assembly("tvsd-monkeyF-test", tmp_path)
    assert test.trials is not None
    assert test.card.name == "tvsd-monkeyF-test"
    assert len(brains.checksum("tvsd-monkeyF", tmp_path).split()) == 2


@pytest.mark.parametrize("name", sorted(OWN_COPIES))
def test_a_recording_that_is_not_there_says_which_file_and_where_to_get_it(
    tmp_path: Path, name: str
) -> None:
    first = OWN_COPIES[name].files[0]
    with pytest.raises(UserError, match=rf"{name} needs {first} .* get it from https://") as caught:
        brains.load(name, tmp_path)
    assert "\n" not in str(caught.value)
