"""Weights on disk: read without running code in them, written whole or not at all."""

from __future__ import annotations

import os
import pickle
import uuid
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from isocortex.errors import UserError

NESTS = ("state_dict", "model_state_dict", "model", "network")
"""Keys under which training programs put the weights among other things."""

WRAPPERS = frozenset({"module", "_orig_mod"})
"""Parts that DataParallel and torch.compile add to the names of weights."""

_SHOWN = 3


def load_weights(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a checkpoint into a network, all of it or nothing.

    Parameters
    ----------
    network : nn.Module
        The architecture that the weights were saved from.
    path : path
        A safetensors file, or one of `torch.save` that holds tensors alone (a state dict, possibly
        under one of `NESTS`). Which of the two it is, its content says, not its name.

    Returns
    -------
    nn.Module
        `network`.

    Raises
    ------
    UserError
        If the file is missing, broken, or holds anything that would run code; if names or shapes
        do not fit; if a weight is not finite.

    Notes
    -----
    Names that differ by `WRAPPERS` alone are taken for the same. The batch counter of
    normalisation layers, which older files lack, may be missing.
    """
    path = Path(path)
    given = _state_dict(read_tensors(path), path)
    wanted = network.state_dict()
    renamed = _without_wrappers(given, wanted)
    missing = [k for k in wanted if k not in renamed and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in renamed if k not in wanted]
    shapes = [
        f"{k} is {_shape(renamed[k])} and should be {_shape(wanted[k])}"
        for k in wanted
        if k in renamed and renamed[k].shape != wanted[k].shape
    ]
    if missing or unexpected or shapes:
        faults = "; ".join(
            f"{len(names)} {what}: {_first(names)}"
            for what, names in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("of another shape", shapes),
            )
            if names
        )
        raise UserError(
            f"{path} does not fit {type(network).__name__}: {faults}; load it into the "
            "architecture that it was saved from"
        )
    broken = [k for k in renamed if not bool(torch.isfinite(renamed[k]).all())]
    if broken:
        raise UserError(
            f"{path} has weights that are not finite ({_first(broken)}): the training that wrote "
            "it diverged; take an earlier checkpoint"
        )
    with torch.no_grad():
        for key, value in renamed.items():
            wanted[key].copy_(value)
    return network


def save_weights(network: nn.Module, path: str | Path) -> Path:
    """Write the weights of a network as a safetensors file.

    Parameters
    ----------
    network : nn.Module
        Its state dict is written, `WRAPPERS` left out of the names.
    path : path
        Missing folders are created. The file appears whole or not at all.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    state = network.state_dict()
    tensors = {_bare(k): v.detach().cpu().contiguous().clone() for k, v in state.items()}
    return write_atomically(path, lambda partial: safetensors.torch.save_file(tensors, partial))


def read_tensors(path: Path) -> dict[str, Any]:
    """Read what a checkpoint file holds, without running code in it.

    Parameters
    ----------
    path : Path
        A safetensors file, or one of `torch.save`.

    Returns
    -------
    dict
        Tensors, numbers and strings, possibly nested.

    Raises
    ------
    UserError
        If the file is missing, broken, holds pickled objects, or is no dictionary.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise UserError(f"cannot read the checkpoint {path}: {error.strerror}") from None
    try:
        if start[8:9] == b"{":
            content: Any = safetensors.torch.load_file(path)
        else:
            with path.open("rb") as file, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about foreign pickles, which fail below
                content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error):
            raise _broken(path) from None
        raise UserError(
            f"{path} holds pickled objects, which could run code and are refused; save the "
            "weights alone: torch.save(network.state_dict(), path)"
        ) from None
    except Exception:  # a damaged file makes the readers fail in every way there is
        raise _broken(path) from None
    if not isinstance(content, dict):
        raise UserError(
            f"{path} holds a {type(content).__name__}, not named weights; save them with "
            "torch.save(network.state_dict(), path)"
        )
    return content


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Write a file beside its destination and move it there once it is whole on disk.

    Parameters
    ----------
    path : path
        The destination. Missing folders are created.
    write : callable
        Gets the temporary path and writes it.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        If the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another folder") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _state_dict(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    nest = next((n for n in NESTS if isinstance(content.get(n), Mapping)), None)
    if nest is not None:
        return _state_dict(dict(content[nest]), path)
    others = [str(k) for k, v in content.items() if not isinstance(v, Tensor)]
    if others or not content:
        found = f"it holds {_first(others)}" if others else "it is empty"
        raise UserError(
            f"{path} has no weights where they are looked for ({found}); put the state dict on top "
            f"or under one of: {', '.join(NESTS)}"
        )
    return content


def _without_wrappers(given: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename `given` to the names in `wanted` that differ by wrappers alone."""
    if given.keys() <= wanted.keys():
        return given
    names = {_bare(k): k for k in wanted}
    bare = {_bare(k) for k in given}
    if len(names) < len(wanted) or len(bare) < len(given):
        return given
    return {names.get(_bare(k), _bare(k)): v for k, v in given.items()}


def _bare(key: str) -> str:
    return ".".join(part for part in key.split(".") if part not in WRAPPERS)


def _first(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _broken(path: Path) -> UserError:
    return UserError(f"{path} is no checkpoint, or is cut short or broken; save or copy it again")
