"""Estimating the latents of a scene: targets, head, losses and metrics of any set of tasks.

One wide linear head serves every task; a task reads its slice of the outputs, and the slices of
tasks that are not trained get no gradient (Xie et al. 2025, section 4 of the specification).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError, unknown
from isocortex.training import dense_targets
from isocortex.training.objectives import Objective

EULER = ("pitch", "yaw", "roll")
TARGETS = (
    "category", "identity", "z", "x", "y",
    "sin_pitch", "sin_yaw", "sin_roll", "cos_pitch", "cos_yaw", "cos_roll",
    "a1", "a2", "a3", "b1", "b2", "b3",
    "box_left", "box_top", "box_right", "box_bottom",
    *dense_targets.MASK, *dense_targets.DEPTH,
)  # fmt: skip
"""Columns of the targets of an image; `a` and `b` are the first two columns of its rotation. Those
of the mask and the depth are there for images whose maps are at hand."""

N_LATENT = 21
"""Columns that come from the log alone."""

TASK_SETS: dict[str, tuple[str, ...]] = {
    "distance": ("distance",),
    "translation": ("translation",),
    "rotation": ("rotation",),
    "distance+translation": ("distance", "translation"),
    "distance+rotation": ("distance", "rotation"),
    "translation+rotation": ("translation", "rotation"),
    "spatial": ("distance", "translation", "rotation"),
    "category": ("category",),
    "identity": ("identity",),
    "everything": ("category", "identity", "distance", "translation", "rotation"),
}
"""The ten published sets; any tuple of names in `TASKS` is a set as well."""


@dataclass(frozen=True)
class Task:
    """One thing to estimate.

    Parameters
    ----------
    targets : tuple of str
        The columns of the targets that it reads; its units are as many, or one a class.
    loss : callable
        (outputs (k, units), targets (k, columns)) -> scalar.
    constant : callable
        targets (k, columns) -> loss of the best constant answer, scalar.
    """

    targets: tuple[str, ...]
    loss: Callable[[Tensor, Tensor], Tensor]
    constant: Callable[[Tensor], Tensor]

    @property
    def columns(self) -> list[int]:
        """Where its columns stand in `TARGETS`."""
        return [TARGETS.index(name) for name in self.targets]


def _named(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs, targets[:, 0].long())


def _entropy(targets: Tensor) -> Tensor:
    share = torch.bincount(targets[:, 0].long()).to(targets.dtype) / len(targets)
    return torch.special.entr(share).sum()


def _variance(targets: Tensor) -> Tensor:
    return targets.var(dim=0, correction=0).mean()


def _numbers(*targets: str) -> Task:
    return Task(targets, F.mse_loss, _variance)


TASKS: dict[str, Task] = {
    "category": Task(("category",), _named, _entropy),
    "identity": Task(("identity",), _named, _entropy),
    "distance": _numbers("z"),
    "translation": _numbers("x", "y"),
    "rotation": _numbers(*TARGETS[5:11]),
    "rotation_6d": _numbers(*TARGETS[11:17]),
    "box": _numbers(*TARGETS[17:21]),
    "mask": Task(
        dense_targets.MASK, dense_targets.coverage_loss, dense_targets.constant_coverage_loss
    ),
    "depth": Task(dense_targets.DEPTH, dense_targets.depth_loss, dense_targets.constant_depth_loss),
}
"""The published five; the rotation as the first two columns of its matrix, which has no jumps
(Zhou et al. 2019); the bounding box in shares of the frame; and where the object is and how far its
surface, on a coarse grid."""

CLASSES = ("category", "identity")
"""Tasks whose targets are classes."""


def tasks_of(name: str) -> tuple[str, ...]:
    """Return the tasks of a set: one of the ten published ones, or names of tasks joined by ``+``.

    Raises
    ------
    UserError
        For a name that is no task, or one that is there twice.
    """
    if name in TASK_SETS:
        return TASK_SETS[name]
    tasks = tuple(name.split("+"))
    for task in tasks:
        if task not in TASKS:
            raise unknown("task", task, [*TASK_SETS, *TASKS], "join tasks with +")
    if len(set(tasks)) < len(tasks):
        raise UserError(f"the set {name!r} names a task twice; name each once")
    return tasks


@dataclass(frozen=True)
class Head:
    """Which unit of the wide linear head belongs to which task.

    Parameters
    ----------
    categories, identities : int
        Classes to tell apart.
    extras : tuple of str
        Tasks beyond the published five that get units, behind the others.
    """

    categories: int
    identities: int
    extras: tuple[str, ...] = ()

    @property
    def slices(self) -> dict[str, slice]:
        """Units of each task, in the order of the published head."""
        found, start = {}, 0
        for name in (*TASK_SETS["everything"], *self.extras):
            width = {"category": self.categories, "identity": self.identities}.get(
                name, len(_task(name).targets)
            )
            found[name] = slice(start, start + width)
            start += width
        return found

    @property
    def units(self) -> int:
        """Width of the head."""
        return max(piece.stop for piece in self.slices.values())


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of z, x and y over the images of the training.

    Parameters
    ----------
    mean, sd : tuple of float
        Of z, x and y, in units of the longest side of an object's box.
    """

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]

    @classmethod
    def of(cls, latents: pd.DataFrame) -> Scale:
        """Measure a table of latents; the standard deviation is that of the population.

        A position that does not vary has nothing to estimate: its deviation counts as 1, so that
        its target is 0 for every image.
        """
        values = latents[["z", "x", "y"]].to_numpy(dtype=float)
        sd = values.std(axis=0)
        mean = values.mean(axis=0)
        sd[sd <= 1e-12 * (1 + abs(mean))] = 1.0
        return cls(tuple(mean.tolist()), tuple(sd.tolist()))


