"""Tuning curves over orientation, and the numbers that physiologists read from them.

Orientations are in degrees, of period 180, evenly spaced over it. Curves are rates: they are never
negative, which a response rule sees to where units are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown

HANNING = 13.5
"""Half-width at half height of the window that smooths a curve before its bandwidth is read, in
degrees (Ringach, Shapley & Hawken 2002)."""

CRITERION = 1 / math.sqrt(2)
"""Height at which the half-width is read, as a share of the peak."""

_ROUNDING = 64.0
"""Rates below this many eps times the largest response are rounding of a silent unit."""


def circular_variance(curves: Array, orientations: Array) -> Array:
    """Circular variance ``CV = 1 - |sum_k r_k exp(2 i theta_k)| / sum_k r_k``.

    Parameters
    ----------
    curves : array, shape (..., k)
        Rates, none negative.
    orientations : array, shape (k,)
        In degrees.

    Returns
    -------
    array, shape (...)
        0 (answers one orientation alone) to 1 (answers all alike, or two orthogonal ones). NaN
        where the curve is 0 throughout or holds NaN.

    Raises
    ------
    UserError
        If a rate is negative, or shapes do not fit.

    Notes
    -----
    Definition of Ringach, Shapley & Hawken (2002). It does not depend on the gain, but it does on
    an offset: with it every curve nears 1.
    """
    r, angle = _curves(curves, orientations)
    total = r.sum(dim=-1)
    length = torch.abs((r * torch.exp(2j * angle)).sum(dim=-1))
    share = length / torch.where(total > 0, total, torch.nan)
    return like(1 - share.clamp(max=1), curves)


def preferred_orientation(curves: Array, orientations: Array) -> Array:
    """Half the direction of ``sum_k r_k exp(2 i theta_k)``.

    Parameters
    ----------
    curves, orientations
        As for `circular_variance`.

    Returns
    -------
    array, shape (...)
        Degrees in [0, 180); NaN where the sum is 0 to rounding, so that nothing is preferred.

    Raises
    ------
    UserError
        As `circular_variance`.
    """
    r, angle = _curves(curves, orientations)
    vector = (r * torch.exp(2j * angle)).sum(dim=-1)
    rounding = _ROUNDING * torch.finfo(to_torch(curves).dtype).eps
    defined = vector.abs() > rounding * r.sum(dim=-1)
    half = torch.where(defined, vector.angle().rad2deg() / 2, torch.nan) % 180
    return like(torch.where(half >= 180, 0.0, half), curves)  # -0 to rounding becomes 180


def bandwidth(curves: Array, orientations: Array, *, smoothing: float | None = HANNING) -> Array:
    """Half-width at 1 / sqrt(2) of the peak, the mean of both sides.

    Parameters
    ----------
    curves : array, shape (..., k)
        Rates.
    orientations : array, shape (k,)
        In degrees, evenly spaced over 180.
    smoothing : float, optional
        Half-width at half height of a Hanning window, in degrees, that curves are smoothed with;
        None leaves them as they are.

    Returns
    -------
    array, shape (...)
        Degrees, at most 90. NaN where the curve falls to the criterion on neither or on only one
        side within 90 degrees, or is 0.

    Raises
    ------
    UserError
        As `circular_variance`, or if orientations are not evenly spaced, or `smoothing` is not
        above 0.

    Notes
    -----
    After Ringach, Shapley & Hawken (2002): smoothed, the peak is the largest sample, and the curve
    is read by straight lines between samples.
    """
    r, angle = _curves(curves, orientations)
    k = r.shape[-1]
    step = 180 / k
    if not bool(torch.allclose(angle.diff().rad2deg(), angle.new_full((k - 1,), step), atol=1e-6)):
        raise UserError("orientations must rise in even steps over 180 degrees for a bandwidth")
    if smoothing is not None:
        if not smoothing > 0:
            raise UserError(f"smoothing is {smoothing} degrees; give more than 0, or None")
        away = torch.arange(k, dtype=r.dtype, device=r.device) * step
        away = torch.minimum(away, 180 - away)
        window = torch.where(
            away < 2 * smoothing, 1 + torch.cos(torch.pi * away / (2 * smoothing)), 0.0
        )
        circulant = torch.stack([window.roll(i) for i in range(k)])
        r = r @ (circulant / window.sum())
    peak, place = r.max(dim=-1, keepdim=True)
    level = CRITERION * peak
    reach = torch.arange(k // 2 + 1, device=r.device)
    sides = []
    for sign in (1, -1):
        side = r.gather(-1, (place + sign * reach) % k)
        below = side <= level
        first = below.to(torch.int8).argmax(dim=-1, keepdim=True)
        before, after = side.gather(-1, (first - 1).clamp_min(0)), side.gather(-1, first)
        share = (before - level) / (before - after)
        width = (first - 1 + share) * step
        sides.append(torch.where(below.any(dim=-1, keepdim=True) & (peak > 0), width, torch.nan))
    return like(((sides[0] + sides[1]) / 2).squeeze(-1), curves)


def modulation_ratio(responses: Array) -> Array:
    """F1 / F0 of responses over one cycle of a drifting grating.

    F0 is the mean over the frames, ``F1 = 2 |sum_k r_k exp(-2 pi i k / m)| / m`` the amplitude at
    the drift's frequency.

    Parameters
    ----------
    responses : array, shape (..., m)
        Rates at m evenly spaced phases, at least three.

    Returns
    -------
    array, shape (...)
        0 for a complex cell that does not follow the phase, pi / 2 for a half-wave rectified
        cosine, 2 for an answer to a single phase. NaN where the mean is not above 0.

    Raises
    ------
    UserError
        If there are fewer than three phases.
    """
    f0, f1 = _harmonics(_phases(to_torch(responses)))
    return like(f1 / torch.where(f0 > 0, f0, torch.nan), responses)


Rule = Callable[[Tensor, Tensor], Tensor]
"""Turns responses (..., p) and those to the blank (p,) into rates."""

RESPONSE_RULES: dict[str, Rule] = {
    "clip": lambda responses, blank: responses.clamp_min(0),
    "blanksub": lambda responses, blank: (responses - blank).clamp_min(0),
    "f1": lambda responses, blank: responses,
}
"""`clip`: negative responses become 0. `blanksub`: the response to the grey image is subtracted,
then negative ones become 0. `f1`: the amplitude with which responses follow the phase."""


@dataclass(frozen=True)
class Tuning:
    """Orientation tuning of units, each at its best condition.

    Attributes
    ----------
    curves : array, shape (orientations, units)
        Rates at the best condition (frequency, size, contrast).
    condition : array of int, shape (units,)
        The best condition: that of the largest rate at any orientation.
    circular_variance, preferred, bandwidth, modulation : array, shape (units,)
        See `circular_variance`, `preferred_orientation`, `bandwidth` (degrees), and
        `modulation_ratio` at the orientation of the largest rate. NaN for silent units.
    silent : array of bool, shape (units,)
        Units whose rates are 0 (to rounding) at every stimulus.
    """

    curves: Array
    condition: Array
    circular_variance: Array
    preferred: Array
    bandwidth: Array
    modulation: Array
    silent: Array


def orientation_tuning(
    responses: Array, orientations: Array, blank: Array | None = None, *, rule: str = "clip"
) -> Tuning:
    """Read orientation tuning from responses to gratings.

    Responses become rates by the rule, rates are averaged over phases (rule ``"f1"``: replaced by
    the amplitude over phases), the best condition is that of the largest of these, and its values
    over orientations are the tuning curve.

    Parameters
    ----------
    responses : array, shape (conditions, orientations, phases, units)
        In the order of `stimuli.gratings`.
    orientations : array, shape (orientations,)
        In degrees, evenly spaced over 180.
    blank : array, shape (units,), optional
        Responses to the grey image; needed for ``"blanksub"``, and unused by others.
    rule : {"clip", "blanksub", "f1"}
        See `RESPONSE_RULES`.

    Returns
    -------
    Tuning

    Raises
    ------
    UserError
        If the rule is unknown, the blank is missing, or shapes do not fit.

    Notes
    -----
    Units that never answer 0, such as sigmoids, have circular variances near 1 under ``"clip"``
    whatever they are tuned to: their offset counts as a response to every orientation.
    """
    if rule not in RESPONSE_RULES:
        raise unknown("response rule", rule, RESPONSE_RULES)
    x = to_torch(responses).double()
    if x.ndim != 4 or x.shape[1] != len(orientations):
        raise UserError(
            f"responses have shape {tuple(x.shape)}; give (conditions, orientations, phases, "
            f"units) with {len(orientations)} orientations"
        )
    if rule == "blanksub" and blank is None:
        raise UserError("the rule blanksub needs the responses to the grey image; give blank")
    grey = x.new_zeros(x.shape[-1]) if blank is None else to_torch(blank).double().to(x.device)
    if grey.shape != x.shape[-1:]:
        raise UserError(f"blank has shape {tuple(grey.shape)}; give one response a unit")
    rates = RESPONSE_RULES[rule](x, grey)
    mean, amplitude = _harmonics(_phases(rates.movedim(2, -1)))
    strength = amplitude if rule == "f1" else mean
    flat = strength.amax(dim=1).argmax(dim=0)
    units = torch.arange(x.shape[-1], device=x.device)
    curves = strength[flat, :, units]  # (units, orientations)
    best = curves.argmax(dim=-1)
    f0 = RESPONSE_RULES["clip"](x, grey).mean(dim=2) if rule == "f1" else mean
    follow = amplitude[flat, best, units] / f0[flat, best, units]
    size = torch.maximum(x.abs().amax(dim=(0, 1, 2)), grey.abs())
    eps = torch.finfo(to_torch(responses).dtype).eps
    silent = curves.amax(dim=-1) <= _ROUNDING * eps * size

    def defined(values: Tensor) -> Array:
        return like(torch.where(silent, torch.nan, values), responses)

    angles = to_torch(orientations).to(x.device)
    return Tuning(
        curves=like(curves.T, responses),
        condition=_plain(flat, responses),
        circular_variance=defined(circular_variance(curves, angles)),
        preferred=defined(preferred_orientation(curves, angles)),
        bandwidth=defined(bandwidth(curves, angles)),
        modulation=defined(follow),
        silent=_plain(silent, responses),
    )


def _plain(values: Tensor, template: Array) -> Array:
    """Return integers or booleans in the kind of `template`."""
    return values if isinstance(template, Tensor) else values.cpu().numpy()


def _harmonics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and first-harmonic amplitude along the last axis."""
    m = x.shape[-1]
    turn = 2 * torch.pi * torch.arange(m, dtype=x.dtype, device=x.device) / m
    first = torch.hypot((x * turn.cos()).sum(dim=-1), (x * turn.sin()).sum(dim=-1))
    return x.mean(dim=-1), 2 * first / m


def _phases(x: Tensor) -> Tensor:
    if x.ndim < 1 or x.shape[-1] < 3:
        raise UserError(
            f"responses have shape {tuple(x.shape)}; a harmonic needs at least 3 phases"
        )
    return x.double()


def _curves(curves: Array, orientations: Array) -> tuple[Tensor, Tensor]:
    """Return rates in double precision, and orientations in radians."""
    r = to_torch(curves).double()
    angle = to_torch(orientations).double().to(r.device).deg2rad()
    if angle.ndim != 1 or r.ndim < 1 or r.shape[-1:] != angle.shape or len(angle) < 3:
        raise UserError(
            f"curves have shape {tuple(r.shape)} and orientations {tuple(angle.shape)}; give one "
            "rate an orientation, along the last axis, and at least three of them"
        )
    if bool((r < 0).any()):
        raise UserError(
            "a rate is negative, so circular variance is undefined; apply a response rule first, "
            "see RESPONSE_RULES"
        )
    return r, angle
