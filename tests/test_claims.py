"""Verdicts follow from intervals alone, by the rule of the specification."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocortex.claims import (
    BOARD_COLUMNS,
    PART_COLUMNS,
    Claim,
    Part,
    Verdict,
    board,
    declaration_checksum,
    judge,
    parts,
)
from isocortex.errors import UserError
from isocortex.statistics import Interval

NAN = math.nan


def interval(low: float, high: float, n: int = 5) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95, n, "t")


def one(test: str, threshold: float = 0.2, seeds: int = 0) -> Claim:
    return Claim("F0", "s", "direction only", (Part("s", "s", test, threshold),), seeds)


@pytest.mark.parametrize(
    ("test", "low", "high", "verdict"),
    [
        ("above", 0.21, 0.5, "shown"),
        ("above", 0.2, 0.5, "not shown"),
        ("above", 0.1, 0.5, "not shown"),
        ("above", -0.1, 0.2, "not shown"),
        ("above", -0.1, 0.19, "contradicted"),
        ("below", -0.1, 0.19, "shown"),
        ("below", 0.1, 0.3, "not shown"),
        ("below", 0.21, 0.3, "contradicted"),
        ("band", -0.19, 0.19, "shown"),
        ("band", -0.3, 0.1, "not shown"),
        ("band", -0.3, 0.3, "not shown"),
        ("band", 0.1, 0.3, "not shown"),
        ("band", 0.21, 0.3, "contradicted"),
        ("band", -0.3, -0.21, "contradicted"),
        ("above", NAN, NAN, "not tested"),
    ],
)
def test_rule(test: str, low: float, high: float, verdict: str) -> None:
    judged = judge(one(test), {"s": interval(low, high)})
    assert judged.verdict == verdict
    assert (judged.reason != "") == (verdict == "not tested")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.21, 0.5, "shown"),
        (0.1, 0.5, "not shown"),
        (0.01, 0.19, "not shown"),  # smaller than the effect of interest, of the right sign
        (-0.1, 0.0, "not shown"),
        (-0.1, -0.01, "contradicted"),
    ],
)
def test_a_part_may_be_contradicted_below_0_alone(low: float, high: float, verdict: str) -> None:
    claim = Claim("F0", "s", "", (Part("s", "s", "above", 0.2, against=0.0),))
    assert judge(claim, {"s": interval(low, high)}).verdict == verdict


FINITE = st.floats(-2, 2)


@given(FINITE, FINITE, FINITE.filter(lambda c: c > 0), st.sampled_from(["above", "below", "band"]))
def test_margin_is_positive_only_where_shown(a: float, b: float, c: float, test: str) -> None:
    part = Part("s", "s", test, c)
    i = interval(min(a, b), max(a, b))
    assert (part.margin(i) > 0) == (part.judge(i) is Verdict.SHOWN)


@given(FINITE, FINITE, FINITE)
def test_above_and_below_are_opposites(a: float, b: float, c: float) -> None:
    i = interval(min(a, b), max(a, b))
    opposite = {"shown": "contradicted", "contradicted": "shown", "not shown": "not shown"}
    above = judge(one("above", c), {"s": i}).verdict
    assert judge(one("below", c), {"s": i}).verdict == opposite[above]


def three(seeds: int = 0) -> Claim:
    return Claim(
        "F9",
        "cause",
        "paper says so",
        [Part(name, f"part {name}", "above", 0.2) for name in "abc"],  # type: ignore[arg-type]
        seeds,
        "paper",
    )


SHOWN, UNSURE, AGAINST = interval(0.3, 0.5), interval(0.1, 0.5), interval(-0.5, -0.1)


def test_all_parts_must_be_shown_and_one_contradicts() -> None:
    assert judge(three(), {"a": SHOWN, "b": SHOWN, "c": SHOWN}).verdict == "shown"
    unsure = judge(three(), {"a": SHOWN, "b": UNSURE, "c": SHOWN})
    assert unsure.verdict == "not shown"
    assert unsure.deciding.part.name == "b"
    against = judge(three(), {"a": AGAINST, "b": interval(-9, 9), "c": SHOWN})
    assert against.verdict == "contradicted"
    assert against.deciding.part.name == "a"


def test_deciding_part_has_least_margin() -> None:
    open_ = {"a": SHOWN, "b": interval(0.1, 0.9), "c": interval(-0.19, 0.21)}
    judged = judge(three(), open_)
    margins = {p.part.name: p.margin for p in judged.parts if p.verdict == "not shown"}
    assert set(margins) == {"b", "c"}
    assert judged.deciding.part.name == min(margins, key=margins.get)  # type: ignore[arg-type]


def test_first_part_stands_for_a_shown_claim() -> None:
    judged = judge(three(), {"a": SHOWN, "b": interval(0.21, 0.9), "c": SHOWN})
    assert judged.verdict == "shown"
    assert judged.deciding.part.name == "a"


def test_an_interval_over_too_few_defined_seeds_does_not_count() -> None:
    few = Interval(0.5, 0.4, 0.6, n=3, method="t", n_dropped=2)
    judged = judge(three(5), {"a": SHOWN, "b": few, "c": SHOWN}, n_seeds=5)
    assert judged.verdict == "not tested"
    assert "3 are defined" in judged.reason


def test_missing_part_is_not_tested_unless_another_contradicts() -> None:
    missing = judge(three(), {"a": SHOWN, "b": SHOWN}, reason="no data")
    assert missing.verdict == "not tested"
    assert missing.reason == "no value for 'c': no data"
    assert math.isnan(missing.deciding.margin)
    assert judge(three(), {"a": AGAINST}).verdict == "contradicted"
    nothing = judge(three(5), {}, reason="not run")
    assert nothing.verdict == "not tested"
    assert "not run" in nothing.reason


def test_names_of_other_claims_are_not_looked_at() -> None:
    assert judge(one("above"), {"s": SHOWN, "of another claim": AGAINST}).verdict == "shown"


@pytest.mark.parametrize("n_seeds", [None, 0, 4])
def test_too_few_seeds_keep_the_numbers(n_seeds: int | None) -> None:
    intervals = {"a": SHOWN, "b": AGAINST, "c": SHOWN}
    judged = judge(three(5), intervals, n_seeds=n_seeds)
    assert judged.verdict == "not tested"
    assert "needs 5 seeds" in judged.reason
    row = board([judged]).iloc[0]
    assert (row["value"], row["low"], row["high"]) == (-0.3, -0.5, -0.1)
    assert set(parts([judged])["verdict"]) == {"not tested"}
    assert judge(three(5), intervals, n_seeds=5).verdict == "contradicted"


def test_board_and_parts_are_tables() -> None:
    judged = judge(
        three(), {"a": SHOWN, "b": UNSURE, "c": SHOWN}, condition="mnist", reason="unused"
    )
    table = board([judged, judge(one("band"), {}, reason="no recordings")])
    assert list(table.columns) == BOARD_COLUMNS
    assert list(table["id"]) == ["F9", "F0"]
    first = table.iloc[0]
    assert (first["verdict"], first["part"], first["threshold"]) == ("not shown", "part b", "> 0.2")
    assert (first["condition"], first["n"], first["paper"]) == ("mnist", 5, "paper says so")
    assert table.iloc[1]["threshold"] == "|s| < 0.2"
    assert "no recordings" in table.iloc[1]["reason"]
    long = parts([judged])
    assert list(long.columns) == PART_COLUMNS
    assert list(long["verdict"]) == ["shown", "not shown", "shown"]
    assert long["margin"].iloc[1] == pytest.approx(-0.1)
    assert list(board([]).columns) == BOARD_COLUMNS


def test_declaration_is_data_with_a_checksum() -> None:
    claims = [three(), one("above")]
    assert len({*claims, three()}) == 2
    checksum = declaration_checksum(claims)
    assert len(checksum) == 64
    assert checksum == declaration_checksum(claims[::-1])
    moved = replace(claims[1], parts=(replace(claims[1].parts[0], threshold=0.1),))
    assert declaration_checksum([claims[0], moved]) != checksum
    gentler = replace(claims[1], parts=(replace(claims[1].parts[0], against=0.0),))
    assert declaration_checksum([claims[0], gentler]) != checksum
    with pytest.raises(UserError, match="twice: F9"):
        declaration_checksum([three(), three()])


def test_wrong_declarations_are_refused() -> None:
    with pytest.raises(UserError, match="unknown test 'over'"):
        Part("s", "s", "over", 0.2)
    with pytest.raises(UserError, match="threshold"):
        Part("s", "s", "band", 0.0)
    with pytest.raises(UserError, match="threshold"):
        Part("s", "s", "above", math.inf)
    for test, against in (("below", 0.0), ("band", 0.0), ("above", 0.3), ("above", -math.inf)):
        with pytest.raises(UserError, match="against"):
            Part("s", "s", test, 0.2, against=against)
    with pytest.raises(UserError, match="no part"):
        Claim("F0", "s", "", ())
    with pytest.raises(UserError, match="differ"):
        Claim("F0", "s", "", (Part("s", "", "above", 0), Part("s", "", "below", 1)))
