"""Which sigma the edges of contours of known sigma give back: how to read that of photographs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from isocortex.execution import Step, tick
from isocortex.measures.cooccurrence import EdgeList, centred_correlation, detect_edges
from isocortex.stimuli.contours import contour_image, direction_paths
from isocortex.studies.bertoni2021.contour_models import contour_families
from isocortex.studies.bertoni2021.contours import DISTANCES, cooccurrence

SIGMAS = (0.025, 0.05, 0.1, 0.2, 0.4)
"""Known values in rad / sqrt(px)."""

EDGES, RENDERED = "edge lists", "rendered"
_SIDE, _CONTOURS, _PATHS, _STEPS, _APART = 240, 12, 150, 80, 250.0


class Calibrate(Step):
    """Draw contours of known sigma, as lists of edges and as images, and fit the direction process.

    Edge lists tell what the counting and the fit make of sigma; images also what the detection of
    edges makes of it.
    """

    VERSION: ClassVar[str] = "1"
    candidates: int
    images: int
    repeats: int

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return "contours of known sigma"

    def compute(self) -> pd.DataFrame:
        """Return `kind`, `sigma`, `repeat`, `r_min`, `r_max`, `found`, `r`, `at_end`."""
        family = contour_families(self.candidates)["direction"]
        total, done = 2 * len(SIGMAS) * self.repeats, 0
        rows: list[dict[str, Any]] = []
        for kind in (EDGES, RENDERED):
            for number, sigma in enumerate(SIGMAS):
                for repeat in range(self.repeats):
                    seed = (number * self.repeats + repeat) * self.images
                    h = self._counted(kind, sigma, seed)
                    for low, high in DISTANCES:
                        r = centred_correlation(family.kernels, h[None], low, high)
                        best, found = family.best(r)
                        row = {"kind": kind, "sigma": sigma, "repeat": repeat}
                        row |= {"r_min": low, "r_max": high, "found": found, "r": float(r[best])}
                        rows.append(row | {"at_end": family.at_end(best)})
                    done += 1
                    tick(done, total, f"{kind}, sigma {sigma:g}")
        return pd.DataFrame(rows)

    def _counted(self, kind: str, sigma: float, seed: int) -> np.ndarray:
        if kind == EDGES:
            return cooccurrence(contour_edges(_PATHS, sigma, seed))
        return np.sum(
            [
                cooccurrence(
                    detect_edges(
                        contour_image(sigma, seed + k, side=_SIDE, contours=_CONTOURS, length=_SIDE)
                    )
                )
                for k in range(self.images)
            ],
            axis=0,
        )


def contour_edges(n: int, sigma: float, seed: int, steps: int = _STEPS) -> EdgeList:
    """Return edges along n contours of the process, too far apart to be neighbours."""
    rng = np.random.default_rng(seed)
    x, y, theta = direction_paths(n, steps, sigma, rng)
    turn = rng.uniform(0, 2 * np.pi, (n, 1))
    bright = 180 * rng.integers(0, 2, (n, 1))
    ux, uy = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    ux = ux + _APART * np.arange(n)[:, None]
    direction = (np.rad2deg(theta + turn) + bright) % 360
    return EdgeList(ux.ravel(), uy.ravel(), direction.ravel(), np.ones(ux.size))


def calibrated(fits: pd.DataFrame, calibration: pd.DataFrame) -> pd.DataFrame:
    """Read the sigma of photographs with the curve of the rendered contours.

    Parameters
    ----------
    fits : pandas.DataFrame
        ``contour_fits``.
    calibration : pandas.DataFrame
        Of `Calibrate`.

    Returns
    -------
    pandas.DataFrame
        By `source`, `condition`, `r_min`, `r_max`: `found`, the sigma that fits best, and `sigma`,
        that of rendered contours which are found with it: straight lines between the means over
        repeats, both on logarithmic scales; NaN outside the curve, or where it does not rise.
    """
    rows = []
    direction = fits[fits["family"] == "direction"]
    drawn = calibration[calibration["kind"] == RENDERED]
    for row in direction.itertuples():
        part = drawn[(drawn["r_min"] == row.r_min) & (drawn["r_max"] == row.r_max)]
        curve = part.groupby("sigma")["found"].mean().sort_index()
        known, found = np.log(curve.index.to_numpy()), np.log(curve.to_numpy())
        here = np.log(row.turning)
        rises = len(found) > 1 and bool((np.diff(found) > 0).all())
        inside = rises and found[0] <= here <= found[-1]
        rows.append(
            {
                "source": row.source,
                "condition": row.condition,
                "r_min": row.r_min,
                "r_max": row.r_max,
                "found": row.turning,
                "sigma": float(np.exp(np.interp(here, found, known))) if inside else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=["source", "condition", "r_min", "r_max", "found", "sigma"])
