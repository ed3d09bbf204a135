"""How weights move: optimisers by name, and a learning rate that is halved by steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
)
from torch import nn

from isocortex.errors import unknown

Builder = Callable[[Iterable[nn.Parameter], "OptimiserConfig"], torch.optim.Optimizer]

OPTIMISERS: dict[str, Builder] = {
    "sgd": lambda parameters, c: torch.optim.SGD(
        parameters, lr=c.learning_rate, momentum=c.momentum, weight_decay=c.weight_decay
    ),
    "adam": lambda parameters, c: torch.optim.Adam(
        parameters, lr=c.learning_rate, weight_decay=c.weight_decay
    ),
}


class OptimiserConfig(BaseModel):
    """An optimiser and its learning rate.

    Parameters
    ----------
    name : str
        A name in `OPTIMISERS`.
    learning_rate : float
        At the start.
    momentum : float
        For ``sgd`` alone.
    weight_decay : float
        L2 penalty.
    halve_every : int, optional
        Number of steps after which the learning rate is halved, again and again; None keeps it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "adam"
    learning_rate: PositiveFloat = 1e-3
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 0.0
    halve_every: PositiveInt | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in OPTIMISERS:
            raise unknown("optimiser", name, OPTIMISERS)
        return name

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of these parameters."""
        return OPTIMISERS[self.name](parameters, self)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        halvings = 0 if self.halve_every is None else step // self.halve_every
        return float(self.learning_rate * 0.5**halvings)
