"""Rules that keep units: against indexing, and a projection against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.recording.layout import Layout
from isocortex.recording.subsample import RULES, Projection, Rule, rule_from, rule_of

CPU = torch.device("cpu")
LAYOUTS = [Layout("conv", (3, 4, 5)), Layout("block", (10, 6)), Layout("fc", (60,))]
ALL_RULES = [*RULES.values(), Projection(7, seed=3), Projection(1000)]


def _responses(layout: Layout, n: int = 6, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, layout.n_units, generator=generator, dtype=dtype)


@pytest.mark.parametrize("rule", ALL_RULES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.layer)
def test_width_table_and_pick_agree(rule: Rule, layout: Layout) -> None:
    picked = rule.pick(layout, CPU)(_responses(layout))
    assert picked.shape == (6, rule.width(layout))
    assert len(rule.table(layout)) == rule.width(layout)
    assert set(rule.table(layout)["layer"]) == {layout.layer}


@pytest.mark.parametrize("rule", ALL_RULES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.layer)
def test_a_presentation_is_kept_alike_in_any_batch(rule: Rule, layout: Layout) -> None:
    responses = _responses(layout)
    pick = rule.pick(layout, CPU)
    alone = torch.cat([pick(responses[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(pick(responses), alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rule", ALL_RULES, ids=str)
def test_a_rule_is_made_again_from_its_description(rule: Rule) -> None:
    assert rule_from(rule.describe()) == rule


def test_all_keeps_all() -> None:
    responses = _responses(LAYOUTS[0])
    assert torch.equal(RULES["all"].pick(LAYOUTS[0], CPU)(responses), responses)


def test_the_centre_is_what_indexing_the_map_gives() -> None:
    responses = _responses(LAYOUTS[0])
    expected = responses.reshape(6, 3, 4, 5)[:, :, 2, 2]
    assert torch.equal(RULES["centre"].pick(LAYOUTS[0], CPU)(responses), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_projection_is_its_definition(dtype: torch.dtype) -> None:
    layout, projection = LAYOUTS[0], Projection(7, seed=3)
    responses = _responses(layout, dtype=dtype)
    units, weights = projection.terms(60)
    m = math.ceil(math.sqrt(60))
    assert units.shape == weights.shape == (7, m)
    np.testing.assert_allclose(np.abs(weights), math.sqrt(60 / (7 * m)))
    expected = np.zeros((6, 7))
    for i in range(6):
        for j in range(7):
            for unit, weight in zip(units[j], weights[j], strict=True):
                expected[i, j] += weight * float(responses[i, unit])
    picked = projection.pick(layout, CPU)(responses)
    assert picked.dtype == dtype
    np.testing.assert_allclose(picked.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_a_projection_keeps_inner_products_in_expectation() -> None:
    x, y = _responses(LAYOUTS[0], 2, torch.float64)
    seeds = [Projection(20, seed).pick(LAYOUTS[0], CPU)(torch.stack([x, y])) for seed in range(400)]
    products = np.array([float(a @ b) for a, b in seeds])
    error = products.std(ddof=1) / math.sqrt(len(products))
    assert abs(products.mean() - float(x @ y)) < 4 * error
    assert error < 0.1 * float(x.norm() * y.norm())


@given(st.integers(1, 80), st.integers(0, 5))
def test_a_projection_is_linear(k: int, seed: int) -> None:
    x, y = _responses(LAYOUTS[2], 2, torch.float64)[:, None]
    project = Projection(k, seed).pick(LAYOUTS[2], CPU)
    torch.testing.assert_close(project(2 * x - 3 * y), 2 * project(x) - 3 * project(y))


def test_a_projection_is_set_by_its_seed() -> None:
    responses = _responses(LAYOUTS[0])
    first, again, other = (
        Projection(7, seed).pick(LAYOUTS[0], CPU)(responses) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_a_small_layer_is_kept_whole() -> None:
    responses = _responses(LAYOUTS[2])
    assert torch.equal(Projection(60).pick(LAYOUTS[2], CPU)(responses), responses)
    table = Projection(60).table(LAYOUTS[2])
    assert table["channel"].tolist() == list(range(60))
    assert table["component"].isna().all()


def test_components_have_a_number_and_no_place() -> None:
    table = Projection(7).table(LAYOUTS[0])
    assert table["component"].tolist() == list(range(7))
    assert table[["channel", "y", "x"]].isna().all(axis=None)


@pytest.mark.parametrize(("k", "seed"), [(0, 0), (-1, 0), (3, -1)])
def test_impossible_projections_are_refused(k: int, seed: int) -> None:
    with pytest.raises(UserError, match="k must be at least 1"):
        Projection(k, seed)


@pytest.mark.parametrize("units", ["center", 5, None])
def test_an_unknown_rule_lists_the_rules(units: object) -> None:
    with pytest.raises(UserError, match=r"known: Projection\(k, seed\), all, centre"):
        rule_of(units)  # type: ignore[arg-type]
