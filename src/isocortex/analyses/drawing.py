"""What the figures of analyses share: an axis of layers, and scores with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis

MOST_TICKS = 30
"""Layers that are named on an axis; of more every second, third, ... is."""


def name_layers(
    axis: Axis, names: Sequence[str], others: Mapping[float, str] | None = None
) -> None:
    """Name layers along an axis, at 0, 1, 2, ..., as many as there is room for.

    Parameters
    ----------
    axis : Axis
        Names along a horizontal axis are turned.
    names : sequence of str
        The layers, in order.
    others : mapping of float to str, optional
        What else is named, by its place; these names are all written.
    """
    every = -(-len(names) // MOST_TICKS)
    rest = {} if others is None else dict(others)
    axis.set_ticks([*range(0, len(names), every), *rest], [*names[::every], *rest.values()])
    if axis is axis.axes.xaxis:
        for label in axis.get_ticklabels():
            label.set(rotation=60, ha="right", rotation_mode="anchor")


def curve(axes: Axes, rows: pd.DataFrame, score: str, colour: str, marker: str, label: str) -> None:
    """Draw scores of layers at 0, 1, 2, ..., over a band from ``low`` to ``high``."""
    x = np.arange(len(rows))
    axes.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.18, lw=0)
    axes.plot(x, rows[score], f"-{marker}", color=colour, ms=4, label=label)


def point(axes: Axes, x: float, row: pd.Series, score: str, colour: str, marker: str) -> None:
    """Draw one score with a bar from ``low`` to ``high``."""
    error = [[row[score] - row["low"]], [row["high"] - row[score]]]
    axes.errorbar(x, row[score], yerr=error, fmt=marker, color=colour, capsize=3)
