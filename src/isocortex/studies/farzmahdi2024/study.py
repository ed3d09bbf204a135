"""The study as one line: objects, mechanism, diets, recordings, measures, face patch, verdicts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isocortex.execution import Execution
from isocortex.studies.base import Findings, Study, Tables
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farzmahdi2024.claims import CLAIMS, EVIDENCE
from isocortex.studies.farzmahdi2024.config import CONFIGURATIONS, Configuration
from isocortex.studies.farzmahdi2024.figures import FIGURES
from isocortex.studies.farzmahdi2024.judging import judge_all
from isocortex.studies.farzmahdi2024.mechanism import Mechanism
from isocortex.studies.farzmahdi2024.overview import (
    control_index,
    montage,
    object_table,
    pixel_index,
    training_table,
)
from isocortex.studies.farzmahdi2024.plan import AM_FILE, DATA_FILES, Plan, training_sources
from isocortex.studies.farzmahdi2024.recorded import FacePatchAM, alignment
from isocortex.studies.farzmahdi2024.simulated import Simulate
from isocortex.studies.farzmahdi2024.stimuli import Variant

SETS: dict[str, tuple[Variant, str]] = {
    "classes": ("classes", "symmetric"),
    "heads": ("heads", "symmetric"),
    "broken": ("broken", "symmetric"),
    "side": ("classes", "side"),
}
"""The sets that every network sees: variant of the objects, and light."""


def steps(configuration: Configuration, data: Path | None, execution: Execution) -> Findings:
    """Run the study and judge its claims.

    Parameters
    ----------
    configuration : Configuration
        The preset, with overrides.
    data : Path or None
        Folder of real data; without it everything runs on procedural objects and glyphs, and the
        recorded face patch is left out.
    execution : Execution
        Where results are kept, where sweeps run, who is told.
    """
    chosen = configuration
    notes: list[str] = []
    files = DataFiles(data)
    sources, natural = training_sources(chosen, files, notes)
    plan = Plan(chosen, files, execution)

    views = {name: plan.views(*what) for name, what in SETS.items()}
    for name, rendered in views.items():
        execution.run(("render", name), rendered)
    tables: Tables = {
        "objects": object_table(views),
        "montage": montage(views),
        "pixels": pixel_index(views, chosen.null_draws),
        "control": control_index(views),
    }

    if chosen.given.models:
        given = plan.given()
        found = execution.sweep(("given networks",), given, lambda step: step.title)
        tables["given"] = pd.concat(found, ignore_index=True)

    tables["mechanism"] = execution.run(
        ("mechanism",),
        execution.step(
            Mechanism,
            views={light: plan.views("exact", light) for light in ("symmetric", "side")},
            seeds=chosen.mechanism.seeds,
        ),
    )

    tables["simulated"] = execution.run(
        ("simulated populations",), execution.step(Simulate, seeds=chosen.mechanism.seeds)
    )

    tables |= _recorded(chosen, files, execution, notes)
    reliability = _reliability(tables)
    networks = plan.networks(sources, natural)
    trained = execution.sweep(("train",), networks, lambda step: step.title)
    tables["training"] = training_table(networks, trained)
    measures = [plan.measure(network, views, reliability) for network in networks]
    measured = execution.sweep(("record and measure",), measures, lambda step: step.title)
    for name in measured[0]:
        tables[name] = pd.concat([found[name] for found in measured], ignore_index=True)
    for step in (*networks, *measures):
        step.clear_workspace()

    if "face_patch_blocks" in tables:
        tables["alignment"] = alignment(tables["face_patch_blocks"], tables["blocks"])

    judgements = judge_all(tables, sources, chosen.training.seeds, chosen.resamples, plan.source)
    return Findings(tables, judgements, files.checksums, tuple(notes))


def _recorded(
    chosen: Configuration,
    files: DataFiles,
    execution: Execution,
    notes: list[str],
) -> Tables:
    """Run the protocol of the recorded face patch, if the recording is there."""
    if not chosen.face_patch.recorded or not files.wanted(*DATA_FILES["face patch AM"]):
        notes.append("no recorded face patch: F19 and F20 are not tested (set ISOCORTEX_DATA)")
        return {}
    assert files.folder is not None
    patch = execution.step(
        FacePatchAM,
        path=files.folder / AM_FILE,
        checksum=files.checksum(AM_FILE),
        splits=chosen.face_patch.splits,
        null_draws=chosen.face_patch.null_draws,
        resamples=chosen.face_patch.resamples,
    )
    tables: Tables = execution.run(("face patch AM",), patch)
    return tables


def _reliability(tables: Tables) -> float | None:
    """Return reliability (b) of the recording, to which layers are noise-matched."""
    if "face_patch" not in tables:
        return None
    by_measure = tables["face_patch"].set_index("measure")["value"]
    return round(float(by_measure["trial_reliability"]), 6)


STUDY = Study(
    name="farzmahdi2024",
    title="Mirror-symmetric viewpoint tuning",
    citation=(
        "Farzmahdi, Zarco, Freiwald, Kriegeskorte, Golan. Emergence of brain-like mirror-symmetric"
        " viewpoint tuning in convolutional neural networks. eLife 13:e90256 (2024)."
    ),
    question=(
        "Units of the macaque face patch AL respond alike to a head turned left or right by the"
        " same angle, yet stay view-tuned. Why?"
    ),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    steps=steps,
    evidence=EVIDENCE,
    figures=FIGURES,
    notes=(
        "M is the mirror-symmetry index: the correlation of an object's 9 x 9 matrix of distances"
        " between views with its left-right reversal, the frontal column left out. Equidistant"
        " views give -1/8, not 0. Units are z-scored over each set of views; units without"
        " variance are dropped and counted, and simulated populations are not z-scored. The last"
        " layer is read after rectification. Silhouette and luminance alone (table control) are"
        " mirror-symmetric over views for every object, since views at -90 and 90 degrees are"
        " mirror images of each other in outline: read the index of asymmetric objects and of"
        " untrained twins beside F1, F4 and F13. F3 and F4 speak of trained diets; untrained"
        " networks are in the figure. F20 varies over seeds only, not over the recorded neurons."
        " Intervals of networks are Student's t over seeds,"
        " contrasts paired by seed; those of pixels are BCa over exemplars and those of recorded"
        " neurons BCa over neurons. Thresholds were fixed before any run."
    ),
)
