from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

import pytest

from isocortex.errors import UserError
from isocortex.execution import Execution, Step, code_fingerprint, tick


class Double(Step):
    REMOTE: ClassVar[bool] = True
    x: int
    label: str = ""
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("label",)

    def compute(self) -> tuple[int, int, float]:
        return 2 * self.x, os.getpid(), time.time_ns()


class Sum(Step):
    VERSION: ClassVar[str] = "2"
    parts: dict[str, Double]
    plus: int

    def compute(self) -> int:
        tick(1, 2, "half way")
        return sum(part.result()[0] for part in self.parts.values()) + self.plus


class Refuses(Step):
    REMOTE: ClassVar[bool] = True
    x: int = 0

    def compute(self) -> None:
        raise UserError("this input is bad; give another")


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def start(self, path: tuple[str, ...], total: int | None = None) -> None:
        self.events.append(("start", path, total))

    def advance(self, path: tuple[str, ...], done: int, total: int, note: str = "") -> None:
        self.events.append(("advance", path, done, total, note))

    def finish(self, path: tuple[str, ...], cached: bool, seconds: float) -> None:
        self.events.append(("finish", path, cached))


def test_a_step_is_computed_once_whatever_object_asks(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path)
    first = execution.run(("a",), execution.step(Double, x=3))
    again = execution.run(("a",), execution.step(Double, x=3, label="other words"))
    other = execution.run(("a",), execution.step(Double, x=4))
    assert first == again
    assert other[0] == 8
    assert [t.cached for t in execution.timings] == [False, True, False]


def test_the_key_holds_nested_fields_and_versions(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path)

    def total(x: int) -> Sum:
        return execution.step(Sum, parts={"only": execution.step(Double, x=x)}, plus=1)

    assert execution.run(("s",), total(1)) == 3
    assert execution.run(("s",), total(2)) == 5
    before = total(1).infra.uid()
    Double.VERSION = "7"
    try:
        assert total(1).infra.uid() != before
    finally:
        Double.VERSION = "1"
    assert total(1).infra.uid() == before


def test_an_edit_of_the_rooms_computes_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = Execution(cache=tmp_path)
    first = execution.run(("a",), execution.step(Double, x=3))
    assert execution.step(Double, x=3).is_cached
    assert len(code_fingerprint()) == 12
    monkeypatch.setattr("isocortex.execution.code_fingerprint", lambda: "0" * 12)
    assert not execution.step(Double, x=3).is_cached
    assert execution.run(("a",), execution.step(Double, x=3)) != first


def test_without_a_cache_nothing_is_kept() -> None:
    execution = Execution()
    step = execution.step(Double, x=1)
    assert not step.is_cached
    assert step.workspace() is None
    assert execution.run(("a",), step)[0] == 2


def test_progress_is_told_in_order(tmp_path: Path) -> None:
    told = Recorder()
    execution = Execution(cache=tmp_path, progress=told)
    steps = [execution.step(Sum, parts={}, plus=k) for k in (1, 2)]
    assert execution.sweep(("sums",), steps, lambda s: f"plus {s.plus}") == [1, 2]
    assert told.events[0] == ("start", ("sums",), 2)
    assert told.events[1:5] == [
        ("start", ("sums", "plus 1"), None),
        ("advance", ("sums", "plus 1"), 1, 2, "half way"),
        ("finish", ("sums", "plus 1"), False),
        ("advance", ("sums",), 1, 2, ""),
    ]
    assert told.events[-1] == ("finish", ("sums",), False)


def test_a_failed_step_says_why_and_is_tried_again(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path)
    for _ in range(2):
        with pytest.raises(UserError, match="this input is bad"):
            execution.run(("r",), execution.step(Refuses))


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="seeds"):
        Execution().step(Double, x=1, seeds=3)


@pytest.mark.filterwarnings("default")
def test_a_local_cluster_runs_in_other_processes_and_gives_the_same(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path, cluster="local", workers=2)
    steps = [execution.step(Double, x=k) for k in range(3)]
    results = execution.sweep(("d",), steps, lambda s: str(s.x))
    assert [r[0] for r in results] == [0, 2, 4]
    assert os.getpid() not in {r[1] for r in results}
    assert [t.cached for t in execution.timings] == [False] * 3
    here = Execution(cache=tmp_path)
    assert here.sweep(("d",), [here.step(Double, x=1)], str) == [results[1]]
    assert here.timings[0].cached


@pytest.mark.filterwarnings("default")
def test_a_users_mistake_in_a_worker_stays_one_line(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path, cluster="local", workers=1)
    with pytest.raises(UserError, match=r"^this input is bad; give another$"):
        execution.sweep(("r",), [execution.step(Refuses, x=5)], str)
