"""The study as one line: scenes, networks, decoding, alignment, comparison, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from isocortex.execution import Execution
from isocortex.studies.base import Findings, Study, Tables
from isocortex.studies.data_files import DataFiles
from isocortex.studies.xie2024.claims import CLAIMS, EVIDENCE
from isocortex.studies.xie2024.config import CONFIGURATIONS, Configuration, check
from isocortex.studies.xie2024.figures import FIGURES
from isocortex.studies.xie2024.judging import judge_all
from isocortex.studies.xie2024.looking import Looking
from isocortex.studies.xie2024.natural import TrainNatural
from isocortex.studies.xie2024.networks import Network, Train
from isocortex.studies.xie2024.overview import (
    bits_per_image,
    curve_correlations,
    montage,
    training_table,
)
from isocortex.studies.xie2024.plan import Plan
from isocortex.studies.xie2024.public_alignment import DECIDES, complete
from isocortex.studies.xie2024.public_figures import PUBLIC_FIGURES
from isocortex.studies.xie2024.published import beside_published
from isocortex.studies.xie2024.scene_plan import FULL


def steps(configuration: Configuration, data: Path | None, execution: Execution) -> Findings:
    """Run the study and judge its claims.

    Parameters
    ----------
    configuration : Configuration
        The preset, with overrides.
    data : Path or None
        Folder of real data; without it scenes are procedural and nothing is aligned.
    execution : Execution
        Where results are kept, where sweeps run, who is told.
    """
    check(configuration)
    notes: list[str] = []
    files = DataFiles(data)
    plan = Plan(configuration, files, execution)
    networks = plan.networks()
    sets = {network.variant: network.images for network in networks}
    sets["held out"] = plan.held_out()
    rendered = list(sets.values())
    execution.sweep(("render",), rendered, lambda step: _name(sets, step))
    tables: Tables = {"montage": montage(sets["held out"])}
    natural = plan.natural()
    learners: list[Network] = [*networks, *natural]
    execution.sweep(("train",), learners, lambda step: step.title)
    tests = [plan.test_on_own(n) for n in networks if n.tasks and plan.reduced(n.variant)]
    found = execution.sweep(("test",), tests, lambda step: step.title)
    own = {step.title: table for step, table in zip(tests, found, strict=True)}
    tables["training"] = training_table(learners, own)
    tables["bits"] = bits_per_image(plan.trained_on(FULL))

    decoders = [plan.decode(network) for network in (None, *networks)]
    found = execution.sweep(("decode",), decoders, lambda step: step.title)
    tables["decoding"] = plan.body.roles(pd.concat(found, ignore_index=True))
    tested = [plan.generalise(n) for n in networks if n.variant == FULL and n.tasks]
    found = execution.sweep(("generalise",), tested, lambda step: step.title)
    tables["generalisation"] = pd.concat(found, ignore_index=True)
    found = execution.sweep(("by class",), plan.by_class(networks), lambda step: step.title)
    tables["classes"] = pd.concat(found, ignore_index=True)
    tables["cka"] = plan.body.staged(execution.run(("compare",), plan.compare(networks, natural)))
    tables |= aligned(plan, networks, natural, execution, notes)
    for network in learners:
        network.clear_workspace()
    judgements = judge_all(tables, configuration.networks.seeds, configuration.resamples)
    return Findings(tables, judgements, files.checksums, tuple(notes))


def aligned(
    plan: Plan,
    networks: list[Train],
    natural: list[TrainNatural],
    execution: Execution,
    notes: list[str],
) -> Tables:
    """Score networks and snapshots on the recordings that are there."""
    looked_at = (None, *networks, *natural, *plan.given)
    notes += plan.missing

    def sweep(title: str, steps: Sequence[Looking]) -> pd.DataFrame:
        each = execution.sweep((title,), steps, lambda step: step.title)
        bodies = map(plan.body_of, (step.observer for step in steps))
        staged = [body.staged(table) for body, table in zip(bodies, each, strict=True)]
        return pd.concat(staged, ignore_index=True)

    tables: Tables = {}
    scored = [step for step in map(plan.align, looked_at) if step is not None]
    if scored:
        found = sweep("align", scored)
        recorded = found["area"].str.startswith("V4")
        tables["alignment"] = found[recorded].reset_index(drop=True)
        tables["alignment_human"] = found[~recorded].reset_index(drop=True)
        tables["ceilings"] = plan.ceilings()
        shares = execution.sweep(("shared variance",), plan.shares(networks), lambda s: s.title)
        if shares:
            tables["shared_variance"] = pd.concat(shares, ignore_index=True)
    else:
        notes.append("no data folder: nothing is aligned with its recordings (set ISOCORTEX_DATA)")
    if plan.public:
        found = sweep("align public", [plan.align_public(who) for who in looked_at])
        tables |= {"alignment_public": found, "published_stages": beside_published(found)}
        notes.append(DECIDES[complete(found)])
    snapshots = [(n, at) for n in networks for at in n.snapshot_steps]
    align = plan.align_public if complete(tables.get("alignment_public")) else plan.align
    curves = [step for n, at in snapshots if (step := align(n, at)) is not None]
    if curves:
        tables["curves"] = _curves(networks, sweep("align snapshots", curves))
        tables["curve_correlations"] = curve_correlations(tables["curves"])
    return tables


def _curves(networks: list[Train], scored: pd.DataFrame) -> pd.DataFrame:
    """Return performance and alignment of each snapshot, one row each."""
    keys = ["task_set", "variant", "seed", "step"]
    each = scored.groupby([*keys, "area"], as_index=False)["chosen"].first()
    alignment = each.groupby(keys, as_index=False)["chosen"].mean().rename(columns={"chosen": "A"})
    rows = []
    for network in networks:
        metrics = network.result()["metrics"]
        lost = metrics[metrics["metric"] == "relative_loss"]
        for step, values in lost.groupby("step")["value"]:
            rows.append(network.identity | {"step": step, "performance": 1 - float(values.mean())})
    return alignment.merge(pd.DataFrame(rows), on=keys, how="inner")


def _name(sets: Mapping[str, object], step: object) -> str:
    return next(name for name, other in sets.items() if other is step)


STUDY = Study(
    name="xie2024",
    title="Spatial latents and the ventral stream",
    citation=(
        "Xie, Huang, Alter, Schwartz, Tenenbaum, DiCarlo. Vision CNNs trained to estimate spatial"
        " latents learned similar ventral-stream-aligned representations. ICLR (2025)."
    ),
    question=(
        "Networks that name objects resemble the ventral stream. Do networks that only learn where"
        " an object is, and how it is turned, become as similar?"
    ),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    steps=steps,
    evidence=EVIDENCE,
    figures={**FIGURES, **PUBLIC_FIGURES},
    notes=(
        "A is the mean over V4 sessions of the median over neurons of Pearson r, by partial least"
        " squares on held-out images, at the layer that the other sessions chose; raw, since three"
        " of the four sessions have no repeats. With the files of public assemblies of V1, V2, V4"
        " and IT (preset full) it is their mean of (r / ceiling)^2, at the layer that inner folds"
        " of the training images choose. Human areas are scored by the mean Spearman"
        " correlation with each subject's distances, at the layer that the other half of the images"
        " chose. Performance is 1 - loss / loss of the best constant on held-out images with"
        " backgrounds that no network has seen. A network that learned nothing (the summed loss of"
        " its tasks above .8 of a constant's and accuracy below three times chance, on held-out"
        " images of the variability that it was trained on) is left out of alignment and CKA."
        " Decoding is linear, with a penalty chosen by inner folds; balanced accuracy of the"
        " category, mean r of x and y. CKA is linear and debiased. The reference of X16 is the"
        " network that learns everything. Under the sampler tdw, centring also changes depth and"
        " rotation. The scenes are ours, not those of ThreeDWorld: numbers are not comparable with"
        " the paper's, directions are. Intervals are Student's t over seeds, paired by seed; those"
        " of CKA are drawn over networks, shares have Wilson's. All parts of a claim must be shown,"
        " so that its several sets or layers need no correction."
    ),
)
