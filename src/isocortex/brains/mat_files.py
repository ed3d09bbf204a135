"""MATLAB files up to version 7, read without trusting them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from typing import IO, Any

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from isocortex.errors import UserError

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_mat(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a ``.mat`` file.

    Parameters
    ----------
    path : path
        The file.
    names : sequence of str
        The variables wanted.

    Returns
    -------
    dict of str to ndarray or sparse array
        Structures as numpy record arrays, cell arrays as object arrays, both with at least two
        axes, as MATLAB has them.

    Raises
    ------
    UserError
        If the file cannot be opened, is damaged or of version 7.3, or lacks a variable.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if file.read(8) == _HDF5 or _is_version_73(file):
                raise UserError(
                    f"'{name}' is a MATLAB file of version 7.3; save it again in MATLAB with '-v7'"
                )
            file.seek(0)
            content = loadmat(file, variable_names=list(names))
    except UserError:
        raise
    # A damaged file can make the parser fail anywhere.
    except (
        *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, MemoryError),
        *(MatReadError, NotImplementedError, zlib.error, AssertionError, OverflowError),
    ) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
        reason = reason or type(error).__name__
        raise UserError(f"cannot read '{name}': {reason}; replace it by an intact copy") from None
    missing = [key for key in names if key not in content]
    if missing:
        raise UserError(f"'{name}' lacks the variable {missing[0]!r}; give a file that has it")
    return {key: content[key] for key in names}


def _is_version_73(file: IO[bytes]) -> bool:
    file.seek(0)
    return b"MATLAB 7.3" in file.read(128)
