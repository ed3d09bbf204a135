"""Both flanks of a line: two edges that face each other, where there is one contour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import KDTree

from isocortex.errors import UserError
from isocortex.measures.cooccurrence.edges import EdgeList

WIDTH = 8.0
"""Widest line in pixels whose flanks count as those of one line."""

ALONG, TOLERANCE = 1.0, 22.5


def facing(edges: EdgeList, width: float = WIDTH) -> np.ndarray:
    """Find pairs of edges that are the two flanks of one line.

    Edge j faces edge i if its direction differs by 180 degrees to within 22.5, and it lies, in the
    frame of the mean orientation of both, at most 1 px along and at most `width` across.

    Parameters
    ----------
    edges : EdgeList
    width : float
        In pixels, above 0.

    Returns
    -------
    numpy.ndarray of int, shape (pairs, 2)
        Each pair once.

    Raises
    ------
    UserError
        If the width is not above 0.
    """
    if not width > 0:
        raise UserError(f"a line of {width} px has no flanks; give a width above 0")
    if len(edges) < 2:
        return np.empty((0, 2), dtype=np.intp)
    points = np.stack([edges.x, edges.y], axis=1)
    pairs = KDTree(points).query_pairs(float(np.hypot(width, ALONG)), output_type="ndarray")
    first, second = pairs.T
    turn = (edges.direction_deg[second] - edges.direction_deg[first]) % 360
    opposite = np.abs(turn - 180) <= TOLERANCE
    # Both contours as one direction: that of the first, and that of the second turned by 180.
    middle = np.deg2rad(edges.direction_deg[first] + (turn - 180) / 2)
    dx, dy = (points[second] - points[first]).T
    along = np.abs(dx * np.cos(middle) + dy * np.sin(middle))
    across = np.abs(dy * np.cos(middle) - dx * np.sin(middle))
    found: np.ndarray = pairs[opposite & (along <= ALONG) & (across <= width)]
    return found


def one_flank(edges: EdgeList, width: float = WIDTH) -> EdgeList:
    """Keep of the two flanks of each line the stronger edge.

    An edge is left out if one that faces it (`facing`) is stronger; of two that are equally strong
    the later one is.

    Parameters
    ----------
    edges, width
        As in `facing`.

    Returns
    -------
    EdgeList
        In the same order.
    """
    first, second = facing(edges, width).T
    weaker = np.where(edges.strength[second] > edges.strength[first], first, second)
    keep = np.ones(len(edges), dtype=bool)
    keep[weaker] = False
    return replace(
        edges,
        x=edges.x[keep],
        y=edges.y[keep],
        direction_deg=edges.direction_deg[keep],
        strength=edges.strength[keep],
    )
