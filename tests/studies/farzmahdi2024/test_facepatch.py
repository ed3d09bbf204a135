"""The face-patch protocol on made populations, and its check values on the recorded one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.brains import FaceViews, read_face_views
from isocortex.brains.face_views import FILE, YAW_VIEWS
from isocortex.data import require
from isocortex.measures.viewpoint import mirror_symmetry_index, view_rdm
from isocortex.studies.farzmahdi2024 import facepatch
from isocortex.studies.farzmahdi2024.facepatch_tables import analyse, five_views


def rates_of(population: FaceViews) -> np.ndarray:
    return five_views(population)


def slow_indices(rates: np.ndarray) -> np.ndarray:
    """Person by person, pair by pair."""
    z = np.array([(r - r.mean()) / r.std() for r in rates if r.std() > 0])
    result = []
    for person in range(rates.shape[1]):
        d = 1 - np.corrcoef(z[:, person].T)
        pairs = [(d[j, k], d[j, 4 - k]) for j in range(5) for k in range(5) if k != 2]
        assert len(pairs) == 20
        result.append(np.corrcoef(np.array(pairs).T)[0, 1])
    return np.array(result)


def test_indices_by_loops(mirror_population: FaceViews) -> None:
    rates = rates_of(mirror_population).copy()
    rates[3] = 7.0
    assert facepatch.normalised(rates).shape == (6, 5, 39)
    np.testing.assert_allclose(facepatch.person_indices(rates), slow_indices(rates), atol=1e-12)
    assert facepatch.raw_index(rates) == pytest.approx(np.median(slow_indices(rates)))


def test_interval_resamples_neurons(mirror_population: FaceViews) -> None:
    """The matrix product over draws is the plain recomputation from the drawn neurons."""
    rates = rates_of(mirror_population)
    interval = facepatch.index_interval(rates, "percentile", n_resamples=200, seed=5)
    z = facepatch.normalised(rates)
    rng = np.random.default_rng(5)
    index = rng.integers(0, 40, (200, 40))
    drawn = [np.median(mirror_symmetry_index(view_rdm(z[:, :, i]))) for i in index]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert interval.estimate == pytest.approx(facepatch.raw_index(rates), abs=1e-9)
    assert interval.low == pytest.approx(low, abs=0.05)
    assert interval.high == pytest.approx(high, abs=0.05)
    bca = facepatch.index_interval(rates, n_resamples=200)
    assert bca.method == "bca"
    assert bca.n == 40


def test_known_populations_are_told_apart(
    mirror_population: FaceViews, free_population: FaceViews
) -> None:
    mirror, free = rates_of(mirror_population), rates_of(free_population)
    assert facepatch.raw_index(mirror) > 0.3
    assert facepatch.raw_index(free) < 0.1
    assert facepatch.index_null(mirror, 200).p.estimate < 0.02
    assert facepatch.index_null(free, 200).p.estimate > 0.02


def test_null_has_its_p_and_its_exact_companion(mirror_population: FaceViews) -> None:
    null = facepatch.index_null(rates_of(mirror_population), 99)
    assert null.draws.shape == (99,)
    observed = facepatch.raw_index(rates_of(mirror_population))
    assert null.p.estimate == pytest.approx((1 + (null.draws >= observed).sum()) / 100)
    assert null.p.low <= null.p.estimate <= null.p.high
    assert round(null.common_p * 15) == pytest.approx(null.common_p * 15)
    assert null.common_p >= 1 / 15


def test_trial_halves_by_loops(mirror_population: FaceViews) -> None:
    halves = mirror_population.half_rates(views=YAW_VIEWS, n_splits=3)
    halves[0, 1, 7] = 2.0
    halves[1, 1, 9] = 3.0
    result = facepatch.trial_halves(halves)
    upper = np.triu_indices(5, 1)
    for split in range(3):
        kept = [n for n in range(40) if halves[:, split, n].std(axis=(1, 2)).min() > 0]
        assert len(kept) == 40 - 2 * (split == 1)
        a, b = (
            np.array([(half[n] - half[n].mean()) / half[n].std() for n in kept])
            for half in halves[:, split]
        )
        crossed = []
        for person in range(6):
            d = [1 - np.corrcoef(z[:, person].T)[upper] for z in (a, b)]
            r = np.corrcoef(*d)[0, 1]
            assert result.reliability.splits[split, person] == pytest.approx(r, abs=1e-9)
            c = np.corrcoef(a[:, person].T, b[:, person].T)[:5, 5:]
            crossed.append(mirror_symmetry_index(1 - (c + c.T) / 2))
        assert result.crossvalidated[split] == pytest.approx(np.median(crossed), abs=1e-9)
    mean = result.reliability.splits.mean(axis=0)
    np.testing.assert_allclose(result.reliability.values, 2 * mean / (1 + mean))


def test_more_trials_are_more_reliable(make_population: Callable[..., FaceViews]) -> None:
    values = []
    for trials in (2, 12):
        halves = make_population(trials=trials).half_rates(views=YAW_VIEWS, n_splits=10)
        values.append(np.median(facepatch.trial_halves(halves).reliability.values))
    assert values[0] < values[1]


def test_view_correlations_depend_on_the_views_beside_them(mirror_population: FaceViews) -> None:
    every = mirror_population.rates().values
    wide = facepatch.view_correlations(every)
    five = facepatch.view_correlations(every[:, :, YAW_VIEWS])
    mean = every[:, :, YAW_VIEWS].mean(axis=1)
    z = (mean - mean.mean(axis=1, keepdims=True)) / mean.std(axis=1, keepdims=True)
    np.testing.assert_allclose(five, np.corrcoef(z.T), atol=1e-12)
    assert wide.shape == (8, 8)
    assert abs(wide[2, 4] - five[0, 4]) > 0.02
    every[0, 1, 2] = np.nan
    assert not np.isnan(facepatch.view_correlations(every)).any()


def test_unit_counts_by_loops() -> None:
    rng = np.random.default_rng(0)
    rates = rng.normal(size=(400, 10, 5))
    rates[:100] += 3 * rng.normal(size=(100, 1, 5))
    rates[0] = 1.0
    counts = facepatch.unit_counts(rates)
    strict = loose = 0
    for tuning in rates[1:].mean(axis=1):
        best, second = np.argsort(tuning)[::-1][:2]
        strict += best + second == 4 and tuning.argmin() == 2
        padded = np.concatenate([[-np.inf], tuning, [-np.inf]])
        peaks = sum(padded[i] > max(padded[i - 1], padded[i + 1]) for i in range(1, 6))
        loose += peaks >= 2 and best != 2
    everyone = facepatch.unit_counts(rates, alpha=2.0)
    assert everyone.n_strict == everyone.n_strict_any == counts.n_strict_any == strict
    assert everyone.n_loose == loose
    assert counts.n == 400
    assert 90 <= counts.n_views_matter <= 130
    assert counts.n_strict < counts.n_strict_any


def test_strict_tuning_by_chance_is_one_in_fifteen() -> None:
    rates = np.random.default_rng(1).normal(size=(6000, 2, 5))
    counts = facepatch.unit_counts(rates)
    assert counts.chance == pytest.approx(1 / 15)
    assert counts.n_strict_any / 6000 == pytest.approx(1 / 15, abs=0.01)


def test_ratios_need_a_positive_reliability() -> None:
    values = facepatch.ratios(np.array([0.2, 0.2, 0.2]), np.array([0.5, 0.0, -0.3]))
    assert values[0] == 0.4
    assert np.isnan(values[1:]).all()


def test_tables_name_their_conditions(mirror_population: FaceViews) -> None:
    tables = analyse(mirror_population, n_splits=5, n_draws=50, n_resamples=60)
    index = tables["face_patch"].set_index("measure")
    assert index.loc["raw", "value"] == pytest.approx(
        facepatch.raw_index(rates_of(mirror_population))
    )
    assert index.loc["baseline", "value"] == -0.25
    assert index.loc["raw", "n"] == 40
    assert index.loc["sensitivity_raw", "min_trials"] == 4
    assert index.loc["control_raw", "window_ms"] == "0-75"
    assert (index["conditions"] == "6 persons x 5 views: lp, l34, front, r34, rp").all()
    assert index["summary"].notna().all()
    assert index["value"].notna().all()
    assert tables["face_patch_rdm"].shape[0] == 25
    assert tables["face_patch_null"].shape[0] == 50
    assert tables["face_patch_persons"].shape[0] == 6
    assert tables["face_patch_windows"]["stop_ms"].max() == 400
    assert tables["face_patch_correlations"]["conditions"].nunique() == 2
    assert tables["face_patch_blocks"].groupby("block").size().to_dict() == {
        "same": 10,
        "different": 15,
    }
    again = analyse(mirror_population, n_splits=5, n_draws=50, n_resamples=60)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])


@pytest.fixture(scope="module")
def recorded(data_folder: Path) -> FaceViews:
    return read_face_views(require(data_folder, FILE))


@pytest.fixture(scope="module")
def recorded_tables(recorded: FaceViews) -> dict[str, pd.DataFrame]:
    return analyse(recorded)


@pytest.mark.data
@pytest.mark.parametrize(
    ("measure", "value", "tolerance"),
    [
        ("raw", 0.155, 0.0005),
        ("neuron_reliability_pooled", 0.70, 0.01),
        ("neuron_reliability", 0.72, 0.015),
        ("trial_reliability", 0.77, 0.015),
        ("raw_over_neuron_reliability", 0.20, 0.006),
        ("crossvalidated", 0.42, 0.01),
        ("null_p", 0.002, 0.0021),
        ("control_raw", -0.28, 0.005),
        ("control_neuron_reliability", 0.09, 0.03),
    ],
)
def test_check_values(
    recorded_tables: dict[str, pd.DataFrame], measure: str, value: float, tolerance: float
) -> None:
    found = recorded_tables["face_patch"].set_index("measure").loc[measure, "value"]
    assert found == pytest.approx(value, abs=tolerance)


@pytest.mark.data
def test_check_intervals(recorded_tables: dict[str, pd.DataFrame]) -> None:
    index = recorded_tables["face_patch"].set_index("measure")
    for measure, low, high in (("raw", 0.09, 0.32), ("raw_percentile", -0.01, 0.23)):
        assert index.loc[measure, "low"] == pytest.approx(low, abs=0.015)
        assert index.loc[measure, "high"] == pytest.approx(high, abs=0.015)
        assert index.loc[measure, "n"] == 129
    null = recorded_tables["face_patch_null"]["median_index"]
    low, high = np.quantile(null, [0.025, 0.975])
    assert low == pytest.approx(-0.42, abs=0.015)
    assert high == pytest.approx(-0.10, abs=0.02)
    assert index.loc["null_p_common", "value"] >= 1 / 15
    assert index.loc["sensitivity_raw", "n"] == 59
    by_start = recorded_tables["face_patch_windows"].set_index("start_ms")["median_index"]
    assert by_start[by_start.index >= 100].abs().max() < 0.12


@pytest.mark.data
def test_check_single_units(recorded_tables: dict[str, pd.DataFrame]) -> None:
    row = recorded_tables["face_patch_units"].iloc[0]
    assert (row["n_views_matter"], row["n_strict"], row["n_strict_any"]) == (63, 6, 9)


@pytest.mark.data
def test_check_correlations_with_their_conditions(
    recorded_tables: dict[str, pd.DataFrame],
) -> None:
    """Eight orientations: complete neurons. Five yaws: all 134, over the persons shown to each."""
    table = recorded_tables["face_patch_correlations"]
    expected = {131: (0.52, 0.24, -0.51, -0.58), 134: (0.16, -0.14, -0.48, -0.58)}
    for neurons, values in expected.items():
        found = table.loc[table["n_neurons"] == neurons, "r"]
        np.testing.assert_allclose(found, values, atol=0.0055)
    assert table.loc[table["n_neurons"] == 131, "conditions"].str.contains("8 views").all()
    assert table.loc[table["n_neurons"] == 134, "conditions"].str.contains("5 views").all()
