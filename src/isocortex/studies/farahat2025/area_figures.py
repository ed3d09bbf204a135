"""Figures of networks against areas: the grid, training, responses, complexity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from isocortex.studies.base import Tables
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.claims import CEILING, SESSIONS
from isocortex.studies.farahat2025.drawing import ACTIVATIONS, headline, interval, named, ordered
from isocortex.studies.farahat2025.own_areas import is_own
from isocortex.studies.farahat2025.regressions import area_label, known_areas

SHUFFLES = {
    "S1": "S1 kernels", "S2": "S2 filters", "S3": "S3 layers", "S4": "S4 channels",
    "S5": "S5 Gaussian",
}  # fmt: skip


def scores(tables: Tables) -> pd.DataFrame:
    """Return one row a network and area: mean score over cells, neurons or subjects."""
    parts = []
    if "encoding" in tables:
        table = tables["encoding"]
        area = table["area"].where(~table["area"].isin(SESSIONS), "V4")
        explained = area.str.endswith("-sim") | area.map(is_own)
        score = table["r"].where(~explained, table["fev"])
        parts.append(table.assign(area=area, score=score))
    if "rsa" in tables:
        last = tables["rsa"][tables["rsa"]["last"]]
        parts.append(last.assign(area=last["region"], score=last["rho"]))
    keys = ["area", "configuration", "arm", "norm", "seed"]
    return pd.concat(parts).groupby(keys, sort=False)["score"].mean().reset_index()


def grid(tables: Tables) -> Drawing:
    """Draw the scores of random networks, activation by pooling, for each area."""
    table = scores(tables)
    random = table[(table["arm"] == "random") & (table["norm"] == "gain")]
    areas = known_areas(random["area"].unique())
    figure = Drawing(
        figsize=(2.3 * len(areas) + 1.6, 1.6 + 0.22 * max(8, random["configuration"].nunique())),
        layout="constrained",
    )
    axes = figure.subplots(1, len(areas), squeeze=False, sharey=True)[0]
    names = ordered(random["configuration"].unique())
    at = {name: len(names) - 1 - k for k, name in enumerate(names)}
    for axis, area in zip(axes, areas, strict=True):
        rows = random[random["area"] == area]
        for name, each in rows.groupby("configuration"):
            activation = name.split("-")[0]
            _, colour, marker = ACTIVATIONS[activation]
            mean, half = interval(each["score"].to_numpy())
            axis.plot(each["score"], [at[name]] * len(each), ls="", marker=marker, ms=4,
                      color=colour, alpha=0.4, mew=0)  # fmt: skip
            axis.errorbar(mean, at[name], xerr=None if np.isnan(half) else half, color=colour,
                          marker=marker, ms=6, capsize=2, lw=1.2)  # fmt: skip
        floor = table[(table["area"] == area) & (table["arm"] == "pixels")]["score"]
        if len(floor):
            axis.axvline(float(floor.iloc[0]), color="0.5", ls=":", lw=1.2)
        axis.set(title=area_label(area), xlabel=unit(area))
        axis.set_yticks(list(at.values()), [named(n) for n in at])
        axis.margins(x=0.12)
    headline(figure, _grid_title(random, areas))
    return figure


def unit(area: str) -> str:
    """Return the axis label of an area's score."""
    if area in CEILING:
        return "ρ with subjects' RDMs"
    return "FEV" if area.endswith("-sim") or is_own(area) else "r, held out"


def _grid_title(random: pd.DataFrame, areas: Sequence[str]) -> str:
    said = []
    for area in areas:
        mean = random[random["area"] == area].groupby("configuration")["score"].mean()
        if {"relu-avg", "identity-avg"} <= set(mean.index):
            said.append(f"{area_label(area)} {mean['relu-avg'] - mean['identity-avg']:+.2f}")
    return "Random networks; ReLU less identity (average pooling): " + ", ".join(said)


