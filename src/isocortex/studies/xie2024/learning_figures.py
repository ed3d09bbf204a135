"""Figures of what the networks saw and learned."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Drawing

from isocortex.stimuli.image_files import from_png_text
from isocortex.studies.base import Figure, Tables
from isocortex.studies.xie2024.drawing import SETS, point

KINDS = ("known backgrounds", "new backgrounds", "new models", "wider rotation", "wider position")


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
        else f"{n} networks did not learn and do not count: over their tasks right of the dashed"
        " line,\nand right less than three times as often as by chance"
    )
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


def classes(tables: Tables) -> Drawing:
    """Draw how well each task is done for objects of each category."""
    table = tables["classes"]
    panels = [
        (task, metric, label)
        for task, metric, label in BY_CLASS
        if ((table["task"] == task) & (table["metric"] == metric)).any()
    ]
    names = sorted(table["category"].unique())
    figure = Drawing(
        figsize=(2.1 * len(panels) + 1.6, 0.24 * len(names) + 1.7), layout="constrained"
    )
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (task, metric, label) in zip(axes, panels, strict=True):
        rows = table[(table["task"] == task) & (table["metric"] == metric)]
        sets = [s for s in SETS if s in set(rows["task_set"])]
        for j, s in enumerate(sets):
            own = rows[rows["task_set"] == s].groupby("category")["value"]
            for k, name in enumerate(names):
                if name in own.groups:
                    offset = (j - (len(sets) - 1) / 2) * 0.22
                    values = own.get_group(name).to_numpy()
                    point(axis, values, k + offset, SETS[s][1], SETS[s][3], horizontal=True)
        axis.set_xlabel(label)
    axes[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes[0].invert_yaxis()
    for s in dict.fromkeys(table["task_set"]):
        if s in SETS:
            axes[0].plot([], [], SETS[s][3], color=SETS[s][1], label=SETS[s][0])
    figure.legend(loc="outside lower center", ncols=4)
    said = "What is estimated of objects of each category, held-out scenes"
    recall = table.query("task == 'category' and metric == 'accuracy'")
    if len(recall):
        means = recall.groupby("category")["value"].mean()
        best, worst = (str(k).replace("_", " ") for k in (means.idxmax(), means.idxmin()))
        said += f"; recall from {means.min():.2f} ({worst}) to {means.max():.2f} ({best})"
    figure.suptitle(said)
    return figure


def _kind(task_set: str, variant: str) -> str:
    name = SETS.get(task_set, (task_set,))[0]
    if variant.startswith("ncat "):
        return f"{name}, {variant.removeprefix('ncat ')} categories"
    return name if variant == "full" else f"{name}, {variant.replace('_', ' ')}"


BY_CLASS = (
    ("category", "accuracy", "category: recall"),
    ("identity", "accuracy", "identity: accuracy"),
    ("distance", "rmse_z", "z: RMS error\n(object lengths)"),
    ("translation", "rmse_x", "x: RMS error\n(object lengths)"),
    ("rotation", "geodesic_deg", "rotation: mean error\n(degrees)"),
)
"""Task, metric and label of each panel over categories."""

LEARNING = {
    "montage": Figure(montage, "Scenes that no network is trained on, with their latents.",
                      ("montage",)),
    "learning": Figure(learning, "What each network learned, per task: mean and 95 % interval over"
                       " seeds, or the seeds themselves where there are fewer than three.",
                       ("training",)),
    "generalisation": Figure(generalisation, "Networks of full variability on other images: mean"
                             " and 95 % interval over seeds, or the seeds themselves.",
                             ("generalisation",)),
    "classes": Figure(classes, "The same of each category of objects by itself. Mean and 95 %"
                      " interval over seeds, or the seeds themselves.", ("classes",)),
}  # fmt: skip
"""Figures in the order of the report."""
