"""The drawing says what the numbers say."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocortex.report.intervals import WIDTH, interval_plot, number

finite = st.floats(-50, 50, allow_nan=False)


def parse(*arguments: object) -> dict[str, list[ET.Element]]:
    root = ET.fromstring(interval_plot(*arguments))  # type: ignore[arg-type]
    found: dict[str, list[ET.Element]] = {"svg": [root]}
    for element in root:
        found.setdefault(element.get("class", element.tag), []).append(element)
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.50"), (-0.123, "−0.12"), (0.0, "0.00"), (-0.0, "0.00"), (1234.5, "1.23e+03"),
        (0.0004, "0.0004"), (0.006, "0.01"), (0.00123, "0.001"), (-2e-7, "−2e−07"),
        (math.nan, "–"), (math.inf, "–"), (57.0, "57.00"),
    ],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_common_axis_and_places() -> None:
    found = parse(0.5, 0.25, 0.75, "above", 0.0, "shown")
    middle = (14 + 196) / 2
    assert float(found["threshold"][0].get("x1", "")) == middle
    assert float(found["dot"][0].get("cx", "")) == pytest.approx(middle + 0.5 * 91, abs=0.1)
    bar = found["bar"][0]
    assert float(bar.get("x1", "")) == pytest.approx(middle + 0.25 * 91, abs=0.1)
    assert float(bar.get("x2", "")) == pytest.approx(middle + 0.75 * 91, abs=0.1)
    zone = found["zone"][0]
    assert float(zone.get("x", "")) == middle
    assert found["svg"][0].get("class") == "interval verdict-shown"


def test_words_for_those_who_do_not_see_it() -> None:
    label = parse(0.5, 0.25, 0.75, "above", 0.2, "not shown")["svg"][0].get("aria-label")
    assert label == "0.50, interval 0.25 to 0.75; the claim asks for above 0.20"


@pytest.mark.parametrize(
    ("high", "labels"), [(0.9, ["−0.50", "0.50", "−1.00", "1.00"]), (40.0, ["±0.50", "42.43"])]
)
def test_labels_do_not_run_into_each_other(high: float, labels: list[str]) -> None:
    found = parse(0.1, -0.3, high, "band", 0.5, "not shown")
    assert [text.text for text in found["text"]] == labels


def test_undefined_bounds_leave_the_dot_and_no_estimate_leaves_nothing() -> None:
    found = parse(0.5, math.nan, math.nan, "above", 0.2, "not tested")
    assert "bar" not in found
    assert len(found["dot"]) == 1
    assert interval_plot(math.nan, math.nan, math.nan, "above", 0.2, "not tested") == ""


@given(finite, finite, finite, st.sampled_from(["above", "below", "band"]), st.floats(0.01, 5))
def test_the_mark_lies_in_the_zone_just_where_the_claim_holds(
    value: float, a: float, b: float, test: str, threshold: float
) -> None:
    low, high = min(a, b), max(a, b)
    found = parse(value, low, high, test, threshold, "shown")
    zone = found["zone"][0]
    begin = float(zone.get("x", ""))
    end = begin + float(zone.get("width", ""))
    assert 0 <= begin <= end <= WIDTH
    assert len(found["threshold"]) == (2 if test == "band" else 1)
    bar = found["bar"][0]
    x1, x2 = float(bar.get("x1", "")), float(bar.get("x2", ""))
    assert 0 <= x1 <= x2 <= WIDTH
    holds = {
        "above": low > threshold, "below": high < threshold,
        "band": -threshold < low and high < threshold,
    }[test]  # fmt: skip
    inside = begin <= x1 + 0.11 and x2 <= end + 0.11
    assert inside or not holds
