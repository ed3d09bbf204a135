"""A recording on disk: one zarr array a layer, written batch by batch, resumed after a kill.

The folder is a zarr (version 3) group. Array ``0``, ``1``, ... holds the layers in the order of
the metadata, shape (presentation, neuroid), one chunk a batch, uncompressed (responses hardly
compress, and fast codecs cost five times the writing). The file ``finished`` holds the number of
presentations that are there; it is replaced in one step after the data of a batch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.errors import GroupNotFoundError

from isocortex.errors import UserError

FORMAT = 1
"""Version of the layout on disk."""

_NAME = "isocortex_recording"
_FINISHED = "finished"


@dataclass(frozen=True)
class Contents:
    """What a store holds, whoever made it.

    Parameters
    ----------
    key : dict
        Words to checksums: whatever the responses depend on. A store is only gone on with under
        the same key.
    layers : dict
        Layer names, in order, to the shape of one presentation's output.
    widths : list of int
        Numbers kept of each layer.
    units : dict
        Description of the rule that kept them.
    n, block : int
        Presentations, and presentations in one chunk.
    dtype : str
        ``"float32"`` or ``"float16"``.
    """

    key: dict[str, Any]
    layers: dict[str, tuple[int, ...]]
    widths: list[int]
    units: dict[str, Any]
    n: int
    block: int
    dtype: str

    @property
    def nbytes(self) -> int:
        """Size of the responses in bytes."""
        return self.n * sum(self.widths) * np.dtype(self.dtype).itemsize


class Store:
    """A recording on disk that is being written or is complete; see `create` and `open`."""

    def __init__(self, path: Path, group: zarr.Group, contents: Contents) -> None:
        self.path = path
        self.contents = contents
        self.arrays: dict[str, zarr.Array] = {}
        for i, layer in enumerate(contents.layers):
            array = group[str(i)]
            assert isinstance(array, zarr.Array)
            self.arrays[layer] = array

    @classmethod
    def create(cls, path: Path, contents: Contents) -> Store:
        """Make an empty store; it appears at `path` in one step.

        Raises
        ------
        UserError
            If the folder cannot be written or the disk has too little room.
        """
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(path.parent).free
            if contents.nbytes > free:
                raise UserError(
                    f"the recording needs {size(contents.nbytes)} but {path.parent} has "
                    f"{size(free)} free; choose another store, fewer units or dtype='float16'"
                )
            with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
                made = Path(folder) / "store"
                _lay_out(made, contents)
                made.rename(path)
        return cls.open(path, writable=True)

    @classmethod
    def open(cls, path: Path, *, writable: bool = False) -> Store:
        """Open a store, complete or not, to read it or to go on writing.

        Raises
        ------
        UserError
            If there is nothing at `path`, or something that is not a recording.
        """
        if not path.exists():
            raise UserError(f"there is no recording at {path}; make one with record(store=...)")
        try:
            group = zarr.open_group(path, mode="r+" if writable else "r", zarr_format=3)
            entry = dict(group.attrs).get(_NAME)
        except (GroupNotFoundError, OSError, ValueError, KeyError):
            entry = None
        if not isinstance(entry, Mapping):
            raise UserError(f"{path} exists but is not a recording; give another place")
        written: dict[str, Any] = dict(entry)
        if written.pop("format", None) != FORMAT:
            raise UserError(
                f"{path} was written by another version of isocortex; remove it and record again"
            )
        layers = {name: tuple(shape) for name, shape in written.pop("layers")}
        return cls(path, group, Contents(layers=layers, **written))

    @property
    def finished(self) -> int:
        """Number of presentations that are there, from the first on."""
        try:
            return int((self.path / _FINISHED).read_text())
        except (OSError, ValueError):
            raise UserError(
                f"the recording at {self.path} is damaged; remove it and record again"
            ) from None

    @property
    def complete(self) -> bool:
        """Whether all presentations are there."""
        return self.finished == self.contents.n

    def check_key(self, key: Mapping[str, Any]) -> None:
        """Raise `UserError` saying what differs if the store was begun under another key."""
        mine, yours = self.contents.key, dict(key)
        differing = [word for word in yours if mine.get(word) != yours[word]]
        if differing:
            raise UserError(
                f"{self.path} holds another recording (other {', '.join(differing)}); "
                "give another store or remove it"
            )

    def read_units(self, layer: str, units: slice) -> np.ndarray:
        """Return the responses of some units to all presentations that are there, (n, units).

        Chunks are files of presentations by all units, without compression, so they are mapped and
        only what is asked for is read.
        """
        number = str(list(self.contents.layers).index(layer))
        n, width = self.arrays[layer].shape
        start, stop, _ = units.indices(width)
        dtype = np.dtype(self.contents.dtype).newbyteorder("<")
        room = np.empty((n, stop - start), self.contents.dtype)
        shape = (self.contents.block, width)
        for i, first in enumerate(range(0, n, self.contents.block)):
            last = min(first + self.contents.block, n)
            try:
                chunk = np.memmap(self.path / number / "c" / str(i) / "0", dtype, "r", shape=shape)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"the recording at {self.path} is damaged (layer {layer!r}, presentations "
                    f"{first} to {last - 1}); remove it and record again"
                ) from error
            room[first:last] = chunk[: last - first, start:stop]
        return room

    def blocks(self) -> Iterator[range]:
        """Go through the rows that are not there yet, one chunk at a time."""
        for start in range(self.finished, self.contents.n, self.contents.block):
            yield range(start, min(start + self.contents.block, self.contents.n))

    def write(self, rows: range, responses: Mapping[str, np.ndarray]) -> None:
        """Write the responses to the given rows, then mark them as finished.

        Raises
        ------
        UserError
            If the disk is full or the folder has become read-only.
        """
        with _writing(self.path):
            for layer, values in responses.items():
                self.arrays[layer][rows.start : rows.stop] = values
            _mark(self.path, rows.stop)
            if rows.stop == self.contents.n:
                for left_by_a_kill in self.path.glob("*/c/**/*.partial"):
                    left_by_a_kill.unlink()


def size(n_bytes: float) -> str:
    """Return a number of bytes for people: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.4g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.4g} TiB"


def _lay_out(folder: Path, contents: Contents) -> None:
    """Write metadata and empty arrays."""
    group = zarr.create_group(folder, zarr_format=3)
    for i, width in enumerate(contents.widths):
        group.create_array(
            str(i),
            shape=(contents.n, width),
            chunks=(contents.block, width),
            dtype=contents.dtype,
            compressors=None,
            fill_value=np.nan,
            dimension_names=("presentation", "neuroid"),
            config={"write_empty_chunks": True},
        )
    entry = {**vars(contents), "layers": [[k, list(v)] for k, v in contents.layers.items()]}
    group.attrs[_NAME] = {"format": FORMAT, **entry}
    _mark(folder, 0)


def _mark(folder: Path, finished: int) -> None:
    """Say in one step how many presentations are there."""
    partial = folder / f"{_FINISHED}.partial"
    partial.write_text(f"{finished}\n")
    os.replace(partial, folder / _FINISHED)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a `UserError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(
            f"the recording cannot be written to {path}: {reason}; give another store"
        ) from error
