"""`record`: show stimuli to a network and keep what its layers answer, in one pass."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.recording.hooks import LayerHooks
from isocortex.recording.layout import Layout
from isocortex.recording.recording import Recording
from isocortex.recording.session import Model, Recorder, Session, Stimuli
from isocortex.recording.store import Contents, Store, size
from isocortex.recording.subsample import Units

Progress: TypeAlias = Callable[[int, int], object]
"""Is called after every batch with the presentations done and their total."""


def record(
    model: Model | nn.Module,
    stimuli: Stimuli | Tensor | np.ndarray,
    layers: str | Sequence[str],
    *,
    batch_size: int = 64,
    store: str | Path | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    units: Units = "all",
    byte_budget: int = 2**30,
    device: str | torch.device = "cpu",
    progress: Progress | bool | None = None,
    transform: Callable[[Tensor], Tensor] | None = None,
) -> Recording:
    """Show stimuli to a network and record layers, all in one pass.

    Parameters
    ----------
    model : models.Model or nn.Module
        A bare module takes the images as they are. The network is recorded in eval mode and is
        left in the mode and on the device that it was in.
    stimuli : StimulusSet, Tensor or numpy.ndarray
        Images (n, c, h, w) in [0, 1].
    layers : sequence of str
        Dotted module paths; the k-th call of a module that is called several times is
        ``path:k``. The network runs no further than the last of them.
    batch_size : int
        Images shown at once.
    store : path, optional
        A folder to write to, batch by batch. If it holds this very recording, complete or cut
        short, it is taken up where it ends.
    dtype : {"float32", "float16"}
        What responses are kept as.
    units : {"all", "centre", "centre_2x2"} or Projection
        Which units are kept: all; the central column of every map (see `Layout.centre`), or its
        four central ones (`Layout.central_block`); a sparse random projection (see `Projection`).
    byte_budget : int
        Most bytes that responses may take in memory. Without a store all responses must fit;
        with one, batches are made small enough that two fit, whatever the number of stimuli.
    device : str or torch.device
        Where the network runs.
    progress : callable or bool, optional
        Is called as ``progress(done, total)`` after every batch; True shows a bar.
    transform : callable, optional
        Is applied to the images (k, c, h, w) before the model's preprocessing, e.g. a mirror flip.

    Returns
    -------
    Recording
        ``recording[layer]`` is (presentation, neuroid).

    Raises
    ------
    UserError
        If a layer is unknown or never called, a stimulus leaves [0, 1] or has a NaN, a response
        is NaN, infinite or too large for `dtype`, the budget or the disk is too small, or
        `store` holds something else.

    Notes
    -----
    An output that is a tuple, list or dict stands for the first tensor in it. Outputs (n, d),
    (n, tokens, d) and (n, c, h, w) are understood, see `Layout`.

    A recording on disk survives the killing of the process. The batch in hand is lost, and the
    one before it if it was still being written, which goes on while the network runs.
    """
    for name, number in {"batch_size": batch_size, "byte_budget": byte_budget}.items():
        if number < 1:
            raise UserError(f"{name} is {number}; it must be at least 1")
    session = Session.of(
        model, stimuli, layers, dtype=dtype, units=units, device=device, transform=transform
    )
    with session.watching() as hooks, _reporting(progress) as report:
        if store is not None:
            return _to_disk(session, hooks, Path(store), batch_size, byte_budget, report)
        return _in_memory(session, hooks, batch_size, byte_budget, report)


def estimate(
    model: Model | nn.Module,
    stimuli: Stimuli | Tensor | np.ndarray,
    layers: str | Sequence[str],
    *,
    dtype: Literal["float32", "float16"] = "float32",
    units: Units = "all",
    device: str | torch.device = "cpu",
    transform: Callable[[Tensor], Tensor] | None = None,
) -> int:
    """Return the size in bytes of the responses that `record` would give.

    Two images are shown to the network. Parameters and errors are those of `record`.
    """
    session = Session.of(
        model, stimuli, layers, dtype=dtype, units=units, device=device, transform=transform
    )
    with session.watching() as hooks:
        return session.n * Recorder(session, hooks, session.probe(hooks)).row_bytes


def _in_memory(
    session: Session, hooks: LayerHooks, batch_size: int, byte_budget: int, report: Progress
) -> Recording:
    """Record everything into memory, if the budget allows it."""
    recorder = Recorder(session, hooks, session.probe(hooks))
    n_bytes = session.n * recorder.row_bytes
    if n_bytes > byte_budget:
        raise UserError(
            f"the recording needs {size(n_bytes)} but byte_budget is {size(byte_budget)}; give "
            "store=PATH to write it to disk, keep fewer units or raise the budget"
        )
    room = recorder.room(session.n)
    for rows in _batches(range(session.n), batch_size):
        recorder.fill(rows, {layer: room[layer][rows.start : rows.stop] for layer in room})
        report(rows.stop, session.n)
    responses = {layer: values.numpy() for layer, values in room.items()}
    return Recording(responses, recorder.layouts, session.rule)


def _to_disk(
    session: Session,
    hooks: LayerHooks,
    path: Path,
    batch_size: int,
    byte_budget: int,
    report: Progress,
) -> Recording:
    """Go on with the store at `path`, or begin it."""
    key = session.key()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        store = Store.open(path, writable=True)
        store.check_key(key)
        shapes = store.contents.layers
        recorder = Recorder(session, hooks, {name: Layout(name, shapes[name]) for name in shapes})
    else:
        recorder = Recorder(session, hooks, session.probe(hooks))
        block = min(batch_size, session.n, byte_budget // (2 * recorder.row_bytes))
        if block < 1:
            raise UserError(
                f"two presentations, one shown and one written, need "
                f"{size(2 * recorder.row_bytes)} but byte_budget is {size(byte_budget)}; "
                "raise it or keep fewer units"
            )
        store = Store.create(path, _contents(recorder, key, block))
    _write_blocks(recorder, store, batch_size, report)
    return Recording.of_store(store)


def _write_blocks(recorder: Recorder, store: Store, batch_size: int, report: Progress) -> None:
    """Record what the store lacks; a block is written while the next one is recorded."""
    rooms = itertools.cycle([recorder.room(store.contents.block) for _ in range(2)])
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing: Future[None] = writer.submit(lambda: None)
        for block, room in zip(store.blocks(), rooms, strict=False):
            for rows in _batches(block, batch_size):
                within = slice(rows.start - block.start, rows.stop - block.start)
                recorder.fill(rows, {layer: values[within] for layer, values in room.items()})
                report(rows.stop, recorder.session.n)
            writing.result()
            responses = {layer: values[: len(block)].numpy() for layer, values in room.items()}
            writing = writer.submit(store.write, block, responses)
        writing.result()


def _contents(recorder: Recorder, key: dict[str, object], block: int) -> Contents:
    """Return the metadata of a new store."""
    session = recorder.session
    return Contents(
        key=key,
        layers={layer: recorder.layouts[layer].shape for layer in session.layers},
        widths=recorder.widths,
        units=session.rule.describe(),
        n=session.n,
        block=block,
        dtype=session.dtype,
    )


def _batches(rows: range, most: int) -> Iterator[range]:
    """Split rows into runs of at most `most`."""
    for start in range(rows.start, rows.stop, most):
        yield range(start, min(start + most, rows.stop))


@contextlib.contextmanager
def _reporting(progress: Progress | bool | None) -> Iterator[Progress]:
    """Turn what the user gave as `progress` into a callable."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done, total: None
    else:
        columns = (
            TextColumn("recording"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("recording")
            yield lambda done, total: bar.update(task, completed=done, total=total)
