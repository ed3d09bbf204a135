from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from isocortex.claims import Verdict, declaration_checksum
from isocortex.studies.farzmahdi2024.claims import CLAIMS, NOT_BUILT, TRAINED
from isocortex.studies.farzmahdi2024.judging import (
    OF_GIVEN,
    RECORDED,
    Statistics,
    judge_all,
    neural_intervals,
    shared_intervals,
)
from isocortex.studies.farzmahdi2024.recordings import CONV_LAYERS, LAYERS

CLASSES = ("one_plane", "two_plane", "radial", "asymmetric")
SEEDS = range(5)


def index_of(source: str, policy: str, seed: int, layer: str, kind: str, shown: str) -> float:
    """Return a made-up index that follows every claim of the paper."""
    small = 0.01 * seed
    if kind == "two_plane":
        return 0.8 + small
    if kind in ("asymmetric", "radial", "broken"):
        return -0.1 + small
    deep = layer.startswith("fc") or layer == "gap"
    taught = policy in ("sym", "sym20") or source == "cifar10"
    value = 0.6 if deep and taught else 0.0
    return value - (0.3 if shown == "side" else 0.0) + small


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    index = []
    for source, policy, seed, layer in itertools.product(
        ["glyphs"], ("none", *TRAINED), SEEDS, (*LAYERS, "gap")
    ):
        for shown, kind, k in itertools.product(("classes", "side"), CLASSES, range(2)):
            value = index_of(source, policy, seed, layer, kind, shown)
            index.append((source, policy, seed, shown, layer, kind, f"{kind}{k}", value))
        for shown, kind in (("broken", "broken"), ("heads", "one_plane")):
            value = index_of(source, policy, seed, layer, kind, shown)
            index.append((source, policy, seed, shown, layer, kind, "x", value))
    symmetry = []
    for policy, seed, (depth, layer), g, kind in itertools.product(
        ("none", *TRAINED), SEEDS, enumerate(LAYERS), ("hflip", "vflip", "rot90"), CLASSES
    ):
        trained = policy != "none"
        equivariance = {"hflip": 0.5, "vflip": 0.3, "rot90": 0.1}[g]
        equivariance += (0.1 * depth if trained else 0.1 - 0.05 * depth) + 0.001 * seed
        invariance = 0.8 if depth > 3 else 0.2
        symmetry.append(
            (
                "glyphs", policy, seed, layer, g, kind, invariance + 0.001 * seed, equivariance,
                18, 18,
            )
        )  # fmt: skip
    light = itertools.product(SEEDS, ("symmetric", "side"))
    mechanism = [
        ("symmetric", "gap", "one_plane", lighting, seed, 1.0 if lighting == "symmetric" else 0.4)
        for seed, lighting in light
    ]
    return {
        "index": pd.DataFrame(
            index,
            columns=[
                "source", "policy", "seed", "set", "layer", "symmetry_class", "object_id", "exact",
            ],
        ),
        "symmetry": pd.DataFrame(
            symmetry,
            columns=[
                "source", "policy", "seed", "layer", "transform", "symmetry_class", "invariance",
                "equivariance", "n_invariance", "n_equivariance",
            ],
        ),
        "pixels": pd.DataFrame(
            {"set": "classes", "symmetry_class": "two_plane", "exact": np.linspace(0.4, 0.6, 9)}
        ),
        "mechanism": pd.DataFrame(
            mechanism,
            columns=["filters", "readout", "symmetry_class", "lighting", "seed", "exact"],
        ),
        "simulated": pd.DataFrame(
            [
                (kind, seed, level + 0.01 * seed * level)
                for kind, level in (("mirror", 0.9), ("invariant", -0.1), ("view", -0.6))
                for seed in SEEDS
            ],
            columns=["kind", "seed", "exact"],
        ),
    }  # fmt: skip


def verdicts(tables: dict[str, pd.DataFrame], seeds: int = 5) -> dict[str, Verdict]:
    return {j.claim.id: j.verdict for j in judge_all(tables, ["glyphs"], seeds, 200, "meshes")}


def test_the_declaration_is_whole() -> None:
    assert [c.id for c in CLAIMS] == [f"F{k}" for k in range(1, 24)]
    assert len(declaration_checksum(CLAIMS)) == 64


def test_every_statistic_that_a_claim_names_is_computed(tables: dict[str, pd.DataFrame]) -> None:
    computed = set(Statistics(tables, "glyphs").named()) | set(shared_intervals(tables, 200))
    needed = {
        part.name
        for claim in CLAIMS
        if claim.id not in NOT_BUILT | RECORDED | {"F18"}
        for part in claim.parts
    }
    assert needed == computed


