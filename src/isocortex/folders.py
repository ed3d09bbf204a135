"""Result folders appear whole or not at all, and never in place of something else.

A folder is written beside its destination under a temporary name and moved there at the end. What
lies at the destination is replaced only if isocortex wrote it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isocortex.errors import UserError

IsOurs = Callable[[Path], str | None]
"""Says of an existing, non-empty folder why it must not be replaced; None if it may be."""


def check_writable(folder: Path, option: str) -> Path:
    """Make sure that files can be written into `folder`, which is created where it is missing.

    Parameters
    ----------
    folder : Path
        The folder.
    option : str
        The option that names it, for the message.

    Returns
    -------
    Path
        `folder`, absolute and with links followed.

    Raises
    ------
    UserError
        If nothing can be written there.
    """
    folder = folder.expanduser().resolve()
    probe = _sibling(folder / "probe", "new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror}); choose another folder with {option}"
        ) from None
    return folder


def _sibling(out: Path, what: str) -> Path:
    return out.parent / f".{out.name}.{what}-{uuid.uuid4().hex[:8]}"


def check_destination(out: Path, why_not: IsOurs) -> Path:
    """Make sure, before any work is done, that a folder can be written to `out`.

    Parameters
    ----------
    out : Path
        The destination. Missing parents are created.
    why_not : callable
        Called with an existing folder that is not empty.

    Returns
    -------
    Path
        `out`, absolute and with links followed.

    Raises
    ------
    UserError
        If the parent cannot be written, or something else lies at `out`.
    """
    out = out.expanduser().resolve()
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose another folder with --out")
    if out.is_dir() and any(out.iterdir()):
        reason = why_not(out)
        if reason is not None:
            raise UserError(f"{out} is not replaced: {reason}; choose another folder with --out")
    check_writable(out.parent, "--out")
    return out


@contextmanager
def replacing(out: Path, why_not: IsOurs) -> Iterator[Path]:
    """Give a temporary folder beside `out` that becomes `out` when the block ends well.

    Parameters
    ----------
    out : Path
        The destination.
    why_not : callable
        As in `check_destination`, which is called again: hours may have passed.

    Yields
    ------
    Path
        An empty folder. If the block raises, it is removed and `out` stays as it was.

    Raises
    ------
    UserError
        As `check_destination`.
    """
    out = check_destination(out, why_not)
    partial = _sibling(out, "partial")
    partial.mkdir()
    try:
        yield partial
        _swap(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(partial: Path, out: Path) -> None:
    if not out.exists():
        os.rename(partial, out)
        return
    old = _sibling(out, "old")
    os.rename(out, old)
    try:
        os.rename(partial, out)
    except BaseException:
        os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def only_these(*names: str, mark: str) -> IsOurs:
    """Build the rule that a folder may be replaced if it holds nothing but what we write.

    Parameters
    ----------
    *names : str
        Files and folders that we write; patterns as in `Path.match` are allowed.
    mark : str
        The file without which the folder is not ours.
    """

    def why_not(folder: Path) -> str | None:
        if not (folder / mark).is_file():
            return f"it holds no {mark}, so isocortex did not write it"
        strange = sorted(
            p.name for p in folder.iterdir() if not any(p.match(pattern) for pattern in names)
        )
        if strange:
            return f"it holds {strange[0]}, which isocortex did not write"
        return None

    return why_not
