"""Latent scenes on disk: images in memory-mapped arrays, the log beside them, in shards.

``scenes.json`` says what the set is. Shard i of s holds the images from n i / s to n (i + 1) / s
in ``image-i-of-s.npy`` (uint8), what else was asked for in ``mask-...`` and ``depth-...``, and
their log in ``latents-...parquet``. A shard that is interrupted goes on from its last chunk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from isocortex.errors import UserError, unknown
from isocortex.stimuli.scenes import log
from isocortex.stimuli.scenes.scenes import LatentScenes, SceneBatch

CHUNK = 256
"""Images that are rendered and written together; an interruption loses at most so many."""

PARTS = 16
"""Chunks whose rows of the log are written together."""

MAPS: dict[str, tuple[str, int]] = {"image": ("u1", 3), "mask": ("u1", 1), "depth": ("<f2", 1)}
"""What can be stored: type and channels. Masks are shares of 255; depth is infinite off the object.
"""

Progress = Callable[[int, int], None]
"""Called with the images that are done and their number."""

_RECORD = "scenes.json"


def write_shard(
    scenes: LatentScenes,
    folder: str | os.PathLike[str],
    size: int,
    supersample: int = 2,
    *,
    shard: int = 0,
    shards: int = 1,
    maps: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Render one shard of a set, or what is missing of it.

    Parameters
    ----------
    scenes : LatentScenes
        With a number of images.
    folder : path
        Made where it is missing. Shards may be written by different processes or machines; one
        shard by one at a time.
    size, supersample : int
        As in `LatentScenes.render`.
    shard, shards : int
        Which of how many, counted from 0.
    maps : sequence of str
        "mask" and "depth", stored beside the images.
    progress : callable, optional

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UserError
        If the folder holds other scenes, or cannot be written, or a number is out of range.
    """
    if not 0 <= shard < shards:
        raise UserError(f"shard {shard} of {shards}: shards are counted from 0 to {shards - 1}")
    for name in maps:
        if name not in MAPS:
            raise unknown("map", name, MAPS)
    folder = Path(folder)
    n = len(scenes)
    begin, end = n * shard // shards, n * (shard + 1) // shards
    kept = ("image", *(name for name in MAPS if name in maps and name != "image"))
    record = {
        "digest": _digest(scenes, size, supersample),
        "spec": scenes.spec.model_dump(mode="json"),
        "n_images": n,
        "size": size,
        "supersample": supersample,
        "shards": shards,
        "maps": list(kept),
        "categories": scenes.categories,
    }
    _claim(folder, record)
    latents = folder / _name("latents", shard, shards, "parquet")
    if latents.is_file():
        return folder
    arrays = {name: _array(folder, name, shard, shards, end - begin, size) for name in kept}
    mark = folder / f".{latents.name}.done"
    done = int(mark.read_text()) if mark.is_file() else 0
    with _Log(latents, log.table(scenes, scenes.columns(np.arange(1)))) as written:
        for start in range(begin, end, CHUNK):
            index = np.arange(start, min(start + CHUNK, end))
            columns = scenes.columns(index)
            written.add(log.table(scenes, columns))
            rows = slice(start - begin, start - begin + len(index))
            if rows.stop > done:
                batch = scenes.render(columns, size, supersample, maps="depth" in kept)
                for name, array in arrays.items():
                    array[rows] = _stored(name, batch)
                    array.flush()
                _replace(mark, str(rows.stop).encode())
            if progress is not None:
                progress(rows.stop, end - begin)
        for name, array in arrays.items():
            array.flush()
            partial = folder / f".{_name(name, shard, shards, 'npy')}.partial"
            os.replace(partial, folder / _name(name, shard, shards, "npy"))
    mark.unlink(missing_ok=True)
    return folder


def stored(
    scenes: LatentScenes,
    cache: str | os.PathLike[str],
    size: int,
    supersample: int = 2,
    *,
    maps: Sequence[str] = (),
    progress: Progress | None = None,
) -> StoredScenes:
    """Return the set on disk, rendered now if it is not there: what training on a CPU reads.

    Parameters
    ----------
    scenes, size, supersample, maps, progress
        As in `write_shard`.
    cache : path
        Where sets are kept, each in a folder named after all that its images depend on.
    """
    kept = "-".join(sorted(set(maps)))
    name = _digest(scenes, size, supersample)[:24] + (f"-{kept}" if kept else "")
    folder = Path(cache) / "latent_scenes" / name
    write_shard(scenes, folder, size, supersample, maps=maps, progress=progress)
    return open_scenes(folder)


