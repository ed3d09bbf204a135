"""What the figures of the study share: names, colours, markers, order and intervals."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Drawing

from isocortex.statistics import t_interval

FEWEST_FOR_INTERVAL = 3
ACTIVATIONS = {
    "identity": ("identity", "C7", "X"),
    "tanh": ("tanh", "C0", "^"),
    "sigmoid": ("sigmoid", "C5", "v"),
    "softplus": ("softplus", "C3", "D"),
    "elu": ("ELU", "C4", "P"),
    "relu": ("ReLU", "C1", "o"),
    "abs": ("abs", "C2", "s"),
    "leaky": ("leaky ReLU", "C6", "<"),
    "gelu": ("GELU", "C8", ">"),
}
"""Activation -> name, colour and marker."""

POOLINGS = {"avg": "average", "max": "max", "none": "none", "l2": "L2", "blur": "blur"}


def headline(figure: Drawing, text: str) -> None:
    """Put the message above a figure, in lines that fit its width."""
    figure.suptitle(textwrap.fill(text, round(11.5 * figure.get_figwidth())))


def named(configuration: str) -> str:
    """Return ``relu-avg`` as ``ReLU, average``."""
    activation, _, pooling = configuration.partition("-")
    if pooling not in POOLINGS:
        return configuration
    return f"{ACTIVATIONS[activation][0]}, {POOLINGS[pooling]}"


def ordered(configurations: Sequence[str]) -> list[str]:
    """Return configurations in the order of poolings, then activations."""
    known = list(ACTIVATIONS)

    def place(name: str) -> tuple[int, int]:
        activation, _, pooling = name.partition("-")
        return list(POOLINGS).index(pooling), known.index(activation)

    return sorted(configurations, key=place)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return mean and half-width of Student's t interval; NaN half-width for few values."""
    found = t_interval(values, nan="drop")
    wide = len(values) >= FEWEST_FOR_INTERVAL and found.defined
    return found.estimate, (found.high - found.estimate) if wide else np.nan
