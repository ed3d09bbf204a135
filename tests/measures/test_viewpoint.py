"""Viewpoint measures against slow loops, analytic cases and their invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from isocortex.errors import UserError
from isocortex.measures import view_null, viewpoint
from isocortex.measures.viewpoint import (
    crossvalidated_view_rdm,
    equidistant_baseline,
    ideal_templates,
    mean_distance,
    mirror_contrast,
    mirror_symmetry_index,
    same_views,
    summarise,
    template_fit,
    view_invariance,
    view_pairings,
    view_permutation_null,
    view_rdm,
    view_tuning,
)
from isocortex.measures.views import mirrored_entries
from isocortex.statistics import permutation_p

ODD = (3, 5, 7, 9, 11)
DTYPES = (torch.float32, torch.float64)


def symmetric_rdm(n: int, seed: int = 0, lead: tuple[int, ...] = ()) -> np.ndarray:
    d = np.random.default_rng(seed).uniform(0.1, 2.0, (*lead, n, n))
    d = (d + np.swapaxes(d, -1, -2)) / 2
    d[..., np.arange(n), np.arange(n)] = 0
    return d


def slow_index(d: np.ndarray, diagonals: bool = True) -> float:
    """Pair by pair, in the words of the definition with views counted from 1."""
    n = len(d)
    ours, mirrored = [], []
    for j in range(1, n + 1):
        for k in range(1, n + 1):
            if k == (n + 1) // 2:
                continue
            if not diagonals and (j == k or j == n + 1 - k):
                continue
            ours.append(d[j - 1, k - 1])
            mirrored.append(d[j - 1, n + 1 - k - 1])
    return float(np.corrcoef(ours, mirrored)[0, 1])


# --- view RDM -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_view_rdm_is_one_minus_pearson(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 5, 40, dtype=dtype, generator=torch.Generator().manual_seed(0)) + 3
    d = view_rdm(x)
    assert d.dtype == dtype
    assert d.shape == (2, 3, 5, 5)
    for i in range(2):
        for o in range(3):
            expected = 1 - np.corrcoef(x[i, o].double().numpy())
            np.testing.assert_allclose(
                d[i, o], expected, atol=3e-6 if dtype.itemsize == 4 else 1e-13
            )
    assert (d.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert torch.equal(d, d.mT)


def test_view_rdm_keeps_kind_and_input(tmp_path) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).normal(size=(4, 5, 30)).astype(np.float32)
    before = x.copy()
    d = view_rdm(x)
    assert isinstance(d, np.ndarray)
    assert d.dtype == np.float32
    assert (x == before).all()
    np.testing.assert_array_equal(view_rdm(torch.from_numpy(x)).numpy(), d)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    mapped[:] = x
    mapped.flush()
    readonly = np.memmap(tmp_path / "x", np.float32, "r", shape=x.shape)
    np.testing.assert_array_equal(view_rdm(readonly), d)
    assert view_rdm(x.astype(np.int64)).dtype == np.float64
    assert view_rdm(torch.from_numpy(x).half()).dtype == torch.float16
    assert view_rdm(np.zeros((0, 5, 30))).shape == (0, 5, 5)


def test_view_rdm_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(7, 5, 30))
    whole = view_rdm(x)
    monkeypatch.setattr(viewpoint, "_CHUNK_BYTES", 8 * 5 * 30 * 2)
    np.testing.assert_allclose(view_rdm(x), whole, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3.3])
def test_constant_response_vectors_are_undefined(dtype: torch.dtype, value: float) -> None:
    x = torch.randn(2, 5, 1001, dtype=dtype, generator=torch.Generator().manual_seed(0))
    x[1, 3] = value
    d = view_rdm(x)
    assert not d[0].isnan().any()
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[3] = expected[:, 3] = True
    assert torch.equal(d[1].isnan(), expected)
    index = mirror_symmetry_index(d)
    summary = summarise(index, 5)
    assert (summary.n, summary.n_undefined) == (1, 1)
    assert summary.mean == pytest.approx(float(index[0]), abs=1e-7)


def test_crossvalidated_rdm_is_the_mean_over_both_ways() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 5, 20))
    d = crossvalidated_view_rdm(a, b)
    for o in range(3):
        for j in range(5):
            for k in range(5):
                r = [np.corrcoef(p, q)[0, 1] for p, q in ((a[o, j], b[o, k]), (b[o, j], a[o, k]))]
                assert d[o, j, k] == pytest.approx(1 - np.mean(r), abs=1e-12)
    np.testing.assert_allclose(crossvalidated_view_rdm(a, a.copy()), view_rdm(a), atol=1e-12)
    with pytest.raises(UserError, match="one shape"):
        crossvalidated_view_rdm(a, b[:2])
    with pytest.raises(UserError, match="views, neuroids"):
        view_rdm(np.zeros(5))
    with pytest.raises(UserError, match="with neuroids"):
        view_rdm(np.zeros((3, 5, 0)))


# --- the index ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", ODD)
def test_index_is_the_definition(n: int) -> None:
    d = symmetric_rdm(n, lead=(2, 3))
    exact = mirror_symmetry_index(d)
    inner = mirror_symmetry_index(d, "no_diagonals")
    corrected = mirror_symmetry_index(d, "corrected")
    for i in np.ndindex(2, 3):
        assert exact[i] == pytest.approx(slow_index(d[i]), abs=1e-12)
        assert inner[i] == pytest.approx(slow_index(d[i], diagonals=False), abs=1e-12)
        assert corrected[i] == pytest.approx((exact[i] + 1 / (n - 1)) / (1 + 1 / (n - 1)))


@pytest.mark.parametrize("n", ODD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_index_of_mirror_symmetric_rdm_is_one(n: int, dtype: torch.dtype) -> None:
    half = symmetric_rdm(n, seed=n)
    above = half + half[::-1]
    d = torch.from_numpy(above + above[:, ::-1]).to(dtype)
    assert torch.equal(d, d.flip(-1))
    for variant in ("exact", "corrected"):
        index = mirror_symmetry_index(d, variant)
        assert index.dtype == dtype
        assert float(index) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("n", ODD)
def test_index_of_equidistant_views_is_the_baseline(n: int) -> None:
    d = 0.7 * (1 - np.eye(n))
    assert mirror_symmetry_index(d) == pytest.approx(-1 / (n - 1), abs=1e-12)
    assert equidistant_baseline(n) == -1 / (n - 1)
    assert mirror_symmetry_index(d, "corrected") == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(mirror_symmetry_index(d, "no_diagonals"))


@pytest.mark.parametrize("n", ODD)
@pytest.mark.parametrize("value", [0.0, 0.1, 1.3])
def test_index_of_constant_rdm_is_undefined_and_reported(n: int, value: float) -> None:
    d = np.full((3, n, n), value, dtype=np.float32)
    d[1] = symmetric_rdm(n)
    summary = summarise(mirror_symmetry_index(d), n)
    assert (summary.n, summary.n_undefined) == (1, 2)
    assert summary.baseline == -1 / (n - 1)
    nothing = summarise(mirror_symmetry_index(d[:1]))
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.median)
    assert math.isnan(nothing.baseline)


def test_yaw_distance_alone_gives_a_negative_index() -> None:
    yaw = np.arange(9)
    d = np.abs(yaw[:, None] - yaw) / 8.0
    assert mirror_symmetry_index(d) == pytest.approx(-0.61, abs=0.01)


@given(
    st.sampled_from([5, 7, 9]),
    st.integers(0, 1000),
    st.floats(1e-3, 1e3),
    st.floats(-10, 10),
)
def test_positive_affine_maps_change_nothing(n: int, seed: int, gain: float, shift: float) -> None:
    d = symmetric_rdm(n, seed)
    for variant in ("exact", "no_diagonals", "corrected"):
        before = mirror_symmetry_index(d, variant)
        assert mirror_symmetry_index(gain * d + shift, variant) == pytest.approx(before, abs=1e-8)


@given(st.sampled_from([5, 9]), st.integers(0, 1000))
def test_index_does_not_know_left_from_right(n: int, seed: int) -> None:
    d = symmetric_rdm(n, seed)
    assert mirror_symmetry_index(d[::-1, ::-1].copy()) == pytest.approx(
        float(mirror_symmetry_index(d)), abs=1e-12
    )


def test_pairs_compared_for_nine_views() -> None:
    """36 pairs of entries, each twice; 28 of them off both diagonals."""
    cpu = torch.device("cpu")
    for diagonals, count in ((True, 36), (False, 28)):
        left, right = mirrored_entries(9, diagonals, cpu)
        pairs = [tuple(sorted(p)) for p in zip(left.tolist(), right.tolist(), strict=True)]
        assert len(pairs) == 2 * count
        assert len(set(pairs)) == count
        assert all(pairs.count(p) == 2 for p in pairs)


def test_indices_of_different_numbers_of_views_are_not_mixed() -> None:
    five, nine = symmetric_rdm(5), symmetric_rdm(9)
    with pytest.raises(UserError, match=r"-0\.250.*-0\.125"):
        same_views(five, nine)
    with pytest.raises(UserError, match="cannot be mixed"):
        mirror_symmetry_index([five, nine])
    assert same_views(five, symmetric_rdm(5, 1)) == 5
    both = mirror_symmetry_index([five, symmetric_rdm(5, 1)])
    assert isinstance(both, np.ndarray)
    assert both.shape == (2,)
    assert both[0] == mirror_symmetry_index(five)


@pytest.mark.parametrize("shape", [(4, 4), (1, 1), (5, 4), (5,)])
@pytest.mark.parametrize("function", [mirror_symmetry_index, mean_distance, view_permutation_null])
def test_wrong_shapes_are_refused(function, shape: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError):
        function(np.ones(shape))


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(UserError, match="no_diagonals"):
        mirror_symmetry_index(symmetric_rdm(5), "no_diag")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="odd"):
        equidistant_baseline(4)


# --- beside the index ---------------------------------------------------------------------------


def test_mean_distance_and_contrast_by_loops() -> None:
    d = symmetric_rdm(7, lead=(3,))
    for o in range(3):
        mirror = [d[o, j, k] for j in range(7) for k in range(j) if j + k == 6]
        other = [d[o, j, k] for j in range(7) for k in range(j) if j + k != 6]
        assert mean_distance(d)[o] == pytest.approx(np.mean(mirror + other))
        assert view_invariance(d)[o] == pytest.approx(1 - np.mean(mirror + other))
        assert mirror_contrast(d)[o] == pytest.approx(np.mean(other) - np.mean(mirror))
    assert mirror_contrast(1 - np.eye(5)) == pytest.approx(0)


def test_view_tuning_is_the_share_of_variance() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5, 3))
    x[:, :, 1] = np.arange(5.0)
    x[:, :, 2] = 0.1
    eta = view_tuning(x)
    by_view = x[:, :, 0].mean(axis=0)
    between = 6 * ((by_view - x[:, :, 0].mean()) ** 2).sum()
    assert eta[0] == pytest.approx(between / ((x[:, :, 0] - x[:, :, 0].mean()) ** 2).sum())
    assert eta[1] == pytest.approx(1.0)
    assert np.isnan(eta[2])
    assert view_tuning(torch.from_numpy(x)[None].float()).shape == (1, 3)
    with pytest.raises(UserError, match="exemplars"):
        view_tuning(x[0])


@pytest.mark.parametrize("n", [5, 9])
def test_template_fit_is_non_negative_least_squares(n: int) -> None:
    d = symmetric_rdm(n, seed=3, lead=(40,))
    templates = ideal_templates(n).numpy()
    # Real mixtures, so that all sets of active templates occur.
    mixed = np.random.default_rng(0).normal(size=(40, 3)) @ templates
    j, k = np.triu_indices(n, 1)
    d[20:, j, k] = d[20:, k, j] = mixed[20:]
    fit = template_fit(d)
    active = set()
    for o in range(40):
        weights, residual = nnls(templates.T, d[o, j, k])
        np.testing.assert_allclose(fit.weights[o], weights, atol=1e-9)
        active.add(tuple(weights > 0))
        explained = 1 - residual**2 / ((d[o, j, k] - d[o, j, k].mean()) ** 2).sum()
        assert fit.r_squared[o] == pytest.approx(explained, abs=1e-9)
    assert len(active) >= 6


@pytest.mark.parametrize("n", [5, 7, 9])
@pytest.mark.parametrize("which", range(3))
def test_template_fit_finds_pure_codes(n: int, which: int) -> None:
    d = np.zeros((n, n), dtype=np.float32)
    j, k = np.triu_indices(n, 1)
    d[j, k] = d[k, j] = 0.4 * ideal_templates(n)[which].numpy()
    fit = template_fit(d)
    np.testing.assert_allclose(fit.weights, 0.4 * np.eye(3)[which], atol=1e-6)
    np.testing.assert_allclose(fit.shares, np.eye(3)[which], atol=1e-6)
    if which == 2:
        assert np.isnan(fit.r_squared)
    else:
        assert fit.r_squared == pytest.approx(1.0, abs=1e-6)


def test_template_fit_of_degenerate_input() -> None:
    zero = template_fit(np.zeros((5, 5)))
    assert (zero.weights == 0).all()
    assert np.isnan(zero.shares).all()
    d = symmetric_rdm(5)
    d[0, 1] = np.nan
    assert np.isnan(template_fit(d).weights).all()
    with pytest.raises(UserError, match="at least 5"):
        template_fit(symmetric_rdm(3))


# --- null ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(3, 3), (5, 15), (7, 105), (9, 945)])
def test_pairings_are_the_distinct_outcomes(n: int, count: int) -> None:
    pairings = view_pairings(n)
    assert pairings.shape == (count, n)
    assert pairings[0].tolist() == list(range(n))
    assert (pairings.sort(dim=1).values == torch.arange(n)).all()
    codes = {
        (p[n // 2], frozenset(frozenset((p[i], p[-1 - i])) for i in range(n // 2)))
        for p in pairings.tolist()
    }
    assert len(codes) == count


def test_enumeration_holds_every_permutation_of_five_views() -> None:
    import itertools

    d = symmetric_rdm(5)
    null = view_permutation_null(d, common=True, exact=True)
    every = {
        round(slow_index(d[np.ix_(p, p)]), 9) for p in map(list, itertools.permutations(range(5)))
    }
    assert {round(float(v), 9) for v in null} == every
    assert null[0] == pytest.approx(float(mirror_symmetry_index(d)))
    assert permutation_p(null[0], null, exact=True) >= 1 / 15


@pytest.mark.parametrize("variant", ["exact", "no_diagonals", "corrected"])
@pytest.mark.parametrize("common", [False, True])
def test_null_is_the_index_of_permuted_rdms(variant: str, common: bool) -> None:
    d = symmetric_rdm(5, lead=(2, 3))
    null = view_permutation_null(d, n_draws=20, variant=variant, common=common, seed=4)  # type: ignore[arg-type]
    assert null.shape == (20, 2, 3)
    rng = np.random.default_rng(4)
    permutations = rng.random((20, 1 if common else 6, 5)).argsort(axis=-1)
    flat = d.reshape(6, 5, 5)
    for draw in range(20):
        for o in range(6):
            p = permutations[draw, 0 if common else o]
            expected = mirror_symmetry_index(flat[o][np.ix_(p, p)], variant)  # type: ignore[arg-type]
            assert null[draw].ravel()[o] == pytest.approx(float(expected), abs=1e-12)


def test_null_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    d = torch.from_numpy(symmetric_rdm(9, lead=(6,)))
    whole = view_permutation_null(d, n_draws=50)
    monkeypatch.setattr(view_null, "_CHUNK_BYTES", 8 * 81 * 6 * 7)
    assert torch.allclose(view_permutation_null(d, n_draws=50), whole, atol=1e-14)
    assert not torch.equal(view_permutation_null(d, n_draws=50, seed=1), whole)


def test_null_is_uniform_for_unordered_views() -> None:
    """Views without order give p values that are uniform, separately and in common."""
    p = []
    for seed in range(60):
        x = np.random.default_rng(seed).normal(size=(4, 5, 8))
        d = view_rdm(x)
        null = view_permutation_null(d, n_draws=199, seed=seed).mean(axis=-1)
        p.append(permutation_p(mirror_symmetry_index(d).mean(), null))
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) < 0.1) < 0.25


def test_null_finds_mirror_tuning_and_keeps_nan_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 5, 40))
    x[:, 3:] = x[:, 1::-1] + 0.3 * rng.normal(size=(8, 2, 40))
    d = view_rdm(x)
    d[2] = np.nan
    index, null = mirror_symmetry_index(d), view_permutation_null(d)
    assert np.isnan(null[:, 2]).all()
    defined = ~np.isnan(index)
    assert permutation_p(index[defined].mean(), null[:, defined].mean(axis=1)) < 0.01


def test_enumeration_is_for_common_permutations_of_few_views() -> None:
    with pytest.raises(UserError, match="common=True"):
        view_permutation_null(symmetric_rdm(5), exact=True)
    with pytest.raises(UserError, match="at most 11"):
        view_permutation_null(symmetric_rdm(13), exact=True, common=True)


@pytest.mark.gpu
def test_device_is_kept() -> None:
    x = torch.randn(4, 9, 50, device="cuda")
    d = view_rdm(x)
    for result in (
        mirror_symmetry_index(d),
        mean_distance(d),
        mirror_contrast(d),
        template_fit(d).weights,
        view_permutation_null(d, n_draws=5),
        view_tuning(x),
    ):
        assert result.device == x.device
    torch.testing.assert_close(
        mirror_symmetry_index(d).cpu(), mirror_symmetry_index(view_rdm(x.cpu())), atol=1e-3, rtol=0
    )
