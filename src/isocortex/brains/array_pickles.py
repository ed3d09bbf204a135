"""Pickled dictionaries of arrays, read without running anything that they hold."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from isocortex.brains.imported_files import MEND, existing
from isocortex.errors import UserError

_ALLOWED = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core")
      for name in ("_reconstruct", "scalar", "_frombuffer")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}  # fmt: skip
"""What an array is put together by; whatever else a pickle names is refused."""


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED or (module == "numpy.dtypes" and name.endswith("DType")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")


def read_pickled_arrays(path: str | os.PathLike[str], keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read arrays out of a pickled dictionary.

    Arrays of numbers and of text are taken; a pickle that names anything else than numpy's own
    parts of an array is refused before it can do anything.

    Parameters
    ----------
    path : path
    keys : sequence of str
        The fields wanted.

    Returns
    -------
    dict of str to ndarray
        In the order of `keys`.

    Raises
    ------
    UserError
        If the file is missing, damaged, holds other things than arrays, or lacks a field.
    """
    path = existing(path)
    try:
        with path.open("rb") as file:
            # Pickles of Python 2 hold the bytes of arrays as text.
            content = _Arrays(file, encoding="latin1").load()
    # A damaged pickle can fail anywhere.
    except (
        *(pickle.UnpicklingError, EOFError, OSError, ValueError, TypeError, KeyError, IndexError),
        *(AttributeError, ImportError, MemoryError, OverflowError, UnicodeDecodeError),
    ) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"cannot read '{path}' ({reason}); {MEND}") from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' holds no dictionary of arrays; {MEND}")
    for key in keys:
        if key not in content:
            raise UserError(f"'{path}' lacks the field {key!r}; {MEND}")
    return {key: np.asarray(content[key]) for key in keys}
