"""Verdicts on planted tables: what is there is shown, what is not is not, and confounds hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocortex.claims import Judgement, Verdict
from isocortex.measures.encoding import pearson_r
from isocortex.studies.farahat2025.claims import CLAIMS, SESSIONS
from isocortex.studies.farahat2025.contrasts import random, twin
from isocortex.studies.farahat2025.encoding import MOMENTS
from isocortex.studies.farahat2025.judging import at_chance, judge_all
from isocortex.studies.farahat2025.resampling import (
    Resampler,
    difference_of_r2,
    explained,
    left_out,
    stacked,
    stacked_moments,
)

Tables = dict[str, pd.DataFrame]


EVERYTHING = (
    "recordings",
    "objects92",
    "ringach2002",
    "bsds500",
    "cifar10",
    "mnist",
    "real-brodatz",
    "v1-tang",
    *SESSIONS,
)


def by_id(
    tables: Tables, *, rejected: bool = False, found: tuple[str, ...] = EVERYTHING
) -> dict[str, Judgement]:
    return {j.claim.id: j for j in judge_all(tables, 200, found, rejected)}


def scores(levels: dict[str, float], *, seeds: int = 5, noise: float = 0.01) -> pd.DataFrame:
    """Encoding scores of random networks in all V4 sessions, 30 neurons each."""
    rng = np.random.default_rng(0)
    rows = [
        {"area": area, **random(name), "seed": seed, "neuroid": n, "kind": "", "fev": np.nan,
         "r": level + noise * rng.standard_normal() + 0.1 * np.sin(n)}
        for area in SESSIONS
        for name, level in levels.items()
        for seed in range(seeds)
        for n in range(30)
    ]  # fmt: skip
    return pd.DataFrame(rows)


SMOOTH = {
    f"{a}-{p}": r for p, r in (("avg", 0.3), ("max", 0.45)) for a in ("identity", "tanh", "sigmoid")
}


def test_planted_advantages_of_relu_and_max_are_shown_and_absent_ones_are_not() -> None:
    found = by_id({"encoding": scores({"relu-avg": 0.45, **SMOOTH})})
    assert found["R3 V4"].verdict is Verdict.SHOWN
    assert found["R4 V4"].verdict is Verdict.SHOWN
    assert found["R4 V4"].reason == ""
    linear = by_id({"encoding": scores(dict.fromkeys(["relu-avg", *SMOOTH], 0.3))})
    assert linear["R3 V4"].verdict is not Verdict.SHOWN
    assert linear["R4 V4"].verdict is not Verdict.SHOWN
    little = by_id({"encoding": scores({**SMOOTH, "relu-avg": 0.32}, noise=0.001)})
    assert little["R3 V4"].verdict is Verdict.NOT_SHOWN  # of the right sign, and too small
    against = by_id({"encoding": scores({**SMOOTH, "relu-avg": 0.2})})
    assert against["R3 V4"].verdict is Verdict.CONTRADICTED
    one = by_id({"encoding": scores({"relu-avg": 0.45, **SMOOTH, "tanh-avg": 0.42})})
    assert one["R3 V4"].verdict is not Verdict.SHOWN  # the smallest contrast decides


def test_fewer_seeds_than_asked_for_are_not_tested() -> None:
    found = by_id({"encoding": scores({"relu-avg": 0.45, **SMOOTH}, seeds=4)})["R3 V4"]
    assert found.verdict is Verdict.NOT_TESTED
    assert "needs 5 seeds, there were 4" in found.reason


def moments(levels: dict[str, float], networks: dict[str, dict], runs: int = 20) -> pd.DataFrame:
    """Moments of predictions with the given correlations with the responses of three cells."""
    rng = np.random.default_rng(1)
    rows = []
    for name, level in levels.items():
        for seed in range(5):
            for cell in range(3):
                y = rng.standard_normal((runs, 100))
                p = level * y + np.sqrt(1 - level**2) * rng.standard_normal(y.shape)
                for run in range(runs):
                    a, b = y[run], p[run]
                    sums = (100.0, a.sum(), b.sum(), a @ a, b @ b, a @ b)
                    keys = {"area": "v1-tang", **networks[name], "seed": seed, "run": run}
                    own = dict(zip(MOMENTS, sums, strict=True))
                    rows.append({**keys, "neuroid": cell, **own})
    return pd.DataFrame(rows)


def test_differences_between_species_and_areas_that_are_confounded_are_never_shown() -> None:
    networks = {"random": twin(), "trained": twin(arm="trained")}
    early = moments({"random": 0.5, "trained": 0.5}, networks)
    late = pd.concat(
        [scores({"relu-max": level}).assign(norm="bn", arm=arm)
         for arm, level in (("random", 0.3), ("trained", 0.6))]
    )  # fmt: skip
    found = by_id({"encoding": late, "moments": early})["R1m"]
    assert found.parts[0].interval is not None
    assert found.parts[0].interval.low > 0.05
    assert found.verdict is Verdict.NOT_SHOWN
    assert found.condition == "confounded"


def test_species_agree_only_where_both_have_a_sign() -> None:
    found = by_id({})["R8"]
    assert found.verdict is Verdict.NOT_TESTED
    assert "not decidable" in found.reason


def test_a_simulated_it_that_a_pyramid_explains_tests_nothing() -> None:
    found = by_id({}, rejected=True)["T1"]
    assert found.verdict is Verdict.NOT_TESTED
    assert "pyramid" in found.reason


def test_networks_that_name_no_objects_are_not_called_trained() -> None:
    row = {"configuration": "relu-max", "seed": 0, "test_images": 1000, "classes": 10}
    assert at_chance(pd.DataFrame([row | {"accuracy": 0.4}])) == ""
    assert "0.12" in at_chance(pd.DataFrame([row | {"accuracy": 0.12}]))
    found = by_id({"networks": pd.DataFrame([row | {"accuracy": 0.1}])})["R7"]
    assert found.verdict is Verdict.NOT_TESTED
    assert "training on objects failed" in found.reason


def test_other_images_decide_nothing() -> None:
    table = pd.DataFrame(
        [
            {**random(name), "seed": seed, "block": 1, "in_grid": True, "c_lin": value}
            for name, value in (
                *((f"{a}-max", 0.2) for a in ("identity", "tanh", "sigmoid", "softplus", "elu")),
                *(("relu-max", 0.4), ("abs-max", 1.0), ("relu-avg", 0.4), ("identity-avg", 0.0)),
                *(("tanh-avg", 0.05), ("sigmoid-avg", 0.01)),
            )
            for seed in range(5)
        ]
    )  # fmt: skip
    table = table.assign(
        **dict.fromkeys(("e_even", "c_mid", "c_curv", "c_four", "c_gate", "d_eff"), 0.0)
    )
    assert by_id({"complexity": table})["R5"].verdict is Verdict.SHOWN
    without = by_id({"complexity": table}, found=("recordings", "v1-tang"))["R5"]
    assert without.verdict is Verdict.NOT_TESTED
    assert "no real data: bsds500" in without.reason


def test_a_recording_that_is_missing_is_named() -> None:
    found = by_id({}, found=tuple(name for name in EVERYTHING if name != "v4-190923"))
    for claim in ("R2c", "R3 V4", "R4 V4", "R12", "R13"):
        assert "no real data: v4-190923 not found" in found[claim].reason
    assert "was not run" in found["R3 V1"].reason
    human = by_id({}, found=("recordings", "v1-tang", *SESSIONS))
    for claim in ("R1", "R6", "R7", "R3 EVC", "R8"):
        assert "no real data: objects92" in human[claim].reason
    for claim in ("R9a", "R9b", "R9c"):
        assert "no real data: ringach2002" in human[claim].reason


def test_every_part_has_a_name_of_its_own() -> None:
    names = [part.name for claim in CLAIMS for part in claim.parts]
    assert len(names) == len(set(names))


def test_a_relative_drop_over_a_denominator_near_0_is_undefined() -> None:
    rng = np.random.default_rng(2)
    rows = [
        {"area": area, **network, "seed": seed, "neuroid": n, "kind": "", "r": 0.1,
         "fev": 0.1 + 0.2 * rng.standard_normal()}
        for area in ("it-sim", "v1-sim")
        for network in (twin(arm="trained"), twin(arm="S2"), twin(arm="S3"))
        for seed in range(5)
        for n in range(6)
    ]  # fmt: skip
    floor = {"configuration": "pixels", "arm": "pixels", "norm": "", "seed": 0, "kind": "",
             "r": 0.1, "fev": 0.1}  # fmt: skip
    areas = ("it-sim", "v1-sim")
    rows += [{"area": area, "neuroid": n, **floor} for area in areas for n in range(6)]
    found = by_id({"encoding": pd.DataFrame(rows)})["T7"]
    assert found.verdict is Verdict.NOT_TESTED
    assert "relative drop is undefined" in found.reason


@pytest.mark.parametrize(("noise", "least", "most"), [(0.3, 0, 10), (3.0, 90, 100)])
def test_equal_dependence_is_not_shown_and_unequal_is(noise: float, least: int, most: int) -> None:
    rng = np.random.default_rng(3)
    shown = 0
    for _ in range(100):
        c = rng.uniform(0, 1, 16)
        early, late = (c + sd * rng.standard_normal(16) for sd in (min(noise, 0.3) / 2, noise / 2))
        shown += difference_of_r2(c, early, late, 300).low > 0
    assert least <= shown <= most


def planted_human(levels: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """RDM correlations of ReLU-max networks with 15 subjects, (EVC, IT) for each arm."""
    rng = np.random.default_rng(6)
    return pd.DataFrame(
        [
            {**twin(arm=arm), "seed": seed, "region": region, "subject": subject, "last": True,
             "block": 3, "rho": level + 0.002 * rng.standard_normal()}
            for arm, pair in levels.items()
            for region, level in zip(("EVC", "IT"), pair, strict=True)
            for seed in range(5)
            for subject in range(15)
        ]
    )  # fmt: skip


def test_gains_are_divided_by_the_ceiling_of_their_region() -> None:
    equal = by_id({"rsa": planted_human({"random": (0.1, 0.1), "trained": (0.2, 0.2)})})["R1"]
    assert equal.parts[0].interval is not None
    expected = 0.1 / 0.449 - 0.1 / 0.239
    assert equal.parts[0].interval.estimate == pytest.approx(expected, abs=0.005)
    assert equal.verdict is Verdict.CONTRADICTED
    late = by_id({"rsa": planted_human({"random": (0.1, 0.1), "trained": (0.1, 0.2)})})["R1"]
    assert late.verdict is Verdict.SHOWN


def test_drops_by_shuffles_have_the_sign_of_losses() -> None:
    levels = {"trained": (0.2, 0.3), "S2": (0.2, 0.1), "S3": (0.2, 0.1)}
    assert by_id({"rsa": planted_human(levels)})["R7"].verdict is Verdict.SHOWN


def planted_textures(levels: dict[str, float], trained: float) -> pd.DataFrame:
    """Texture accuracies on 1000 images, five sets of classes."""
    rng = np.random.default_rng(7)
    arms = [(twin(f"{a}-avg"), level) for a, level in levels.items()]
    arms.append((twin("relu-avg", "trained on it"), trained))
    return pd.DataFrame(
        [
            {**network, "seed": seed, "source": "real-brodatz", "label": "texture", "n_test": 1000,
             "readout": "means", "accuracy": level + 0.005 * rng.standard_normal()}
            for network, level in arms
            for seed in range(5)
        ]
    )  # fmt: skip


def test_the_best_of_random_networks_at_texture_and_a_training_that_failed() -> None:
    levels = dict.fromkeys(("identity", "tanh", "sigmoid", "softplus", "elu"), 0.3)
    good = by_id({"textures": planted_textures({**levels, "relu": 0.5}, 0.55)})
    assert good["R10a"].verdict is Verdict.SHOWN
    assert good["R10b"].verdict is Verdict.SHOWN
    failed = by_id({"textures": planted_textures({**levels, "relu": 0.2}, 0.1)})
    assert failed["R10a"].verdict is Verdict.CONTRADICTED
    assert failed["R10b"].verdict is Verdict.NOT_TESTED
    assert "training on textures failed" in failed["R10b"].reason


def test_correlations_of_drawn_runs_are_those_of_the_drawn_patterns() -> None:
    rng = np.random.default_rng(4)
    y, p = rng.standard_normal((2, 2, 6, 50, 3))  # seeds, runs, patterns, cells
    p = p + y
    sums = [np.full((*y.shape[:2], 3), 50.0), y.sum(2), p.sum(2), (y * y).sum(2), (p * p).sum(2),
            (y * p).sum(2)]  # fmt: skip
    stack = np.stack(sums, axis=-1)[:, :, None]
    draws = Resampler(2, 100)
    r = draws.correlations(stack)
    flat = [[pearson_r(y[s].reshape(-1, 3), p[s].reshape(-1, 3)) for s in range(2)]]
    np.testing.assert_allclose(r[0, 0], np.mean(flat[0], axis=0))
    assert r.shape == (101, 1, 3)
    assert r[1:, 0].std(axis=0).min() > 0


def test_stacked_keeps_seeds_and_units_that_all_networks_have() -> None:
    rows = [
        {**random(name), "seed": seed, "neuroid": n, "r": seed + n / 10 + (name == "relu-avg")}
        for name, seeds in (("relu-avg", (0, 1)), ("tanh-avg", (1, 2)))
        for seed in seeds
        for n in range(3)
    ]
    table = pd.DataFrame(rows)
    table.loc[(table["neuroid"] == 2) & (table["configuration"] == "tanh-avg"), "r"] = np.nan
    found = stacked(table, [random("relu-avg"), random("tanh-avg")], "neuroid", "r")
    assert found is not None
    np.testing.assert_allclose(found.values, [[[2.0, 1.0], [2.1, 1.1]]])
    assert found.dropped == 1
    assert stacked(table, [random("abs-avg")], "neuroid", "r") is None
    assert stacked_moments(moments({"a": 0.3}, {"a": twin()}), [random("abs-avg")]) is None


def test_r2_and_leave_one_out_are_those_of_lines() -> None:
    rng = np.random.default_rng(5)
    c = rng.uniform(0, 1, 12)
    y = 2 * c + 0.2 * rng.standard_normal(12)
    slope, level = np.polyfit(c, y, 1)
    expected = 1 - ((y - slope * c - level) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert explained(c, y) == pytest.approx(expected)
    residual = []
    for k in range(12):
        rest = np.arange(12) != k
        residual.append(y[k] - np.polyval(np.polyfit(c[rest], y[rest], 1), c[k]))
    outside = 1 - np.square(residual).sum() / ((y - y.mean()) ** 2).sum()
    assert left_out(c, y) == pytest.approx(outside)
