"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.statistics import t_interval
from isocortex.stimuli.image_files import from_png_text
from isocortex.studies.base import Figure, Tables
from isocortex.studies.xie2024.claims import CATEGORY_SETS, TRANSLATION_SETS
from isocortex.studies.xie2024.measuring import PIXELS, layer_names
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

KINDS = ("known backgrounds", "new backgrounds", "new models", "wider rotation", "wider position")
AREAS = {"V4": "V4 (macaque)", "EVC": "EVC (human)", "IT": "IT (human)"}


def montage(tables: Tables) -> Drawing:
    """Draw the first held-out images with their latents."""
    table = tables["montage"]
    columns = 8
    rows = -(-len(table) // columns)
    figure = Drawing(figsize=(1.45 * columns, 2.05 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (_, row) in zip(axes.flat, table.iterrows(), strict=False):
        axis.imshow(from_png_text(row["png"]))
        text = (
            f"{str(row['category']).replace('_', ' ')}\n"
            f"x {row['x']:+.2f}  y {row['y']:+.2f}  z {row['z']:.2f}\n"
            f"{row['pitch']:+.0f}°  {row['yaw']:+.0f}°  {row['roll']:+.0f}°"
        )
        axis.set_title(text, fontsize=7, loc="center")
    figure.suptitle("Held-out scenes: position in object lengths; pitch, yaw, roll")
    return figure


def learning(tables: Tables) -> Drawing:
    """Draw what each network learned, relative to the best constant."""
    table = tables["training"].query("metric == 'relative_loss'")
    kinds = list(table.groupby(["task_set", "variant"], sort=False).groups)
    figure = Drawing(figsize=(8.5, 0.26 * len(kinds) + 1.6), layout="constrained")
    axis = figure.subplots()
    tasks = list(dict.fromkeys(table["task"]))
    for t, task in enumerate(tasks):
        colour = f"C{t}"
        own = table[table["task"] == task].groupby(["task_set", "variant"])["value"]
        for k, kind in enumerate(kinds):
            values = own.get_group(kind) if kind in own.groups else pd.Series(dtype=float)
            if len(values):
                offset = (t - (len(tasks) - 1) / 2) * 0.13
                point(axis, values.to_numpy(), k + offset, colour, "o", horizontal=True)
        axis.plot([], [], "o", color=colour, label=task)
    axis.axvline(1, color="C7", linestyle=":", linewidth=1)
    axis.axvline(0.8, color="C7", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(kinds)), [_kind(*kind) for kind in kinds])
    axis.invert_yaxis()
    axis.set(xlabel="loss / loss of the best constant, held-out images", xlim=(0, None))
    figure.legend(loc="outside lower center", ncols=5)
    failed = tables["training"].query("not learned")[["task_set", "variant", "seed"]]
    n = len(failed.drop_duplicates())
    axis.set_title(
        "Every network learned: over its tasks together it is left of the dashed line at .8"
        if n == 0
        else f"{n} networks did not learn (over their tasks right of the dashed line) and do not"
        " count"
    )
    return figure


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
        axis.set_title(AREAS[area])
    axes[0].set_ylabel("median r over neurons (raw)")
    if len(axes) > 1:
        axes[1].set_ylabel("mean Spearman r with subjects")
    figure.suptitle(_headline(found))
    return figure


def curves(tables: Tables) -> Drawing:
    """Draw alignment against performance over training, one line a run."""
    table = tables["curves"]
    sets = [s for s in SETS if s in set(table["task_set"])]
    figure = Drawing(figsize=(2.5 * len(sets) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axis, s in zip(axes, sets, strict=True):
        label, colour, _, marker = SETS[s]
        values = []
        for _, run in table[table["task_set"] == s].groupby("seed"):
            run = run.sort_values("step")
            axis.plot(
                run["performance"], run["A"], color=colour, marker=marker, markersize=3.5,
                linewidth=0.8, alpha=0.7,
            )  # fmt: skip
            if len(run) >= 3 and run["performance"].std() > 0 and run["A"].std() > 0:
                values.append(float(np.corrcoef(run["performance"], run["A"])[0, 1]))
        mean = f"r = {np.mean(values):.2f} (range {min(values):.2f} to {max(values):.2f})"
        axis.set_title(f"{label}\n{mean if values else 'r undefined'}", fontsize=9.5)
        axis.set_xlabel("1 - relative loss")
    axes[0].set_ylabel("alignment A")
    figure.suptitle("Performance and alignment over training, one line a run")
    return figure


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


def generalisation(tables: Tables) -> Drawing:
    """Draw the relative loss of each task on images of other kinds."""
    table = tables["generalisation"].query("metric == 'relative_loss'")
    kinds = [k for k in KINDS if k in set(table["tested_on"])]
    sets = [s for s in SETS if s in set(table["task_set"])]
    figure = Drawing(figsize=(1.35 * len(sets) + 2.4, 3.9), layout="constrained")
    axis = figure.subplots()
    for k, kind in enumerate(kinds):
        rows = table[table["tested_on"] == kind]
        for j, s in enumerate(sets):
            own = rows[rows["task_set"] == s].groupby("seed")["value"].mean()
            point(axis, own.to_numpy(), j + (k - (len(kinds) - 1) / 2) * 0.14, f"C{k}", "osD^v"[k])
        axis.plot([], [], "osD^v"[k], color=f"C{k}", label=kind)
    axis.axhline(1, color="C7", linestyle=":", linewidth=1)
    axis.set_xticks(range(len(sets)), [SETS[s][0] for s in sets])
    axis.set(ylabel="loss / loss of the best constant", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=5)
    axis.set_title("How far what was learned holds beyond the training images (dotted: a constant)")
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
        for s in dict.fromkeys(rows.loc[rows["variant"] == least, "task_set"]):
            own = rows[rows["task_set"] == s]
            for variant, values in own.groupby("variant"):
                amount = {least: floor, "full": most}.get(str(variant))
                if amount is None and str(variant).startswith(prefix):
                    amount = float(str(variant).removeprefix(prefix))
                if amount is not None:
                    point(axis, values["score"].to_numpy(), amount, SETS[s][1], SETS[s][3])
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


def _kind(task_set: str, variant: str) -> str:
    name = SETS.get(task_set, (task_set,))[0]
    if variant.startswith("ncat "):
        return f"{name}, {variant.removeprefix('ncat ')} categories"
    return name if variant == "full" else f"{name}, {variant.replace('_', ' ')}"


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
            _bar(axis, own[own["layer"] == layers[k]]["score"].to_numpy(), k, colour)
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
    _bar(axis, values, place, colour, horizontal=horizontal)


def _bar(
    axis: Axes, values: np.ndarray, place: float, colour: str, *, horizontal: bool = False
) -> None:
    if len(values) < FEWEST_FOR_INTERVAL:
        return
    interval = t_interval(values)
    draw = axis.hlines if horizontal else axis.vlines
    draw(place, interval.low, interval.high, color=colour, linewidth=1.4)


def _headline(found: pd.DataFrame) -> str:
    means = found[found["area"] == "V4"].groupby("task_set")["chosen"].mean()
    named = [
        f"{SETS[s][0]} {means[s]:.2f}" for s in ("spatial", "category", UNTRAINED) if s in means
    ]
    return f"Alignment with recorded areas; V4: {', '.join(named)}"


FIGURES = {
    "montage": Figure(montage, "Scenes that no network is trained on, with their latents.",
                      ("montage",)),
    "learning": Figure(learning, "What each network learned, per task: mean and 95 % interval over"
                       " seeds, or the seeds themselves where there are fewer than three.",
                       ("training",)),
    "alignment": Figure(alignment, "Alignment at a layer that other data chose. Mean and 95 %"
                        " interval over seeds, or the seeds themselves.", ("alignment",)),
    "curves": Figure(curves, "Snapshots of each run over training; r over the snapshots of a run.",
                     ("curves",)),
    "cka": Figure(cka, "Debiased linear CKA between networks over held-out scenes.", ("cka",)),
    "decoding": Figure(decoding, "Linear decoding from held-out scenes of full variability. Mean"
                       " and 95 % interval over seeds, or the seeds themselves.", ("decoding",)),
    "generalisation": Figure(generalisation, "Networks of full variability on other images: mean"
                             " and 95 % interval over seeds, or the seeds themselves.",
                             ("generalisation",)),
    "shared": Figure(shared, "Variance partition by ridge at the layers that other sessions chose;"
                     " 95 % intervals over neurons.", ("shared_variance",)),
    "graded": Figure(graded, "Decoding against variability seen in training. Mean and 95 %"
                     " interval over seeds, or the seeds themselves.", ("decoding",)),
}  # fmt: skip
"""Figures in the order of the report."""
