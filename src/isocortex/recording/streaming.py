"""`grams`: show stimuli to a network and keep the Grams of its layers, not their responses."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.grams import Scaling
from isocortex.recording.gram_files import Grams, Writer
from isocortex.recording.grams import (
    Announce,
    Need,
    Precision,
    block_bytes,
    check_options,
    grams_of,
    packed,
)
from isocortex.recording.record import Progress, record
from isocortex.recording.recording import Recording
from isocortex.recording.session import Model, Recorder, Session, Stimuli
from isocortex.recording.subsample import Units


def grams(
    model: Model | nn.Module,
    stimuli: Stimuli | Tensor | np.ndarray,
    layers: str | Sequence[str],
    *,
    scaling: Scaling = "none",
    precision: Precision = "float32",
    batch_size: int = 64,
    store: str | Path | None = None,
    scratch: str | Path | None = None,
    folder: str | Path | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    units: Units = "all",
    byte_budget: int = 2**30,
    device: str | torch.device = "cpu",
    progress: Progress | bool | None = None,
    announce: Announce | None = None,
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Grams:
    """Show stimuli to a network once and return the Gram of every layer.

    Memory holds the Grams (8 n^2 bytes a layer) and a block of features within `byte_budget`,
    whatever the number of units: features that exceed it go to disk as they are recorded, are
    read again by blocks of units, and are removed. Layers whose features do not fit on the disk
    together, or of which two presentations exceed the budget, are recorded in several passes.

    Parameters
    ----------
    model, stimuli, layers, batch_size, dtype, units, device, progress, transform
        As `record` takes them.
    scaling, precision
        As `Recording.gram` takes them.
    store : path, optional
        A folder in which the recording is kept (`Recording.open` reads it); a recording that was
        cut short there is gone on with. Without it features are not kept.
    scratch : path, optional
        A folder on the disk that takes features for the while; the system's temporary folder if
        None.
    folder : path, optional
        An empty folder that the Grams are written to one by one, so that memory holds one at a
        time; they are read from there when they are used (`Grams.open`).
    byte_budget : int
        Most bytes of features in memory at once. Images and what the network needs to look at a
        batch come on top; a smaller `batch_size` makes them small.
    announce : callable, optional
        Is given one line that says what the call needs in memory, on disk and in forward passes,
        before it begins.

    Returns
    -------
    Grams
        ``grams[layer]`` is (n, n), float64.

    Raises
    ------
    UserError
        As `record` and `Recording.gram`; and, before anything is recorded, if the free memory or
        disk is too small, with the nearest that fits.

    Notes
    -----
    An inner product of two presentations needs both, so that one pass without all features on
    disk or in memory cannot give exact Grams of features that are wider than long.
    """
    check_options(scaling, precision, byte_budget)
    need = preflight(
        model,
        stimuli,
        layers,
        scaling=scaling,
        precision=precision,
        store=store,
        scratch=scratch,
        folder=folder,
        dtype=dtype,
        units=units,
        byte_budget=byte_budget,
        device=device,
        transform=transform,
    )
    if announce is not None:
        announce(need.line())

    def recorded(names: list[str], place: Path | None) -> Recording:
        return record(
            model,
            stimuli,
            names,
            batch_size=batch_size,
            store=place,
            dtype=dtype,
            units=units,
            byte_budget=byte_budget,
            device=device,
            progress=progress,
            transform=transform,
        )

    writer = None if folder is None else Writer(Path(folder), scaling)

    def made(recording: Recording) -> Grams:
        return grams_of(
            recording,
            list(recording),
            scaling=scaling,
            precision=precision,
            byte_budget=byte_budget,
            device=device,
            writer=writer,
        )

    parts = []
    if need.folder is None or need.kept:
        parts.append(made(recorded(need.passes[0], need.folder)))
    else:
        for names in need.passes:
            with tempfile.TemporaryDirectory(prefix="isocortex-", dir=need.folder) as place:
                parts.append(made(recorded(names, Path(place) / "features")))
    if writer is not None:
        writer.finish()
    return _joined(parts)


def preflight(
    model: Model | nn.Module,
    stimuli: Stimuli | Tensor | np.ndarray,
    layers: str | Sequence[str],
    *,
    scaling: Scaling = "none",
    precision: Precision = "float32",
    store: str | Path | None = None,
    scratch: str | Path | None = None,
    folder: str | Path | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    units: Units = "all",
    byte_budget: int = 2**30,
    device: str | torch.device = "cpu",
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Need:
    """Return what `grams` would need; two images are shown to the network.

    Parameters and errors are those of `grams`.
    """
    session = Session.of(
        model, stimuli, layers, dtype=dtype, units=units, device=device, transform=transform
    )
    with session.watching() as hooks:
        recorder = Recorder(session, hooks, session.probe(hooks))
        widths = dict(zip(session.layers, recorder.widths, strict=True))
    n, itemsize = session.n, np.dtype(dtype).itemsize
    in_memory = n * recorder.row_bytes
    block = block_bytes(n, widths, scaling, precision, byte_budget)
    at_once = None if folder is None else 1
    if store is None and in_memory <= byte_budget:
        need = Need(n, widths, in_memory + block, [session.layers], at_once=at_once)
    else:
        place = Path(tempfile.gettempdir() if scratch is None else scratch)
        if store is None and not place.is_dir():
            raise UserError(f"there is no folder {place} for features; make it or give another")
        if store is not None and Path(store).is_dir() and any(Path(store).iterdir()):
            runs = [session.layers]  # its disk is taken already
        else:
            at = place if store is None else _existing(Path(store))
            runs = packed(widths, n, itemsize, at, byte_budget, whole=store is not None)
        on_disk = max(sum(widths[name] for name in run) for run in runs) * n * itemsize
        need = Need(
            n,
            widths,
            max(block, min(byte_budget, on_disk)),
            runs,
            on_disk,
            place if store is None else Path(store),
            store is not None,
            at_once,
        )
    need.check_memory()
    return need


def _existing(folder: Path) -> Path:
    """Return the nearest folder upwards that exists, the disk of which counts."""
    folder = folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _joined(parts: Sequence[Grams]) -> Grams:
    """Join the Grams of several passes."""
    values = {layer: part[layer] for part in parts for layer in part}
    n_units = {layer: count for part in parts for layer, count in part.n_units.items()}
    constant = {layer: count for part in parts for layer, count in part.n_constant.items()}
    return Grams(values, parts[0].scaling, n_units, constant)
