"""Kernels of the contour processes that co-occurrence of edges is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from isocortex.measures.se2 import (
    Grid,
    diffusion_kernel,
    direction_kernel,
    symmetrise,
    without_polarity,
)

FAMILIES = ("direction", "diffusion")
SIGMAS, DECAYS = (0.015, 0.4), (0.03, 0.06, 0.12, 0.24)
"""Range of the direction process's turning in rad / sqrt(px), and its decays in 1 / px."""

TURNS, REACHES = (0.05, 1.6), (5.6, 8.0, 11.0, 16.0)
"""Range of diffusion's turning in rad at t = 1, and how far it goes along contours in px."""

N_ALPHA, RADIUS = 72, 20
"""Relative directions over 360 degrees, and largest distance in pixels, of all histograms."""


@dataclass(frozen=True)
class Family:
    """Kernels of one process on the grid of the histograms, with their parameters."""

    parameters: pd.DataFrame
    kernels: np.ndarray

    @property
    def turning(self) -> np.ndarray:
        """How fast contours turn: the parameter that runs fastest over the kernels."""
        name = "sigma" if "sigma" in self.parameters else "s2"
        return self.parameters[name].to_numpy(dtype=float)

    def best(self, r: np.ndarray) -> tuple[int, float]:
        """Return the kernel that agrees best, and its turning between the candidates.

        Parameters
        ----------
        r : numpy.ndarray
            (kernels,) agreements; NaN where undefined.

        Returns
        -------
        number : int
        turning : float
            At the top of the parabola through the best and its neighbours of the same range, over
            the logarithm of the turning; that of the best itself where one is missing.
        """
        if not np.isfinite(r).any():
            return 0, float("nan")
        k = int(np.nanargmax(r))
        turning = self.turning
        around = slice(k - 1, k + 2)
        near = np.log(turning[around]) if k else np.empty(0)
        if len(near) < 3 or (np.diff(near) <= 0).any() or not np.isfinite(r[around]).all():
            return k, float(turning[k])
        curve = np.polynomial.Polynomial.fit(near, r[around], 2).convert().coef
        slope, bend = curve[1:] if len(curve) == 3 else (0.0, 0.0)
        top = np.clip(-slope / (2 * bend), near[0], near[2]) if bend < 0 else near[1]
        return k, float(np.exp(top))

    def at_end(self, number: int) -> bool:
        """Whether a parameter of a kernel is the least or greatest: better ones may lie beyond."""
        ends = self.parameters.agg(["min", "max"])
        return bool((self.parameters.loc[number] == ends).to_numpy().any())


def contour_candidates(candidates: int) -> dict[str, list[dict[str, float]]]:
    """Return the parameters of both processes that are tried, as many of each.

    `candidates` widths of turning, equally spaced in their logarithm in the middle of as many parts
    of the range, each with four decays or reaches.
    """
    share = (np.arange(candidates) + 0.5) / candidates
    sigmas, turns = ((low * (high / low) ** share).round(4) for low, high in (SIGMAS, TURNS))
    return {
        "direction": [{"sigma": float(s), "decay": d} for d in DECAYS for s in sigmas],
        "diffusion": [{"s1": s1, "s2": float(s2)} for s1 in REACHES for s2 in turns],
    }


@lru_cache(maxsize=1)
def contour_families(candidates: int) -> dict[str, Family]:
    """Return symmetrised kernels over orientations, of the candidates of both processes."""
    grid = Grid(side=2 * RADIUS + 1, n_theta=N_ALPHA)
    make: dict[str, Callable[..., np.ndarray]] = {
        "direction": lambda p: direction_kernel(grid, sigma=p["sigma"], decay=p["decay"]),
        "diffusion": lambda p: diffusion_kernel(grid, 1.0, s1=p["s1"], s2=p["s2"]),
    }
    return {
        name: Family(
            pd.DataFrame(tried),
            np.stack([np.asarray(without_polarity(symmetrise(make[name](p)))) for p in tried]),
        )
        for name, tried in contour_candidates(candidates).items()
    }
