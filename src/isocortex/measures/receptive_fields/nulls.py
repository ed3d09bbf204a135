"""What noise would give: surrogate filters, null distributions of the fits, levels, p values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.receptive_fields.gabor_fit import fit_gabor
from isocortex.measures.receptive_fields.log_fit import SIGMA_RANGE, LoGFit, fit_log
from isocortex.measures.receptive_fields.pixels import checked
from isocortex.statistics import permutation_p

NULLS = ("white", "smooth", "phase")
"""White noise; white noise blurred by a Gaussian; copies with random phases."""


def noise(n: int, side: int, *, blur: float = 0.0, seed: int = 0) -> np.ndarray:
    """Draw filters of Gaussian noise, blurred before they are cut out.

    Parameters
    ----------
    n, side : int
        Number and size.
    blur : float
        Standard deviation of the Gaussian in pixels; 0 for white noise.
    seed : int
        The same seed gives the same filters.

    Returns
    -------
    numpy.ndarray, shape (n, side, side)
        Unit norm.
    """
    margin = int(np.ceil(4 * blur))
    wide = side + 2 * margin
    values = np.random.default_rng(seed).standard_normal((n, wide, wide))
    if blur:
        values = ndimage.gaussian_filter(values, blur, axes=(1, 2))
        values = values[:, margin : margin + side, margin : margin + side]
    return values / np.linalg.norm(values, axis=(1, 2), keepdims=True)


def surrogates(
    filters: Array, kind: str = "phase", draws: int = 20, seed: int = 0, *, blur: float = 1.0
) -> Array:
    """Draw filters that share some of a filter's properties, but none of its structure.

    Parameters
    ----------
    filters : array, shape (n, s, s)
    kind : {"phase", "white", "smooth"}
        ``"phase"``: the amplitudes of each filter's own discrete spectrum, its mean, and the
        phases of white noise. ``"white"``: Gaussian noise. ``"smooth"``: the same after a Gaussian
        blur. Both have the norm of the filter.
    draws : int
        Surrogates of each filter.
    seed : int
        The same seed gives the same surrogates.
    blur : float
        For ``"smooth"``, in pixels.

    Returns
    -------
    array, shape (draws, n, s, s)

    Raises
    ------
    UserError
        For an unknown kind, less than one draw, or filters that are not square or not finite.
    """
    if kind not in NULLS:
        raise unknown("kind of surrogate", kind, NULLS)
    if draws < 1:
        raise UserError(f"draws is {draws}; a null distribution needs at least one")
    tensor = checked(filters)
    values = tensor.cpu().numpy()
    n, side, _ = values.shape
    random = noise(draws * n, side, blur=blur if kind == "smooth" else 0.0, seed=seed)
    random = random.reshape(draws, n, side, side)
    if kind == "phase":
        spectrum = np.fft.fft2(random)
        spectrum /= np.maximum(np.abs(spectrum), np.finfo(float).tiny)
        spectrum[..., 0, 0] = np.sign(values.sum(axis=(1, 2)))
        random = np.fft.ifft2(spectrum * np.abs(np.fft.fft2(values))).real
    else:
        random = random * np.linalg.norm(values, axis=(1, 2), keepdims=True)
    return like(to_torch(random).to(tensor.device), filters)


@dataclass(frozen=True)
class NullLevels:
    """Levels that a share of noise filters stays below.

    Attributes
    ----------
    r, r_narrow, q : float
        Of the figures of `LoGFit`.
    gabor : float
        Of the correlation of `fit_gabor`; NaN if not asked for.
    level : float
        The share, e.g. 0.95.
    """

    r: float
    r_narrow: float
    q: float
    gabor: float
    level: float


def log_null(
    side: int,
    kind: str = "smooth",
    draws: int = 5000,
    seed: int = 0,
    *,
    blur: float = 1.0,
    sigma_range: tuple[float, float] = SIGMA_RANGE,
) -> LoGFit:
    """Fit a Laplacian of Gaussian to filters of noise; what `null_levels` takes its levels from.

    Parameters
    ----------
    side : int
        Pixels.
    kind : {"smooth", "white"}
    draws, seed, blur
        As `surrogates`.
    sigma_range : tuple of float
        As `fit_log`.

    Returns
    -------
    LoGFit
        Of `draws` filters.

    Raises
    ------
    UserError
        For another kind, or as `fit_log`.
    """
    if kind not in ("white", "smooth"):
        raise unknown("kind of noise", kind, ("white", "smooth"))
    return _log_null(side, blur if kind == "smooth" else 0.0, draws, seed, sigma_range)


@lru_cache(maxsize=16)
def _log_null(
    side: int, blur: float, draws: int, seed: int, sigma_range: tuple[float, float]
) -> LoGFit:
    return fit_log(noise(draws, side, blur=blur, seed=seed), sigma_range=sigma_range)


def null_levels(
    side: int,
    kind: str = "smooth",
    draws: int = 5000,
    seed: int = 0,
    *,
    blur: float = 1.0,
    sigma_range: tuple[float, float] = SIGMA_RANGE,
    level: float = 0.95,
    gabor_draws: int = 0,
) -> NullLevels:
    """Levels of the fits for filters of noise of this size; never those of another size.

    Parameters
    ----------
    side : int
        Pixels.
    kind, draws, seed, blur, sigma_range
        As `log_null`.
    level : float
        Share of the noise below the level.
    gabor_draws : int
        Filters of noise that a Gabor is fitted to; 0 for none.

    Returns
    -------
    NullLevels

    Raises
    ------
    UserError
        If `level` is not between 0 and 1, or as `log_null`.
    """
    if not 0 < level < 1:
        raise UserError(f"level {level} is not between 0 and 1; use 0.95 for 95 %")
    fit = log_null(side, kind, draws, seed, blur=blur, sigma_range=sigma_range)
    width = blur if kind == "smooth" else 0.0
    gabor = fit_gabor(noise(gabor_draws, side, blur=width, seed=seed)).r if gabor_draws else None
    return NullLevels(
        r=float(np.quantile(fit.r, level)),
        r_narrow=float(np.quantile(fit.r_narrow, level)),
        q=float(np.quantile(fit.q, level)),
        gabor=float("nan") if gabor is None else float(np.quantile(gabor, level)),
        level=level,
    )


def gabor_null(
    filters: Array, kind: str = "phase", draws: int = 20, seed: int = 0, *, blur: float = 1.0
) -> Array:
    """Goodness of Gabor fits to surrogates of each filter.

    Parameters
    ----------
    filters, kind, draws, seed, blur
        As `surrogates`.

    Returns
    -------
    array, shape (draws, n)
        ``fit_gabor(filters).r`` beside its own null; NaN for filters without variance.
    """
    drawn = surrogates(filters, kind, draws, seed, blur=blur)
    r = fit_gabor(drawn.reshape(-1, *drawn.shape[2:])).r
    return r.reshape(drawn.shape[:2])


def p_values(observed: Array, null: Array) -> np.ndarray:
    """One-sided p of each observed figure among the draws of its null.

    Parameters
    ----------
    observed : array, shape (n,)
        E.g. ``fit.r``.
    null : array, shape (draws,) or (draws, n)
        E.g. of `log_null`, the same for all, or of `gabor_null`, one a filter.

    Returns
    -------
    numpy.ndarray, shape (n,)
        ``(b + 1) / (draws + 1)`` with b draws at least as large; NaN where undefined.
    """
    seen, drawn = (to_torch(v).double().cpu().numpy() for v in (observed, null))
    if drawn.ndim == 1:
        drawn = np.broadcast_to(drawn[:, None], (len(drawn), len(seen)))
    return np.atleast_1d(permutation_p(seen, drawn))
