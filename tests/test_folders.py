"""Folders appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from isocortex import folders
from isocortex.errors import UserError
from isocortex.folders import check_destination, only_these, replacing


def anything(_: Path) -> None:
    return None


def test_missing_parents_are_made_and_nothing_is_left_behind(tmp_path: Path) -> None:
    out = check_destination(tmp_path / "a" / "b" / "out", anything)
    assert out == tmp_path / "a" / "b" / "out"
    assert list(out.parent.iterdir()) == []


def test_the_folder_has_the_rights_that_the_user_asks_for(tmp_path: Path) -> None:
    with replacing(tmp_path / "out", anything) as partial:
        (partial / "x").touch()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o777 & ~mask


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file; choose another folder"):
        check_destination(tmp_path / "out", anything)


def test_a_parent_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot write in .*file .*; choose another") as caught:
        check_destination(tmp_path / "file" / "out", anything)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable for root")
def test_a_read_only_parent_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="cannot write in"):
            check_destination(tmp_path / "out", anything)
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no file system that refuses writes")
def test_a_file_system_that_refuses_is_one_line() -> None:
    with pytest.raises(UserError, match="cannot write in /proc"):
        check_destination(Path("/proc/out"), anything)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with replacing(tmp_path / "out", only_these("x", mark="x")) as partial:
        (partial / "x").write_text("new")
    assert (tmp_path / "out" / "x").read_text() == "new"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with replacing(tmp_path / "out", anything) as partial:
        (partial / "x").write_text("new")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "x").read_text() == "new"


def test_a_failed_move_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_text("old")
    rename = os.rename

    def fails_at_partial(source: Path, target: Path) -> None:
        if "partial" in Path(source).name:
            raise OSError("the disk went away")
        rename(source, target)

    monkeypatch.setattr(folders.os, "rename", fails_at_partial)
    with pytest.raises(OSError, match="went away"), replacing(out, anything) as partial:
        (partial / "x").write_text("new")
    assert (out / "x").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_only_these(tmp_path: Path) -> None:
    rule = only_these("a.csv", "*.png", mark="a.csv")
    assert rule(tmp_path) == "it holds no a.csv, so isocortex did not write it"
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.png").touch()
    assert rule(tmp_path) is None
    (tmp_path / "c.txt").touch()
    assert rule(tmp_path) == "it holds c.txt, which isocortex did not write"
