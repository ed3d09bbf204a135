"""How far the shapes of a population of Gabor filters form one family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError


@dataclass(frozen=True)
class ShapeFamily:
    """How close shapes (n_x, n_y) lie to one curve.

    Attributes
    ----------
    share : float
        Share of the variance of ``(log n_x, log n_y)`` along its first principal axis: 0.5 for a
        round cloud, 1 for a one-parameter family.
    slope : float
        Of that axis: n_y grows as n_x to the power `slope`.
    elongation : float
        Geometric mean of n_y / n_x (= sigma_v / sigma_u).
    distance : numpy.ndarray, shape (n,)
        Each shape's distance from the axis in natural logarithms; NaN where a shape is undefined.
    n : int
        Shapes with n_x, n_y > 0 that were used.
    """

    share: float
    slope: float
    elongation: float
    distance: np.ndarray
    n: int


def shape_family(n_x: Array, n_y: Array) -> ShapeFamily:
    """Measure how far the shapes of a population form a one-parameter family.

    In macaque V1, n_x = sigma_u f and n_y = sigma_v f of simple cells lie close to one curve
    (Ringach, J. Neurophysiol. 88:455, 2002), from blobs near the origin to elongated fields with
    several subregions. Here the curve is a power law, n_y = a n_x^slope, found by principal
    components of the logarithms, as both have errors. Compare with the same figures for surrogate
    filters: n_x and n_y share the factor f, which makes them correlate by itself.

    Parameters
    ----------
    n_x, n_y : array, shape (n,)
        Cycles within one standard deviation of the envelope, across and along the contour.

    Returns
    -------
    ShapeFamily
        All NaN for fewer than three shapes.

    Raises
    ------
    UserError
        If the arrays are not of one length.
    """
    both = [to_torch(v).double().cpu().numpy() for v in (n_x, n_y)]
    if both[0].ndim != 1 or both[0].shape != both[1].shape:
        raise UserError(f"n_x and n_y must be (n,) both, not {both[0].shape} and {both[1].shape}")
    shapes = np.stack(both, axis=1)
    used = np.isfinite(shapes).all(axis=1) & (shapes > 0).all(axis=1)
    distance = np.full(len(shapes), np.nan)
    if used.sum() < 3:
        return ShapeFamily(np.nan, np.nan, np.nan, distance, int(used.sum()))
    logs = np.log(shapes[used])
    centred = logs - logs.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    share = float(values[1] / values.sum()) if values.sum() > 0 else np.nan
    axis = vectors[:, 1]
    slope = float(axis[1] / axis[0]) if axis[0] != 0 else np.inf
    distance[used] = np.abs(centred @ vectors[:, 0])
    elongation = float(np.exp((logs[:, 1] - logs[:, 0]).mean()))
    return ShapeFamily(share, slope, elongation, distance, int(used.sum()))
