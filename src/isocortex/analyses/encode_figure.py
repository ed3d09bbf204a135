"""The figure of `encode`: scores over layers, beside controls and ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isocortex.analyses.drawing import curve, name_layers, point
from isocortex.analyses.encode_tables import GIVEN, NESTED


def scores_over_layers(tables: Mapping[str, pd.DataFrame], network: str, recording: str) -> Figure:
    """Draw the score of each layer with its interval, random weights, pixels and the ceiling.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What `encode` gives.
    network, recording : str
        Their names, for the title.
    """
    table = tables["layers"]
    given = table[(table["network"] == GIVEN) & (table["layer"] != NESTED)]
    names = given["layer"].to_list()
    figure = Figure(figsize=(max(6.5, min(13.0, 3.2 + 0.26 * len(names))), 4.6))
    axes = figure.subplots()
    end = len(names) + 0.6
    _ceiling(axes, given, end)
    for style, (name, row) in zip(
        ("--", ":"), table[table["layer"] == ""].groupby("network", sort=False), strict=False
    ):
        axes.plot([-0.6, end + 0.2], [row["r"].iloc[0]] * 2, style, color="C3", label=name)
    twins = table[table["network"].str.startswith("random")]
    if len(twins):
        by_layer = twins.groupby("layer")[["r", "low", "high"]].mean()
        several = twins["network"].nunique()
        label = "random weights" if several == 1 else f"random weights, mean of {several}"
        curve(axes, by_layer.loc[names], "r", "C1", "s", label)
        point(axes, end - 0.4, by_layer.loc[NESTED], "r", "C1", "s")
    curve(axes, given, "r", "C0", "o", "network")
    nested = table[(table["network"] == GIVEN) & (table["layer"] == NESTED)].iloc[0]
    point(axes, end - 0.6, nested, "r", "C0", "o")
    name_layers(axes.xaxis, names, {end - 0.5: "chosen in\ntraining data"})
    axes.axvline(len(names) - 0.4, color="0.6", lw=0.8)
    axes.set(xlim=(-0.6, end + 0.2), ylabel="correlation r with recorded responses")
    low = min(0.0, float(np.nanmin(table["low"])) - 0.02)
    axes.set_ylim(low, None)
    axes.set_xlabel("layer, in order of depth; bands and bars: 95 % over neuroids and stimuli")
    axes.set_title(headline(tables, network, recording))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def headline(tables: Mapping[str, pd.DataFrame], network: str, recording: str) -> str:
    """Return the message of the figure: the nested choice, its controls, the ceiling."""
    table = tables["layers"].set_index(["network", "layer"])["r"]
    parts = [
        f"random weights {table[name, NESTED]:.2f}"
        for name in table.index.get_level_values(0).unique()
        if name == "random 1"
    ]
    parts += [f"{name} {r:.2f}" for (name, layer), r in table.items() if layer == ""][:1]
    if "ceilings" in tables:
        parts.append(f"ceiling {tables['layers']['ceiling'].iloc[0]:.2f}")
    first = f"{network} predicts {recording} with r = {table[GIVEN, NESTED]:.2f}"
    return f"{first}\n{', '.join(parts)}" if parts else first


def _ceiling(axes: Axes, given: pd.DataFrame, end: float) -> None:
    if "ceiling" not in given or not np.isfinite(given["ceiling"].iloc[0]):
        return
    row = given.iloc[0]
    axes.fill_between(
        [-0.6, end + 0.2],
        row["ceiling_low"],
        row["ceiling_high"],
        color="0.6",
        alpha=0.35,
        lw=0,
        label="ceiling",
    )
    axes.plot([-0.6, end + 0.2], [row["ceiling"]] * 2, color="0.5", lw=1.2)
