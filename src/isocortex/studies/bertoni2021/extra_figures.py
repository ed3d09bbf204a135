"""Figures without a verdict: tuning beside recorded cells, polarity, corruption."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.analyses.field_figures import KINDS
from isocortex.measures.receptive_fields import shape_family
from isocortex.statistics import t_interval
from isocortex.studies.base import Tables
from isocortex.studies.bertoni2021.drawing import few, judged
from isocortex.studies.bertoni2021.figures import ARM_NAMES
from isocortex.studies.bertoni2021.robustness import AS_TRAINED, INDUCED, OFF

TUNED = {"circular_variance": "circular variance", "bandwidth": "half-width (deg)"}


def tuning(tables: Tables) -> Drawing:
    """Draw shapes of the retained filters, and their tuning to orientation beside cells."""
    filters = tables["filters"]
    kept = filters[filters["retained"]]
    note = "" if len(kept) else "\n(no filter is a Gabor: the best fits)"
    kept = kept if len(kept) else filters[filters["chosen"]]
    arms = [a for a in ARM_NAMES if a in set(filters["arm"])]
    figure = Drawing(figsize=(11.5, 4.2), layout="constrained")
    left, *right = figure.subplots(1, 3)
    for k, arm in enumerate([a for a in arms if a in ("all", "no_lgn")]):
        one = kept[kept["arm"] == arm]
        left.plot(one["n_x"], one["n_y"], ls="", marker="os"[k], ms=4.5, alpha=0.65,
                  color=f"C{k}", label=ARM_NAMES[arm])  # fmt: skip
        family = shape_family(one["n_x"].to_numpy(), one["n_y"].to_numpy())
        if np.isfinite(family.slope) and family.slope > 0:
            x = np.geomspace(one["n_x"].min(), one["n_x"].max(), 30)
            middle = np.exp(np.log(one["n_x"]).mean()), np.exp(np.log(one["n_y"]).mean())
            left.plot(x, middle[1] * (x / middle[0]) ** family.slope, color=f"C{k}", lw=1.2)
    left.set(xlabel="n_x = σ_u f (cycles)", ylabel="n_y = σ_v f (cycles)")
    if len(kept[kept["arm"].isin(("all", "no_lgn"))]):
        left.set(xscale="log", yscale="log")
        for axis in (left.xaxis, left.yaxis):
            low, high = axis.get_view_interval()
            ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if low <= t <= high]
            axis.set_ticks(ticks, [f"{t:g}" for t in ticks])
        left.minorticks_off()
    left.set_title("shapes of the Gabors")
    left.legend(fontsize=8)
    cells = tables.get("cells", pd.DataFrame())
    for panel, (column, label) in zip(right, TUNED.items(), strict=True):
        for k, arm in enumerate(arms):
            _quartiles(panel, k, kept.loc[kept["arm"] == arm, column])
        panel.set_xticks(range(len(arms)), [ARM_NAMES[a] for a in arms], rotation=30, ha="right")
        panel.set_xlim(-0.6, len(arms) - 0.4)
        panel.set_ylabel(label)
        if len(cells):  # the same in every row
            median = float(cells.loc[cells["measure"] == column, "median_cells"].iloc[0])
            panel.axhline(median, color="0.5", ls="--", lw=1.2)
            panel.set_title(f"macaque V1: median {median:.2f}" if median < 1 else
                           f"macaque V1: median {median:.0f}°")  # fmt: skip
    figure.suptitle(f"{_tuning_title(kept, cells)}{note}")
    return figure


def _quartiles(axis: Axes, at: float, values: pd.Series) -> None:
    defined = values.dropna().to_numpy(float)
    if not len(defined):
        return
    colour = f"C{int(at) % 7}"
    spread = np.random.default_rng(0).uniform(-0.22, 0.02, len(defined))
    axis.plot(at + spread, defined, ls="", marker="o", ms=3, color=colour, alpha=0.4)
    low, middle, high = np.quantile(defined, [0.25, 0.5, 0.75])
    axis.errorbar([at + 0.2], [middle], yerr=[[middle - low], [high - middle]], fmt="_", ms=12,
                  color=colour, capsize=3)  # fmt: skip


def _tuning_title(kept: pd.DataFrame, cells: pd.DataFrame) -> str:
    main = kept[kept["arm"] == "all"]
    if main.empty:
        return "No filter of LGN and K is a Gabor"
    said = (
        f"{len(main)} filters (LGN and K): median circular variance"
        f" {main['circular_variance'].median():.2f}, half-width {main['bandwidth'].median():.0f}°"
    )
    rows = cells[cells["arm"] == "all"].dropna(subset="distance") if len(cells) else cells
    if rows.empty:
        return said
    variance = rows.set_index("measure").loc["circular_variance"]
    return (
        f"{said};\ndistance of the variances from recorded cells {variance['distance']:.2f}"
        f" (halves of the cells {variance['floor']:.2f})"
    )


def polarity(tables: Tables) -> Drawing:
    """Draw the kernel among odd filters against relative direction."""
    rows = judged(tables["polarity"])
    figure = Drawing(figsize=(8, 4.2), layout="constrained")
    axis = figure.subplots()
    means = {}
    for shift, what in enumerate(("learned", "overlap", "untrained")):
        one = rows[rows["what"] == what].copy()
        if one.empty:
            continue
        one["apart"] = np.minimum(one["direction"], 360 - one["direction"])
        per_seed = one.groupby(["seed", "apart"])["strength"].mean().unstack()
        label, colour, line, marker = KINDS[what]
        x = per_seed.columns.to_numpy(float) + 1.5 * (shift - 1)
        _mean_line(axis, x, per_seed, label=label, color=colour, ls=line, marker=marker)
        means[what] = per_seed.mean()
    axis.axhline(1, color="0.5", lw=0.8)
    axis.set_xticks(range(0, 181, 45))
    axis.set(xlabel="relative direction (deg; 180: other polarity)", ylabel="strength / mean")
    if means:
        axis.legend(fontsize=8)
    said = ", ".join(f"{k} {m[0]:.2f} / {m[180]:.2f}" for k, m in means.items())
    figure.suptitle(
        f"Odd filters of the same / of opposite polarity:\n{said or 'no three of them'}{few(rows)}"
    )
    return figure


LINES = {
    ("all", AS_TRAINED): ("LGN and K", "C0", "-", "o"),
    ("all", INDUCED): ("K induced by the filters", "C1", "--", "s"),
    ("all", OFF): ("K taken away", "C2", ":", "^"),
    ("no_lateral", AS_TRAINED): ("trained without K", "C3", "-", "D"),
    ("no_lateral", INDUCED): ("trained without, induced K added", "C4", "--", "v"),
}
"""Arm and lateral connections at the test -> label, colour, line, marker."""


def corruption(tables: Tables) -> Drawing:
    """Draw accuracy against the level of each corruption."""
    table = tables["corruption"]
    names = [n for n in table["corruption"].unique() if n != "none"]
    figure = Drawing(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True)
    overall = {}
    for (arm, lateral), (label, colour, line, marker) in LINES.items():
        rows = table[(table["arm"] == arm) & (table["lateral"] == lateral)]
        if rows.empty:
            continue
        clean = rows[rows["corruption"] == "none"].set_index("seed")["accuracy"]
        worse = rows[rows["corruption"] != "none"]
        overall[label] = float(clean.mean()), float(worse["accuracy"].mean())
        for axis, name in zip(axes, names, strict=True):
            one = worse[worse["corruption"] == name].copy()
            levels = list(dict.fromkeys(one["level"]))
            one["place"] = one["level"].map({v: k + 1 for k, v in enumerate(levels)})
            per_seed = one.pivot_table("accuracy", "seed", "place")
            per_seed.insert(0, 0, clean)
            _mean_line(axis, per_seed.columns.to_numpy(float), per_seed, label=label, color=colour,
                       ls=line, marker=marker)  # fmt: skip
            axis.set_xticks(range(len(levels) + 1), ["none", *(f"{v:g}" for v in levels)])
            axis.set_xlabel(one["unit"].iloc[0].replace(" / ", " /\n"))
            axis.set_title(name)
    axes[0].set_ylabel("accuracy")
    axes[0].set_ylim(0, None)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    said = "; ".join(
        f"{label} {overall[label][0]:.0%} to {overall[label][1]:.0%}"
        for label in (LINES["all", AS_TRAINED][0], LINES["all", INDUCED][0],
                      LINES["no_lateral", AS_TRAINED][0])
        if label in overall
    )  # fmt: skip
    figure.suptitle(f"Accuracy, clean to mean of all corruptions: {said}")
    return figure


def _mean_line(axis: Axes, x: np.ndarray, per_seed: pd.DataFrame, **style: str) -> None:
    """Draw means over seeds, with t intervals from three seeds on."""
    mean, reach = per_seed.mean().to_numpy(), None
    if len(per_seed) >= 3:
        intervals = [t_interval(per_seed[c].to_numpy(float), nan="drop") for c in per_seed]
        low, high = (np.array([getattr(i, end) for i in intervals]) for end in ("low", "high"))
        reach = np.stack([mean - low, high - mean])
    axis.errorbar(x, mean, yerr=reach, ms=4, capsize=2, lw=1.5, **style)  # type: ignore[arg-type]
