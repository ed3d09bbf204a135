"""Digits and photographs: small archives made here, and the real ones where they are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isocortex.errors import UserError
from isocortex.stimuli import image_archives, image_files
from isocortex.stimuli.digits import ASYMMETRIC_DIGITS, CIFAR10_CLASSES, cifar10, mnist
from isocortex.stimuli.photographs import photographs, whole_photographs
from isocortex.stimuli.stimulus_set import StimulusSet


def jpeg(seed: int, size: tuple[int, int], mode: str = "RGB") -> bytes:
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def write_zip(path: Path, entries: dict[str, bytes]) -> None:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder of the real layout with a handful of images."""
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    np.savez(
        images / "mnist.npz",
        x_train=rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        y_train=np.arange(20, dtype=np.uint8) % 10,
        x_test=rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        y_test=np.arange(10, dtype=np.uint8)[::-1],
    )
    photos = {
        f"{split}/{name}/{i:04d}.jpg": jpeg(10 * len(split) + i, (32, 32))
        for split in ("train", "test")
        for name in reversed(CIFAR10_CLASSES)
        for i in range(2)
    }
    outside = {"../../evil.jpg": jpeg(1, (32, 32)), "train/cat/notes.txt": b"x"}
    write_zip(images / "cifar10_subset.zip", photos | outside)
    write_zip(
        images / "imagenet1000_samples_128px.zip",
        {
            "0001_n01443537_goldfish.jpg": jpeg(3, (128, 128)),
            "0000_n01484850_great_white_shark.jpg": jpeg(4, (128, 128), "L"),
        },
    )
    write_zip(
        images / "bsds500_train_val.zip",
        {"val/12.jpg": jpeg(5, (48, 32)), "train/100.jpg": jpeg(6, (32, 48))},
    )
    return tmp_path


@pytest.mark.parametrize(("size", "before"), [(32, 2), (28, 0), (35, 3)])
def test_mnist_is_padded_and_in_order(folder: Path, size: int, before: int) -> None:
    images, labels = mnist(folder, "train", size)
    with np.load(folder / "images" / "mnist.npz") as arrays:
        truth = arrays["x_train"] / 255
    assert images.shape == (20, 1, size, size)
    assert images.dtype == torch.float32
    inner = images[:, 0, before : before + 28, before : before + 28]
    np.testing.assert_allclose(inner.numpy(), truth, rtol=1e-6)
    assert float(images.sum()) == pytest.approx(float(inner.sum()), rel=1e-6)
    assert labels.tolist() == [i % 10 for i in range(20)]
    assert labels.dtype == torch.int64
    assert mnist(folder, "test")[1].tolist() == list(range(10))[::-1]


def test_mnist_without_the_near_symmetric_digits(folder: Path) -> None:
    everything, digits = mnist(folder, "train")
    images, labels = mnist(folder, "train", classes=ASYMMETRIC_DIGITS)
    kept = torch.tensor([int(d) not in (0, 1, 8) for d in digits])
    assert torch.equal(images, everything[kept])
    assert [ASYMMETRIC_DIGITS[i] for i in labels] == digits[kept].tolist()
    assert mnist(folder, "train", classes=(7, 3))[1].unique().tolist() == [0, 1]


