"""Estimating the latents of a scene: targets, head, losses and metrics of any set of tasks.

One wide linear head serves every task; a task reads its slice of the outputs, and the slices of
tasks that are not trained get no gradient (Xie et al. 2025, section 4 of the specification).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError, unknown
from isocortex.training.objectives import Objective

EULER = ("pitch", "yaw", "roll")
TARGETS = (
    "category", "identity", "z", "x", "y",
    "sin_pitch", "sin_yaw", "sin_roll", "cos_pitch", "cos_yaw", "cos_roll",
    "a1", "a2", "a3", "b1", "b2", "b3",
    "box_left", "box_top", "box_right", "box_bottom",
)  # fmt: skip
"""Columns of the targets of an image; `a` and `b` are the first two columns of its rotation."""

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
    """

    targets: tuple[str, ...]
    loss: Callable[[Tensor, Tensor], Tensor]

    @property
    def columns(self) -> list[int]:
        """Where its columns stand in `TARGETS`."""
        return [TARGETS.index(name) for name in self.targets]


def _named(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs, targets[:, 0].long())


TASKS: dict[str, Task] = {
    "category": Task(("category",), _named),
    "identity": Task(("identity",), _named),
    "distance": Task(("z",), F.mse_loss),
    "translation": Task(("x", "y"), F.mse_loss),
    "rotation": Task(TARGETS[5:11], F.mse_loss),
    "rotation_6d": Task(TARGETS[11:17], F.mse_loss),
    "box": Task(TARGETS[17:21], F.mse_loss),
}
"""The published five; the rotation as the first two columns of its matrix, which has no jumps
(Zhou et al. 2019); and the bounding box in shares of the frame."""

_CLASSES = ("category", "identity")


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
        (n, 21) float32, columns `TARGETS`; boxes are NaN where the table has none.

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
        for name in TARGETS[17:]
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
            TASKS[name].loss(outputs[:, slices[name]], targets[:, TASKS[name].columns])
            for name in tasks
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
        (n, 21), columns `TARGETS`.

    Returns
    -------
    Tensor
        Scalar: -sum p log p in nats for classes, and for numbers the variance (divided by n), mean
        over columns. 0 where nothing varies.
    """
    values = targets[:, _task(task).columns]
    if task in _CLASSES:
        share = torch.bincount(values[:, 0].long()).to(values.dtype) / len(values)
        return torch.special.entr(share).sum()
    return values.var(dim=0, correction=0).mean()


def task_metrics(
    outputs: Tensor, targets: Tensor, tasks: Sequence[str], head: Head, scale: Scale
) -> pd.DataFrame:
    """Return how well each task is done, in natural units.

    Parameters
    ----------
    outputs : Tensor
        (n, head.units).
    targets : Tensor
        (n, 21), columns `TARGETS`.
    tasks : sequence of str
    head, scale : Head, Scale

    Returns
    -------
    pandas.DataFrame
        Columns ``task``, ``metric``, ``value``. Every task: ``loss``, ``constant_loss``,
        ``relative_loss`` (NaN if nothing varies). Classes: ``accuracy``, and ``chance``, the share
        of the commonest class. Position: ``r2_z`` ... (NaN if the target does not vary) and the
        root mean squared error ``rmse_z`` ... in object lengths. Rotation: mean absolute errors
        ``mae_pitch`` ..., and ``geodesic_deg``, the mean angle between the true and the
        estimated rotation. Box: mean intersection over union ``iou``.
    """
    rows = []
    for name in tasks:
        own, aim = outputs[:, head.slices[name]], targets[:, TASKS[name].columns]
        loss, constant = float(TASKS[name].loss(own, aim)), float(constant_loss(name, targets))
        found: dict[str, float] = {
            "loss": loss,
            "constant_loss": constant,
            "relative_loss": loss / constant if constant > 0 else math.nan,
        }
        if name in _CLASSES:
            labels = aim[:, 0].long()
            found["accuracy"] = float((own.argmax(1) == labels).double().mean())
            found["chance"] = float(torch.bincount(labels).max()) / len(labels)
        elif name in ("distance", "translation"):
            found |= _position(own, aim, TASKS[name].targets, scale)
        elif name == "rotation":
            found |= _euler(own, targets)
        elif name == "rotation_6d":
            found["geodesic_deg"] = _geodesic(_orthonormal(own), _truth(targets))
        elif name == "box":
            found["iou"] = float(_overlap(own, aim).mean())
        rows += [{"task": name, "metric": key, "value": value} for key, value in found.items()]
    return pd.DataFrame(rows)


def learned(metrics: pd.DataFrame) -> Mapping[str, bool]:
    """Return for each task whether it was learned at all.

    A task counts as learned if its loss is below .8 of that of a constant or, of classes, if its
    accuracy is above three times chance (specification, section 4).

    Parameters
    ----------
    metrics : pandas.DataFrame
        As `task_metrics` gives it.
    """
    table = metrics.pivot(index="task", columns="metric", values="value")
    verdicts = {}
    for name, row in table.iterrows():
        verdicts[str(name)] = bool(row["relative_loss"] < 0.8) or (
            "accuracy" in row and bool(row["accuracy"] > 3 * row["chance"])
        )
    return verdicts


def _task(name: str) -> Task:
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def _position(own: Tensor, aim: Tensor, names: Sequence[str], scale: Scale) -> dict[str, float]:
    error = (own - aim).double()
    square, variance = error.pow(2).mean(0), aim.double().var(0, correction=0)
    found = {}
    for k, name in enumerate(names):
        flat = float(variance[k]) <= 1e-12
        found[f"r2_{name}"] = math.nan if flat else 1 - float(square[k] / variance[k])
        found[f"rmse_{name}"] = float(square[k].sqrt()) * scale.sd["zxy".index(name)]
    return found


def _euler(own: Tensor, targets: Tensor) -> dict[str, float]:
    aim = targets[:, TASKS["rotation"].columns].double()
    own = own.double()
    estimate = torch.atan2(own[:, :3], own[:, 3:])
    off = estimate - torch.atan2(aim[:, :3], aim[:, 3:])
    error = torch.atan2(off.sin(), off.cos()).abs().rad2deg().mean(0)
    found = {f"mae_{name}": float(error[k]) for k, name in enumerate(EULER)}
    found["geodesic_deg"] = _geodesic(euler_matrix(estimate), _truth(targets))
    return found


def _truth(targets: Tensor) -> Tensor:
    return _orthonormal(targets[:, TASKS["rotation_6d"].columns])


def _orthonormal(six: Tensor) -> Tensor:
    """Return rotations (n, 3, 3) from two columns that need be neither unit nor orthogonal."""
    first = F.normalize(six[:, :3].double(), dim=1)
    second = six[:, 3:].double()
    second = F.normalize(second - (first * second).sum(1, keepdim=True) * first, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=2)


def _geodesic(a: Tensor, b: Tensor) -> float:
    cosine = ((a.transpose(1, 2) @ b).diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return float(cosine.clamp(-1, 1).arccos().rad2deg().mean())


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return intersection over union of boxes (n, 4) = left, top, right, bottom."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clamp_min(0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).clamp_min(0).prod(1) for box in (a, b)]
    return both / (areas[0] + areas[1] - both).clamp_min(1e-12)
