"""The figures of `orientation`: circular variances over layers, and their distributions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isocortex.analyses.drawing import name_layers
from isocortex.analyses.orientation_steps import GIVEN, RECORDED, RULES

FEWEST_UNITS = 20
"""Layers with fewer units that answer have no distribution to speak of."""

CROWDED = 40
"""With more layers than this marks are small."""

NAMES = {
    "clip": "negative responses set to 0 (clip)",
    "blanksub": "response to grey subtracted (blanksub)",
}
STYLES = {"clip": ("C0", "o", -0.16), "blanksub": ("C1", "s", 0.16)}
"""Colour, mark and place beside the layer of each response rule."""


def over_layers(tables: Mapping[str, pd.DataFrame], network: str) -> Figure:
    """Draw median and quartiles of circular variance by layer, and the distance from the cells.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What `orientation` gives.
    network : str
        Its name, for the title.
    """
    table = tables["layers"]
    given = table[table["network"] == GIVEN]
    names = list(dict.fromkeys(given["layer"]))
    compared = "reference" in tables
    figure = Figure(figsize=(max(6.5, min(13.0, 3.6 + 0.3 * len(names))), 6.4 if compared else 4.2))
    panels = figure.subplots(2 if compared else 1, 1, sharex=True, squeeze=False)[:, 0]
    _variances(panels[0], given, names, tables.get("reference"))
    if compared:
        _distances(panels[1], table, names, tables["reference"].iloc[0])
    name_layers(panels[-1].xaxis, names)
    panels[-1].set(xlim=(-0.7, len(names) - 0.3), xlabel="layer, in the order in which they answer")
    handles: dict[str, Any] = {}
    for panel in panels:
        drawn, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, drawn, strict=True))
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2)
    _title(figure, headline(tables, network))
    return figure


def distributions(tables: Mapping[str, pd.DataFrame], network: str) -> Figure:
    """Draw the cumulative distribution of circular variance of every layer, one panel a rule.

    Layers with fewer than `FEWEST_UNITS` units are left out.

    Parameters
    ----------
    tables, network
        As for `over_layers`.
    """
    units = tables["units"]
    counts = units.dropna(subset="circular_variance").groupby("layer", sort=False).size()
    names = [name for name, n in counts.items() if n >= len(RULES) * FEWEST_UNITS]
    figure = Figure(figsize=(8.6, 4.2))
    panels = figure.subplots(1, len(RULES), sharey=True)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(names)))
    shares = tables["distributions"]
    cells = shares[shares["network"] == RECORDED]
    for panel, rule in zip(panels, RULES, strict=True):
        for name, colour in zip(names, colours, strict=True):
            chosen = units[(units["layer"] == name) & (units["rule"] == rule)]
            values = np.sort(chosen["circular_variance"].dropna().to_numpy())
            if len(values):
                height = np.arange(1, len(values) + 1) / len(values)
                panel.step(values, height, where="post", color=colour, lw=1.1)
        if len(cells):
            edges = [0.0, *cells["high"]]
            panel.plot(
                edges,
                [0.0, *cells["share"].cumsum()],
                color=mpl.rcParams["text.color"],
                marker="o",
                ms=3.5,
                lw=2.6,
                label=f"{tables['reference']['n_cells'].iloc[0]} recorded V1 cells",
            )
            panel.legend(loc="upper left")
        panel.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="circular variance (0 = one orientation)")
        panel.set_title(NAMES[rule], fontsize=10)
    panels[0].set_ylabel("share of units with less")
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(1, max(len(names), 2)), _until("viridis"))
    bar = figure.colorbar(scale, ax=panels, pad=0.02, aspect=30)
    ends = [1, len(names)] if len(names) > 1 else [1]
    bar.set_ticks(ends, labels=[names[k - 1] for k in ends])
    bar.ax.set_title("layer", fontsize=9)
    _title(figure, _message(tables, network))
    return figure


def headline(tables: Mapping[str, pd.DataFrame], network: str) -> str:
    """Return the message: how near the nearest layer comes to the cells, by each rule.

    Layers with fewer than `FEWEST_UNITS` units are passed over: so few come near by chance.
    """
    if "reference" not in tables:
        return f"{network}: circular variance over layers; recorded cells are absent"
    table = tables["layers"]
    given = table[(table["network"] == GIVEN) & (table["n_units"] >= FEWEST_UNITS)]
    parts = []
    for rule, rows in given.groupby("rule", sort=False):
        best = rows.loc[rows["wasserstein"].idxmin()]
        parts.append(f"{best['layer']} ({rule}, distance {best['wasserstein']:.2f})")
    if not parts:
        return f"{network}: no layer has {FEWEST_UNITS} units that answer gratings"
    n = given["layer"].nunique()
    where = " and ".join(parts)
    return f"{network}: circular variance comes nearest to V1 cells in {where}, of {n} layers"


def _message(tables: Mapping[str, pd.DataFrame], network: str) -> str:
    table = tables["layers"]
    given = table[(table["network"] == GIVEN) & (table["n_units"] >= FEWEST_UNITS)]
    medians = given.groupby("rule", sort=False)["cv_median"].agg(["min", "max"])
    spans = [f"{row['min']:.2f} to {row['max']:.2f} ({rule})" for rule, row in medians.iterrows()]
    text = f"{network}: median circular variance of layers from {' and '.join(spans)}"
    if "reference" in tables:
        text += f"; median of V1 cells {tables['reference']['cv_median'].iloc[0]:.2f}"
    return text


def _title(figure: Figure, text: str) -> None:
    """Put the message above all, in as many lines as the width asks for."""
    width = int(12 * figure.get_figwidth())
    figure.suptitle(textwrap.fill(text, width), x=0.02, ha="left", fontsize=11)


def _variances(
    axes: Axes, given: pd.DataFrame, names: list[str], reference: pd.DataFrame | None
) -> None:
    if reference is not None:
        row = reference.iloc[0]
        axes.axhspan(row["cv_q25"], row["cv_q75"], color="0.5", alpha=0.18, lw=0)
        axes.axhline(
            row["cv_median"],
            color="0.35",
            lw=1.4,
            label=f"{row['n_cells']} V1 cells: median, quartiles (band)",
        )
    for rule, (colour, mark, shift) in STYLES.items():
        rows = given[given["rule"] == rule].set_index("layer").loc[names]
        x = np.arange(len(names)) + shift
        axes.vlines(x, rows["cv_q25"], rows["cv_q75"], color=colour, lw=2.2, alpha=0.65)
        axes.plot(x, rows["cv_median"], mark, color=colour, ms=_size(names), label=NAMES[rule])
    axes.set(ylim=(-0.02, 1.02), ylabel="circular variance\n(median, quartiles)")


def _distances(axes: Axes, table: pd.DataFrame, names: list[str], reference: pd.Series) -> None:
    axes.axhspan(
        0, reference["floor_p95"], color="0.5", alpha=0.18, lw=0,
        label="halves of the cells among themselves (up to 95 %)",
    )  # fmt: skip
    twins = table[table["network"].str.startswith("random")]
    for rule, (colour, mark, shift) in STYLES.items():
        rows = table[(table["network"] == GIVEN) & (table["rule"] == rule)]
        rows = rows.set_index("layer").loc[names]
        x = np.arange(len(names)) + shift
        axes.vlines(
            x, rows["wasserstein_low"], rows["wasserstein_high"], color=colour, lw=1.4, alpha=0.8
        )
        axes.plot(x, rows["wasserstein"], mark, color=colour, ms=_size(names))
        other = twins[twins["rule"] == rule].groupby("layer")["wasserstein"].mean()
        if len(other):
            axes.plot(
                x + np.sign(shift) * 0.14,
                other.reindex(names),
                mark,
                mfc="none",
                color=colour,
                ms=0.9 * _size(names),
                label=f"random weights ({rule})",
            )
    top = table[["wasserstein", "wasserstein_high"]].max().max()
    axes.set(ylim=(0, max(0.1, 1.06 * top)), ylabel="Wasserstein-1 distance\nfrom V1 cells (95 %)")


def _size(names: list[str]) -> float:
    """Return the size of a mark in points."""
    return 5.0 if len(names) <= CROWDED else 3.0


def _until(name: str) -> mpl.colors.Colormap:
    """Return a colour map without its lightest end."""
    colours = mpl.colormaps[name](np.linspace(0, 0.9, 256))
    return mpl.colors.ListedColormap(colours)
