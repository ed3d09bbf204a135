"""Readouts for networks that are left as they are: multinomial logistic regression with L2.

Three ways to make features of a map (n, c, h, w): (i) its channel means, the primary one; (ii)
these with the standard deviations over places, which are a non-linear readout even of a linear
network; (iii) the map itself, flattened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from isocortex.errors import UserError, unknown

PENALTIES = tuple(10.0**k for k in range(1, -7, -1))
"""L2 penalties tried, relative to the mean cross-entropy of z-scored features."""


def _means_and_sds(maps: Tensor) -> Tensor:
    places = maps.flatten(2)
    return torch.cat([places.mean(dim=2), places.std(dim=2, correction=0)], dim=1)


POOLED: dict[str, Callable[[Tensor], Tensor]] = {
    "means": lambda maps: maps.flatten(2).mean(dim=2),
    "means_sds": _means_and_sds,
    "flat": lambda maps: maps.flatten(1),
}
"""Name of a readout -> features (n, p) of a map (n, c, h, w): (i), (ii) and (iii)."""


def pooled(maps: Tensor, kind: str = "means") -> Tensor:
    """Return the features (n, p) that a readout sees of maps (n, c, h, w).

    Raises
    ------
    UserError
        For an unknown kind, or maps of another shape.
    """
    if kind not in POOLED:
        raise unknown("readout", kind, POOLED)
    if maps.ndim != 4:
        raise UserError(f"a readout pools maps (n, c, h, w), not {tuple(maps.shape)}")
    return POOLED[kind](maps)


@dataclass(frozen=True, eq=False)
class LogisticReadout:
    """A fitted readout.

    Attributes
    ----------
    mean, scale : numpy.ndarray, shape (p,)
        Of the training features; the scale of constant ones is infinite, which leaves them out.
    weights : numpy.ndarray, shape (p, classes)
        Of z-scored features.
    bias : numpy.ndarray, shape (classes,)
    penalty : float
        Chosen by validation.
    validation_accuracy : float
    n_constant : int
        Features without variance over the training images, left out.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    penalty: float
    validation_accuracy: float
    n_constant: int

    def logits(self, features: Tensor) -> np.ndarray:
        """Return logits (n, classes) of features (n, p)."""
        z = (features.double().cpu().numpy() - self.mean) / self.scale
        return z @ self.weights + self.bias

    def right(self, features: Tensor, labels: Tensor) -> np.ndarray:
        """Return for each image whether its label was named, bool (n,)."""
        return self.logits(features).argmax(axis=1) == labels.cpu().numpy()

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Return the share of images whose label was named."""
        return float(self.right(features, labels).mean())


Labelled = tuple[Tensor, Tensor]


def logistic_readout(
    train: Labelled,
    validation: Labelled,
    *,
    n_classes: int,
    penalties: Sequence[float] = PENALTIES,
    max_iterations: int = 200,
) -> LogisticReadout:
    """Fit multinomial logistic regression, its penalty chosen on validation images.

    Minimises ``mean_i -log softmax(W' z_i + b)[y_i] + a/2 |W|^2`` over training images, z the
    features z-scored by these, for each penalty a (biases are free), from the strongest down, each
    from where the last one ended. The penalty with the most right validation images is taken, of
    equal ones the strongest.

    Parameters
    ----------
    train, validation : (features (n, p), labels (n,))
        Labels are integers from 0 to `n_classes` - 1.
    n_classes : int
    penalties : sequence of float
        Above 0.
    max_iterations : int
        Of L-BFGS, for each penalty.

    Returns
    -------
    LogisticReadout

    Raises
    ------
    UserError
        If shapes, labels or penalties do not fit, or a feature is not finite.

    Notes
    -----
    Features that do not vary over the training images beyond rounding are left out and counted;
    where none is left the readout names the commonest class.
    """
    (x, y), (held, held_labels) = (_checked(*pair, n_classes) for pair in (train, validation))
    if x.shape[1] != held.shape[1]:
        raise UserError(
            f"training features have {x.shape[1]} columns and those of validation {held.shape[1]}"
        )
    if not penalties or min(penalties) <= 0:
        raise UserError("penalties must be above 0, at least one")
    mean, spread = x.mean(axis=0), x.std(axis=0)
    varies = spread > 1e-6 * np.abs(mean) + 1e-12
    scale = np.where(varies, spread, np.inf)
    z, held_z = (x - mean) / scale, (held - mean) / scale
    onehot = np.eye(n_classes)[y]
    point = np.zeros((x.shape[1] + 1) * n_classes)
    best: LogisticReadout | None = None
    for penalty in sorted(penalties, reverse=True):
        point = minimize(
            _loss,
            point,
            args=(z, onehot, penalty),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iterations, "maxcor": 20},
        ).x
        table = point.reshape(-1, n_classes)
        right = float(((held_z @ table[:-1] + table[-1]).argmax(axis=1) == held_labels).mean())
        if best is None or right > best.validation_accuracy:
            best = LogisticReadout(
                mean, scale, table[:-1], table[-1], penalty, right, int((~varies).sum())
            )
    assert best is not None
    return best


def _loss(
    point: np.ndarray, z: np.ndarray, onehot: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    """Return the penalised mean cross-entropy and its gradient."""
    table = point.reshape(-1, onehot.shape[1])
    logits = z @ table[:-1] + table[-1]
    logits -= logits.max(axis=1, keepdims=True)
    exponential = np.exp(logits)
    total = exponential.sum(axis=1, keepdims=True)
    loss = np.log(total[:, 0]).mean() - (logits * onehot).sum(axis=1).mean()
    error = (exponential / total - onehot) / len(z)
    gradient = np.concatenate(
        [z.T @ error + penalty * table[:-1], error.sum(axis=0, keepdims=True)]
    )
    return float(loss + penalty / 2 * np.square(table[:-1]).sum()), gradient.ravel()


def _checked(features: Tensor, labels: Tensor, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = features.detach().double().cpu().numpy(), labels.cpu().numpy()
    if x.ndim != 2 or y.shape != x.shape[:1] or not len(y):
        raise UserError(
            f"a readout needs features (n, p) and labels (n,), not {x.shape} and {y.shape}"
        )
    if not np.isfinite(x).all():
        raise UserError("a feature is NaN or infinite; mend the network or leave the unit out")
    if y.min() < 0 or y.max() >= n_classes:
        raise UserError(f"labels run from {y.min()} to {y.max()}, outside 0 to {n_classes - 1}")
    return x, y
