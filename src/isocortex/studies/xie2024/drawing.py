"""What the figures of the study share: sets of tasks, and means with their intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from isocortex.statistics import t_interval
from isocortex.studies.xie2024.natural import NATURAL
from isocortex.studies.xie2024.networks import UNTRAINED

FEWEST_FOR_INTERVAL = 3
"""With fewer seeds an interval of the mean says nothing; the seeds are shown instead."""

SETS = {
    UNTRAINED: ("untrained", "C7", ":", "o"),
    "distance": ("distance", "C5", "-", "v"),
    "translation": ("translation", "C0", "-", "s"),
    "rotation": ("rotation", "C3", "-", "D"),
    "spatial": ("all spatial", "C2", "-", "o"),
    "category": ("category", "C1", "--", "^"),
    "identity": ("identity", "C4", "--", "P"),
    "everything": ("everything", "C6", "-", "X"),
    NATURAL: ("photographs", "C8", "--", "*"),
}
"""Label, colour, line and marker of each set of tasks."""


def point(
    axis: Axes,
    values: np.ndarray,
    place: float,
    colour: str,
    marker: str,
    *,
    horizontal: bool = False,
) -> None:
    """Draw a mean with its interval over seeds; with few seeds the seeds themselves."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    few = len(values) < FEWEST_FOR_INTERVAL
    centre = values if few else np.array([values.mean()])
    x, y = np.full(len(centre), place), centre
    if horizontal:
        x, y = y, x
    axis.plot(x, y, marker, color=colour, markersize=4 if few else 6, linestyle="none")
    bar(axis, values, place, colour, horizontal=horizontal)


def bar(
    axis: Axes, values: np.ndarray, place: float, colour: str, *, horizontal: bool = False
) -> None:
    """Draw the interval of a mean over seeds; nothing with few of them."""
    if len(values) < FEWEST_FOR_INTERVAL:
        return
    interval = t_interval(values)
    draw = axis.hlines if horizontal else axis.vlines
    draw(place, interval.low, interval.high, color=colour, linewidth=1.4)
