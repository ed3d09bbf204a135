"""What the figures of the study share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from isocortex.statistics import t_interval


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the networks with LGN and K that are judged; if none is, all of them."""
    rows = table[table["arm"] == "all"]
    enough = rows["enough"].astype(bool)
    return rows[enough] if enough.any() else rows


def few(rows: pd.DataFrame) -> str:
    """Return a note for a title where no network has enough retained filters."""
    return "" if rows["enough"].any() else "\n(too few Gabors to conclude from: the best fits)"


def dots(axis: Axes, at: float, values: np.ndarray, colour: str) -> None:
    """Draw each seed, and the mean with its t interval from three seeds on."""
    values = values[np.isfinite(values)]
    axis.plot(np.full(len(values), at - 0.12), values, ls="", marker="o", ms=4, color=colour,
              alpha=0.6)  # fmt: skip
    if len(values) >= 3:
        i = t_interval(values)
        axis.errorbar([at + 0.1], [i.estimate], yerr=[[i.estimate - i.low], [i.high - i.estimate]],
                      fmt="_", ms=12, color=colour, capsize=3, lw=1.5)  # fmt: skip
