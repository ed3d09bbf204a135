"""Slow readings of the definitions, one loop an index, that share nothing with the package."""

from __future__ import annotations

import math

import numpy as np


def keys_value(samples: np.ndarray, row: float, column: float) -> float:
    """Cubic convolution of an image at one point, edges going on."""

    def weight(d: float) -> float:
        d = abs(d)
        if d <= 1:
            return 1.5 * d**3 - 2.5 * d**2 + 1
        if d < 2:
            return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        return 0.0

    total = 0.0
    for i in range(math.floor(row) - 1, math.floor(row) + 3):
        for j in range(math.floor(column) - 1, math.floor(column) + 3):
            value = samples[min(max(i, 0), len(samples) - 1), min(max(j, 0), samples.shape[1] - 1)]
            total += weight(row - i) * weight(column - j) * value
    return total


def folded(difference: float) -> float:
    """Orientation difference in [0, 90]."""
    d = abs(difference) % 180
    return min(d, 180 - d)


def slow_group_kernel(
    kernel: np.ndarray, theta: np.ndarray, alpha: np.ndarray, sd: float, period: float = 180.0
) -> np.ndarray:
    n, side = len(kernel), kernel.shape[-1]
    c = (side - 1) // 2
    kappa = np.zeros((len(alpha), side, side))
    for a, angle in enumerate(alpha):
        for i in range(side):
            for j in range(side):
                qx, qy = j - c, c - i
                if qx * qx + qy * qy > c * c:
                    continue
                total = norm = 0.0
                for f in range(n):
                    t = math.radians(theta[f])
                    x = math.cos(t) * qx - math.sin(t) * qy
                    y = math.sin(t) * qx + math.cos(t) * qy
                    for g in range(n):
                        if f == g:
                            continue
                        d = angle - (theta[g] - theta[f])
                        scale = 2 * math.pi / period
                        w = math.exp((math.cos(scale * d) - 1) / (scale * sd) ** 2)
                        total += w * keys_value(kernel[f, g], c - y, c + x)
                        norm += w
                kappa[a, i, j] = total / norm
    return kappa


def slow_statistics(kernel: np.ndarray, theta: np.ndarray, sd: float) -> dict[str, float]:
    """Like ratio, axial ratio, errors and slope, of all pairs and the disc."""
    n, side = len(kernel), kernel.shape[-1]
    c = (side - 1) // 2
    like, cross, along, across = [], [], [], []
    for f in range(n):
        for g in range(n):
            if f == g:
                continue
            d = folded(theta[g] - theta[f])
            strength = 0.0
            for i in range(side):
                for j in range(side):
                    x, y = j - c, c - i
                    if x * x + y * y > c * c:
                        continue
                    strength += kernel[f, g, i, j]
                    if d < 22.5 and (x or y):
                        off = folded(math.degrees(math.atan2(y, x)) - theta[f])
                        if off <= 22.5:
                            along.append(kernel[f, g, i, j])
                        if off >= 67.5:
                            across.append(kernel[f, g, i, j])
            if d < 22.5:
                like.append(strength)
            if d > 67.5:
                cross.append(strength)
    alpha = np.arange(36) * 5.0
    kappa = slow_group_kernel(kernel, theta, alpha, sd)
    sums = np.zeros(4)
    top = bottom = 0.0
    for i in range(side):
        for j in range(side):
            x, y = j - c, c - i
            if not (x or y) or x * x + y * y > c * c:
                continue
            m = sum(kappa[a, i, j] * np.exp(2j * math.radians(alpha[a])) for a in range(36))
            star = math.degrees(np.angle(m)) / 2
            phi = math.degrees(math.atan2(y, x))
            weight = abs(m)
            sums += weight * np.array(
                [folded(star - 2 * phi), folded(star - phi), folded(star), 1.0]
            )
            phi = (phi + 90) % 180 - 90
            if abs(phi) <= 35 and math.hypot(x, y) >= 2:
                top += weight * phi * star
                bottom += weight * phi * phi
    return {
        "like_ratio": float(np.mean(like) / np.mean(cross)),
        "axial_ratio": float(np.mean(along) / np.mean(across)),
        "cocircular": sums[0] / sums[3],
        "radial": sums[1] / sums[3],
        "parallel": sums[2] / sums[3],
        "slope": top / bottom,
    }
