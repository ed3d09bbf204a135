"""Figures of the networks: functions of the study's tables alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from isocortex.analyses import field_figures as draw
from isocortex.measures.receptive_fields import fit_log, radial_profile
from isocortex.studies.base import Tables
from isocortex.studies.bertoni2021.drawing import dots, few, judged

ARM_NAMES = {
    "all": "LGN and K", "no_lgn": "no LGN", "no_lateral": "no K", "mnist": "digits",
    "kercnn": "induced K", "recurrent": "recurrent K", "iterations_0": "0 iterations",
    "iterations_3": "3 iterations", "weak_decay": "weak decay", "strong_decay": "strong decay",
    "no_lgn_norm": "LGN without BN", "no_lgn_relu": "LGN without ReLU",
}  # fmt: skip


def lgn(tables: Tables) -> Drawing:
    """Draw the filter in front of every seed, and their radial profiles with the fitted LoG."""
    pixels = tables["pixels"].query("layer == 'lgn' and arm == 'all'")
    seeds = sorted(pixels["seed"].unique())[:5]
    last = _last(tables["emergence"].query("arm == 'all'").dropna(subset=["q"]))
    figure = Drawing(figsize=(10.5, 4.6), layout="constrained")
    columns = max(3, len(seeds))
    grid = figure.add_gridspec(2, columns + 4, width_ratios=[1] * columns + [0.25] + [1] * 3)
    for column, seed in enumerate(seeds):
        one = pixels[pixels["seed"] == seed]
        image = _image(one)
        axis = figure.add_subplot(grid[0, column])
        top = np.abs(image).max() or 1.0
        axis.imshow(image, cmap=draw.FILTER_COLOURS, vmin=-top, vmax=top)
        axis.set_axis_off()
        axis.set_title(f"seed {seed}", fontsize=9)
        fitted = figure.add_subplot(grid[1, column])
        fit = fit_log(image[None])
        fitted.imshow(np.asarray(fit.fitted)[0], cmap=draw.FILTER_COLOURS, vmin=-top, vmax=top)
        fitted.set_axis_off()
        fitted.set_title(f"LoG r {float(fit.r[0]):.2f}", fontsize=9)
    axis = figure.add_subplot(grid[:, -3:])
    for number, seed in enumerate(seeds):
        image = _image(pixels[pixels["seed"] == seed])
        radius, profile = radial_profile(image[None])
        scale = np.asarray(profile)[0, 0] or 1.0
        axis.plot(radius, np.asarray(profile)[0] / scale, marker="o", ms=3.5, color=f"C{number}",
                  label=f"seed {seed}")  # fmt: skip
        fitted_profile = np.asarray(radial_profile(np.asarray(fit_log(image[None]).fitted))[1])[0]
        axis.plot(radius, fitted_profile / scale, color=f"C{number}", ls=":", lw=1.2)
    axis.axhline(0, color="0.5", lw=0.8)
    axis.set(xlabel="distance from the centre (px)", ylabel="mean weight / centre",
             title="radial profile (dotted: fitted LoG)")  # fmt: skip
    axis.legend(fontsize=8)
    figure.suptitle(
        f"Filter in front: radial share Q {last['q'].mean():.2f} (noise 95 %"
        f" {last['q_95'].mean():.2f}), LoG r {last['log_r'].mean():.2f} (noise"
        f" {last['r_95'].mean():.2f}), G1 {last['gate'].mean():+.2f}{_free(last)}"
    )
    return figure


def _free(last: pd.DataFrame) -> str:
    if "free_r" not in last:
        return ""
    r, level = last["free_r"].mean(), last["free_r_95"].mean()
    return f"\nat a free centre LoG r {r:.2f} (noise {level:.2f}), without a verdict"


def bank(tables: Tables) -> Drawing:
    """Draw the first layer of the first seed, with its Gabors."""
    rows = {
        name: tables[name].query("arm == 'all' and seed == 0") for name in ("pixels", "filters")
    }
    filters = rows["filters"]
    return draw.filter_bank(
        rows["pixels"].query("layer == 'filters'"),
        filters,
        f"Filters and their Gabors, seed 0: {int(filters['retained'].sum())} of {len(filters)}"
        f" retained, mean r {filters['r'].mean():.2f} (surrogates"
        f" {filters['surrogate_r'].mean():.2f})",
    )


def strength(tables: Tables) -> Drawing:
    """Draw the kernel against relative orientation, and by direction from the contour."""
    main, polar = (judged(tables[name]) for name in ("strength", "polar"))
    figure = Drawing(figsize=(11, 4.6), layout="constrained")
    left = figure.add_subplot(1, 2, 1)
    kinds = ["learned", "overlap", "residual", "untrained", "responses"]
    draw.strength_by_orientation(left, main, kinds)
    left.set_title("by relative orientation")
    right = figure.add_subplot(1, 2, 2, projection="polar")
    draw.polar_strength(right, polar, ["learned", "overlap", "untrained"])
    right.set_title("like-oriented units, by direction from the contour", pad=16)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(_ratios(tables))
    return figure


def field(tables: Tables) -> Drawing:
    """Draw the field of preferred orientation of the kernel and of the overlap."""
    rows = judged(tables["field"])
    figure = Drawing(figsize=(10.5, 4.6), layout="constrained")
    for axis, what in zip(figure.subplots(1, 2), ("learned", "overlap"), strict=True):
        draw.orientation_sticks(axis, rows[rows["what"] == what])
        axis.set_title(draw.KINDS[what][0])
    lateral = judged(tables["lateral"]).query(
        "what == 'learned' and sign == 'positive' and region == 'r>=2'"
    )
    figure.suptitle(
        f"Preferred orientation: error {lateral['cocircular'].mean():.0f}° co-circular,"
        f" {lateral['parallel'].mean():.0f}° parallel; slope {lateral['slope'].mean():.2f}"
        f"{few(lateral)}"
    )
    return figure


def association(tables: Tables) -> Drawing:
    """Draw how activity spreads, and the strength along smooth paths."""
    figure = Drawing(figsize=(12.5, 4.6), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1.1, 1.1, 1))
    for axis, what in zip(axes[:2], ("learned", "overlap"), strict=True):
        spread, lines = (
            t[(t["arm"] == "all") & (t["seed"] == 0) & (t["what"] == what)]
            for t in (tables["spread"], tables["streamlines"])
        )
        draw.association_lines(axis, spread, lines)
        axis.set_title(f"{draw.KINDS[what][0]}, seed 0")
    paths = judged(tables["paths"])
    for what in ("learned", "overlap"):
        for side, line in (("aligned", "-"), ("orthogonal", ":")):
            one = paths[paths["what"] == what]
            per_seed = one.groupby(["seed", "turn"])[side].mean().unstack()
            _, colour, _, marker = draw.KINDS[what]
            _curve(axes[2], per_seed, colour, line, marker, f"{what}, {side}")
    axes[2].set(xlabel="turn along the path (deg)", ylabel="strength / mean")
    axes[2].set_title("along smooth paths")
    handles, labels = axes[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=4)
    means = judged(tables["association"]).groupby("what")["axial_share"].mean()
    figure.suptitle(
        f"Association field after 3 steps: {means['learned']:.0%} of the activity within 22.5° of"
        f" the axis (overlap {means['overlap']:.0%}; no preference 25 %)"
        f"{few(judged(tables['association']))}"
    )
    return figure


def comparison(tables: Tables) -> Drawing:
    """Draw how well each model predicts the kernel of targets left out of its fit."""
    rows = judged(tables["comparison"])
    models = ["direction", "diffusion", "contours", "overlap", "parallel", "isotropic"]
    models = [m for m in models if m in set(rows["model"])]
    figure = Drawing(figsize=(8, 3.9), layout="constrained")
    axis = figure.subplots()
    for k, model in enumerate(models):
        dots(axis, k, rows.loc[rows["model"] == model, "r2"].to_numpy(float), f"C{k % 6}")
    axis.axhline(0, color="0.5", lw=0.8)
    names = {"direction": "direction\nprocess", "diffusion": "contour\ndiffusion",
             "contours": "edges of\nphotographs", "overlap": "overlap of\nfilters"}  # fmt: skip
    axis.set_xticks(range(len(models)), [names.get(m, m) for m in models])
    axis.set_ylabel("held-out R² of the centred kernel")
    best = rows.groupby("model")["r2"].mean()[models]
    said = f"{best.idxmax()} (R² {best.max():.2f})"
    said = (
        f"Best model of the learned kernel: {said}"
        if best.max() > 0.005
        else ("No model predicts the connections of units left out of its fit")
    )
    figure.suptitle(f"{said}{few(rows)}")
    return figure


def emergence(tables: Tables) -> Drawing:
    """Draw radial share, Gabor fit and like-to-like over training, by arm."""
    table = tables["emergence"]
    figure = Drawing(figsize=(12, 4.0), layout="constrained")
    panels = (
        ("q", "radial share Q of the filter in front"),
        ("mean_r", "mean Gabor r of the filters"),
        ("log_like_ratio", "log like ratio of K"),
    )
    for axis, (column, label) in zip(figure.subplots(1, 3), panels, strict=True):
        for number, arm in enumerate(a for a in ARM_NAMES if a in set(table["arm"])):
            rows = table[(table["arm"] == arm)]
            if column not in rows or rows[column].isna().all():
                continue
            per_seed = rows.groupby(["seed", "step"])[column].mean().unstack()
            colour, marker = f"C{number % 7}", "os^Dvp"[number % 6]
            _curve(axis, per_seed, colour, "-", marker, ARM_NAMES[arm])
        axis.set_xscale("symlog", linthresh=max(1.0, float(table["step"].max()) / 128))
        axis.set(xlabel="training step", ylabel=label)
    axes = figure.axes
    axes[0].axhline(float(table["q_95"].mean()), color="0.5", ls=":", lw=1.2)
    handles = {h: label for a in axes for h, label in zip(*a.get_legend_handles_labels(),
                                                        strict=True)}  # fmt: skip
    known = {label: h for h, label in handles.items()}
    unique = {label: known[label] for label in ARM_NAMES.values() if label in known}
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=7)
    first, last = (_at(table.query("arm == 'all'"), which) for which in ("first", "last"))
    figure.suptitle(
        f"Over training (LGN and K): Q {first['q'].mean():.2f} to {last['q'].mean():.2f},"
        f" Gabor r {first['mean_r'].mean():.2f} to {last['mean_r'].mean():.2f}"
    )
    return figure


def arms(tables: Tables) -> Drawing:
    """Draw accuracy, Gabor fit and retained filters by arm."""
    table = tables["networks"]
    names = [a for a in ARM_NAMES if a in set(table["arm"])]
    figure = Drawing(figsize=(11, 3.6), layout="constrained")
    panels = (
        ("accuracy", "test accuracy"),
        ("mean_gain", "Gabor r - surrogates"),
        ("share_retained", "share of retained filters"),
    )
    for axis, (column, label) in zip(figure.subplots(1, 3), panels, strict=True):
        for k, arm in enumerate(names):
            if column != "accuracy" or arm != "mnist":  # another task
                values = table.loc[table["arm"] == arm, column].to_numpy(float)
                dots(axis, k, values, f"C{k % 7}")
        axis.set_xticks(range(len(names)), [ARM_NAMES[a] for a in names], rotation=25, ha="right")
        axis.set_xlim(-0.6, len(names) - 0.4)
        axis.set_ylabel(label)
    mean = table.groupby("arm")["accuracy"].mean()
    said = ", ".join(f"{ARM_NAMES[a]} {mean[a]:.1%}" for a in names[:3])
    figure.suptitle(f"Accuracy: {said}")
    return figure


def induced(tables: Tables) -> Drawing:
    """Draw what the filters of networks without a filter in front induce, beside random ones."""
    figure = Drawing(figsize=(11, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw.strength_by_orientation(left, tables["induced_strength"], ["induced"])
    left.set_title("by relative orientation")
    left.legend(fontsize=8)
    contrast, control = tables["induced_contrast"], tables["induced_control"]
    for k, name in enumerate(("like_ratio", "axial_ratio")):
        noise = control[name].dropna().to_numpy()
        right.plot(np.full(len(noise), 2 * k + 0.7), noise, ls="", marker=".", color="0.6")
        one = contrast.loc[contrast["statistic"] == name, "log_ratio"].to_numpy(float)
        dots(right, 2 * k, one, f"C{k}")
    right.axhline(0, color="0.5", lw=0.8)
    right.set_xticks(
        [0, 0.7, 2, 2.7],
        ["like ratio,\nnetworks", "random\nfilters", "axial ratio,\nnetworks", "random\nfilters"],
    )
    right.set(ylabel="log ratio", title="networks beside banks of blurred random filters")
    mean = contrast.groupby("statistic")["value"].mean()
    figure.suptitle(
        f"Connections induced by filters: log like ratio {mean['like_ratio']:+.2f}, log axial"
        f" ratio {mean['axial_ratio']:+.2f} against random filters{few(contrast)}"
    )
    return figure


def _ratios(tables: Tables) -> str:
    rows = judged(tables["lateral"]).query("sign == 'positive' and region == 'disc'")
    mean = rows.groupby("what")[["like_ratio", "axial_ratio"]].mean()
    said = "; ".join(
        f"{what} LR {mean.loc[what, 'like_ratio']:.2f}, axial {mean.loc[what, 'axial_ratio']:.2f}"
        for what in ("learned", "overlap", "untrained")
        if what in mean.index
    )
    return f"Lateral connections: {said}{few(rows)}"


def _image(rows: pd.DataFrame) -> np.ndarray:
    side = int(rows["row"].max()) + 1
    image = np.zeros((side, side))
    image[rows["row"], rows["column"]] = rows["weight"]
    return image


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("step").groupby("seed").tail(1)


def _at(table: pd.DataFrame, which: str) -> pd.DataFrame:
    grouped = table.sort_values("step").groupby("seed")
    return grouped.head(1) if which == "first" else grouped.tail(1)


def _curve(
    axis: Axes, per_seed: pd.DataFrame, colour: str, line: str, marker: str, label: str
) -> None:
    x = per_seed.columns.to_numpy(float)
    draw._line(axis, x, per_seed, colour, line, marker, label)
