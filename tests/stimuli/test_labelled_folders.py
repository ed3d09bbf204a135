"""Folders of labelled images, each written here in its published form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.labelled_folders import labelled_images, open_split


@pytest.fixture
def stl(tmp_path: Path) -> Path:
    root = tmp_path / "stl10_binary"
    root.mkdir()
    rng = np.random.default_rng(0)
    for split, n in (("train", 5), ("test", 3)):
        rng.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8).tofile(root / f"{split}_X.bin")
        (1 + np.arange(n, dtype=np.uint8) * 2).tofile(root / f"{split}_y.bin")
    return tmp_path


def test_stl_planes_run_down_the_columns(tmp_path: Path) -> None:
    planes = np.zeros((1, 3, 96, 96), dtype=np.uint8)
    planes[0, :, 2, 90] = 255  # third column, row 90
    planes.tofile(tmp_path / "train_X.bin")
    np.array([10], dtype=np.uint8).tofile(tmp_path / "train_y.bin")
    images, labels = labelled_images(tmp_path, "train", 96)
    assert images.shape == (1, 1, 96, 96)
    assert torch.nonzero(images[0, 0]).tolist() == [[90, 2]]
    assert labels.tolist() == [9]


def test_stl_is_read_as_torchvision_reads_it(stl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.STL10, "_check_integrity", lambda self: True)
    peer = datasets.STL10(str(stl), split="test", download=False)
    images, labels = labelled_images(stl, "test", 96)
    expected = image_files.grey(image_files.from_eight_bit(peer.data))
    torch.testing.assert_close(images, expected)
    np.testing.assert_array_equal(labels, peer.labels)
    assert labelled_images(stl, "train", 32)[0].shape == (5, 1, 32, 32)
    assert torch.equal(open_split(stl, "test").take(np.array([2, 0]), 96, 1), images[[2, 0]])


def test_a_torn_stl_file_is_refused(stl: Path) -> None:
    file = stl / "stl10_binary" / "train_X.bin"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(UserError, match="5 labels need"):
        labelled_images(stl, "train", 96)
    (stl / "stl10_binary" / "test_y.bin").unlink()
    with pytest.raises(UserError, match="cannot read STL-10"):
        labelled_images(stl, "test", 96)


def test_a_folder_a_class(tmp_path: Path) -> None:
    for label, name in enumerate(("apple", "bear")):
        (tmp_path / "train" / name).mkdir(parents=True)
        for k in range(2):
            level = 40 * label + 10 * k
            Image.new("RGB", (12, 8), (level,) * 3).save(tmp_path / "train" / name / f"{k}.png")
    images, labels = labelled_images(tmp_path, "train", 8)
    assert labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(images[:, 0, 0, 0] * 255, [0, 10, 40, 50], atol=1e-4)
    Image.new("RGB", (12, 8), (200, 100, 0)).save(tmp_path / "train" / "apple" / "0.png")
    colour = labelled_images(tmp_path, "train", 8, 3)[0]
    assert colour.shape == (4, 3, 8, 8)
    np.testing.assert_allclose(colour[0, :, 0, 0] * 255, [200, 100, 0], atol=1e-4)
    opened = open_split(tmp_path, "train")
    assert opened.classes == ("apple", "bear")
    assert torch.equal(opened.take(np.array([3, 0]), 8, 3), colour[[3, 0]])
    with pytest.raises(UserError, match="no folders of images"):
        labelled_images(tmp_path, "test", 8)


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="STL-10: stl10_binary or train_X"):
        labelled_images(tmp_path, "train", 32)
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UserError, match="not intact"):
        labelled_images(tmp_path, "train", 32)
    with pytest.raises(UserError, match="split"):
        labelled_images(tmp_path, "val", 32)
