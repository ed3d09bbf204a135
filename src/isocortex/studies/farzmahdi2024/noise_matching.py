"""Layers measured as noisily as the recorded neurons (specification 5.3, 8).

The index falls with noise towards its baseline; a noiseless layer must not be compared with a
recording. Random units are given Gaussian noise until their RDMs are as reliable as the recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson
from isocortex.measures.reliability import spearman_brown
from isocortex.measures.symmetry import zscore
from isocortex.measures.viewpoint import mirror_symmetry_index, view_rdm

_STEPS = 14


@dataclass(frozen=True)
class NoiseMatched:
    """The index of a layer at the reliability of a recording.

    Attributes
    ----------
    indices : array, shape (draws,)
        Median index over heads, for each draw of units and noise.
    reliability : float
        What was reached: median over heads, halves of the noise, Spearman-Brown.
    noise_sd : float
        In standard deviations of the units.
    n_units : int
        Units drawn; all of them where the layer has fewer than were asked for.
    """

    indices: np.ndarray
    reliability: float
    noise_sd: float
    n_units: int


def noise_matched_index(
    responses: Array,
    reliability: float,
    *,
    n_units: int = 129,
    n_draws: int = 100,
    seed: int = 0,
) -> NoiseMatched:
    """Index of random units with as much noise as makes their RDMs as reliable as recorded ones.

    Parameters
    ----------
    responses : array, shape (heads, views, units)
        One layer; an odd number of views.
    reliability : float
        Target, between 0 and 1: reliability (b) of the recording, over halves of the trials.
    n_units : int
        Neurons of the recording.
    n_draws : int
        Draws of units and noise.
    seed : int
        Seed of the draws.

    Returns
    -------
    NoiseMatched
        With a noise of standard deviation s a half of the trials has ``sqrt(2) s``; s is found by
        bisection with the same noise patterns throughout.

    Raises
    ------
    UserError
        If the target is not between 0 and 1, or fewer than two units vary.
    """
    if not 0 < reliability < 1:
        raise UserError(f"reliability {reliability} is not between 0 and 1; nothing to match")
    heads, views, _ = responses.shape
    z, kept = zscore(to_torch(responses).float().reshape(heads * views, -1))
    z = z[:, kept]
    if z.shape[1] < 2:
        raise UserError(f"only {z.shape[1]} units of the layer vary; an RDM needs at least 2")
    n_units = min(n_units, z.shape[1])
    rng = np.random.default_rng(seed)
    chosen = np.stack([rng.choice(z.shape[1], n_units, replace=False) for _ in range(n_draws)])
    units = z[:, torch.from_numpy(chosen)].transpose(0, 1).reshape(n_draws, heads, views, n_units)
    noise = torch.from_numpy(rng.standard_normal((2, *units.shape), dtype=np.float32))

    def reached(log_sd: float) -> float:
        a, b = (_distances(units + 2**0.5 * np.exp(log_sd) * half) for half in noise)
        return float(spearman_brown(pearson(a, b).mean(dim=0)).median())

    low, high = np.log(1e-3), np.log(1e2)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) > reliability else (low, middle)
    sd = float(np.exp((low + high) / 2))
    whole = units + sd * (noise[0] + noise[1]) / 2**0.5
    indices = mirror_symmetry_index(view_rdm(whole)).median(dim=1).values
    return NoiseMatched(indices.numpy(), reached(np.log(sd)), sd, n_units)


def _distances(x: Tensor) -> Tensor:
    j, k = torch.triu_indices(x.shape[-2], x.shape[-2], 1)
    return view_rdm(x)[..., j, k]
