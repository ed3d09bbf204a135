"""What a step of training lowers, and the figure that is watched beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.training.batches import BatchSource


def _nothing(source: BatchSource, output: Any, target: Tensor) -> None:
    """Accept whatever the network gives."""


@dataclass(frozen=True)
class Objective:
    """A loss for `fit`.

    Parameters
    ----------
    name : str
        Tells it, with all its constants, from others: a checkpoint of another objective is refused.
    loss : callable
        (output of the network, targets of the batch) -> scalar Tensor. The output is whatever the
        network returns, targets are what the source draws.
    measure : callable
        (output, targets) -> scalar Tensor, the figure that is watched, a mean over the batch.
    measured : str
        Its name: the history has columns ``<measured>`` and ``validation_<measured>``.
    check : callable, optional
        (source, output, targets) at the first step; raises `UserError` for what cannot fit.
    """

    name: str
    loss: Callable[[Any, Tensor], Tensor]
    measure: Callable[[Any, Tensor], Tensor]
    measured: str
    check: Callable[[BatchSource, Any, Tensor], None] = _nothing


def share_right(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of logits (n, classes) whose largest names the label (n,)."""
    return (logits.detach().argmax(dim=1) == labels).to(logits.dtype).mean()


def _check_labels(source: BatchSource, logits: Any, labels: Tensor) -> None:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        given = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(f"the network gives {given}, not logits (n, classes)")
    largest = int(labels.max()) if source.largest_label is None else source.largest_label
    if largest >= logits.shape[1]:
        raise UserError(
            f"the largest label is {largest}, but the network tells {logits.shape[1]} classes "
            f"apart; give it n_classes={largest + 1}"
        )


CLASSIFICATION = Objective(
    name="cross-entropy",
    loss=F.cross_entropy,
    measure=share_right,
    measured="accuracy",
    check=_check_labels,
)
"""Name the class of an image: logits (n, classes) against labels (n,)."""
