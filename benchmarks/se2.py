"""Kernels on SE(2): the deterministic solver against simulation of the same error.

Direction process (sigma 0.35, decay 0.1, Green's function) and contour diffusion (s1 2, s2 0.35, t
4) on 21 x 21 x 32 cells, blurred by half a pixel. The error is the r.m.s. difference from the
solver with finer steps of everything, over the r.m.s. of that kernel. Simulation (midpoint in
theta, all paths side by side in numpy) is timed at three numbers of paths; from its error, which
falls as one over the square root of the paths, and its time follows how long it would take to be
as exact as the solver. A plain loop over paths and steps is timed over few paths and given for the
same error. The closed forms are the linearised direction process ahead of the origin (x of 1 to 8
px) and the Gaussian estimate of diffusion with kappa 44, without blur, scaled to the least error;
they are no solutions, and their error is what they cost.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from isocortex.measures.se2 import (
    Grid,
    diffusion_closed_form,
    diffusion_kernel,
    diffusion_monte_carlo,
    direction_closed_form,
    direction_kernel,
    direction_monte_carlo,
)

GRID = Grid(21, 32)
SIGMA, DECAY = 0.35, 0.1
S1, S2, TIME = 2.0, 0.35, 4.0
PATHS = {"direction": (2_000, 10_000, 50_000), "diffusion": (20_000, 100_000, 500_000)}
LOOPED_PATHS = 200
DT = {"direction": 0.1, "diffusion": 0.05}


def solve(process: str, fine: bool = False) -> np.ndarray:
    oversample, steps = (4, 512) if fine else (2, 64)
    if process == "direction":
        if not fine:
            return direction_kernel(GRID, sigma=SIGMA, decay=DECAY)
        finer = Grid(GRID.side, 9 * GRID.n_theta)
        kernel = direction_kernel(finer, sigma=SIGMA, decay=DECAY, oversample=oversample)
        return np.roll(kernel, 4, axis=0).reshape(GRID.n_theta, 9, 21, 21).mean(axis=1)
    grid = Grid(GRID.side, 9 * GRID.n_theta) if fine else GRID
    kernel = diffusion_kernel(grid, TIME, s1=S1, s2=S2, oversample=oversample, steps=steps)
    if fine:
        kernel = np.roll(kernel, 4, axis=0).reshape(GRID.n_theta, 9, 21, 21).mean(axis=1)
    return kernel


def simulate(process: str, n: int) -> np.ndarray:
    if process == "direction":
        found = direction_monte_carlo(
            GRID, sigma=SIGMA, decay=DECAY, n_paths=n, dt=DT[process], blur=0.5
        )
    else:
        found = diffusion_monte_carlo(GRID, TIME, s1=S1, s2=S2, n_paths=n, dt=DT[process], blur=0.5)
    return found.density


def loop(process: str, n: int) -> None:
    """Walk one path after the other; its histogram is not timed."""
    rng = random.Random(0)
    dt = DT[process]
    steps = math.ceil(-math.log(1e-4) / DECAY / dt) if process == "direction" else int(TIME / dt)
    for _ in range(n):
        x = y = theta = 0.0
        for _ in range(steps):
            if process == "direction":
                ahead, turn = dt, rng.gauss(0, SIGMA * math.sqrt(dt))
            else:
                ahead = rng.gauss(0, S1 * math.sqrt(dt))
                turn = rng.gauss(0, S2 * math.sqrt(dt))
            x += math.cos(theta + turn / 2) * ahead
            y += math.sin(theta + turn / 2) * ahead
            theta += turn


def closed(process: str) -> np.ndarray:
    if process == "direction":
        return direction_closed_form(GRID, sigma=SIGMA, decay=DECAY)
    return diffusion_closed_form(GRID, TIME, s1=S1, s2=S2)


def timed(function: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    best, result = math.inf, None
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def error(kernel: np.ndarray, reference: np.ndarray) -> float:
    return float(np.sqrt(((kernel - reference) ** 2).mean() / (reference**2).mean()))


def main() -> list[dict[str, Any]]:
    rows = []
    for process in ("direction", "diffusion"):
        reference = solve(process, fine=True)
        solve(process)
        seconds, kernel = timed(lambda p=process: solve(p))
        goal = error(kernel, reference)
        rows.append(row(process, "solver", seconds, goal, seconds, seconds))
        for n in PATHS[process]:
            spent, estimate = timed(lambda p=process, n=n: simulate(p, n), 1)
            reached = error(estimate, reference)
            needed = spent * (reached / goal) ** 2
            rows.append(row(process, f"simulation, {n:,} paths", spent, reached, needed, seconds))
        spent, _ = timed(lambda p=process: loop(p, LOOPED_PATHS), 1)
        per_path = spent / LOOPED_PATHS
        needed = per_path * PATHS[process][-1] * (reached / goal) ** 2
        looped = per_path * PATHS[process][-1]
        label = f"plain loop, {PATHS[process][-1]:,} paths"
        rows.append(row(process, label, looped, reached, needed, seconds))
        spent, form = timed(lambda p=process: closed(p))
        where = np.ones(GRID.shape, dtype=bool)
        if process == "direction":
            where &= (GRID.x >= 1) & (GRID.x <= 8)
        f, r = form[where], reference[where]
        rows.append(
            {
                **row(
                    process, "closed form", spent, error(f * (f @ r) / (f @ f), r), None, seconds
                ),
                "Pearson r": float(np.corrcoef(f, r)[0, 1]),
            }
        )
    return rows


def row(
    process: str, way: str, seconds: float, reached: float, needed: float | None, solver: float
) -> dict[str, Any]:
    return {
        "process": process,
        "way": way,
        "seconds": seconds,
        "error": reached,
        "seconds for the solver's error": "never" if needed is None else needed,
        "ratio to the solver": "" if needed is None else needed / solver,
        "Pearson r": "",
    }
