"""Folders of images: saved sets come back without loss, other people's folders are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from isocortex.errors import UserError
from isocortex.stimuli import image_files, stimulus_files
from isocortex.stimuli.stimulus_set import StimulusSet

RICH = pd.DataFrame(
    {
        "stimulus_id": ["a/b:c", "..", "", 'x,"y"\r\nz'],
        "yaw": [-22.5, 0.1 + 0.2, np.nan, np.inf],
        "yaw_single": np.array([1 / 3, 0.1, np.nan, -0.0], dtype=np.float32),
        "view": np.array([1, 2, 3, -(2**62)]),
        "small": np.array([1, 2, 3, 255], dtype=np.uint8),
        "flipped": [True, False, True, True],
        "maybe": pd.array([1, None, 3, 4], dtype="Int64"),
        "perhaps": pd.array([True, None, False, True], dtype="boolean"),
        "word": ["NaN", "\r", "None", "1e3"],
        "gappy": ["x", None, "", "nan"],
    }
)


def eight_bit(n: int, c: int = 1, h: int = 4, w: int = 5) -> torch.Tensor:
    levels = np.random.default_rng(n).integers(0, 256, (n, c, h, w), dtype=np.uint8)
    return image_files.from_eight_bit(levels)


def assert_same(a: StimulusSet, b: StimulusSet) -> None:
    assert torch.equal(a.images(), b.images())
    pd.testing.assert_frame_equal(a.table, b.table, check_exact=True)
    assert (a.shape, a.degrees, a.checksum()) == (b.shape, b.degrees, b.checksum())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("degrees", [None, 4.2])
def test_saving_loses_nothing(
    tmp_path: Path, channels: int, exact: bool, degrees: float | None
) -> None:
    images = eight_bit(4, channels)
    if not exact:
        images[2, 0, 1, 1] = 0.3
    stimuli = StimulusSet.from_tensor(images, RICH, degrees)
    folder = stimuli.save(tmp_path / "deep" / "set")
    assert_same(StimulusSet.load(folder), stimuli)
    assert (folder / "images.npy").exists() is not exact
    assert json.loads((folder / "stimuli.json").read_text())["checksum"] == stimuli.checksum()
    assert len(list((folder / "images").glob("*.png"))) == 4
    listing = pd.read_csv(folder / "stimuli.csv")
    for file, image in zip(listing["image_file"], stimuli.images(), strict=True):
        assert (image_files.read(folder / file) - image).abs().max() <= 0.5 / 255 + 1e-7
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set"]
    assert torch.equal(StimulusSet.load(folder)[[3, 1]].images(), images[[3, 1]])


def test_more_than_a_batch_and_an_empty_set(tmp_path: Path) -> None:
    many = StimulusSet.from_tensor(torch.rand(150, 1, 2, 2), degrees=1)
    assert_same(StimulusSet.load(many.save(tmp_path / "many")), many)
    none = many[:0]
    assert_same(StimulusSet.load(none.save(tmp_path / "none")), none)


@settings(max_examples=100)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5),
    data=st.data(),
)
def test_any_text_and_number_survives_the_csv(texts: list[str], data: st.DataObject) -> None:
    n = len(texts)
    columns: dict = {"text": texts}
    for dtype in (np.float64, np.float32, np.float16, np.int64, np.bool_):
        columns[dtype.__name__] = data.draw(hnp.arrays(dtype, n))
    table = pd.DataFrame(columns)
    text, missing = stimulus_files.table_text(table)
    dtypes = {c: str(table[c].dtype) for c in table}
    again = stimulus_files.read_table(text, dtypes, missing)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_a_column_without_a_form_in_csv_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"stimulus_id": ["a"], "box": [[1, 2]]})
    stimuli = StimulusSet.from_tensor(eight_bit(1), table)
    with pytest.raises(UserError, match=r"column 'box' \(object\)"):
        stimuli.save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    first, second = StimulusSet.from_tensor(eight_bit(2)), StimulusSet.from_tensor(eight_bit(3))
    folder = tmp_path / "set"
    folder.mkdir()
    first.save(folder)
    with pytest.raises(UserError, match="is not empty"):
        second.save(folder)
    assert_same(StimulusSet.load(folder), first)
    second.save(folder, overwrite=True)
    assert_same(StimulusSet.load(folder), second)
    other = tmp_path / "papers"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not a saved stimulus set"):
        second.save(other, overwrite=True)
    assert (other / "thesis.txt").read_text() == "years of work"
    with pytest.raises(UserError, match="is a file"):
        second.save(other / "thesis.txt")
    with pytest.raises(UserError, match="cannot write"):
        second.save(other / "thesis.txt" / "set")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["papers", "set"]


def test_a_source_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def source(rows: np.ndarray) -> torch.Tensor:
        if rows.max() >= 70:
            raise KeyboardInterrupt
        return torch.zeros(len(rows), 1, 2, 2)

    table = pd.DataFrame({"stimulus_id": [str(i) for i in range(100)]})
    with pytest.raises(KeyboardInterrupt):
        StimulusSet(source, table, shape=(1, 2, 2)).save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_set_can_be_saved_over_itself(tmp_path: Path) -> None:
    stimuli = StimulusSet.from_tensor(eight_bit(3))
    folder = stimuli.save(tmp_path / "set")
    StimulusSet.load(folder)[1:].save(folder, overwrite=True)
    assert torch.equal(StimulusSet.load(folder).images(), stimuli[1:].images())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied; choose another folder"):
        StimulusSet.from_tensor(eight_bit(1)).save(tmp_path / "set")


def broken(folder: Path, what: str) -> None:
    record = folder / "stimuli.json"
    if what == "json":
        record.write_text("{")
    elif what == "no json":
        record.unlink()
    elif what == "version":
        record.write_text(json.dumps(json.loads(record.read_text()) | {"version": 99}))
    elif what == "column":
        csv = folder / "stimuli.csv"
        csv.write_text(csv.read_text().replace("yaw", "jaw"))
    elif what == "value":
        csv = folder / "stimuli.csv"
        csv.write_text(csv.read_text().replace("1.25", "one"))
    elif what == "row":
        csv = folder / "stimuli.csv"
        csv.write_text("".join(csv.read_text().splitlines(True)[:-1]))
    elif what == "csv":
        (folder / "stimuli.csv").unlink()
    elif what == "picture":
        next((folder / "images").iterdir()).unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("json", "is not a saved stimulus set"),
        ("no json", "is not a saved stimulus set"),
        ("version", "has version 99"),
        ("column", "was changed or is broken"),
        ("value", "was changed or is broken"),
        ("row", "has 1 rows but 2 were written"),
        ("csv", "lacks stimuli.csv"),
        ("picture", r"lacks .*\.png"),
    ],
)
def test_broken_sets_are_one_line(tmp_path: Path, what: str, message: str) -> None:
    table = pd.DataFrame({"stimulus_id": ["a", "b"], "yaw": [1.25, 2.5]})
    folder = StimulusSet.from_tensor(eight_bit(2), table).save(tmp_path / "set")
    broken(folder, what)
    with pytest.raises(UserError, match=message) as raised:
        StimulusSet.load(folder)
    assert "\n" not in str(raised.value)


def test_pictures_changed_after_loading_are_noticed(tmp_path: Path) -> None:
    stimuli = StimulusSet.from_tensor(eight_bit(2))
    loaded = StimulusSet.load(stimuli.save(tmp_path / "set"))
    picture = sorted((tmp_path / "set" / "images").iterdir())[1]
    Image.new("L", (9, 9)).save(picture)
    with pytest.raises(UserError, match=f"{picture.name} has shape"):
        loaded.images()
    picture.write_bytes(b"nothing")
    with pytest.raises(UserError, match=f"cannot read .*{picture.name} as an image"):
        loaded.images([1])
    array = StimulusSet.from_tensor(torch.full((2, 1, 2, 2), 0.3)).save(tmp_path / "array")
    loaded = StimulusSet.load(array)
    (array / "images.npy").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"cannot read .*images.npy"):
        loaded.images()


def picture(path: Path, size: tuple[int, int] = (6, 5), mode: str = "L", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    shape = size[::-1] if mode == "L" else (*size[::-1], len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if mode in ("LA", "RGBA"):
        pixels[..., -1] = 255
    Image.fromarray(pixels, mode if mode == "LA" else None).save(path, **options)
    return path


def test_any_folder_of_images_becomes_a_set(tmp_path: Path) -> None:
    for name in (
        "cats/tom.png",
        "cats/garfield.png",
        "dogs/deep/rex.png",
        ".hidden/x.png",
        "z.png",
    ):
        picture(tmp_path / name)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    stimuli = StimulusSet.from_folder(tmp_path, degrees=8)
    table = stimuli.table
    assert table["stimulus_id"].tolist() == [
        "cats/garfield.png", "cats/tom.png", "dogs/deep/rex.png", "z.png",
    ]  # fmt: skip
    assert table["category"].tolist() == ["cats", "cats", "dogs/deep", ""]
    assert stimuli.shape == (1, 5, 6)
    for i, name in enumerate(table["stimulus_id"]):
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(image, dtype=np.float64) / 255
        np.testing.assert_allclose(stimuli.images([i])[0, 0].numpy(), expected, rtol=1e-6)
    flat = StimulusSet.from_folder(tmp_path / "cats")
    assert "category" not in flat.table


def test_mixed_sizes_need_a_size(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (8, 6))
    picture(tmp_path / "b.png", (6, 8))
    with pytest.raises(UserError, match=r"size 8x6 in .*a\.png but 6x8 in .*b\.png; give size="):
        StimulusSet.from_folder(tmp_path)
    stimuli = StimulusSet.from_folder(tmp_path, size=4)
    assert stimuli.images().shape == (2, 1, 4, 4)


def test_fit_crops_the_centre_and_keeps_uniform_images() -> None:
    image = torch.zeros(1, 4, 8)
    image[..., 2:6] = torch.arange(4) / 4
    torch.testing.assert_close(image_files.fit(image, 4), image[..., 2:6])
    assert torch.equal(image_files.fit(image[..., 2:6], 4), image[..., 2:6])
    uniform = image_files.fit(torch.full((3, 50, 37), 0.25), 20)
    torch.testing.assert_close(uniform, torch.full((3, 20, 20), 0.25))
    wild = image_files.fit((torch.rand(3, 30, 41) > 0.5).float(), 50)
    assert wild.shape == (3, 50, 50)
    assert 0 <= wild.min() <= wild.max() <= 1


def test_grey_and_colour_need_a_choice(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", mode="RGB")
    with pytest.raises(UserError, match=r"channels 1 in .*a\.png but 3 in .*b\.png"):
        StimulusSet.from_folder(tmp_path)
    colour = StimulusSet.from_folder(tmp_path, channels=3).images()
    assert torch.equal(colour[0, 0], colour[0, 2])
    grey = StimulusSet.from_folder(tmp_path, channels=1).images()
    weights = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    torch.testing.assert_close(grey[1, 0], (colour[1] * weights).sum(0))
    with pytest.raises(UserError, match="channels is 2"):
        StimulusSet.from_folder(tmp_path, channels=2)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_formats(tmp_path: Path, suffix: str, mode: str) -> None:
    path = picture(tmp_path / f"a.{suffix}", (16, 12), mode)
    image = image_files.read(path)
    with Image.open(path) as opened:
        truth = np.asarray(opened.convert("RGB"), dtype=np.float32) / 255
    assert image.shape[1:] == (12, 16)
    assert (len(image), 12, 16) == image_files.layout(path)
    expected = truth.transpose(2, 0, 1)[: len(image)]
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-6)


def test_sixteen_bits_are_kept_and_orientation_is_obeyed(tmp_path: Path) -> None:
    levels = np.array([[0, 1, 65535], [257, 300, 40000]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    image = image_files.read(tmp_path / "deep.png")
    np.testing.assert_allclose(image[0].numpy(), levels / 65535, rtol=1e-6)
    assert image_files.layout(tmp_path / "deep.png") == (1, 2, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "turned.jpg", (16, 8), exif=exif)
    assert image_files.layout(path) == (1, 16, 8)
    assert image_files.read(path).shape == (1, 16, 8)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_fine_where_nothing_is_transparent(tmp_path: Path, mode: str) -> None:
    path = picture(tmp_path / "a.png", mode=mode)
    assert len(image_files.read(path)) == image_files.layout(path)[0] == len(mode) - 1
    with Image.open(path) as opened:
        clear = opened.copy()
    clear.putalpha(Image.new("L", clear.size, 200))
    clear.save(path)
    with pytest.raises(UserError, match="transparent pixels"):
        StimulusSet.from_folder(tmp_path).images()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"hello", "cannot read .*notes.txt as an image"),
        ("a.png", b"", "cannot read .*a.png as an image"),
    ],
)
def test_files_that_are_no_images_are_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    picture(tmp_path / "fine.png")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        StimulusSet.from_folder(tmp_path)


def test_broken_images_and_folders_are_one_line(tmp_path: Path) -> None:
    path = picture(tmp_path / "half.png", (60, 60))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UserError, match=r"cannot read .*half.png"):
        StimulusSet.from_folder(tmp_path).images()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "half.tif")
    with pytest.raises(UserError, match="floating-point pixels"):
        image_files.read(tmp_path / "half.tif")
    with pytest.raises(UserError, match="there is no folder"):
        StimulusSet.from_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no file in"):
        StimulusSet.from_folder(tmp_path / "empty")
    with pytest.raises(UserError, match="size is 0"):
        StimulusSet.from_folder(tmp_path, size=0)
