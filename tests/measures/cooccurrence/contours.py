"""Edges along contours drawn from the direction process, and its kernel."""

from __future__ import annotations

import numpy as np

from isocortex.measures.cooccurrence import EdgeList, fold_polarity, symmetrise
from isocortex.stimuli.contours import direction_paths


def contour_edges(n: int, sigma: float, seed: int, steps: int = 80) -> EdgeList:
    """Edges along n contours so far apart that none has neighbours of another."""
    rng = np.random.default_rng(seed)
    x, y, angle = direction_paths(n, steps, sigma, rng)
    turn = rng.uniform(0, 2 * np.pi, (n, 1))
    bright = 180 * rng.integers(0, 2, (n, 1))
    ux, uy = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    ux = ux + 250 * np.arange(n)[:, None]
    direction = (np.rad2deg(angle + turn) + bright) % 360
    return EdgeList(ux.ravel(), uy.ravel(), direction.ravel(), np.ones(ux.size))


def direction_kernel(sigma: float, seed: int, *, radius: int = 20, n_alpha: int = 36) -> np.ndarray:
    """Monte-Carlo kernel of endless contours without polarity, (n_alpha, side, side)."""
    paths = direction_paths(30_000, 30, sigma, np.random.default_rng(seed))
    x, y, angle = (v[:, 1:] for v in paths)
    near = np.hypot(x, y) <= radius
    x, y, angle = x[near], y[near], angle[near]
    side = 2 * radius + 1
    edges = (
        np.arange(2 * n_alpha + 1) * (180 / n_alpha) - 90 / n_alpha,
        np.arange(side + 1) - side / 2,
        np.arange(side + 1) - side / 2,
    )
    alpha = (np.rad2deg(angle) + 90 / n_alpha) % 360 - 90 / n_alpha
    kernel, _ = np.histogramdd(np.stack([alpha, -y, x], axis=1), bins=edges)
    return symmetrise(fold_polarity(kernel))