def latent_targets(latents: pd.DataFrame, scale: Scale) -> Tensor:
    """Return the targets of images from their latents.

    Parameters
    ----------
    latents : pandas.DataFrame
        (n rows) with ``category_index``, ``identity_index`` (integers from 0), ``x``, ``y``, ``z``
        (object lengths), ``pitch``, ``yaw``, ``roll`` (degrees) and, for the tasks that
        read them, ``box_left``, ``box_top``, ``box_right``, ``box_bottom`` (shares of the frame).
    scale : Scale
        Of the training images, whatever images these are.

    Returns
    -------
    Tensor
        (n, 21) float32, the first `N_LATENT` of `TARGETS`; boxes are NaN where the table has none.
        For the tasks mask and depth, join `dense_targets.dense_targets` to them.

    Raises
    ------
    UserError
        If a column is missing.
    """
    needed = ("category_index", "identity_index", "x", "y", "z", *EULER)
    missing = [name for name in needed if name not in latents]
    if missing:
        raise UserError(f"the latents lack {', '.join(missing)}; take them from a rendered log")

    def column(name: str) -> Tensor:
        return torch.from_numpy(latents[name].to_numpy(dtype=float, copy=True))

    position = [
        (column(name) - mean) / sd
        for name, mean, sd in zip("zxy", scale.mean, scale.sd, strict=True)
    ]
    angles = torch.stack([column(name) for name in EULER], dim=1).deg2rad()
    boxes = [
        column(name) if name in latents else torch.full((len(latents),), math.nan).double()
        for name in TARGETS[17:N_LATENT]
    ]
    first_two = euler_matrix(angles)[:, :, :2].transpose(1, 2).reshape(-1, 6)
    return torch.cat(
        [
            torch.stack([column("category_index"), column("identity_index"), *position], dim=1),
            angles.sin(),
            angles.cos(),
            first_two,
            torch.stack(boxes, dim=1),
        ],
        dim=1,
    ).float()


def euler_matrix(angles: Tensor) -> Tensor:
    """Return R = Ry(yaw) Rx(pitch) Rz(roll) of angles (n, 3) = pitch, yaw, roll in radians.

    Returns
    -------
    Tensor
        (n, 3, 3), in the frame of the camera: x right, y up, z backwards.
    """
    (a, b, c), (ca, cb, cc) = angles.sin().unbind(1), angles.cos().unbind(1)
    return torch.stack(
        [
            torch.stack([cb * cc + b * a * c, b * a * cc - cb * c, b * ca], dim=1),
            torch.stack([ca * c, ca * cc, -a], dim=1),
            torch.stack([cb * a * c - b * cc, b * c + cb * a * cc, cb * ca], dim=1),
        ],
        dim=1,
    )


def objective(tasks: Sequence[str], head: Head) -> Objective:
    """Return the plain mean of the losses of some tasks, as an objective of `fit`.

    The measure that is watched is the mean over tasks of loss / loss of the best constant on the
    same batch: 1 is a network that knows nothing, 0 a perfect one.

    Parameters
    ----------
    tasks : sequence of str
        Names in `TASKS` that have units in the head.
    head : Head

    Raises
    ------
    UserError
        If a task is unknown or has no units.
    """
    slices = head.slices
    for name in tasks:
        _task(name)
        if name not in slices:
            raise UserError(f"the head has no units for {name}; name it in extras")
    if not tasks:
        raise UserError("a set of tasks needs at least one task")

    def losses(outputs: Any, targets: Tensor) -> list[Tensor]:
        return [
            TASKS[name].loss(outputs[:, slices[name]], columns_of(name, targets)) for name in tasks
        ]

    def loss(outputs: Any, targets: Tensor) -> Tensor:
        return torch.stack(losses(outputs, targets)).mean()

    def relative(outputs: Any, targets: Tensor) -> Tensor:
        constant = torch.stack([constant_loss(name, targets) for name in tasks])
        return (torch.stack(losses(outputs, targets)) / constant.clamp_min(1e-12)).mean()

    return Objective(
        name=f"latents {'+'.join(tasks)} on {head}",
        loss=loss,
        measure=relative,
        measured="relative_loss",
    )


def constant_loss(task: str, targets: Tensor) -> Tensor:
    """Return the loss of the best constant answer: entropy of the classes, variance of the rest.

    Parameters
    ----------
    task : str
    targets : Tensor
        (n, 21 or more), columns `TARGETS`.

    Returns
    -------
    Tensor
        Scalar: -sum p log p in nats for classes, and for numbers the variance (divided by n), mean
        over columns; see `dense_targets` for mask and depth. 0 where nothing varies.
    """
    return _task(task).constant(columns_of(task, targets))


def columns_of(task: str, targets: Tensor) -> Tensor:
    """Return the columns of the targets that a task reads.

    Raises
    ------
    UserError
        If they are not there.
    """
    columns = _task(task).columns
    if max(columns) >= targets.shape[1]:
        raise UserError(
            f"the targets have no columns for {task}; join dense_targets of the images' maps"
        )
    return targets[:, columns]


def _task(name: str) -> Task:
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
