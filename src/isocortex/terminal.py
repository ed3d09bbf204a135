"""What a run shows of itself: a live tree of steps on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from typing import Self

StepPath = tuple[str, ...]

# Finished siblings beyond this many are shown as one line, so that what runs stays on the screen.
_SHOWN_FINISHED = 4
_BAR_WIDTH = 24


def duration(seconds: float) -> str:
    """Return a time as people say it: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``1 h 02 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@dataclass
class _Node:
    """One step, and those inside it."""

    title: str
    began: float | None = None
    done: int = 0
    total: int | None = None
    note: str = ""
    seconds: float | None = None
    cached: bool = False
    told: float = 0.0
    children: dict[str, _Node] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.seconds is not None


class StepTree:
    """A progress of steps, each addressed by its path of titles.

    On a terminal it is a live tree with times and progress bars; into a file or pipe it writes one
    line when a step starts and ends, and one now and then in between. Use it as a context manager.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to; standard error by default, so that standard output stays for results.
    every : float
        Seconds between lines about the same step where there is no terminal.
    clock : callable
        Gives the time in seconds; tests replace it.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._every = every
        self._clock = clock
        self._root = _Node("")
        self._lock = threading.RLock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(
                console=self.console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                vertical_overflow="crop",
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self.console.print(self._render())

    def start(self, path: StepPath, total: int | None = None) -> None:
        """Announce the step at `path`, with the number of its parts where it is known."""
        with self._lock:
            node = self._node(path)
            node.began = node.told = self._clock()
            node.total = total
            node.seconds = None
        self._line(path, "started")

    def advance(self, path: StepPath, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` parts are done."""
        with self._lock:
            node = self._node(path)
            node.done, node.total, node.note = done, total, note
            now = self._clock()
            tell = now - node.told >= self._every
            if tell:
                node.told = now
        if tell:
            share = f"{100 * done // total} %" if total else ""
            self._line(path, " ".join(filter(None, [f"{done} of {total},", share, note])))

    def finish(self, path: StepPath, cached: bool, seconds: float) -> None:
        """Say that the step is done, and whether its result came from the cache."""
        with self._lock:
            node = self._node(path)
            node.seconds, node.cached, node.note = seconds, cached, ""
        self._line(path, _ending(node))

    def _node(self, path: StepPath) -> _Node:
        node = self._root
        for title in path:
            node = node.children.setdefault(title, _Node(title))
        return node

    def _line(self, path: StepPath, what: str) -> None:
        if not self.console.is_terminal:
            self.console.print(
                f"{' / '.join(path)}: {what}", markup=False, soft_wrap=True, highlight=False
            )

    def _render(self) -> RenderableType:
        with self._lock:
            trees = [self._branch(node) for node in self._root.children.values()]
        return Group(*trees)

    def _branch(self, node: _Node) -> Tree:
        tree = Tree(self._label(node), guide_style="dim")
        if node.finished:
            return tree
        done = [child for child in node.children.values() if child.finished]
        folded = done[:-_SHOWN_FINISHED]
        if folded:
            cached = sum(child.cached for child in folded)
            text = f"… {len(folded)} more done" + (f", {cached} from the cache" if cached else "")
            tree.add(Text(text, style="dim"))
        hidden = {child.title for child in folded}
        for child in node.children.values():
            if child.title not in hidden:
                tree.children.append(self._branch(child))
        return tree

    def _label(self, node: _Node) -> RenderableType:
        if node.seconds is not None:
            parts = f" ({len(node.children)} steps)" if node.children else ""
            return Text.assemble(
                ("✓ ", "green"), node.title, (parts, "dim"), ("  " + _ending(node), "dim")
            )
        if node.began is None:
            return Text(node.title)
        grid = Table.grid(padding=(0, 1))
        row: list[RenderableType] = [Spinner("dots"), Text(node.title)]
        if node.total:
            bar = ProgressBar(total=node.total, completed=node.done, width=_BAR_WIDTH)
            row += [bar, Text(f"{node.done}/{node.total}", style="dim")]
        row.append(Text(duration(self._clock() - node.began), style="dim"))
        if node.note:
            row.append(Text(node.note, style="dim"))
        grid.add_row(*row)
        return grid


def _ending(node: _Node) -> str:
    took = duration(node.seconds or 0.0)
    if not node.cached:
        return took
    return "all from the cache" if node.children else f"from the cache (took {took})"


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Write a table to standard output: ruled on a terminal, tab-separated into a file or pipe.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
    title : str
        Shown above the table on a terminal only.
    """
    if not sys.stdout.isatty():
        for row in [header, *rows]:
            sys.stdout.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