def test_a_world_like_the_paper_shows_the_claims(tables: dict[str, pd.DataFrame]) -> None:
    found = verdicts(tables)
    shown = {k for k, v in found.items() if v == Verdict.SHOWN}
    assert shown == {
        "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F12", "F13", "F22", "F23",
    }  # fmt: skip
    assert {found[k] for k in NOT_BUILT | {"F11", "F18", "F19", "F20"}} == {Verdict.NOT_TESTED}


def test_a_world_against_the_paper_contradicts(tables: dict[str, pd.DataFrame]) -> None:
    index = tables["index"]
    swapped = index["policy"].replace({"sym": "asym", "asym": "sym"})
    found = verdicts({**tables, "index": index.assign(policy=swapped)})
    assert found["F9"] == Verdict.CONTRADICTED
    assert found["F1"] == Verdict.CONTRADICTED
    assert found["F3"] == Verdict.SHOWN


def test_too_few_seeds_leave_the_numbers_and_no_verdict(tables: dict[str, pd.DataFrame]) -> None:
    few = {
        name: table[table["seed"] < 2] if "seed" in table else table
        for name, table in tables.items()
    }
    judged = {j.claim.id: j for j in judge_all(few, ["glyphs"], 2, 200, "meshes")}
    assert judged["F1"].verdict == Verdict.NOT_TESTED
    assert judged["F1"].deciding.interval is not None
    assert judged["F1"].deciding.interval.estimate == pytest.approx(0.6)


def test_contrasts_are_paired_by_seed(tables: dict[str, pd.DataFrame]) -> None:
    statistics = Statistics(tables, "glyphs").named()
    np.testing.assert_allclose(statistics["sym - none M(1p) fc1"](), 0.6)
    assert np.ptp(statistics["sym - none M(1p) fc1"]()) < 1e-12


def test_the_slope_is_that_of_a_straight_line(tables: dict[str, pd.DataFrame]) -> None:
    slope = Statistics(tables, "glyphs").named()["sym equivariance slope hflip"]()
    np.testing.assert_allclose(slope, 0.1)
    assert len(CONV_LAYERS) == 4


def test_flips_are_weighted_by_images(tables: dict[str, pd.DataFrame]) -> None:
    symmetry = tables["symmetry"].copy()
    first = symmetry["symmetry_class"] == "one_plane"
    symmetry.loc[first, "n_invariance"] = 54
    symmetry.loc[first, "invariance"] = 1.0
    found = Statistics({**tables, "symmetry": symmetry}, "glyphs").flip("invariance", "sym", "fc1")
    np.testing.assert_allclose(found.iloc[0], (54 * 1.0 + 3 * 18 * 0.8) / (54 + 3 * 18))


def test_recorded_claims_follow_the_interval_and_the_null() -> None:
    patch = pd.DataFrame(
        {
            "measure": ["raw", "null_p"],
            "value": [0.15, 0.002],
            "low": [0.09, 0.0002],
            "high": [0.32, 0.007],
            "n": [129, 1000],
        }
    )
    intervals = neural_intervals({"face_patch": patch})
    assert intervals["AM raw index"].low == 0.09
    assert intervals["AM null p"].high == 0.007
    assert neural_intervals({}) == {}


def test_undefined_seeds_are_dropped_counted_and_missed(tables: dict[str, pd.DataFrame]) -> None:
    index = tables["index"].copy()
    gone = (index["seed"] < 3) & (index["policy"] == "sym") & (index["layer"] == "fc1")
    index.loc[gone, "exact"] = np.nan
    judged = {j.claim.id: j for j in judge_all({**tables, "index": index}, ["glyphs"], 5, 200, "m")}
    assert judged["F1"].verdict == Verdict.NOT_TESTED
    interval = judged["F1"].deciding.interval
    assert interval is not None
    assert (interval.n, interval.n_dropped) == (2, 3)


def test_a_class_without_a_defined_image_has_no_weight(tables: dict[str, pd.DataFrame]) -> None:
    symmetry = tables["symmetry"].copy()
    first = symmetry["symmetry_class"] == "one_plane"
    symmetry.loc[first, ["n_invariance", "invariance"]] = [0, np.nan]
    found = Statistics({**tables, "symmetry": symmetry}, "glyphs").flip("invariance", "sym", "fc1")
    np.testing.assert_allclose(found.iloc[0], 0.8)
    symmetry["n_invariance"] = 0
    nothing = Statistics({**tables, "symmetry": symmetry}, "glyphs")
    assert nothing.flip("invariance", "sym", "fc1").isna().all()


def test_given_networks_are_tabled_and_not_judged(tables: dict[str, pd.DataFrame]) -> None:
    judged = judge_all({**tables, "given": pd.DataFrame()}, ["glyphs"], 5, 200, "meshes")
    given = [j for j in judged if j.condition == "given networks"]
    assert {j.claim.id for j in given} == OF_GIVEN
    assert {j.verdict for j in given} == {Verdict.NOT_TESTED}
