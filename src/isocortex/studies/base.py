"""What a study is: a configuration, steps, claims declared beforehand, figures, and a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic
from matplotlib.figure import Figure as Drawing

from isocortex import data as data_room
from isocortex.analyses.provenance import timing_rows, versions
from isocortex.claims import Claim, Judgement, board, declaration_checksum, parts
from isocortex.errors import unknown
from isocortex.execution import Cluster, Execution, Progress, Silence
from isocortex.studies.overrides import apply_overrides

Tables = dict[str, pd.DataFrame]

STUDIES = {
    "bertoni2021": "isocortex.studies.bertoni2021.study",
    "farahat2025": "isocortex.studies.farahat2025.study",
    "farzmahdi2024": "isocortex.studies.farzmahdi2024.study",
    "xie2024": "isocortex.studies.xie2024.study",
}
"""Name of each study and the module that defines its `STUDY`."""


@dataclass(frozen=True)
class Figure:
    """A figure of a study: a function of its tables, and what it shows."""

    draw: Callable[[Tables], Drawing]
    caption: str
    needs: tuple[str, ...] = ()
    """Tables without which the figure is left out (with a word in the report)."""


@dataclass(frozen=True)
class Findings:
    """What the steps of a study gave: its tables, judged claims and what was noticed on the way."""

    tables: Tables
    judgements: Sequence[Judgement]
    checksums: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Study:
    """A published system whose claims can be judged.

    Parameters
    ----------
    name, title, citation, question : str
        What it is.
    configurations : dict of str to pydantic.BaseModel
        The presets; each is a complete configuration.
    claims : sequence of Claim
        Declared before any run.
    steps : callable
        ``steps(configuration, data_folder, execution) -> Findings``.
    figures : dict of str to Figure
    notes : str
        How the numbers were made, for the report.
    evidence : dict of str to str
        For a claim's id, the table that its numbers are made of.
    """

    name: str
    title: str
    citation: str
    question: str
    configurations: Mapping[str, pydantic.BaseModel]
    claims: Sequence[Claim]
    steps: Callable[[Any, Path | None, Execution], Findings]
    figures: Mapping[str, Figure]
    notes: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the presets."""
        return tuple(self.configurations)

    def table_of(self, claim: str, tables: Mapping[str, object]) -> str:
        """Return the table that a claim's numbers come from; without one, that of its parts."""
        named = self.evidence.get(claim, "")
        return named if named in tables else "claim_parts"


@dataclass(frozen=True)
class StudyResult:
    """Everything that a run of a study leaves behind."""

    study: Study
    preset: str
    config: dict[str, Any]
    tables: Tables
    judgements: Sequence[Judgement]
    board: pd.DataFrame
    provenance: dict[str, Any]
    warnings: Sequence[str]

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures whose tables are there."""
        return {
            name: figure
            for name, figure in self.study.figures.items()
            if all(need in self.tables for need in figure.needs)
        }


def load_study(name: str) -> Study:
    """Return the study called `name`, or say which there are."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    study = import_module(STUDIES[name]).STUDY
    assert isinstance(study, Study)
    return study


def configure(study: Study, preset: str, overrides: Sequence[str] = ()) -> pydantic.BaseModel:
    """Return the configuration of a preset with the overrides applied."""
    if preset not in study.configurations:
        raise unknown("preset", preset, study.configurations)
    return apply_overrides(study.configurations[preset], overrides)


def run_study(
    name: str,
    preset: str = "quick",
    *,
    overrides: Sequence[str] = (),
    cache: Path | None = None,
    data: Path | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Run a study and judge its claims.

    Parameters
    ----------
    name, preset : str
        The study, and how large the run is: ``quick`` (minutes), ``small`` (an hour), ``full``.
    overrides : sequence of str
        Fields of the configuration to change, as ``"training.seeds=3"``.
    cache : Path, optional
        Where results of steps are kept; without it nothing is kept and nothing can be resumed.
    data : Path, optional
        Folder of real data; by default that of ``ISOCORTEX_DATA``. Without one everything runs on
        procedural stimuli.
    cluster : {"local", "slurm"}, optional
        Where sweeps run.
    progress : Progress, optional
        Who is told.

    Returns
    -------
    StudyResult

    Raises
    ------
    UserError
        For an unknown study, preset or field, or anything else that the user can mend.
    """
    study = load_study(name)
    configuration = configure(study, preset, overrides)
    folder = data_room.folder(data)
    execution = Execution(cache=cache, cluster=cluster, progress=progress or Silence())
    began = time.perf_counter()
    started = datetime.now(UTC)
    findings = study.steps(configuration, folder, execution)
    tables = dict(findings.tables)
    tables["claim_parts"] = parts(findings.judgements)
    return StudyResult(
        study=study,
        preset=preset,
        config=configuration.model_dump(mode="json"),
        tables=tables,
        judgements=findings.judgements,
        board=_board(study, findings.judgements, tables),
        provenance={
            "study": study.name,
            "preset": preset,
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.perf_counter() - began, 2),
            "overrides": list(overrides),
            "cluster": cluster or "this process",
            "data": "found" if folder else "none: procedural stimuli",
            "claims_checksum": declaration_checksum(study.claims),
            "checksums": dict(findings.checksums),
            "versions": versions(),
            "timings": timing_rows(execution.timings),
        },
        warnings=tuple(findings.warnings),
    )


def _board(study: Study, judgements: Sequence[Judgement], tables: Tables) -> pd.DataFrame:
    """Return the board, each claim with the table that its numbers come from."""
    claims = board(judgements)
    return claims.assign(table=[study.table_of(claim, tables) for claim in claims["id"]])
