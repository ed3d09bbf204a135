"""Calls of modules, their names and outputs: the rules that listings and recordings share.

A layer is named by its dotted module path. A network may call one module several times in a
forward pass (a ReLU that a residual block uses twice); calls are counted from one, in the order
in which they finish. The first call has the bare path, the k-th call is ``path:k``; ``path:1`` is
accepted for the first.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from torch import Tensor


def call_name(path: str, call: int) -> str:
    """Return the layer name of the `call`-th call (from 1) of the module at `path`."""
    return path if call == 1 else f"{path}:{call}"


def split_call(name: str, paths: Container[str]) -> tuple[str, int]:
    """Split a layer name into module path and number of the call (from 1).

    Parameters
    ----------
    name : str
        A layer name: ``"features.4"``, ``"layer1.0.relu:2"``.
    paths : container of str
        The module paths there are; a path that itself ends in ``:2`` is taken as it stands.

    Returns
    -------
    path : str
        The module path, which need not be among `paths`.
    call : int
        Which call of it.
    """
    if name in paths:
        return name, 1
    path, colon, number = name.rpartition(":")
    if colon and number.isdecimal() and number.isascii() and int(number) >= 1:
        return path, int(number)
    return name, 1


def first_tensor(output: Any) -> Tensor | None:
    """Return a call's output, or the first tensor in it if it is a tuple, list or dict."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return next((t for t in map(first_tensor, output) if t is not None), None)
    return None
