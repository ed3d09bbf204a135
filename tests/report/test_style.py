"""The palette is legible on both themes, and tells its colours apart for colour-blind readers."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from isocortex.errors import UserError
from isocortex.report.style import OKABE_ITO, THEMES, figure_style, settings

# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip


def linear(color: str) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    y = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (y[1] + 0.05) / (y[0] + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", THEMES)
def test_text_and_lines_stand_out_from_the_paper(theme: str) -> None:
    colors = THEMES[theme]
    assert contrast(colors["ink"], colors["paper"]) > 12
    assert contrast(colors["faint"], colors["paper"]) > 4.5
    for name in ("blue", "vermillion", "green"):
        assert contrast(OKABE_ITO[name], colors["paper"]) > 3, name


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colors_differ_for_colour_blind_readers(kind: str) -> None:
    for a, b in itertools.combinations(OKABE_ITO.values(), 2):
        difference = lab(BLINDNESS[kind] @ linear(a)) - lab(BLINDNESS[kind] @ linear(b))
        assert np.linalg.norm(difference) > 10, (a, b)


@pytest.mark.parametrize("theme", THEMES)
def test_a_figure_takes_all_colours_from_the_theme(theme: str) -> None:
    before = mpl.rcParams["axes.facecolor"]
    with figure_style(theme):
        figure = Figure()
        axes = figure.subplots()
        (line,) = axes.plot([0, 1])
        assert figure.get_constrained_layout()
    assert to_rgb(axes.get_facecolor()) == to_rgb(THEMES[theme]["paper"])
    assert to_rgb(axes.xaxis.label.get_color()) == to_rgb(THEMES[theme]["ink"])
    assert line.get_color() == OKABE_ITO["blue"]
    assert mpl.rcParams["axes.facecolor"] == before


def test_all_settings_are_known_to_matplotlib() -> None:
    assert set(settings()) <= set(mpl.rcParams)


def test_unknown_theme_is_one_line() -> None:
    with pytest.raises(UserError, match="unknown theme 'drak'; did you mean dark"):
        settings("drak")
