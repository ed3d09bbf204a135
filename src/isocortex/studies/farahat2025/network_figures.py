"""Figures of networks by themselves: complexity, orientation selectivity, textures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from isocortex.studies.base import Tables
from isocortex.studies.farahat2025.drawing import ACTIVATIONS, headline, interval, named, ordered
from isocortex.studies.farahat2025.evidence import DEPTH

RULES = {"clip": "negatives clipped", "blanksub": "grey subtracted, clipped"}


def selectivity(tables: Tables) -> Drawing:
    """Draw distributions of circular variance beside that of recorded cells."""
    table = tables["selectivity"]
    table = table[table["block"] == DEPTH]
    cells = tables.get("recorded_cells")
    figure = Drawing(figsize=(9.4, 4.3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, rule in zip(axes, RULES, strict=True):
        rows = table[table["rule"] == rule]
        for (arm, name), each in rows.groupby(["arm", "configuration"]):
            values = each["circular_variance"].dropna()
            if not len(values) or not name.endswith("avg"):
                continue
            label, colour, _ = ACTIVATIONS[name.split("-")[0]]
            axis.ecdf(values, color=colour, lw=1.4, ls="-" if arm == "random" else "--",
                      label=f"{label}, {arm}")  # fmt: skip
        if cells is not None:
            axis.ecdf(cells["circular_variance"], color="0.25", lw=3, label="V1 cells")
        axis.set(title=f"Rule: {RULES[rule]}", xlabel="circular variance (0 = one orientation)",
                 xticks=np.arange(0, 1, 0.2),
                 xlim=(0, 1))  # fmt: skip
    axes[0].set_ylabel("share of units or cells below")
    handles = {h.get_label(): h for a in axes for h in a.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside right center")
    headline(figure, _selectivity_title(tables))
    return figure


def _selectivity_title(tables: Tables) -> str:
    if "selectivity_distances" not in tables:
        return f"Orientation selectivity of block {DEPTH} (no recorded cells)"
    rows = tables["selectivity_distances"].query("block == @DEPTH and rule == 'blanksub'")
    mean = rows.groupby(["arm", "configuration"])["wasserstein"].mean().dropna().sort_values()
    (arm, name), value = mean.index[0], mean.iloc[0]
    return f"Nearest to V1 cells (grey subtracted): {arm} {named(name)}, distance {value:.2f}"


def textures(tables: Tables) -> Drawing:
    """Draw accuracies of texture and digit for each network."""
    table = tables["textures"]
    table = table[table["source"] == table["source"].iloc[0]]
    kinds = list(dict.fromkeys(table.query("readout != 'leak'")["readout"]))
    titles = {"means": "channel means (i)", "means_sds": "means and SDs (ii)",
              "flat": "whole map (iii)"}  # fmt: skip
    labels = [(label, k) for label in ("texture", "digit") for k in kinds
              if len(table.query("label == @label and readout == @k"))]  # fmt: skip
    figure = Drawing(figsize=(3.2 * len(labels) + 3.0, 4.2), layout="constrained")
    axes = figure.subplots(1, len(labels), squeeze=False, sharey=True)[0]
    names = ordered([n for n in table["configuration"].unique() if n.split("-")[0] in ACTIVATIONS])
    at = {name: len(names) - 1 - k for k, name in enumerate(names)}
    for axis, (label, kind) in zip(axes, labels, strict=True):
        rows = table[(table["label"] == label) & (table["readout"] == kind)]
        for (name, arm), each in rows.groupby(["configuration", "arm"]):
            _, colour, marker = ACTIVATIONS[name.split("-")[0]]
            y = at[name] - (0.3 if arm != "random" else 0.0)
            mean, half = interval(each["accuracy"].to_numpy())
            axis.plot(each["accuracy"], [y] * len(each), ls="", marker=marker, ms=4, color=colour,
                      alpha=0.4, mew=0)  # fmt: skip
            axis.errorbar(
                mean,
                y,
                xerr=None if np.isnan(half) else half,
                color=colour,
                capsize=2,
                marker=marker,
                ms=6,
                lw=1.2,
                mfc=colour if arm == "random" else "none",
            )
            if arm != "random":
                axis.annotate("trained", (mean, y), xytext=(7, 0), textcoords="offset points",
                              va="center", fontsize=8)  # fmt: skip
        axis.axvline(0.1, color="0.5", ls=":", lw=1.2)
        leak = table.query("label == @label and readout == 'leak'")["accuracy"]
        if len(leak):
            axis.axvspan(leak.min(), leak.max(), color="0.5", alpha=0.25, lw=0)
        axis.set(title=f"{label}, {titles[kind]}", xlabel="share right, unseen images")
        axis.margins(x=0.12)
    axes[0].set_yticks(list(at.values()), [named(n) for n in at])
    headline(figure, _textures_title(table))
    return figure


def _textures_title(table: pd.DataFrame) -> str:
    rows = table.query("label == 'texture' and readout == 'means' and arm == 'random'")
    mean = rows.groupby("configuration")["accuracy"].mean().sort_values()
    return (
        f"Texture-MNIST ({table['source'].iloc[0]}): best random network"
        f" {named(mean.index[-1])}, {mean.iloc[-1]:.2f}; chance .10"
    )


def nonlinearity(tables: Tables) -> Drawing:
    """Draw the complexity of every configuration, block by block, and against the gain."""
    table = tables["complexity"]
    table = table[table["arm"] == "random"]
    grid_ = table[table["in_grid"]]
    names = ordered(grid_["configuration"].unique())
    gains = table["gain"].nunique() > 1
    figure = Drawing(
        figsize=(10.5 if gains else 7.4, 1.6 + 0.28 * len(names)), layout="constrained"
    )
    ratios = [1.5, 1.0] if gains else [1.0]
    axes = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    at = {name: len(names) - 1 - k for k, name in enumerate(names)}
    for block, rows in grid_.groupby("block"):
        for name, each in rows.groupby("configuration"):
            mean, half = interval(each["c_lin"].to_numpy())
            y = at[name] + 0.22 * (2 - block)
            axes[0].errorbar(mean, y, xerr=None if np.isnan(half) else half, ls="", capsize=2,
                             marker="os^Dv"[(block - 1) % 5], ms=5, color=f"C{block - 1}",
                             label=f"block {block}")  # fmt: skip
    axes[0].set_yticks(list(at.values()), [named(n) for n in at])
    axes[0].set(xlabel="C_lin: share of variance not linear in pixels", xlim=(-0.03, 1.03))
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes[0].legend(unique.values(), unique.keys(), loc="lower right")
    if gains:
        first = table[(table["block"] == 1) & (table["seed"] == 0)]
        for name, each in first[first["configuration"].str.endswith("-avg")].groupby(
            "configuration"
        ):
            label, colour, marker = ACTIVATIONS[name.split("-")[0]]
            each = each.sort_values("gain")
            axes[1].plot(each["gain"], each["c_lin"], color=colour, marker=marker, label=label)
        axes[1].set(xscale="log", xlabel="gain: SD of pre-activations", ylabel="C_lin, block 1",
                    title="Average pooling, one seed")  # fmt: skip
        axes[1].set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
        axes[1].minorticks_off()
        axes[1].legend(ncols=2)
    source = grid_[grid_["block"] == 1].groupby("configuration")["c_lin"].mean()
    headline(
        figure,
        f"Least complex: {named(source.idxmin())} ({source.min():.2f}); most:"
        f" {named(source.idxmax())} ({source.max():.2f}), block 1, gain 1",
    )
    return figure
