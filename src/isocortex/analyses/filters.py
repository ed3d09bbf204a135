"""The filters of any first layer as receptive fields: Gabors, their surrogates, their colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from isocortex.arrays import Array
from isocortex.errors import UserError, unknown
from isocortex.measures import tuning
from isocortex.measures.receptive_fields import fit_gabor, gabor_null
from isocortex.measures.receptive_fields.nulls import noise
from isocortex.recording.devices import usable_device

FEWEST = 8
"""Retained filters below which nothing is concluded about lateral connections."""

COLOUR = 0.3
"""Share of a filter's energy outside its principal colour above which it counts as coloured."""

CONTROL_BLUR = 1 / 7
"""Blur of the random filters of the control, in units of their side: one pixel at 7 x 7."""

_CV_ANGLES = 36
"""Directions of gratings, 5 degrees apart."""


def first_layer(network: nn.Module, layer: str | None = None) -> tuple[str, Tensor]:
    """Return name and filters (F, C, s, s) of a convolution that looks at the image.

    Parameters
    ----------
    network : nn.Module
    layer : str, optional
        Dotted path; the first convolution with square filters of at least 5 px unless given.

    Raises
    ------
    UserError
        If there is no such layer, or its filters are not square of at least 5 px.
    """
    convs = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    if layer is None:
        fitting = [n for n, m in convs.items() if m.kernel_size[0] >= 5 and m.groups == 1]
        if not fitting:
            raise UserError("the network has no convolution with filters of 5 px or more")
        layer = fitting[0]
    if layer not in convs:
        raise unknown("convolution", layer, convs)
    conv = convs[layer]
    if conv.groups != 1:
        raise UserError(f"{layer} has {conv.groups} groups; its filters do not see all channels")
    return layer, checked_filters(layer, conv.weight.detach().cpu())


def checked_filters(name: str, filters: Tensor) -> Tensor:
    """Return filters (F, C, s, s), s at least 5, or say what is wrong with them."""
    if filters.ndim != 4 or filters.shape[-1] != filters.shape[-2] or filters.shape[-1] < 5:
        raise UserError(
            f"{name} has filters of shape {tuple(filters.shape)}; this needs (filters, channels, "
            "side, side), square and of 5 px or more"
        )
    if not bool(torch.isfinite(filters).all()):
        raise UserError(f"{name} has weights that are not finite; load an intact checkpoint")
    return filters


def principal_colour(filters: Tensor) -> tuple[Tensor, Tensor]:
    """Split filters over colour channels into a spatial filter and what it leaves out.

    Each filter, as a matrix channels x pixels, is approximated by its first singular pair.

    Parameters
    ----------
    filters : Tensor
        (F, C, s, s).

    Returns
    -------
    component : Tensor
        (F, s, s): the first right singular vector times its value; its sign is such that the
        channels enter with a sum that is not negative.
    outside : Tensor
        (F,): share of the energy outside, 0 for a filter of one colour or of one channel; 0 for a
        filter that is zero.
    """
    n, c, s, _ = filters.shape
    u, d, v = torch.linalg.svd(filters.double().reshape(n, c, s * s), full_matrices=False)
    sign = torch.where(u[:, :, 0].sum(1) < 0, -1.0, 1.0)
    energy = d.square().sum(1)
    outside = 1 - d[:, 0].square() / torch.where(energy > 0, energy, 1.0)
    component = (sign * d[:, 0])[:, None] * v[:, 0]
    return component.reshape(n, s, s), torch.where(energy > 0, outside, 0.0)


