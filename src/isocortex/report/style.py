"""How figures look: one palette that colour-blind readers can tell apart, on light and on dark.

Figures are drawn inside ``with figure_style(theme):`` and take every colour from matplotlib's
settings, so one function that draws serves both themes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
from cycler import cycler

from isocortex.errors import unknown

OKABE_ITO: dict[str, str] = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
}
"""The palette of Okabe and Ito (2008) without its black, which is the ink of the theme."""

THEMES: dict[str, dict[str, str]] = {
    "light": {"paper": "#ffffff", "ink": "#1c1f24", "faint": "#6a717c", "grid": "#e3e6ea"},
    "dark": {"paper": "#1d2127", "ink": "#e8eaed", "faint": "#a0a7b1", "grid": "#373d46"},
}
"""Background, text, secondary text and grid lines of each theme."""

# After these come the ink, a grey, and last yellow: on white it is seen only as a filled area.
_CYCLE = ("blue", "vermillion", "green", "purple", "orange", "sky")


def settings(theme: str = "light") -> dict[str, Any]:
    """Return matplotlib's settings for a theme.

    Parameters
    ----------
    theme : {"light", "dark"}
        Light is also what is printed and put into a paper.

    Returns
    -------
    dict
        Keys of `matplotlib.rcParams`.

    Raises
    ------
    UserError
        If there is no such theme.
    """
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)
    colors = THEMES[theme]
    cycle = [OKABE_ITO[name] for name in _CYCLE]
    cycle += [colors["ink"], colors["faint"], OKABE_ITO["yellow"]]
    return {
        "figure.facecolor": colors["paper"],
        "figure.constrained_layout.use": True,
        "figure.figsize": (7.0, 4.0),
        "figure.dpi": 100,
        "figure.titlesize": 12,
        "savefig.facecolor": colors["paper"],
        "savefig.dpi": 180,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "text.color": colors["ink"],
        "axes.facecolor": colors["paper"],
        "axes.edgecolor": colors["faint"],
        "axes.labelcolor": colors["ink"],
        "axes.titlecolor": colors["ink"],
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.labelsize": 10,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=cycle),
        "grid.color": colors["grid"],
        "grid.linewidth": 0.7,
        "xtick.color": colors["faint"],
        "ytick.color": colors["faint"],
        "xtick.labelcolor": colors["ink"],
        "ytick.labelcolor": colors["ink"],
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "patch.edgecolor": colors["paper"],
        "hatch.color": colors["faint"],
        "boxplot.boxprops.color": colors["ink"],
        "boxplot.whiskerprops.color": colors["ink"],
        "boxplot.capprops.color": colors["ink"],
        "boxplot.flierprops.markeredgecolor": colors["ink"],
        "image.cmap": "viridis",
        # The same tables give the same bytes.
        "svg.hashsalt": "isocortex",
        "svg.fonttype": "none",
    }


@contextmanager
def figure_style(theme: str = "light") -> Iterator[None]:
    """Draw what is inside the `with` block in the style of a theme.

    Parameters
    ----------
    theme : {"light", "dark"}
        See `THEMES`.

    Raises
    ------
    UserError
        If there is no such theme.
    """
    # matplotlib types the keys of its settings one by one, and not alike in all versions.
    with mpl.rc_context(cast(Any, settings(theme))):
        yield
