"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from isocortex.statistics import t_interval
from isocortex.studies.base import Figure, Tables
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.claims import CEILING, SESSIONS
from isocortex.studies.farahat2025.evidence import DEPTH
from isocortex.studies.farahat2025.regressions import AREAS

FEWEST_FOR_INTERVAL = 3
ACTIVATIONS = {
    "identity": ("identity", "C7", "X"),
    "tanh": ("tanh", "C0", "^"),
    "sigmoid": ("sigmoid", "C5", "v"),
    "softplus": ("softplus", "C3", "D"),
    "elu": ("ELU", "C4", "P"),
    "relu": ("ReLU", "C1", "o"),
    "abs": ("abs", "C2", "s"),
    "leaky": ("leaky ReLU", "C6", "<"),
    "gelu": ("GELU", "C8", ">"),
}
"""Activation -> name, colour and marker."""

POOLINGS = {"avg": "average", "max": "max", "none": "none", "l2": "L2", "blur": "blur"}
RULES = {"clip": "negatives clipped", "blanksub": "grey subtracted, clipped"}
SHUFFLES = {
    "S1": "S1 kernels", "S2": "S2 filters", "S3": "S3 layers", "S4": "S4 channels",
    "S5": "S5 Gaussian",
}  # fmt: skip


def headline(figure: Drawing, text: str) -> None:
    """Put the message above a figure, in lines that fit its width."""
    figure.suptitle(textwrap.fill(text, round(11.5 * figure.get_figwidth())))


def named(configuration: str) -> str:
    """Return ``relu-avg`` as ``ReLU, average``."""
    activation, _, pooling = configuration.partition("-")
    if pooling not in POOLINGS:
        return configuration
    return f"{ACTIVATIONS[activation][0]}, {POOLINGS[pooling]}"


def ordered(configurations: Sequence[str]) -> list[str]:
    """Return configurations in the order of poolings, then activations."""
    known = list(ACTIVATIONS)

    def place(name: str) -> tuple[int, int]:
        activation, _, pooling = name.partition("-")
        return list(POOLINGS).index(pooling), known.index(activation)

    return sorted(configurations, key=place)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return mean and half-width of Student's t interval; NaN half-width for few values."""
    found = t_interval(values, nan="drop")
    wide = len(values) >= FEWEST_FOR_INTERVAL and found.defined
    return found.estimate, (found.high - found.estimate) if wide else np.nan


def scores(tables: Tables) -> pd.DataFrame:
    """Return one row a network and area: mean score over cells, neurons or subjects."""
    parts = []
    if "encoding" in tables:
        table = tables["encoding"]
        area = table["area"].where(~table["area"].isin(SESSIONS), "V4")
        score = table["r"].where(~area.str.endswith("-sim"), table["fev"])
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
    areas = [a for a in AREAS if a in set(random["area"])]
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
        axis.set(title=AREAS[area], xlabel=unit(area))
        axis.set_yticks(list(at.values()), [named(n) for n in at])
        axis.margins(x=0.12)
    headline(figure, _grid_title(random, areas))
    return figure


def unit(area: str) -> str:
    """Return the axis label of an area's score."""
    if area in CEILING:
        return "ρ with subjects' RDMs"
    return "FEV" if area.endswith("-sim") else "r, held out"


def _grid_title(random: pd.DataFrame, areas: Sequence[str]) -> str:
    said = []
    for area in areas:
        mean = random[random["area"] == area].groupby("configuration")["score"].mean()
        if {"relu-avg", "identity-avg"} <= set(mean.index):
            said.append(f"{AREAS[area]} {mean['relu-avg'] - mean['identity-avg']:+.2f}")
    return "Random networks; ReLU less identity (average pooling): " + ", ".join(said)


