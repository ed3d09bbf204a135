"""How weights move: optimisers by name, and the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, Self

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from torch import nn

from isocortex.errors import unknown

Builder = Callable[[Iterable[nn.Parameter], "OptimiserConfig"], torch.optim.Optimizer]

OPTIMISERS: dict[str, Builder] = {
    "sgd": lambda parameters, c: torch.optim.SGD(
        parameters,
        lr=c.learning_rate,
        momentum=c.momentum,
        weight_decay=c.weight_decay,
        nesterov=c.nesterov,
    ),
    "adam": lambda parameters, c: torch.optim.Adam(
        parameters, lr=c.learning_rate, weight_decay=c.weight_decay
    ),
}

_WARM_UP, _START, _END = 0.3, 1 / 25, 1e-4


class OptimiserConfig(BaseModel):
    """An optimiser and its learning rate.

    Parameters
    ----------
    name : str
        A name in `OPTIMISERS`.
    learning_rate : float
        At the start; under ``one_cycle`` at the peak.
    momentum : float
        For ``sgd`` alone.
    nesterov : bool
        Nesterov's momentum; for ``sgd`` alone.
    weight_decay : float
        L2 penalty.
    halve_every : int, optional
        Number of steps after which the learning rate is halved, again and again; None keeps it.
    schedule : {"constant", "one_cycle", "cosine"}
        ``one_cycle`` (Smith & Topin 2018) rises along a cosine from 1/25 of the peak over the first
        three tenths of the steps and falls to 1e-4 of where it began; ``cosine`` falls to 0.
    schedule_steps : int, optional
        Steps in all, which every schedule but ``constant`` needs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "adam"
    learning_rate: PositiveFloat = 1e-3
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.0
    halve_every: PositiveInt | None = None
    schedule: Literal["constant", "one_cycle", "cosine"] = "constant"
    schedule_steps: PositiveInt | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in OPTIMISERS:
            raise unknown("optimiser", name, OPTIMISERS)
        return name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.schedule == "constant") != (self.schedule_steps is None):
            raise ValueError("a schedule and schedule_steps go together")
        if self.schedule != "constant" and self.halve_every is not None:
            raise ValueError("halve_every and a schedule exclude each other")
        if self.nesterov and (self.name != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs sgd with momentum")
        return self

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of these parameters."""
        return OPTIMISERS[self.name](parameters, self)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if self.schedule_steps is None:
            halvings = 0 if self.halve_every is None else step // self.halve_every
            return float(self.learning_rate * 0.5**halvings)
        if self.schedule == "cosine":
            return self.learning_rate * _cosine(1.0, 0.0, step / self.schedule_steps)
        start = self.learning_rate * _START
        top, last = _WARM_UP * self.schedule_steps - 1, self.schedule_steps - 1
        if step <= top:
            return _cosine(start, self.learning_rate, step / top)
        share = (step - top) / max(last - top, 1e-12)
        return _cosine(self.learning_rate, start * _END, share)


def _cosine(first: float, last: float, share: float) -> float:
    """Go from one value to another along half a cosine; beyond its end the last one stays."""
    return last + (first - last) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
