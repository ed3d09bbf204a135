"""The report of a study: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib.pyplot as plt
import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from isocortex.claims import Judgement, PartJudgement, Verdict
from isocortex.report.intervals import interval_plot, number
from isocortex.report.style import THEMES, figure_style
from isocortex.studies.base import Figure, StudyResult, Tables

ROWS_SHOWN = 12
"""Rows of each table that the report shows; the whole table lies beside it."""

_LONGEST_CELL = 120

VERDICT_SIGNS = {
    Verdict.SHOWN: "✓",
    Verdict.NOT_SHOWN: "○",
    Verdict.CONTRADICTED: "✗",
    Verdict.NOT_TESTED: "–",
}
"""A sign for each verdict, so that none is told by colour alone."""


@dataclass(frozen=True)
class _Picture:
    """A figure in both themes, as addresses that hold the image itself."""

    name: str
    title: str
    caption: str
    light: str
    dark: str
    width: int
    height: int


@dataclass(frozen=True)
class _Preview:
    """The first rows of a table, as text."""

    name: str
    header: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    total: int
    href: str


def write_report(result: StudyResult, folder: Path) -> Path:
    """Draw the figures of a result and write its report.

    Parameters
    ----------
    result : StudyResult
        What `isocortex.studies.run_study` returned.
    folder : Path
        An existing result folder. ``figures/NAME.png`` and ``.svg`` (light theme) and
        ``report.html`` are written into it; its ``tables/`` are linked to.

    Returns
    -------
    Path
        The report. It embeds its images (in both themes), loads nothing and runs no script.
    """
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    pictures = [
        _picture(name, figure, result.tables, figures) for name, figure in result.figures.items()
    ]
    path = folder / "report.html"
    path.write_text(render(result, pictures), encoding="utf-8")
    return path


def render(result: StudyResult, pictures: Sequence[_Picture] = ()) -> str:
    """Return the HTML of a report."""
    environment = Environment(
        loader=PackageLoader("isocortex.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    environment.filters["slug"] = slug
    environment.globals["is_mapping"] = lambda value: isinstance(value, Mapping)
    environment.globals["is_records"] = _is_records
    environment.globals["is_list"] = lambda value: isinstance(value, list | tuple)
    counts = Counter(judgement.verdict for judgement in result.judgements)
    left_out = {
        name: [need for need in figure.needs if need not in result.tables]
        for name, figure in result.study.figures.items()
        if name not in result.figures
    }
    return environment.get_template("report.html.j2").render(
        css=Markup(environment.get_template("report.css").render()),
        study=result.study,
        preset=result.preset,
        counts=[(str(v), VERDICT_SIGNS[v], counts[v]) for v in Verdict],
        claims=[
            _claim(judgement, result.study.table_of(judgement.claim.id, result.tables))
            for judgement in result.judgements
        ],
        pictures=pictures,
        left_out=left_out,
        tables=[_preview(name, table) for name, table in result.tables.items()],
        notes=[text for text in result.study.notes.split("\n\n") if text.strip()],
        warnings=list(result.warnings),
        config=yaml.safe_dump(result.config, sort_keys=False, allow_unicode=True),
        provenance=result.provenance,
    )


def cell(value: Any) -> str:
    """Return a value as a table shows it: short numbers and texts, a dash for what is missing."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "–"
    if isinstance(value, float):
        return number(value, 3) if not value.is_integer() or abs(value) >= 1e15 else f"{value:.0f}"
    text = str(value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def slug(text: str) -> str:
    """Return `text` as part of an anchor: letters, digits and dashes."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _is_records(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(item, Mapping) for item in value)
    )


def _claim(judgement: Judgement, table: str) -> dict[str, Any]:
    """Return what the board shows of a claim: the part that decides, and all parts."""
    claim, deciding = judgement.claim, judgement.deciding
    verdicts = Counter(str(part.verdict) for part in judgement.parts)
    return {
        "id": claim.id,
        "text": claim.text,
        "paper": claim.paper,
        "basis": claim.basis,
        "verdict": str(judgement.verdict),
        "sign": VERDICT_SIGNS[judgement.verdict],
        "condition": judgement.condition,
        "reason": _reason(judgement),
        "table": table,
        "deciding": _part(deciding),
        "parts": [_part(part) for part in judgement.parts],
        "tally": ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()),
    }


def _reason(judgement: Judgement) -> str:
    """Return why a claim was not tested; where each part has its own reason, the first."""
    reasons = list(dict.fromkeys(part.reason for part in judgement.parts if part.reason))
    if not reasons:
        return judgement.reason
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return reasons[0] + more


def _part(judged: PartJudgement) -> dict[str, Any]:
    part, interval = judged.part, judged.interval
    shown: dict[str, Any] = {
        "text": part.text,
        "criterion": part.criterion.replace("-", "−"),
        "verdict": str(judged.verdict),
        "sign": VERDICT_SIGNS[judged.verdict],
        "value": "–",
        "interval": "",
        "how": "",
        "n": "–",
        "dropped": 0,
        "plot": Markup(""),
    }
    if interval is None or not math.isfinite(interval.estimate):
        return shown
    shown["value"] = number(interval.estimate)
    shown["n"] = str(interval.n)
    if interval.defined:
        shown["interval"] = f"[{number(interval.low)}, {number(interval.high)}]"
        shown["how"] = f"{100 * interval.level:g} % {interval.method}".strip()
    shown["dropped"] = interval.n_dropped
    shown["plot"] = interval_plot(
        interval.estimate,
        interval.low,
        interval.high,
        part.test,
        part.threshold,
        str(judged.verdict),
    )
    return shown


def _picture(name: str, figure: Figure, tables: Tables, folder: Path) -> _Picture:
    """Draw a figure in both themes; keep the light one as files, too."""
    images: dict[str, bytes] = {}
    width = height = 0
    for theme in THEMES:
        with figure_style(theme):
            drawing = figure.draw(tables)
            images[theme] = _png(drawing)
            width, height = (round(inch * 100) for inch in drawing.get_size_inches())
            if theme == "light":
                drawing.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(drawing)
    (folder / f"{name}.png").write_bytes(images["light"])
    return _Picture(
        name=name,
        title=name.replace("_", " "),
        caption=figure.caption,
        light=_address(images["light"]),
        dark=_address(images["dark"]),
        width=width,
        height=height,
    )


def _png(drawing: Drawing) -> bytes:
    stream = io.BytesIO()
    drawing.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _preview(name: str, table: pd.DataFrame) -> _Preview:
    head = table.head(ROWS_SHOWN)
    return _Preview(
        name=name,
        header=[str(column) for column in table.columns],
        numeric=[
            pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
            for dtype in table.dtypes
        ],
        rows=[[cell(value) for value in row] for row in head.itertuples(index=False, name=None)],
        total=len(table),
        href=f"tables/{quote(name)}.csv",
    )
