"""One training loop for CPU, one GPU and several, that can be interrupted and repeated exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.training.batches import BatchSource, as_source, batches, step_seed, upcoming
from isocortex.training.devices import chosen_device
from isocortex.training.objectives import CLASSIFICATION, Objective
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.state import RunState, columns, fingerprint, load_state, save_state

Progress = Callable[[int, int, float], object]
"""Told (steps done, steps in all, loss) every `REPORT_EVERY` steps and at the end."""

REPORT_EVERY = 10

Observer = Callable[[int, nn.Module], object]
"""Told (steps done, the network in eval mode) at the steps asked for."""

Labelled = tuple[Tensor | np.ndarray, Tensor | np.ndarray] | tuple[BatchSource]


@dataclass(frozen=True)
class Training:
    """What a training leaves.

    Attributes
    ----------
    network : nn.Module
        The network that was given, trained, in eval mode, on the device of the training.
    history : pandas.DataFrame
        One row a step: `step` (from 1), `loss` and the measure of the objective on its batch
        (`accuracy` of a classification), and the same with ``validation_`` before it (NaN where it
        was not measured).
    """

    network: nn.Module
    history: pd.DataFrame

    @property
    def validation_accuracy(self) -> float:
        """The last validation accuracy; NaN if there is none."""
        return self.validation("accuracy")

    def validation(self, measured: str) -> float:
        """Return the last value of a measure on the validation set; NaN if there is none."""
        values = self.history[f"validation_{measured}"].dropna()
        return float(values.iloc[-1]) if len(values) else math.nan


def fit(
    network: nn.Module,
    images: Tensor | np.ndarray | BatchSource,
    labels: Tensor | np.ndarray | None = None,
    *,
    objective: Objective = CLASSIFICATION,
    optimiser: OptimiserConfig,
    steps: int,
    batch_size: int,
    seed: int,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    device: str | torch.device | Fabric = "auto",
    progress: Progress | None = None,
    validation: Labelled | None = None,
    validate_every: int | None = None,
    observe: Observer | None = None,
    observe_at: Collection[int] = (),
) -> Training:
    """Train a network, by default to name images, and go on where a checkpoint ends.

    The batch order is a function of (`seed`, epoch) and dropout one of (`seed`, step): trainings
    that differ in labels alone see the same images in the same order through the same masks, and
    an interrupted training ends with the weights of an uninterrupted one, bit by bit on a CPU.

    Parameters
    ----------
    network : nn.Module
        Images (n, c, h, w) -> what the objective reads, e.g. logits (n, classes). It is trained in
        place.
    images : Tensor, numpy.ndarray or BatchSource
        (n, c, h, w), or a source that draws images and labels on demand.
    labels : Tensor or numpy.ndarray, optional
        (n,) integers from 0; none with a `BatchSource`, whose targets may be of any shape.
    objective : Objective
        What is lowered, and what is watched.
    optimiser : OptimiserConfig
    steps : int
        Steps in all, those before an interruption included.
    batch_size : int
        Images a step, over all devices; a smaller set is shown whole at every step.
    seed : int
    checkpoint : path, optional
        Where to write the state of the training, and to take it up from if the file is there.
    checkpoint_every : int
        Steps between two checkpoints; one more is written at the end.
    device : str, torch.device or Fabric
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ..., or a launched
        `Fabric` with several devices, of which each sees its share of every batch.
    progress : callable, optional
        See `Progress`.
    validation : (images, labels) or (source,), optional
        Measured at the end, and every `validate_every` steps if that is given.
    validate_every : int, optional
    observe : callable, optional
        See `Observer`. A training that goes on from a checkpoint does not repeat the steps before.
    observe_at : collection of int
        The steps at which `observe` is called; 0 is the untrained network.

    Returns
    -------
    Training

    Raises
    ------
    UserError
        If the data do not fit the network, the loss is not finite, the device does not exist, or
        the checkpoint is broken, of another training, or of more steps than asked for.
    """
    source = as_source(images, labels)
    for name, value in (
        ("steps", steps),
        ("batch_size", batch_size),
        ("checkpoint_every", checkpoint_every),
        ("validate_every", 1 if validate_every is None else validate_every),
    ):
        if value < 1:
            raise UserError(f"{name} must be at least 1, but it is {value}")
    batch_size = min(batch_size, source.n)
    fabric = device if isinstance(device, Fabric) else _one_device(str(device))
    if batch_size % fabric.world_size:
        raise UserError(
            f"a batch of {batch_size} images cannot be shared by {fabric.world_size} devices; make "
            "batch_size a multiple of their number"
        )
    path = None if checkpoint is None else Path(checkpoint)
    key = fingerprint(
        network, source, optimiser, batch_size=batch_size, seed=seed, objective=objective.name
    )
    names = columns(objective.measured)
    old = None if path is None or not path.exists() else load_state(path, key)
    if old is not None and old.step > steps:
        raise UserError(
            f"the checkpoint {path} has {old.step} steps, more than the {steps} asked for; ask for "
            "at least as many, or delete it"
        )

    if fabric.device.type == "cpu":
        network.to(memory_format=torch.channels_last)  # a sixth faster on CPUs
    inner = optimiser.build(network.parameters())
    trained, stepper = fabric.setup(network, inner)
    history: list[list[float]] = []
    if old is not None:
        network.load_state_dict(old.network)
        inner.load_state_dict(old.optimiser)
        history = old.history.tolist()

    def keep(step: int) -> None:
        if path is not None and fabric.is_global_zero:
            table = torch.tensor(history, dtype=torch.float64).reshape(-1, len(names))
            save_state(path, RunState(step, network.state_dict(), inner.state_dict(), table), key)
        fabric.barrier()

    recent: list[Tensor] = []
    start = len(history)
    if observe is not None and start == 0 and 0 in observe_at:
        observe(0, network.eval())
    with _repeatable():
        order = batches(source.n, batch_size, seed=seed, start=start, stop=steps)
        for step, draw in upcoming(source, order, _share(fabric, batch_size)):
            done = step + 1
            torch.manual_seed(step_seed(seed, step, fabric.global_rank))
            batch, target = fabric.to_device(draw())
            network.train()
            output = trained(batch)
            if step == start:
                objective.check(source, output, target)
            loss = objective.loss(output, target)
            for group in inner.param_groups:
                group["lr"] = optimiser.rate(step)
            stepper.zero_grad()
            fabric.backward(loss)
            stepper.step()
            with torch.no_grad():
                measured = objective.measure(output, target).to(loss.dtype)
            recent.append(torch.stack([loss.detach(), measured]))

            last = done == steps
            saves = last or done % checkpoint_every == 0
            validates = validate_every is not None and done % validate_every == 0
            if saves or validates or done % REPORT_EVERY == 0:
                _append(history, fabric, recent, optimiser)
                recent.clear()
                if validates and validation is not None:
                    history[-1][-1] = evaluate(network, *validation, objective=objective)
                if progress is not None and fabric.is_global_zero:
                    progress(done, steps, history[-1][1])
            if last:
                _check_weights(network, optimiser)
            if observe is not None and done in observe_at:
                observe(done, network.eval())
            if saves:
                keep(done)
    network.eval()
    if validation is not None and math.isnan(history[-1][-1]):
        history[-1][-1] = evaluate(network, *validation, objective=objective)
    table = pd.DataFrame(history, columns=list(names)).astype({"step": int})
    return Training(network, table)


def accuracy(
    network: nn.Module,
    images: Tensor | np.ndarray | BatchSource,
    labels: Tensor | np.ndarray | None = None,
    *,
    batch_size: int = 512,
) -> float:
    """Return the share of images that the network names rightly, in eval mode.

    Parameters
    ----------
    network : nn.Module
        Left in the mode, and on the device, that it is in.
    images, labels
        As in `fit`.
    batch_size : int
        Images a forward pass; it bounds memory alone.

    Raises
    ------
    UserError
        As `fit`, if images and labels do not fit each other.
    """
    return evaluate(network, images, labels, batch_size=batch_size)


def evaluate(
    network: nn.Module,
    images: Tensor | np.ndarray | BatchSource,
    labels: Tensor | np.ndarray | None = None,
    *,
    objective: Objective = CLASSIFICATION,
    batch_size: int = 512,
) -> float:
    """Return the measure of an objective over a whole set, in eval mode.

    Parameters
    ----------
    network : nn.Module
        Left in the mode, and on the device, that it is in.
    images, labels
        As in `fit`.
    objective : Objective
        Whose measure is taken: batch means, weighted by the images of each batch.
    batch_size : int
        Images a forward pass; it bounds memory alone where the measure is a mean over images.

    Raises
    ------
    UserError
        As `fit`, if images and labels do not fit each other.
    """
    source = as_source(images, labels)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    training = network.training
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for rows in np.split(np.arange(source.n), range(batch_size, source.n, batch_size)):
            batch, target = source.draw(rows)
            output = network(batch.to(device))
            total += float(objective.measure(output, target.to(device))) * len(rows)
    network.train(training)
    return total / source.n


def _one_device(device: str) -> Fabric:
    kind, _, index = chosen_device(device).partition(":")
    known = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": torch.backends.mps.is_available()}
    if kind not in known or not (index or "0").isdigit() or int(index or 0) >= known[kind]:
        there = ", ".join(
            f"{k}:{i}" if k == "cuda" else k for k, n in known.items() for i in range(n)
        )
        raise UserError(f"there is no device {device!r}; there are: auto, {there}")
    return Fabric(
        accelerator=kind,
        devices=1 if kind == "cpu" else [int(index or 0)],
        # One device is one process, whatever a cluster's environment variables say.
        plugins=[LightningEnvironment()],
    )


@contextmanager
def _repeatable() -> Iterator[None]:
    """Ask cuDNN for its deterministic algorithms, and give the caller's random numbers back."""
    gpus = range(torch.cuda.device_count())
    with (
        torch.random.fork_rng(devices=gpus, device_type="cuda"),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        yield


def _share(fabric: Fabric, batch_size: int) -> slice:
    size = batch_size // fabric.world_size
    return slice(fabric.global_rank * size, (fabric.global_rank + 1) * size)


def _append(
    history: list[list[float]], fabric: Fabric, recent: list[Tensor], optimiser: OptimiserConfig
) -> None:
    """Move the last steps' figures to the history, in one go, so that a GPU seldom waits."""
    table = fabric.all_reduce(torch.stack(recent))
    for loss, measured in torch.as_tensor(table).tolist():
        step = len(history) + 1
        if not math.isfinite(loss):
            raise _diverged(f"the loss is {loss} at step {step}", optimiser)
        history.append([step, loss, measured, math.nan])


def _check_weights(network: nn.Module, optimiser: OptimiserConfig) -> None:
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise _diverged("a weight is not finite after the last step", optimiser)


def _diverged(what: str, optimiser: OptimiserConfig) -> UserError:
    return UserError(
        f"training diverged: {what}; lower the learning rate (now {optimiser.learning_rate:g}), or "
        "look for NaN in the images"
    )
