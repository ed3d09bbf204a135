"""The result folder of a study: written beside its place, moved there whole."""

from __future__ import annotations

import json
from pathlib import Path

from isocortex.folders import check_destination, only_these, replacing
from isocortex.report.html import write_report
from isocortex.studies.base import StudyResult
from isocortex.studies.results import write_tables

RESULT_FILES = (
    "claims.csv", "config.yaml", "figures", "provenance.json", "report.html", "tables",
)  # fmt: skip
"""All that lies in a result folder."""

_not_ours = only_these(*RESULT_FILES, mark="provenance.json")


def _not_of(study: str, folder: Path) -> str | None:
    reason = _not_ours(folder)
    if reason is not None:
        return reason
    try:
        found = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return "its provenance.json cannot be read"
    return None if found == study else f"it holds a result of {found}"


def check_result_folder(out: Path, study: str) -> Path:
    """Make sure, before a run, that its result can be written.

    Parameters
    ----------
    out : Path
        Where to. Missing parents are created.
    study : str
        Name of the study; an earlier result of the same study may be replaced, nothing else.

    Returns
    -------
    Path
        `out`, absolute.

    Raises
    ------
    UserError
        If `out` cannot be written, or holds something else.
    """
    return check_destination(out, lambda folder: _not_of(study, folder))


def write_result(result: StudyResult, out: Path) -> Path:
    """Write tables, figures and report of a run, all or nothing.

    Parameters
    ----------
    result : StudyResult
    out : Path
        The folder; an earlier result of the same study in it is replaced.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    UserError
        As `check_result_folder`.
    """
    with replacing(out, lambda folder: _not_of(result.study.name, folder)) as partial:
        write_tables(result, partial)
        write_report(result, partial)
    return out / "report.html"
