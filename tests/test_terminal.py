"""A run shows a tree on a terminal and plain lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from isocortex.execution import Progress
from isocortex.terminal import StepTree, duration, write_table


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def plain(clock: Clock | None = None) -> tuple[StepTree, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False, width=40)
    return StepTree(console, every=30, clock=clock or Clock()), stream


def lively() -> tuple[StepTree, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=50, color_system=None)
    return StepTree(console, clock=Clock()), stream


def drawn(tree: StepTree) -> str:
    console = Console(width=100, record=True, file=io.StringIO(), color_system=None)
    console.print(tree._render())
    return console.export_text()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"), (0.44, "0.4 s"), (9.96, "10.0 s"), (12.3, "12 s"), (59.6, "1 min 00 s"),
        (185, "3 min 05 s"), (3599.7, "1 h 00 min"), (3720, "1 h 02 min"), (90000, "25 h 00 min"),
    ],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_lines_say_what_starts_and_ends() -> None:
    tree, stream = plain()
    with tree:
        tree.start(("render", "a class with a name [that] is long"))
        tree.finish(("render", "a class with a name [that] is long"), cached=False, seconds=1.26)
        tree.start(("train",), 2)
        tree.finish(("train",), cached=True, seconds=62)
        tree.finish(("render",), cached=True, seconds=0.1)
    assert stream.getvalue().splitlines() == [
        "render / a class with a name [that] is long: started",
        "render / a class with a name [that] is long: 1.3 s",
        "train: started",
        "train: from the cache (took 1 min 02 s)",
        "render: all from the cache",
    ]


def test_plain_lines_come_now_and_then() -> None:
    clock = Clock()
    tree, stream = plain(clock)
    tree.start(("train",), 100)
    for done in range(1, 101):
        clock.now += 1
        tree.advance(("train",), done, 100, "loss 0.5")
    lines = stream.getvalue().splitlines()
    assert lines[1:] == [f"train: {k} of 100, {k} % loss 0.5" for k in (30, 60, 90)]


def test_a_live_tree_shows_what_runs_and_folds_what_is_done() -> None:
    tree, stream = lively()
    with tree:
        tree.start(("train",), 8)
        for k in range(6):
            tree.start(("train", f"seed {k}"))
            tree.finish(("train", f"seed {k}"), cached=k == 0, seconds=1)
        tree.start(("train", "seed 6"), 30)
        tree.advance(("train", "seed 6"), 12, 30, "loss 0.25")
        seen = drawn(tree)
        assert "… 2 more done, 1 from the cache" in seen
        assert "seed 1 " not in seen
        assert "✓ seed 5  1.0 s" in seen
        assert "12/30" in seen
        assert "loss 0.25" in seen
        tree.finish(("train", "seed 6"), cached=False, seconds=3)
        tree.finish(("train",), cached=False, seconds=9)
    last = drawn(tree)
    assert last.split() == ["✓", "train", "(7", "steps)", "9.0", "s"]
    assert "train (7 steps)" in stream.getvalue()


def test_a_step_that_is_only_a_parent_needs_no_start() -> None:
    tree, _ = plain()
    tree.start(("render", "heads"))
    tree.finish(("render", "heads"), cached=False, seconds=2)
    assert [line.split() for line in drawn(tree).splitlines()] == [
        ["render"], ["└──", "✓", "heads", "2.0", "s"],
    ]  # fmt: skip


def test_an_error_ends_the_live_tree() -> None:
    tree, stream = lively()

    def interrupted() -> None:
        with tree:
            tree.start(("train",))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tree._live is None
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is shown again


def test_it_is_a_progress() -> None:
    progress: Progress = plain()[0]
    assert {"start", "advance", "finish"} <= set(dir(progress))


def test_tables_are_tab_separated_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("a", "b"), [("1", "two\nlines"), ("x\ty", "")], title="not shown")
    assert capsys.readouterr().out == "a\tb\n1\ttwo lines\nx y\t\n"


def test_tables_are_ruled_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write_table(("name", "value"), [("[bold]kept[/bold]", "3")], title="Shown")
    text = capsys.readouterr().out
    assert "│ [bold]kept[/bold] │ 3     │" in text.splitlines()
    assert "Shown" in text
