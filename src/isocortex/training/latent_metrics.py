"""How well the latents of scenes are estimated, in natural units, and what counts as learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.training import dense_targets
from isocortex.training.latent_tasks import (
    CLASSES,
    EULER,
    TASKS,
    Head,
    Scale,
    columns_of,
    constant_loss,
    euler_matrix,
)

CONSTANT_SHARE = 0.8
"""Of the loss of the best constant: a network above it has not learned."""


def task_metrics(
    outputs: Tensor, targets: Tensor, tasks: Sequence[str], head: Head, scale: Scale
) -> pd.DataFrame:
    """Return how well each task is done, in natural units.

    Parameters
    ----------
    outputs : Tensor
        (n, head.units).
    targets : Tensor
        (n, 21 or more), columns `TARGETS`.
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
        estimated rotation. Box and mask: mean intersection over union ``iou``. Depth:
        ``rmse_depth`` in object lengths over the cells that show the object.
    """
    rows = []
    for name in tasks:
        own, aim = outputs[:, head.slices[name]], columns_of(name, targets)
        loss, constant = float(TASKS[name].loss(own, aim)), float(constant_loss(name, targets))
        found: dict[str, float] = {
            "loss": loss,
            "constant_loss": constant,
            "relative_loss": loss / constant if constant > 0 else math.nan,
        }
        if name in CLASSES:
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
        elif name == "mask":
            found["iou"] = float(dense_targets.coverage_overlap(own, aim).nanmean())
        elif name == "depth":
            found["rmse_depth"] = scale.sd[0] * float(TASKS[name].loss(own, aim)) ** 0.5
        rows += [{"task": name, "metric": key, "value": value} for key, value in found.items()]
    return pd.DataFrame(rows)


def learned(metrics: pd.DataFrame) -> bool:
    """Return whether a network learned what it was trained on.

    It did if its loss, that of all its tasks together, which training lowers, is below .8 of that
    of the best constant, or if it names categories or identities three times as often as chance
    (specification of xie2024, section 4).

    Parameters
    ----------
    metrics : pandas.DataFrame
        As `task_metrics` gives it. Where nothing varies, nothing is learned.
    """
    found = metrics.pivot(index="task", columns="metric", values="value")
    if found["loss"].sum() < CONSTANT_SHARE * found["constant_loss"].sum():
        return True
    return "accuracy" in found and bool((found["accuracy"] > 3 * found["chance"]).any())


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
