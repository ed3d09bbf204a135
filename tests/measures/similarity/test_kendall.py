"""Kendall's tau-a by trees against the signs of all pairs, on every device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isocortex.measures.similarity import kendall
from isocortex.measures.similarity.kendall import tau_a

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def slow_tau_a(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Signs of all pairs of entries, each pair as often as its entries were drawn."""
    signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
    total = weights.sum()
    return float((signs * weights[:, None] * weights).sum() / (total * (total - 1)))


@pytest.mark.parametrize("device", DEVICES)
def test_broadcast_rows_against_the_signs_of_all_pairs(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kendall._LANES, device, 3)  # several rows a lane
    rng = np.random.default_rng(0)
    a = np.round(20 * rng.random((2, 1, 150)))
    b = a[0] + np.round(30 * rng.random((4, 150)))
    weights = rng.integers(0, 5, (3, 1, 1, 150))
    result = tau_a(*(torch.tensor(x, device=device) for x in (a, b, weights)))
    assert result.shape == (3, 2, 4)
    expected = [[[slow_tau_a(x[0], y, w[0, 0]) for y in b] for x in a] for w in weights]
    np.testing.assert_allclose(result.cpu(), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("device", DEVICES)
def test_without_ties_it_is_scipys_tau(device: str) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=4186)
    b = a + rng.normal(size=4186)
    given = (torch.tensor(x, device=device) for x in (a, b, np.ones(4186)))
    assert float(tau_a(*given)) == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-14)


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=2, max_size=12))
def test_whole_numbers_are_taken_as_ranks(rows: list[tuple[int, int, int]]) -> None:
    a, b, weights = np.array(rows).T
    result = float(tau_a(torch.tensor(a).double(), torch.tensor(b), torch.tensor(weights)))
    drawn = weights > 0
    if len(set(a[drawn])) < 2 or len(set(b[drawn])) < 2:
        assert np.isnan(result)
    else:
        assert result == pytest.approx(slow_tau_a(a, b, weights), abs=1e-15)
        assert float(tau_a(*(torch.tensor(x).double() for x in (b, a, weights)))) == result