@dataclass(frozen=True)
class StoredScenes:
    """A set on disk, all shards of it, as `write_shard` left it.

    Parameters
    ----------
    folder : Path
    record : dict
        Contents of ``scenes.json``.
    """

    folder: Path
    record: dict[str, Any]

    def __len__(self) -> int:
        return int(self.record["n_images"])

    @cached_property
    def latents(self) -> pd.DataFrame:
        """The log of all images; see `log.table`."""
        names = [_name("latents", k, self.shards, "parquet") for k in range(self.shards)]
        return pd.concat([_log(self.folder / name) for name in names], ignore_index=True)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return int(self.record["shards"])

    def images(self, indices: npt.ArrayLike) -> Tensor:
        """Read images (n, 3, h, w), float32 in [0, 1]; index i stands for i mod n_images."""
        return self.read("image", indices)

    def read(self, name: str, indices: npt.ArrayLike) -> Tensor:
        """Read "image", "mask" (n, 1, h, w) in [0, 1] or "depth" (n, 1, h, w); float32.

        Raises
        ------
        UserError
            If it was not stored.
        """
        if name not in self.record["maps"]:
            raise unknown("stored map", name, self.record["maps"])
        index = np.atleast_1d(np.asarray(indices, dtype=np.int64)) % len(self)
        starts = np.array([len(self) * k // self.shards for k in range(self.shards + 1)])
        owner = np.searchsorted(starts, index, side="right") - 1
        arrays = self._arrays(name)
        out = np.empty((len(index), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
        for k in np.unique(owner):
            here = owner == k
            out[here] = arrays[k][index[here] - starts[k]]
        values = torch.from_numpy(out)
        return values.float() if name == "depth" else values.float().div_(255)

    def _arrays(self, name: str) -> list[np.ndarray]:
        opened = self._opened
        if name not in opened:
            opened[name] = [
                _mapped(self.folder / _name(name, k, self.shards, "npy"))
                for k in range(self.shards)
            ]
        return opened[name]

    @cached_property
    def _opened(self) -> dict[str, list[np.ndarray]]:
        return {}


def open_scenes(folder: str | os.PathLike[str]) -> StoredScenes:
    """Open a set that `write_shard` wrote.

    Raises
    ------
    UserError
        If it is none, or a shard is missing.
    """
    folder = Path(folder)
    record = _record(folder)
    if record is None:
        raise UserError(f"{folder} holds no {_RECORD}; name a folder of latent scenes")
    shards = int(record["shards"])
    missing = [
        k for k in range(shards) if not (folder / _name("latents", k, shards, "parquet")).is_file()
    ]
    if missing:
        raise UserError(
            f"{folder} lacks {len(missing)} of {shards} shards (first: {missing[0]}); render them"
        )
    return StoredScenes(folder, record)


def _stored(name: str, batch: SceneBatch) -> np.ndarray:
    values = getattr(batch, name)
    if name != "depth":
        values = (values * 255).round_()
    return values.cpu().numpy().astype(MAPS[name][0])


def _digest(scenes: LatentScenes, size: int, supersample: int) -> str:
    return scenes.digest(size, supersample)


def _name(what: str, shard: int, shards: int, suffix: str) -> str:
    return f"{what}-{shard:05d}-of-{shards:05d}.{suffix}"


def _array(folder: Path, name: str, shard: int, shards: int, n: int, size: int) -> np.memmap:
    """Open the array that is being written, or make it."""
    dtype, channels = MAPS[name]
    shape = (n, channels, size, size)
    path = folder / f".{_name(name, shard, shards, 'npy')}.partial"
    whole = folder / _name(name, shard, shards, "npy")
    if whole.is_file():  # interrupted between the last array and the log
        os.replace(whole, path)
    if path.is_file():
        try:
            array = np.lib.format.open_memmap(path, mode="r+")
        except (ValueError, OSError):
            array = None
        if array is not None and array.shape == shape and array.dtype == np.dtype(dtype):
            return array
    (folder / f".{_name('latents', shard, shards, 'parquet')}.done").unlink(missing_ok=True)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)


def _claim(folder: Path, record: dict[str, Any]) -> None:
    """Write what the set is, or make sure that the folder holds this set."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror}); choose another folder"
        ) from None
    there = _record(folder)
    if there is None:
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no {_RECORD}; choose another folder")
        _replace(folder / _RECORD, (json.dumps(record, indent=1) + "\n").encode())
    elif there != record:
        changed = [key for key in record if key != "digest" and there.get(key) != record[key]]
        what = f" ({changed[0]} differs)" if changed else ""
        raise UserError(f"{folder} holds other scenes{what}; choose another folder")


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / _RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if isinstance(record, dict) and "digest" in record else None
    except (ValueError, OSError):
        raise UserError(f"cannot read {path}; render the set again elsewhere") from None


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.new")
    partial.write_bytes(content)
    os.replace(partial, path)


class _Log:
    """A log that is written part by part, so that memory does not grow with the set.

    Parts that stay lie between the larger blocks of images and keep these from being used again.
    It has its name once it is whole.
    """

    def __init__(self, path: Path, example: pd.DataFrame) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.new")
        self._schema = pa.Schema.from_pandas(example, preserve_index=False)
        self._waiting: list[pd.DataFrame] = []

    def __enter__(self) -> _Log:
        self._writer = pq.ParquetWriter(self._partial, self._schema)
        return self

    def add(self, part: pd.DataFrame) -> None:
        """Add the rows of some images."""
        self._waiting.append(part)
        if len(self._waiting) == PARTS:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            rows = pd.concat(self._waiting, ignore_index=True)
            self._waiting.clear()
            self._writer.write_table(
                pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
            )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write()
        self._writer.close()
        if kind is None:
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)


def _log(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read {path} ({reason}); render the shard again") from None


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read {path} ({reason}); render the shard again") from None
