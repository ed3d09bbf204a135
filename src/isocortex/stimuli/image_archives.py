"""Images inside zip archives, read in memory: nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import image_files

_LARGEST = 2**26  # bytes of one image file; a bomb claims or hides more
_BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)


def names(path: Path, pattern: str) -> list[str]:
    """Return the sorted names of the entries of a zip that match the whole `pattern`.

    Raises
    ------
    UserError
        If it is no zip archive, or no entry matches.
    """
    expression = re.compile(pattern)
    with _opened(path) as archive:
        found = sorted(n for n in archive.namelist() if expression.fullmatch(n))
    if not found:
        raise UserError(f"{path} holds no image named like {pattern}; replace it by an intact copy")
    return found


def read(path: Path, entries: Sequence[str]) -> Iterator[Tensor]:
    """Read images (c, h, w), float32 in [0, 1], one after the other.

    Raises
    ------
    UserError
        If the archive or an entry is broken or missing.
    """
    with _opened(path) as archive:
        for entry in entries:
            try:
                size = archive.getinfo(entry).file_size
            except KeyError:
                raise UserError(f"{path} lacks {entry}; replace it by an intact copy") from None
            if size > _LARGEST:
                raise UserError(f"{entry} in {path} claims {size} bytes; that is no image for here")
            with archive.open(entry) as file:
                content = file.read(_LARGEST + 1)
            yield image_files.read(io.BytesIO(content), f"{entry} in {path}")


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read {path} ({reason}); replace it by an intact copy") from None
