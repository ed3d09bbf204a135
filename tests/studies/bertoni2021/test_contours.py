"""The resampling of co-occurrence against sums of whole histograms."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.measures.cooccurrence import centred_correlation, pair_statistics
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
