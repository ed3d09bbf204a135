"""What a run would use on this machine, and what is wrong with any of it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from isocortex import data as data_room
from isocortex.errors import UserError

GIB = 2**30
MISSING = "missing"
"""Value of a data file that is not there."""

_LITTLE_MEMORY = 2 * GIB
_LITTLE_DISK = 2 * GIB


@dataclass(frozen=True)
class Finding:
    """One thing that a run would use.

    Parameters
    ----------
    area, name, value : str
        What it is, and what was found.
    wrong : str
        What is wrong with it; empty if nothing is.
    mend : str
        How to mend it.
    """

    area: str
    name: str
    value: str
    wrong: str = ""
    mend: str = ""

    @property
    def state(self) -> str:
        """One word: ``ok``, ``wrong``, or ``missing`` for what a run can do without."""
        if self.wrong:
            return "wrong"
        return "missing" if self.value == MISSING else "ok"


def size(n_bytes: float) -> str:
    """Return a number of bytes as people read it: ``17 B``, ``3.2 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"


def examine(data: Path | None = None, cache: Path | None = None) -> list[Finding]:
    """Return all that a run with these folders would use.

    Parameters
    ----------
    data : Path, optional
        What the user would give as ``--data``.
    cache : Path, optional
        Where results of steps would be kept.

    Returns
    -------
    list of Finding
        Those with a non-empty `wrong` keep a run from working as it should.
    """
    findings = [*python(), *libraries(), *machine(), *devices(), *data_files(data)]
    if cache is not None:
        findings += cache_folder(cache)
    return findings


def python() -> list[Finding]:
    """Return the version of Python, against the versions that isocortex supports."""
    version = platform.python_version()
    supported = metadata.metadata("isocortex")["Requires-Python"] or ""
    fits = SpecifierSet(supported).contains(version, prereleases=True)
    wrong = "" if fits else f"isocortex supports {supported}"
    mend = "" if fits else "make a new environment with a supported Python"
    return [Finding("python", "python", version, wrong, mend)]


def libraries(requirements: Sequence[str] | None = None) -> list[Finding]:
    """Return the version of every dependency, against the range that isocortex declares.

    Parameters
    ----------
    requirements : sequence of str, optional
        By default those of the installed isocortex, without its extras.
    """
    if requirements is None:
        requirements = metadata.requires("isocortex") or []
    findings = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            value, wrong = "absent", "it is not installed"
        else:
            fits = requirement.specifier.contains(version, prereleases=True)
            value, wrong = version, "" if fits else f"isocortex needs {wanted}"
        mend = f"pip install '{wanted}'" if wrong else ""
        findings.append(Finding("library", requirement.name, value, wrong, mend))
    return findings


def machine() -> list[Finding]:
    """Return the cores and the memory that this process may use."""
    try:
        usable = len(psutil.Process().cpu_affinity())
    except AttributeError:  # not every system ties processes to cores
        usable = psutil.cpu_count() or 1
    memory = psutil.virtual_memory()
    little = memory.available < _LITTLE_MEMORY
    return [
        Finding("machine", "system", f"{platform.system()} {platform.machine()}"),
        Finding("machine", "cores", f"{usable} of {psutil.cpu_count() or usable} usable"),
        Finding(
            "machine",
            "memory",
            f"{size(memory.available)} free of {size(memory.total)}",
            f"a run wants {size(_LITTLE_MEMORY)}" if little else "",
            "close other programs, or run on a larger machine" if little else "",
        ),
    ]


def devices() -> list[Finding]:
    """Return the devices that torch and warp see, and where warp keeps its compiled kernels."""
    import torch

    findings = [Finding("device", "cpu", f"{torch.get_num_threads()} torch threads")]
    seen_by_torch = torch.cuda.is_available()
    if not seen_by_torch:
        findings.append(Finding("device", "cuda", "none: everything runs on the cpu"))
    for k in range(torch.cuda.device_count() if seen_by_torch else 0):
        properties = torch.cuda.get_device_properties(k)
        findings.append(
            Finding("device", f"cuda:{k}", f"{properties.name}, {size(properties.total_memory)}")
        )
    names, folder = _kernel_devices()
    blind = seen_by_torch and not any(name.startswith("cuda") for name in names)
    findings.append(
        Finding(
            "device",
            "renderer",
            ", ".join(names),
            "torch sees a CUDA device that warp does not" if blind else "",
            "update the NVIDIA driver, or render with --device cpu" if blind else "",
        )
    )
    return [*findings, _kernel_cache(folder)]


def _kernel_devices() -> tuple[list[str], Path]:
    """Return the devices that warp compiles for, and the folder of what it compiled."""
    import warp

    with _hushed():
        warp.init()
    folder = Path(warp.config.kernel_cache_dir or "")
    return [device.alias for device in warp.get_devices()], folder


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep off the terminal what a library in C says of itself."""
    kept = [os.dup(1), os.dup(2)]
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _kernel_cache(folder: Path) -> Finding:
    compiled = sum(1 for p in folder.glob("wp_*") if p.is_dir()) if folder.is_dir() else 0
    state = f"{compiled} compiled modules" if compiled else "empty: the first run compiles (1 min)"
    wrong = _unwritable(folder)
    mend = "set WARP_CACHE_PATH to a folder that you may write" if wrong else ""
    return Finding("device", "kernel cache", f"{folder}, {state}", wrong, mend)


def data_files(explicit: Path | None) -> list[Finding]:
    """Return the data folder and each catalogued file that it has or lacks."""
    try:
        folder = data_room.folder(explicit)
    except UserError as error:
        wrong, _, mend = str(error).removeprefix("data folder ").partition("; ")
        return [Finding("data", "folder", "unusable", wrong, mend)]
    if folder is None:
        value = f"none: procedural stimuli (name one with --data or {data_room.VARIABLE})"
        return [Finding("data", "folder", value)]
    files = data_room.table(folder)
    none = not files["found"].any()
    findings = [
        Finding(
            "data",
            "folder",
            f"{folder}, {int(files['found'].sum())} of {len(files)} files",
            "none of the catalogued files lies in it" if none else "",
            "name the folder that holds neural/, images/ and meshes/" if none else "",
        )
    ]
    if none:
        return findings
    for path, found, n_bytes in zip(files["path"], files["found"], files["bytes"], strict=True):
        findings.append(Finding("data", path, size(n_bytes) if found else MISSING))
    return findings


def cache_folder(folder: Path) -> list[Finding]:
    """Return the cache folder, what it holds, and the disk space left for it."""
    folder = folder.expanduser().absolute()
    held = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # another run may be tidying up
                held += Path(parent, name).lstat().st_size
    wrong = _unwritable(folder)
    mend = "choose another folder with --cache" if wrong else ""
    findings = [Finding("cache", "folder", f"{folder}, {size(held)}", wrong, mend)]
    existing = next(p for p in [folder, *folder.parents] if p.exists())
    free = shutil.disk_usage(existing).free
    little = free < _LITTLE_DISK
    findings.append(
        Finding(
            "cache",
            "free disk",
            size(free),
            f"a run wants {size(_LITTLE_DISK)}" if little else "",
            "make room, or choose another disk with --cache" if little else "",
        )
    )
    return findings


def _unwritable(folder: Path) -> str:
    """Return why nothing can be written into `folder`, which may have to be made; or nothing."""
    made = next(p for p in [folder, *folder.parents] if p.exists())
    probe = made / f".isocortex-{uuid.uuid4().hex[:8]}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"{made} cannot be written ({error.strerror})"
    return ""
