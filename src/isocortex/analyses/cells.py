"""Cells of the tables that commands print and pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def number(value: Any) -> str:
    """Return a score as a cell of a table: three decimals, a dash for what is missing."""
    return "-" if value is None or value != value else f"{value:.3f}"


def with_interval(row: Any, name: str, low: str = "", high: str = "") -> str:
    """Return a score of a row with its interval, which stands in ``NAME_low`` and ``NAME_high``."""
    value = number(row.get(name))
    bounds = [row.get(low or f"{name}_low"), row.get(high or f"{name}_high")]
    if "-" in (value, *map(number, bounds)):
        return value
    return f"{value} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def markdown(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table in Markdown, bars in its cells escaped."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(v).replace("|", "\\|") for v in row) + " |" for row in rows]
    return "\n".join(lines)
