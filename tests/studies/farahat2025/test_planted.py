"""Every claim on tables whose answer was planted: its sign, its thresholds and what it leans on."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from isocortex.claims import Judgement, Verdict
from isocortex.studies.farahat2025.claims import SESSIONS
from isocortex.studies.farahat2025.contrasts import OTHERS, least_r3, least_r4, random, twin
from isocortex.studies.farahat2025.encoding import MOMENTS
from isocortex.studies.farahat2025.judging import judge_all
from isocortex.studies.farahat2025.regressions import points
from isocortex.studies.farahat2025.resampling import Resampler

Tables = dict[str, pd.DataFrame]
FOUND = ("objects92", "ringach2002", "bsds500", "cifar10", "mnist", "real-brodatz", "recordings",
         "v1-tang", *SESSIONS)  # fmt: skip
SEEDS, CELLS, SUBJECTS = 5, 3, 15
GRID = [f"{a}-{p}" for p in ("avg", "max") for a in (*OTHERS, "relu", "abs")]
GRID += ["relu-none", "tanh-none"]


def judged(tables: Tables) -> dict[str, Judgement]:
    return {j.claim.id: j for j in judge_all(tables, 300, FOUND, False)}


def verdict(tables: Tables, claim: str) -> Verdict:
    return judged(tables)[claim].verdict


def rsa(levels: dict[tuple[str, ...], tuple[float, float]], noise: float = 0.002) -> pd.DataFrame:
    """Correlations with EVC and IT of networks (configuration, arm, norm)."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"configuration": name, "arm": arm, "norm": norm, "seed": seed, "control_seed": 0,
             "region": region, "block": 3, "last": True, "subject": s,
             "rho": level + 0.02 * np.sin(s) + noise * rng.standard_normal()}
            for (name, arm, norm), both in levels.items()
            for region, level in zip(("EVC", "IT"), both, strict=True)
            for seed in range(SEEDS)
            for s in range(SUBJECTS)
        ]
    )  # fmt: skip


RANDOM, TRAINED = ("relu-max", "random", "bn"), ("relu-max", "trained", "bn")


@pytest.mark.parametrize(
    ("evc", "it", "expected"),
    [
        (0.15, 0.25, "shown"),  # gains .05 and .15: over the ceilings .21 and .33
        (0.20, 0.20, "contradicted"),  # equal gains are less of the higher ceiling of IT
        (0.1239, 0.1449, "not shown"),  # equal shares of both ceilings
    ],
)
def test_gains_are_shares_of_each_regions_own_ceiling(evc: float, it: float, expected: str) -> None:
    found = judged({"rsa": rsa({RANDOM: (0.10, 0.10), TRAINED: (evc, it)})})["R1"]
    assert found.verdict == expected
    assert found.reason == ""  # nothing is missing, so nothing is excused


def test_shuffles_cost_late_more_only_where_both_kinds_do() -> None:
    levels = {TRAINED: (0.15, 0.30), ("relu-max", "S2", "bn"): (0.14, 0.20)}
    both = levels | {("relu-max", "S3", "bn"): (0.14, 0.20)}
    one = levels | {("relu-max", "S3", "bn"): (0.05, 0.29)}
    assert verdict({"rsa": rsa(both)}, "R7") == "shown"
    assert verdict({"rsa": rsa(one)}, "R7") == "contradicted"
    assert verdict({"rsa": rsa(levels)}, "R7") == "not tested"


