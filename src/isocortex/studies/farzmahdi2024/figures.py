"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.measures.viewpoint import equidistant_baseline
from isocortex.statistics import t_interval
from isocortex.stimuli.image_files import from_png_text
from isocortex.studies.base import Figure, Tables
from isocortex.studies.farzmahdi2024.measuring import GAP, N_VIEWS
from isocortex.studies.farzmahdi2024.recordings import CONV_LAYERS

YAWS = np.linspace(-90, 90, N_VIEWS)
FEWEST_FOR_INTERVAL = 3
"""With fewer seeds an interval of the mean says nothing; the seeds are shown instead."""

DEPTH = (*CONV_LAYERS, GAP, "fc1", "fc2", "fc3")
POLICIES = {
    "none": ("untrained", "C7", ":", "o"),
    "orig": ("no flips", "C0", "-", "s"),
    "sym": ("flips, same label", "C2", "-", "o"),
    "sym20": ("flips, labels split at random", "C4", "--", "D"),
    "asym": ("flips, new label", "C1", "-", "^"),
}
CLASSES = {
    "one_plane": "one mirror plane",
    "two_plane": "two mirror planes",
    "radial": "near-radial",
    "asymmetric": "asymmetric",
    "heads": "heads",
}
TRANSFORMS = {"hflip": ("left-right flip", "C0"), "vflip": ("up-down flip", "C1"),
              "rot90": ("turn by 90°", "C2")}  # fmt: skip


def montage(tables: Tables) -> Drawing:
    """Draw examples of each class over the nine views."""
    table = tables["montage"]
    rows = list(table.groupby(["symmetry_class", "object_id"], sort=False).groups)
    figure = Drawing(figsize=(9, 0.95 * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), N_VIEWS, squeeze=False)
    for row, (kind, object_id) in enumerate(rows):
        one = table[(table["object_id"] == object_id) & (table["symmetry_class"] == kind)]
        one = one.sort_values("view")
        for axis, (_, cell) in zip(axes[row], one.iterrows(), strict=True):
            image = from_png_text(cell["png"])
            axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
            if row == 0:
                axis.set_title(f"{cell['yaw']:g}°")
        axes[row, 0].set_ylabel(
            CLASSES.get(kind, kind), rotation=0, ha="right", va="center", labelpad=8
        )
    figure.suptitle("Objects of known symmetry over nine views (yaw)")
    return figure


