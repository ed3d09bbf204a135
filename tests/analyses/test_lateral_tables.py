"""Lateral kernels that are known, through all tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from isocortex.analyses.association import association_tables
from isocortex.analyses.fields import (
    FieldSettings,
    _bounds,
    contrast,
    control_table,
    measure_first_layer,
    pair_sums,
)
from isocortex.analyses.lateral import (
    Units,
    kernel_tables,
    overlap_of,
    response_correlation,
)
from isocortex.analyses.model_comparison import comparison_table, process_kernels
from isocortex.measures import lateral
from isocortex.measures.receptive_fields import gabor
from isocortex.measures.se2 import plant
from isocortex.models.lateral import filter_overlap, induced_kernel

Bank = Callable[..., np.ndarray]

N, SIDE = 18, 7
THETA = np.arange(N) * 180 / N
UNITS = Units(np.arange(N), THETA)


@pytest.fixture(scope="module")
def planted() -> np.ndarray:
    """Return the kernel of the direction process at the orientations of the filters."""
    grid, kernels = process_kernels(SIDE)
    return plant(kernels["direction"][3], grid, THETA, SIDE)


def test_the_model_that_was_planted_is_found(gabors: Bank, planted: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noisy = planted + 0.05 * planted.std() * rng.standard_normal(planted.shape)
    table = comparison_table(noisy, gabors(N), UNITS, splits=4).set_index("model")
    assert table["r2"].drop("split half").idxmax() == "direction"
    assert table.loc["direction", "r2"] > 0.9
    assert table.loc["direction", "parameter"] == "sigma 0.2208, decay 0.1"
    assert abs(table.loc["isotropic", "r2"]) < 1e-9


def test_models_are_scaled_as_the_kernel_is(gabors: Bank) -> None:
    """A kernel that is a model agrees with it fully, however much input its targets have."""
    filters = gabors(N, noise=0.5)
    theta = np.random.default_rng(1).uniform(0, 180, N)
    overlap, _ = overlap_of(filters, SIDE)
    table = comparison_table(overlap, filters, Units(np.arange(N), theta), splits=2)
    assert table.set_index("model").loc["overlap", "r2"] == pytest.approx(1, abs=1e-9)
    grid, kernels = process_kernels(SIDE)
    contours = plant(kernels["direction"][3], grid, theta, SIDE)
    table = comparison_table(contours, filters, Units(np.arange(N), theta), splits=2)
    assert table.set_index("model").loc["direction", "r2"] == pytest.approx(1, abs=1e-3)


def test_contours_are_one_more_model(gabors: Bank, planted: np.ndarray) -> None:
    _, kernels = process_kernels(SIDE)
    table = comparison_table(
        planted, gabors(N), UNITS, contours=kernels["direction"][3], splits=2
    ).set_index("model")
    assert table.loc["contours", "r2"] > 0.99


def test_a_planted_kernel_is_like_to_like_and_axial(gabors: Bank, planted: np.ndarray) -> None:
    tables = kernel_tables(planted, gabors(N), UNITS, permutations=200)
    rows = tables["lateral"].query("sign == 'positive' and region == 'disc'").set_index("what")
    assert rows.loc["learned", "like_ratio"] > 2
    assert rows.loc["learned", "axial_ratio"] > 2
    null = tables["null"].query("region == 'disc'").set_index("statistic")
    assert null.loc["like_ratio", "observed"] == pytest.approx(
        np.log(rows.loc["learned", "like_ratio"])
    )
    assert null.loc["like_ratio", "p"] == pytest.approx(1 / 201)
    strength = tables["strength"].query("what == 'learned'").sort_values("difference")
    assert strength["strength"].iloc[0] > strength["null_high"].iloc[0]
    assert strength["strength"].is_monotonic_decreasing
    polar = tables["polar"].query("what == 'learned'").set_index("direction")["strength"]
    assert polar[0.0] > 2 * polar[90.0]
    assert polar[0.0] == pytest.approx(polar[180.0], rel=0.05)


def test_a_random_kernel_is_neither(gabors: Bank) -> None:
    kernel = np.random.default_rng(3).standard_normal((N, N, SIDE, SIDE))
    tables = kernel_tables(kernel, gabors(N), UNITS, permutations=200)
    null = tables["null"].query("region == 'disc' and statistic == 'like_ratio'").iloc[0]
    assert null["null_05"] - 0.1 < null["observed"] < null["null_95"] + 0.1


def test_references_are_measured_in_the_same_units(gabors: Bank, planted: np.ndarray) -> None:
    tables = kernel_tables(
        planted, gabors(N), UNITS, references={"again": planted}, permutations=20
    )
    rows = tables["lateral"].query("sign == 'positive'").set_index(["what", "region"])
    for name in ("like_ratio", "axial_ratio", "slope"):
        np.testing.assert_allclose(rows.loc["again", name], rows.loc["learned", name])
    assert set(rows.index.get_level_values("region")) == {"disc", "r>=2", "r>=3"}


def test_pairs_are_told_apart_by_parity(gabors: Bank, planted: np.ndarray) -> None:
    phase = np.where(np.arange(N) % 3 == 0, 90.0, 0.0)
    tables = kernel_tables(planted, gabors(N), Units(np.arange(N), THETA, phase), permutations=20)
    rows = tables["parity"].query("what == 'learned'").set_index("pairs")
    assert rows["n_pairs"].to_dict() == {"even-even": 132, "odd-odd": 30, "mixed": 144}
    assert (rows["like_ratio"].drop("odd-odd") > 2).all()
    assert "parity" not in kernel_tables(planted, gabors(N), UNITS, permutations=20)


def test_the_overlap_is_that_of_the_measures_and_of_the_models() -> None:
    filters = np.random.default_rng(0).standard_normal((4, 2, 5, 5))
    measured = lateral.filter_overlap(filters)
    modelled = filter_overlap(torch.from_numpy(filters)).numpy()
    np.testing.assert_allclose(measured, modelled, atol=1e-12)
    np.testing.assert_allclose(
        lateral.induced_kernel(measured, 7),
        induced_kernel(torch.from_numpy(filters), 7).numpy(),
        atol=1e-12,
    )
    for side in (3, 9, 13):
        kernel, _ = overlap_of(filters, side)
        assert kernel.shape == (4, 4, side, side)
        assert kernel[1, 1, side // 2, side // 2] == pytest.approx(1)


def test_response_correlation_against_a_slow_oracle() -> None:
    maps = torch.randn(3, 2, 6, 7, dtype=torch.float64)
    maps[:, 1, :, 1:] += 2 * maps[:, 0, :, :-1]  # unit 1 repeats unit 0 a pixel to the right
    found = response_correlation(maps, 5)
    z = maps - maps.mean(dim=(0, 2, 3), keepdim=True)
    z = (z / z.square().mean(dim=(0, 2, 3), keepdim=True).sqrt()).numpy()
    for f in range(2):
        for g in range(2):
            for a in range(5):
                for b in range(5):
                    down, right = a - 2, b - 2
                    y, x = max(0, -down), max(0, -right)
                    h, w = 6 - abs(down), 7 - abs(right)
                    here = z[:, f, y : y + h, x : x + w]
                    there = z[:, g, y + down : y + down + h, x + right : x + right + w]
                    assert found[f, g, a, b] == pytest.approx((here * there).mean(), abs=1e-10)
    assert found[0, 1, 2, 3] == found[0, 1].max()  # its source lies to the right


def test_activity_of_a_planted_kernel_spreads_along_the_axis(
    gabors: Bank, planted: np.ndarray
) -> None:
    tables = association_tables(planted, gabors(N), UNITS)
    share = tables["association"].set_index("what")["axial_share"]
    assert share["learned"] > 0.4
    paths = tables["paths"].query("what == 'learned'").set_index("turn")
    assert paths["aligned"].idxmax() == 0
    assert paths.loc[0.0, "aligned"] > paths.loc[0.0, "orthogonal"]
    assert set(tables["streamlines"]["what"]) == {"learned", "overlap"}


def test_sums_by_pair_give_the_ratios_of_the_measures(gabors: Bank) -> None:
    kernel = lateral.induced_kernel(lateral.filter_overlap(gabors(N)))
    kept = lateral.retain(kernel, THETA)
    mean = {k: s.sum() / n.sum() for k, (s, n) in pair_sums(kernel, UNITS).items()}
    like, axial = mean["like"] / mean["crossed"], mean["axial"] / mean["lateral"]
    assert like == pytest.approx(lateral.strength_curve(kept.kernel, kept.theta).like_ratio)
    assert axial == pytest.approx(lateral.axial_ratio(kept.kernel, kept.theta))
    control = control_table(N, 11, FieldSettings(control_banks=3))
    control.loc[0, "axial_ratio"] = np.nan
    found = contrast(pair_sums(kernel, UNITS), control).set_index("statistic")
    assert found.loc["like_ratio", "value"] == pytest.approx(
        np.log(like) - control["like_ratio"].mean()
    )
    assert found["n_banks"].tolist() == [3, 2]
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()


def test_intervals_over_filters_are_as_wide_as_banks_differ() -> None:
    """Each filter is target and source of its pairs: drawing targets alone gives half the width."""
    rng = np.random.default_rng(0)
    n, nothing = 24, pd.DataFrame({"like_ratio": [0.0], "axial_ratio": [0.0]})
    seen = []
    for _ in range(40):
        theta = rng.uniform(0, 180, n)
        bank = gabor(
            9,
            orientation_deg=theta,
            frequency=rng.uniform(0.1, 0.25, n),
            phase_deg=rng.uniform(-180, 180, n),
            sigma_u=rng.uniform(1.2, 2, n),
            sigma_v=rng.uniform(1.5, 2.5, n),
            x=rng.uniform(-1, 1, n),
            y=rng.uniform(-1, 1, n),
            amplitude=np.ones(n),
        )
        kernel = lateral.induced_kernel(lateral.filter_overlap(bank))
        found = contrast(pair_sums(kernel, Units(np.arange(n), theta)), nothing, 400)
        seen.append(found.set_index("statistic")[["value", "low", "high"]].loc["like_ratio"])
    table = pd.DataFrame(seen)
    width = (table["high"] - table["low"]).median() / (2 * 1.96)
    assert width == pytest.approx(table["value"].std(), rel=0.35)


def test_undefined_draws_widen_an_interval() -> None:
    drawn = np.linspace(0, 1, 1001)
    assert _bounds(drawn) == pytest.approx((0.025, 0.975))
    drawn[[100, 500]] = np.nan
    assert _bounds(drawn) == pytest.approx((0.023, 0.977))
    drawn[:40] = np.nan
    assert np.isnan(_bounds(drawn)).all()


def test_a_bank_of_gabors_induces_like_to_like_connections_beyond_random_filters(
    gabors: Bank,
) -> None:
    settings = FieldSettings(surrogates=3, permutations=50, control_banks=3)
    filters = torch.from_numpy(gabors(N, noise=0.1))[:, None].repeat(1, 3, 1, 1)
    filters = torch.cat([filters, torch.zeros(1, 3, 11, 11, dtype=torch.float64)])
    tables = measure_first_layer(filters, settings)
    assert tables["lateral"]["enough"].all()
    assert int(tables["filters"]["retained"].sum()) == N  # the empty one is left out
    found = tables["contrast"].set_index("statistic")
    assert found.loc["like_ratio", "low"] > 0