def learned(levels: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Moments of three cells for frozen and trained bodies with the given correlations."""
    rng = np.random.default_rng(1)
    y = rng.standard_normal((20, 200))
    noise = rng.standard_normal((20, 200))
    rows = []
    for name, pair in levels.items():
        for frozen, level in zip((True, False), pair, strict=True):
            for seed, cell in itertools.product(range(SEEDS), range(CELLS)):
                own = noise + 0.1 * rng.standard_normal(y.shape)
                p = level * y + np.sqrt(1 - level**2) * own
                for run, (a, b) in enumerate(zip(y, p, strict=True)):
                    sums = (200.0, a.sum(), b.sum(), a @ a, b @ b, a @ b)
                    rows.append(
                        {"area": "v1-tang", **twin(name), "seed": seed, "control_seed": 0,
                         "frozen": frozen, "run": run, "neuroid": cell}
                        | dict(zip(MOMENTS, sums, strict=True))
                    )  # fmt: skip
    return pd.DataFrame(rows)


RECTIFIED = ("relu-avg", "relu-max", "identity-max")
SMOOTH = ("identity-avg", "tanh-avg", "sigmoid-avg")


def test_training_on_v1_adds_little_to_some_and_more_to_others() -> None:
    planted = dict.fromkeys(RECTIFIED, (0.60, 0.61)) | dict.fromkeys(SMOOTH, (0.40, 0.60))
    found = judged({"neural_moments": learned(planted)})
    assert (found["R2a"].verdict, found["R2b"].verdict) == ("shown", "shown")
    turned = dict.fromkeys(RECTIFIED, (0.40, 0.60)) | dict.fromkeys(SMOOTH, (0.60, 0.61))
    found = judged({"neural_moments": learned(turned)})
    assert (found["R2a"].verdict, found["R2b"].verdict) == ("contradicted", "contradicted")
    small = dict.fromkeys(RECTIFIED, (0.60, 0.60)) | dict.fromkeys(SMOOTH, (0.57, 0.60))
    found = judged({"neural_moments": learned(small)})
    assert found["R2b"].verdict == "not shown"  # of the right sign, below .05


def test_a_small_difference_says_nothing_where_nothing_is_predicted() -> None:
    nothing = dict.fromkeys(RECTIFIED, (0.0, 0.0)) | dict.fromkeys(SMOOTH, (0.0, 0.0))
    found = judged({"neural_moments": learned(nothing)})["R2a"]
    assert found.verdict == "not tested"
    assert "not decidable" in found.reason


def v4(levels: dict[tuple[str, str], float], table: str = "encoding") -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        [
            {"area": area, **random(name), "arm": arm, "seed": seed, "control_seed": 0,
             "neuroid": n, "kind": "", "fev": np.nan,
             "r": level + 0.1 * np.sin(n) + 0.005 * rng.standard_normal()}
            for area in SESSIONS
            for (name, arm), level in levels.items()
            for seed in range(SEEDS)
            for n in range(30)
        ]
    )  # fmt: skip


def complexity(levels: dict[str, float], **arms: float) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    known = [(name, "random", level) for name, level in levels.items()]
    known += [("tanh-avg", arm, level) for arm, level in arms.items()]
    names = ("e_even", "c_mid", "c_curv", "c_four", "c_gate", "d_eff")
    return pd.DataFrame(
        [
            {"configuration": name, "arm": arm, "norm": "gain", "seed": seed, "control_seed": 0,
             "gain": 1.0, "in_grid": True, "block": block,
             "c_lin": level + 0.002 * rng.standard_normal()}
            | dict.fromkeys(names, 0.5)
            for name, arm, level in known
            for seed in range(SEEDS)
            for block in (1, 2, 3)
        ]
    )  # fmt: skip


LEVELS = {name: 0.02 if name in SMOOTH else 0.3 for name in GRID}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "shown"),
        ({"tanh-max": 0.05}, "not shown"),  # the least complex max network decides
        ({"tanh-avg": 0.27}, "not shown"),  # the most complex smooth one, too
        ({"relu-avg": 0.01}, "contradicted"),
    ],
)
def test_the_least_and_the_most_complex_network_decide(change: dict, expected: str) -> None:
    assert verdict({"complexity": complexity(LEVELS | change)}, "R5") == expected


def test_oddness_needs_better_prediction_without_more_complexity() -> None:
    better = v4({("tanh-avg", "random"): 0.3, ("tanh-avg", "biased"): 0.4})
    for level, expected in ((0.03, "shown"), (0.2, "contradicted")):
        table = complexity(LEVELS, biased=level)
        assert verdict({"encoding": better, "complexity": table}, "R12") == expected
    worse = v4({("tanh-avg", "random"): 0.4, ("tanh-avg", "biased"): 0.3})
    found = {"encoding": worse, "complexity": complexity(LEVELS, biased=0.02)}
    assert verdict(found, "R12") == "contradicted"


def test_more_complexity_is_worse_only_if_the_magnitude_is_more_complex() -> None:
    better = v4({("relu-avg", "random"): 0.4, ("abs-avg", "random"): 0.3})
    for level, expected in ((0.6, "shown"), (0.2, "contradicted")):
        table = complexity(LEVELS | {"abs-avg": level})
        assert verdict({"encoding": better, "complexity": table}, "R13") == expected


def areas_of(c: dict[str, float], early: float, late: float) -> pd.DataFrame:
    """Correlations that depend on complexity, and on chance, to the given degrees."""
    rng = np.random.default_rng(4)
    by_chance = {name: tuple(rng.uniform(0, 0.3, 2)) for name in c}
    return rsa(
        {
            (name, "random", "gain"): tuple(
                share * c[name] + (1 - share) * other
                for share, other in zip((early, late), by_chance[name], strict=True)
            )
            for name in c
        }
    )


def test_r2_early_above_late_is_found_from_twelve_configurations_on() -> None:
    rng = np.random.default_rng(5)
    c = dict(zip(GRID, rng.uniform(0, 0.3, len(GRID)), strict=True))
    table = complexity(c)
    assert verdict({"complexity": table, "rsa": areas_of(c, 1.0, 0.0)}, "R6") == "shown"
    assert verdict({"complexity": table, "rsa": areas_of(c, 0.0, 1.0)}, "R6") == "contradicted"
    few = dict(itertools.islice(c.items(), 11))
    found = judged({"complexity": complexity(few), "rsa": areas_of(few, 1.0, 0.0)})["R6"]
    assert found.verdict == "not tested"
    assert "12 configurations" in found.reason


def test_more_seeds_of_the_same_configurations_do_not_narrow_r6() -> None:
    rng = np.random.default_rng(6)
    c = dict(zip(GRID, rng.uniform(0, 0.3, len(GRID)), strict=True))
    table, areas = complexity(c), areas_of(c, 0.7, 0.3)
    copies = [
        pd.concat([t, *(t.assign(seed=t["seed"] + SEEDS * k) for k in (1, 2, 3))])
        for t in (table, areas)
    ]
    once = judged({"complexity": table, "rsa": areas})["R6"].parts[0].interval
    often = judged({"complexity": copies[0], "rsa": copies[1]})["R6"].parts[0].interval
    assert once is not None
    assert often is not None
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert once.n == len(GRID)


def drawn(levels: dict[tuple[str, str], float], draws: int = 101) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        [
            {"configuration": name, "arm": arm, "norm": "bn" if arm == "trained" else "gain",
             "seed": seed, "block": block, "rule": rule, "draw": draw,
             "w1": level + (0.3 if block == 1 else 0.0) + 0.005 * rng.standard_normal()}
            for (name, arm), level in levels.items()
            for seed in range(SEEDS)
            for block in (1, 2)
            for rule in ("clip", "blanksub")
            for draw in range(draws)
        ]
    )  # fmt: skip


NEAR = {(f"{a}-avg", "random"): 0.2 for a in OTHERS} | {
    ("relu-avg", "random"): 0.12, ("relu-avg", "trained"): 0.08,
    ("tanh-avg", "trained"): 0.11, ("identity-avg", "trained"): 0.11, ("relu-max", "trained"): 0.15,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("shown", "shown", "shown")),
        ({("elu-avg", "random"): 0.10}, ("contradicted", "shown", "shown")),
        ({("relu-max", "trained"): 0.05}, ("shown", "contradicted", "shown")),
        (
            {("tanh-avg", "trained"): 0.05, ("identity-avg", "trained"): 0.05},
            ("shown", "contradicted", "contradicted"),
        ),
    ],
)
def test_the_nearest_to_recorded_cells(change: dict, expected: tuple[str, str, str]) -> None:
    found = judged({"selectivity_draws": drawn(NEAR | change)})
    assert tuple(found[k].verdict for k in ("R9a", "R9b", "R9c")) == expected


def test_a_missing_rival_leaves_nearness_untested() -> None:
    levels = {k: v for k, v in NEAR.items() if k != ("elu-avg", "random")}
    assert verdict({"selectivity_draws": drawn(levels)}, "R9a") == "not tested"


def accuracies(
    texture: dict[tuple[str, str], float], digit: dict[tuple[str, str], float] | None = None
) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        [
            {**twin(name, arm), "seed": seed, "control_seed": 0, "source": source,
             "label": label, "readout": readout, "n_test": 2000,
             "accuracy": level + (0.2 if readout == "means_sds" and name != "relu-avg" else 0)
             + 0.004 * rng.standard_normal()}
            for label, levels in (("texture", texture), ("digit", digit or {}))
            for (name, arm), level in levels.items()
            for seed in range(SEEDS)
            for readout in ("means", "means_sds")
            for source in ("real-brodatz",)
        ]
    )  # fmt: skip


BEST = {(f"{a}-avg", "random"): 0.3 for a in OTHERS} | {
    ("relu-avg", "random"): 0.4, ("relu-avg", "trained on it"): 0.45, ("abs-avg", "random"): 0.6,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("shown", "shown")),  # abs-avg is reported, and no rival
        ({("softplus-avg", "random"): 0.45}, ("contradicted", "shown")),
        ({("relu-avg", "trained on it"): 0.6}, ("shown", "contradicted")),
    ],
)
def test_textures_from_channel_means(change: dict, expected: tuple[str, str]) -> None:
    found = judged({"textures": accuracies(BEST | change)})
    assert tuple(found[k].verdict for k in ("R10a", "R10b")) == expected


def test_a_training_on_textures_that_failed_is_not_near_a_random_network() -> None:
    failed = accuracies(BEST | {("relu-avg", "trained on it"): 0.10})
    found = judged({"textures": failed})["R10b"]
    assert found.verdict == "not tested"
    assert "failed" in found.reason


def test_v4_means_all_natural_sessions() -> None:
    rng = np.random.default_rng(10)
    c = dict(zip(GRID, rng.uniform(0, 0.3, len(GRID)), strict=True))
    table = v4({(name, "random"): level for name, level in c.items()})
    assert "V4" in points({"complexity": complexity(c), "encoding": table})
    two = table[table["area"] != SESSIONS[0]]
    assert "V4" not in points({"complexity": complexity(c), "encoding": two})


def test_texture_follows_complexity_and_digits_do_not() -> None:
    rng = np.random.default_rng(9)
    c = dict(zip(GRID, rng.uniform(0, 0.3, len(GRID)), strict=True))
    texture = {(name, "random"): 0.3 + level for name, level in c.items()}
    digit = {
        (name, "random"): level for name, level in zip(GRID, rng.uniform(0.3, 0.6, 16), strict=True)
    }
    table = complexity(c)
    found = {"complexity": table, "textures": accuracies(texture, digit)}
    assert verdict(found, "R11") == "shown"
    found = {"complexity": table, "textures": accuracies(digit, texture)}
    assert verdict(found, "R11") == "contradicted"
    easy = dict.fromkeys(digit, 0.95)
    late = judged({"complexity": table, "textures": accuracies(texture, easy)})["R11"]
    assert late.verdict == "not tested"
    assert "not decidable" in late.reason


def test_species_are_not_compared_by_way_of_confounded_contrasts() -> None:
    table = rsa({RANDOM: (0.10, 0.10), TRAINED: (0.15, 0.25)})
    late = pd.concat(
        [v4({("relu-max", "random"): 0.3, ("relu-max", "trained"): 0.6}).assign(norm="bn")]
    )
    early = learned({"relu-max": (0.5, 0.5)}).drop(columns="frozen").assign(arm="random")
    moments = pd.concat([early, early.assign(arm="trained")]).groupby(
        ["area", "configuration", "arm", "norm", "seed", "control_seed", "run", "neuroid"]
    )[list(MOMENTS)].first().reset_index()  # fmt: skip
    found = judged({"rsa": table, "encoding": late, "moments": moments})
    assert found["R1"].verdict == "shown"
    assert found["R1m"].parts[0].interval.low > 0.05  # type: ignore[union-attr]
    assert found["R8"].verdict is not Verdict.SHOWN
    assert "confounded" in found["R8"].reason


@pytest.mark.parametrize(("statistic", "networks"), [(least_r3, 4), (least_r4, 6)])
def test_equal_networks_are_never_shown_but_often_contradicted(statistic, networks: int) -> None:
    """As the notes of the study warn of: the smallest of several contrasts is biased downwards."""
    rng = np.random.default_rng(0)
    below = above = 0
    for _ in range(60):
        units = rng.standard_normal((1, 20, networks))
        values = units + 0.5 * rng.standard_normal((SEEDS, 1, networks))
        draws = Resampler(SEEDS, 200)
        found = draws.interval(statistic(draws.over_units(values)), "seeds x units")
        below, above = below + (found.high < 0), above + (found.low > 0)
    assert above == 0
    assert below > 6
