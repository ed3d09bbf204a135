"""Surgery on any network: every activation, every pooling exchanged for another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from isocortex.errors import UserError, unknown
from isocortex.models.activations import ACTIVATIONS, Abs
from isocortex.models.pooling import POOLINGS, BlurPool, L2Pool, Subsample

ACTIVATION_TYPES: tuple[type[nn.Module], ...] = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU,
    nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardtanh, nn.Softplus, nn.Softsign, nn.Tanh, nn.Tanhshrink,
    nn.Threshold, Abs,
)  # fmt: skip
"""Modules that count as activations. Sigmoids gate other signals in many networks (squeeze and
excitation), and identities are often mere placeholders: neither is exchanged unless asked for."""

POOLING_TYPES: tuple[type[nn.Module], ...] = (
    nn.MaxPool2d, nn.AvgPool2d, L2Pool, BlurPool, Subsample,
)  # fmt: skip
"""Modules that count as pooling; adaptive (global) ones stay."""


def swap(
    network: nn.Module,
    *,
    activation: str | None = None,
    pooling: str | None = None,
    also: tuple[type[nn.Module], ...] = (),
    input_shape: tuple[int, int, int] | None = None,
) -> nn.Module:
    """Return a copy of a network with other activations, other poolings, or both.

    Weights stay as they are, as do windows, strides and padding, so that every layer keeps its name
    and its shape.

    Parameters
    ----------
    network : nn.Module
        E.g. torchvision's AlexNet. Only modules can be exchanged, not functions that a ``forward``
        calls; see `input_shape`.
    activation : str, optional
        A name in `activations.ACTIVATIONS`.
    pooling : str, optional
        A name in `pooling.POOLINGS`; ``"subsample"`` is pooling without pooling.
    also : tuple of types
        Further modules that count as activations, e.g. ``(nn.Sigmoid, nn.Identity)`` to undo a
        swap.
    input_shape : tuple of int, optional
        (c, h, w) of an image, by default the network's attribute of this name. Where it is known, a
        network is refused whose ``forward`` calls activations or poolings as functions: it would
        be exchanged by halves.

    Returns
    -------
    nn.Module
        In the mode of `network`, which is left as it was.

    Raises
    ------
    UserError
        If nothing is asked for, a name is unknown, the network has no module of the kind or has
        functions of the kind beside them, or a pooling is dilated or returns indices.
    """
    if activation is None and pooling is None:
        raise UserError("nothing to swap; give activation=, pooling= or both")
    if activation is not None and activation not in ACTIVATIONS:
        raise unknown("activation", activation, ACTIVATIONS)
    if pooling is not None and pooling not in POOLINGS:
        raise unknown("pooling", pooling, POOLINGS)
    changed = deepcopy(network)
    kinds = {"activation": 0, "pooling": 0}
    # One module in two places stays one module.
    made: dict[nn.Module, nn.Module] = {}
    for parent in list(changed.modules()):
        for name, module in list(parent.named_children()):
            if activation is not None and isinstance(module, ACTIVATION_TYPES + also):
                kinds["activation"] += 1
                if module not in made:
                    made[module] = ACTIVATIONS[activation]().train(module.training)
                setattr(parent, name, made[module])
            elif pooling is not None and isinstance(module, POOLING_TYPES):
                kinds["pooling"] += 1
                if module not in made:
                    made[module] = _pool_like(module, pooling).train(module.training)
                setattr(parent, name, made[module])
    for kind, asked in (("activation", activation), ("pooling", pooling)):
        if asked is not None and not kinds[kind]:
            raise UserError(
                f"{type(network).__name__} has no {kind} that is a module of its own, so none can "
                "be exchanged; rewrite its forward with modules"
            )
    shape = getattr(network, "input_shape", None) if input_shape is None else input_shape
    if shape is not None:
        asked_for = {"activation": activation is not None, "pooling": pooling is not None}
        _refuse_functions(network, shape, [kind for kind, asked in asked_for.items() if asked])
    return changed


FUNCTIONS: dict[str, frozenset[str]] = {
    "activation": frozenset(
        {"relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "celu", "selu"}
        | {"gelu", "silu", "mish", "hardswish", "hardtanh", "softplus", "softsign", "tanh"}
    ),
    "pooling": frozenset({"max_pool2d", "avg_pool2d", "lp_pool2d"}),
}
"""Functions of torch that do what the modules of each kind do, by name."""


class _Calls(TorchFunctionMode):
    """Collects the functions that are called outside of modules of their own kind."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self.names = frozenset().union(*(FUNCTIONS[kind] for kind in kinds))
        self.inside = 0
        self.seen: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if not self.inside and name.lstrip("_") in self.names:
            self.seen.add(name.lstrip("_"))
        return func(*args, **(kwargs or {}))


def _refuse_functions(
    network: nn.Module, shape: tuple[int, int, int], kinds: Sequence[str]
) -> None:
    """Raise `UserError` if a forward pass calls functions that no exchange of modules reaches."""
    calls = _Calls(kinds)

    def enter(*_: object) -> None:
        calls.inside += 1

    def leave(*_: object) -> None:
        calls.inside -= 1

    tensor = next(network.parameters(), torch.zeros(()))
    images = torch.zeros(1, *shape, dtype=tensor.dtype, device=tensor.device)
    with ExitStack() as stack:
        for module in network.modules():
            stack.callback(setattr, module, "training", module.training)
            if not list(module.children()) and type(module).__module__.startswith("torch.nn"):
                # Modules of torch, gates such as sigmoids among them, call functions by right.
                stack.enter_context(module.register_forward_pre_hook(enter))
                stack.enter_context(module.register_forward_hook(leave))
        network.eval()
        with torch.no_grad(), calls:
            network(images)
    if calls.seen:
        raise UserError(
            f"the forward of {type(network).__name__} calls {', '.join(sorted(calls.seen))} as a "
            "function, which an exchange of modules does not reach; rewrite it with modules"
        )


def _pool_like(module: nn.Module, pooling: str) -> nn.Module:
    """Return another pooling of the same windows."""
    if isinstance(module, nn.MaxPool2d):
        if module.dilation not in (1, (1, 1)) or module.return_indices:
            raise UserError("a max pooling that is dilated or returns indices cannot be exchanged")
        size = module.kernel_size
    elif isinstance(module, nn.AvgPool2d):
        size = module.kernel_size
    else:
        assert isinstance(module, L2Pool | BlurPool | Subsample)
        size = module.size
    stride = size if module.stride is None else module.stride
    return POOLINGS[pooling](size, stride, module.padding, module.ceil_mode)
