"""Histogram of pairs of edges in the frame of one of them."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.cooccurrence.edges import EdgeList

RADIUS = 20
N_ALPHA = 72


def relative_directions(n: int, period: float) -> np.ndarray:
    """Return the centres of n bins of relative direction in degrees: 0, period / n, ..."""
    return np.arange(n) * period / n


def pair_histogram(edges: EdgeList, *, radius: int = RADIUS, n_alpha: int = N_ALPHA) -> np.ndarray:
    """Count where and at which relative direction an edge is found, seen from another.

    For every ordered pair (i, j) of different edges at most `radius` apart: the displacement of j
    from i, turned by minus the direction of i, to the nearest pixel, and the direction of j minus
    that of i, to the nearest bin.

    Parameters
    ----------
    edges : EdgeList
    radius : int
        In pixels.
    n_alpha : int
        Bins of relative direction over 360 degrees, an even number.

    Returns
    -------
    numpy.ndarray of float32, shape (n_alpha, side, side)
        side = 2 radius + 1, the first row on top. An exact count up to 2^24 a bin.

    Raises
    ------
    UserError
        If the radius is below 1 or `n_alpha` is odd or below 4.
    """
    if radius < 1 or n_alpha < 4 or n_alpha % 2:
        raise UserError(
            f"radius {radius} must be at least 1 px, n_alpha {n_alpha} even and at least 4"
        )
    side = 2 * radius + 1
    count = np.zeros(n_alpha * side * side, dtype=np.int64)
    if len(edges) > 1:
        points = np.stack([edges.x, edges.y], axis=1)
        i, j = KDTree(points).query_pairs(radius, output_type="ndarray").T
        turn = np.deg2rad(edges.direction_deg)
        cos, sin = np.cos(turn), np.sin(turn)
        dx, dy = edges.x[j] - edges.x[i], edges.y[j] - edges.y[i]
        steps = (edges.direction_deg[j] - edges.direction_deg[i]) * (n_alpha / 360)
        for centre, sign in ((i, 1.0), (j, -1.0)):
            c, s = sign * cos[centre], sign * sin[centre]
            column = np.rint(dx * c + dy * s).astype(np.intp) + radius
            row = radius - np.rint(dy * c - dx * s).astype(np.intp)
            alpha = np.rint(sign * steps).astype(np.intp) % n_alpha
            flat = (alpha * side + row) * side + column
            count += np.bincount(flat, minlength=count.size)
    return count.reshape(n_alpha, side, side).astype(np.float32)


def symmetrise(histogram: Array) -> Array:
    """Average over the symmetries of contours without polarity and without handedness.

    The point symmetry (x, y, a) -> (-x, -y, a) and the mirror (x, y, a) -> (x, -y, -a).

    Parameters
    ----------
    histogram : array, shape (..., n_alpha, side, side)
        Relative orientations or directions, equally spaced from 0.

    Returns
    -------
    array, same shape
        The total stays.
    """
    h = to_torch(histogram)
    h = (h + h.flip(-1, -2)) / 2
    mirrored = h.flip(-2).roll(-1, dims=-3).flip(-3)
    return like((h + mirrored) / 2, histogram)
