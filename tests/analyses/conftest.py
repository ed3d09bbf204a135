"""What the tests of analyses share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from isocortex.measures.receptive_fields import gabor


@pytest.fixture(scope="session")
def gabors() -> Callable[..., np.ndarray]:
    """Return what draws Gabors of equally spaced orientations, with noise."""
    return draw


def draw(n: int = 12, side: int = 11, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bank = gabor(
        side,
        orientation_deg=np.arange(n) * 180 / n,
        frequency=np.full(n, 0.16),
        phase_deg=rng.uniform(-180, 180, n),
        sigma_u=np.full(n, 1.8),
        sigma_v=np.full(n, 2.2),
        x=np.zeros(n),
        y=np.zeros(n),
        amplitude=np.ones(n),
    )
    sd = bank.std(axis=(1, 2), keepdims=True)
    return bank + noise * sd * rng.standard_normal(bank.shape)
