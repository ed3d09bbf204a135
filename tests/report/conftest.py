"""A made-up result of a made-up study: every verdict, hostile text, a figure left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pydantic
import pytest
from matplotlib.figure import Figure as Drawing

from isocortex.claims import Claim, Part, board, judge, parts
from isocortex.statistics import Interval
from isocortex.studies.base import Figure, Findings, Study, StudyResult, Tables

HOSTILE = '<script>alert("x")</script> & "quoted"'


class Configuration(pydantic.BaseModel):
    """A configuration with one field."""

    seeds: int = 2


def draw_curves(tables: Tables) -> Drawing:
    """Draw lines of the palette, as a study would."""
    figure = Drawing()
    axes = figure.subplots()
    for name, rows in tables["index"].groupby("diet"):
        axes.plot(rows["depth"], rows["index"], marker="o", label=name)
    axes.set(xlabel="depth (layers)", ylabel="index (correlation)", title="Index by diet")
    axes.legend()
    return figure


def no_steps(*_: object) -> Findings:
    """Stand in for the steps of a study that is never run."""
    raise AssertionError("this study is only reported")


def made_up_result() -> StudyResult:
    """Return a result with every verdict, two conditions and undefined numbers."""
    claims = [
        Claim("F1", "Tuning jumps at the first fully connected layer", "conv < .1, fc6 .57-.73",
              (Part("a", "index at fc1 minus the last conv layer", "above", 0.2),), 5, "paper"),
        Claim("F2", "The code is alike for all classes", "range .79-.87",
              (Part("a", "range over classes", "below", 0.2),
               Part("b", "difference of two classes", "above", 0.2)), 5, "derived"),
        Claim("F3", f"Hostile text {HOSTILE}", "direction only",
              (Part("a", "difference", "band", 0.2),), 5, "paper"),
        Claim("F4", "A ratio beyond one", "9.1 against 3.0 %",
              (Part("a", "log ratio of counts", "above", 0.0),), 5, "paper"),
        Claim("F5", "An experiment without data", "positive",
              (Part("a", "raw index", "above", 0),)),
        Claim("F6", "Many layers at once", "car .86, boat .84",
              tuple(Part(f"l{k}", f"index at layer {k}", "above", 0.2) for k in range(9)), 5,
              "paper"),
    ]  # fmt: skip
    judgements = [
        judge(claims[0], {"a": Interval(0.57, 0.41, 0.73, 0.95, 5, "t")}, n_seeds=5),
        judge(
            claims[1],
            {
                "a": Interval(0.11, 0.05, 0.26, 0.95, 5, "t", 2),
                "b": Interval(0.61, 0.4, 0.8, 0.95, 5, "t"),
            },
            n_seeds=5,
            condition="glyphs",
        ),
        judge(
            claims[1],
            {
                "a": Interval(0.09, 0.05, 0.13, 0.95, 5, "t"),
                "b": Interval(0.61, 0.4, 0.8, 0.95, 5, "t"),
            },
            n_seeds=5,
            condition="mnist",
        ),
        judge(claims[2], {"a": Interval(-0.55, -0.7, -0.4, 0.95, 5, "bca")}, n_seeds=5),
        judge(claims[3], {"a": Interval(1.4, 0.9, 2.1, 0.95, 2, "t")}, n_seeds=2),
        judge(claims[4], {}, reason="no data folder is named"),
        judge(
            claims[5],
            {f"l{k}": Interval(0.3 + k / 20, 0.25 + k / 20, 0.4 + k / 20, 0.95, 5, "t")
             for k in range(9)},
            n_seeds=5,
        ),
    ]  # fmt: skip
    depth = np.arange(6)
    index = pd.concat(
        pd.DataFrame({"diet": diet, "depth": depth, "index": slope * depth / 6 - 0.1, "odd": odd})
        for diet, slope, odd in
        [("none", 0.1, True), ("orig", 0.3, False), ("sym", 0.9, True), ("asym", -0.2, False)]
    )  # fmt: skip
    tables = {
        "index": index,
        "odds & ends": pd.DataFrame({HOSTILE: [HOSTILE], "empty": [np.nan], "count": [3]}),
        "claim_parts": parts(judgements),
    }
    study = Study(
        name="invented2030",
        title="Why do made-up units respond alike to mirrored objects?",
        citation="Nobody & Noone, Journal of Inventions 1:1 (2030)",
        question="Does the diet of a network decide whether its units are mirror-symmetric?",
        configurations={"quick": Configuration()},
        claims=claims,
        steps=no_steps,
        figures={
            "index_by_diet": Figure(draw_curves, f"Index over layers. {HOSTILE}"),
            "never": Figure(draw_curves, "Needs what is not there.", needs=("recordings",)),
        },
        notes="M is the index.\n\nAll networks share initial weights.",
    )
    return StudyResult(
        study=study,
        preset="quick",
        config={"training": {"seeds": 2}},
        tables=tables,
        judgements=judgements,
        board=board(judgements),
        provenance={
            "study": study.name,
            "preset": "quick",
            "wall_seconds": 12.5,
            "overrides": [],
            "checksums": {},
            "versions": {"python": "3.12.1", "torch": "2.6.0"},
            "timings": [
                {"step": "train / sym", "seconds": 3.25, "from_cache": False},
                {"step": "record / sym", "seconds": 1.0, "from_cache": True},
            ],
        },
        warnings=("Two seeds are too few for verdicts.", HOSTILE),
    )


@pytest.fixture(scope="session")
def result() -> StudyResult:
    return made_up_result()
