"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.studies.base import Figure, Tables
from isocortex.studies.xie2024.claims import CATEGORY_SETS, TRANSLATION_SETS
from isocortex.studies.xie2024.counted import Gate
from isocortex.studies.xie2024.drawing import FEWEST_FOR_INTERVAL, SETS, bar, point
from isocortex.studies.xie2024.learning_figures import LEARNING
from isocortex.studies.xie2024.measuring import PIXELS, layer_names
from isocortex.studies.xie2024.natural import NATURAL
from isocortex.studies.xie2024.networks import UNTRAINED
from isocortex.studies.xie2024.overview import curve_correlations, mean_correlation

WORST = -0.6
"""Performance left of which snapshots, far worse than a constant, are outside of the frame."""

AREAS = {"V4": "V4 (macaque)", "EVC": "EVC (human)", "IT": "IT (human)"}


def alignment(tables: Tables) -> Drawing:
    """Draw the alignment of each set of tasks with each area."""
    human = tables.get("alignment_human", pd.DataFrame())
    found = pd.concat([tables["alignment"].assign(area="V4"), human], ignore_index=True)
    found = found[(found["variant"] == "full") | (found["task_set"] == NATURAL)]
    areas = [a for a in AREAS if a in set(found["area"])]
    sets = [s for s in (PIXELS, *SETS) if s in set(found["task_set"])]
    figure = Drawing(figsize=(3.2 * len(areas) + 0.6, 3.9), layout="constrained")
    axes = figure.subplots(1, len(areas), squeeze=False)[0]
    for axis, area in zip(axes, areas, strict=True):
        rows = found[found["area"] == area]
        for k, s in enumerate(sets):
            own = rows[rows["task_set"] == s].groupby("seed")["chosen"].mean()
            colour = "C7" if s == PIXELS else SETS[s][1]
            point(axis, own.to_numpy(), k, colour, "o")
        names = [PIXELS if s == PIXELS else SETS[s][0] for s in sets]
        axis.set_xticks(range(len(sets)), names, rotation=50, ha="right")
        axis.axhline(0, color="C7", linewidth=0.8)
        axis.set_title(AREAS[area] + _ceiling(tables, area))
    axes[0].set_ylabel("median r over neurons (raw)")
    if len(axes) > 1:
        axes[1].set_ylabel("mean Spearman r with subjects")
    figure.suptitle(_headline(found))
    return figure


def _ceiling(tables: Tables, area: str) -> str:
    """Say what scores of an area could reach, in a line of its own."""
    known = tables.get("ceilings", pd.DataFrame({"area": [""]}))
    known = known[known["area"].str.split(" ").str[0] == area]
    said = [
        f"{row.upper:.2f} (session {row.area.removeprefix('V4 ')})"
        if area == "V4"
        else f"{row.lower:.2f} to {row.upper:.2f}"
        for row in known.itertuples()
    ]
    return f"\nceiling {', '.join(said)}" if said else "\nceiling unknown"


