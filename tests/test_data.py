from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isocortex import data
from isocortex.errors import UserError


def test_an_explicit_folder_goes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    assert data.folder() == tmp_path
    assert data.folder(other) == other
    assert data.folder(str(other)) == other


@pytest.mark.parametrize("value", [None, ""])
def test_no_folder_is_none(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv(data.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(data.VARIABLE, value)
    assert data.folder() is None


def test_a_named_folder_that_is_not_one_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UserError, match=r"absent' \(--data\) does not exist") as error:
        data.folder(tmp_path / "absent")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"\(--data\) is a file"):
        data.folder(file)
    monkeypatch.setenv(data.VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(UserError, match=data.VARIABLE):
        data.folder()


def test_require_names_the_missing_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mnist.npz").write_bytes(b"")
    assert data.require(tmp_path, "images/mnist.npz") == tmp_path / "images" / "mnist.npz"
    with pytest.raises(UserError, match=r"lacks meshes/car\.npz"):
        data.require(tmp_path, "meshes/car.npz")
    with pytest.raises(UserError, match=r"lacks images;"):
        data.require(tmp_path, "images")
    with pytest.raises(UserError, match=r"meshes/car\.npz is needed but no data folder"):
        data.require(None, "meshes/car.npz")


def test_checksum_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "big"
    content = np.random.default_rng(0).bytes(300_000)
    path.write_bytes(content)
    assert data.checksum(path) == hashlib.sha256(content).hexdigest()
    with pytest.raises(UserError, match="cannot read"):
        data.checksum(tmp_path / "absent")
    with pytest.raises(UserError, match="cannot read"):
        data.checksum(tmp_path)


def test_read_npz_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), y=np.array(["a", "b"]))
    arrays = data.read_npz(path, ["y", "x"])
    assert list(arrays) == ["y", "x"]
    np.testing.assert_array_equal(arrays["x"], [0, 1, 2])
    with pytest.raises(UserError, match="lacks the array 'z'"):
        data.read_npz(path, ["x", "z"])


def _damaged(kind: str, path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.random.default_rng(0).normal(size=5000))
    whole = buffer.getvalue()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_bytes(b"not a zip file at all")
    elif kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "flipped bytes":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    elif kind == "single array":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    elif kind == "pickled objects":
        np.savez(path, x=np.array([{"run": "me"}], dtype=object))
    elif kind == "not an array inside":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"\x93NUMPY rubbish")
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "text",
        "truncated",
        "flipped bytes",
        "single array",
        "pickled objects",
        "not an array inside",
        "folder",
        "absent",
    ],
)
def test_a_damaged_archive_is_one_line_that_names_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    _damaged(kind, path)
    with pytest.raises(UserError, match=r"bad\.npz") as error:
        data.read_npz(path, ["x"])
    assert "\n" not in str(error.value)


def test_the_catalogue_names_each_file_once_with_terms_and_source() -> None:
    paths = [entry.path for entry in data.CATALOGUE]
    assert len(set(paths)) == len(paths)
    for entry in data.CATALOGUE:
        assert entry.what
        assert entry.licence
        assert entry.citation
        assert not Path(entry.path).is_absolute()


def test_table_says_what_is_found(tmp_path: Path) -> None:
    assert not data.table(None)["found"].any()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mnist.npz").write_bytes(b"12345")
    table = data.table(tmp_path).set_index("path")
    assert len(table) == len(data.CATALOGUE)
    assert table.index[table["found"]].tolist() == ["images/mnist.npz"]
    assert table.loc["images/mnist.npz", "bytes"] == 5
    assert table["bytes"].sum() == 5


@pytest.mark.data
def test_the_catalogue_and_the_real_folder_hold_the_same_files(data_folder: Path) -> None:
    there = {
        path.relative_to(data_folder).as_posix()
        for path in data_folder.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert there == {entry.path for entry in data.CATALOGUE}
    assert data.table(data_folder)["found"].all()
