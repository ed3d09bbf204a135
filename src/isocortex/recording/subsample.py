"""Which units are kept: all, those at the centre of a map, or a sparse random projection."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from isocortex.errors import UserError, unknown
from isocortex.recording.layout import Layout

Pick: TypeAlias = Callable[[Tensor], Tensor]
"""Takes floating-point (n, n_units), gives (n, width)."""


class Rule(Protocol):
    """Keeps some numbers of a layer's answer, the same for every presentation."""

    def width(self, layout: Layout) -> int:
        """Return how many numbers are kept of one presentation."""

    def pick(self, layout: Layout, device: torch.device) -> Pick:
        """Return the function that keeps them, for tensors on `device`."""

    def table(self, layout: Layout) -> pd.DataFrame:
        """Return one row a kept number."""

    def describe(self) -> dict[str, Any]:
        """Return what `rule_from` makes the rule again from."""


@dataclass(frozen=True)
class All:
    """Every unit."""

    def width(self, layout: Layout) -> int:
        """Return the number of units."""
        return layout.n_units

    def pick(self, layout: Layout, device: torch.device) -> Pick:
        """Return the identity."""
        return lambda responses: responses

    def table(self, layout: Layout) -> pd.DataFrame:
        """Return layer, channel, y, x."""
        return layout.table()

    def describe(self) -> dict[str, Any]:
        """Return the rule's name."""
        return {"rule": "all"}


@dataclass(frozen=True)
class Centre:
    """The central column of a map or token grid: one unit a channel (`Layout.centre`)."""

    def width(self, layout: Layout) -> int:
        """Return the number of channels."""
        return len(layout.centre())

    def pick(self, layout: Layout, device: torch.device) -> Pick:
        """Return the function that takes the central units."""
        indices = torch.from_numpy(layout.centre()).to(device)
        return lambda responses: responses.index_select(1, indices)

    def table(self, layout: Layout) -> pd.DataFrame:
        """Return layer, channel, y, x."""
        return layout.table().iloc[layout.centre()].reset_index(drop=True)

    def describe(self) -> dict[str, Any]:
        """Return the rule's name."""
        return {"rule": "centre"}


@dataclass(frozen=True)
class CentralBlock:
    """The two by two central places of a map or token grid (`Layout.central_block`)."""

    def width(self, layout: Layout) -> int:
        """Return the number of channels times that of the places."""
        return len(layout.central_block())

    def pick(self, layout: Layout, device: torch.device) -> Pick:
        """Return the function that takes the central units."""
        indices = torch.from_numpy(layout.central_block()).to(device)
        return lambda responses: responses.index_select(1, indices)

    def table(self, layout: Layout) -> pd.DataFrame:
        """Return layer, channel, y, x."""
        return layout.table().iloc[layout.central_block()].reset_index(drop=True)

    def describe(self) -> dict[str, Any]:
        """Return the rule's name."""
        return {"rule": "centre_2x2"}


@dataclass(frozen=True)
class Projection:
    """A sparse random projection of each layer to `k` components.

    Parameters
    ----------
    k : int
        Components a layer. A layer of at most `k` units is kept whole.
    seed : int
        The projection depends on the seed, `k` and the layer's number of units alone, so layers
        of one size, and networks of one shape, are projected alike.

    Raises
    ------
    UserError
        If `k` is not positive or the seed is negative.

    Notes
    -----
    Component j of a layer of p units is ``sqrt(p / (k m)) * sum_i s_ji x[u_ji]`` with
    m = ceil(sqrt(p)) units u drawn with replacement and signs s. Inner products, and so squared
    distances, are kept in expectation: E[z . z'] = x . x' [1]_.

    References
    ----------
    .. [1] P. Li, T. J. Hastie and K. W. Church (2006). Very sparse random projections. KDD.
    """

    k: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1 or self.seed < 0:
            raise UserError(
                f"Projection(k={self.k}, seed={self.seed}) is impossible; k must be at least 1 "
                "and the seed at least 0"
            )

    def width(self, layout: Layout) -> int:
        """Return the number of components, or of units where these are fewer."""
        return min(self.k, layout.n_units)

    def pick(self, layout: Layout, device: torch.device) -> Pick:
        """Return the projection."""
        if layout.n_units <= self.k:
            return All().pick(layout, device)
        units, weights = (torch.from_numpy(a).to(device) for a in self.terms(layout.n_units))

        def project(responses: Tensor) -> Tensor:
            bags = F.embedding_bag(
                units,
                responses.T.contiguous(),
                per_sample_weights=weights.to(responses.dtype),
                mode="sum",
            )
            return bags.T

        return project

    def terms(self, n_units: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which units each component sums and with which weights, both (k, m)."""
        rng = np.random.default_rng([self.seed, self.k, n_units])
        m = math.ceil(math.sqrt(n_units))
        units = rng.integers(n_units, size=(self.k, m))
        signs = rng.integers(2, size=(self.k, m)) * 2.0 - 1.0
        return units, signs * math.sqrt(n_units / (self.k * m))

    def table(self, layout: Layout) -> pd.DataFrame:
        """Return layer, channel, y, x and component; a component has no channel and no place.

        A layer that is kept whole has them, and no component.
        """
        if layout.n_units <= self.k:
            component = pd.array([pd.NA] * layout.n_units, dtype="Int64")
            return layout.table().assign(component=component)
        nowhere = pd.array([pd.NA] * self.k, dtype="Int64")
        return pd.DataFrame(
            {
                "layer": pd.Series(layout.layer, index=range(self.k), dtype="str"),
                "channel": nowhere,
                "y": nowhere,
                "x": nowhere,
                "component": pd.array(range(self.k), dtype="Int64"),
            }
        )

    def describe(self) -> dict[str, Any]:
        """Return the rule's name, `k` and the seed."""
        return {"rule": "projection", **asdict(self)}


RULES: dict[str, Rule] = {"all": All(), "centre": Centre(), "centre_2x2": CentralBlock()}
"""The rules that have a name alone."""

Units: TypeAlias = "Literal['all', 'centre', 'centre_2x2'] | Projection"
"""What a user may ask for."""


def rule_of(units: Units) -> Rule:
    """Return the rule that a user asked for, or raise `UserError` listing the rules."""
    if isinstance(units, Projection):
        return units
    if isinstance(units, str) and units in RULES:
        return RULES[units]
    raise unknown("rule for units", str(units), [*RULES, "Projection(k, seed)"])


def rule_from(description: dict[str, Any]) -> Rule:
    """Make a rule again from what its `describe` returned."""
    arguments = {key: value for key, value in description.items() if key != "rule"}
    return Projection(**arguments) if arguments else RULES[description["rule"]]
