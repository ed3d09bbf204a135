"""Training on recorded responses: a network below a readout that factorises into what and where.

The body may be left as it is (frozen) or trained together with the readout; both arms begin with
the same weights and see the same batches.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocortex.errors import UserError, unknown
from isocortex.models.gain import reestimate_batchnorm
from isocortex.models.initial import seeded
from isocortex.training.batches import BatchSource
from isocortex.training.fit import evaluate, fit
from isocortex.training.objectives import Objective
from isocortex.training.optimisers import OptimiserConfig

L1 = 1e-3
"""Penalty of the readout's weights, relative to the loss of responses."""

CUT = 3.0
"""The learning rate is divided by this where the validation loss stops falling."""

LEAST_RATE = 1e-4
"""Floor of Poisson rates, so that a logarithm exists."""


def _poisson(prediction: Tensor, responses: Tensor) -> Tensor:
    rate = prediction.clamp_min(LEAST_RATE)
    return (rate - responses * rate.log()).mean()


LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mse": (F.mse_loss, lambda x: x),
    "poisson": (_poisson, F.softplus),
}
"""Name of a loss -> the mean loss of (prediction, responses), and what turns the readout's sum
into a prediction. ``poisson`` is the negative log-likelihood less a constant."""


class FactorisedReadout(nn.Module):
    """One weight a channel and one a place for each neuron, on channels brought to SD 1.

    ``y_n = b_n + sum_c v_nc sum_xy s_nxy f_cxy`` (Klindt et al. 2017), f normalised by the mean
    and SD of each channel.

    Parameters
    ----------
    shape : tuple of int
        (c, h, w) of the maps that are read.
    n_neuroids : int
    seed : int
        Of the initial weights: places alike, channels Gaussian.
    """

    def __init__(self, shape: tuple[int, int, int], n_neuroids: int, *, seed: int = 0) -> None:
        super().__init__()
        channels, height, width = shape
        self.normalise = nn.BatchNorm2d(channels, affine=False)
        with seeded(seed):
            weights = torch.randn(n_neuroids, channels) / math.sqrt(channels)
        self.channel = nn.Parameter(weights)
        self.place = nn.Parameter(torch.full((n_neuroids, height * width), 1 / (height * width)))
        self.bias = nn.Parameter(torch.zeros(n_neuroids))

    def forward(self, maps: Tensor) -> Tensor:
        """Return responses (n, neuroids) of maps (n, c, h, w)."""
        f = self.normalise(maps).flatten(2)
        out: Tensor = (f @ self.place.T * self.channel.T).sum(dim=1) + self.bias
        return out

    def length(self) -> Tensor:
        """Return the L1 norm of both weights, mean over neuroids."""
        return (self.channel.abs().sum(dim=1) + self.place.abs().sum(dim=1)).mean()


