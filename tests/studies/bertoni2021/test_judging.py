"""Verdicts from tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocortex.claims import Verdict
from isocortex.studies.bertoni2021.claims import CLAIMS
from isocortex.studies.bertoni2021.judging import Statistics, judge_all

SEEDS = range(4)


def tables(like_ratio: float = 3.0, enough: bool = True) -> dict[str, pd.DataFrame]:
    lateral, null, association, comparison = [], [], [], []
    for seed in SEEDS:
        wobble = 1 + 0.01 * seed
        common = {"arm": "all", "seed": seed, "enough": enough}
        for what, like, axial in (
            ("learned", like_ratio, 2.0), ("overlap", 2.0, 1.5), ("residual", 1.4, 1.0),
        ):  # fmt: skip
            for region in ("disc", "r>=2"):
                lateral.append(
                    {
                        **common, "what": what, "sign": "positive", "region": region,
                        "like_ratio": like * wobble, "axial_ratio": axial * wobble,
                        "parallel": 20.0 + seed, "cocircular": 30.0,
                        "slope": 0.8 if what == "learned" else 0.3,
                    }
                )  # fmt: skip
            association.append(
                {**common, "what": what, "axial_share": 0.4 if what == "learned" else 0.3,
                 "arc_gain": 0.1 * (-1) ** seed}
            )  # fmt: skip
        null.append(
            {**common, "region": "disc", "statistic": "like_ratio",
             "observed": np.log(like_ratio) * wobble, "null_mean": 0.01,
             "p": 0.001 if seed else 0.02}
        )  # fmt: skip
        for model, r2 in (("direction", 0.2), ("diffusion", 0.5), ("overlap", 0.3)):
            comparison.append({**common, "model": model, "r2": r2 * wobble})
    networks = [
        {"arm": arm, "seed": seed, "accuracy": value + 0.001 * seed, "mean_gain": 0.1}
        for arm, value in (("all", 0.6), ("no_lgn", 0.595), ("no_lateral", 0.5))
        for seed in SEEDS
    ]
    return {
        "lateral": pd.DataFrame(lateral),
        "null": pd.DataFrame(null),
        "association": pd.DataFrame(association),
        "comparison": pd.DataFrame(comparison),
        "networks": pd.DataFrame(networks),
        "contour_fits": pd.DataFrame(
            {"source": "bsds500", "condition": "photographs", "family": ["direction", "diffusion"],
             "r_min": 8.0, "r_max": 20.0, "at_end": [False, True]}
        ),
        "contour_contrasts": pd.DataFrame(
            {"source": "bsds500", "contrast": ["axial, photographs - random phase"],
             "value": [0.3], "low": [0.2], "high": [0.4], "n": [100]}
        ),
    }  # fmt: skip


def verdicts(found: dict[str, pd.DataFrame]) -> dict[str, Verdict]:
    return {j.claim.id: j.verdict for j in judge_all(found, False, "cifar10")}


def test_verdicts_follow_from_the_tables() -> None:
    got = verdicts(tables())
    assert got["B8"] is Verdict.SHOWN
    assert got["B9"] is Verdict.SHOWN
    assert got["B10"] is Verdict.SHOWN
    assert got["B11"] is Verdict.CONTRADICTED  # parallel is nearer
    assert got["B12"] is Verdict.SHOWN
    assert got["B13"] is Verdict.NOT_SHOWN  # lines bend in half of the seeds
    assert got["B14"] is Verdict.SHOWN  # the better of two processes
    assert got["B7"] is Verdict.CONTRADICTED  # ten points without lateral connections
    assert got["B15"] is Verdict.SHOWN
    assert got["B16"] is Verdict.NOT_TESTED
    assert got["B1"] is got["B2"] is got["B17"] is Verdict.NOT_TESTED
    assert got["B11 full"] is Verdict.NOT_TESTED


def test_networks_with_few_gabors_do_not_count() -> None:
    judged = {j.claim.id: j for j in judge_all(tables(enough=False), False, "cifar10")}
    assert judged["B8"].verdict is Verdict.NOT_TESTED
    assert "8 retained" in judged["B8"].reason
    found = tables()
    found["lateral"].loc[found["lateral"]["seed"] > 1, "enough"] = False
    again = {j.claim.id: j for j in judge_all(found, False, "cifar10")}["B10"]
    assert again.verdict is Verdict.NOT_TESTED
    assert "3 seeds" in again.reason


def test_networks_that_are_left_out_are_counted() -> None:
    found = tables()
    found["lateral"].loc[found["lateral"]["seed"] == 0, "enough"] = False
    judged = {j.claim.id: j for j in judge_all(found, False, "cifar10")}["B10"]
    assert judged.verdict is Verdict.SHOWN
    assert [(p.interval.n, p.interval.n_dropped) for p in judged.parts if p.interval] == [
        (3, 1)
    ] * 2


def test_networks_beyond_their_permutations_are_counted() -> None:
    judged = {j.claim.id: j for j in judge_all(tables(), False, "cifar10")}
    assert judged["B8"].reason == "p < 0.01 under permutation in 3 of 4 networks"


def test_a_filter_that_ends_undefined_is_not_judged_by_an_earlier_step() -> None:
    """As a filter does that has decayed to 0: G1 and Q are NaN at the end."""
    steps = [(0, 0.1, 0.2), (10, 0.2, 0.9), (20, np.nan, np.nan)]
    rows = [
        {"arm": arm, "seed": seed, "step": step, "gate": gate, "q": q}
        for arm in ("all", "positive", "white")
        for seed in SEEDS
        for step, gate, q in steps
    ]
    found = tables() | {"emergence": pd.DataFrame(rows), "codecs": pd.DataFrame(rows)}
    judged = {j.claim.id: j for j in judge_all(found, False, "cifar10")}
    assert judged["B1"].verdict is Verdict.NOT_TESTED
    assert judged["B2"].verdict is Verdict.NOT_TESTED
    assert Statistics(found).named()["gate"]().isna().all()


def test_the_better_process_needs_both() -> None:
    found = tables()
    table = found["comparison"]
    table.loc[(table["seed"] == 0) & (table["model"] == "diffusion"), "r2"] = np.nan
    values = Statistics(found).named()["R2 stochastic - overlap"]()
    assert values.isna().tolist() == [True, False, False, False]


def test_processes_that_may_be_better_beyond_their_range_are_named() -> None:
    found = tables()
    for name in ("direction - diffusion", "direction, photographs - random phase"):
        row = found["contour_contrasts"].iloc[0].to_dict() | {"contrast": name}
        found["contour_contrasts"] = pd.concat(
            [found["contour_contrasts"], pd.DataFrame([row])], ignore_index=True
        )
    judged = {j.claim.id: j for j in judge_all(found, False, "cifar10")}["B16"]
    assert judged.verdict is Verdict.SHOWN
    assert judged.reason == "best candidate at the end of its range: diffusion for photographs"


def test_a_few_photographs_are_not_enough() -> None:
    found = tables()
    found["contour_contrasts"]["n"] = 10
    assert verdicts(found)["B15"] is Verdict.NOT_TESTED


def test_given_networks_are_judged_over_their_filters() -> None:
    found = tables()
    found["given_contrast"] = pd.DataFrame(
        {"network": "net", "statistic": ["like_ratio", "axial_ratio"], "value": [0.5, -0.4],
         "low": [0.3, -0.5], "high": [0.7, -0.2], "n": 40, "enough": True}
    )  # fmt: skip
    judged = [j for j in judge_all(found, False, "cifar10") if j.claim.id == "B17"]
    assert [j.condition for j in judged] == [
        "own networks without LGN", "net, this network only",
    ]  # fmt: skip
    assert judged[1].verdict is Verdict.CONTRADICTED


def test_every_part_of_a_claim_has_a_statistic() -> None:
    named = set(Statistics({}).named()) | {
        "axial, photographs - random phase",
        "direction - diffusion",
        "direction, photographs - random phase",
    }
    for claim in CLAIMS:
        for part in claim.parts:
            assert part.name in named


@pytest.mark.parametrize("name", sorted(Statistics({}).named()))
def test_a_statistic_without_tables_has_no_values(name: str) -> None:
    assert Statistics({}).named()[name]().empty
