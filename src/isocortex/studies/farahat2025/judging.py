"""From intervals to verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
import pandas as pd

from isocortex.claims import Claim, Judgement, Verdict, judge
from isocortex.studies.farahat2025.claims import CLAIMS, CONFOUNDED, NEEDS, SIMULATIONS, TRAINED
from isocortex.studies.farahat2025.evidence import Evidence
from isocortex.studies.farahat2025.intervals import Tables

NO_DATA = "no real data: set ISOCORTEX_DATA to a folder with the recordings"
NOT_RUN = "a network or area that it needs was not run"


def judge_all(
    tables: Tables, n_resamples: int, found: Collection[str], rejected: bool
) -> list[Judgement]:
    """Judge every claim.

    Parameters
    ----------
    tables : dict of str to DataFrame
    n_resamples : int
    found : collection of str
        The sources of data that were there, as `claims.NEEDS` names them, and "recordings".
    rejected : bool
        Whether the simulated IT is explained by a Gabor pyramid, and so tests nothing.
    """
    evidence = Evidence(tables, n_resamples)
    evidence.collect()
    failed = at_chance(tables.get("networks"))
    return [_judged(claim, evidence, found, rejected, failed) for claim in CLAIMS]


def at_chance(networks: pd.DataFrame | None) -> str:
    """Say which network names unseen objects no better than chance, or nothing.

    Chance is one in as many classes as there are; above it means by more than three binomial
    standard errors.
    """
    if networks is None or networks.empty:
        return ""
    chance = 1 / networks["classes"]
    least = chance + 3 * np.sqrt(chance * (1 - chance) / networks["test_images"])
    bad = networks[~(networks["accuracy"] > least)]
    if bad.empty:
        return ""
    first = bad.iloc[0]
    return (
        f"training on objects failed: {first['configuration']} seed {first['seed']} names"
        f" {first['accuracy']:.2f} of unseen objects"
    )


def _judged(
    claim: Claim, evidence: Evidence, found: Collection[str], rejected: bool, failed: str
) -> Judgement:
    names = [part.name for part in claim.parts]
    intervals = {n: evidence.intervals[n] for n in names if n in evidence.intervals}
    reasons = [evidence.reasons[n] for n in names if n in evidence.reasons]
    simulated = claim.id in SIMULATIONS
    lacking = [need for need in NEEDS.get(claim.id, ()) if need not in found]
    if lacking:
        intervals, reasons = {}, [f"no real data: {', '.join(lacking)} not found"]
    elif failed and claim.id in TRAINED:
        intervals, reasons = {}, [failed]
    elif rejected and claim.id in ("T1", "T2c", "T7"):
        intervals, reasons = {}, ["a Gabor pyramid explains the simulated IT: rejected"]
    seeds = min((evidence.seeds[n] for n in intervals), default=0)
    reason = NO_DATA if "recordings" not in found and not simulated else NOT_RUN
    judged = judge(
        claim,
        intervals,
        n_seeds=seeds,
        condition="simulated area" if simulated else "",
        reason="" if len(intervals) == len(names) else (reasons[0] if reasons else reason),
    )
    return confounded(judged) if claim.id in CONFOUNDED else judged


def confounded(judgement: Judgement) -> Judgement:
    """Take back what areas that differ in images, cells and repetitions cannot show."""
    if judgement.verdict is not Verdict.SHOWN:
        return dataclasses.replace(judgement, condition="confounded")
    return dataclasses.replace(
        judgement,
        verdict=Verdict.NOT_SHOWN,
        parts=tuple(
            dataclasses.replace(part, verdict=Verdict.NOT_SHOWN) for part in judgement.parts
        ),
        condition="confounded",
        reason="the areas differ in images, cells and repetitions",
    )
