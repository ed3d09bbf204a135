"""A result folder is replaced by a result of the same study, and by nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from isocortex.errors import UserError
from isocortex.report import check_result_folder, folder, write_result
from isocortex.studies.base import StudyResult


def test_a_result_replaces_an_earlier_one_as_a_whole(result: StudyResult, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    write_result(result, out)
    (out / "tables" / "stale.csv").write_text("from an earlier version")
    fewer = dataclasses.replace(result, preset="small")
    write_result(fewer, out)
    assert not (out / "tables" / "stale.csv").exists()
    assert json.loads((out / "provenance.json").read_text())["study"] == "invented2030"
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_another_study_is_not_replaced(result: StudyResult, tmp_path: Path) -> None:
    write_result(result, tmp_path / "out")
    with pytest.raises(UserError, match="holds a result of invented2030; choose another folder"):
        check_result_folder(tmp_path / "out", "other1999")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"thesis.tex": ""}, "it holds no provenance.json"),
        ({"provenance.json": "{"}, "its provenance.json cannot be read"),
        ({"provenance.json": "[]"}, "its provenance.json cannot be read"),
        ({"provenance.json": '{"study": "a"}', "notes.txt": ""}, "it holds notes.txt"),
    ],
)
def test_other_folders_are_left_alone(files: dict[str, str], reason: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=reason):
        check_result_folder(tmp_path, "a")
    assert {p.name for p in tmp_path.iterdir()} == set(files)


def test_a_report_that_fails_leaves_the_old_result(
    result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_result(result, out)
    before = (out / "report.html").read_bytes()

    def fail(*_: object) -> None:
        raise RuntimeError("the figure cannot be drawn")

    monkeypatch.setattr(folder, "write_report", fail)
    with pytest.raises(RuntimeError):
        write_result(result, out)
    assert (out / "report.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
