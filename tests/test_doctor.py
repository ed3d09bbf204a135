"""The doctor finds what is wrong, and says how to mend it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from isocortex import doctor
from isocortex.data import CATALOGUE


def test_this_machine_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOCORTEX_DATA", raising=False)
    findings = {(f.area, f.name): f for f in doctor.examine(cache=tmp_path / "new")}
    assert findings["library", "torch"].state == "ok"
    assert findings["python", "python"].state == "ok"
    assert "usable" in findings["machine", "cores"].value
    assert "cpu" in findings["device", "renderer"].value
    assert findings["data", "folder"].value.startswith("none: procedural")
    assert findings["cache", "folder"].value.endswith("0 B")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("requirement", "state", "wrong"),
    [
        ("numpy>=2.0", "ok", ""),
        ("numpy>=99", "wrong", "isocortex needs numpy>=99"),
        ("numpy<1", "wrong", "isocortex needs numpy<1"),
        ("surely-not-installed>=1", "wrong", "it is not installed"),
    ],
)
def test_versions_against_ranges(requirement: str, state: str, wrong: str) -> None:
    (finding,) = doctor.libraries([requirement])
    assert finding.state == state
    assert finding.wrong == wrong
    assert finding.mend == (f"pip install '{requirement}'" if wrong else "")


def test_extras_are_not_asked_for() -> None:
    assert doctor.libraries(["surely-not-installed>=1; extra == 'dev'"]) == []


def test_an_unsupported_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.1")
    (finding,) = doctor.python()
    assert finding.state == "wrong"
    assert "isocortex supports" in finding.wrong


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(available=2**29, total=2**32)
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: memory)
    (finding,) = (f for f in doctor.machine() if f.name == "memory")
    assert finding.value == "512.0 MiB free of 4.0 GiB"
    assert finding.wrong == "a run wants 2.0 GiB"


def test_data_found_and_missing(tmp_path: Path) -> None:
    here = tmp_path / CATALOGUE[0].path
    here.parent.mkdir(parents=True)
    here.write_bytes(b"x" * 2048)
    folder, first, *others = doctor.data_files(tmp_path)
    assert folder.value == f"{tmp_path}, 1 of {len(CATALOGUE)} files"
    assert (first.name, first.value, first.state) == (CATALOGUE[0].path, "2.0 KiB", "ok")
    assert {f.state for f in others} == {"missing"}


def test_a_folder_without_any_file_is_wrong(tmp_path: Path) -> None:
    (finding,) = doctor.data_files(tmp_path)
    assert finding.wrong == "none of the catalogued files lies in it"
    assert finding.mend


def test_a_data_folder_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    (finding,) = doctor.data_files(tmp_path / "absent")
    assert finding.state == "wrong"
    assert "does not exist" in finding.wrong
    assert finding.mend.startswith("name a folder")


def test_the_cache_and_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"x" * 1500)
    (tmp_path / "b").write_bytes(b"x" * 36)
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    folder, disk = doctor.cache_folder(tmp_path)
    length = len(str(tmp_path / "missing"))
    assert folder.value == f"{tmp_path}, {doctor.size(1536 + length)}"
    assert folder.state == "ok"
    assert disk.wrong == "a run wants 2.0 GiB"


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder, _ = doctor.cache_folder(tmp_path / "file" / "cache")
    assert folder.state == "wrong"
    assert folder.mend == "choose another folder with --cache"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3.5 * 2**30, "3.5 GiB"), (2**41, "2.0 TiB")],
)
def test_size(n_bytes: float, text: str) -> None:
    assert doctor.size(n_bytes) == text
