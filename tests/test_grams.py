"""Sums of products by blocks of units, against matrices written out in float64."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.grams import SCALINGS, constant_columns, gram_of, summed

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def responses(n: int, p: int, seed: int = 0) -> np.ndarray:
    """Units on scales that differ, about means that differ; two answer all alike."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * rng.uniform(0.5, 2, size=p) + rng.normal(size=p)
    x[:, 0] = 3.25
    x[:, p // 2] = 0.0
    return x


def slow(x: np.ndarray, scaling: str) -> np.ndarray:
    """Every entry by itself, from the formula."""
    n, p = x.shape
    rows = [list(map(float, row)) for row in x]
    if scaling in ("centre", "zscore"):
        for u in range(p):
            column = [row[u] for row in rows]
            mean = sum(column) / n
            sd = (sum((v - mean) ** 2 for v in column) / n) ** 0.5
            for row in rows:
                row[u] -= mean
                if scaling == "zscore":
                    row[u] = row[u] / sd if sd > 1e-6 else 0.0
    if scaling == "correlation":
        return np.corrcoef(x)
    return np.array([[sum(a * b for a, b in zip(r, s, strict=True)) for s in rows] for r in rows])


def gram(x: np.ndarray, dtype: torch.dtype, **options: object) -> tuple[np.ndarray, int]:
    tensor = torch.from_numpy(x).to(dtype)
    made = summed(lambda a, b: tensor[:, a:b], *tensor.shape, **options)  # type: ignore[arg-type]
    assert made.values.dtype == torch.float64
    assert made.n_units == x.shape[1]
    return made.values.numpy(), made.n_constant


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("byte_budget", [1, 3000, 2**26])
def test_against_the_formula(scaling: str, dtype: torch.dtype, byte_budget: int) -> None:
    x = responses(9, 31)
    expected = slow(x, scaling)
    result, constant = gram(x, dtype, scaling=scaling, byte_budget=byte_budget)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(result, expected, atol=TOLERANCE[dtype] * scale)
    np.testing.assert_array_equal(result, result.T)
    assert constant == 2


@pytest.mark.parametrize("n", [3, 64, 65, 131, 300])
def test_all_strips_below_the_diagonal(n: int) -> None:
    x = responses(n, 40, n)
    np.testing.assert_allclose(gram_of(torch.from_numpy(x)).numpy(), x @ x.T, atol=1e-10)
    stacked = torch.from_numpy(np.stack([x, 2 * x]))
    both = gram_of(stacked, byte_budget=n * 8 * 7)
    np.testing.assert_allclose(both.numpy(), (stacked @ stacked.mT).numpy(), atol=1e-10)


def test_double_precision_of_products_is_worth_its_time() -> None:
    x = (responses(20, 3000) + 100).astype(np.float32)
    exact = x.astype(np.float64) @ x.astype(np.float64).T
    single, _ = gram(x, torch.float32)
    double, _ = gram(x, torch.float32, double=True)
    assert np.abs(double / exact - 1).max() < 1e-13
    assert np.abs(single / exact - 1).max() > 1e-9


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_block_is_held_at_a_time(scaling: str, double: bool) -> None:
    blocks: list[weakref.ref[torch.Tensor]] = []

    def read(start: int, stop: int) -> torch.Tensor:
        assert all(block() is None for block in blocks)
        block = torch.rand((10, stop - start))
        blocks.append(weakref.ref(block))
        return block

    summed(read, 10, 50, scaling=scaling, double=double, byte_budget=900)
    assert len(blocks) > 2


def test_units_that_do_not_vary_are_left_out_and_counted() -> None:
    x = responses(12, 10)
    without = np.delete(x, [0, 5], axis=1)
    z = (without - without.mean(axis=0)) / without.std(axis=0)
    result, constant = gram(x.astype(np.float32), torch.float32, scaling="zscore")
    np.testing.assert_allclose(result, z @ z.T, atol=1e-4)
    assert constant == 2
    nothing, constant = gram(np.full((5, 4), 0.1), torch.float64, scaling="zscore")
    assert constant == 4
    np.testing.assert_array_equal(nothing, np.zeros((5, 5)))


def test_a_presentation_in_which_all_units_answer_alike_has_no_correlation() -> None:
    x = responses(6, 8)
    x[2] = 0.3
    result, _ = gram(x, torch.float64, scaling="correlation")
    assert np.isnan(result[2]).all()
    assert np.isnan(result[:, 2]).all()
    rest = np.delete(np.delete(result, 2, 0), 2, 1)
    np.testing.assert_allclose(rest, np.corrcoef(np.delete(x, 2, 0)), atol=1e-12)


def test_a_large_common_response_costs_no_digits_once_centred() -> None:
    x = responses(15, 50).astype(np.float32)
    far = x + np.float32(4096)  # the same numbers, less the digits that float32 drops
    exact = np.corrcoef(far.astype(np.float64))
    result, _ = gram(far, torch.float32, scaling="correlation")
    np.testing.assert_allclose(result, exact, atol=1e-4)


@given(
    st.integers(0, 99),
    st.integers(2, 12),
    st.integers(1, 30),
    st.integers(1, 4000),
    st.sampled_from(SCALINGS),
)
def test_blocks_do_not_matter_and_no_direction_is_negative(
    seed: int, n: int, p: int, byte_budget: int, scaling: str
) -> None:
    x = np.random.default_rng(seed).normal(size=(n, p))
    whole, _ = gram(x, torch.float64, scaling=scaling)
    parts, _ = gram(x, torch.float64, scaling=scaling, byte_budget=byte_budget)
    np.testing.assert_allclose(parts, whole, atol=1e-10 * (1 + p))
    if not np.isnan(whole).any():
        assert np.linalg.eigvalsh(whole).min() > -1e-9 * (1 + p)
        if scaling in ("centre", "zscore"):
            np.testing.assert_allclose(whole.sum(axis=0), 0, atol=1e-9 * (1 + p))


@given(st.integers(0, 99), st.integers(3, 10), st.integers(2, 12))
def test_rotating_the_units_changes_nothing(seed: int, n: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    x, (q, _) = rng.normal(size=(n, p)), np.linalg.qr(rng.normal(size=(p, p)))
    for scaling in ("none", "centre"):
        a, _ = gram(x, torch.float64, scaling=scaling)
        b, _ = gram(x @ q, torch.float64, scaling=scaling)
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_bad_requests() -> None:
    with pytest.raises(UserError, match="did you mean zscore"):
        gram(responses(4, 4), torch.float64, scaling="z-score")
    with pytest.raises(UserError, match="at least one unit"):
        summed(lambda a, b: torch.zeros(4, b - a), 4, 0)


def test_constant_columns_to_working_precision() -> None:
    x = np.array([[1.0, 0.0, 5.0], [1.0 + 1e-9, 0.0, 5.1]])
    assert constant_columns(torch.from_numpy(x)).tolist() == [False, True, False]
    assert constant_columns(torch.from_numpy(x).float()).tolist() == [True, True, False]


@pytest.mark.gpu
@pytest.mark.parametrize("scaling", SCALINGS)
def test_on_cuda(scaling: str) -> None:
    x = responses(70, 500)
    tensor = torch.from_numpy(x)
    made = summed(lambda a, b: tensor[:, a:b].cuda(), 70, 500, scaling=scaling, byte_budget=50_000)
    assert made.values.is_cuda
    np.testing.assert_allclose(made.values.cpu().numpy(), slow(x, scaling), atol=1e-9)
    assert made.n_constant == 2
