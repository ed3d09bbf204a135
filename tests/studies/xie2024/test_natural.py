"""Networks that name photographs: where these come from, and that they are learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.stimuli import cifar10
from isocortex.studies.xie2024.natural import Photographs, TrainNatural, photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Dark and light photographs of two shapes, 12 of each class and split."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for k, name in enumerate(("dark", "light")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(12):
                levels = rng.integers(100 * k, 100 * k + 60, (40 + i % 2, 50, 3), dtype=np.uint8)
                Image.fromarray(levels).save(tmp_path / split / name / f"{i:02}.png")
    return tmp_path


def trained(shown: Photographs, cache: Path | None = None, seed: int = 0) -> TrainNatural:
    return Execution(cache=cache).step(
        TrainNatural,
        task_set="natural", variant=shown.name, seed=seed, photographs=shown, side=32,
        width=4, steps=30, batch_size=8, learning_rate=3e-3, snapshots=0, device="cpu",
    )  # fmt: skip


def test_a_folder_is_opened_image_by_image_with_its_classes_in_order(folder: Path) -> None:
    shown = photographs(str(folder), None)
    assert shown is not None
    assert (shown.classes, shown.name) == (2, f"folder {folder.name}")
    images, labels = shown.open("test", 32)
    assert labels.tolist() == [0] * 12 + [1] * 12
    rows = np.array([23, 0, 13])
    batch = images(rows)
    assert batch.shape == (3, 3, 32, 32)
    assert (batch.mean((1, 2, 3)) > 0.3).tolist() == [True, False, True]
    assert torch.equal(batch[1], images(np.array([0]))[0])


def test_a_network_learns_to_name_them_and_is_ready_for_recording(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = trained(Photographs.of_folder(folder), tmp_path_factory.mktemp("cache"))
    metrics = network.result()["metrics"].set_index("metric")["value"]
    assert metrics["accuracy"] == 1
    assert metrics["constant_loss"] == pytest.approx(np.log(2), abs=1e-6)
    assert network.is_cached
    model = network.model()
    assert model.input_shape == (3, 32, 32)
    assert network.identity["task_set"] == "natural"


def test_other_files_give_another_key(folder: Path) -> None:
    before = Photographs.of_folder(folder)
    (folder / "train" / "dark" / "00.png").unlink()
    assert Photographs.of_folder(folder).checksum != before.checksum


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: (p / "test" / "light").rename(p / "test" / "bright"), "the same two or more"),
        (lambda p: (p / "test").rename(p / "val"), "holds no folders of images"),
    ],
)
def test_folders_that_do_not_fit_are_refused_in_a_line(folder: Path, spoil, said: str) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=said) as caught:
        photographs(str(folder), None)
    assert "\n" not in str(caught.value)


def test_without_data_there_are_none_unless_they_are_asked_for() -> None:
    assert photographs("auto", None) is None
    assert photographs("none", Path("anywhere")) is None
    with pytest.raises(UserError):
        photographs("cifar10", None)


@pytest.mark.data
def test_the_subset_of_the_data_folder_keeps_its_pixels(data_folder: Path) -> None:
    shown = photographs("auto", data_folder)
    assert shown is not None
    images, labels = shown.open("test", 32)
    expected, names = cifar10(data_folder, "test", grey=False)
    rows = np.array([4999, 0, 2500])
    assert torch.equal(labels, names)
    assert torch.equal(images(rows), expected[torch.from_numpy(rows)])
