"""Fit Gabor functions to many filters at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson
from isocortex.measures.receptive_fields import gabor_model as gm
from isocortex.measures.receptive_fields.gabor_solver import minimise
from isocortex.measures.receptive_fields.gabor_starts import N_STARTS, spectral_starts
from isocortex.measures.receptive_fields.pixels import checked, coordinates, varies

RETAINED = 0.8
"""Least correlation of a filter that counts as a Gabor."""

_CHUNK_BYTES = 2**28


@dataclass(frozen=True)
class GaborFit:
    """The best Gabor function of each filter; every array has shape (n,) unless said.

    NaN throughout for filters without variance; ``(~defined).sum()`` is the number to report.

    Attributes
    ----------
    r : array
        Pearson correlation of the filter with its Gabor.
    orientation_deg : array
        Of the contour, counter-clockwise from the horizontal, in [0, 180).
    frequency : array
        Cycles per pixel.
    phase_deg : array
        In (-180, 180]; 0 and 180 are even, 90 and -90 odd.
    sigma_u, sigma_v : array
        Widths of the envelope in pixels, across and along the contour.
    x, y : array
        Centre of the envelope from the centre of the filter in pixels, y upwards.
    amplitude, offset : array
        A > 0 and the constant beside it, in the units of the filter.
    fitted : array, shape (n, s, s)
        The Gabor functions, without the constant.
    """

    r: Array
    orientation_deg: Array
    frequency: Array
    phase_deg: Array
    sigma_u: Array
    sigma_v: Array
    x: Array
    y: Array
    amplitude: Array
    offset: Array
    fitted: Array

    def __len__(self) -> int:
        return len(self.r)

    @property
    def defined(self) -> Array:
        """Filters with variance, bool (n,)."""
        return self.r == self.r

    @property
    def retained(self) -> Array:
        """Filters that a Gabor describes, r >= 0.8, bool (n,)."""
        return self.r >= RETAINED

    @property
    def n_x(self) -> Array:
        """Cycles in one sigma across the contour, sigma_u f."""
        return self.sigma_u * self.frequency

    @property
    def n_y(self) -> Array:
        """Cycles in one sigma along the contour, sigma_v f."""
        return self.sigma_v * self.frequency

    @property
    def odd(self) -> Array:
        """Filters of odd parity, |sin phase| > |cos phase|, bool (n,)."""
        return is_odd(self.phase_deg)

    @property
    def direction_deg(self) -> Array:
        """Orientation with polarity, in [0, 360): along the contour with the bright side right.

        Of the odd part; of no meaning for an even filter.
        """
        return odd_direction(self.orientation_deg, self.phase_deg)


def is_odd(phase_deg: Array) -> Array:
    """Return whether phases in (-180, 180] are those of odd parity, |sin| > |cos|."""
    return (abs(phase_deg) > 45) & (abs(phase_deg) < 135)


def odd_direction(orientation_deg: Array, phase_deg: Array) -> Array:
    """Return orientations with the polarity of phases in (-180, 180]; see `GaborFit`."""
    return (orientation_deg + 180 * (phase_deg > 0)) % 360


def fit_gabor(filters: Array, *, steps: int = 100) -> GaborFit:
    """Fit ``A exp(-u^2 / 2 sigma_u^2 - v^2 / 2 sigma_v^2) cos(2 pi f u + phase)`` to each filter.

    u runs across the contour and v along it, from a centre within 3 px of the filter's; widths of
    0.7 to 5 px, frequencies of 0.04 to 0.45 cycles per pixel. The fit maximises r, that is, it is
    one of least squares with a free constant: the constant, A cos(phase) and A sin(phase) by
    variable projection, the other six by Levenberg-Marquardt within the bounds, all filters and
    starts at once. Each filter has eight starts from the peaks of its spectrum (`spectral_starts`);
    the fit of least squares is kept.

    Parameters
    ----------
    filters : array, shape (n, s, s)
        s at least 5.
    steps : int
        Iterations at most.

    Returns
    -------
    GaborFit

    Raises
    ------
    UserError
        If the filters are not square, smaller than 5 px or not finite.

    Notes
    -----
    Noise is fitted, too: show r beside that of surrogates (`gabor_null`). A filter that turns by
    90 degrees turns its orientation by as much, one of the other sign turns its phase by 180.
    """
    if steps < 1:
        raise UserError(f"steps is {steps}; a fit needs at least one")
    tensor = checked(filters, smallest=5)
    good = varies(tensor, filters)
    scale = tensor.abs().amax(dim=(1, 2), keepdim=True)
    mean = tensor.mean(dim=(1, 2), keepdim=True)
    scaled = (tensor - mean) / torch.where(good[:, None, None], scale, 1.0)
    step = max(1, _CHUNK_BYTES // (8 * N_STARTS * 16 * tensor.shape[-1] ** 2))
    parts = [_fit(chunk, steps) for chunk in scaled.split(step)]
    p = torch.cat([part[0] for part in parts]) if parts else tensor.new_zeros(0, 6)
    linear = torch.cat([part[1] for part in parts]) if parts else tensor.new_zeros(0, 2)

    # One name for each Gabor: a wave vector turned by 180 degrees has the phase of other sign.
    turns = torch.floor((p[:, gm.ANGLE] + math.pi / 2) / math.pi)
    sign = 1 - 2 * (turns % 2)
    orientation = torch.rad2deg(p[:, gm.ANGLE] - turns * math.pi) + 90
    orientation = torch.where(orientation >= 180, orientation - 180, orientation)
    values = {
        "orientation_deg": orientation,
        "frequency": p[:, gm.FREQUENCY],
        "phase_deg": torch.rad2deg(torch.atan2(-linear[:, 1] * sign, linear[:, 0])),
        "sigma_u": p[:, gm.LOG_SIGMA_U].exp(),
        "sigma_v": p[:, gm.LOG_SIGMA_V].exp(),
        "x": p[:, gm.X],
        "y": p[:, gm.Y],
        "amplitude": torch.linalg.vector_norm(linear, dim=1) * scale[:, 0, 0],
    }
    fitted = gm.gabor(tensor.shape[-1], **values)
    values["r"] = pearson(tensor.flatten(1), fitted.flatten(1))
    values["fitted"] = fitted
    values["offset"] = mean[:, 0, 0] - fitted.mean(dim=(1, 2))

    def out(value: Tensor) -> Array:
        mask = good.reshape(-1, *[1] * (value.ndim - 1))
        return like(torch.where(mask, value, torch.nan), filters)

    return GaborFit(**{name: out(value) for name, value in values.items()})


def _fit(filters: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Fit filters without mean; six parameters and two linear ones of the best of all starts."""
    n, side, _ = filters.shape
    starts = spectral_starts(filters)
    k = starts.shape[1]
    pixels = coordinates(side, filters.device)
    targets = filters.flatten(1).repeat_interleave(k, dim=0)
    p, linear, cost = minimise(
        lambda p, d: gm.linearise(p, d, pixels),
        starts.flatten(0, 1),
        targets,
        gm.bounds(filters),
        steps=steps,
    )
    best = cost.reshape(n, k).argmin(dim=1) + k * torch.arange(n, device=p.device)
    return p[best], linear[best]
