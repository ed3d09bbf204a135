"""Activations by name, each as a module of its own that never works in place."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Abs(nn.Module):
    """The magnitude, ``|x|``: full-wave rectification, an even function."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``|x|``, of any shape."""
        return x.abs()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "leaky": nn.LeakyReLU,
    "abs": Abs,
}
"""Each use is a module of its own and never works in place, so that it can be recorded."""
