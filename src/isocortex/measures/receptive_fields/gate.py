"""The gate that a filter passes to count as a Laplacian of Gaussian."""

from __future__ import annotations

import torch

from isocortex.arrays import Array, like, to_torch
from isocortex.measures.receptive_fields.log_fit import LoGFit
from isocortex.measures.receptive_fields.nulls import null_levels

RING = -0.05
"""The surround must be at least this deep, in units of the centre."""


def log_gate(fit: LoGFit, *, r: float | None = None, q: float | None = None) -> Array:
    """Ask of a filter at once all that makes it a Laplacian of Gaussian; shown where above 0.

    ``G1 = min(r - r95, Q - Q95, gain, -0.05 - ring)``: the filter correlates with a LoG and is
    radial beyond smooth noise, a LoG describes it better than a Gaussian, and it has a surround.

    Parameters
    ----------
    fit : LoGFit
        From `fit_log`.
    r, q : float, optional
        The levels r95 and Q95; if not given, 95 % levels of smooth noise (`null_levels`, blur
        of 1 px, 5,000 draws) of the size and range of the fit.

    Returns
    -------
    array, shape (n,)
        NaN for filters without variance, or with 0 in their centre.
    """
    if r is None or q is None:
        levels = null_levels(fit.size, sigma_range=fit.sigma_range)
        r, q = levels.r if r is None else r, levels.q if q is None else q
    terms = (fit.r - r, fit.q - q, fit.gain, RING - fit.ring)
    return like(torch.stack([to_torch(term) for term in terms]).amin(dim=0), fit.r)
