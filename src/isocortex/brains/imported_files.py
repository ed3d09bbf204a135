"""What importers share: checked files, safe archives, tables with plain column names."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pandas as pd

from isocortex.errors import UserError
from isocortex.stimuli.stimulus_checks import FILE_COLUMN

MEND = "replace it by an intact copy"

_LARGEST = 2**26  # bytes of one image file


def existing(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that must be there.

    Raises
    ------
    UserError
        If it is not.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file '{path}'; check the path")
    return path


def check_sha1(path: Path, expected: str | None) -> None:
    """Raise `UserError` if the SHA-1 of a file is not the expected one; None expects nothing."""
    if expected is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha1").hexdigest()
    if found != expected.lower():
        raise UserError(f"'{path}' has the sha1 {found}, but {expected} was expected; {MEND}")


def check_archive(path: Path) -> None:
    """Make sure that every entry of a zip is whole and stays inside its folder.

    Raises
    ------
    UserError
        If the archive is damaged, or an entry is named like a path out of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename
                parts = PurePosixPath(name.replace("\\", "/")).parts
                if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
                    raise UserError(
                        f"'{path}' holds {name!r}, which leads out of the archive; do not use it"
                    )
                if info.file_size > _LARGEST:
                    raise UserError(
                        f"{name} in '{path}' claims {info.file_size} bytes; "
                        "that is no image for here"
                    )
            broken = archive.testzip()
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # NotImplementedError, an unknown compression, is a RuntimeError.
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read '{path}' ({reason}); {MEND}") from None
    if broken is not None:
        raise UserError(f"{broken} in '{path}' is damaged; {MEND}")


def read_csv(path: Path, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table whose columns `text` are not taken for numbers.

    Raises
    ------
    UserError
        If it is no table.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), low_memory=False)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"cannot read '{path}' ({reason}); give an intact CSV file") from None
    if not len(table):
        raise UserError(f"'{path}' has no rows; {MEND}")
    return table


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with lower_snake_case columns of numbers, booleans and text.

    Of columns that would have the same name the first stays; nameless ones go.
    """
    columns: dict[str, pd.Series] = {}
    for column in table.columns:
        name = re.sub(r"[^a-z0-9]+", "_", str(column).lower()).strip("_")
        if not name or name.startswith("unnamed") or name in columns:
            continue
        name = f"column_{name}" if name[0].isdigit() or name == FILE_COLUMN else name
        values = table[column]
        if values.dtype == object:
            values = values.where(values.isna(), values.astype(str)).astype("str")
        columns[name] = values
    return pd.DataFrame(columns)
