"""One lateral kernel beside its references: every statistic, its nulls, and what figures need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from isocortex.measures.lateral import (
    LateralStatistics,
    crop,
    filter_overlap,
    group_kernel,
    lateral_statistics,
    orientation_field,
    overlap_radius,
    pair_strength,
    pairs_by_parity,
    permutation_null,
    positions,
    rectify,
    residual,
    retain,
    strength_curve,
)
from isocortex.statistics import permutation_p

Tables = dict[str, pd.DataFrame]

STATISTICS = ("like_ratio", "axial_ratio", "cocircular", "radial", "parallel", "slope")
RATIOS = ("like_ratio", "axial_ratio")
"""Statistics that are looked at on a logarithmic scale."""

SECTOR = 30.0
LEARNED, OVERLAP, RESIDUAL = "learned", "overlap", "residual"


@dataclass(frozen=True)
class Units:
    """The units that are looked at, of all filters of a layer.

    Attributes
    ----------
    units : numpy.ndarray
        (n,) their numbers.
    theta : numpy.ndarray
        (F,) contour orientation of every filter in degrees; NaN is allowed for those left out.
    phase : numpy.ndarray, optional
        (F,) phase of every Gabor in degrees; with it, pairs are also looked at by parity.
    """

    units: np.ndarray
    theta: np.ndarray
    phase: np.ndarray | None = None


def overlap_of(filters: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Return the overlap of filters as a kernel of a given side, and the radius of the overlap.

    Parameters
    ----------
    filters : numpy.ndarray
        (F, s, s) or (F, C, s, s).
    side : int
        Odd; beyond the support of the overlap, 2 s - 1, the kernel is 0.

    Returns
    -------
    kernel : numpy.ndarray
        (F, F, side, side).
    radius : float
        See `measures.lateral.overlap_radius`.
    """
    whole = filter_overlap(filters.astype(np.float64))
    margin = max(0, (side - whole.shape[-1]) // 2)
    padded = np.pad(whole, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    return crop(padded, side), overlap_radius(whole)


def response_correlation(maps: torch.Tensor, side: int) -> np.ndarray:
    """Return the correlation of responses at all displacements: what shared input gives by itself.

    ``C[f, g, D]`` is the mean over images and positions p of z_f(p) z_g(p + D), z the responses
    with each unit's mean removed and scaled to unit variance.

    Parameters
    ----------
    maps : Tensor
        (n, F, h, w), responses to images without structure.
    side : int
        Odd, at most h and w.

    Returns
    -------
    numpy.ndarray
        (F, F, side, side), D as in `measures.lateral.kernels`. A unit without variance gives 0.
    """
    z = maps.double()
    z = z - z.mean(dim=(0, 2, 3), keepdim=True)
    sd = z.square().mean(dim=(0, 2, 3), keepdim=True).sqrt()
    z = z / torch.where(sd > 0, sd, torch.inf)
    n, _, h, w = z.shape
    c = (side - 1) // 2
    shape = (h + c, w + c)
    spectrum = torch.fft.rfft2(z, s=shape)
    product = torch.einsum("nfab,ngab->fgab", spectrum.conj(), spectrum)
    sums = torch.fft.irfft2(product, s=shape)
    index = torch.arange(-c, c + 1)
    sums = sums[:, :, index % shape[0]][..., index % shape[1]]
    count = torch.outer(h - index.abs(), w - index.abs()) * n
    return (sums / count).numpy()


def regions(side: int, radius: float) -> dict[str, np.ndarray]:
    """Return the displacements that statistics are taken over, by name; empty ones are left out."""
    chosen = {
        "disc": positions(side),
        "r>=2": positions(side, r_min=2),
        "r>=3": positions(side, r_min=3),
        "r>=5": positions(side, r_min=5),
    }
    if np.isfinite(radius):
        chosen["beyond overlap"] = positions(side, beyond=radius)
    return {name: mask for name, mask in chosen.items() if mask.sum() >= 4}


def kernel_tables(
    kernel: np.ndarray,
    filters: np.ndarray,
    chosen: Units,
    *,
    references: Mapping[str, np.ndarray] | None = None,
    permutations: int = 5000,
    seed: int = 0,
    name: str = LEARNED,
    against_overlap: bool = True,
) -> Tables:
    """Measure a lateral kernel, the overlap of its filters, and other kernels for comparison.

    Parameters
    ----------
    kernel : numpy.ndarray
        (F, F, side, side), signed.
    filters : numpy.ndarray
        (F, s, s) or (F, C, s, s).
    chosen : Units
    references : dict of str to numpy.ndarray, optional
        Other kernels of the same shape, e.g. the untrained one; the overlap is always one.
    permutations : int
        Draws of the null in which orientations are permuted among the units.
    seed : int
    name : str
        What the kernel is called in the tables.
    against_overlap : bool
        Whether the overlap and the residual of the kernel on it are measured, too; not for a
        kernel that is the overlap.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``lateral``: `what` (`name`, overlap, residual, names of references), `sign`, `region`,
        and the statistics of `measures.lateral.LateralStatistics`. ``null``: for the positive
        part of the kernel, by `region` and `statistic`, the observed value, the mean and the
        5, 50 and 95 % levels of its permutations, and p; ratios as their logarithm. ``strength``:
        mean strength by bin of relative orientation. ``field``, ``polar``: for figures.
        ``parity``, where phases are given: the statistics of the positive part among even, odd and
        unlike pairs of filters.
    """
    side = kernel.shape[-1]
    overlap, radius = overlap_of(filters, side)
    theta = np.nan_to_num(chosen.theta)
    kept = retain(kernel, theta, chosen.units)
    kernels = {name: kept.kernel}
    others = ({OVERLAP: overlap} if against_overlap else {}) | dict(references or {})
    kernels |= {what: same_units(other, kept.units) for what, other in others.items()}
    slope = np.nan
    if against_overlap:
        kernels[RESIDUAL], slope = residual(kept.kernel, kernels[OVERLAP])
    areas = regions(side, radius)
    rows = [
        {
            "what": what,
            "sign": sign,
            "region": region,
            **_statistics(rectify(values, sign), kept.theta, mask).as_dict(),
        }
        for what, values in kernels.items()
        for sign in (("positive", "absolute", "signed") if what == name else ("positive",))
        for region, mask in areas.items()
    ]
    lateral = pd.DataFrame(rows)
    lateral["n_units"] = len(kept.units)
    lateral["overlap_radius"] = radius
    lateral["residual_slope"] = slope
    positive = {what: rectify(values) for what, values in kernels.items()}
    tables = {
        "lateral": lateral,
        "null": _null(positive[name], kept.theta, areas, permutations, seed),
        "strength": _strength(positive, name, kept.theta, permutations, seed),
        "field": _field(positive, kept.theta),
        "polar": _polar(positive, kept.theta),
    }
    if chosen.phase is not None:
        tables["parity"] = _parity(positive, kept.theta, chosen.phase[kept.units])
    return tables


def _parity(
    kernels: Mapping[str, np.ndarray], theta: np.ndarray, phase: np.ndarray
) -> pd.DataFrame:
    """Return the statistics of pairs of even, of odd and of unlike filters."""
    rows = [
        {
            "what": what,
            "pairs": pairs,
            "n_pairs": int(mask.sum()),
            **lateral_statistics(kernel, theta, pairs=mask).as_dict(),
        }
        for what, kernel in kernels.items()
        for pairs, mask in pairs_by_parity(phase).items()
        if mask.any()
    ]
    return pd.DataFrame(rows)


def same_units(kernel: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Cut a reference down to the units of the kernel; a unit that nothing reaches stays, at 0."""
    cut = kernel[units][:, units] * ~np.eye(len(units), dtype=bool)[..., None, None]
    total = (np.abs(cut) * positions(kernel.shape[-1])).sum(axis=(1, 2, 3), keepdims=True)
    found: np.ndarray = cut / np.where(total > 0, total, 1.0)
    return found


def _statistics(kernel: np.ndarray, theta: np.ndarray, mask: np.ndarray) -> LateralStatistics:
    return lateral_statistics(kernel, theta, positions=mask)


def log_where(name: str, values: np.ndarray) -> np.ndarray:
    """Return the logarithm of a ratio (NaN unless above 0), and other statistics as they are."""
    values = np.asarray(values, dtype=float)
    if name not in RATIOS:
        return values
    return np.log(np.where(values > 0, values, np.nan))


def _null(
    kernel: np.ndarray,
    theta: np.ndarray,
    areas: Mapping[str, np.ndarray],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    rows = []
    for region, mask in areas.items():
        observed = _statistics(kernel, theta, mask).as_dict()
        null = permutation_null(kernel, theta, positions=mask, n_draws=draws, seed=seed).as_dict()
        for name in STATISTICS:
            seen = float(log_where(name, np.asarray(observed[name])))
            drawn = log_where(name, np.asarray(null[name]))
            drawn = drawn[np.isfinite(drawn)]
            defined = len(drawn) > 0 and np.isfinite(seen)
            levels = np.quantile(drawn, [0.05, 0.5, 0.95]) if len(drawn) else [np.nan] * 3
            rows.append(
                {
                    "region": region,
                    "statistic": name,
                    "observed": seen,
                    "null_mean": drawn.mean() if len(drawn) else np.nan,
                    "null_05": levels[0],
                    "null_50": levels[1],
                    "null_95": levels[2],
                    "p": permutation_p(seen, drawn) if defined else np.nan,
                    "n_draws": len(drawn),
                }
            )
    return pd.DataFrame(rows)


def _strength(
    kernels: Mapping[str, np.ndarray], banded: str, theta: np.ndarray, draws: int, seed: int
) -> pd.DataFrame:
    """Return mean strength by bin of relative orientation, relative to the mean over pairs."""
    parts = []
    for what, kernel in kernels.items():
        curve = strength_curve(kernel, theta)
        mean = pair_strength(kernel)[~np.eye(len(theta), dtype=bool)].mean()
        centre = (np.asarray(curve.edges[:-1]) + np.asarray(curve.edges[1:])) / 2
        part = pd.DataFrame({"what": what, "difference": centre, "pairs": curve.count})
        part["strength"] = np.asarray(curve.mean) / mean if mean > 0 else np.nan
        part["null_low"], part["null_high"] = np.nan, np.nan
        if what == banded and mean > 0:
            band = _strength_band(kernel, theta, min(draws, 1000), seed) / mean
            part["null_low"], part["null_high"] = np.nanquantile(band, [0.025, 0.975], axis=0)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _strength_band(kernel: np.ndarray, theta: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return the mean strength in each bin with orientations permuted, (draws, bins)."""
    n = len(theta)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (draws, 1)), axis=1)
    turned = theta[order]
    difference = np.abs((turned[:, None, :] - turned[:, :, None] + 90) % 180 - 90)
    bins = np.minimum((difference / 22.5).astype(int), 3)
    strength, apart = pair_strength(kernel), ~np.eye(n, dtype=bool)
    found = np.empty((draws, 4))
    for k in range(4):
        inside = (bins == k) & apart
        count = inside.sum(axis=(1, 2))
        total = (inside * strength).sum(axis=(1, 2))
        found[:, k] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def _field(kernels: Mapping[str, np.ndarray], theta: np.ndarray) -> pd.DataFrame:
    parts = []
    for what, kernel in kernels.items():
        side = kernel.shape[-1]
        group = group_kernel(kernel, theta)
        field = orientation_field(group.kappa, group.alpha)
        inside = positions(side)
        row, column = np.nonzero(inside)
        c = (side - 1) // 2
        parts.append(
            pd.DataFrame(
                {
                    "what": what,
                    "x": column - c,
                    "y": c - row,
                    "preferred": field.preferred[inside],
                    "coherence": field.coherence[inside],
                    "weight": field.weight[inside],
                    "total": group.kappa.sum(axis=0)[inside],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _polar(kernels: Mapping[str, np.ndarray], theta: np.ndarray) -> pd.DataFrame:
    """Return the strength of like-oriented connections by direction from the contour."""
    parts = []
    for what, kernel in kernels.items():
        group = group_kernel(kernel, theta)
        alike = np.abs((group.alpha + 90) % 180 - 90) < 22.5
        side = kernel.shape[-1]
        inside = positions(side, r_min=1)
        row, column = np.nonzero(inside)
        c = (side - 1) // 2
        phi = np.rad2deg(np.arctan2(c - row, column - c)) % 360
        strength = group.kappa[alike].mean(axis=0)[inside]
        sector = np.round(phi / SECTOR).astype(int) % round(360 / SECTOR)
        mean = pd.Series(strength).groupby(sector).mean()
        scale = strength.mean()
        parts.append(
            pd.DataFrame(
                {
                    "what": what,
                    "direction": mean.index.to_numpy() * SECTOR,
                    "strength": mean.to_numpy() / scale if scale > 0 else np.nan,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
