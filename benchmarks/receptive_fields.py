"""Gabor fits of 96 filters of 11 x 11 pixels, all at once, against scipy filter by filter.

Eight parameters and the mean of the filter, within the same bounds. Peers: `least_squares` of
scipy (trust region) from 16 random starts a filter, with its own numerical Jacobian, and with the
exact Jacobian handed to it. Two sets: Gabor functions with 30 % of noise, and copies of them with
random phases, whose fits have many local minima. Median R2 over filters of the best fit of each;
`as good` is the share of filters whose R2 here is at most 0.001 below the peer's. Seconds of one
core; the best of three rounds for ours, one for scipy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from isocortex.measures.receptive_fields import fit_gabor, gabor, surrogates

SIDE, N, STARTS = 11, 96, 16
LOW = np.array([-3, -3, -np.inf, 0.7, 0.7, 0.04, -np.inf, -np.inf])
HIGH = np.array([3, 3, np.inf, 5, 5, 0.45, np.inf, np.inf])
AXIS = np.arange(SIDE) - (SIDE - 1) / 2
X, Y = np.tile(AXIS, SIDE), -np.repeat(AXIS, SIDE)


def filters() -> np.ndarray:
    rng = np.random.default_rng(0)
    clean = gabor(
        SIDE,
        orientation_deg=rng.uniform(0, 180, N),
        frequency=rng.uniform(0.1, 0.3, N),
        phase_deg=rng.uniform(-180, 180, N),
        sigma_u=rng.uniform(1.2, 2.5, N),
        sigma_v=rng.uniform(1.5, 3.0, N),
        x=rng.uniform(-1, 1, N),
        y=rng.uniform(-1, 1, N),
        amplitude=np.ones(N),
    )
    sd = clean.std(axis=(1, 2), keepdims=True)
    return clean + 0.3 * sd * rng.standard_normal(clean.shape)


def parts(p: np.ndarray) -> tuple[np.ndarray, ...]:
    cos, sin = np.cos(p[2]), np.sin(p[2])
    dx, dy = X - p[0], Y - p[1]
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    envelope = np.exp(-0.5 * ((u / p[3]) ** 2 + (v / p[4]) ** 2))
    wave = 2 * np.pi * p[5] * u
    return u, v, envelope * np.cos(wave), envelope * np.sin(wave)


def residual(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    _, _, even, odd = parts(p)
    model = p[6] * even + p[7] * odd
    return model - model.mean() - target


def jacobian(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    u, v, even, odd = parts(p)
    model, wave = p[6] * even + p[7] * odd, p[7] * even - p[6] * odd
    m_u = 2 * np.pi * p[5] * wave - u / p[3] ** 2 * model
    m_v = -v / p[4] ** 2 * model
    cos, sin = np.cos(p[2]), np.sin(p[2])
    columns = np.stack(
        [
            sin * m_v - cos * m_u,
            -sin * m_u - cos * m_v,
            v * m_u - u * m_v,
            u**2 / p[3] ** 3 * model,
            v**2 / p[4] ** 3 * model,
            2 * np.pi * u * wave,
            even,
            odd,
        ],
        axis=1,
    )
    return columns - columns.mean(axis=0)


def scipy_r2(bank: np.ndarray, jac: Any) -> np.ndarray:
    rng = np.random.default_rng(1)
    best = np.empty(len(bank))
    for i, f in enumerate(bank):
        target = (f - f.mean()).ravel()
        costs = []
        for _ in range(STARTS):
            start = [*rng.uniform(-2, 2, 2), rng.uniform(0, np.pi), *rng.uniform(0.8, 3, 2)]
            start += [rng.uniform(0.05, 0.4), *target.std() * rng.standard_normal(2)]
            fit = least_squares(residual, start, jac, bounds=(LOW, HIGH), args=(target,))
            costs.append(fit.cost)
        best[i] = 1 - 2 * min(costs) / (target**2).sum()
    return best


def timed(work: Callable[[], np.ndarray], rounds: int) -> tuple[np.ndarray, float]:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def main() -> list[dict[str, Any]]:
    noisy = filters()
    sets = {"Gabor + 30 % noise": noisy, "random phases": surrogates(noisy, "phase", 1)[0]}
    rows = []
    for name, bank in sets.items():
        r, ours = timed(lambda bank=bank: fit_gabor(bank).r, 3)
        for peer, jac in (("numerical Jacobian", "2-point"), ("exact Jacobian", jacobian)):
            r2, seconds = timed(lambda bank=bank, jac=jac: scipy_r2(bank, jac), 1)
            rows.append(
                {
                    "filters": name,
                    "peer": f"scipy, {peer}",
                    "isocortex (s)": ours,
                    "peer (s)": seconds,
                    "ratio": seconds / ours,
                    "isocortex, median R2": float(np.median(r**2)),
                    "peer, median R2": float(np.median(r2)),
                    "as good": float(np.mean(r**2 >= r2 - 1e-3)),
                }
            )
    return rows


if __name__ == "__main__":
    print(pd.DataFrame(main()).to_string(index=False))
