"""A training on disk, so that it goes on after an interruption as if there had been none."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.checkpoints import read_tensors, write_atomically
from isocortex.models.initial import seeded
from isocortex.training.batches import BatchSource
from isocortex.training.optimisers import OptimiserConfig

_SAMPLE = 64


def columns(measured: str) -> tuple[str, str, str, str]:
    """Return the columns of a history: step, loss, and the measure on batch and validation."""
    return "step", "loss", measured, f"validation_{measured}"


@dataclass
class RunState:
    """All that the next step depends on, but the data.

    Random numbers are not part of it: batch order and dropout are functions of seed, epoch and
    step.

    Attributes
    ----------
    step : int
        Steps done.
    network, optimiser : dict
        State dicts.
    history : Tensor
        (step, 4) float64, in the order of `columns`.
    """

    step: int
    network: dict[str, Any]
    optimiser: dict[str, Any]
    history: Tensor


def fingerprint(
    network: nn.Module,
    source: BatchSource,
    optimiser: OptimiserConfig,
    *,
    batch_size: int,
    seed: int,
    objective: str,
) -> dict[str, str]:
    """Return what makes a training this one and no other, by name.

    Parameters
    ----------
    network : nn.Module
        With the weights that training starts from.
    source : BatchSource
        Its size and its first images and labels count.
    optimiser : OptimiserConfig
    batch_size, seed : int
    objective : str
        Its name.

    Returns
    -------
    dict of str to str
    """
    with seeded(0):  # a source may draw random numbers, to shift images for example
        images, labels = source.draw(np.arange(min(_SAMPLE, source.n)))
    return {
        "seed": str(seed),
        "objective": objective,
        "batch size": str(batch_size),
        "optimiser": optimiser.model_dump_json(),
        "initial weights": _checksum(network.state_dict()),
        "data": f"{source.n} {_checksum({'images': images, 'labels': labels})}",
    }


def save_state(path: Path, state: RunState, key: dict[str, str]) -> None:
    """Write a checkpoint, whole or not at all; it can be read without running code in it.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    content = {
        "fingerprint": key,
        "step": state.step,
        "network": state.network,
        "optimiser": state.optimiser,
        "history": state.history,
    }
    write_atomically(path, lambda partial: torch.save(content, partial))


def load_state(path: Path, key: dict[str, str]) -> RunState:
    """Read a checkpoint of the training that `key` describes.

    Raises
    ------
    UserError
        If the file is broken, or belongs to another training.
    """
    content = read_tensors(path)
    if content.keys() != {"fingerprint", "step", "network", "optimiser", "history"}:
        raise UserError(f"{path} is no checkpoint of a training; delete it or name another file")
    differs = [name for name, value in key.items() if content["fingerprint"].get(name) != value]
    if differs:
        raise UserError(
            f"the checkpoint {path} belongs to a training with other {', '.join(differs)}; delete "
            "it, or give each training its own file"
        )
    del content["fingerprint"]
    return RunState(**content)


def _checksum(tensors: dict[str, Tensor]) -> str:
    total = 0
    for name, tensor in tensors.items():
        header = f"{name}{tuple(tensor.shape)}{tensor.dtype}"
        total = zlib.crc32(header.encode(), total)
        values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        total = zlib.crc32(values.numpy().tobytes(), total)
    return f"{total:08x}"
