"""Lateral kernels: propagation, group coordinates and permutations against plain loops.

Sizes of the `small` (24 units, side 7) and `full` (64 units, side 11) networks, random positive
kernels in float64 unless said, one thread. Propagation: three steps from every unit, on maps that
lose nothing. Peers: `torch.conv2d` on all starts at once, the usual way; and a loop over steps,
starts and displacements that adds shifted maps. Group coordinates: 36 orientations; the peer turns
every kernel with cubic `scipy.ndimage.map_coordinates` and adds it up pair by pair (another cubic,
so the results differ by interpolation). Permutations: six statistics of a kernel under 5,000
permuted orientations; the peer calls the measures draw by draw, is timed over few draws and given
for all. The difference is the largest one, over the largest value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn.functional import conv2d

from isocortex.measures.lateral import (
    axial_ratio,
    displacements,
    field_errors,
    group_kernel,
    orientation_field,
    permutation_null,
    positions,
    propagate,
    smoothing_width,
    strength_curve,
)

NETWORKS = {"small": (24, 7), "full": (64, 11)}
STEPS, DRAWS, N_ALPHA = 3, 5000, 36
LOOPED = {"small": (24, 40), "full": (2, 10)}
"""Starts, and draws, that the loops are timed over."""


def timed(function: Callable[[], Any], rounds: int = 2) -> tuple[float, Any]:
    best, result = np.inf, None
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def by_conv2d(kernel: Tensor) -> Tensor:
    n, c = len(kernel), kernel.shape[-1] // 2
    size = 2 * STEPS * c + 1
    u = torch.zeros(n, n, size, size, dtype=kernel.dtype)
    u[torch.arange(n), torch.arange(n), size // 2, size // 2] = 1
    for _ in range(STEPS):
        u = (u + conv2d(u, kernel, padding=c)) / 2
        u /= u.sum(dim=(1, 2, 3), keepdim=True)
    return u


def by_shifts(kernel: np.ndarray, starts: int) -> np.ndarray:
    n, side = len(kernel), kernel.shape[-1]
    c = side // 2
    size = 2 * STEPS * c + 1
    out = np.zeros((starts, n, size, size))
    for start in range(starts):
        u = np.zeros((n, size, size))
        u[start, size // 2, size // 2] = 1
        for _ in range(STEPS):
            padded = np.pad(u, ((0, 0), (c, c), (c, c)))
            spread = np.zeros_like(u)
            for a in range(side):
                for b in range(side):
                    moved = padded[:, a : a + size, b : b + size]
                    spread += np.tensordot(kernel[:, :, a, b], moved, axes=1)
            u = (u + spread) / 2
            u /= u.sum()
        out[start] = u
    return out


def turned_one_by_one(kernel: np.ndarray, theta: np.ndarray) -> np.ndarray:
    n, side = len(kernel), kernel.shape[-1]
    c = side // 2
    keep = positions(side)
    x, y = (v[keep] for v in displacements(side))
    alpha = np.arange(N_ALPHA) * 180 / N_ALPHA
    width = np.radians(2 * smoothing_width(n))
    total, weight = np.zeros((N_ALPHA, keep.sum())), np.zeros(N_ALPHA)
    for f in range(n):
        t = np.radians(theta[f])
        at = [c - np.sin(t) * x - np.cos(t) * y, c + np.cos(t) * x - np.sin(t) * y]
        for g in range(n):
            if g != f:
                values = map_coordinates(kernel[f, g], at, order=3, mode="nearest")
                w = np.exp((np.cos(2 * np.radians(alpha - theta[g] + theta[f])) - 1) / width**2)
                total += w[:, None] * values
                weight += w
    out = np.zeros((N_ALPHA, side, side))
    out[:, keep] = total / weight[:, None]
    return out


def draw_by_draw(kernel: np.ndarray, theta: np.ndarray, draws: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(len(theta)), (DRAWS, 1)), axis=1)[:draws]
    found = []
    for permuted in order:
        angles = theta[permuted]
        group = group_kernel(kernel, angles, n_alpha=N_ALPHA)
        errors = field_errors(orientation_field(group.kappa, group.alpha))
        ratios = [strength_curve(kernel, angles).like_ratio, axial_ratio(kernel, angles)]
        found.append([*ratios, errors.cocircular, errors.radial, errors.parallel, errors.slope])
    return np.array(found, dtype=float)


def main() -> list[dict[str, Any]]:
    rows = []
    for name, (n, side) in NETWORKS.items():
        rng = np.random.default_rng(0)
        kernel = rng.gamma(2.0, size=(n, n, side, side))
        theta = rng.uniform(0, 180, n)
        starts, draws = LOOPED[name]
        label = f"{name}: {n} units, side {side}"

        single = torch.from_numpy(kernel).float()
        for peer, other, given, share in (
            ("conv2d", lambda k=kernel: by_conv2d(torch.from_numpy(k)), kernel, 1.0),
            ("conv2d, both in float32", lambda k=single: by_conv2d(k), single, 1.0),
            ("loop", lambda k=kernel, s=starts: by_shifts(k, s), kernel, n / starts),
        ):
            seconds, ours = timed(lambda k=given: propagate(k, steps=STEPS))
            spent, theirs = timed(other, 1)
            ours, theirs = np.asarray(ours)[: len(theirs)], np.asarray(theirs)
            difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
            rows.append(row(f"propagation, {label}", peer, seconds, spent * share, difference))

        seconds, group = timed(lambda k=kernel, t=theta: group_kernel(k, t, n_alpha=N_ALPHA).kappa)
        spent, theirs = timed(lambda k=kernel, t=theta: turned_one_by_one(k, t), 1)
        difference = np.abs(group - theirs).max() / np.abs(theirs).max()
        rows.append(row(f"group coordinates, {label}", "scipy loop", seconds, spent, difference))

        seconds, null = timed(lambda k=kernel, t=theta: permutation_null(k, t, n_draws=DRAWS), 1)
        spent, theirs = timed(lambda k=kernel, t=theta, d=draws: draw_by_draw(k, t, d), 1)
        ours = np.stack(list(null.as_dict().values()), axis=1)[:draws]
        difference = (np.abs(ours - theirs).max(axis=0) / np.abs(theirs).max(axis=0)).max()
        rows.append(
            row(f"5,000 permutations, {label}", "loop", seconds, spent * DRAWS / draws, difference)
        )
    return rows


def row(work: str, peer: str, seconds: float, spent: float, difference: float) -> dict[str, Any]:
    return {
        "work": work,
        "peer": peer,
        "isocortex (s)": seconds,
        "peer (s)": spent,
        "ratio": spent / seconds,
        "difference": float(difference),
    }
