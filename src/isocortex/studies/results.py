"""The result folder: tables from which every figure can be drawn again, and how they came about."""

from __future__ import annotations

from pathlib import Path

import yaml

from isocortex.analyses import provenance as provenance_room
from isocortex.studies.base import StudyResult


def write_tables(result: StudyResult, folder: Path) -> None:
    """Write ``claims.csv``, ``tables/``, ``config.yaml`` and ``provenance.json`` into `folder`.

    Parameters
    ----------
    result : StudyResult
    folder : Path
        An existing, empty folder; the caller moves it into place when all of it is written.
    """
    result.board.to_csv(folder / "claims.csv", index=False)
    provenance = {**result.provenance, "warnings": list(result.warnings)}
    provenance_room.write_tables(folder, result.tables, provenance)
    with (folder / "config.yaml").open("w", encoding="utf-8") as stream:
        yaml.safe_dump(
            {"study": result.study.name, "preset": result.preset, **result.config},
            stream,
            sort_keys=False,
            allow_unicode=True,
        )