def test_cifar10_is_sorted_by_class_and_grey_on_request(folder: Path) -> None:
    images, labels = cifar10(folder, "train")
    assert images.shape == (20, 1, 32, 32)
    assert labels.tolist() == [i // 2 for i in range(20)]
    colour, _ = cifar10(folder, "train", grey=False)
    truth = image_files.read(io.BytesIO(jpeg(51, (32, 32))), "the second airplane")
    assert torch.equal(colour[1], truth)
    torch.testing.assert_close(images, image_files.grey(colour))
    assert cifar10(folder, "test", size=24)[0].shape == (20, 1, 24, 24)


def test_photographs_are_squares_on_demand(folder: Path) -> None:
    stimuli = photographs(folder, 32, degrees=5)
    assert stimuli.shape == (3, 32, 32)
    assert stimuli.degrees == 5
    table = stimuli.table
    assert table["stimulus_id"].tolist() == [
        "imagenet/0000_n01484850_great_white_shark",
        "imagenet/0001_n01443537_goldfish",
        "bsds500/train/100",
        "bsds500/val/12",
    ]
    assert table["category"].tolist()[:2] == ["great white shark", "goldfish"]
    assert table["category"].isna().tolist() == [False, False, True, True]
    assert table["collection"].tolist() == ["imagenet"] * 2 + ["bsds500"] * 2
    everything = stimuli.images()
    assert torch.equal(stimuli.images([3, 0, 2]), everything[[3, 0, 2]])
    assert torch.equal(everything[0, 0], everything[0, 2])  # the shark is grey
    wide = image_files.read(io.BytesIO(jpeg(5, (48, 32))), "wide")
    torch.testing.assert_close(everything[3], wide[:, :, 8:40])
    tall = image_files.read(io.BytesIO(jpeg(6, (32, 48))), "tall")
    torch.testing.assert_close(everything[2], tall[:, 8:40])
    only = photographs(folder, 16, collections=["bsds500"], grey=True)
    assert only.shape == (1, 16, 16)
    assert len(only) == 2


def test_photographs_survive_saving(folder: Path, tmp_path: Path) -> None:
    for collections in (["bsds500"], ["imagenet", "bsds500"]):
        stimuli = photographs(folder, 20, collections=collections)
        loaded = StimulusSet.load(stimuli.save(tmp_path / "-".join(collections)))
        assert loaded.checksum() == stimuli.checksum()


def corrupt(folder: Path) -> None:
    path = folder / "images" / "bsds500_train_val.zip"
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(200) + content[300:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: mnist(f, "val"), "unknown split 'val'"),
        (lambda f: cifar10(f, "val"), "unknown split 'val'"),
        (lambda f: mnist(f, "test", 20), "ask for 28 or more"),
        (lambda f: mnist(f, "test", classes=(3, 3)), "different digits"),
        (lambda f: mnist(f, "test", classes=(12,)), "different digits"),
        (lambda f: mnist(f, "test", classes=()), "different digits"),
        (lambda f: mnist(None, "test"), "images/mnist.npz is needed"),
        (lambda f: cifar10(f, "test", 0), "at least one pixel"),
        (lambda f: photographs(f, 0), "at least one pixel"),
        (lambda f: photographs(f, 32, collections=["imagnet"]), "did you mean imagenet"),
        (lambda f: photographs(f, 32, collections=[]), "no collection"),
        (lambda f: photographs(f / "images", 32), "lacks images/imagenet1000"),
    ],
)
def test_what_is_refused(folder: Path, call: Callable[[Path], object], message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        call(folder)
    assert "\n" not in str(raised.value)


def test_broken_archives_are_one_line(folder: Path) -> None:
    stimuli = photographs(folder, 16, collections=["bsds500"])
    corrupt(folder)
    with pytest.raises(UserError, match=r"bsds500_train_val\.zip"):
        stimuli.images()
    path = folder / "images" / "cifar10_subset.zip"
    write_zip(path, {"train/cat/0000.jpg": b"no jpeg", "readme.md": b"x"})
    with pytest.raises(UserError, match=r"train/cat/0000\.jpg in .*zip as an image"):
        cifar10(folder, "train")
    with pytest.raises(UserError, match="holds no image named like test"):
        cifar10(folder, "test")
    with pytest.raises(UserError, match=r"lacks train/dog/0000\.jpg"):
        list(image_archives.read(path, ["train/dog/0000.jpg"]))
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match="replace it by an intact copy"):
        cifar10(folder, "train")
    np.savez(folder / "images" / "mnist.npz", x_test=np.zeros((3, 28, 28)), y_test=np.zeros(3))
    with pytest.raises(UserError, match=r"x_test .* is float64"):
        mnist(folder, "test")


def test_an_entry_that_is_too_large_is_not_unpacked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_archives, "_LARGEST", 100)
    with pytest.raises(UserError, match="claims"):
        cifar10(folder, "train")


@pytest.mark.data
def test_the_real_files(data_folder: Path) -> None:
    images, labels = mnist(data_folder, "test")
    assert images.shape == (10000, 1, 32, 32)
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    path = data_folder / "images" / "cifar10_subset.zip"
    assert len(image_archives.names(path, r"train/\w+/\d+\.jpg")) == 25000
    assert len(image_archives.names(path, r"test/\w+/\d+\.jpg")) == 5000
    photos = photographs(data_folder, 64, grey=True)
    assert len(photos) == 1300
    assert photos.table["collection"].value_counts().to_dict() == {"imagenet": 1000, "bsds500": 300}
    some = photos.images(np.arange(0, 1300, 100))
    assert 0.2 < float(some.mean()) < 0.7
    assert (some.flatten(1).std(1) > 0.02).all()


def test_whole_photographs_keep_their_shape(tmp_path: Path) -> None:
    sizes = {"train/1.jpg": (14, 9), "train/2.jpg": (8, 12), "val/3.jpg": (6, 6)}
    write_zip(
        tmp_path / "images" / "bsds500_train_val.zip",
        {name: jpeg(k, size) for k, (name, size) in enumerate(sizes.items())},
    )
    assert [tuple(i.shape) for i in whole_photographs(tmp_path)] == [(9, 14), (12, 8), (6, 6)]
    whole = whole_photographs(tmp_path, split="train", count=1)[0]
    halved = whole_photographs(tmp_path, split="train", halvings=1)[0]
    assert halved.shape == (4, 7)
    torch.testing.assert_close(halved[1, 2], whole[2:4, 4:6].mean())
    with pytest.raises(UserError, match="split 'test'"):
        whole_photographs(tmp_path, split="test")
