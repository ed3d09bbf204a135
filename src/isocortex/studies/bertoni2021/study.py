"""The study as one line: codecs, contours, networks, measures, verdicts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isocortex.execution import Execution
from isocortex.studies.base import Findings, Study, Tables
from isocortex.studies.bertoni2021.ablations import ablations
from isocortex.studies.bertoni2021.calibration import calibrated
from isocortex.studies.bertoni2021.claims import CLAIMS, EVIDENCE
from isocortex.studies.bertoni2021.codec_tables import codec_tables
from isocortex.studies.bertoni2021.config import CONFIGURATIONS, Configuration
from isocortex.studies.bertoni2021.gallery import FIGURES
from isocortex.studies.bertoni2021.given import MeasureGiven, checkpoint_checksum
from isocortex.studies.bertoni2021.judging import judge_all
from isocortex.studies.bertoni2021.measuring import join
from isocortex.studies.bertoni2021.plan import Plan
from isocortex.studies.data_files import DataFiles


def steps(configuration: Configuration, data: Path | None, execution: Execution) -> Findings:
    """Run the study and judge its claims.

    Parameters
    ----------
    configuration : Configuration
        The preset, with overrides.
    data : Path or None
        Folder of real data; without it networks learn procedural glyphs, codecs and contours see
        dead leaves, and claims about photographs are not tested.
    execution : Execution
        Where results are kept, where sweeps run, who is told.
    """
    chosen = configuration
    notes: list[str] = []
    files = DataFiles(data)
    plan = Plan(chosen, files, execution, notes)
    tables: Tables = {}

    codecs = plan.codecs()
    coded = execution.sweep(("reconstruct",), codecs, lambda step: step.title)
    spectral = execution.run(("spectral codecs",), plan.spectral())
    tables |= codec_tables(codecs, coded, spectral, chosen.statistics.noise_filters)

    counts = plan.contours()
    counted = execution.sweep(("contours",), counts, lambda step: step.title)
    tables |= join([found["tables"] for found in counted])
    tables["calibration"] = execution.run(("contours of known sigma",), plan.calibration())
    tables["contour_sigma"] = calibrated(tables["contour_fits"], tables["calibration"])

    networks = plan.networks(notes)
    execution.sweep(("train",), networks, lambda step: step.title)
    contours = counts[0] if plan.photographs else None
    measures = [plan.measure(network, contours) for network in networks]
    tables |= join(execution.sweep(("measure",), measures, lambda step: step.title))
    tables["ablations"] = ablations(networks, tables)
    compared = plan.cells(measures)
    if compared is not None:
        tables["cells"] = execution.run(("recorded cells",), compared)
    nulls = plan.fit_nulls(networks)
    tables |= join(execution.sweep(("nulls of fits",), nulls, lambda step: step.title))
    tested = execution.sweep(("corruption",), plan.robustness(networks), lambda step: step.title)
    if tested:
        tables["corruption"] = pd.concat(tested, ignore_index=True)

    bare = [network for network in networks if network.arm == "no_lgn"]
    if bare:
        induced = [plan.induced(network) for network in bare]
        found = join(execution.sweep(("induced",), induced, lambda step: step.title))
        tables |= {f"induced_{name}": table for name, table in found.items()}
    tables |= _given(chosen, execution)
    whole = [network for network in networks if network.arm == "all" and network.seed == 0]
    if whole and "positive" in chosen.reconstruction.arms:
        place = [(step.arm, step.seed) for step in codecs].index(("positive", 0))
        filters = coded[place]["filters"]
        light = plan.light(whole[0], filters[max(filters)].astype(float).tolist())
        tables["light"] = execution.run(("light",), light)

    for step in (*codecs, *networks):
        step.clear_workspace()
    if networks:
        restarts = int(tables["networks"]["restarts"].sum())
        if restarts:
            notes.append(f"{restarts} trainings began anew because their filter in front had died")
    judgements = judge_all(tables, chosen.full_scale, plan.source)
    return Findings(tables, judgements, files.checksums, tuple(notes))


def _given(chosen: Configuration, execution: Execution) -> Tables:
    """Measure the first layers of given networks, if there are any."""
    wanted = chosen.first_layers
    if not wanted.models:
        return {}
    given = []
    for model in wanted.models:
        weights = wanted.weights.get(model, "pretrained")
        given.append(
            execution.step(
                MeasureGiven,
                model=model,
                weights=weights,
                layer=wanted.layers.get(model, ""),
                checksum=checkpoint_checksum(weights),
                permutations=chosen.statistics.permutations,
                surrogates=chosen.statistics.surrogates,
                control_banks=wanted.control_banks,
            )
        )
    found = join(execution.sweep(("given networks",), given, lambda step: step.title))
    return {f"given_{name}": pd.DataFrame(table) for name, table in found.items()}


STUDY = Study(
    name="bertoni2021",
    title="Lie symmetries in the lateral connections of a CNN",
    citation=(
        "Bertoni, Montobbio, Sarti, Citti. Emergence of Lie symmetries in functional architectures"
        " learned by CNNs. Frontiers in Computational Neuroscience 15:694505 (2021)."
    ),
    question=(
        "A network gets one filter in front, as of the LGN, and learned connections among the units"
        " of its first layer, as in V1. Does training on natural images turn the filter into a"
        " Laplacian of Gaussian, and the connections into those of contours?"
    ),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    steps=steps,
    evidence=EVIDENCE,
    figures=FIGURES,
    notes=(
        "Orientations are those of contours, counter-clockwise; displacements are source minus"
        " target, y upwards. G1 = min(r - r95, Q - Q95, gain, -.05 - ring): beyond smooth noise of"
        " the same size in correlation with a Laplacian of Gaussian and in radial share, better"
        " than a Gaussian, and with a surround. Lateral connections are looked at between units"
        " whose filter is a Gabor (r >= .8), the positive part of the kernel, every target scaled"
        " to the same total input; with fewer than 8 such units the claims are not tested, and"
        " tables and figures show those with the best fits (column `enough` is False). Like ratio:"
        " strength below 22.5 deg of relative orientation over that above 67.5; axial ratio: along"
        " over across the contour. Overlapping Gabors alone give like-to-like, co-axial"
        " connections: the overlap of the filters stands beside every figure. The kernel is read"
        " between its entries by cubic convolution. Intervals run over seeds (Student's t, paired"
        " by seed), over photographs (bootstrap) or over filters of a given network. Claims at full"
        " scale are judged by the presets full-cifar and full alone."
    ),
)