def index_over_layers(tables: Tables) -> Drawing:
    """Draw the index over depth for each diet, with intervals over seeds and the null band."""
    index, null = tables["index"], tables["null"]
    sources = [s for s in index["source"].unique() if s != "cifar10"]
    kinds = list(CLASSES)
    figure = Drawing(figsize=(2.2 * len(kinds), 2.9 * len(sources) + 0.8), layout="constrained")
    axes = figure.subplots(len(sources), len(kinds), sharey=True, squeeze=False)
    for row, source in zip(axes, sources, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            chosen = _of_kind(index[index["source"] == source], kind)
            _null_band(axis, _of_kind(null[null["source"] == source], kind))
            _lines(axis, chosen, list(POLICIES), "exact")
            if kind == "heads" and "cifar10" in set(index["source"]):
                natural = _of_kind(index[index["source"] == "cifar10"], kind)
                _lines(axis, natural, ["orig"], "exact", ("natural images", "C5", "-", "P"))
            axis.set_title(f"{CLASSES[kind]}\n({source})")
        row[0].set_ylabel("mirror-symmetry index")
    handles = {
        h.get_label(): h for a in axes.flat for h in a.get_lines() if h.get_label()[0] != "_"
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    figure.suptitle(_headline_index(tables))
    return figure


def symmetry_over_layers(tables: Tables) -> Drawing:
    """Draw invariance and equivariance over depth, trained beside untrained."""
    table = tables["symmetry"]
    source = next(s for s in table["source"].unique() if s != "cifar10")
    table = table[table["source"] == source]
    figure = Drawing(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, measure in zip(axes, ("equivariance", "invariance"), strict=True):
        layers = [x for x in (CONV_LAYERS if measure == "equivariance" else DEPTH) if x != GAP]
        for transform, (label, colour) in TRANSFORMS.items():
            for policy, line in (("sym", "-"), ("none", ":")):
                rows = table[(table["transform"] == transform) & (table["policy"] == policy)]
                per_seed = rows.groupby(["seed", "layer"])[measure].mean().unstack()
                what = "trained (same label)" if policy == "sym" else "untrained"
                _curve(axis, per_seed[layers], colour, line, "o", f"{label}, {what}")
        axis.set_xticks(range(len(layers)), layers, rotation=40, ha="right")
        axis.set(title=measure.capitalize(), xlabel="layer", ylim=(-0.3, 1.02))
    axes[0].set_ylabel("mean correlation r over images")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(f"How far the code follows flips and turns of the image, {source}")
    return figure


def distances(tables: Tables) -> Drawing:
    """Draw mean RDMs over views at fc1 for each diet and class."""
    table = tables["rdms"].query("layer == 'fc1' and set == 'classes'")
    source = table["source"].iloc[0]
    table = table[table["source"] == source]
    policies = [p for p in POLICIES if p in set(table["policy"])]
    kinds = [k for k in CLASSES if k in set(table["symmetry_class"])]
    figure = Drawing(figsize=(2.0 * len(policies) + 1.2, 2.0 * len(kinds) + 0.8),
                     layout="constrained")  # fmt: skip
    axes = figure.subplots(len(kinds), len(policies), squeeze=False)
    averaged = table.groupby(["policy", "symmetry_class", "view", "other_view"])["distance"]
    top = float(averaged.mean().max())
    shown = None
    for row, kind in zip(axes, kinds, strict=True):
        for axis, policy in zip(row, policies, strict=True):
            one = table[(table["policy"] == policy) & (table["symmetry_class"] == kind)]
            matrix = one.groupby(["view", "other_view"])["distance"].mean().unstack()
            shown = axis.imshow(matrix, vmin=0, vmax=top, cmap="cividis")
            axis.grid(False)
            _view_ticks(axis, bottom=kind == kinds[-1], left=policy == policies[0])
            if kind == kinds[0]:
                axis.set_title(POLICIES[policy][0].replace(", ", ",\n"))
        row[0].set_ylabel(f"{CLASSES[kind]}\nyaw (deg)")
    assert shown is not None
    figure.colorbar(shown, ax=axes, label="1 - Pearson r", shrink=0.6)
    figure.suptitle(
        f"Distances between views at fc1, {source}: a mirror-symmetric code has a cross"
    )
    return figure


def mechanism(tables: Tables) -> Drawing:
    """Draw the index of hand-made networks: filters x read-out, by class and light."""
    table = tables["mechanism"]
    lights = list(table["lighting"].unique())
    kinds = [k for k in CLASSES if k in set(table["symmetry_class"])]
    readouts = ["map", "gap", "random fc", "symmetric fc"]
    figure = Drawing(
        figsize=(2.6 * len(kinds) + 1.2, 2.5 * len(lights) + 0.6), layout="constrained"
    )
    axes = figure.subplots(len(lights), len(kinds), squeeze=False)
    shown = None
    for row, light in zip(axes, lights, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            one = table[(table["lighting"] == light) & (table["symmetry_class"] == kind)]
            cells = one.pivot_table("exact", "filters", "readout")
            cells = cells.loc[["random", "symmetric"], readouts]
            shown = axis.imshow(cells, vmin=-1, vmax=1, cmap="PuOr", aspect="auto")
            axis.grid(False)
            for (y, x), value in np.ndenumerate(cells.to_numpy()):
                dark = abs(value) > 0.6
                axis.text(x, y, f"{value:.2f}", ha="center", va="center",
                          color="white" if dark else "black")  # fmt: skip
            axis.set_xticks(range(4), ["last conv", "pooled", "random\nfc", "symm.\nfc"])
            axis.set_yticks([0, 1], ["random", "symmetric"] if axis is row[0] else ["", ""])
            axis.set_title(f"{CLASSES[kind]}\n{light} light")
        row[0].set_ylabel("filters")
    assert shown is not None
    figure.colorbar(shown, ax=axes, label="mirror-symmetry index", shrink=0.7)
    pooled = table.query(
        "filters == 'symmetric' and readout == 'gap' and lighting == 'symmetric'"
        " and symmetry_class == 'one_plane'"
    )["exact"].mean()
    figure.suptitle(
        f"Symmetric filters and pooling give {pooled:.2f} for objects with one mirror plane"
    )
    return figure


def face_patch(tables: Tables) -> Drawing:
    """Draw the recorded population: mean RDM over persons, and the index beside its null."""
    summary = tables["face_patch"].set_index("measure")
    figure = Drawing(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    matrix = tables["face_patch_rdm"].pivot(index="yaw", columns="other_yaw", values="distance")
    shown = left.imshow(matrix, cmap="cividis")
    left.grid(False)
    ticks = [f"{yaw:g}" for yaw in matrix.index]
    left.set_xticks(range(len(ticks)), ticks)
    left.set_yticks(range(len(ticks)), ticks)
    left.set(xlabel="yaw (deg)", ylabel="yaw (deg)", title="mean RDM over 25 persons")
    figure.colorbar(shown, ax=left, label="1 - Pearson r")
    null = tables["face_patch_null"]["median_index"]
    right.hist(null, bins=30, color="C7", alpha=0.7, label="views permuted per person")
    raw = summary.loc["raw"]
    right.axvline(equidistant_baseline(5), color="C1", ls=":", label="equidistant views (-0.25)")
    top = right.get_ylim()[1]
    right.errorbar(
        [raw["value"]], [0.6 * top],
        xerr=[[raw["value"] - raw["low"]], [raw["high"] - raw["value"]]],
        fmt="o", color="C0", capsize=4, label="recorded, 95 % BCa over neurons",
    )  # fmt: skip
    right.set(xlabel="median mirror-symmetry index over persons", ylabel="permutations")
    right.set_ylim(0, 1.35 * top)
    right.legend(loc="upper right")
    figure.suptitle(
        f"Face patch AM: index {raw['value']:.2f} [{raw['low']:.2f}, {raw['high']:.2f}],"
        f" {int(raw['n'])} neurons"
    )
    return figure


def given_networks(tables: Tables) -> Drawing:
    """Draw the index over the layers of networks that were given, and of their random twins."""
    table = tables["given"]
    networks = list(table.groupby(["model", "weights"], sort=False))
    figure = Drawing(figsize=(9, 3.2 * len(networks) + 0.6), layout="constrained")
    axes = figure.subplots(len(networks), 1, squeeze=False)[:, 0]
    for axis, ((model, weights), one) in zip(axes, networks, strict=True):
        layers = list(one["layer"].unique())
        for number, (category, rows) in enumerate(one.groupby("category", sort=False)):
            by_object = rows.pivot_table("exact", "object_id", "layer", dropna=False)[layers]
            style = (f"C{number % 6}", "-" if number < 6 else "--", "o" if number < 6 else "s")
            _curve(axis, by_object, *style, str(category))
        axis.axhline(equidistant_baseline(N_VIEWS), color="0.5", ls=":", lw=1)
        names = [layer.rsplit(".", 1)[-1] if len(layer) > 14 else layer for layer in layers]
        axis.set_xticks(range(len(layers)), names, rotation=40, ha="right")
        axis.set(
            title=f"{model}, {Path(weights).name} weights",
            ylabel="mirror-symmetry index",
            ylim=(-1.05, 1.05),
        )
    axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle("Index over the layers of the given networks")
    return figure


def _of_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind == "heads":
        return table[table["set"] == "heads"]
    return table[(table["set"] == "classes") & (table["symmetry_class"] == kind)]


def _lines(
    axis: Axes,
    index: pd.DataFrame,
    policies: Sequence[str],
    value: str,
    style: tuple[str, str, str, str] | None = None,
) -> None:
    for policy in policies:
        rows = index[index["policy"] == policy]
        if rows.empty:
            continue
        label, colour, line, marker = style or POLICIES[policy]
        per_seed = rows.groupby(["seed", "layer"])[value].mean().unstack()[list(DEPTH)]
        _curve(axis, per_seed, colour, line, marker, label)
    axis.axhline(equidistant_baseline(N_VIEWS), color="0.5", ls=":", lw=1)
    axis.set_xticks(range(len(DEPTH)), DEPTH, rotation=60, ha="right")
    axis.set(ylim=(-1.05, 1.05))


def _curve(
    axis: Axes, per_seed: pd.DataFrame, colour: str, line: str, marker: str, label: str
) -> None:
    """Draw the mean over seeds with Student's t interval; few seeds are drawn one by one."""
    x = np.arange(per_seed.shape[1])
    if len(per_seed) < FEWEST_FOR_INTERVAL:
        axis.plot(x, per_seed.mean().to_numpy(), color=colour, ls=line, lw=1.5, label=label)
        for values in per_seed.to_numpy():
            axis.plot(x, values, color=colour, ls="", marker=marker, ms=3.5, alpha=0.7)
        return
    intervals = [t_interval(per_seed[c].dropna().to_numpy()) for c in per_seed]
    mean = np.array([i.estimate for i in intervals])
    reach = np.array([[i.estimate - i.low, i.high - i.estimate] for i in intervals]).T
    axis.errorbar(
        x, mean, yerr=np.nan_to_num(reach), color=colour, ls=line, marker=marker, ms=4,
        capsize=2, lw=1.5, elinewidth=1,
    )  # fmt: skip
    axis.plot([], [], color=colour, ls=line, marker=marker, ms=4, label=label)


def _null_band(axis: Axes, null: pd.DataFrame) -> None:
    rows = null[null["policy"] == "sym"].groupby("layer")[["null_low", "null_high"]].mean()
    rows = rows.reindex(list(DEPTH))
    axis.fill_between(
        range(len(DEPTH)), rows["null_low"], rows["null_high"], color="0.5", alpha=0.25, lw=0
    )


def _view_ticks(axis: Axes, *, bottom: bool, left: bool) -> None:
    marks = [0, 2, 4, 6, 8]
    names = [f"{YAWS[m]:g}" for m in marks]
    axis.set_xticks(marks, names if bottom else [])
    axis.set_yticks(marks, names if left else [])
    if bottom:
        axis.set_xlabel("yaw (deg)")


def _headline_index(tables: Tables) -> str:
    index = tables["index"].query("layer == 'fc1' and set == 'classes' and source != 'cifar10'")
    source = index["source"].iloc[0]
    index = index[index["source"] == source]
    means = index[index["symmetry_class"] == "one_plane"].groupby("policy")["exact"].mean()
    shown = [p for p in ("sym", "orig", "asym", "none") if p in means]
    said = "; ".join(f"{POLICIES[p][0]} {means[p]:+.2f}" for p in shown)
    return f"Index at fc1, objects with one mirror plane, {source}: {said}"


FIGURES = {
    "views": Figure(
        montage,
        "Two objects of each class of symmetry, as the networks see them: grey, on a uniform"
        " background, light symmetric about the camera's vertical plane, luminance matched.",
        ("montage",),
    ),
    "mechanism": Figure(
        mechanism,
        "What filters and pooling do without training. Hand-made networks with random or left-right"
        " symmetric filters, read at the last conv map, after global average pooling, or after a"
        " random or symmetric fully connected layer; the symmetric classes made exactly symmetric."
        " Raw maps are pooled, then units are z-scored within a class; the pooling route of trained"
        " networks pools maps z-scored over the whole set. Mean over seeds and objects.",
        ("mechanism",),
    ),
    "index": Figure(
        index_over_layers,
        "Mirror-symmetry index over depth, by class of symmetry and diet; mean and 95 % interval"
        " (Student's t) over seeds, or the seeds themselves where there are fewer than three."
        " Dotted: equidistant views, -1/8. Grey: 95 % of the null for flips with the same label,"
        " views permuted separately for each object.",
        ("index", "null"),
    ),
    "symmetry": Figure(
        symmetry_over_layers,
        "Equivariance r(f(gx), g f(x)) of conv maps and invariance r(f(x), f(gx)) of all layers,"
        " each unit z-scored within condition; mean and 95 % interval over seeds, or the seeds"
        " themselves where there are fewer than three.",
        ("symmetry",),
    ),
    "distances": Figure(
        distances,
        "Mean correlation distance between the views of an object at the first fully connected"
        " layer, mean over objects and seeds.",
        ("rdms",),
    ),
    "face_patch": Figure(
        face_patch,
        "Recorded macaque face patch AM: 25 persons at five yaws, rates 100-400 ms, each neuron"
        " z-scored over the 125 conditions.",
        ("face_patch", "face_patch_rdm", "face_patch_null"),
    ),
    "given": Figure(
        given_networks,
        "Networks given with their weights, and their random twins: mean index of a category with"
        " 95 % interval (Student's t) over its exemplars, this network only. Dotted: equidistant"
        " views.",
        ("given",),
    ),
}
