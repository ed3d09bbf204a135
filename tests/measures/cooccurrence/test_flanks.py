"""Both flanks of a line against a loop over pairs, and lines and steps that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.measures.cooccurrence import EdgeList, detect_edges, facing, one_flank


def scattered(n: int, seed: int) -> EdgeList:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 25, (2, n)).astype(float)
    return EdgeList(x, y, rng.uniform(0, 360, n), rng.random(n))


def by_hand(edges: EdgeList, width: float) -> set[tuple[int, int]]:
    found = set()
    for i in range(len(edges)):
        for j in range(i + 1, len(edges)):
            a, b = np.deg2rad(edges.direction_deg[[i, j]])
            apart = np.rad2deg(np.arccos(np.clip(-np.cos(b - a), -1, 1)))
            mean = np.array([np.cos(a) - np.cos(b), np.sin(a) - np.sin(b)])
            if apart > 22.5 or not mean.any():
                continue
            mean /= np.linalg.norm(mean)
            d = np.array([edges.x[j] - edges.x[i], edges.y[j] - edges.y[i]])
            along, across = abs(d @ mean), abs(d @ np.array([-mean[1], mean[0]]))
            if along <= 1 and across <= width:
                found.add((i, j))
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3.0, 8.0]))
def test_pairs_are_those_of_a_loop(seed: int, width: float) -> None:
    edges = scattered(60, seed)
    assert {tuple(sorted(p)) for p in facing(edges, width).tolist()} == by_hand(edges, width)


def test_a_line_keeps_one_flank_and_a_step_its_edge() -> None:
    rows, _ = np.mgrid[:80, :80]
    step = np.tanh((rows - 39.5) / 0.7)
    line = np.exp(-0.5 * ((rows - 40.3) / 1.5) ** 2)
    edges = detect_edges(step)
    assert len(facing(edges)) == 0
    assert len(one_flank(edges)) == len(edges)
    both = detect_edges(line, kept=0.9)
    above = both.y > -40.3
    assert above.any()
    assert (~above).any()
    left = one_flank(both)
    assert len(left) < len(both)
    assert len(facing(left)) == 0
    # The stronger flank is the one whose pixels lie nearer to the steepest slope.
    weaker = both.strength.min()
    assert left.strength.min() >= weaker


def test_of_two_flanks_the_weaker_goes_and_of_equal_ones_the_later() -> None:
    pair = EdgeList(
        np.array([5.0, 5.0, 40.0]),
        np.array([0.0, 3.0, 0.0]),
        np.array([10.0, 190.0, 10.0]),
        np.array([1.0, 2.0, 1.0]),
    )
    np.testing.assert_array_equal(one_flank(pair).strength, [2.0, 1.0])
    equal = EdgeList(pair.x, pair.y, pair.direction_deg, np.ones(3))
    np.testing.assert_array_equal(one_flank(equal).y, [0.0, 0.0])
    np.testing.assert_array_equal(one_flank(pair, width=2.0).x, pair.x)


def test_too_few_edges_and_wrong_widths() -> None:
    one = EdgeList(np.ones(1), np.ones(1), np.ones(1), np.ones(1))
    assert facing(one).shape == (0, 2)
    assert len(one_flank(one)) == 1
    with pytest.raises(UserError, match="width"):
        facing(one, 0)
