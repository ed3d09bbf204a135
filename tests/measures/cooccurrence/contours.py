"""Contours drawn from the direction process, as edges and as images, and its kernel."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from isocortex.measures.cooccurrence import EdgeList, fold_polarity, symmetrise


def walk(n: int, steps: int, sigma: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return x, y, angle in radians of n paths from 0, each (n, steps + 1), one pixel a step."""
    turns = sigma * rng.standard_normal((n, steps))
    angle = np.concatenate([np.zeros((n, 1)), turns.cumsum(axis=1)], axis=1)
    middle = angle[:, :-1] + turns / 2
    x, y = np.zeros((n, steps + 1)), np.zeros((n, steps + 1))
    x[:, 1:], y[:, 1:] = np.cos(middle).cumsum(axis=1), np.sin(middle).cumsum(axis=1)
    return x, y, angle


def contour_edges(n: int, sigma: float, seed: int, steps: int = 80) -> EdgeList:
    """Edges along n contours so far apart that none has neighbours of another."""
    rng = np.random.default_rng(seed)
    x, y, angle = walk(n, steps, sigma, rng)
    turn = rng.uniform(0, 2 * np.pi, (n, 1))
    bright = 180 * rng.integers(0, 2, (n, 1))
    ux, uy = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    ux = ux + 250 * np.arange(n)[:, None]
    direction = (np.rad2deg(angle + turn) + bright) % 360
    return EdgeList(ux.ravel(), uy.ravel(), direction.ravel(), np.ones(ux.size))


def direction_kernel(sigma: float, seed: int, *, radius: int = 20, n_alpha: int = 36) -> np.ndarray:
    """Monte-Carlo kernel of endless contours without polarity, (n_alpha, side, side)."""
    x, y, angle = (v[:, 1:] for v in walk(30_000, 30, sigma, np.random.default_rng(seed)))
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


def rendered(sigma: float, seed: int, side: int = 140, n: int = 5) -> np.ndarray:
    """Luminance steps along contours, which fade to grey away from them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    pixels = np.stack([columns.ravel(), -rows.ravel()], axis=1)
    image = 0.02 * rng.standard_normal(side * side)
    x, y, angle = walk(n, 240, sigma / 2, rng)  # two steps a pixel: sigma per root pixel
    for k in range(n):
        turn, (cx, cy) = rng.uniform(0, 2 * np.pi), rng.uniform(0, side, 2)
        px = (x[k] * np.cos(turn) - y[k] * np.sin(turn)) / 2 + cx
        py = (x[k] * np.sin(turn) + y[k] * np.cos(turn)) / 2 - cy
        distance, nearest = KDTree(np.stack([px, py], axis=1)).query(pixels)
        dx, dy = pixels[:, 0] - px[nearest], pixels[:, 1] - py[nearest]
        across = dy * np.cos(angle[k] + turn)[nearest] - dx * np.sin(angle[k] + turn)[nearest]
        image += np.tanh(across) * np.exp(-0.5 * (distance / 4) ** 2)
    return image.reshape(side, side)
