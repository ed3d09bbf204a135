"""Simulated populations whose signal and noise are known: ground truth for ceilings and scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from isocortex.brains.assembly import Assembly, Card
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet, image_files

_BATCH = 256
_WIDTH = 0.7
"""Standard deviation of a Gabor's envelope in wavelengths across; V1 cells have about 0.5 to 1."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """A population that was made, and what a perfect model of it would know.

    Attributes
    ----------
    assembly : Assembly
        Noisy trials, as a recording would have them.
    expected : numpy.ndarray, shape (presentations, neuroids)
        Responses without noise.
    noise : numpy.ndarray, shape (presentations, neuroids)
        Variance of a single trial about them.
    """

    assembly: Assembly
    expected: np.ndarray
    noise: np.ndarray

    def explainable_variance(self, repetitions: int = 1) -> np.ndarray:
        """Share of the variance of a mean over repetitions that is signal, shape (neuroids,).

        ``S / (S + N / k)``: S is the variance of `expected` over presentations (unbiased), N the
        mean of `noise`, k the number of repetitions. NaN without signal and noise.
        """
        signal = self.expected.var(axis=0, ddof=1)
        total = signal + self.noise.mean(axis=0) / repetitions
        return signal / np.where(total > 0, total, np.nan)

    def ceiling(self, repetitions: int = 1) -> np.ndarray:
        """Correlation of a perfect prediction with a mean over repetitions: the square root."""
        return np.sqrt(self.explainable_variance(repetitions))


def v1_population(
    stimuli: StimulusSet,
    *,
    simple: int = 16,
    complex_: int = 16,
    repetitions: int = 10,
    spikes: float = 5.0,
    cycles: tuple[float, float] = (2.0, 8.0),
    exponent: float = 1.0,
    normalisation: float | None = None,
    seed: int = 0,
) -> Simulation:
    """Show stimuli to simple and complex cells that fire Poisson spikes.

    A simple cell is a half-wave rectified Gabor filter ``max(0, <g, x>)``, a complex cell the
    energy ``sqrt(<g, x>^2 + <g', x>^2)`` of two in quadrature. Filters have no response to a
    uniform image. With d such a drive, divided by its mean over stimuli, the rate is ``d^k`` with
    the exponent k or, normalised, ``d^k / (s^k + mean over cells of d^k)`` (Heeger 1992). Rates are
    scaled so that each cell fires `spikes` a trial on average.

    Parameters
    ----------
    stimuli : StimulusSet
        What is shown; colours are turned into luminance.
    simple, complex_ : int
        Numbers of cells.
    repetitions : int
        Trials of each stimulus.
    spikes : float
        Mean spike count of each cell in a trial.
    cycles : (float, float)
        Range of preferred spatial frequency in cycles per image width, drawn evenly in octaves.
    exponent : float
        k, above 0.
    normalisation : float, optional
        s, the drive at half saturation in units of the mean drive; none leaves rates undivided.
    seed : int
        Seed of cells and spikes.

    Returns
    -------
    Simulation
        The unit table says each cell's ``kind``, ``orientation`` (of the contour, degrees,
        counter-clockwise from horizontal), ``cycles`` per image width, ``phase`` (degrees, 0 =
        even) and centre ``x``, ``y`` (image widths from the middle; y downwards).

    Raises
    ------
    UserError
        If a number cannot be, or a cell answers none of the stimuli.
    """
    _check(simple + complex_, repetitions, len(stimuli))
    if not (spikes > 0 and 0 < cycles[0] <= cycles[1]):
        raise UserError(f"need spikes > 0 and 0 < cycles, in order, not {spikes} and {cycles}")
    if not exponent > 0 or (normalisation is not None and not normalisation > 0):
        raise UserError(f"need exponent and normalisation above 0: {exponent}, {normalisation}")
    rng = np.random.default_rng(seed)
    n = simple + complex_
    units = pd.DataFrame(
        {
            "neuroid_id": [f"v1/{i}" for i in range(n)],
            "kind": ["simple"] * simple + ["complex"] * complex_,
            "region": "V1",
            "orientation": rng.uniform(0, 180, n),
            "cycles": np.exp(rng.uniform(math.log(cycles[0]), math.log(cycles[1]), n)),
            "phase": rng.uniform(0, 360, n),
            "x": rng.uniform(-0.2, 0.2, n),
            "y": rng.uniform(-0.2, 0.2, n),
        }
    )
    _, h, w = stimuli.shape
    even, odd = (torch.from_numpy(_gabors(units, h, w, turn)).flatten(1) for turn in (0.0, 90.0))
    drive = []
    for images in stimuli.batches(_BATCH):
        x = image_files.grey(images).flatten(1).double().cpu()
        a, b = x @ even.T, x @ odd.T
        drive.append(torch.cat([a[:, :simple].relu(), torch.hypot(a, b)[:, simple:]], dim=1))
    expected = torch.cat(drive).numpy()
    mean = expected.mean(axis=0)
    if not (mean > 1e-9).all():
        raise UserError(
            f"cell {units['neuroid_id'][int(np.argmin(mean))]!r} answers none of the stimuli; show "
            "more of them, with contrast near the middle"
        )
    if exponent != 1 or normalisation is not None:
        expected = (expected / mean) ** exponent
        if normalisation is not None:
            expected /= normalisation**exponent + expected.mean(axis=1, keepdims=True)
        mean = expected.mean(axis=0)
    expected *= spikes / mean
    trials = rng.poisson(expected, (repetitions, *expected.shape)).astype(np.float64)
    card = Card("simulated V1", "simple and complex cells with Poisson spikes", "none needed")
    return Simulation(
        Assembly(trials=trials, units=units, stimuli=stimuli, card=card.noting(seed=seed)),
        expected,
        expected,
    )


def it_population(
    features: np.ndarray,
    *,
    neuroids: int = 50,
    repetitions: int = 10,
    explainable: float = 0.5,
    share: float = 0.2,
    stimuli: StimulusSet | None = None,
    seed: int = 0,
) -> Simulation:
    """Read neurons out of a teacher's features at random, with Gaussian noise.

    Each neuroid is a random weighting of a random `share` of the features (z-scored), scaled to
    unit variance over presentations; noise of variance ``1 / explainable - 1`` is added to every
    trial, so that `explainable` is the share of a single trial's variance that is signal.

    Parameters
    ----------
    features : numpy.ndarray, shape (presentations, features)
        What the teacher says of each stimulus. Constant features are passed over.
    neuroids, repetitions : int
        Numbers of neuroids, and of trials of each stimulus.
    explainable : float
        In [0, 1]; 0 gives pure noise of unit variance, whatever the features.
    share : float
        Share of the features that a neuroid listens to, at least one.
    stimuli : StimulusSet, optional
        The images that the features are of.
    seed : int
        Seed of weights and noise.

    Raises
    ------
    UserError
        If a number cannot be, or no feature varies.
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise UserError(f"features {x.shape} must be finite numbers (presentations, features)")
    _check(neuroids, repetitions, len(x))
    if not (0 <= explainable <= 1 and 0 < share <= 1):
        raise UserError(f"explainable is {explainable} and share {share}; both lie between 0 and 1")
    spread = x.std(axis=0)
    varying = spread > 1e-12 * np.abs(x).max(axis=0, initial=0)
    if not varying.any():
        raise UserError("no feature varies over the presentations; show different stimuli")
    rng = np.random.default_rng(seed)
    z = (x[:, varying] - x[:, varying].mean(axis=0)) / spread[varying]
    p = z.shape[1]
    listens = rng.random((p, neuroids)).argsort(axis=0) < max(1, round(share * p))
    expected = z @ (rng.normal(size=(p, neuroids)) * listens)
    expected /= expected.std(axis=0, ddof=1)
    noise = 1 / explainable - 1 if explainable else 1.0
    expected *= float(explainable > 0)
    trials = expected + math.sqrt(noise) * rng.normal(size=(repetitions, *expected.shape))
    units = pd.DataFrame({"neuroid_id": [f"it/{i}" for i in range(neuroids)]})
    card = Card("simulated IT", "random readouts of a teacher with Gaussian noise", "none needed")
    return Simulation(
        Assembly(
            trials=trials,
            units=units.assign(region="IT"),
            stimuli=stimuli,
            card=card.noting(seed=seed, explainable=explainable),
        ),
        expected,
        np.full_like(expected, noise),
    )


