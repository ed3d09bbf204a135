"""Grams of a recording's layers, and what making them needs in memory and on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
import psutil
import torch
from torch import Tensor

from isocortex.arrays import to_torch
from isocortex.errors import UserError, unknown
from isocortex.grams import SCALINGS, Scaling, block_units, summed
from isocortex.recording.devices import usable_device
from isocortex.recording.gram_files import Grams, Writer
from isocortex.recording.store import size

Precision: TypeAlias = Literal["float32", "float64"]
"""What products of responses are made in."""

SHARE = 0.5
"""Share of the free disk that features may take for a while; others want to write too."""

Announce: TypeAlias = Callable[[str], object]
"""Is given one line for the user."""


class Source(Protocol):
    """What Grams are made from; a `Recording` has it."""

    @property
    def n_presentations(self) -> int:
        """Number of presentations."""

    def width(self, layer: str, /) -> int:
        """Return the number of units of a layer."""

    def read_units(self, layer: str, units: slice, /) -> np.ndarray:
        """Return some units, (presentation, neuroid)."""


@dataclass(frozen=True)
class Need:
    """What making Grams takes, before it is begun.

    Attributes
    ----------
    n : int
        Presentations.
    widths : dict of str to int
        Units of each layer.
    block_bytes : int
        Most bytes of features in memory at once.
    passes : list of list of str
        Layers recorded together: one list a forward pass over all stimuli, none for a recording
        that is there.
    disk_bytes : int
        Bytes of features on disk at once.
    folder : Path, optional
        Where they lie.
    kept : bool
        Whether they stay there.
    at_once : int, optional
        Grams in memory at once; all if None.
    """

    n: int
    widths: dict[str, int]
    block_bytes: int
    passes: list[list[str]] = field(default_factory=list)
    disk_bytes: int = 0
    folder: Path | None = None
    kept: bool = False
    at_once: int | None = None

    @property
    def gram_bytes(self) -> int:
        """Bytes of the Grams that are in memory at once."""
        return 8 * self.n**2 * (len(self.widths) if self.at_once is None else self.at_once)

    @property
    def memory_bytes(self) -> int:
        """Bytes of Grams, of a block of features, and of the product being added."""
        return self.gram_bytes + self.block_bytes + 2 * self.n**2

    def line(self) -> str:
        """Say it in one line."""
        layers = f"{len(self.widths)} layer{'s' if len(self.widths) > 1 else ''}"
        parts = [
            f"Grams of {layers}, {self.n} presentations, {sum(self.widths.values())} units: "
            f"{size(self.memory_bytes)} of memory ({size(self.gram_bytes)} of it Grams)"
        ]
        if self.folder is not None:
            stay = "to keep" if self.kept else "removed afterwards"
            parts.append(f"{size(self.disk_bytes)} of disk at {self.folder} ({stay})")
        if self.passes:
            count = len(self.passes)
            parts.append(f"{count} forward pass{'es' if count > 1 else ''}")
        return ", ".join(parts)

    def check_memory(self) -> None:
        """Raise `UserError` with what would fit if the free memory is too small."""
        free = psutil.virtual_memory().available
        if self.memory_bytes <= free:
            return
        room = free - self.block_bytes - 2 * self.n**2
        layers = room // (8 * self.n**2)
        if layers >= 1:
            instead = (
                f"take at most {layers} of the {len(self.widths)} layers at once, or give a folder "
                "for the Grams"
            )
        elif 10 * self.n**2 <= free:
            instead = f"lower byte_budget to {size(free - 10 * self.n**2)} and take one layer"
        else:
            instead = f"take at most {int((free / 12) ** 0.5)} stimuli"
        raise UserError(
            f"the Grams need {size(self.memory_bytes)} of memory but {size(free)} are free; "
            f"{instead}"
        )


def grams_of(
    source: Source,
    layers: Sequence[str],
    *,
    scaling: Scaling = "none",
    precision: Precision = "float32",
    byte_budget: int = 2**30,
    device: str | torch.device = "cpu",
    announce: Announce | None = None,
    writer: Writer | None = None,
) -> Grams:
    """Return the Grams of layers that have been recorded; `Recording.grams` says more.

    With a `writer` each Gram goes to disk as soon as it is made, and memory holds one at a time.

    Raises
    ------
    UserError
        If there are no such layers, scaling, precision or device, or they do not fit.
    """
    check_options(scaling, precision, byte_budget)
    where = usable_device(device)
    n = source.n_presentations
    widths = {layer: source.width(layer) for layer in layers}
    if not widths:
        raise UserError("no layer is named; name at least one, e.g. recording.layers")
    double = precision == "float64"
    block = block_bytes(n, widths, scaling, precision, byte_budget)
    need = Need(n, widths, block, at_once=len(widths) if writer is None else 1)
    need.check_memory()
    if announce is not None:
        announce(need.line())
    values, constant = {}, {}
    for layer, width in widths.items():

        def read(start: int, stop: int, layer: str = layer) -> Tensor:
            return to_torch(source.read_units(layer, slice(start, stop))).to(where)

        made = summed(read, n, width, scaling=scaling, double=double, byte_budget=byte_budget)
        values[layer] = made.values.cpu().numpy()
        constant[layer] = made.n_constant
        if writer is not None:
            values[layer] = writer.keep(layer, values[layer], width, made.n_constant)
    return Grams(values, scaling, widths, constant)


def check_options(scaling: str, precision: str, byte_budget: int) -> None:
    """Refuse names that are not there, and budgets that hold nothing."""
    if scaling not in SCALINGS:
        raise unknown("scaling of features", str(scaling), SCALINGS)
    if precision not in ("float32", "float64"):
        raise unknown("precision", str(precision), ("float32", "float64"))
    if byte_budget < 1:
        raise UserError(f"byte_budget is {byte_budget}; it must be at least 1")


def block_bytes(
    n: int, widths: Mapping[str, int], scaling: str, precision: str, byte_budget: int
) -> int:
    """Return the bytes that the largest block of units takes, copies included."""
    double = precision == "float64"
    one = byte_budget // block_units(n, scaling=scaling, double=double, byte_budget=byte_budget)
    return min(byte_budget, one * max(widths.values()))


def packed(
    widths: Mapping[str, int],
    n: int,
    itemsize: int,
    folder: Path,
    byte_budget: int,
    *,
    whole: bool,
) -> list[list[str]]:
    """Divide layers into runs that can be recorded to a disk one run after the other.

    The features of a run fit on the disk, and two presentations of them into the budget.

    Parameters
    ----------
    widths : mapping of str to int
        Units of each layer, in order.
    n, itemsize : int
        Presentations, and bytes of one number.
    folder : Path
        A folder on the disk.
    byte_budget : int
        Most bytes of features in memory.
    whole : bool
        Whether all must be there at once.

    Returns
    -------
    list of list of str
        As few runs as the order allows.

    Raises
    ------
    UserError
        If a run cannot be made.
    """
    free = int(SHARE * shutil.disk_usage(folder).free)
    most = min(free // (n * itemsize), byte_budget // (2 * itemsize))
    runs: list[list[str]] = []
    left = -1
    for layer, width in widths.items():
        if width * n * itemsize > free:
            raise UserError(
                f"the features of layer {layer!r} need {size(width * n * itemsize)} of disk but "
                f"{folder} has {size(free)} to give; give another folder, fewer stimuli, or "
                f"units=Projection(k={max(1, free // (n * itemsize))})"
            )
        if width > most:
            raise UserError(
                f"two presentations of layer {layer!r} need {size(2 * width * itemsize)} but "
                f"byte_budget is {size(byte_budget)}; raise it to that"
            )
        if width > left:
            runs.append([])
            left = most
        runs[-1].append(layer)
        left -= width
    if whole and len(runs) > 1:
        total = sum(widths.values()) * itemsize
        raise UserError(
            f"the features of all layers need {size(total * n)} of disk, of which {folder} has "
            f"{size(free)} to give, and {size(2 * total)} of memory, of which byte_budget is "
            f"{size(byte_budget)}; keep those of {', '.join(runs[0])} alone, or leave store out: "
            "then Grams are made in several passes and features are not kept"
        )
    return runs
