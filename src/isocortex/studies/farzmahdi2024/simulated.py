"""Simulated populations of known tuning: what the index says when the answer is known (F23)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from isocortex.execution import Step
from isocortex.measures import viewpoint

KINDS = ("mirror", "invariant", "view")
N_UNITS = 200
N_OBJECTS = 25
N_VIEWS = 9
TUNING_WIDTH = 30.0
NOISE = 0.5


def population(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draw responses (objects, views, units) of one kind of units, with independent noise.

    A unit is ``a_o t(yaw) + noise``, a_o standard normal over objects. View units have a Gaussian
    bump t of 30 deg about a preferred yaw uniform in -90..90; mirror units the sum of such a bump
    and its mirror image; invariant units t = 1. The tuning curves of units have variance 1 over
    views (invariant ones mean square 1); the noise has standard deviation 0.5.

    Parameters
    ----------
    kind : {"mirror", "invariant", "view"}
    rng : numpy.random.Generator
    """
    yaw = np.linspace(-90, 90, N_VIEWS)
    preferred = rng.uniform(-90, 90, N_UNITS)
    bump = np.exp(-0.5 * ((yaw[:, None] - preferred) / TUNING_WIDTH) ** 2)
    if kind == "invariant":
        tuning = np.ones_like(bump)
    else:
        if kind == "mirror":
            bump = bump + bump[::-1]
        tuning = (bump - bump.mean(axis=0)) / bump.std(axis=0)
    gain = rng.standard_normal((N_OBJECTS, 1, N_UNITS))
    noise = NOISE * rng.standard_normal((N_OBJECTS, N_VIEWS, N_UNITS))
    return gain * tuning + noise


class Simulate(Step):
    """Measure the index of simulated populations; one row a seed, kind and object."""

    seeds: int

    def compute(self) -> pd.DataFrame:
        """Draw the populations and measure them."""
        parts = []
        for seed in range(self.seeds):
            for kind in KINDS:
                rng = np.random.default_rng([seed, KINDS.index(kind)])
                rdm = viewpoint.view_rdm(torch.from_numpy(population(kind, rng)))
                exact = viewpoint.mirror_symmetry_index(rdm).numpy()
                parts.append(
                    pd.DataFrame(
                        {"seed": seed, "kind": kind, "object": range(N_OBJECTS), "exact": exact}
                    )
                )
        return pd.concat(parts, ignore_index=True)
