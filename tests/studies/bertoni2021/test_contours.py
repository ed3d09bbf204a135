"""The resampling of co-occurrence against sums of whole histograms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocortex.measures.cooccurrence import centred_correlation, pair_statistics
from isocortex.studies.bertoni2021.calibration import RENDERED, calibrated
from isocortex.studies.bertoni2021.contour_models import (
    SIGMAS,
    TURNS,
    Family,
    contour_candidates,
)
from isocortex.studies.bertoni2021.contours import Agreement, ratio_sums


@pytest.fixture
def histograms() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.poisson(3, (5, 12, 21, 21)).astype(np.float32)


def test_sums_of_ratios_are_those_of_the_whole_histogram(histograms: np.ndarray) -> None:
    found = pair_statistics(histograms.sum(axis=0).astype(np.float64), 4, 8)
    for name, sums in ratio_sums(histograms, 4, 8).items():
        over, under = sums.sum(axis=0)
        assert over / under == pytest.approx(float(getattr(found, name)), rel=1e-6)


def test_agreement_is_the_correlation_of_weighted_sums(histograms: np.ndarray) -> None:
    kernel = np.random.default_rng(1).random((12, 21, 21))
    weights = np.array([[1, 1, 1, 1, 1], [0, 2, 0, 3, 0]], dtype=float)
    got = Agreement.of(histograms, 3, 9).with_kernel(kernel)(weights)
    for w, r in zip(weights, got, strict=True):
        whole = np.tensordot(w, histograms.astype(np.float64), axes=1)
        assert r == pytest.approx(float(centred_correlation(whole, kernel, 3, 9)), rel=1e-9)


def test_choices_at_the_end_of_their_range_are_told() -> None:
    table = pd.DataFrame({"s1": [8, 8, 8, 11, 11, 11, 16], "s2": [1, 2, 3, 1, 2, 3, 2]})
    family = Family(table, np.zeros((7, 1, 1, 1)))
    assert [family.at_end(k) for k in range(7)] == [True, True, True, True, False, True, True]


def test_neither_process_has_more_candidates() -> None:
    for count in (1, 10):
        tried = {k: pd.DataFrame(v) for k, v in contour_candidates(count).items()}
        for family, (low, high) in (("direction", SIGMAS), ("diffusion", TURNS)):
            assert len(tried[family].drop_duplicates()) == 4 * count
            turning = tried[family]["sigma" if family == "direction" else "s2"]
            assert turning.between(low, high, inclusive="neither").all()


def test_the_turning_is_read_between_candidates_of_one_range() -> None:
    sigma = np.tile([0.1, 0.2, 0.4], 2)
    family = Family(pd.DataFrame({"sigma": sigma, "decay": [1.0] * 3 + [2.0] * 3}), np.zeros(6))
    truth = np.log(0.25)
    r = 1 - (np.log(sigma) - truth) ** 2 - np.array([0, 0, 0, 0.1, 0.1, 0.1])
    number, turning = family.best(r)
    assert number == 1
    assert turning == pytest.approx(0.25)
    for best in (0, 2, 3, 5):
        assert family.best(np.eye(6)[best]) == (best, sigma[best])
    assert np.isnan(family.best(np.full(6, np.nan))[1])


def test_sigma_is_read_with_the_curve_of_known_contours() -> None:
    known = np.array([0.05, 0.1, 0.2])
    curve = pd.DataFrame(
        {
            "kind": RENDERED, "sigma": np.repeat(known, 2), "r_min": 4.0, "r_max": 8.0,
            "found": np.repeat(known**0.5, 2) * np.tile([0.9, 1.1], 3),
        }
    )  # fmt: skip
    fits = pd.DataFrame(
        {
            "source": "bsds500", "condition": "photographs", "family": ["direction"] * 3,
            "r_min": 4.0, "r_max": 8.0, "turning": [0.08**0.5, 0.3, 0.9],
        }
    )  # fmt: skip
    found = calibrated(fits, curve)["sigma"]
    assert found[0] == pytest.approx(0.08, rel=1e-6)
    assert found[1] == pytest.approx(0.09, rel=1e-6)
    assert np.isnan(found[2])
    flat = curve.assign(found=0.3)
    assert calibrated(fits, flat)["sigma"].isna().all()
