"""The result folder of an analysis: tables, figures, provenance; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from isocortex.analyses.provenance import write_tables
from isocortex.folders import check_destination, only_these, replacing
from isocortex.report.style import figure_style

_FILES = ("figures", "provenance.json", "summary.md", "tables")

_not_ours = only_these(*_FILES, mark="provenance.json")


def _not_of(analysis: str, folder: Path) -> str | None:
    reason = _not_ours(folder)
    if reason is not None:
        return reason
    try:
        found = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["analysis"]
    except (OSError, ValueError, KeyError, TypeError):
        return "its provenance.json is that of no analysis"
    return None if found == analysis else f"it holds a result of {found}"


def check_analysis_folder(out: Path, analysis: str) -> Path:
    """Make sure, before any work, that a result of `analysis` can be written to `out`.

    Raises
    ------
    UserError
        If `out` cannot be written, or holds something else than an earlier result of the kind.
    """
    return check_destination(out, lambda folder: _not_of(analysis, folder))


def write_analysis(
    out: Path,
    tables: Mapping[str, pd.DataFrame],
    provenance: Mapping[str, Any],
    figures: Mapping[str, Callable[[], Figure]],
    pages: Mapping[str, Callable[[], str]] | None = None,
) -> list[Path]:
    """Write an analysis, all or nothing.

    Parameters
    ----------
    out : Path
        The folder; an earlier result of the same analysis in it is replaced.
    tables : mapping of str to pandas.DataFrame
        Go to ``tables/NAME.csv``.
    provenance : mapping
        Its entry ``analysis`` names the kind.
    figures : mapping of str to callable
        Draw figures; go to ``figures/NAME.png`` and ``.svg``.
    pages : mapping of str to callable, optional
        Write pages of text, e.g. ``summary.md``, under the names that they have in the folder.

    Returns
    -------
    list of Path
        The figures as PNG.

    Raises
    ------
    UserError
        As `check_analysis_folder`.
    """
    kind = str(provenance["analysis"])
    with replacing(out, lambda folder: _not_of(kind, folder)) as partial:
        write_tables(partial, tables, provenance)
        for name, write in (pages or {}).items():
            (partial / name).write_text(write(), encoding="utf-8")
        (partial / "figures").mkdir()
        for name, draw in figures.items():
            with figure_style():
                figure = draw()
                figure.savefig(partial / "figures" / f"{name}.png")
                figure.savefig(partial / "figures" / f"{name}.svg", metadata={"Date": None})
    return [out / "figures" / f"{name}.png" for name in figures]
