from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.measures.cooccurrence import (
    EdgeList,
    fold_polarity,
    pair_histogram,
    relative_directions,
    symmetrise,
)


def scattered(n: int, seed: int, wide: float = 30.0) -> EdgeList:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, wide, (2, n))
    return EdgeList(x, y, rng.uniform(0, 360, n), np.ones(n))


def slow(edges: EdgeList, radius: int, n_alpha: int) -> np.ndarray:
    """Pair by pair, with complex numbers."""
    side = 2 * radius + 1
    h = np.zeros((n_alpha, side, side))
    z = edges.x + 1j * edges.y
    for i in range(len(edges)):
        for j in range(len(edges)):
            if i != j and abs(z[j] - z[i]) <= radius:
                q = (z[j] - z[i]) * np.exp(-1j * np.deg2rad(edges.direction_deg[i]))
                d = edges.direction_deg[j] - edges.direction_deg[i]
                k = round(d / (360 / n_alpha)) % n_alpha
                h[k, radius - round(q.imag), radius + round(q.real)] += 1
    return h


@given(seed=st.integers(0, 2**31), radius=st.integers(1, 8), bins=st.sampled_from([4, 24, 72]))
def test_histogram_is_that_of_all_pairs(seed: int, radius: int, bins: int) -> None:
    edges = scattered(40, seed)
    h = pair_histogram(edges, radius=radius, n_alpha=bins)
    np.testing.assert_array_equal(h, slow(edges, radius, bins))


def test_what_lies_left_of_the_centre_edge_is_up() -> None:
    # The second edge is left of the first one, which runs up, and turned to the left.
    edges = EdgeList(np.array([0.0, -3.0]), np.zeros(2), np.array([90.0, 120.0]), np.ones(2))
    h = pair_histogram(edges, radius=4, n_alpha=12)
    assert h.sum() == 2
    assert h[1, 4 - 3, 4] == 1
    assert relative_directions(12, 360)[1] == 30


@given(seed=st.integers(0, 2**31), turn=st.sampled_from([90, 180, 270]))
def test_turning_everything_changes_nothing(seed: int, turn: int) -> None:
    edges = scattered(40, seed)
    z = (edges.x + 1j * edges.y) * np.exp(1j * np.deg2rad(turn))
    turned = EdgeList(z.real, z.imag, (edges.direction_deg + turn) % 360, edges.strength)
    a, b = (pair_histogram(e, radius=6, n_alpha=24) for e in (edges, turned))
    # Rounding may move a pair that lies on the border of two bins.
    assert np.abs(a - b).sum() <= 2


def test_folding_forgets_polarity() -> None:
    edges = scattered(60, 0)
    flip = np.random.default_rng(1).integers(0, 2, 60) * 180.0
    other = EdgeList(edges.x, edges.y, (edges.direction_deg + flip) % 360, edges.strength)
    a, b = (symmetrise(fold_polarity(pair_histogram(e, radius=6))) for e in (edges, other))
    assert a.shape == (36, 13, 13)
    assert np.abs(a - b).sum() <= 4
    h = np.random.default_rng(2).random((3, 8, 5, 5))
    folded = fold_polarity(torch.from_numpy(h))
    np.testing.assert_allclose(folded, h[:, :4] + h[:, 4:])
    with pytest.raises(UserError, match="even"):
        fold_polarity(h[:, :7])


def test_symmetrised_histograms_have_both_symmetries() -> None:
    h = np.random.default_rng(0).random((2, 12, 7, 7))
    s = symmetrise(h)
    np.testing.assert_allclose(s, s[..., ::-1, ::-1])
    for k in range(12):
        np.testing.assert_allclose(s[:, k], s[:, -k % 12, ::-1])
    np.testing.assert_allclose(s.sum(axis=(1, 2, 3)), h.sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(symmetrise(s), s)


def test_few_edges_and_wrong_bins() -> None:
    assert pair_histogram(scattered(1, 0)).sum() == 0
    assert pair_histogram(scattered(0, 0)).shape == (72, 41, 41)
    for wrong in ({"radius": 0}, {"n_alpha": 7}, {"n_alpha": 2}):
        with pytest.raises(UserError, match="radius"):
            pair_histogram(scattered(3, 0), **wrong)