def voxel_population(
    cells: Simulation,
    *,
    voxels: int = 50,
    reach: float = 0.1,
    repetitions: int = 10,
    explainable: float = 0.3,
    seed: int = 0,
) -> Simulation:
    """Pool cells over their neighbours, as a voxel of functional imaging does, with Gaussian noise.

    The signal of a voxel is ``sum_u w_u r_u / sum_u w_u`` over cells, r_u the rate of a cell over
    its mean, ``w_u = exp(-d^2 / 2 reach^2)`` with the distance d of the centres of their receptive
    fields; it is scaled to unit variance over presentations, and noise of variance
    ``1 / explainable - 1`` is added to every trial.

    Parameters
    ----------
    cells : Simulation
        Of `v1_population`, whose unit table gives the centres x, y.
    voxels, repetitions : int
        Numbers of voxels, and of trials of each stimulus.
    reach : float
        In image widths.
    explainable : float
        Above 0, at most 1: share of a single trial's variance that is signal.
    seed : int
        Seed of places and noise.

    Raises
    ------
    UserError
        If a number cannot be, the cells have no places, or a voxel does not vary.
    """
    _check(voxels, repetitions, len(cells.expected))
    if not (0 < explainable <= 1 and reach > 0):
        raise UserError(f"explainable is {explainable} and reach {reach}; give both above 0")
    units = cells.assembly.units
    if not {"x", "y"} <= set(units):
        raise UserError("the cells have no places x, y; pool those of v1_population")
    rng = np.random.default_rng(seed)
    place = rng.uniform(-0.2, 0.2, (voxels, 2))
    away = place[:, None] - units[["x", "y"]].to_numpy()[None]
    weights = np.exp(-np.square(away).sum(axis=-1) / (2 * reach**2))
    weights /= weights.sum(axis=1, keepdims=True)
    signal = cells.expected / cells.expected.mean(axis=0) @ weights.T
    spread = signal.std(axis=0, ddof=1)
    if not (spread > 0).all():
        raise UserError("a voxel does not vary over the stimuli; show different stimuli")
    expected = (signal - signal.mean(axis=0)) / spread
    noise = 1 / explainable - 1
    trials = expected + math.sqrt(noise) * rng.normal(size=(repetitions, *expected.shape))
    table = pd.DataFrame({"neuroid_id": [f"voxel/{i}" for i in range(voxels)], "region": "V1"})
    card = Card("simulated voxels", "V1 cells pooled over neighbours", "none needed")
    return Simulation(
        Assembly(
            trials=trials,
            units=table.assign(x=place[:, 0], y=place[:, 1]),
            stimuli=cells.assembly.stimuli,
            card=card.noting(seed=seed, explainable=explainable),
        ),
        expected,
        np.full_like(expected, noise),
    )


