"""Codecs that learn to give images back, with a price on the power of their code."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.models.codecs import LinearCodec
from isocortex.models.initial import seeded
from isocortex.training.batches import step_seed
from isocortex.training.fit import REPORT_EVERY, Progress
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.state import RunState, load_state, save_state

CropSource = Callable[[int], Tensor]
"""Number of images -> (n, 1, h, w) float32, drawn with torch's random numbers."""

COLUMNS = ("step", "loss", "error", "power")


@dataclass(frozen=True)
class Reconstruction:
    """What the training of a codec leaves.

    Attributes
    ----------
    codec : LinearCodec
        Trained, in eval mode.
    history : pandas.DataFrame
        One row a step: `step` (from 1), `loss`, mean squared `error`, mean `power` of the code.
    snapshots : dict of int to numpy.ndarray
        Step -> the filter (size, size) after it; 0 is the filter that training began with.
    """

    codec: LinearCodec
    history: pd.DataFrame
    snapshots: dict[int, np.ndarray]


def crops_of(images: Sequence[Tensor], size: int) -> CropSource:
    """Return a source of square crops at random places of random images.

    Parameters
    ----------
    images : sequence of Tensor
        (h, w) each, of any sizes.
    size : int
        Width and height of the crops.

    Raises
    ------
    UserError
        If there is no image, or one is smaller than a crop.
    """
    if not images or min(min(image.shape) for image in images) < size:
        raise UserError(f"crops of {size} px need images of at least that size; give larger ones")
    heights = torch.tensor([image.shape[0] for image in images])
    widths = torch.tensor([image.shape[1] for image in images])

    def draw(n: int) -> Tensor:
        which = torch.randint(len(images), (n,))
        down, right = (
            (torch.rand(n) * (extent[which] - size + 1)).long().tolist()
            for extent in (heights, widths)
        )
        parts = [
            images[k][y : y + size, x : x + size]
            for k, y, x in zip(which.tolist(), down, right, strict=True)
        ]
        return torch.stack(parts)[:, None]

    return draw


def white_noise(size: int) -> CropSource:
    """Return a source of images of white Gaussian noise of unit variance."""
    return lambda n: torch.randn(n, 1, size, size)


def standardised(images: Sequence[Tensor]) -> list[Tensor]:
    """Remove the mean over all pixels of all images, and divide by their standard deviation."""
    pixels = torch.cat([image.flatten().double() for image in images])
    mean, sd = float(pixels.mean()), float(pixels.std())
    if not sd > 0:
        raise UserError("all images are uniform and alike; show images with contrast")
    return [(image - mean) / sd for image in images]


def random_phase(images: Sequence[Tensor], *, seed: int = 0) -> list[Tensor]:
    """Give images random phases: the same spectrum each, and no contours.

    Parameters
    ----------
    images : sequence of Tensor
        (h, w) each.
    seed : int
        The phases are those of white noise, drawn for each image.

    Returns
    -------
    list of Tensor
        Of the same shapes, with the same means.
    """
    found = []
    with seeded(seed):
        for image in images:
            noise = torch.fft.fft2(torch.randn(image.shape, dtype=torch.float64))
            spectrum = torch.fft.fft2(image.double())
            turned = spectrum.abs() * noise / noise.abs()
            turned[0, 0] = spectrum[0, 0]
            found.append(torch.fft.ifft2(turned).real.to(image.dtype))
    return found


