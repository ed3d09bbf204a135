"""Plain folders of responses and images, written here, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isocortex.brains import Assembly, Card, read_folder
from isocortex.errors import UserError

MEANS = np.random.default_rng(0).normal(size=(4, 3))


def with_images(folder: Path, n: int = 4) -> Path:
    (folder / "images" / "set").mkdir(parents=True)
    for i in range(n):
        level = np.full((5, 5), 50 * i, dtype=np.uint8)
        Image.fromarray(level).save(folder / "images" / "set" / f"im{i}.png")
    return folder


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "responses.npz", **arrays)
    return folder


def test_means_in_the_order_of_images(tmp_path: Path) -> None:
    a = read_folder(npz(with_images(tmp_path), responses=MEANS), degrees=4, card=Card("mine"))
    np.testing.assert_array_equal(a.responses.values, MEANS)
    assert list(a.presentations["stimulus_id"]) == [f"set/im{i}.png" for i in range(4)]
    assert a.stimuli is not None
    assert a.stimuli.degrees == 4
    assert a.card.name == "mine"
    assert Assembly.load(a.save(tmp_path / "saved")).responses.identical(a.responses)


@pytest.mark.parametrize("ending", ["", ".png"])
def test_ids_name_the_images(tmp_path: Path, ending: str) -> None:
    ids = [f"set/im{i}{ending}" for i in (3, 1)]
    trials = np.stack([MEANS[:2], MEANS[:2] + 1])
    a = read_folder(npz(with_images(tmp_path), trials=trials, stimulus_id=ids))
    assert list(a.presentations["stimulus_id"]) == ids
    assert a.stimuli is not None
    np.testing.assert_allclose(a.stimuli.images().mean((1, 2, 3)) * 255, [150, 50], rtol=1e-6)
    np.testing.assert_allclose(a.responses.values, MEANS[:2] + 0.5)


def test_without_images(tmp_path: Path) -> None:
    a = read_folder(npz(tmp_path, responses=MEANS, stimulus_id=list("abcd")))
    assert a.stimuli is None
    assert list(a.presentations["stimulus_id"]) == list("abcd")
    assert a.card.name == tmp_path.name


def test_rows_of_one_id_are_repetitions(tmp_path: Path) -> None:
    table = pd.DataFrame({"stimulus_id": ["im1", "im0", "im1"], "a": [1, 2, 5], "b": [0, 1, 0.5]})
    table.to_csv(tmp_path / "responses.csv", index=False)
    pd.DataFrame({"Region": ["V1", "V2"]}).to_csv(tmp_path / "units.csv", index=False)
    a = read_folder(tmp_path)
    assert list(a.presentations["stimulus_id"]) == ["im1", "im0"]
    np.testing.assert_array_equal(a.responses.values, [[3, 0.25], [2, 1]])
    assert a.trials is not None
    np.testing.assert_array_equal(a.trials.values[:, :, 0], [[1, 2], [5, np.nan]])
    assert list(a.units["neuroid_id"]) == ["a", "b"]
    assert list(a.units["region"]) == ["V1", "V2"]
    table[1:].to_csv(tmp_path / "responses.csv", index=False)
    assert read_folder(tmp_path).trials is None


NAN = np.where(np.arange(12).reshape(4, 3) == 5, np.nan, MEANS)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": MEANS}, "neither responses nor trials"),
        ({"responses": MEANS[0]}, "is no response"),
        ({"responses": MEANS.astype(str)}, "is no response"),
        ({"responses": MEANS, "trials": MEANS}, "is no response"),
        ({"responses": NAN}, "neuroid '2' to stimulus 'set/im1.png' is not a number"),
        ({"trials": np.stack([NAN, NAN])}, "neuroid 2 has no trial of presentation 1"),
        ({"responses": MEANS[:3]}, "4 images for 3 presentations"),
        ({"responses": MEANS, "stimulus_id": ["set/im0", "set/im1", "x", "y"]}, "no image 'x'"),
        ({"responses": MEANS, "stimulus_id": ["set/im0"] * 4}, "occurs more than once"),
        ({"responses": MEANS, "stimulus_id": ["set/im0"]}, "1 rows|4 presentations"),
        ({"responses": np.array([[{}]])}, "intact copy"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(tmp_path: Path, arrays: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_folder(npz(with_images(tmp_path), **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("responses.csv", "a,b\n1,2\n", "lacks the column stimulus_id"),
        ("responses.csv", "stimulus_id\nim0\n", "no column of a neuroid"),
        ("responses.csv", "stimulus_id,a\nim0,1\nim1,\n", "row 3 of a is not a number"),
        ("responses.csv", "stimulus_id,a\nim0,spike\n", "row 2 of a is not a number"),
        ("responses.csv", "stimulus_id,a\n,1\n", "values in it"),
        ("responses.csv", 'stimulus_id,a\n"im0,1\n', "intact CSV"),
        ("responses.csv", "", "intact CSV"),
        ("units.csv", "region\nV1\nV2\n", "2 rows for 1 neuroids"),
        ("units.csv", "neuroid_id\nb\n", "give one order"),
        ("responses.npz", "", "holds both"),
    ],
)
def test_tables_that_do_not_fit_are_one_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / "responses.csv").write_text("stimulus_id,a\nim0,1\nim1,2\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_folder(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_one_line(tmp_path: Path, share: float) -> None:
    path = npz(with_images(tmp_path), responses=MEANS) / "responses.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match="intact copy"):
        read_folder(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither of responses"):
        read_folder(tmp_path / "nowhere")
