"""Intervals, permutation tests and corrections for many tests, under their own names.

Everything here works on numbers alone. What cannot be computed is NaN with its reason in the
docstring; NaN among the *input* is refused or dropped with a count, never passed over silently.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError, unknown

Statistic = Callable[..., Any]
"""``statistic(samples, axis=...)``: reduces the resampled axes and keeps the batch axis 0."""

NanPolicy = Literal["refuse", "drop"]
Alternative = Literal["greater", "less", "two-sided"]

_BATCH_BYTES = 2**26


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes
    ----------
    estimate, low, high : float
        The statistic and the bounds of its interval. Bounds are NaN where undefined.
    level : float
        Coverage that the bounds aim at, e.g. 0.95.
    n : int
        Number of independent units that the interval generalises over (seeds, exemplars, neurons).
    method : str
        How the bounds were made, e.g. ``"t"`` or ``"bca"``.
    n_dropped : int
        Units left out because they were undefined.
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0
    method: str = ""
    n_dropped: int = 0

    @property
    def defined(self) -> bool:
        """Whether both bounds are numbers."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UserError(f"interval level {level} is not between 0 and 1; use 0.95 for 95 %")


def _numbers(values: Array) -> np.ndarray:
    return to_torch(values).double().cpu().numpy()


def _without_nan(values: np.ndarray, levels: int, nan: NanPolicy) -> tuple[np.ndarray, int]:
    """Drop the entries of axis ``levels - 1`` that hold a non-finite value anywhere, or refuse."""
    if nan not in ("refuse", "drop"):
        raise unknown("NaN policy", nan, ("refuse", "drop"))
    bad = ~np.isfinite(values)
    if not bad.any():
        return values, 0
    if nan == "refuse":
        raise UserError(
            f"{int(bad.sum())} of {values.size} values are not finite; mend them or leave them out "
            "and counted with nan='drop'"
        )
    axis = levels - 1
    others = tuple(a for a in range(values.ndim) if a != axis)
    keep = ~bad.any(axis=others)
    return np.compress(keep, values, axis=axis), int((~keep).sum())


def t_interval(values: Array, *, level: float = 0.95, nan: NanPolicy = "refuse") -> Interval:
    """Student's t interval of a mean: ``mean +- t(level, n - 1) * sd / sqrt(n)``.

    Parameters
    ----------
    values : array, shape (n,)
        One value per independent unit, e.g. per seed; for a paired contrast the differences.
    level : float
        Coverage.
    nan : {"refuse", "drop"}
        What to do with values that are not finite; dropped ones are counted in ``n_dropped``.

    Returns
    -------
    Interval
        With fewer than two values the bounds are NaN, with none the estimate is, too. Values
        without variance give an interval of width 0.

    Raises
    ------
    UserError
        If `values` is not one-dimensional, or holds NaN under ``nan="refuse"``.
    """
    _check_level(level)
    x = _numbers(values)
    if x.ndim != 1:
        raise UserError(f"t_interval takes one value per unit, shape (n,), not {x.shape}")
    x, dropped = _without_nan(x, 1, nan)
    n = len(x)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, level, 0, "t", dropped)
    mean = float(x.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, level, 1, "t", dropped)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * x.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, level, n, "t", dropped)


def proportion_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a proportion, e.g. of a p value counted over random draws.

    Returns
    -------
    Interval
        ``estimate = successes / n``; all NaN for ``n = 0``.

    Raises
    ------
    UserError
        If ``successes`` is not between 0 and `n`.
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise UserError(f"{successes} successes of {n} cannot be; give 0 <= successes <= n")
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, level, 0, "clopper-pearson")
    bounds = stats.binomtest(successes, n).proportion_ci(confidence_level=level)
    return Interval(
        successes / n, float(bounds.low), float(bounds.high), level, n, "clopper-pearson"
    )