def curves(tables: Tables) -> Drawing:
    """Draw alignment against performance over training, one line a run."""
    table = tables["curves"]
    counted = Gate(tables["training"])
    sets = [s for s in SETS if s in set(table["task_set"])]
    figure = Drawing(figsize=(2.5 * len(sets) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axis, s in zip(axes, sets, strict=True):
        label, colour, _, marker = SETS[s]
        rows = table[table["task_set"] == s]
        for (variant, seed), run in rows.groupby(["variant", "seed"]):
            run = run.sort_values("step")
            learned = counted.learned(s, variant, seed)
            axis.plot(
                run["performance"], run["A"], color=colour if learned else "C7", marker=marker,
                markersize=3.5, linewidth=0.8, alpha=0.7 if learned else 0.35,
            )  # fmt: skip
        axis.set_title(f"{label}\n{_correlation(counted(rows))}", fontsize=9.5)
        axis.set_xlabel("1 - relative loss")
        if len(rows):
            low, high = max(rows["performance"].min(), WORST), rows["performance"].max()
            axis.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes[0].set_ylabel("alignment A")
    figure.suptitle("Performance and alignment over training, one line a run (grey: did not learn)")
    return figure


def _correlation(rows: pd.DataFrame) -> str:
    """Say the mean correlation over the runs that count, with its interval where it has one."""
    r = curve_correlations(rows)["r"].dropna() if len(rows) else pd.Series(dtype=float)
    if r.empty:
        return "no run counts"
    mean = mean_correlation(r.to_numpy())
    if len(r) < FEWEST_FOR_INTERVAL:
        return f"r = {mean.estimate:.2f} (n = {len(r)})"
    return f"r = {mean.estimate:.2f} [{mean.low:.2f}, {mean.high:.2f}], n = {len(r)}"


def cka(tables: Tables) -> Drawing:
    """Draw CKA between kinds of networks at two depths, and its profile over depth."""
    every = tables["cka"]
    meant = [
        (every[f"variant_{side}"] == "full") | (every[f"task_set_{side}"] == NATURAL)
        for side in "ab"
    ]
    table = every[meant[0] & meant[1]]
    sets = [s for s in SETS if s in {*table["task_set_a"], *table["task_set_b"]}]
    figure = Drawing(figsize=(11.5, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    layers = list(dict.fromkeys(table["layer"]))
    for axis, layer in zip(axes, _ends(table), strict=False):
        matrix = _between(table[table["layer"] == layer], sets)
        shown = axis.imshow(matrix, vmin=0, vmax=1, cmap="cividis")
        axis.grid(False)
        names = [SETS[s][0] for s in sets]
        axis.set_xticks(range(len(sets)), names, rotation=50, ha="right")
        axis.set_yticks(range(len(sets)), names if axis is axes[0] else [])
        axis.set_title(layer_names([layer])[0])
    figure.colorbar(shown, ax=axes[:2], shrink=0.7, label="debiased linear CKA")
    axis = axes[2]
    pairs = [
        ("spatial", "spatial", "spatial, other seed", "C2", "-"),
        ("category", "category", "category, other seed", "C1", "-"),
        ("spatial", "category", "spatial, category", "C0", "--"),
        ("spatial", UNTRAINED, "spatial, untrained", "C7", ":"),
    ]
    for a, b, label, colour, line in pairs:
        profile = [
            _between(table[table["layer"] == layer], [a, b])[0, 0 if a == b else 1]
            for layer in layers
        ]
        axis.plot(profile, color=colour, linestyle=line, marker="o", markersize=4, label=label)
    axis.set_xticks(range(len(layers)), layer_names(layers), rotation=50, ha="right")
    axis.set(ylabel="debiased linear CKA", ylim=(-0.05, 1.02), title="Over depth")
    figure.legend(loc="outside lower right", ncols=4)
    figure.suptitle("How alike the representations of held-out scenes are (mean over pairs)")
    return figure


def decoding(tables: Tables) -> Drawing:
    """Draw decoding of category and position over layers, and under reduced variability."""
    table = tables["decoding"].query("tested_on == 'full'")
    figure = Drawing(figsize=(10.5, 6.6), layout="constrained")
    axes = figure.subplots(2, 2)
    targets = {"category": "balanced accuracy", "position": "mean r of x and y"}
    reduced = {
        "category": ("one_category", CATEGORY_SETS, "one category"),
        "position": ("centred", TRANSLATION_SETS, "centred"),
    }
    for row, (target, label) in zip(axes, targets.items(), strict=True):
        rows = table[table["target"] == target]
        _over_layers(row[0], rows[rows["variant"] == "full"])
        variant, sets, name = reduced[target]
        at = rows[rows["role"] == ("deep" if target == "category" else "pooled")]
        layer = layer_names(at["layer"].head(1))[0]
        present = [s for s in sets if len(at[(at["task_set"] == s) & (at["variant"] == variant)])]
        for k, s in enumerate(present):
            for offset, kind, marker in ((-0.12, "full", "o"), (0.12, variant, "s")):
                own = at[(at["task_set"] == s) & (at["variant"] == kind)]["score"]
                point(row[1], own.to_numpy(), k + offset, SETS[s][1], marker)
        row[1].set_xticks(range(len(present)), [SETS[s][0] for s in present])
        row[1].set_title(f"{target} at {layer}: full (circle), {name} (square)")
        row[1].set_xlim(-0.6, max(len(present), 1) - 0.4)
        drawn = row if present else row[:1]
        if not present:
            _empty(row[1])
        for axis in drawn:
            axis.set_ylabel(label)
            axis.axhline(float(rows["chance"].iloc[0]), color="C7", linestyle=":", linewidth=1)
        row[0].set_title(f"{target} over layers")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    figure.suptitle("What networks carry of latents that they did not learn (dotted: chance)")
    return figure


def shared(tables: Tables) -> Drawing:
    """Draw what spatial and category networks explain of V4, alone and together."""
    table = tables["shared_variance"]
    parts = ["spatial", "shared", "category"]
    figure = Drawing(figsize=(6.0, 3.4), layout="constrained")
    axis = figure.subplots()
    seeds = sorted(table["seed"].unique())
    for j, seed in enumerate(seeds):
        rows = table[table["seed"] == seed].set_index("part").loc[parts]
        place = np.arange(len(parts)) + (j - (len(seeds) - 1) / 2) * 0.12
        axis.vlines(place, rows["low"], rows["high"], color=f"C{j}", linewidth=1.4)
        axis.plot(place, rows["r2"], "o", color=f"C{j}", label=f"seed {seed}")
    axis.axhline(0, color="C7", linewidth=0.8)
    axis.set_xticks(range(len(parts)), ["spatial alone", "shared", "category alone"])
    session, n = table["session"].iloc[0], int(table["n"].iloc[0])
    axis.set(ylabel="held-out variance (R2)", title=f"V4 session {session}: what two networks share"
             f" ({n} neurons)")  # fmt: skip
    axis.legend(ncols=2)
    return figure


def graded(tables: Tables) -> Drawing:
    """Draw decoding against the variability that was seen."""
    table = tables["decoding"].query("tested_on == 'full'")
    figure = Drawing(figsize=(9.5, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    plans = (
        ("category", "deep", "ncat ", "one_category", 1.0, "categories seen"),
        ("position", "pooled", "position ", "centred", 0.0, "range of position (share of full)"),
    )
    for axis, (target, role, prefix, least, floor, label) in zip(axes, plans, strict=True):
        rows = table[(table["target"] == target) & (table["role"] == role)]
        most = 1.0 if target == "position" else round(1 / float(rows["chance"].iloc[0]))
        sets = list(dict.fromkeys(rows.loc[rows["variant"] == least, "task_set"]))
        for k, s in enumerate(sets):
            aside = (k - (len(sets) - 1) / 2) * 0.02 * most
            own = rows[rows["task_set"] == s]
            for variant, values in own.groupby("variant"):
                amount = {least: floor, "full": most}.get(str(variant))
                if amount is None and str(variant).startswith(prefix):
                    amount = float(str(variant).removeprefix(prefix))
                if amount is not None:
                    shown = values["score"].to_numpy()
                    point(axis, shown, amount + aside, SETS[s][1], SETS[s][3])
            axis.plot([], [], SETS[s][3], color=SETS[s][1], label=SETS[s][0])
        axis.set(xlabel=label, title=f"{target} at {layer_names(rows['layer'].head(1))[0]}")
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
        else:
            _empty(axis)
    axes[0].set_ylabel("balanced accuracy")
    axes[1].set_ylabel("mean r of x and y")
    figure.suptitle("Decoding of a latent that was not learned, by how much of it was seen")
    return figure


def _empty(axis: Axes) -> None:
    """Say why there is nothing to see."""
    axis.set(xticks=[], yticks=[], xlabel="")
    axis.grid(False)
    axis.text(
        0.5, 0.5, "no network of this run\nsaw less variability",
        ha="center", va="center", transform=axis.transAxes, color="C7",
    )  # fmt: skip


def _over_layers(axis: Axes, rows: pd.DataFrame) -> None:
    layers = [x for x in dict.fromkeys(rows["layer"]) if x != PIXELS]
    pixels = rows[rows["layer"] == PIXELS]["score"]
    if len(pixels):
        axis.axhline(float(pixels.mean()), color="C7", linestyle="-.", linewidth=1, label=PIXELS)
    for s, (label, colour, line, marker) in SETS.items():
        own = rows[rows["task_set"] == s]
        if own.empty:
            continue
        means = own.groupby("layer")["score"].mean()
        there = [k for k, layer in enumerate(layers) if layer in means.index]
        axis.plot(
            there, [means[layers[k]] for k in there], color=colour, linestyle=line, marker=marker,
            label=label,
        )  # fmt: skip
        for k in there:
            bar(axis, own[own["layer"] == layers[k]]["score"].to_numpy(), k, colour)
    axis.set_xticks(
        range(len(layers)), layer_names([re.sub(r"\.0\.relu:\d$", "", x) for x in layers])
    )


def _ends(table: pd.DataFrame) -> tuple[str, str]:
    """Return the last layers of the first and of the fourth stage, or else an early and a late."""
    by_stage = table.groupby("stage")["layer"].last()
    if 1 in by_stage and 4 in by_stage:
        return by_stage[1], by_stage[4]
    layers = list(dict.fromkeys(table["layer"]))
    return layers[0], layers[-2]


def _between(table: pd.DataFrame, sets: Sequence[str]) -> np.ndarray:
    """Return the mean CKA between pairs of networks of two kinds, (kinds, kinds)."""
    matrix = np.full((len(sets), len(sets)), np.nan)
    for (a, b), rows in table.groupby(["task_set_a", "task_set_b"]):
        if a in sets and b in sets:
            i, j = sets.index(a), sets.index(b)
            both = rows["cka"]
            if i != j:
                other = table[(table["task_set_a"] == b) & (table["task_set_b"] == a)]["cka"]
                both = pd.concat([both, other])
            matrix[i, j] = matrix[j, i] = both.mean()
    return matrix


def _headline(found: pd.DataFrame) -> str:
    means = found[found["area"] == "V4"].groupby("task_set")["chosen"].mean()
    named = [
        f"{SETS[s][0]} {means[s]:.2f}" for s in ("spatial", "category", UNTRAINED) if s in means
    ]
    return f"Alignment with recorded areas; V4: {', '.join(named)}"


FIGURES = {
    **LEARNING,
    "alignment": Figure(alignment, "Alignment at a layer that other data chose. Mean and 95 %"
                        " interval over seeds, or the seeds themselves.", ("alignment",)),
    "curves": Figure(curves, "Snapshots of each run over training; mean r over the snapshots of a"
                     " run (Fisher z) with its 95 % interval over the runs that learned. First"
                     " steps that are far worse than a constant lie left of the frame; they count.",
                     ("curves", "training")),
    "cka": Figure(cka, "Debiased linear CKA between networks over held-out scenes.", ("cka",)),
    "decoding": Figure(decoding, "Linear decoding from held-out scenes of full variability. Mean"
                       " and 95 % interval over seeds, or the seeds themselves.", ("decoding",)),
    "shared": Figure(shared, "Variance partition by ridge at the layers that other sessions chose;"
                     " 95 % intervals over neurons.", ("shared_variance",)),
    "graded": Figure(graded, "Decoding against variability seen in training. Mean and 95 %"
                     " interval over seeds, or the seeds themselves.", ("decoding",)),
}  # fmt: skip
"""Figures in the order of the report."""
