"""Verdicts on made-up tables whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from isocortex.claims import Verdict
from isocortex.studies.xie2024.bodies import body
from isocortex.studies.xie2024.claims import CLAIMS, CURVES, EVIDENCE, PAIRS, SPATIAL
from isocortex.studies.xie2024.counted import Blocks, Gate
from isocortex.studies.xie2024.judging import (
    NO_BASE,
    NO_NATURAL,
    NO_PUBLIC,
    NO_STAGES,
    NO_V4,
    ONLY_REPORTED,
    judge_all,
    share,
)
from isocortex.studies.xie2024.networks import UNTRAINED

SEEDS = 5
BODY = body("resnet18")
LAYERS = BODY.compared


def training(failed: tuple[str, str, int] | None = None) -> pd.DataFrame:
    kinds = [(s, "full") for s in (*SPATIAL, "category", "identity", "everything")]
    kinds += [(s, "one_category") for s in SPATIAL]
    kinds += [(s, "centred") for s in ("distance", "rotation", "category", "identity")]
    kinds += [("category", "ncat 2"), ("category", "ncat 4")]
    return pd.DataFrame(
        [
            {"task_set": s, "variant": v, "seed": k, "learned": (s, v, k) != failed}
            for s, v in kinds
            for k in range(SEEDS)
        ]
    )


def alignment(levels: dict[str, float], area: str = "V4 201025", noise: float = 0.01):
    rng = np.random.default_rng(0)
    rows = []
    known = training()[["task_set", "variant", "seed"]]
    untrained = pd.DataFrame(
        [{"task_set": UNTRAINED, "variant": "full", "seed": k} for k in range(SEEDS)]
    )
    for row in pd.concat([known, untrained]).itertuples(index=False):
        level = levels.get(f"{row.task_set} {row.variant}", levels.get(row.task_set, 0.3))
        early = area in ("EVC", "V1", "V2") or (area == "V4" and row.task_set in SPATIAL)
        for layer, best in (("layer1.1.relu:2", early), ("layer3.1.relu:2", not early)):
            rows.append(
                row._asdict()
                | {"area": area, "layer": layer, "best": best, "chosen": level}
                | {"score": level}
            )
        rows[-1]["chosen"] = rows[-2]["chosen"] = level + noise * rng.normal()
    return BODY.staged(pd.DataFrame(rows))


def cka(within: float, between: float, deep: float) -> pd.DataFrame:
    names = [
        *((s, "full", k) for s in ("spatial", "category", UNTRAINED) for k in range(SEEDS)),
    ]
    rng = np.random.default_rng(1)
    rows = []
    for layer in LAYERS:
        drop = deep if layer.startswith("layer4") else 0.0
        for a, b in itertools.combinations(names, 2):
            if UNTRAINED in (a[0], b[0]) and a[0] != b[0]:
                value = 0.2
            else:
                value = within if a[0] == b[0] else between - drop
            keys = {
                f"{key}_{side}": name[i]
                for side, name in (("a", a), ("b", b))
                for i, key in enumerate(("task_set", "variant", "seed"))
            }
            rows.append({"layer": layer, "cka": value + 0.01 * rng.normal()} | keys)
    return BODY.staged(pd.DataFrame(rows))


def decoding(levels: dict[str, float]) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = []
    known = training()[["task_set", "variant", "seed"]]
    untrained = pd.DataFrame(
        [{"task_set": UNTRAINED, "variant": "full", "seed": k} for k in range(SEEDS)]
    )
    for row in pd.concat([known, untrained]).itertuples(index=False):
        for target, layer in (("category", "layer4.0.relu:2"), ("position", "avgpool")):
            level = levels.get(f"{target} {row.task_set} {row.variant}")
            level = levels.get(f"{target} {row.variant}", 0.3) if level is None else level
            rows.append(
                row._asdict()
                | {"layer": layer, "target": target, "tested_on": "full", "n": 100}
                | {"score": level + 0.005 * rng.normal(), "chance": 0.1}
            )
    return BODY.roles(pd.DataFrame(rows))


def tables(**changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    curves = pd.DataFrame(
        [
            {
                "task_set": s, "variant": "full", "seed": k, "step": t,
                "performance": t / 12, "A": 0.2 + t / 60 + 0.005 * np.sin(7 * t + k),
            }
            for s in CURVES for k in range(SEEDS) for t in range(12)
        ]
    )  # fmt: skip
    good = {"category": 0.5, UNTRAINED: 0.2, **dict.fromkeys(SPATIAL, 0.48)}
    human = pd.concat([alignment(good, "EVC"), alignment(good, "IT")], ignore_index=True)
    return {
        "training": training(),
        "alignment": alignment(
            good
            | {"category ncat 2": 0.4, "category ncat 4": 0.42}
            | {f"{s} one_category": 0.4 for s in SPATIAL}
            | {f"{s} centred": 0.3 for s in ("distance", "rotation", "category", "identity")}
        ),
        "alignment_human": human,
        "curves": curves,
        "cka": cka(within=0.9, between=0.8, deep=0.3),
        "decoding": decoding(
            {"category one_category": 0.2, "position centred": 0.05}
            | {f"category {UNTRAINED} full": 0.15, "category category full": 0.95}
            | {f"position {s} full": 0.6 for s in ("distance", "rotation", "category", "identity")}
        ),
    } | changed


def verdicts(found: dict[str, pd.DataFrame], seeds: int = SEEDS) -> dict[str, Verdict]:
    return {j.claim.id: j.verdict for j in judge_all(found, seeds, 200)}


def test_planted_effects_are_shown() -> None:
    found = verdicts(tables())
    shown = {"X1", "X2", "X3", "X5", "X6", "X7", "X8", "X9a", "X9b", "X10", "X11", "X14"}
    shown |= {"X17", "X1-EVC", "X1-IT", "X2-EVC", "X2-IT"}
    assert {k for k, v in found.items() if v is Verdict.SHOWN} == shown
    # Nobody was trained on natural images or graded sets, and no reference network was compared.
    for name in ("X2-full", "X3-full", "X4", "X11-direct", "X12", "X13", "X16"):
        assert found[name] is Verdict.NOT_TESTED


def test_full_scale_asks_for_all_sets() -> None:
    found = tables()
    table = found["alignment"]
    like = table[(table["task_set"] == "spatial") & (table["variant"] == "full")]
    few = table[(table["task_set"] == "category") & (table["variant"] == "ncat 4")]
    pairs = [like.assign(task_set=name) for name in PAIRS]
    found["alignment"] = pd.concat([table, *pairs, few.assign(variant="ncat 8")])
    judged = verdicts(found)
    assert judged["X2-full"] is judged["X3-full"] is Verdict.SHOWN
    worse = [rows.assign(chosen=rows["chosen"] - 0.3) for rows in pairs[:1]]
    found["alignment"] = pd.concat([table, *worse, *pairs[1:], few.assign(variant="ncat 8")])
    judged = verdicts(found)
    assert judged["X2-full"] is Verdict.CONTRADICTED
    assert judged["X2"] is Verdict.SHOWN


def test_reversed_effects_are_contradicted() -> None:
    bad = {"category": 0.5, UNTRAINED: 0.4, **dict.fromkeys(SPATIAL, 0.2)}
    found = verdicts(tables(alignment=alignment(bad), cka=cka(0.5, 0.8, -0.1)))
    for name in ("X1", "X2", "X7"):
        assert found[name] is Verdict.CONTRADICTED
    assert found["X6"] is Verdict.CONTRADICTED


def test_a_small_effect_of_the_right_sign_does_not_contradict() -> None:
    assert verdicts(tables(cka=cka(0.9, 0.8, 0.05)))["X6"] is Verdict.NOT_SHOWN
    for claim in CLAIMS:
        for part in claim.parts:
            share = part.name.startswith("share")
            if part.test == "above" and part.threshold and not share:
                assert part.against == 0, part.name


def public(levels: dict[str, float], areas=("V1", "V2", "V4", "IT")) -> pd.DataFrame:
    return pd.concat([alignment(levels, area) for area in areas], ignore_index=True)


def test_with_all_public_regions_their_mean_decides() -> None:
    good = {"category": 0.5, UNTRAINED: 0.2, **dict.fromkeys(SPATIAL, 0.48)}
    bad = {"category": 0.5, UNTRAINED: 0.4, **dict.fromkeys(SPATIAL, 0.2)}
    found = tables(alignment=alignment(bad), alignment_public=public(good))
    judged = verdicts(found)
    for name in ("X1", "X2", "X1-public", "X14-public", "X15-public"):
        assert judged[name] is Verdict.SHOWN, name
    judged = {j.claim.id: j for j in judge_all(tables(alignment_public=public(bad)), SEEDS, 200)}
    assert judged["X1"].verdict is judged["X1-public"].verdict is Verdict.CONTRADICTED
    assert judged["X1"].condition == "A is the mean of V1, V2, V4 and IT"


def test_one_region_is_not_lost_in_the_mean_of_four() -> None:
    good = {"category": 0.5, UNTRAINED: 0.2, **dict.fromkeys(SPATIAL, 0.48)}
    weak = {"category": 0.5, UNTRAINED: 0.2, **dict.fromkeys(SPATIAL, 0.1)}
    found = pd.concat([public(good, ("V1", "V2", "V4")), public(weak, ("IT",))], ignore_index=True)
    judged = verdicts(tables(alignment_public=found))
    assert judged["X1"] is Verdict.SHOWN
    assert judged["X1-public"] is Verdict.CONTRADICTED


def test_without_all_public_regions_the_sessions_decide() -> None:
    bad = {"category": 0.5, UNTRAINED: 0.4, **dict.fromkeys(SPATIAL, 0.2)}
    found = tables(alignment_public=public(bad, ("V4", "IT")))
    judged = {j.claim.id: j for j in judge_all(found, SEEDS, 200)}
    assert judged["X1"].verdict is Verdict.SHOWN
    for name in ("X1-public", "X14-public", "X15-public"):
        assert judged[name].verdict is Verdict.NOT_TESTED
        assert NO_PUBLIC in judged[name].reason


def test_few_seeds_test_nothing() -> None:
    assert set(verdicts(tables(), seeds=4).values()) == {Verdict.NOT_TESTED}


def test_without_recordings_the_reason_is_given() -> None:
    found = tables()
    for name in ("alignment", "alignment_human", "curves"):
        del found[name]
    judged = {j.claim.id: j for j in judge_all(found, SEEDS, 200)}
    assert judged["X1"].verdict is Verdict.NOT_TESTED
    assert NO_V4 in judged["X1"].reason
    assert "92 objects" in judged["X1-IT"].reason
    assert judged["X7"].verdict is Verdict.SHOWN


def test_comparable_needs_something_to_compare_with() -> None:
    flat = {"category": 0.3, UNTRAINED: 0.3, **dict.fromkeys(SPATIAL, 0.4)}
    judged = {j.claim.id: j for j in judge_all(tables(alignment=alignment(flat)), SEEDS, 200)}
    assert judged["X2"].verdict is Verdict.NOT_TESTED
    assert NO_BASE.format("category") in judged["X2"].reason


def test_what_did_not_learn_does_not_count() -> None:
    failed = ("rotation", "full", 3)
    gate = Gate(training(failed))
    assert gate.failed == ["rotation full seed 3"]
    judged = {j.claim.id: j for j in judge_all(tables(training=training(failed)), SEEDS, 200)}
    part = next(p for p in judged["X1"].parts if p.part.name == "A rotation - untrained")
    assert part.interval is not None
    assert part.interval.n == SEEDS - 1
    assert judged["X1"].verdict is Verdict.NOT_TESTED  # four seeds are too few
    assert "without 1 networks" in judged["X1"].condition


def test_networks_are_drawn_and_never_compared_with_themselves() -> None:
    table = cka(0.9, 0.8, 0.0)
    blocks = Blocks(table, Gate(training()))
    s, c = ("spatial", "full"), ("category", "full")
    found = blocks.interval(lambda d: d("layer3", s, s) - d("layer3", s, c), 500)
    rows = table[table["layer"] == "layer3.1.relu:2"]
    own = rows.query("task_set_a == 'spatial' and task_set_b == 'spatial'")["cka"].mean()
    other = rows.query("task_set_a == 'spatial' and task_set_b == 'category'")["cka"].mean()
    assert found.estimate == pytest.approx(own - other)
    assert found.low < found.estimate < found.high
    assert found.high < 0.12


def test_only_networks_that_a_contrast_is_about_limit_it() -> None:
    table, known = cka(0.9, 0.8, 0.0), training()
    s, c, u = ("spatial", "full"), ("category", "full"), (UNTRAINED, "full")
    for failing, verdict in ((4, Verdict.NOT_TESTED), (0, Verdict.SHOWN)):
        late = (known["task_set"] == "category") & (known["variant"] == "full")
        learned = known.assign(learned=~(late & (known["seed"] < failing)))
        blocks = Blocks(table, Gate(learned))
        assert blocks.interval(lambda d: d("layer3", s, s) - d("layer3", s, u), 100).n == SEEDS
        assert blocks.interval(lambda d: d("layer3", s, c), 100).n == SEEDS - failing
        judged = verdicts(tables(cka=cka(0.9, 0.8, 0.3), training=learned))
        assert judged["X6"] is verdict
    two = known.assign(learned=~(late & (known["seed"] < 3)))
    judged = {j.claim.id: j for j in judge_all(tables(training=two), SEEDS, 100)}
    assert judged["X6"].verdict is Verdict.NOT_TESTED
    assert "needs 5 seeds, 2 are defined" in judged["X6"].reason


def test_a_share_has_the_interval_of_wilson() -> None:
    found = share(pd.Series([True] * 7 + [False] * 3))
    p, n, z = 0.7, 10, stats.norm.ppf(0.975)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_networks_without_stages_are_not_asked_about_stages() -> None:
    found = tables()
    for name in ("alignment", "alignment_human", "cka"):
        found[name] = found[name].assign(stage=np.nan)
    there = {"layer4.0.relu:2": "blocks.5", "avgpool": "head_drop"}
    found["decoding"] = found["decoding"].replace({"layer": there})
    judged = {j.claim.id: j for j in judge_all(found, SEEDS, 200)}
    for name in ("X6", "X7", "X8", "X14", "X15", "X16"):
        assert judged[name].verdict is Verdict.NOT_TESTED
        assert NO_STAGES in judged[name].reason
    assert judged["X1"].verdict is Verdict.SHOWN
    assert judged["X10"].verdict is Verdict.SHOWN
    assert judged["X10"].condition == "blocks.5 for layer4, head_drop for avgpool"


def test_claims_have_evidence() -> None:
    assert set(EVIDENCE) == {claim.id for claim in CLAIMS}


def test_the_control_of_centring_is_judged_by_its_own_networks() -> None:
    extra = pd.DataFrame(
        [
            {
                "task_set": s, "variant": v, "seed": k, "layer": "avgpool", "target": "position",
                "tested_on": "full", "n": 100, "score": level + 0.001 * k, "chance": 0.0,
            }
            for s in ("distance", "rotation", "category", "identity")
            for v, level in (("direct", 0.5), ("direct centred", 0.45))
            for k in range(SEEDS)
        ]
    )  # fmt: skip
    found = tables()
    found["decoding"] = pd.concat([found["decoding"], BODY.roles(extra)], ignore_index=True)
    judged = verdicts(found)
    assert judged["X11-direct"] is Verdict.NOT_SHOWN
    assert judged["X11"] is Verdict.SHOWN


def with_natural(name: str, level: float, learned: bool = True) -> dict[str, pd.DataFrame]:
    found = tables()
    rows = [
        {"task_set": "natural", "variant": name, "seed": k, "learned": learned}
        for k in range(SEEDS)
    ]
    found["training"] = pd.concat([found["training"], pd.DataFrame(rows)], ignore_index=True)
    scored = found["alignment"].query("task_set == 'category' and variant == 'full'")
    scored = scored.assign(task_set="natural", variant=name, chosen=level + 0.001 * scored["seed"])
    found["alignment"] = pd.concat([found["alignment"], scored], ignore_index=True)
    return found


def x4(found: dict[str, pd.DataFrame]):
    return next(j for j in judge_all(found, SEEDS, 100) if j.claim.id == "X4")


def test_natural_images_of_a_user_are_judged_and_those_of_the_data_folder_reported() -> None:
    # Spatial networks are at .48, untrained ones at .2.
    near, far = x4(with_natural("folder imagenet", 0.5)), x4(with_natural("folder imagenet", 0.8))
    assert (near.verdict, far.verdict) == (Verdict.SHOWN, Verdict.CONTRADICTED)
    assert "folder imagenet" in near.condition
    reported = x4(with_natural("cifar10", 0.5))
    assert (reported.verdict, reported.reason) == (Verdict.NOT_TESTED, ONLY_REPORTED)
    assert reported.parts[0].interval == near.parts[0].interval
    expected = 0.48 - 0.3 * 0.2 - 0.7 * 0.502
    assert near.parts[0].interval.estimate == pytest.approx(expected, abs=0.02)


def test_natural_networks_that_are_missing_or_reach_nothing_say_so() -> None:
    assert NO_NATURAL in x4(tables()).reason
    assert NO_BASE.format("natural") in x4(with_natural("folder imagenet", 0.2)).reason
    failed = x4(with_natural("folder imagenet", 0.5, learned=False))
    assert failed.verdict is Verdict.NOT_TESTED
    assert "5 networks that did not learn" in failed.condition


def test_natural_networks_change_no_other_claim() -> None:
    before, after = verdicts(tables()), verdicts(with_natural("cifar10", 0.9))
    assert before == after