def bootstrap_interval(
    values: Array,
    statistic: Statistic | None = None,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    levels: int = 1,
    crossed: bool = False,
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    nan: NanPolicy = "refuse",
) -> Interval:
    """Bootstrap interval of any statistic, over one level of units or a hierarchy of them.

    Parameters
    ----------
    values : array, shape (n_1, ..., n_levels, ...)
        The first `levels` axes are resampled with replacement, e.g. (exemplars,) or
        (seeds, exemplars); further axes travel with their unit. To resample something larger than
        fits into memory, pass ``np.arange(n)`` and let `statistic` look the units up.
    statistic : callable, optional
        ``statistic(samples, axis=axis)`` with samples of shape (batch, n_1, ...) and `axis` 1, or
        (1, ..., levels); returns (batch,). The mean if not given.
    method : {"percentile", "bca"}
        BCa (bias-corrected and accelerated; Efron 1987) is for one level.
    levels : int
        How many leading axes are levels of a hierarchy.
    crossed : bool
        False: nested, every drawn seed draws its own exemplars. True: crossed, all drawn
        seeds share one draw of exemplars, as they should where all seeds saw the same objects.
    n_resamples : int
        Bootstrap samples.
    level : float
        Coverage.
    seed : int
        Seed of the resampling; the same seed gives the same interval.
    nan : {"refuse", "drop"}
        What to do with values that are not finite. Dropping removes the entry of the last
        resampled axis (the exemplar) for all others (all seeds) and counts it.

    Returns
    -------
    Interval
        ``n`` is the length of the first axis. With ``n < 2`` the bounds are NaN. A statistic that
        never varies over the resamples gives an interval of width 0; one that is NaN in a
        resample gives NaN bounds.

    Raises
    ------
    UserError
        For an unknown method, BCa over several levels, too few axes, or NaN under "refuse".
    """
    _check_level(level)
    if method not in ("percentile", "bca"):
        raise unknown("bootstrap method", method, ("percentile", "bca"))
    if levels < 1 or (levels > 1 and method == "bca"):
        raise UserError(
            f"bootstrap with method {method!r} and levels={levels}: use method='percentile' "
            "for a hierarchy, and levels >= 1"
        )
    x = _numbers(values)
    if x.ndim < levels:
        raise UserError(f"values of shape {x.shape} do not have {levels} levels to resample")
    x, dropped = _without_nan(x, levels, nan)
    name = method if levels == 1 else f"{method}, {levels} levels"
    n = x.shape[0]
    if min(x.shape[:levels]) == 0:
        return Interval(np.nan, np.nan, np.nan, level, 0, name, dropped)
    reduce = np.mean if statistic is None else statistic
    axis: int | tuple[int, ...] = 1 if levels == 1 else tuple(range(1, levels + 1))
    estimate = float(np.asarray(reduce(x[None], axis=axis)).reshape(()))
    if n < 2:
        return Interval(estimate, np.nan, np.nan, level, n, name, dropped)
    rng = np.random.default_rng(seed)
    batch = max(1, _BATCH_BYTES // max(1, 8 * x.size))
    if levels == 1:
        low, high = _one_level(x, reduce, method, n_resamples, level, batch, rng)
    else:
        draws = []
        for start in range(0, n_resamples, batch):
            size = min(batch, n_resamples - start)
            index = _hierarchical_index(x.shape[:levels], size, crossed, rng)
            draws.append(np.asarray(reduce(x[index], axis=axis)))
        tail = (1 - level) / 2
        low, high = np.quantile(np.concatenate(draws), [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), level, n, name, dropped)


def _one_level(
    x: np.ndarray,
    reduce: Statistic,
    method: str,
    n_resamples: int,
    level: float,
    batch: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Let scipy resample the row numbers of `x`, so that a statistic may use whole rows."""

    def evaluate(index: np.ndarray, axis: int = -1) -> np.ndarray:
        rows = index.reshape(-1, index.shape[-1]).astype(int)
        out = [
            np.asarray(reduce(x[rows[i : i + batch]], axis=1)) for i in range(0, len(rows), batch)
        ]
        return np.concatenate(out).reshape(index.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        # A statistic that is NaN or constant in every resample divides 0 by 0 in BCa.
        warnings.filterwarnings("ignore", message="invalid value", category=RuntimeWarning)
        result = stats.bootstrap(
            (np.arange(len(x)),),
            evaluate,
            vectorized=True,
            n_resamples=n_resamples,
            batch=batch,
            confidence_level=level,
            method="BCa" if method == "bca" else "percentile",
            rng=rng,
        )
    drawn = result.bootstrap_distribution
    if np.ptp(drawn) <= 1e-12 * np.abs(drawn).max():
        return float(drawn.min()), float(drawn.max())
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _hierarchical_index(
    shape: tuple[int, ...], size: int, crossed: bool, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Draw `size` resamples of all levels as index arrays that broadcast to (size, *shape)."""
    index = []
    for depth, n in enumerate(shape):
        above = (1,) * depth if crossed else shape[:depth]
        below = (1,) * (len(shape) - depth - 1)
        index.append(rng.integers(0, n, (size, *above, n)).reshape(size, *above, n, *below))
    return tuple(index)


def permutation_p(
    observed: Array, null: Array, *, alternative: Alternative = "greater", exact: bool = False
) -> Any:
    """Compute the p value of an observed statistic among draws of its null distribution.

    ``p = (b + 1) / (m + 1)`` with b of m random draws at least as extreme as the observed value
    (Phipson & Smyth 2010): never 0. If the null was enumerated completely, and so holds the
    observed arrangement itself, ``exact=True`` gives ``b / m``.

    Parameters
    ----------
    observed : float or array, shape (...)
        The statistic.
    null : array, shape (m, ...)
        Draws along axis 0.
    alternative : {"greater", "less", "two-sided"}
        Two-sided doubles the smaller tail, at most 1.
    exact : bool
        Whether `null` is the complete enumeration.

    Returns
    -------
    float or numpy.ndarray, shape (...)
        NaN where the observed statistic is NaN.

    Raises
    ------
    UserError
        If the null holds NaN while the observed value is a number, or is empty.
    """
    tails = {"greater": (1.0,), "less": (-1.0,), "two-sided": (1.0, -1.0)}
    if alternative not in tails:
        raise unknown("alternative", alternative, tails)
    seen, draws = _numbers(np.asarray(observed)), _numbers(null)
    if draws.ndim == 0 or len(draws) == 0:
        raise UserError("the null distribution is empty; draw at least one permutation")
    defined = np.isfinite(seen)
    if np.any(~np.isfinite(draws) & defined):
        raise UserError(
            "the null distribution holds NaN; leave undefined draws out, and count them"
        )
    # Ties up to rounding count as "at least as extreme".
    slack = 1e-12 * np.maximum(1.0, np.abs(seen))
    p = np.ones_like(seen)
    for sign in tails[alternative]:
        b = (sign * draws >= sign * seen - slack).sum(axis=0)
        p = np.minimum(p, b / len(draws) if exact else (b + 1) / (len(draws) + 1))
    p = np.where(defined, np.minimum(1.0, len(tails[alternative]) * p), np.nan)
    return float(p) if p.ndim == 0 else p


def sign_flip_p(
    differences: Array,
    *,
    alternative: Alternative = "two-sided",
    n_draws: int = 9999,
    seed: int = 0,
) -> float:
    """Test paired differences against 0 by permutation of their signs.

    The sign of each difference is flipped at random (all ``2**n`` ways where that is not more than
    `n_draws`, then exact); the statistic is the mean.

    Parameters
    ----------
    differences : array, shape (n,)
        One paired difference per independent unit.
    alternative : {"greater", "less", "two-sided"}
        Direction of the mean difference.
    n_draws : int
        Random draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    float
        The p value; NaN for fewer than two differences.

    Raises
    ------
    UserError
        If the differences are not one-dimensional or not finite.
    """
    x = _numbers(differences)
    if x.ndim != 1:
        raise UserError(f"sign_flip_p takes one difference per unit, shape (n,), not {x.shape}")
    x, _ = _without_nan(x, 1, "refuse")
    if len(x) < 2:
        return float("nan")
    result = stats.permutation_test(
        (x,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_draws,
        alternative=alternative,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def benjamini_hochberg(p_values: Array) -> np.ndarray:
    """Adjust p values to control the false discovery rate under independence.

    Benjamini & Hochberg (1995). For tests that depend on each other in unknown ways use
    `benjamini_yekutieli`.

    Parameters
    ----------
    p_values : array, shape (n,)
        Values in [0, 1].

    Returns
    -------
    numpy.ndarray, shape (n,)
        Reject where at most the wanted rate. Empty input gives empty output.

    Raises
    ------
    UserError
        If a value is NaN or outside [0, 1].
    """
    return _false_discovery(p_values, "bh")


def benjamini_yekutieli(p_values: Array) -> np.ndarray:
    """Adjust p values to control the false discovery rate under any dependence.

    Benjamini & Yekutieli (2001): those of `benjamini_hochberg` times ``sum(1 / i)``, at most 1.
    Parameters, result and errors as there.
    """
    return _false_discovery(p_values, "by")


def _false_discovery(p_values: Array, method: Literal["bh", "by"]) -> np.ndarray:
    p = _numbers(p_values)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise UserError("p values must be one row of numbers in [0, 1]; leave out undefined tests")
    return stats.false_discovery_control(p, method=method) if len(p) else p
