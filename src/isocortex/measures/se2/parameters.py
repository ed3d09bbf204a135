"""Parameters of the two processes, by whichever name: a standard deviation or half its square."""

from __future__ import annotations

import math

from isocortex.errors import UserError


def standard_deviation(
    deviation: float | None, half_variance: float | None, names: tuple[str, str]
) -> float:
    """Return s from exactly one of s and D = s^2 / 2.

    Parameters
    ----------
    deviation, half_variance : float or None
        Exactly one is given, above 0.
    names : tuple of str
        What they are called where they were given.

    Returns
    -------
    float

    Raises
    ------
    UserError
        If both or none are given, or the value is not above 0.
    """
    if (deviation is None) == (half_variance is None):
        raise UserError(f"give either {names[0]} or {names[1]} = {names[0]}^2 / 2, not both")
    value = deviation if deviation is not None else math.sqrt(2 * max(half_variance or 0.0, 0.0))
    if not (value > 0 and math.isfinite(value)):
        raise UserError(f"{names[0]} must be above 0 and finite")
    return value


def angular(sigma: float | None, d22: float | None) -> float:
    """Return sigma in rad / sqrt(px) from sigma or d22 = sigma^2 / 2."""
    return standard_deviation(sigma, d22, ("sigma", "d22"))


def diffusion(
    s1: float | None, s2: float | None, d11: float | None, d22: float | None
) -> tuple[float, float]:
    """Return s1 in px / sqrt(t) and s2 in rad / sqrt(t), each from itself or D = s^2 / 2."""
    return (
        standard_deviation(s1, d11, ("s1", "d11")),
        standard_deviation(s2, d22, ("s2", "d22")),
    )


def positive(**values: float) -> None:
    """Refuse values that are not above 0 and finite, by their name."""
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise UserError(f"{name} must be above 0 and finite, not {value}")