def fit_filters(
    filters: np.ndarray,
    *,
    outside: np.ndarray | None = None,
    surrogates: int = 20,
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """Fit Gabors to filters and to surrogates of each, and say which are retained.

    Parameters
    ----------
    filters : numpy.ndarray
        (F, s, s).
    outside : numpy.ndarray, optional
        (F,) share of energy outside the principal colour; coloured filters are not retained.
    surrogates : int
        Copies of each filter with random phases.
    seed : int
        Of the surrogates.
    device : str
        Where Gabors are fitted.

    Returns
    -------
    pandas.DataFrame
        One row a filter: `unit`, `r`, `surrogate_r` and `surrogate_95` (mean and 95 % level over
        its surrogates), `gain` (r - surrogate_r), `orientation` (deg, contour), `frequency`
        (cycles/px), `phase` (deg), `sigma_u`, `sigma_v`, `x`, `y` (px), `n_x`, `n_y`, `odd`,
        `circular_variance`, `bandwidth` (deg, half-width at 1 / sqrt(2)), `outside`, `retained`.
    """
    bank = torch.from_numpy(filters.astype(np.float64)).to(usable_device(device))
    fit = fit_gabor(bank)
    null = np.asarray(gabor_null(bank, "phase", surrogates, seed).cpu())

    def plain(values: Array) -> np.ndarray:
        return np.asarray(values.cpu() if isinstance(values, Tensor) else values)

    share = np.zeros(len(filters)) if outside is None else np.asarray(outside)
    table = pd.DataFrame(
        {
            "unit": np.arange(len(filters)),
            "r": plain(fit.r),
            "surrogate_r": null.mean(axis=0),
            "surrogate_95": np.quantile(null, 0.95, axis=0),
            "gain": plain(fit.r) - null.mean(axis=0),
            "orientation": plain(fit.orientation_deg),
            "frequency": plain(fit.frequency),
            "phase": plain(fit.phase_deg),
            "sigma_u": plain(fit.sigma_u),
            "sigma_v": plain(fit.sigma_v),
            "x": plain(fit.x),
            "y": plain(fit.y),
            "n_x": plain(fit.n_x),
            "n_y": plain(fit.n_y),
            "odd": plain(fit.odd),
        }
    )
    table["circular_variance"], table["bandwidth"] = filter_tuning(
        filters, table["frequency"].to_numpy()
    )
    table["outside"] = share
    table["retained"] = plain(fit.retained) & (share <= COLOUR)
    return table


def grating_answers(filters: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return the amplitude of each filter's answer to drifting gratings of its own frequency.

    Parameters
    ----------
    filters : numpy.ndarray
        (F, s, s).
    frequency : numpy.ndarray
        (F,) cycles per pixel; NaN gives NaN.

    Returns
    -------
    numpy.ndarray
        (F, 36) for directions of the wave vector of 0, 5, ... 175 degrees.
    """
    side = filters.shape[-1]
    theta = np.arange(_CV_ANGLES) * np.pi / _CV_ANGLES
    place = np.arange(side) - (side - 1) / 2
    k = 2 * np.pi * frequency[:, None]
    wave_x, wave_y = k * np.cos(theta), k * np.sin(theta)
    # Separable: exp(i kx x) exp(-i ky y) for each filter and orientation.
    columns = np.exp(1j * wave_x[..., None] * place)
    rows = np.exp(-1j * wave_y[..., None] * place)
    answer: np.ndarray = np.abs(np.einsum("fab,fta,ftb->ft", filters, rows, columns))
    return answer


def filter_tuning(filters: np.ndarray, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how sharply filters are tuned to orientation, by `measures.tuning`.

    Parameters
    ----------
    filters, frequency
        As in `grating_answers`.

    Returns
    -------
    circular_variance : numpy.ndarray
        (F,) in [0, 1]: 0 answers one orientation alone, 1 all alike; NaN without a frequency.
    bandwidth : numpy.ndarray
        (F,) half-width in degrees; NaN where the answers do not fall to 1 / sqrt(2) of the largest.
    """
    answer = grating_answers(filters, frequency)
    defined = np.isfinite(answer).all(axis=1)
    answer = np.where(defined[:, None], answer, 0.0)
    angles = np.arange(_CV_ANGLES) * (180 / _CV_ANGLES)
    variance, width = tuning.circular_variance(answer, angles), tuning.bandwidth(answer, angles)
    return np.where(defined, variance, np.nan), np.where(defined, width, np.nan)


@dataclass(frozen=True)
class Chosen:
    """The units whose lateral connections are looked at.

    Attributes
    ----------
    units : numpy.ndarray
        Their numbers.
    enough : bool
        Whether they are retained ones, and at least `FEWEST`. If not, they are those with the best
        fits, and what is measured on them is shown but not concluded from.
    """

    units: np.ndarray
    enough: bool


def choose(table: pd.DataFrame, fewest: int = FEWEST) -> Chosen:
    """Return the retained units of a table of `fit_filters`, or the best fits if they are few."""
    retained = table.loc[table["retained"], "unit"].to_numpy(copy=True)
    if len(retained) >= fewest:
        return Chosen(retained, True)
    defined = table.dropna(subset=["r"])
    best = defined.nlargest(min(fewest, len(defined)), "r")["unit"].to_numpy()
    return Chosen(np.sort(best), False)


def blurred_filters(n: int, side: int, *, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Return blurred random filters that a Gabor happens to describe.

    The control of filter-induced connections: as many filters of noise as asked for, each with
    r >= 0.8, so that they pass the same selection as the filters of a network.

    Parameters
    ----------
    n, side : int
    seed : int

    Returns
    -------
    filters : numpy.ndarray
        (n, side, side).
    table : pandas.DataFrame
        `unit`, `r`, `orientation`, `phase`.

    Raises
    ------
    UserError
        If noise of this size hardly ever looks like a Gabor.
    """
    kept: list[np.ndarray] = []
    rows: list[pd.DataFrame] = []
    for attempt in range(_MOST_BATCHES):
        drawn = noise(4 * n, side, blur=CONTROL_BLUR * side, seed=seed * _MOST_BATCHES + attempt)
        fit = fit_gabor(drawn)
        good = fit.retained
        kept.append(drawn[good])
        rows.append(
            pd.DataFrame({"r": fit.r, "orientation": fit.orientation_deg, "phase": fit.phase_deg})[
                good
            ]
        )
        if sum(map(len, kept)) >= n:
            table = pd.concat(rows, ignore_index=True)[:n]
            table.insert(0, "unit", np.arange(n))
            return np.concatenate(kept)[:n], table
    raise UserError(
        f"blurred noise of {side} px hardly ever looks like a Gabor; take larger filters"
    )


_MOST_BATCHES = 50
