"""What tells a Laplacian of Gaussian, as in LGN, from a blob and from noise.

A sampled Laplacian of Gaussian (LoG) correlates highly with any blob, so that its correlation
alone shows nothing. `fit_log` gives five more figures; `gate.log_gate` asks for several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.errors import UserError
from isocortex.measures.receptive_fields.pixels import checked, coordinates, varies
from isocortex.measures.receptive_fields.radial import radial_profile, radial_share

SIGMA_RANGE = (0.5, 2.5)
"""Widths of the LoG in pixels."""

NARROW = 1.2
"""Largest width at which the sampled LoG nearly sums to 0."""

GAUSSIAN_RANGE = (0.3, 4.0)
"""Widths of the Gaussian in pixels."""

_STEPS = 241


@dataclass(frozen=True)
class LoGFit:
    """Fits of a Laplacian of Gaussian; every array has shape (n,) unless said.

    NaN throughout for filters without variance; ``(~defined).sum()`` is the number to report.

    Attributes
    ----------
    r : array
        Largest Pearson correlation with a LoG of either sign.
    sigma : array
        Its width in pixels.
    amplitude, offset : array
        c and the constant of the regression of the filter on it; c < 0 for a bright centre.
    r_narrow, sigma_narrow : array
        The same with a width of at most `NARROW`.
    cosine, cosine_gaussian, gain : array
        Largest absolute cosine (no mean removed) with a LoG, with a Gaussian, and the difference.
    sigma_gaussian : array
        Width of that Gaussian.
    q : array
        `radial_share`.
    ring : array
        Lowest class mean of the radial profile in units of its centre: 1 for a constant, 0 for
        a delta, negative where there is a surround of the other sign. NaN if the centre is 0.
    dc : array
        Absolute sum over largest absolute value.
    fitted : array, shape (n, s, s)
        ``amplitude * LoG + offset``.
    sigma_range : tuple of float
        Widths that were allowed.
    """

    r: Array
    sigma: Array
    amplitude: Array
    offset: Array
    r_narrow: Array
    sigma_narrow: Array
    cosine: Array
    cosine_gaussian: Array
    gain: Array
    sigma_gaussian: Array
    q: Array
    ring: Array
    dc: Array
    fitted: Array
    sigma_range: tuple[float, float]

    def __len__(self) -> int:
        return len(self.r)

    @property
    def defined(self) -> Array:
        """Filters with variance, bool (n,)."""
        return self.r == self.r

    @property
    def size(self) -> int:
        """Width and height of the filters."""
        return int(self.fitted.shape[-1])


def laplacian_of_gaussian(side: int, sigma: Tensor) -> Tensor:
    """Sample ``(r^2 - 2 sigma^2) / sigma^4 exp(-r^2 / 2 sigma^2)``: dark centre, bright ring.

    Parameters
    ----------
    side : int
        Pixels; the centre lies at (side - 1) / 2.
    sigma : Tensor, shape (k,)
        In pixels.

    Returns
    -------
    Tensor, shape (k, side, side)
    """
    square = _squared_radius(side, sigma)
    s2 = sigma[:, None, None].square()
    return (square - 2 * s2) / s2.square() * torch.exp(-square / (2 * s2))


def gaussian(side: int, sigma: Tensor) -> Tensor:
    """Sample ``exp(-r^2 / 2 sigma^2)``; parameters and result as `laplacian_of_gaussian`."""
    return torch.exp(-_squared_radius(side, sigma) / (2 * sigma[:, None, None].square()))


def _squared_radius(side: int, sigma: Tensor) -> Tensor:
    x, y = coordinates(side, sigma.device)
    return (x.square() + y.square()).reshape(side, side).to(sigma.dtype)


def fit_log(filters: Array, *, sigma_range: tuple[float, float] = SIGMA_RANGE) -> LoGFit:
    """Fit a centred Laplacian of Gaussian to each filter, and what tells it from a blob.

    The LoG is ``c (r^2 - 2 sigma^2) / sigma^4 exp(-r^2 / 2 sigma^2)``, c of either sign, centre
    fixed. The width maximises the absolute correlation: a grid of 241 widths, then a parabola
    through the best and its neighbours (0.1 % of the width). A filter that turns by 90 degrees,
    flips, or is multiplied by a number keeps all figures but the amplitude.

    Parameters
    ----------
    filters : array, shape (n, s, s)
        s at least 3.
    sigma_range : tuple of float
        Smallest and largest width in pixels.

    Returns
    -------
    LoGFit

    Raises
    ------
    UserError
        If the filters are not square or not finite, or the range is empty.
    """
    tensor = checked(filters)
    low, high = sigma_range
    if not 0 < low < high:
        raise UserError(f"sigma_range {sigma_range} needs 0 < low < high, in pixels")
    side, flat = tensor.shape[-1], tensor.flatten(1)
    good = varies(tensor, filters)
    centred = flat - flat.mean(dim=1, keepdim=True)
    r, sigma = _best(centred, side, laplacian_of_gaussian, sigma_range, centre=True)
    narrow = (low, max(min(high, NARROW), low * (1 + 1e-9)))
    r_narrow, sigma_narrow = _best(centred, side, laplacian_of_gaussian, narrow, centre=True)
    cosine, _ = _best(flat, side, laplacian_of_gaussian, sigma_range)
    blob, sigma_blob = _best(flat, side, gaussian, GAUSSIAN_RANGE)

    template = laplacian_of_gaussian(side, sigma).flatten(1)
    mean = template.mean(dim=1, keepdim=True)
    slope = ((template - mean) * centred).sum(1) / (template - mean).square().sum(1)
    offset = flat.mean(dim=1) - slope * mean[:, 0]
    fitted = slope[:, None] * template + offset[:, None]

    _, profile = radial_profile(tensor)
    middle = profile[:, 0]
    ring = (profile * middle.sign()[:, None]).amin(1) / middle.abs()
    ring = torch.where(middle == 0, torch.nan, ring)
    dc = flat.sum(1).abs() / flat.abs().amax(1)

    def out(value: Tensor) -> Array:
        mask = good.reshape(-1, *[1] * (value.ndim - 1))
        return like(torch.where(mask, value, torch.nan), filters)

    return LoGFit(
        r=out(r.abs()),
        sigma=out(sigma),
        amplitude=out(slope),
        offset=out(offset),
        r_narrow=out(r_narrow.abs()),
        sigma_narrow=out(sigma_narrow),
        cosine=out(cosine.abs()),
        cosine_gaussian=out(blob.abs()),
        gain=out(cosine.abs() - blob.abs()),
        sigma_gaussian=out(sigma_blob),
        q=radial_share(filters),
        ring=out(ring),
        dc=out(dc),
        fitted=out(fitted.reshape(tensor.shape)),
        sigma_range=(float(low), float(high)),
    )


Template = Callable[[int, Tensor], Tensor]


def _best(
    flat: Tensor, side: int, template: Template, limits: tuple[float, float], centre: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the signed cosine of largest size with a template, and its width, each (n,)."""
    low, high = limits
    steps = torch.linspace(0, 1, _STEPS, dtype=flat.dtype, device=flat.device)
    widths = low * (high / low) ** steps
    unit = torch.nn.functional.normalize(flat, dim=1)
    cosines = unit @ _unit(template(side, widths), centre).T
    best = cosines.abs().argmax(dim=1)
    inner = best.clamp(1, _STEPS - 2)
    left, mid, right = (cosines.abs().gather(1, (inner + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    shift = torch.where(bend < 0, 0.5 * (left - right) / bend, 0.0).clamp(-1, 1)
    sigma = low * (high / low) ** ((inner + shift) / (_STEPS - 1))
    refined = (unit * _unit(template(side, sigma), centre)).sum(1)
    coarse = cosines.gather(1, best[:, None])[:, 0]
    better = refined.abs() >= coarse.abs()
    return torch.where(better, refined, coarse), torch.where(better, sigma, widths[best])


def _unit(template: Tensor, centre: bool) -> Tensor:
    flat = template.flatten(1)
    if centre:
        flat = flat - flat.mean(dim=1, keepdim=True)
    return torch.nn.functional.normalize(flat, dim=1)
