"""Calls: named and read back by one rule, and one tensor for each."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isocortex.models.calls import call_name, first_tensor, split_call


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


Pair = namedtuple("Pair", ["name", "value"])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: t,
        lambda t: (t, t + 1),
        lambda t: [None, t],
        lambda t: {"hidden": t, "other": t + 1},
        lambda t: Pair("x", (t,)),
        lambda t: ({"empty": ()}, [t]),
    ],
)
def test_the_first_tensor_of_an_output_stands_for_it(wrap: Callable[[Tensor], Any]) -> None:
    tensor = torch.arange(3.0)
    assert first_tensor(wrap(tensor)) is tensor


@pytest.mark.parametrize("output", [None, 3.0, "text", {}, [None, ("a", 1)]])
def test_an_output_without_a_tensor_has_none(output: Any) -> None:
    assert first_tensor(output) is None
