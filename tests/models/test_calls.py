"""The names of calls: said and read back by one rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocortex.models.calls import call_name, split_call


def test_the_first_call_is_the_bare_path_and_later_ones_are_counted_from_one() -> None:
    assert [call_name("relu", k) for k in (1, 2, 3)] == ["relu", "relu:2", "relu:3"]


@given(st.integers(1, 99), st.sampled_from(["relu", "layer1.0.relu", "features.4"]))
def test_a_name_is_read_back(call: int, path: str) -> None:
    assert split_call(call_name(path, call), {path}) == (path, call)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu:1", ("relu", 1)),
        ("relu:0", ("relu:0", 1)),
        ("relu:-1", ("relu:-1", 1)),
        ("relu:x", ("relu:x", 1)),
        ("relu:²", ("relu:²", 1)),
        ("nothing:3", ("nothing", 3)),
        ("odd:2", ("odd:2", 1)),
        ("odd:2:2", ("odd:2", 2)),
        (":2", ("", 2)),
    ],
)
def test_what_is_no_count_is_part_of_the_path(name: str, expected: tuple[str, int]) -> None:
    assert split_call(name, {"relu", "odd:2"}) == expected
