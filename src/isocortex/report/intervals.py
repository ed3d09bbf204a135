"""A small drawing of an interval against its threshold, as inline SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH, HEIGHT = 210, 46
_LEFT, _RIGHT = 14, 196
_AXIS, _MIDDLE = 28, 15
_APART = 34  # labels nearer than this would run into each other


def number(value: float, digits: int = 2) -> str:
    """Return a number as the report writes it: two decimals, or three figures where it is large.

    A number too small for them is given to one figure. A true minus sign goes before negative
    numbers; an undefined number is a dash.
    """
    if not math.isfinite(value):
        return "–"
    magnitude = abs(value)
    if magnitude >= 1000:
        text = f"{value:.3g}"
    elif 0 < magnitude < 0.5 * 10**-digits:
        text = f"{value:.1g}"
    else:
        text = f"{value:.{digits}f}"
        if float(text) == 0:
            text = text.lstrip("-")
    return text.replace("-", "−")


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT), 1)


def _axis(values: list[float]) -> _Axis:
    """Correlations and their differences share the axis from -1 to 1; others get their own."""
    low, high = min(values), max(values)
    if low >= -1 and high <= 1:
        return _Axis(-1.0, 1.0)
    margin = 0.06 * (high - low)
    return _Axis(low - margin, high + margin)


def _zone(test: str, threshold: float, axis: _Axis) -> tuple[float, float]:
    """Return from where to where the claim would hold."""
    if test == "above":
        return axis.x(threshold), _RIGHT
    if test == "below":
        return _LEFT, axis.x(threshold)
    return axis.x(-threshold), axis.x(threshold)


def interval_plot(
    value: float, low: float, high: float, test: str, threshold: float, verdict: str
) -> Markup:
    """Draw an interval over the range in which the claim would hold.

    Parameters
    ----------
    value, low, high : float
        The estimate and its interval. Undefined bounds are left out.
    test : {"above", "below", "band"}
        Which side of the threshold the claim asks for.
    threshold : float
        Where the dashed line stands; a band has two.
    verdict : str
        Colours the mark through the class ``verdict-...``.

    Returns
    -------
    Markup
        An ``<svg>`` that takes its colours from the page, or nothing where there is no estimate.
    """
    if not math.isfinite(value):
        return Markup("")
    lines = [-threshold, threshold] if test == "band" else [threshold]
    bounds = [low, high] if math.isfinite(low) and math.isfinite(high) else []
    axis = _axis([value, 0.0, *lines, *bounds])
    begin, end = _zone(test, threshold, axis)
    marks = [
        f'<rect class="zone" x="{begin}" y="4" width="{round(end - begin, 1)}" height="24"/>',
        f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_AXIS}" y2="{_AXIS}"/>',
        f'<line class="zero" x1="{axis.x(0)}" x2="{axis.x(0)}" y1="4" y2="{_AXIS}"/>',
    ]
    for line in lines:
        x = axis.x(line)
        marks.append(f'<line class="threshold" x1="{x}" x2="{x}" y1="2" y2="{_AXIS + 3}"/>')
    if len(lines) == 2 and axis.x(lines[1]) - axis.x(lines[0]) < _APART:
        marks.append(_label(axis.x(0), f"±{number(threshold)}", "middle"))
    else:
        marks += [_label(axis.x(line), number(line), "middle") for line in lines]
    for edge, anchor in ((axis.low, "start"), (axis.high, "end")):
        if all(abs(axis.x(edge) - axis.x(line)) > _APART for line in lines):
            marks.append(_label(0 if anchor == "start" else WIDTH, number(edge), anchor))
    words = f"{number(value)}"
    if bounds:
        x1, x2 = axis.x(low), axis.x(high)
        marks.append(f'<line class="bar" x1="{x1}" x2="{x2}" y1="{_MIDDLE}" y2="{_MIDDLE}"/>')
        words += f", interval {number(low)} to {number(high)}"
    marks.append(f'<circle class="dot" cx="{axis.x(value)}" cy="{_MIDDLE}" r="4.5"/>')
    sign = {"above": "above", "below": "below", "band": "within ±"}[test]
    words += f"; the claim asks for {sign} {number(threshold)}"
    kind = escape(verdict.replace(" ", "-"))
    return Markup(
        f'<svg class="interval verdict-{kind}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{escape(words)}">{"".join(marks)}</svg>'
    )


def _label(x: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}">{text}</text>'
