"""Laplacian of Gaussian at a free centre: a blob off the centre, beside its own null."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.errors import UserError
from isocortex.measures.receptive_fields.log_fit import SIGMA_RANGE
from isocortex.measures.receptive_fields.nulls import noise
from isocortex.measures.receptive_fields.pixels import checked, coordinates, varies

REACH = 1.0
"""How far from the centre of the filter in pixels, either way."""

_STEP, _WIDTHS, _BATCH = 0.25, 61, 2048


@dataclass(frozen=True)
class FreeFit:
    """Best Laplacian of Gaussian of any centre nearby; every array has shape (n,).

    Attributes
    ----------
    r : array
        Largest Pearson correlation with a LoG of either sign; NaN for filters without variance.
    x, y : array
        Its centre from that of the filter in pixels, y up.
    sigma : array
        Its width in pixels.
    """

    r: Array
    x: Array
    y: Array
    sigma: Array


def fit_log_anywhere(
    filters: Array, *, reach: float = REACH, sigma_range: tuple[float, float] = SIGMA_RANGE
) -> FreeFit:
    """Fit a Laplacian of Gaussian whose centre may lie up to `reach` off the filter's.

    The LoG is that of `log_fit.laplacian_of_gaussian`. Centres are tried a quarter of a pixel
    apart, each with 61 widths equally spaced in their logarithm. A centre that is free makes any
    noise look more like a LoG: compare r with `free_centre_level`, never with the level of a fixed
    centre.

    Parameters
    ----------
    filters : array, shape (n, s, s)
    reach : float
        Pixels, in x and in y; 0 for a fixed centre.
    sigma_range : tuple of float
        Smallest and largest width in pixels.

    Returns
    -------
    FreeFit

    Raises
    ------
    UserError
        If the filters are not square or not finite, the range is empty, or the reach is below 0.
    """
    tensor = checked(filters)
    low, high = sigma_range
    if not 0 < low < high or not reach >= 0:
        raise UserError(f"sigma_range {sigma_range} needs 0 < low < high, reach {reach} >= 0")
    places, templates = _templates(tensor.shape[-1], reach, sigma_range)
    flat = tensor.flatten(1)
    unit = torch.nn.functional.normalize(flat - flat.mean(dim=1, keepdim=True), dim=1)
    best, where = [], []
    for part in unit.split(_BATCH):
        found = (part @ templates.to(part).T).abs().max(dim=1)
        best.append(found.values)
        where.append(found.indices)
    good = varies(tensor, filters)
    chosen = places.to(tensor)[torch.cat(where)] if len(flat) else places[:0].to(tensor)
    r = torch.cat(best) if len(flat) else flat.new_empty(0)

    def out(values: Tensor) -> Array:
        return like(torch.where(good, values, torch.nan), filters)

    return FreeFit(out(r), out(chosen[:, 0]), out(chosen[:, 1]), out(chosen[:, 2]))


@lru_cache(maxsize=8)
def _templates(side: int, reach: float, sigma_range: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return x, y, sigma (k, 3) of all templates, and these, (k, s^2), of mean 0 and norm 1."""
    count = int(reach / _STEP + 1e-9)
    steps = torch.arange(-count, count + 1, dtype=torch.float64) * _STEP
    low, high = sigma_range
    widths = low * (high / low) ** torch.linspace(0, 1, _WIDTHS, dtype=torch.float64)
    places = torch.cartesian_prod(steps, steps, widths)
    px, py = coordinates(side)
    square = (px - places[:, :1]).square() + (py - places[:, 1:2]).square()
    s2 = places[:, 2:].square()
    templates = (square - 2 * s2) * torch.exp(-square / (2 * s2))
    templates = templates - templates.mean(dim=1, keepdim=True)
    return places, torch.nn.functional.normalize(templates, dim=1)


@lru_cache(maxsize=8)
def free_centre_level(
    side: int, *, draws: int = 5000, seed: int = 0, blur: float = 1.0, level: float = 0.95
) -> float:
    """Return the level that r of `fit_log_anywhere` stays below for a share of smooth noise.

    Parameters
    ----------
    side : int
        Pixels.
    draws, seed, blur
        As `nulls.log_null`: the same filters of noise.
    level : float
        Share of the noise below the level.

    Raises
    ------
    UserError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise UserError(f"level {level} is not between 0 and 1; use 0.95 for 95 %")
    drawn = fit_log_anywhere(noise(draws, side, blur=blur, seed=seed))
    return float(np.quantile(drawn.r, level))