def training(tables: Tables) -> Drawing:
    """Draw gains from object training, and drops by shuffles, for each area."""
    table = scores(tables)
    table = table[(table["norm"] == "bn") & (table["configuration"] == "relu-max")]
    areas = [a for a in (TANG, "V4", "EVC", "IT", "v1-sim", "it-sim") if a in set(table["area"])]
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
    labels = {**AREAS, "it-sim": "simulated IT"}
    axis.set_xticks(
        range(len(areas)),
        [
            labels[a] + (", over its\nceiling (ρ)" if a in CEILING else f"\n({unit(a)})")
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
            said.append(f"{gain:+.2f} in {AREAS[area]}")
    if not said:
        return "What training on objects adds, and what shuffled weights lose (ReLU, max)"
    return "Training on objects adds " + ", ".join(said) + " (ρ over ceiling; ReLU, max)"


def responses(tables: Tables) -> Drawing:
    """Draw what trained kernels add to frozen ones where networks learn from the responses."""
    table = tables["neural"].groupby(["area", "configuration", "seed", "frozen"])["r"].mean()
    wide = table.unstack("frozen").reset_index()
    areas = list(wide["area"].unique())
    figure = Drawing(figsize=(3.4 * len(areas) + 1.2, 3.6), layout="constrained")
    axes = figure.subplots(1, len(areas), squeeze=False)[0]
    for axis, area in zip(axes, areas, strict=True):
        rows = wide[wide["area"] == area]
        names = ordered(rows["configuration"].unique())
        for place, name in enumerate(names):
            each = rows[rows["configuration"] == name]
            _, colour, marker = ACTIVATIONS[name.split("-")[0]]
            for _, seed in each.iterrows():
                axis.plot([place - 0.15, place + 0.15], [seed[True], seed[False]], color=colour,
                          marker=marker, ms=5, lw=1.2)  # fmt: skip
        ticks = [p + d for p in range(len(names)) for d in (-0.15, 0.15)]
        axis.set_xticks(ticks, ["frozen", "trained"] * len(names), rotation=60, ha="right")
        for place, name in enumerate(names):
            axis.annotate(named(name).replace(", ", "\n"), (place, 0.99), ha="center", va="top",
                          xycoords=("data", "axes fraction"), fontsize=8)  # fmt: skip
        low, high = axis.get_ylim()
        axis.set(ylim=(low, high + 0.3 * (high - low)), xlim=(-0.6, len(names) - 0.4))
        labels = {**AREAS, "it-sim": "simulated IT"}
        axis.set_title(labels.get(area, area.upper()))
    axes[0].set_ylabel("r, held out (mean over neurons)")
    change = (wide[False] - wide[True]).groupby(wide["area"]).mean()
    labels = {**AREAS, "it-sim": "simulated IT"}
    said = ", ".join(f"{labels.get(a, a.upper())} {v:+.2f}" for a, v in change.items())
    headline(figure, f"Kernels trained on the responses, less frozen ones: {said}")
    return figure


def complexity(tables: Tables) -> Drawing:
    """Draw scores against complexity over configurations, with R2, for each area."""
    table = tables["points"]
    areas = [a for a in AREAS if a in table and table[a].notna().sum() >= 2]
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
            axis.set_title(f"{AREAS[area]}\n{_r2(tables['regressions'], area, measure)}")
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


def selectivity(tables: Tables) -> Drawing:
    """Draw distributions of circular variance beside that of recorded cells."""
    table = tables["selectivity"]
    table = table[table["block"] == DEPTH]
    cells = tables.get("recorded_cells")
    edges = np.linspace(0, 1, 14)
    figure = Drawing(figsize=(9.2, 4.3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, rule in zip(axes, RULES, strict=True):
        rows = table[table["rule"] == rule]
        if cells is not None:
            share = np.histogram(cells["circular_variance"], edges)[0] / len(cells)
            axis.stairs(share, edges, fill=True, color="0.5", alpha=0.35, label="V1 cells")
        for (arm, name), each in rows.groupby(["arm", "configuration"]):
            values = each["circular_variance"].dropna()
            if not len(values):
                continue
            label, colour, _ = ACTIVATIONS[name.split("-")[0]]
            if arm == "trained" and not name.endswith("avg"):
                continue
            share = np.histogram(values, edges)[0] / len(values)
            axis.stairs(share, edges, color=colour, lw=1.6, ls="-" if arm == "random" else "--",
                        label=f"{label}, {arm}")  # fmt: skip
        axis.set(title=f"Rule: {RULES[rule]}", xlabel="circular variance (0 = one orientation)")
    axes[0].set_ylabel("share of units or cells")
    handles = {h.get_label(): h for a in axes for h in a.patches}
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


FIGURES: dict[str, Figure] = {
    "grid": Figure(
        grid,
        "How well random networks predict each area, activation by pooling: r of held-out responses"
        " (V1, V4), Spearman correlation of RDMs (human), explained share of explainable variance"
        " (simulated)."
        " Small marks: seeds; bars: 95 % intervals over seeds (Student's t). Dotted: pixels.",
        ("encoding",),
    ),
    "training": Figure(
        training,
        "What training on objects gives and what shuffling its weights takes, in networks of ReLU"
        " and max pooling with re-estimated batch statistics. Human areas are divided by their"
        " lower noise ceiling. Dots: seeds; bars: mean; whiskers: 95 % intervals over seeds.",
        ("encoding",),
    ),
    "responses": Figure(
        responses,
        "Networks that learn from the recorded responses, with frozen or trained kernels below the"
        " same factorised readout; a line a seed.",
        ("neural",),
    ),
    "complexity": Figure(
        complexity,
        "Prediction against complexity (C_lin) and against its rival, evenness, over random"
        " configurations; means over seeds. R² with 95 % intervals over configurations.",
        ("points", "regressions"),
    ),
    "nonlinearity": Figure(
        nonlinearity,
        "Complexity on natural patches by block, mean and 95 % interval over seeds; and how it"
        " depends on the spread of pre-activations.",
        ("complexity",),
    ),
    "selectivity": Figure(
        selectivity,
        "Circular variance of the central units of block 2 (all seeds), by two response rules, and"
        " of recorded V1 cells (Ringach et al. 2002). Dashed: trained on objects.",
        ("selectivity",),
    ),
    "textures": Figure(
        textures,
        "Textures and digits read out of frozen random networks, and of one trained on the task"
        " (open). Dotted: chance; grey: readout of means and SDs of regions alone.",
        ("textures",),
    ),
}
