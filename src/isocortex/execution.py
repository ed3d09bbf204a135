"""Steps: configurations whose result is cached, timed, resumed and, where asked, run elsewhere.

A step is a pydantic model with one method, `compute`. Its result is kept by exca under a key made
of the configuration (nested steps included), the version of each step, the source code of the
rooms that steps compute with, and the checksums that the configuration carries; nothing is keyed by
a bare name. A step that failed is tried again.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import exca
import pydantic
import submitit

import isocortex
from isocortex.errors import UserError

Path_ = tuple[str, ...]
Cluster = Literal["local", "slurm"]
ROOMS = (
    "arrays.py",
    "grams.py",
    "statistics.py",
    "stimuli",
    "models",
    "training",
    "recording",
    "measures",
    "brains",
    "analyses",
)
"""Where the numbers of steps are made; a study's own code is covered by each step's `VERSION`."""

LONGEST_JOB_MINUTES = 24 * 60
"""Limit of one job of a sweep; a job that was cut short goes on from its checkpoint next time."""

S = TypeVar("S", bound="Step")


class Progress(Protocol):
    """What a run tells of itself: a tree of steps, addressed by their path of titles."""

    def start(self, path: Path_, total: int | None = None) -> None:
        """Announce the step at `path`, with the number of its parts where it is known."""

    def advance(self, path: Path_, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` parts are done."""

    def finish(self, path: Path_, cached: bool, seconds: float) -> None:
        """Say that the step is done, and whether its result came from the cache."""


class Silence:
    """A progress that tells nobody."""

    def start(self, path: Path_, total: int | None = None) -> None:
        """Do nothing."""

    def advance(self, path: Path_, done: int, total: int, note: str = "") -> None:
        """Do nothing."""

    def finish(self, path: Path_, cached: bool, seconds: float) -> None:
        """Do nothing."""


@dataclass
class _Place:
    """Where in the tree the code that runs now is."""

    progress: Progress
    path: Path_


_PLACE: ContextVar[_Place | None] = ContextVar("isocortex_place", default=None)


def tick(done: int, total: int, note: str = "") -> None:
    """Report progress of the step that runs now; silent outside a run and in worker processes."""
    place = _PLACE.get()
    if place is not None:
        place.progress.advance(place.path, done, total, note)


@dataclass(frozen=True)
class Outcome:
    """What a step gave, and the seconds that it took when it was computed."""

    value: Any
    seconds: float


@functools.cache
def code_fingerprint() -> str:
    """Return a digest of the source code that steps compute with: an edit there computes anew."""
    root = Path(isocortex.__file__).parent
    digest = hashlib.sha256()
    for room in ROOMS:
        path = root / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def version_of(kind: type[Step]) -> str:
    """Return what of the code is part of a step's key: its own version and that of the rooms."""
    return f"{kind.VERSION}-{code_fingerprint()}"


