"""Sensorium-style folders, written here, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocortex.brains import Assembly, read_sensorium
from isocortex.errors import UserError

IDS = np.array([7, 11, 5, 11, 11, 9, 5])
TIERS = np.array(["train", "test", "test", "test", "test", "validation", "test"])
N = 4


def image(identifier: int) -> np.ndarray:
    return np.random.default_rng(identifier).integers(0, 256, (1, 6, 8)).astype(np.float32)


def write(folder: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "meta/trials/tiers": TIERS,
        "meta/trials/frame_image_id": IDS,
        "meta/neurons/unit_ids": np.arange(N) + 100,
        "meta/neurons/cell_motor_coordinates": rng.normal(size=(N, 3)),
        "meta/neurons/area": np.array(["V1"] * N),
        "meta/neurons/animal_ids": np.full(N, 7),
        "meta/neurons/odd": np.ones(3),
    }
    for k, identifier in enumerate(IDS):
        arrays[f"data/images/{k}"] = image(identifier)
        arrays[f"data/responses/{k}"] = rng.gamma(2, size=N).astype(np.float32)
    for name, array in {**arrays, **changes}.items():
        if array is not None:
            path = folder / "mouse" / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
    return folder / "mouse"


def responses(folder: Path, trials: list[int]) -> np.ndarray:
    return np.stack([np.load(folder / "data" / "responses" / f"{k}.npy") for k in trials])


def test_trials_of_an_image_are_its_repetitions(tmp_path: Path) -> None:
    folder = write(tmp_path)
    a = read_sensorium(folder, degrees=60)
    assert list(a.presentations["stimulus_id"]) == ["7", "11", "5", "9"]
    assert list(a.presentations["tier"]) == ["train", "test", "test", "validation"]
    assert a.trials is not None
    assert a.trials.shape == (3, 4, N)
    np.testing.assert_array_equal(a.trials.values[:, 1], responses(folder, [1, 3, 4]))
    np.testing.assert_array_equal(a.trials.values[:2, 2], responses(folder, [2, 6]))
    np.testing.assert_allclose(
        a.responses.values[1], responses(folder, [1, 3, 4]).mean(axis=0), rtol=1e-6
    )
    assert a.stimuli is not None
    assert a.stimuli.degrees == 60
    for shown, identifier in zip(a.stimuli.images().numpy(), (7, 11, 5, 9), strict=True):
        np.testing.assert_allclose(shown * 255, image(identifier), rtol=1e-6)
    assert list(a.units["neuroid_id"]) == ["100", "101", "102", "103"]
    assert {"area", "animal_ids", "cell_motor_coordinates_z"} < set(a.units.columns)
    assert "odd" not in a.units
    assert Assembly.load(a.save(tmp_path / "saved")).responses.identical(a.responses)


def test_tiers(tmp_path: Path) -> None:
    folder = write(tmp_path)
    a = read_sensorium(folder, tiers=["test"])
    assert list(a.presentations["stimulus_id"]) == ["11", "5"]
    single = read_sensorium(folder, tiers=["train", "validation"])
    assert single.trials is None
    np.testing.assert_array_equal(single.responses.values, responses(folder, [0, 5]))
    with pytest.raises(UserError, match="did you mean validation"):
        read_sensorium(folder, tiers=["valid"])


def test_colour_sets_and_neurons_without_ids(tmp_path: Path) -> None:
    changes = {
        "meta/trials/frame_image_id": None,
        "meta/trials/colorframeprojector_image_id": IDS,
        "meta/neurons/unit_ids": None,
    }
    a = read_sensorium(write(tmp_path, **changes))
    assert list(a.units["neuroid_id"]) == ["0", "1", "2", "3"]
    assert len(a) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meta/trials/tiers": None}, r"tiers\.npy"),
        ({"meta/trials/frame_image_id": None}, r"frame_image_id\.npy"),
        ({"meta/trials/frame_image_id": IDS[:-1]}, "7 tiers but 6 images"),
        ({"meta/trials/tiers": TIERS.astype(object)}, "cannot read"),
        ({"meta/neurons/unit_ids": np.zeros(N)}, "not unique"),
        ({"data/responses/3": None}, r"no file .*3\.npy"),
        ({"data/responses/3": np.ones(N - 1)}, "differ in length"),
        ({"data/responses/3": np.full(N, np.nan)}, "trial 3 .* NaN"),
        ({"data/images/2": None}, r"2\.npy' is missing"),
        ({"data/images/2": np.zeros((1, 5, 5))}, "another size"),
        ({"data/images/0": np.zeros((6, 8))}, "another size"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, changes: dict, message: str) -> None:
    folder = write(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as caught:
        read_sensorium(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "meta/trials/tiers",
        "data/responses/5",
        "data/images/0",
        "data/images/5",
        "meta/neurons/area",
    ],
)
def test_a_truncated_file_is_one_line(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path)
    path = folder / f"{name}.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(UserError) as caught:
        read_sensorium(folder)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_images_of_no_shape(tmp_path: Path) -> None:
    flat = {f"data/images/{k}": np.zeros((6, 8)) for k in range(len(IDS))}
    with pytest.raises(UserError, match=r"\(c, h, w\)"):
        read_sensorium(write(tmp_path, **flat))
