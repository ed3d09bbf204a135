"""Which images come when: an order that the seed and the epoch alone decide."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from isocortex.errors import UserError


@dataclass(frozen=True)
class BatchSource:
    """Images and labels on demand, e.g. rendered when they are asked for.

    Parameters
    ----------
    n : int
        Number of images of an epoch.
    draw : callable
        int64 rows (k,) -> (images (k, c, h, w) float32, labels (k,) int64, or whatever targets
        (k, ...) the objective reads). It should depend on the rows alone; torch's random numbers
        inside it are seeded per step.
    largest_label : int, optional
        The largest label there is, so that a network with too few classes is refused at the start.
    ahead : int
        Batches that wait in a queue, drawn in a thread beside the training, so that the network
        need not wait for them. Only for a `draw` that takes no random numbers from torch.
    """

    n: int
    draw: Callable[[np.ndarray], tuple[Tensor, Tensor]]
    largest_label: int | None = None
    ahead: int = 0


def as_source(
    images: Tensor | np.ndarray | BatchSource, labels: Tensor | np.ndarray | None
) -> BatchSource:
    """Return a source of batches; tensors and arrays are indexed where they lie.

    Raises
    ------
    UserError
        If labels are missing, or shapes or label values do not fit.
    """
    if isinstance(images, BatchSource):
        if labels is not None:
            raise UserError("a BatchSource draws its own labels; leave labels out")
        return images
    if labels is None:
        raise UserError("labels are missing; give one integer per image, or a BatchSource")
    pixels = torch.as_tensor(images, dtype=torch.float32)
    targets = torch.as_tensor(labels, device=pixels.device).long()
    if pixels.ndim != 4 or targets.shape != pixels.shape[:1] or not len(targets):
        raise UserError(
            f"training needs images (n, c, h, w) and labels (n,), but their shapes are "
            f"{tuple(pixels.shape)} and {tuple(targets.shape)}"
        )
    if int(targets.min()) < 0:
        raise UserError(f"a label is {int(targets.min())}; number the classes from 0")

    def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(rows).to(pixels.device)
        return pixels[index], targets[index]

    return BatchSource(len(targets), draw, int(targets.max()))


def batches(
    n: int, batch_size: int, *, seed: int, start: int, stop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the steps from `start` to `stop` with the rows that each of them sees.

    Every epoch is a new permutation, drawn from (`seed`, epoch) alone; a rest smaller than a batch
    is left out of the epoch.

    Parameters
    ----------
    n, batch_size : int
        Images, and images per step, at most `n`.
    seed : int
    start, stop : int
        Steps, counted from 0.

    Yields
    ------
    step : int
    rows : numpy.ndarray
        (batch_size,) int64.
    """
    per_epoch = n // batch_size
    order, drawn = np.empty(0, dtype=np.int64), -1
    for step in range(start, stop):
        epoch, place = divmod(step, per_epoch)
        if epoch != drawn:
            order, drawn = np.random.default_rng([seed, epoch]).permutation(n), epoch
        yield step, order[place * batch_size : (place + 1) * batch_size]


def upcoming(
    source: BatchSource, order: Iterator[tuple[int, np.ndarray]], share: slice
) -> Iterator[tuple[int, Callable[[], tuple[Tensor, Tensor]]]]:
    """Yield each step with a function that gives its batch, at once where it was drawn ahead.

    Parameters
    ----------
    source : BatchSource
    order : iterator of (step, rows)
        As `batches` yields them.
    share : slice
        The part of each batch that this process sees.
    """
    if source.ahead < 1:
        for step, rows in order:
            yield step, partial(source.draw, rows[share])
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as thread:
        queue: deque[tuple[int, Future[tuple[Tensor, Tensor]]]] = deque()
        for step, rows in order:
            queue.append((step, thread.submit(source.draw, rows[share])))
            if len(queue) > source.ahead:
                first, drawn = queue.popleft()
                yield first, drawn.result
        while queue:
            first, drawn = queue.popleft()
            yield first, drawn.result


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of all random numbers (dropout) in one step of one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
