"""How weights begin: seeded, and by named schemes that fit any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from isocortex.errors import UserError, unknown

Scheme = Callable[[Tensor], object]
"""Fills a weight (out, in, ...) in place from the global generator of torch."""

SCHEMES: dict[str, Scheme | None] = {
    "pytorch": None,
    "he_uniform": nn.init.kaiming_uniform_,
    "he_normal": nn.init.kaiming_normal_,
    "fan_in_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear"),
}
"""`pytorch` is each module's own default; the others draw weights from U(+-sqrt(6/fan_in)),
N(0, 2/fan_in) and N(0, 1/fan_in), and set biases to zero."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave the caller's random numbers as they were.

    Only the CPU's generator is touched: networks are built on the CPU, and a GPU is not woken up.
    """
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def initialise(network: nn.Module, scheme: str = "pytorch", *, seed: int = 0) -> nn.Module:
    """Draw all weights of a network anew, in place.

    Parameters
    ----------
    network : nn.Module
        Any network. Modules are visited in the order in which they were registered.
    scheme : str
        A name in `SCHEMES`. Convolutions and fully connected layers follow it; every other module
        with parameters (normalisation, embeddings) returns to its own default.
    seed : int
        The same seed gives the same weights.

    Returns
    -------
    nn.Module
        `network`.

    Raises
    ------
    UserError
        If the scheme is unknown, or a module holds parameters that no rule can draw.
    """
    if scheme not in SCHEMES:
        raise unknown("initialisation", scheme, SCHEMES)
    fill = SCHEMES[scheme]
    with seeded(seed), torch.no_grad():
        for name, module in network.named_modules():
            if fill is not None and isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
                fill(module.weight)
                if module.bias is not None:
                    module.bias.zero_()
            elif hasattr(module, "reset_parameters"):
                module.reset_parameters()
            elif any(True for _ in module.parameters(recurse=False)):
                raise UserError(
                    f"cannot draw new weights for {type(module).__name__} at {name or 'the root'}; "
                    "give it a method reset_parameters(), or load a checkpoint"
                )
    return network
