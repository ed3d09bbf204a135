"""Hooks on the wanted calls of a network's modules, and a stop once all have answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from isocortex.errors import UserError, unknown
from isocortex.models.calls import call_name, first_tensor, split_call

Take: TypeAlias = Callable[[str, Tensor], None]
"""Is given a layer's name and its output as soon as it is there."""


class _StopError(BaseException):
    """All wanted calls have answered; the rest of the network need not run.

    It is no `Exception`, so that a network's own handlers let it through.
    """


class LayerHooks:
    """The wanted layers of a network under observation; use it in a ``with`` statement.

    Inside, the network is in eval mode and carries hooks. On leaving, also by an error, the hooks
    are gone and every module is in the mode that it was in before.

    Parameters
    ----------
    network : nn.Module
        Any module.
    layers : sequence of str
        Names of layers; the k-th call of a reused module is ``path:k`` (see `models.calls`).

    Raises
    ------
    UserError
        If no layer is named, one is named twice, or the network has no such module.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        self.network = network
        self.layers = list(layers)
        modules = {
            path: module for path, module in network.named_modules(remove_duplicate=False) if path
        }
        self._located = _located(self.layers, modules)
        self._wanted: dict[nn.Module, dict[int, list[str]]] = {}
        for name, (path, call) in self._located.items():
            calls = self._wanted.setdefault(modules[path], {})
            calls.setdefault(call, []).append(name)
        self._counts: dict[nn.Module, int] = {}
        self._missing: set[str] = set()
        self._take: Take | None = None
        self._stack = ExitStack()

    def __enter__(self) -> LayerHooks:
        for module in self.network.modules():
            self._stack.callback(setattr, module, "training", module.training)
        self.network.eval()
        for module in self._wanted:
            self._stack.enter_context(module.register_forward_hook(self._answered))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self, images: Tensor, take: Take) -> None:
        """Show images to the network until every wanted layer has answered.

        Parameters
        ----------
        images : Tensor
            What the network takes, on its device.
        take : callable
            Is called once a layer, within the forward pass: what it wants to keep it must copy,
            because later modules may work in place.

        Raises
        ------
        UserError
            If a layer has not answered when the network is through, or its output is no tensor.
        """
        self._counts = dict.fromkeys(self._wanted, 0)
        self._missing = set(self.layers)
        self._take = take
        try:
            with torch.inference_mode():
                self.network(images)
        except _StopError:
            return
        finally:
            self._take = None
        raise self._unanswered()

    def _answered(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self._take is None:
            return
        self._counts[module] += 1
        for name in self._wanted[module].get(self._counts[module], ()):
            self._take(name, _numbers(name, output))
            self._missing.discard(name)
        if not self._missing:
            raise _StopError

    def _unanswered(self) -> UserError:
        """Say why the first missing layer has not answered."""
        name = next(layer for layer in self.layers if layer in self._missing)
        path, _ = self._located[name]
        module = self.network.get_submodule(path)
        called, kind = self._counts[module], type(module).__name__
        if not called:
            return UserError(
                f"layer {name!r} ({kind}) is part of the network but is not called when it looks "
                "at an image; list those that are with: isocortex layers MODEL"
            )
        calls = ", ".join(repr(call_name(path, k)) for k in range(1, called + 1))
        return UserError(
            f"layer {name!r} is never reached: {path!r} ({kind}) is called {called} "
            f"time{'s' if called > 1 else ''}; record {calls}"
        )


def _numbers(layer: str, output: Any) -> Tensor:
    """Return the tensor that stands for a layer's output, or raise `UserError`."""
    found = first_tensor(output)
    if found is None or found.is_complex():
        what = "complex numbers" if found is not None else type(output).__name__
        raise UserError(
            f"layer {layer!r} gives {what}, no tensor of real numbers; choose another layer"
        )
    return found


def _located(layers: Sequence[str], modules: Mapping[str, nn.Module]) -> dict[str, tuple[str, int]]:
    """Return module path and number of the call of every layer, or raise `UserError`."""
    if not layers:
        raise UserError("no layer is named; name at least one (isocortex layers MODEL lists them)")
    located: dict[str, tuple[str, int]] = {}
    for name in layers:
        path, call = split_call(name, modules)
        if path not in modules:
            raise unknown("layer", name, modules, "list them with: isocortex layers MODEL")
        if name in located:
            raise UserError(f"layer {name!r} is named twice; name it once")
        located[name] = path, call
    return located
