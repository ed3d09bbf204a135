"""Filters whose parameters are known."""

from __future__ import annotations

import numpy as np

from isocortex.measures.receptive_fields import gabor


def known_gabors(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw parameters of Gabor functions that fit into 11 x 11."""
    rng = np.random.default_rng(seed)
    return {
        "orientation_deg": rng.uniform(0, 180, n),
        "frequency": rng.uniform(0.1, 0.3, n),
        "phase_deg": rng.uniform(-180, 180, n),
        "sigma_u": rng.uniform(1.2, 2.5, n),
        "sigma_v": rng.uniform(1.5, 3.0, n),
        "x": rng.uniform(-1, 1, n),
        "y": rng.uniform(-1, 1, n),
        "amplitude": rng.uniform(0.1, 10, n),
    }


def bank(n: int, side: int = 11, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return parameters and filters."""
    known = known_gabors(n, seed)
    return known, gabor(side, **known)


def noisy(filters: np.ndarray, share: float = 0.3, seed: int = 0) -> np.ndarray:
    """Add noise of `share` times each filter's standard deviation."""
    sd = filters.std(axis=(1, 2), keepdims=True)
    return filters + share * sd * np.random.default_rng(seed).standard_normal(filters.shape)


def apart(a: np.ndarray, b: np.ndarray, period: float = 180.0) -> np.ndarray:
    """Return the absolute difference of angles in degrees."""
    return np.abs((np.asarray(a) - b + period / 2) % period - period / 2)