def fit_codec(
    codec: LinearCodec,
    draw: CropSource,
    *,
    power_penalty: float,
    optimiser: OptimiserConfig,
    steps: int,
    batch_size: int = 64,
    seed: int = 0,
    snapshots: Sequence[int] = (),
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 200,
    progress: Progress | None = None,
) -> Reconstruction:
    """Train a codec on ``mean((y - x)^2) + power_penalty mean(z^2)``, on the CPU.

    Images and noise of a step are functions of (`seed`, step): an interrupted training goes on
    from its checkpoint and ends with the same weights, bit by bit.

    Parameters
    ----------
    codec : LinearCodec
        Trained in place.
    draw : callable
        See `CropSource`.
    power_penalty : float
        lambda.
    optimiser : OptimiserConfig
    steps, batch_size, seed : int
    snapshots : sequence of int
        Steps after which the filter is kept; the first and the last always are.
    checkpoint : path, optional
        Where to write the state, and to take it up from if the file is there.
    checkpoint_every : int
        Steps between two checkpoints.
    progress : callable, optional
        See `training.fit.Progress`.

    Raises
    ------
    UserError
        If a number is below 1, the loss is not finite, or the checkpoint is of another training.
    """
    if min(steps, batch_size, checkpoint_every) < 1:
        raise UserError("steps, batch_size and checkpoint_every must be at least 1")
    wanted = {0, steps, *(s for s in snapshots if s <= steps)}
    path = None if checkpoint is None else Path(checkpoint)
    key = _key(codec, draw, power_penalty, optimiser, batch_size, seed, wanted)
    inner = optimiser.build(codec.parameters())
    history: list[list[float]] = []
    kept: dict[int, np.ndarray] = {0: codec.filter.clone().numpy()}
    if path is not None and path.exists():
        old = load_state(path, key)
        codec.load_state_dict(old.network["codec"])
        kept = {int(k): v.numpy() for k, v in old.network["snapshots"].items()}
        inner.load_state_dict(old.optimiser)
        history = old.history.tolist()
    codec.train()
    with torch.random.fork_rng(devices=[]):
        for step in range(len(history), steps):
            torch.manual_seed(step_seed(seed, step, 0))
            images = draw(batch_size)
            back, code = codec(images)
            error, power = F.mse_loss(back, images), code.square().mean()
            loss = error + power_penalty * power
            for group in inner.param_groups:
                group["lr"] = optimiser.rate(step)
            inner.zero_grad()
            loss.backward()
            inner.step()
            done = step + 1
            history.append([done, *(float(v.detach()) for v in (loss, error, power))])
            if not math.isfinite(history[-1][1]):
                raise UserError(
                    f"the codec diverged at step {done}; lower the learning rate "
                    f"(now {optimiser.learning_rate:g})"
                )
            if done in wanted:
                kept[done] = codec.filter.clone().numpy()
            if progress is not None and (done % REPORT_EVERY == 0 or done == steps):
                progress(done, steps, history[-1][1])
            if path is not None and (done % checkpoint_every == 0 or done == steps):
                save_state(path, _state(done, codec, kept, inner, history), key)
    table = pd.DataFrame(history, columns=list(COLUMNS)).astype({"step": int})
    return Reconstruction(codec.eval(), table, kept)


def _state(
    done: int,
    codec: LinearCodec,
    kept: dict[int, np.ndarray],
    inner: torch.optim.Optimizer,
    history: list[list[float]],
) -> RunState:
    filters = {str(step): torch.from_numpy(value) for step, value in kept.items()}
    networks = {"codec": codec.state_dict(), "snapshots": filters}
    table = torch.tensor(history, dtype=torch.float64)
    return RunState(done, networks, inner.state_dict(), table)


def _key(
    codec: LinearCodec,
    draw: CropSource,
    power_penalty: float,
    optimiser: OptimiserConfig,
    batch_size: int,
    seed: int,
    wanted: set[int],
) -> dict[str, str]:
    """Return what makes a training this one and no other, by name."""
    with seeded(0):
        sample = draw(4).contiguous().numpy().tobytes()
    weights = b"".join(v.contiguous().numpy().tobytes() for v in codec.state_dict().values())
    return {
        "codec": codec.config.model_dump_json(),
        "power penalty": repr(power_penalty),
        "optimiser": optimiser.model_dump_json(),
        "batch size": str(batch_size),
        "seed": str(seed),
        "snapshots": json.dumps(sorted(wanted)),
        "initial weights": hashlib.sha256(weights).hexdigest(),
        "images": hashlib.sha256(sample).hexdigest(),
    }