def _gabors(units: pd.DataFrame, h: int, w: int, turn: float) -> np.ndarray:
    """Return filters (n, h, w) without response to a uniform image, `turn` degrees out of phase."""
    y, x = ((np.arange(s) + 0.5 - s / 2) / w for s in (h, w))
    dx = x[None, None, :] - units["x"].to_numpy()[:, None, None]
    dy = y[None, :, None] - units["y"].to_numpy()[:, None, None]
    angle = np.deg2rad(units["orientation"].to_numpy())[:, None, None]
    cycles = units["cycles"].to_numpy()[:, None, None]
    phase = np.deg2rad(units["phase"].to_numpy() + turn)[:, None, None]
    across = dx * np.sin(angle) + dy * np.cos(angle)
    envelope = np.exp(-(dx**2 + dy**2) * cycles**2 / (2 * _WIDTH**2))
    wave = np.cos(2 * np.pi * cycles * across - phase)
    level = (envelope * wave).sum(axis=(1, 2), keepdims=True)
    return envelope * (wave - level / envelope.sum(axis=(1, 2), keepdims=True))


def _check(neuroids: int, repetitions: int, presentations: int) -> None:
    if neuroids < 1 or repetitions < 1 or presentations < 2:
        raise UserError(
            f"a population of {neuroids} neuroids, {repetitions} repetitions of {presentations} "
            "stimuli cannot be simulated; give at least 1, 1 and 2"
        )