class Step(pydantic.BaseModel, abc.ABC):
    """A configuration with a cached result.

    Subclasses set `VERSION` (raised whenever the same configuration would give another result),
    `REMOTE` (whether a cluster is worth its start-up) and define `compute`. Build them with
    `Execution.step`, which says where results are kept.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=False)
    VERSION: ClassVar[str] = "1"
    REMOTE: ClassVar[bool] = False
    infra: exca.TaskInfra = exca.TaskInfra()

    @abc.abstractmethod
    def compute(self) -> Any:
        """Return the result of the step."""

    @infra.apply
    def outcome(self) -> Outcome:
        """Return the cached `Outcome` of `compute`."""
        began = time.perf_counter()
        value = self.compute()
        return Outcome(value, time.perf_counter() - began)

    def result(self) -> Any:
        """Return the result, from the cache where it is there."""
        return self.outcome().value

    def part(self, kind: type[S], **fields: Any) -> S:
        """Return a step that this one computes on its way, kept in the same cache."""
        infra = {"version": version_of(kind), "mode": "retry", "folder": self.infra.folder}
        return kind.model_validate({"infra": infra, **fields})

    @property
    def is_cached(self) -> bool:
        """Whether the result lies in the cache."""
        return self.infra.status() == "completed"

    def workspace(self) -> Path | None:
        """Return the folder where unfinished work of this step lies, or None without a cache."""
        if self.infra.folder is None:
            return None
        digest = hashlib.sha256(self.infra.uid().encode()).hexdigest()[:24]
        return Path(self.infra.folder) / "unfinished" / f"{type(self).__name__.lower()}-{digest}"

    def clear_workspace(self) -> None:
        """Remove unfinished work, once the result is in the cache."""
        folder = self.workspace()
        if folder is not None and folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Timing:
    """How long a step took, and when it was computed: now or in an earlier run."""

    path: Path_
    seconds: float
    cached: bool


@dataclass
class Execution:
    """How steps are run: where results are kept, on which machine, and who is told.

    Parameters
    ----------
    cache : Path or None
        Folder of cached results; None keeps nothing.
    cluster : {"local", "slurm"} or None
        Where sweeps run: in this process (None), in processes of this machine, or as SLURM arrays.
    progress : Progress
        Who is told.
    workers : int
        How many local processes run at once with ``cluster="local"``.
    """

    cache: Path | None = None
    cluster: Cluster | None = None
    progress: Progress = field(default_factory=Silence)
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    timings: list[Timing] = field(default_factory=list)

    def step(self, kind: type[S], **fields: Any) -> S:
        """Return a step of class `kind` that keeps its result in this execution's cache."""
        infra: dict[str, Any] = {"version": version_of(kind), "mode": "retry"}
        if self.cache is not None:
            infra["folder"] = str(self.cache)
            if self.cluster is not None and kind.REMOTE:
                infra["cluster"] = self.cluster
                infra["timeout_min"] = LONGEST_JOB_MINUTES
        return kind.model_validate({"infra": infra, **fields})

    def run(self, path: Path_, step: Step) -> Any:
        """Run one step in the tree at `path` and return its result."""
        with _quiet_exca():
            return self._collect(path, step, step.is_cached)

    def sweep(self, path: Path_, steps: Sequence[S], title: Callable[[S], str]) -> list[Any]:
        """Run many steps of one kind and return their results in order.

        Without a cluster they run one after the other here, each with its own progress bar. With
        one, those that are not cached yet are sent off first: as one job array on SLURM, `workers`
        at a time on this machine.
        """
        self.progress.start(path, len(steps))
        began = time.perf_counter()
        cached = [s.is_cached for s in steps]
        with _quiet_exca():
            if steps and steps[0].infra.cluster is not None:
                self._submit(path, [s for s, done in zip(steps, cached, strict=True) if not done])
            results = []
            for k, step in enumerate(steps):
                results.append(self._collect((*path, title(step)), step, cached[k]))
                self.progress.advance(path, k + 1, len(steps))
        self.progress.finish(path, all(cached), time.perf_counter() - began)
        return results

    def _submit(self, path: Path_, steps: Sequence[Step]) -> None:
        chunk = self.workers if self.cluster == "local" else max(1, len(steps))
        for first in range(0, len(steps), chunk):
            part = steps[first : first + chunk]
            for step in part:
                # An array takes a failed job for a finished one, whatever the mode.
                if step.infra.status() == "failed":
                    step.infra.clear_job()
            threads = max(1, (os.cpu_count() or 1) // len(part))
            with _threads_of_workers(threads), part[0].infra.job_array() as array:
                array.extend(part)
            if self.cluster == "local":
                for step in part:
                    step.infra.job().wait()
                self.progress.advance(path, first + len(part), len(steps))

    def _collect(self, path: Path_, step: Step, cached: bool) -> Any:
        self.progress.start(path)
        token = _PLACE.set(_Place(self.progress, path))
        try:
            done = step.outcome()
        except submitit.core.utils.FailedJobError as failure:
            raise _as_user_error(failure) from failure
        finally:
            _PLACE.reset(token)
        self.timings.append(Timing(path, done.seconds, cached))
        self.progress.finish(path, cached, done.seconds)
        return done.value


def _as_user_error(failure: Exception) -> Exception:
    """Give back the `UserError` that a worker process raised, if that is why its job failed."""
    marker = f"{UserError.__module__}.{UserError.__qualname__}: "
    lines = [line for line in str(failure).splitlines() if line.startswith(marker)]
    return UserError(lines[-1].removeprefix(marker)) if lines else failure


@contextlib.contextmanager
def _threads_of_workers(count: int) -> Iterator[None]:
    """Share the cores among the processes that start here; those that vie for them all crawl."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = before or str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]


@contextlib.contextmanager
def _quiet_exca() -> Iterator[None]:
    """Keep exca's own log lines (retries, submissions) out of the terminal."""
    logger = logging.getLogger("exca")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
