"""Figures of what the networks are held against: codecs, the amplitude law, contours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from isocortex.analyses.field_figures import FILTER_COLOURS
from isocortex.statistics import t_interval
from isocortex.stimuli.image_files import from_png_text
from isocortex.studies.base import Tables

CODEC_NAMES = {
    "positive": "positive case",
    "unpenalised": "no price,\nunit variance",
    "white": "white noise",
    "random_phase": "random\nphases",
    "unpenalised_free": "no price,\npower free",
    "wide_start": "large initial\nweights",
    "network": "hidden\nlayer",
}
CONDITION_NAMES = {
    "photographs": ("photographs", "C0", "o"),
    "random_phase": ("random phases", "C1", "s"),
    "periodic_phase": ("random phases, periodic", "C4", "v"),
    "white": ("white noise", "C3", "D"),
    "turned": ("turned by 45°", "C2", "^"),
    "one_flank": ("photographs, one flank", "C5", "P"),
}


LESS_SHOWN = ("turned", "one_flank")
"""Controls whose agreement with contour processes stands in the tables alone."""


def codecs(tables: Tables) -> Drawing:
    """Draw the filters of the codecs, and radial share and gate by arm."""
    table, pixels = tables["codecs"], tables["codec_pixels"]
    last = table.sort_values("step").groupby(["arm", "seed"]).tail(1)
    arms = [a for a in CODEC_NAMES if a in set(table["arm"])]
    spectral = [a for a in pixels["arm"].unique() if a.startswith("spectral")]
    shown = [*arms, *spectral]
    figure = Drawing(figsize=(1.25 * len(shown) + 0.6, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, len(shown), height_ratios=(1, 1.9))
    for place, arm in enumerate(shown):
        rows = pixels[(pixels["arm"] == arm) & (pixels["seed"] == 0)]
        side = int(rows["row"].max()) + 1
        image = np.zeros((side, side))
        image[rows["row"], rows["column"]] = rows["weight"]
        axis = figure.add_subplot(grid[0, place])
        top = np.abs(image).max() or 1.0
        axis.imshow(image, cmap=FILTER_COLOURS, vmin=-top, vmax=top)
        axis.set_axis_off()
        name = CODEC_NAMES.get(arm, arm.replace("spectral, ", "spectral,\n").replace("mu", "µ"))
        axis.set_title(name, fontsize=9, loc="center")
    half = max(1, len(shown) // 2)
    panels = (("q", "radial share Q", "q_95"), ("gate", "gate G1", None))
    for (column, label, level), where in zip(panels, (grid[1, :half], grid[1, half:]), strict=True):
        axis = figure.add_subplot(where)
        for k, arm in enumerate(arms):
            values = last.loc[last["arm"] == arm, column].dropna().to_numpy(float)
            axis.plot(np.full(len(values), k - 0.1), values, ls="", marker="o", ms=4,
                      color=f"C{k % 6}", alpha=0.6)  # fmt: skip
            if len(values) >= 3:
                i = t_interval(values)
                axis.errorbar([k + 0.12], [i.estimate],
                              yerr=[[i.estimate - i.low], [i.high - i.estimate]], fmt="_", ms=10,
                              color=f"C{k % 6}", capsize=3)  # fmt: skip
        at = float(last[level].mean()) if level else 0.0
        axis.axhline(at, color="0.5", ls=":", lw=1.2)
        ticks = [CODEC_NAMES[a].replace("\n", " ") for a in arms]
        axis.set_xticks(range(len(arms)), ticks, rotation=30, ha="right")
        axis.set_ylabel(label)
    mean = last.groupby("arm")["q"].mean()
    said = ", ".join(
        f"{CODEC_NAMES[a].replace(chr(10), ' ')} {mean[a]:.2f}"
        for a in ("positive", "unpenalised", "white")
        if a in mean
    )
    figure.suptitle(f"When does a filter become radial? Q: {said}")
    return figure


def amplitude_law(tables: Tables) -> Drawing:
    """Draw the amplitude spectra of the codecs beside the law."""
    table = tables["amplitude_profile"]
    figure = Drawing(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    styles = {"law": ("amplitude law", "C7", "-"), "positive": ("photographs", "C0", "-"),
              "random_phase": ("random phases", "C1", "--")}  # fmt: skip
    for arm, (label, colour, line) in styles.items():
        rows = table[(table["arm"] == arm) & (table["frequency"] > 0)]
        if rows.empty:
            continue
        per_seed = rows.pivot_table("amplitude", "seed", "frequency")
        width = 3.0 if arm == "law" else 1.6
        axis.plot(per_seed.columns, per_seed.mean(), color=colour, ls=line, lw=width, label=label,
                  alpha=0.6 if arm == "law" else 1.0)  # fmt: skip
        if len(per_seed) >= 3:
            intervals = [t_interval(per_seed[c].to_numpy()) for c in per_seed]
            low, high = ([getattr(i, end) for i in intervals] for end in ("low", "high"))
            axis.fill_between(per_seed.columns, low, high, color=colour, alpha=0.2, lw=0)
    axis.axvline(0.2, color="0.5", ls=":", lw=1)
    axis.set(xlabel="spatial frequency (cycles/px)", ylabel="amplitude of the filter")
    axis.legend()
    inside = tables["amplitudes"].query("limit == 0.2")
    figure.suptitle(
        f"Below 0.2 c/px: r of log amplitudes with the law {inside['law_r'].mean():.2f},\n"
        f"difference between phases {inside['phase_difference'].mean():.0%}"
    )
    return figure


def contours(tables: Tables) -> Drawing:
    """Draw like-oriented edges around an edge, and the agreement with contour processes."""
    maps = _first_source(tables["contour_map"])
    fits = _first_source(tables["contour_fits"])
    statistics = _first_source(tables["contour_statistics"])
    figure = Drawing(figsize=(13, 4.3), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=(1.15, 1.15, 1, 1))
    pair = ("photographs", "random_phase")
    levels = maps.loc[maps["condition"].isin(pair) & (np.hypot(maps["x"], maps["y"]) > 3), "like"]
    top = float(levels.quantile(0.995))
    for axis, condition in zip(axes[:2], pair, strict=True):
        rows = maps[maps["condition"] == condition]
        grid = rows.pivot_table("like", "y", "x", sort=True).to_numpy()
        c = int(rows["x"].max())
        axis.imshow(grid, origin="lower", extent=(-c - 0.5, c + 0.5) * 2, cmap="viridis",
                            vmin=0, vmax=top)  # fmt: skip
        axis.set(title=CONDITION_NAMES[condition][0], xlabel="along the contour (px)")
        axis.grid(False)
    axes[0].set_ylabel("across the contour (px)")
    label = "like-oriented edges / mean of all"
    figure.colorbar(axes[1].get_images()[0], ax=axes[1], label=label, shrink=0.8)
    rings = fits[(fits["r_max"] - fits["r_min"]).isin([4.0, 6.0])]
    for condition, (label, colour, marker) in CONDITION_NAMES.items():
        for family, line in (("direction", "-"), ("diffusion", ":")):
            if condition in LESS_SHOWN:
                continue
            one = rings[(rings["condition"] == condition) & (rings["family"] == family)]
            if len(one):
                middle = (one["r_min"] + one["r_max"]) / 2
                axes[2].plot(middle, one["r_val"], color=colour, ls=line, marker=marker, ms=4,
                             label=f"{label}, {family}")  # fmt: skip
        one = statistics[statistics["condition"] == condition]
        one = one[(one["r_max"] - one["r_min"]).isin([4.0, 6.0])]
        if len(one):
            middle = (one["r_min"] + one["r_max"]) / 2
            reach = [one["axial_ratio"] - one["axial_ratio_low"],
                     one["axial_ratio_high"] - one["axial_ratio"]]  # fmt: skip
            axes[3].errorbar(middle, one["axial_ratio"], yerr=np.clip(reach, 0, None), color=colour,
                             marker=marker, ms=4, capsize=2, label=label)  # fmt: skip
    axes[2].axhline(0, color="0.5", lw=0.8)
    axes[2].set(xlabel="distance (px)", ylabel="centred r, held out",
                title="solid: direction,\ndotted: diffusion")  # fmt: skip
    axes[3].axhline(1, color="0.5", lw=0.8)
    axes[3].set(xlabel="distance (px)", ylabel="axial ratio", title="co-axial edges", yscale="log")
    ticks = [1, 2, 4, 8, 16]
    axes[3].set_yticks(ticks, [str(t) for t in ticks])
    axes[3].minorticks_off()
    handles, labels = axes[3].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=6, fontsize=9)
    figure.suptitle(_headline(fits, statistics))
    return figure


def calibration(tables: Tables) -> Drawing:
    """Draw the sigma that is found against the known one, and that of the photographs."""
    known, read = tables["calibration"], _first_source(tables["contour_sigma"])
    read = read[read["condition"] == "photographs"]
    rings = [(4.0, 8.0), (8.0, 14.0), (14.0, 20.0)]
    figure = Drawing(figsize=(10.5, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    said = []
    for axis, (low, high) in zip(axes, rings, strict=True):
        for kind, colour, line, marker in (
            ("edge lists", "C0", "--", "o"), ("rendered", "C1", "-", "s"),
        ):  # fmt: skip
            rows = known[(known["kind"] == kind) & (known["r_min"] == low)]
            found = rows[rows["r_max"] == high].groupby("sigma")["found"]
            mean = found.mean()
            reach = [mean - found.min(), found.max() - mean]
            axis.errorbar(mean.index, mean, yerr=np.clip(reach, 0, None), color=colour, ls=line,
                          marker=marker, ms=4, capsize=2, label=kind)  # fmt: skip
        ends = [known["sigma"].min(), known["sigma"].max()]
        axis.plot(ends, ends, color="0.5", lw=0.8)
        here = read[(read["r_min"] == low) & (read["r_max"] == high)].iloc[0]
        axis.axhline(here["found"], color="C2", ls=":", label="photographs")
        value = "outside the curve" if np.isnan(here["sigma"]) else f"{here['sigma']:.3f}"
        if not np.isnan(here["sigma"]):
            axis.plot(here["sigma"], here["found"], color="C2", marker="D", ms=7)
        said.append(f"{value} at {low:g}-{high:g} px")
        axis.set(xscale="log", yscale="log", xlabel="known sigma (rad / √px)")
        axis.set_title(f"edges {low:g}-{high:g} px apart")
    ticks = sorted(known["sigma"].unique())
    axes[0].set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes[0].set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes[0].minorticks_off()
    axes[0].set_ylabel("sigma that fits best")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(f"Turning sigma of contours in {read['source'].iloc[0]}: {', '.join(said)}")
    return figure


def light(tables: Tables) -> Drawing:
    """Draw a shaded photograph, and what comes back after filtering and integration."""
    table = tables["light"].fillna({"filter": ""})
    filters = [name for name in table["filter"].unique() if name]
    figure = Drawing(figsize=(2.6 * (len(filters) + 1), 4.6), layout="constrained")
    axes = figure.subplots(2, len(filters) + 1)
    columns = [table[table["filter"] == ""], *(table[table["filter"] == f] for f in filters)]
    for column, (name, rows) in enumerate(zip(["", *filters], columns, strict=True)):
        for axis, (_, one) in zip(axes[:, column], rows.iterrows(), strict=True):
            image = from_png_text(one["png"])
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set_axis_off()
            said = "" if np.isnan(one["r"]) or one["r"] == 1 else f", r {one['r']:.2f}"
            title = f"{one['what']}{said}"
            axis.set_title(f"{name}:\n{title}" if name else title, fontsize=9)
    back = table[table["what"] == "integrated"].set_index("filter")["r"]
    shaded = float(table.loc[table["what"] == "shaded", "r"].iloc[0])
    figure.suptitle(
        f"Uneven light leaves r {shaded:.2f} with the photograph; after the best filter"
        f" ({back.idxmax()}) it is {back.max():.2f}"
    )
    return figure


def _first_source(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"] == table["source"].iloc[0]]


def _headline(fits: pd.DataFrame, statistics: pd.DataFrame) -> str:
    wide = fits[(fits["r_min"] == 8) & (fits["r_max"] == 20) & (fits["condition"] == "photographs")]
    r = wide.set_index("family")["r_val"]
    axial = statistics[(statistics["r_min"] == 8) & (statistics["r_max"] == 20)]
    axial = axial.set_index("condition")["axial_ratio"]
    beside = f" (random phases {axial['random_phase']:.2f})" if "random_phase" in axial else ""
    return (
        f"{fits['source'].iloc[0]}, 8-20 px: axial ratio {axial['photographs']:.2f}{beside};"
        f" centred r {r['direction']:.2f} direction process, {r['diffusion']:.2f} diffusion"
    )
