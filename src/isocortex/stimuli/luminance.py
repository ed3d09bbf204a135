"""Luminance of objects on a background, measured and matched over a set of images.

A mask is the coverage m in [0, 1] of each pixel by the object. A pixel shows m F + (1 - m) B, with
F the foreground that is in it and B the background. All statistics are of F, weighted by m, and
the matched F' is put back as m F' + (1 - m) B; so a pixel at the outline counts as much as there
is of the object in it, and the background does not change.

Sums are taken over pixels that were first added to their mirror images, so a mirrored image has
the same statistics bit by bit, and matching commutes with flips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown
from isocortex.stimuli.image_files import grey

MODES = ("none", "mean", "mean_sd", "histogram")
BACKGROUND = 128 / 255

_GRID = (np.arange(1024) + 0.5) / 1024  # levels at which sorted luminances are averaged
_STEP = 1 / 255  # a luminance is spread over one step of an 8-bit display
_FLAT = 1e-6  # standard deviations below this are none
_SLACK = 0.003  # a little more than half a step, for images that were saved with 8 bits


@dataclass(frozen=True)
class Statistics:
    """Foreground luminance of each of n images; NaN where the mask is empty.

    Parameters
    ----------
    area : Tensor (n,)
        Covered share of the image.
    mean, sd : Tensor (n,)
        Weighted mean and (population) standard deviation.
    aspect : Tensor (n,)
        Width over height of the outline.
    sorted : Tensor (n, 1024)
        Sorted luminance at the levels 1/2048, 3/2048, ...; (n, 0) where it was not asked for.
    """

    area: Tensor
    mean: Tensor
    sd: Tensor
    aspect: Tensor
    sorted: Tensor


@dataclass(frozen=True)
class Target:
    """What every image of a set is matched to: averages over the set."""

    mode: str
    mean: float
    sd: float
    sorted: npt.NDArray[np.float64]


def match(
    images: Array, masks: Array, mode: str, *, background: float = BACKGROUND
) -> tuple[Array, Array]:
    """Match the foreground luminance of images over the set that they form.

    Parameters
    ----------
    images : array (n, c, h, w)
        Objects on a uniform background, in [0, 1]; c is 1 or 3. In colour images luminance is
        .2126 R + .7152 G + .0722 B, and its change is added to all channels.
    masks : array (n, 1, h, w)
        Coverage in [0, 1].
    mode : {"none", "mean", "mean_sd", "histogram"}
        ``mean`` shifts each image to the set's average mean; ``mean_sd`` also scales it to the
        set's average standard deviation, as lumMatch of SHINE (Willenbockel et al., Behav Res
        Methods 42:671-684, 2010) does within masks; ``histogram`` gives each image the average of
        the sorted luminances of the set, as its histMatch. Equal greys stay equal (they take the
        middle of their ranks), where histMatch parts them at random.
    background : float
        Grey level of the background.

    Returns
    -------
    images : array (n, c, h, w)
        Clipped to [0, 1]; same kind, dtype and device.
    clipped_share : array (n,)
        Share of the foreground that was clipped.

    Raises
    ------
    UserError
        For an unknown mode, shapes that do not fit, masks outside [0, 1], or images that do not
        show `background` where the mask says so.

    Notes
    -----
    An empty mask leaves its image as it is and counts for nothing in the averages; a uniform
    foreground has no contrast to scale, so only its mean is matched.
    """
    x, m = to_torch(images), to_torch(masks)
    matched, clipped = apply(x, m, target(x, m, mode, background=background), background=background)
    return like(matched, images), like(clipped, images)


def measure(
    images: Tensor, masks: Tensor, *, background: float = BACKGROUND, ranks: bool = False
) -> Statistics:
    """Measure the foreground of images (n, c, h, w) within masks (n, 1, h, w), in float64.

    `ranks` asks for the sorted luminances too.
    """
    foreground, m = _foreground(images, masks, background)
    y = grey(foreground)
    total = _sum(m)
    mean = _sum(m * y) / total
    sd = (_sum(m * (y - _each(mean)) ** 2) / total).sqrt()
    width, height = m.amax(-2).sum((-2, -1)), m.amax(-1).sum((-2, -1))
    levels = torch.empty(len(m), 0, dtype=torch.float64)
    if ranks:
        rows = [_sorted(*pixels) for pixels in _pixels(y, m)]
        levels = torch.from_numpy(np.array(rows).reshape(len(m), len(_GRID)))
    return Statistics(total / m[0].numel() if len(m) else total, mean, sd, width / height, levels)


def target(images: Tensor, masks: Tensor, mode: str, *, background: float = BACKGROUND) -> Target:
    """Return what a set is matched to in this mode."""
    check_mode(mode)
    found = measure(images, masks, background=background, ranks=mode == "histogram")
    return average(found, mode)


def joined(parts: Sequence[Statistics]) -> Statistics:
    """Put the statistics of batches of images one after another."""
    return Statistics(
        *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Statistics))
    )


def average(found: Statistics, mode: str) -> Target:
    """Average statistics over the images whose mask is not empty."""
    there = found.area > 0
    return Target(
        mode if bool(there.any()) else "none",
        float(found.mean[there].mean()),
        float(found.sd[there].mean()),
        found.sorted[there.cpu()].mean(0).numpy(),
    )


def apply(
    images: Tensor, masks: Tensor, to: Target, *, background: float = BACKGROUND
) -> tuple[Tensor, Tensor]:
    """Match images to a target, each by itself; see `match` for what comes back."""
    if to.mode == "none" or len(images) == 0:
        return images, torch.zeros(len(images), dtype=torch.float64, device=images.device)
    foreground, m = _foreground(images, masks, background)
    y = grey(foreground)
    if to.mode == "histogram":
        new = torch.zeros_like(y)
        for k, (values, weights) in enumerate(_pixels(y, m)):
            rank = _cumulative(*_ordered(values, weights), values)
            new[k][m[k] > 0] = torch.from_numpy(np.interp(rank, _GRID, to.sorted)).to(y.device)
    else:
        found = measure(images, masks, background=background)
        gain = torch.ones_like(found.sd)
        if to.mode == "mean_sd":
            gain = torch.where(found.sd > _FLAT, to.sd / found.sd, gain)
        new = (y - _each(found.mean)) * _each(gain) + to.mean
    wanted = foreground + (new - y)
    beyond = ((wanted < -_FLAT) | (wanted > 1 + _FLAT)).any(1, keepdim=True)
    shown = m * wanted.clamp(0, 1) + (1 - m) * background
    matched = torch.where(m > 0, shown.to(images.dtype).clamp(0, 1), images)
    clipped = torch.nan_to_num(_sum(torch.where(beyond, m, 0)) / _sum(m), nan=0.0)
    return matched, clipped


def check_mode(mode: str) -> None:
    """Raise `UserError` if there is no such way of matching."""
    if mode not in MODES:
        raise unknown("luminance matching", mode, MODES)


def _foreground(images: Tensor, masks: Tensor, background: float) -> tuple[Tensor, Tensor]:
    """Return foreground (n, c, h, w) and coverage (n, 1, h, w) in float64."""
    if images.ndim != 4 or masks.shape != (len(images), 1, *images.shape[2:]):
        raise UserError(
            f"images {tuple(images.shape)} and masks {tuple(masks.shape)} do not fit; give "
            "(n, c, h, w) and (n, 1, h, w)"
        )
    m, x = masks.double(), images.double()
    if not bool(((m >= 0) & (m <= 1)).all()):
        raise UserError("a mask has values outside [0, 1]; give the covered share of each pixel")
    covered = x - (1 - m) * background
    wrong = ((covered < -_SLACK) | (covered > m + _SLACK)).flatten(1).any(1)
    if bool(wrong.any()):
        raise UserError(
            f"image {int(wrong.nonzero()[0])} does not show the background {background:.4g} where "
            "its mask says so; give the right background or mask"
        )
    return torch.where(m > 0, covered / m.clamp(min=1e-12), 0).clamp(0, 1), m


def _sum(x: Tensor) -> Tensor:
    """Sum (n, 1, h, w) over pixels, the same bit by bit for mirrored images."""
    folded = x + x.flip(-1)
    return (folded + folded.flip(-2)).sum((-3, -2, -1)) / 4


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _pixels(y: Tensor, m: Tensor) -> list[tuple[npt.NDArray, npt.NDArray]]:
    """Return luminance and coverage of the covered pixels of each image, in reading order."""
    return [(y[k][m[k] > 0].cpu().numpy(), m[k][m[k] > 0].cpu().numpy()) for k in range(len(m))]


def _ordered(values: npt.NDArray, weights: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    """Sort luminances; equal ones by weight, so that no trace of their places is left."""
    order = np.lexsort((weights, values))
    return values[order], weights[order] / weights[order].sum()


def _cumulative(values: npt.NDArray, weights: npt.NDArray, at: npt.NDArray) -> npt.NDArray:
    """Cumulative distribution of sorted luminances, each spread over one 8-bit step, at points.

    The mean of the step function over [y - h/2, y + h/2]: continuous, so rounding does not part
    equal greys, and at a grey that many pixels share it is the middle of their ranks.
    """
    mass = np.concatenate([[0], np.cumsum(weights)])
    moment = np.concatenate([[0], np.cumsum(weights * values)])

    def integral(y: npt.NDArray) -> npt.NDArray:
        below = np.searchsorted(values, y, side="right")
        return mass[below] * y - moment[below]

    return (integral(at + _STEP / 2) - integral(at - _STEP / 2)) / _STEP


def _sorted(values: npt.NDArray, weights: npt.NDArray) -> npt.NDArray:
    """Return the luminance at each level of `_GRID`: the inverse of `_cumulative`."""
    if len(values) == 0:
        return np.full(len(_GRID), np.nan)
    ordered, weights = _ordered(values, weights)
    corners = np.unique(np.concatenate([ordered - _STEP / 2, ordered + _STEP / 2]))
    return np.interp(_GRID, _cumulative(ordered, weights, corners), corners)
