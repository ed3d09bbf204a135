"""The figures of `compare`: CKA of all pairs of layers, and RSA over layers below its ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isocortex.analyses.compare_steps import CHOSEN, GIVEN, PIXELS
from isocortex.analyses.drawing import curve, name_layers, point

COMPARED = {
    "pearson": "Pearson r",
    "spearman": "Spearman r",
    "tau_a": "Kendall's tau-a",
    "cosine": "cosine",
}
"""What the comparisons of RDMs are called on an axis."""


def cka_of_layers(tables: Mapping[str, pd.DataFrame], names: Sequence[str]) -> Figure:
    """Draw the CKA of every layer of one network with every layer of another.

    Pairs whose CKA is not above that of permuted stimuli are marked.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What `compare_networks` gives.
    names : sequence of str
        Of the two networks.
    """
    table = tables["cka"]
    layers = [list(dict.fromkeys(table[f"layer_{side}"])) for side in "ab"]
    shape = tuple(map(len, layers))
    values = table["cka"].to_numpy().reshape(shape)
    chance = (table["cka"] <= table["null_high"]).to_numpy().reshape(shape)
    height, width = (max(3.0, min(9.0, 0.16 * n)) for n in shape)
    figure = Figure(figsize=(width + 3.2, height + 2.6))
    axes = figure.subplots()
    low = min(0.0, float(np.nanmin(values)))
    shown = axes.imshow(values, vmin=low, vmax=1.0, cmap="cividis", aspect="auto", origin="lower")
    rows, columns = np.nonzero(chance)
    if len(rows):
        axes.plot(columns, rows, "x", color="w", ms=3, mew=0.8)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    name_layers(axes.yaxis, layers[0])
    name_layers(axes.xaxis, layers[1])
    axes.set(ylabel=f"layer of {names[0]}", xlabel=f"layer of {names[1]}")
    figure.colorbar(shown, ax=axes, label="linear CKA", shrink=0.8)
    if len(rows):
        figure.text(0.01, 0.01, "×  not above permuted stimuli (97.5 %)", fontsize=9)
    figure.suptitle(cka_headline(tables), x=0.02, ha="left", fontsize=11)
    return figure


def cka_headline(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the message of the figure: the median of pairs, and the chance that they share."""
    table = tables["cka"]
    pairs = table[(table["layer_a"] != PIXELS) & (table["layer_b"] != PIXELS)]
    pairs = pairs.dropna(subset=["cka"])
    if pairs.empty:
        return "CKA of layers: no layer of one of the networks varies over the stimuli"
    alike = float(pairs["cka"].median())
    highest = pairs.loc[pairs["cka"].idxmax()]
    return (
        f"CKA of layers: median {alike:.2f} over pairs, highest {highest['cka']:.2f}\n"
        f"({highest['layer_a']} with {highest['layer_b']})\n"
        f"{table['n_stimuli'].iloc[0]} stimuli; {pairs['null_mean'].median() + 0.0:.2f} where "
        "they are exchanged"
    )


def rsa_over_layers(tables: Mapping[str, pd.DataFrame], network: str) -> Figure:
    """Draw the score of each layer with the brain, its controls, its null and the ceilings.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        What `compare_brain` gives.
    network : str
        Its name, for the title.
    """
    scores, ceilings = tables["scores"], tables["ceilings"]
    given = scores[(scores["network"] == GIVEN) & (scores["layer"] != CHOSEN)]
    names = list(dict.fromkeys(given["layer"]))
    regions = list(ceilings["region"])
    width = max(7.0, min(13.0, 3.2 + 0.22 * len(names)))
    figure = Figure(figsize=(width, 3.1 * len(regions) + 1.6))
    rows = figure.subplots(len(regions), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (_, ceiling) in zip(rows, ceilings.iterrows(), strict=True):
        part = scores[scores["region"] == ceiling["region"]]
        _panel(axes, part, ceiling, names)
        axes.set_title(rsa_headline(tables, ceiling["region"]))
    name_layers(rows[-1].xaxis, names, {len(names) + 0.5: "chosen by\nother subjects"})
    rows[-1].set_xlabel("layer, in the order in which they answer")
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(f"{network}, beside human cortex")
    return figure


def rsa_headline(tables: Mapping[str, pd.DataFrame], region: str) -> str:
    """Return the message of a region: the layer chosen without bias, controls and the ceiling."""
    scores, ceilings = tables["scores"], tables["ceilings"].set_index("region")
    part = scores[scores["region"] == region].set_index(["network", "layer"])["score"]
    first, said = region, []
    if (GIVEN, CHOSEN) in part.index:
        first += f": {part[GIVEN, CHOSEN]:.2f} at the layer that other subjects choose"
    random = [
        part[name] for name in part.index if name[0].startswith("random") and name[1] == CHOSEN
    ]
    if random:
        said.append(f"random weights {np.mean(random) + 0.0:.2f}")
    if np.isfinite(part[PIXELS, ""]):
        said.append(f"pixels {part[PIXELS, '']:.2f}")
    row = ceilings.loc[region]
    said.append(f"ceiling {row['lower']:.2f} to {row['upper']:.2f}")
    return f"{first}\n{', '.join(said)}"


def _panel(axes: Axes, part: pd.DataFrame, ceiling: pd.Series, names: list[str]) -> None:
    end = len(names) + 1.0
    axes.axhspan(
        ceiling["lower"], ceiling["upper"], color="0.55", alpha=0.35, lw=0, label="noise ceiling"
    )
    given = part[part["network"] == GIVEN].set_index("layer")
    null = given.loc[names]
    x = np.arange(len(names))
    axes.plot(x, null["null_high"], ":", color="0.4", lw=1.2, label="permuted stimuli, 97.5 %")
    pixels = part[part["network"] == PIXELS].iloc[0]
    axes.axhspan(pixels["low"], pixels["high"], color="C2", alpha=0.15, lw=0)
    axes.axhline(pixels["score"], color="C2", ls="--", lw=1.4, label="pixels")
    random = part[part["network"].str.startswith("random")]
    if len(random):
        several = random["network"].nunique()
        label = "random weights" if several == 1 else f"random weights, mean of {several}"
        mean = random.groupby("layer")[["score", "low", "high"]].mean()
        curve(axes, mean.loc[names], "score", "C1", "s", label)
        if CHOSEN in mean.index:
            point(axes, len(names) + 0.65, mean.loc[CHOSEN], "score", "C1", "s")
    curve(axes, given.loc[names], "score", "C0", "o", "network")
    if CHOSEN in given.index:
        point(axes, len(names) + 0.35, given.loc[CHOSEN], "score", "C0", "o")
    axes.axvline(len(names) - 0.2, color="0.6", lw=0.8)
    axes.axhline(0.0, color="0.5", lw=0.8)
    axes.set(xlim=(-0.6, end), ylabel=f"mean {COMPARED[ceiling['method']]}\nover subjects")