def training(tables: Tables) -> Drawing:
    """Draw gains from object training, and drops by shuffles, for each area."""
    table = scores(tables)
    table = table[(table["norm"] == "bn") & (table["configuration"] == "relu-max")]
    names = set(table["area"])
    areas = [*known_areas(names), *(["it-sim"] if "it-sim" in names else [])]
    areas = [a for a in areas if "trained" in set(table[table["area"] == a]["arm"])]
    arms = [a for a in ("random", *SHUFFLES) if a in set(table["arm"])]
    figure = Drawing(figsize=(1.9 * len(areas) + 3.4, 3.9), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / max(1, len(arms))
    titles = {"random": "random twin", **SHUFFLES}
    for k, arm in enumerate(arms):
        for place, area in enumerate(areas):
            wide = table[table["area"] == area].pivot_table("score", "seed", "arm")
            if arm not in wide or "trained" not in wide:
                continue
            values = ((wide["trained"] - wide[arm]) / CEILING.get(area, 1.0)).dropna().to_numpy()
            x = place + (k - (len(arms) - 1) / 2) * width
            mean, half = interval(values)
            axis.bar(x, mean, width * 0.92, color=f"C{k}", label=titles[arm] if not place else None)
            axis.plot([x] * len(values), values, ls="", marker="o", ms=2.5, color="0.4")
            if not np.isnan(half):
                axis.errorbar(x, mean, yerr=half, color="0.4", capsize=2, lw=1)
    axis.axhline(0, color="0.5", lw=0.8)
    axis.set_xticks(
        range(len(areas)),
        [
            area_label(a) + (", over its\nceiling (ρ)" if a in CEILING else f"\n({unit(a)})")
            for a in areas
        ],
    )
    axis.set_ylabel("score of the trained network,\nless that of the other")
    figure.legend(loc="outside right center", title="other network")
    headline(figure, _training_title(table, areas))
    return figure


def _training_title(table: pd.DataFrame, areas: Sequence[str]) -> str:
    said = []
    for area in [a for a in areas if a in CEILING]:
        wide = table[table["area"] == area].pivot_table("score", "seed", "arm")
        if {"trained", "random"} <= set(wide):
            gain = (wide["trained"] - wide["random"]).mean() / CEILING[area]
            said.append(f"{gain:+.2f} in {area_label(area)}")
    if not said:
        return "What training on objects adds, and what shuffled weights lose (ReLU, max)"
    return "Training on objects adds " + ", ".join(said) + " (ρ over ceiling; ReLU, max)"


def responses(tables: Tables) -> Drawing:
    """Draw what trained kernels add to frozen ones where networks learn from the responses."""
    table = tables["neural"].groupby(["area", "configuration", "seed", "frozen"])["r"].mean()
    wide = table.unstack("frozen").reset_index()
    areas = sorted(wide["area"].unique(), key=lambda area: (area != TANG, area))
    names = {a: ordered(wide[wide["area"] == a]["configuration"].unique()) for a in areas}
    widths = [max(1.6, len(names[a])) for a in areas]
    figure = Drawing(figsize=(1.0 * sum(widths) + 1.4, 3.9), layout="constrained")
    axes = figure.subplots(1, len(areas), squeeze=False, sharey=True, width_ratios=widths)[0]
    for axis, area in zip(axes, areas, strict=True):
        rows = wide[wide["area"] == area]
        for place, name in enumerate(names[area]):
            each = rows[rows["configuration"] == name]
            _, colour, marker = ACTIVATIONS[name.split("-")[0]]
            for _, seed in each.iterrows():
                axis.plot([place - 0.2, place + 0.2], [seed[True], seed[False]], color=colour,
                          lw=1, alpha=0.45)  # fmt: skip
            for x, frozen in ((place - 0.2, True), (place + 0.2, False)):
                mean, half = interval(each[frozen].to_numpy())
                axis.errorbar(x, mean, yerr=None if np.isnan(half) else half, marker=marker,
                              color=colour, ms=6, capsize=2, lw=1.2,
                              mfc="white" if frozen else colour)  # fmt: skip
        labels = [named(name).replace(", ", "\n") for name in names[area]]
        axis.set_xticks(range(len(labels)), labels)
        axis.set(xlim=(-0.6, len(labels) - 0.4), title=area_label(area))
    axes[0].set_ylabel("r, held out (mean over neurons)")
    change = (wide[False] - wide[True]).groupby(wide["area"]).mean()
    said = ", ".join(f"{area_label(a)} {change[a]:+.2f}" for a in areas)
    headline(figure, f"Kernels trained on the responses, less frozen ones: {said}")
    return figure


def complexity(tables: Tables) -> Drawing:
    """Draw scores against complexity over configurations, with R2, for each area."""
    table = tables["points"]
    areas = [a for a in known_areas(table.columns) if table[a].notna().sum() >= 2]
    measures = {"c_lin": "C_lin, block 1", "e_even": "evenness, block 1"}
    figure = Drawing(figsize=(2.5 * len(areas) + 1.0, 5.6), layout="constrained")
    axes = figure.subplots(len(measures), len(areas), squeeze=False, sharey="col", sharex="row")
    for row, (measure, label) in zip(axes, measures.items(), strict=True):
        for axis, area in zip(row, areas, strict=True):
            for _, point in table.dropna(subset=[measure, area]).iterrows():
                activation, _, pooling = point["configuration"].partition("-")
                name, colour, marker = ACTIVATIONS[activation]
                axis.plot(point[measure], point[area], ls="", marker=marker, ms=6, color=colour,
                          mfc=colour if pooling == "max" else "none", label=name)  # fmt: skip
            axis.set_title(f"{area_label(area)}\n{_r2(tables['regressions'], area, measure)}")
            axis.set_ylabel(unit(area))
            axis.set_xlabel(label)
            axis.margins(0.12)
    handles = {h.get_label(): h for a in axes.flat for h in a.get_lines()}
    handles = {k: h for k, h in handles.items() if not k.startswith("_")}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center",
                  ncols=len(handles))  # fmt: skip
    headline(figure, "One point a random configuration; filled: max pooling")
    return figure


def _r2(regressions: pd.DataFrame, area: str, measure: str) -> str:
    if regressions.empty:
        return ""
    row = regressions.query("area == @area and measure == @measure and blocks == '1'")
    if row.empty:
        return "too few points"
    first = row.iloc[0]
    return f"R² = {first['r2']:.2f} [{first['low']:.2f}, {first['high']:.2f}]"