class NeuralModel(nn.Module):
    """A body (images to maps) below a `FactorisedReadout`."""

    def __init__(
        self, body: nn.Module, readout: FactorisedReadout, link: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.body, self.readout = body, readout
        self._link = link

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return predictions (n, neuroids), and the readout's L1 norm for the objective."""
        return self._link(self.readout(self.body(images))), self.readout.length()

    @torch.inference_mode()
    def predict(self, images: Tensor, *, batch_size: int = 256) -> Tensor:
        """Return predictions (n, neuroids) in eval mode."""
        self.eval()
        return torch.cat([self(batch)[0] for batch in images.split(batch_size)])


@dataclass(frozen=True)
class NeuralTraining:
    """What a training on responses leaves.

    Attributes
    ----------
    body : nn.Module
        In eval mode; a copy, the network that was given is left as it is.
    predictions : Tensor, shape (n, neuroids)
        Of all images that were given, in the unit of the responses.
    history : pandas.DataFrame
        One row an epoch: ``epoch``, ``learning_rate``, ``validation_loss``.
    validation_loss : float
        The least, whose weights were kept.
    """

    body: nn.Module
    predictions: Tensor
    history: pd.DataFrame
    validation_loss: float


class _EnoughError(Exception):
    """The validation loss does not fall any more, or all epochs are done."""


def fit_responses(
    body: nn.Module,
    images: Tensor,
    responses: Tensor | np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    *,
    frozen: bool,
    loss: str = "mse",
    l1: float = L1,
    learning_rate: float = 1e-3,
    cuts: int = 2,
    patience: int = 3,
    epochs: int = 50,
    batch_size: int = 128,
    seed: int = 0,
    device: str = "cpu",
) -> NeuralTraining:
    """Predict responses by a readout of a body that is frozen, or trained along with it.

    Adam lowers the loss of responses plus `l1` times the readout's L1 norm. Where the validation
    loss has not fallen for `patience` epochs the best weights are taken up again and the learning
    rate is divided by 3, `cuts` times; then training ends with the best weights.

    Parameters
    ----------
    body : nn.Module
        Images (n, c, h, w) -> maps, e.g. the ``features`` of an `rnet`. Its batch normalisation,
        and that of the readout, is re-estimated on the training images in both arms, before
        training and after it.
    images : Tensor, shape (n, c, h, w)
        As the body takes them.
    responses : array, shape (n, neuroids)
        For ``"mse"`` brought to SD 1 over the training images, and back again in the predictions;
        for ``"poisson"`` counts or their means, none negative.
    parts : (train, validation)
        Row numbers. Other rows are predicted and nothing else.
    frozen : bool
        Whether the body keeps its weights.
    loss : {"mse", "poisson"}
        See `LOSSES`.
    l1, learning_rate, cuts, patience, epochs, batch_size
        Of the training; `epochs` are at most so many in all.
    seed : int
        Of the readout's initial weights and the order of batches: the same for both arms.
    device : str

    Returns
    -------
    NeuralTraining

    Raises
    ------
    UserError
        If shapes do not fit, a response is not finite or, for ``"poisson"``, negative, or a
        neuroid does not vary over the training images.
    """
    if loss not in LOSSES:
        raise unknown("loss of responses", loss, LOSSES)
    y = torch.as_tensor(responses).float()
    train, validation = (torch.from_numpy(np.asarray(rows)) for rows in parts)
    scale = _checked(images, y, train, loss)
    body = deepcopy(body).eval()
    seen = images
    if frozen:
        reestimate_batchnorm(body, images[train])
        seen = _maps(body, images)
    inner: nn.Module = nn.Identity() if frozen else body
    with torch.inference_mode():
        shape = tuple(body(images[:1]).shape[1:])
    if len(shape) != 3:
        raise UserError(f"the body gives {shape} for an image, not a map (c, h, w)")
    function, link = LOSSES[loss]
    model = NeuralModel(inner, FactorisedReadout(shape, y.shape[1], seed=seed), link)
    target = y / scale
    start = target[train].mean(dim=0)
    with torch.no_grad():
        # Inverse of the softplus, so that both losses begin at the mean response.
        model.readout.bias.copy_(
            start if loss == "mse" else torch.log(torch.expm1(start.clamp_min(1e-3)))
        )
    reestimate_batchnorm(model, seen[train])
    objective = Objective(
        name=f"{loss} of responses, l1 {l1:g}",
        loss=lambda out, wanted: function(out[0], wanted) + l1 * out[1],
        measure=lambda out, wanted: function(out[0], wanted),
        measured="loss_of_responses",
    )
    sources = [_source(seen[rows], target[rows]) for rows in (train, validation)]
    watch = _Watch(sources[1], objective, patience, epochs)
    per_epoch = max(1, len(train) // min(batch_size, len(train)))
    for cut in range(cuts + 1):
        watch.begin(learning_rate / CUT**cut, per_epoch, model)
        if watch.left < 1:
            break
        with contextlib.suppress(_EnoughError):
            fit(
                model,
                sources[0],
                objective=objective,
                optimiser=OptimiserConfig(name="adam", learning_rate=learning_rate / CUT**cut),
                steps=watch.left * per_epoch,
                batch_size=batch_size,
                seed=seed + cut,
                device=device,
                observe=watch,
                observe_at=range(per_epoch, watch.left * per_epoch + 1, per_epoch),
            )
        model.load_state_dict(watch.best)
    model.cpu()
    # Running averages over batches are not the statistics that either arm should be tested with.
    reestimate_batchnorm(model, seen[train])
    return NeuralTraining(
        body=body.cpu().eval(),
        predictions=model.predict(seen) * scale,
        history=pd.DataFrame(watch.rows, columns=["epoch", "learning_rate", "validation_loss"]),
        validation_loss=watch.least,
    )


class _Watch:
    """Keeps the best weights, and ends a phase that does not get on."""

    def __init__(self, held: BatchSource, objective: Objective, patience: int, epochs: int) -> None:
        self._held, self._objective, self._patience = held, objective, patience
        self.left, self.least = epochs, math.inf
        self.best: dict[str, Tensor] = {}
        self.rows: list[tuple[int, float, float]] = []
        self._rate, self._since = 0.0, 0

    def begin(self, rate: float, per_epoch: int, model: nn.Module) -> None:
        """Start a phase with another learning rate."""
        self._rate, self._since = rate, 0
        if not self.best:
            self.best = deepcopy(model.state_dict())

    def __call__(self, step: int, model: nn.Module) -> None:
        """Measure the validation loss at the end of an epoch."""
        found = evaluate(model, self._held, objective=self._objective)
        self.left -= 1
        self.rows.append((len(self.rows) + 1, self._rate, found))
        if found < self.least:
            self.least, self._since = found, 0
            self.best = deepcopy(model.state_dict())
        else:
            self._since += 1
        if self._since >= self._patience or self.left < 1:
            raise _EnoughError


def _source(images: Tensor, targets: Tensor) -> BatchSource:
    def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(rows)
        return images[index], targets[index]

    return BatchSource(len(images), draw)


@torch.no_grad()
def _maps(body: nn.Module, images: Tensor, batch_size: int = 256) -> Tensor:
    return torch.cat([body(batch) for batch in images.split(batch_size)])


def _checked(images: Tensor, y: Tensor, train: Tensor, loss: str) -> Tensor:
    """Return the factor that brings predictions back to the unit of the responses."""
    if images.ndim != 4 or y.ndim != 2 or len(y) != len(images):
        raise UserError(
            f"training on responses needs images (n, c, h, w) and responses (n, neuroids), not "
            f"{tuple(images.shape)} and {tuple(y.shape)}"
        )
    if not bool(y.isfinite().all()):
        raise UserError("a response is NaN or infinite; leave the presentation or neuroid out")
    spread = y[train].std(dim=0, correction=0)
    if not bool((spread > 0).all()):
        raise UserError(
            f"neuroid {int((spread > 0).float().argmin())} does not vary over the training images; "
            "leave it out"
        )
    if loss == "poisson":
        if bool((y < 0).any()):
            raise UserError("a response is negative, which no Poisson rate is; use loss='mse'")
        return torch.ones(())
    return spread
