"""Drawings of filters and lateral connections, from tables alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isocortex.measures.receptive_fields import gabor
from isocortex.statistics import t_interval

Tables = Mapping[str, pd.DataFrame]

KINDS: dict[str, tuple[str, str, str, str]] = {
    "learned": ("learned kernel", "C0", "-", "o"),
    "induced": ("induced by the filters", "C0", "-", "o"),
    "overlap": ("overlap of the filters", "C1", "--", "s"),
    "residual": ("learned, overlap removed", "C2", "-.", "^"),
    "untrained": ("untrained kernel", "C3", ":", "D"),
    "responses": ("responses to white noise", "C4", ":", "v"),
}
"""Kernel -> label, colour, line, marker."""

FILTER_COLOURS = "PuOr_r"
_MOST_FILTERS = 32


def filter_bank(pixels: pd.DataFrame, filters: pd.DataFrame, title: str) -> Figure:
    """Draw filters in the order of their orientation, above their Gabors.

    Parameters
    ----------
    pixels : pandas.DataFrame
        `unit`, `row`, `column`, `weight`.
    filters : pandas.DataFrame
        As `fit_filters` returns it.
    title : str
    """
    table = filters.dropna(subset=["r"])
    table = table.sort_values(["retained", "orientation"], ascending=[False, True])
    if len(table) > _MOST_FILTERS:
        table = table.iloc[np.linspace(0, len(table) - 1, _MOST_FILTERS).round().astype(int)]
    columns = min(8, len(table))
    rows = -(-len(table) // columns)
    figure = Figure(figsize=(1.05 * columns + 0.9, 2.25 * rows + 0.9), layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for k, (_, one) in enumerate(table.iterrows()):
        row, column = divmod(k, columns)
        image = _square(pixels[pixels["unit"] == one["unit"]])
        fitted = gabor(
            image.shape[0],
            amplitude=np.ones(1),
            **{
                name: np.array([float(one[source])])
                for name, source in (
                    ("orientation_deg", "orientation"), ("frequency", "frequency"),
                    ("phase_deg", "phase"), ("sigma_u", "sigma_u"), ("sigma_v", "sigma_v"),
                    ("x", "x"), ("y", "y"),
                )
            },
        )[0]  # fmt: skip
        for half, values in enumerate((image, np.asarray(fitted))):
            axis = axes[2 * row + half, column]
            top = np.abs(values).max() or 1.0
            axis.imshow(values, cmap=FILTER_COLOURS, vmin=-top, vmax=top, interpolation="nearest")
        kept = "" if one["retained"] else "*"
        axes[2 * row, column].set_title(
            f"{one['orientation']:.0f}°  r {one['r']:.2f}{kept}", fontsize=8, loc="center"
        )
    figure.suptitle(title)
    return figure


def strength_by_orientation(axis: Axes, table: pd.DataFrame, kinds: list[str]) -> None:
    """Draw strength against relative orientation, with the permutation band of the first kind."""
    centres = np.sort(table["difference"].unique())
    main = table[table["what"] == kinds[0]]
    band = main.groupby("difference")[["null_low", "null_high"]].mean()
    axis.fill_between(
        band.index, band["null_low"], band["null_high"], color="0.5", alpha=0.25, lw=0,
        label="orientations permuted, 95 %",
    )  # fmt: skip
    for shift, kind in enumerate(kinds):
        rows = table[table["what"] == kind]
        if rows.empty or rows["strength"].isna().all():
            continue
        label, colour, line, marker = KINDS[kind]
        per_seed = _per_seed(rows, "difference", "strength")[centres]
        _line(axis, centres + 1.2 * (shift - 1), per_seed, colour, line, marker, label)
    axis.axhline(1, color="0.5", lw=0.8)
    axis.set_xticks([0, 22.5, 45, 67.5, 90])
    axis.set(xlabel="relative orientation (deg)", ylabel="strength / mean over pairs")


def polar_strength(axis: Axes, table: pd.DataFrame, kinds: list[str]) -> None:
    """Draw the strength of like-oriented connections by direction, the contour lying along 0."""
    for kind in kinds:
        rows = table[table["what"] == kind]
        if rows.empty or rows["strength"].isna().all():
            continue
        label, colour, line, marker = KINDS[kind]
        mean = rows.groupby("direction")["strength"].mean()
        angle = np.deg2rad(np.append(mean.index, mean.index[0]))
        radius = np.append(mean.to_numpy(), mean.iloc[0])
        axis.plot(angle, radius, color=colour, ls=line, marker=marker, ms=3.5, lw=1.5, label=label)
    axis.set_xticks(np.deg2rad(np.arange(0, 360, 45)))
    axis.set_ylim(0, None)
    axis.tick_params(labelsize=8)


def orientation_sticks(axis: Axes, table: pd.DataFrame) -> None:
    """Draw preferred orientation around a contour at the origin, over co-circular curves.

    `table` holds one kernel: `x`, `y`, `preferred`, `coherence`, `total`; several seeds are
    averaged as double angles weighted by coherence.
    """
    limit = float(max(table["x"].abs().max(), table["y"].abs().max())) + 0.7
    cocircular_curves(axis, limit)
    table = table[(table["x"] != 0) | (table["y"] != 0)]
    phase = table["coherence"].fillna(0) * np.exp(2j * np.deg2rad(table["preferred"].fillna(0)))
    mean = phase.groupby([table["x"], table["y"]]).mean()
    total = table["total"].groupby([table["x"], table["y"]]).mean().clip(lower=0)
    angle, size = np.angle(mean) / 2, np.abs(mean)
    length = 0.45 * np.sqrt(size / max(size.max(), 1e-12))
    x, y = (mean.index.get_level_values(k).to_numpy(float) for k in ("x", "y"))
    shown = axis.quiver(
        x, y, 2 * length * np.cos(angle), 2 * length * np.sin(angle), total / total.max(),
        angles="xy", scale_units="xy", scale=1, pivot="mid", headwidth=0, headlength=0,
        headaxislength=0, width=0.014, cmap="viridis", clim=(0, 1),
    )  # fmt: skip
    axis.plot([-0.5, 0.5], [0, 0], color="C1", lw=4, solid_capstyle="butt")
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.set(xlabel="along the contour (px)", ylabel="across the contour (px)")
    axis.grid(False)
    axis.figure.colorbar(shown, ax=axis, label="strength / largest", shrink=0.7)


def cocircular_curves(axis: Axes, limit: float) -> None:
    """Draw circles tangent to the contour at the origin: the co-circular field."""
    for radius in limit * np.array([0.35, 0.6, 1.0, 2.0]):
        t = np.linspace(-np.pi, np.pi, 361)
        for side in (-1, 1):
            axis.plot(
                radius * np.sin(t), side * radius * (1 - np.cos(t)), color="0.6", lw=0.6, zorder=0
            )
    axis.axhline(0, color="0.6", lw=0.6, zorder=0)


def association_lines(axis: Axes, spread: pd.DataFrame, lines: pd.DataFrame) -> None:
    """Draw activity that spread from a unit, and streamlines over the pattern of Field et al."""
    c = int(spread["x"].abs().max())
    grid = np.full((2 * c + 1, 2 * c + 1), np.nan)
    mean = spread.groupby(["x", "y"])["activity"].mean()
    x, y = (mean.index.get_level_values(k).to_numpy(int) for k in ("x", "y"))
    grid[c - y, x + c] = mean.to_numpy()
    grid[c, c] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.log10(grid / np.nanmax(grid))
    shown = axis.imshow(
        np.where(np.isfinite(level), level, np.nan), extent=(-c - 0.5, c + 0.5, -c - 0.5, c + 0.5),
        cmap="Greys", vmin=-3, vmax=0, interpolation="nearest", alpha=0.8,
    )  # fmt: skip
    reach = c + 0.5
    for curvature in np.array([-0.5, -0.25, 0.0, 0.25, 0.5]) / max(reach / 3, 1):
        t = np.linspace(-reach, reach, 121)
        turn = curvature * t
        with np.errstate(invalid="ignore", divide="ignore"):
            px = np.where(turn == 0, t, np.sin(turn) / (curvature or 1))
            py = np.where(turn == 0, 0, (1 - np.cos(turn)) / (curvature or 1))
        axis.plot(px, py, color="C1", lw=1.0, ls="--", zorder=1)
    for _, one in lines.groupby("line"):
        ordered = one.sort_values("point")
        axis.plot(ordered["x"], ordered["y"], color="C0", lw=1.6, zorder=2)
    near = float(lines[["x", "y"]].abs().to_numpy().max()) + 1 if len(lines) else reach
    near = min(reach, max(near, 4))
    axis.plot([-0.6, 0.6], [0, 0], color="C2", lw=4, solid_capstyle="butt", zorder=3)
    axis.set(xlim=(-near, near), ylim=(-near, near), aspect="equal")
    axis.set(xlabel="along the contour (px)", ylabel="across the contour (px)")
    axis.grid(False)
    axis.figure.colorbar(shown, ax=axis, label="log10 activity / largest", shrink=0.7)


def layer_bank(tables: Tables, name: str) -> Figure:
    """Draw the filters of a first layer, as `measure_first_layer` measured it, with Gabors."""
    filters = tables["filters"]
    kept = int(filters["retained"].sum())
    title = f"{name}: {kept} of {len(filters)} filters are Gabors (* not retained)"
    if len(filters) > _MOST_FILTERS:
        title += f"; every {len(filters) / _MOST_FILTERS:.2g}th is shown"
    return filter_bank(tables["pixels"], filters, title)


def layer_connections(tables: Tables, name: str) -> Figure:
    """Draw the connections that the filters of a first layer induce."""
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    left = figure.add_subplot(1, 3, 1)
    strength_by_orientation(left, tables["strength"], ["induced"])
    left.legend(loc="best", fontsize=8)
    left.set_title("by relative orientation")
    middle = figure.add_subplot(1, 3, 2, projection="polar")
    polar_strength(middle, tables["polar"], ["induced"])
    middle.set_title("like-oriented, by direction", pad=16)
    right = figure.add_subplot(1, 3, 3)
    orientation_sticks(right, tables["field"])
    right.set_title("preferred orientation over co-circles")
    said = "; ".join(
        f"log {row.statistic.replace('_', ' ')} {row.log_ratio:+.2f}"
        f" (random filters {row.control:+.2f})"
        for row in tables["contrast"].itertuples()
    )
    few = "" if bool(tables["lateral"]["enough"].all()) else "\n(too few Gabors: the best fits)"
    figure.suptitle(f"{name}, induced connections: {said}{few}")
    return figure


LAYER_FIGURES: dict[str, Callable[[Tables, str], Figure]] = {
    "filters": layer_bank,
    "connections": layer_connections,
}
"""The figures of one first layer."""


def _square(rows: pd.DataFrame) -> np.ndarray:
    side = int(rows["row"].max()) + 1
    image = np.zeros((side, side))
    image[rows["row"], rows["column"]] = rows["weight"]
    return image


def _per_seed(rows: pd.DataFrame, key: str, value: str) -> pd.DataFrame:
    if "seed" not in rows:
        rows = rows.assign(seed=0)
    return rows.groupby(["seed", key])[value].mean().unstack()


def _line(
    axis: Axes,
    x: np.ndarray,
    per_seed: pd.DataFrame,
    colour: str,
    line: str,
    marker: str,
    label: str,
) -> None:
    """Draw the mean over seeds with its t interval; fewer than three are drawn one by one."""
    if len(per_seed) < 3:
        axis.plot(x, per_seed.mean(), color=colour, ls=line, marker=marker, ms=4, label=label)
        return
    intervals = [t_interval(per_seed[c].to_numpy(float), nan="drop") for c in per_seed]
    mean = np.array([i.estimate for i in intervals])
    reach = np.nan_to_num([[i.estimate - i.low, i.high - i.estimate] for i in intervals]).T
    axis.errorbar(
        x, mean, yerr=reach, color=colour, ls=line, marker=marker, ms=4, capsize=2, lw=1.5,
        elinewidth=1, label=label,
    )  # fmt: skip
