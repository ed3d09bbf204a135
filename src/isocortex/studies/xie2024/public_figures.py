"""The figure of alignment with public assemblies: scores, and the stages that regions map to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.studies.base import Figure, Tables
from isocortex.studies.xie2024.drawing import SETS, point
from isocortex.studies.xie2024.given import GIVEN
from isocortex.studies.xie2024.measuring import PIXELS
from isocortex.studies.xie2024.public_alignment import REGIONS

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "after")


def regions(tables: Tables) -> Drawing:
    """Draw the ceiled score of every set of tasks in every region, and the best stage below it."""
    found, stages = tables["alignment_public"], tables["published_stages"]
    areas = [area for area in REGIONS if area in set(found["area"])]
    names = list(dict.fromkeys(found["task_set"]))
    order = [PIXELS, *SETS, *names]
    sets = sorted(names, key=order.index)
    rows = 2 if len(stages) else 1
    figure = Drawing(figsize=(2.9 * len(areas) + 0.8, 2.6 * rows + 1.6), layout="constrained")
    axes = figure.subplots(rows, len(areas), sharex=True, sharey="row", squeeze=False)
    for k, area in enumerate(areas):
        _scores(axes[0, k], found[found["area"] == area], sets)
        axes[0, k].set_title(area)
        if rows == 2:
            _stages(axes[1, k], stages[stages["area"] == area], sets)
        axes[-1, k].set_xticks(
            range(len(sets)), [SETS.get(s, (s,))[0] for s in sets], rotation=60, ha="right"
        )
    axes[0, 0].set_ylabel("(median r / ceiling)$^2$")
    if rows == 2:
        axes[1, 0].set_ylabel("stage of the best layer")
        axes[1, 0].set_yticks(range(len(STAGES)), STAGES)
    axes[0, 0].plot([], [], "o", color="C0", label="trained here")
    if GIVEN in set(found["variant"]):
        axes[0, 0].plot([], [], "D", color="C1", fillstyle="none", label="given weights")
    axes[0, 0].plot([], [], "x", color="C3", label="published stage")
    figure.legend(loc="outside lower center", ncols=3)
    figure.suptitle(_headline(found))
    return figure


def _scores(axis: Axes, rows: pd.DataFrame, sets: list[str]) -> None:
    axis.axhline(0, color="C7", linewidth=0.8)
    for k, s in enumerate(sets):
        own = rows[rows["task_set"] == s]
        values = own[own["variant"] == "full"].groupby("seed")["chosen"].first().to_numpy()
        point(axis, values, k, "C7" if s == PIXELS else "C0", "o")
        given = own[own["variant"] == GIVEN].groupby("body")["chosen"].first().to_numpy()
        axis.plot(np.full(len(given), k + 0.2), given, "D", color="C1", fillstyle="none")


def _stages(axis: Axes, rows: pd.DataFrame, sets: list[str]) -> None:
    for k, s in enumerate(sets):
        own = rows[rows["task_set"] == s]
        for variant, marker, colour, shift in (("full", "o", "C0", 0), (GIVEN, "D", "C1", 0.2)):
            values = own[own["variant"] == variant]["stage"].to_numpy()
            fill = "full" if variant == "full" else "none"
            place = np.full(len(values), k + shift)
            axis.plot(place, values, marker, color=colour, fillstyle=fill, markersize=5)
        published = own["published"].dropna().head(1).to_numpy()
        axis.plot(np.full(len(published), k - 0.2), published, "x", color="C3", markersize=6)
    axis.set_ylim(-0.5, len(STAGES) - 0.5)


def _headline(found: pd.DataFrame) -> str:
    own = found[found["variant"] == "full"]
    means = own.groupby(["task_set", "seed", "area"])["chosen"].first().groupby("task_set").mean()
    named = [
        f"{SETS[s][0]} {means[s]:.2f}" for s in ("spatial", "category", "untrained") if s in means
    ]
    return f"Alignment with public assemblies, mean of regions: {', '.join(named)}"


PUBLIC_FIGURES = {
    "regions": Figure(
        regions,
        "Ceiled score at the layer that inner folds chose: mean and 95 % interval over seeds, or"
        " the seeds themselves. Below, the stage whose layer predicts best, mean over seeds, and"
        " that of the released networks.",
        ("alignment_public", "published_stages"),
    ),
}
