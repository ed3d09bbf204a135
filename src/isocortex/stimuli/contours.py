"""Contours of known curvature, drawn from the direction process, as luminance steps in an image.

x = column, y = -row (upwards), angles in radians counter-clockwise.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from isocortex.errors import UserError

_PER_PIXEL = 2
"""Points of a rendered contour a pixel."""

_REACH = 14.0


def direction_paths(
    n: int, steps: int, sigma: float, rng: np.random.Generator, step: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw paths ``dx = cos theta dt, dy = sin theta dt, dtheta = sigma dW`` from 0.

    Parameters
    ----------
    n, steps : int
        Paths, and steps of each.
    sigma : float
        In rad / sqrt(px).
    rng : numpy.random.Generator
    step : float
        Length of a step in pixels; x and y are advanced by the direction in its middle.

    Returns
    -------
    x, y, theta : numpy.ndarray, shape (n, steps + 1)
    """
    turns = sigma * np.sqrt(step) * rng.standard_normal((n, steps))
    theta = np.concatenate([np.zeros((n, 1)), turns.cumsum(axis=1)], axis=1)
    middle = theta[:, :-1] + turns / 2
    x, y = np.zeros((n, steps + 1)), np.zeros((n, steps + 1))
    x[:, 1:] = step * np.cos(middle).cumsum(axis=1)
    y[:, 1:] = step * np.sin(middle).cumsum(axis=1)
    return x, y, theta


def contour_image(
    sigma: float,
    seed: int,
    *,
    side: int = 140,
    contours: int = 5,
    length: int = 120,
    noise: float = 0.02,
) -> np.ndarray:
    """Render contours of the direction process as steps of luminance that fade away from them.

    Each contour begins somewhere in the image in any direction; beside it the image is
    ``tanh(v) exp(-d^2 / 2 4^2)``, v the distance to its left and d the distance, in pixels.
    Contours add up, with white noise.

    Parameters
    ----------
    sigma : float
        Of the process, in rad / sqrt(px).
    seed : int
        The same seed gives the same image; another sigma bends the same contours more.
    side : int
        Height and width in pixels.
    contours, length : int
        How many, and how long in pixels.
    noise : float
        Standard deviation of the noise.

    Returns
    -------
    numpy.ndarray, shape (side, side)

    Raises
    ------
    UserError
        If sigma is below 0, or a number below 1.
    """
    if sigma < 0 or min(side, contours, length) < 1:
        raise UserError(
            f"contours need sigma >= 0 and numbers of at least 1, not sigma {sigma}, side {side}, "
            f"{contours} contours of {length} px"
        )
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    pixels = np.stack([columns.ravel(), -rows.ravel()], axis=1).astype(float)
    image = noise * rng.standard_normal(side * side)
    x, y, theta = direction_paths(contours, _PER_PIXEL * length, sigma, rng, 1 / _PER_PIXEL)
    for k in range(contours):
        turn, (cx, cy) = rng.uniform(0, 2 * np.pi), rng.uniform(0, side, 2)
        px = x[k] * np.cos(turn) - y[k] * np.sin(turn) + cx
        py = x[k] * np.sin(turn) + y[k] * np.cos(turn) - cy
        tree = KDTree(np.stack([px, py], axis=1))
        distance, nearest = tree.query(pixels, distance_upper_bound=_REACH)
        near = np.isfinite(distance)
        at = nearest[near]
        dx, dy = pixels[near, 0] - px[at], pixels[near, 1] - py[at]
        heading = theta[k, at] + turn
        left = dy * np.cos(heading) - dx * np.sin(heading)
        image[near] += np.tanh(left) * np.exp(-0.5 * (distance[near] / 4) ** 2)
    return image.reshape(side, side)
