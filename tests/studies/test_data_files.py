"""Files of the data folder as a run sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from isocortex.errors import UserError
from isocortex.studies.data_files import DataFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.npz").write_bytes(b"a")
    (tmp_path / "images" / "b.npz").write_bytes(b"b")
    return tmp_path


def test_checksums_are_those_of_the_files_and_are_remembered(folder: Path) -> None:
    files = DataFiles(folder)
    assert files.checksums == {}
    assert files.checksum("images/a.npz") == hashlib.sha256(b"a").hexdigest()
    assert list(files.checksums) == ["images/a.npz"]
    (folder / "images" / "a.npz").write_bytes(b"other")  # a run sees a file as it was at first
    assert files.checksum("images/a.npz") == hashlib.sha256(b"a").hexdigest()


def test_a_digest_knows_names_and_contents_but_no_order(folder: Path) -> None:
    names = ["images/a.npz", "images/b.npz"]
    found = DataFiles(folder).digest(names)
    assert found == DataFiles(folder).digest(names[::-1])
    assert found != DataFiles(folder).digest(names[:1])
    (folder / "images" / "b.npz").write_bytes(b"c")
    assert found != DataFiles(folder).digest(names)


def test_without_a_folder_there_is_nothing_and_a_folder_must_be_whole(folder: Path) -> None:
    assert not DataFiles(None).has("images/a.npz")
    assert not DataFiles(None).wanted("images/a.npz", "x=procedural")
    files = DataFiles(folder)
    assert files.has("images/a.npz", "images/b.npz")
    assert files.wanted("images/a.npz", "x=procedural")
    assert not files.has("images/a.npz", "images/c.npz")
    with pytest.raises(UserError, match=r"lacks images/c.npz; .*--set x=procedural$"):
        files.wanted("images/c.npz", "x=procedural")
    with pytest.raises(UserError, match="meshes"):
        files.meshes()
