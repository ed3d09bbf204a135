"""Edges of an image: oriented odd filters, and their maxima across the contour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError

N_DIRECTIONS = 24
SIGMA_ACROSS, SIGMA_ALONG = 1.5, 2.5
RADIUS = 10
FRAME = 12
KEPT = 0.2
DARK = 0.02


@dataclass(frozen=True)
class EdgeList:
    """Edges of one image, or of a made-up one; every array has shape (n,).

    Attributes
    ----------
    x, y : numpy.ndarray
        Column and minus row, in pixels.
    direction_deg : numpy.ndarray
        Along the contour with the bright side on the right, in [0, 360).
    strength : numpy.ndarray
        Response of the best filter.
    """

    x: np.ndarray
    y: np.ndarray
    direction_deg: np.ndarray
    strength: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def log_luminance(image: Array) -> np.ndarray:
    """Return ``log(I + 0.02)`` of a grey image with values in [0, 1], shape (h, w).

    Raises
    ------
    UserError
        If the image is not (h, w) or has values outside [0, 1].
    """
    values = to_torch(image).double().cpu().numpy()
    if values.ndim != 2:
        raise UserError(f"edges are found in one grey image (h, w), not {values.shape}")
    if not (values.size and values.min() >= 0 and values.max() <= 1):
        raise UserError("an image must have finite values in [0, 1]; divide bytes by 255")
    return np.log(values + DARK)


def edge_kernels() -> np.ndarray:
    """Odd kernels of all directions in [0, 180), shape (12, 21, 21), of unit norm.

    ``-v exp(-v^2 / 2 1.5^2 - u^2 / 2 2.5^2)`` with u along the direction and v to its left; the
    other twelve directions have the other sign.
    """
    axis = np.arange(-RADIUS, RADIUS + 1.0)
    x, y = axis[None, :], -axis[:, None]
    angle = np.arange(N_DIRECTIONS // 2)[:, None, None] * 2 * np.pi / N_DIRECTIONS
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernels = -v * np.exp(-0.5 * ((v / SIGMA_ACROSS) ** 2 + (u / SIGMA_ALONG) ** 2))
    return kernels / np.linalg.norm(kernels, axis=(1, 2), keepdims=True)


def detect_edges(log_image: Array, *, kept: float = KEPT) -> EdgeList:
    """Find the strongest edges of an image.

    Twelve odd kernels (`edge_kernels`) and their negatives answer at every pixel; the best of the
    24 directions is refined by the parabola through it and its neighbours. A pixel is an edge if no
    response one pixel to either side across the contour is larger (bilinear interpolation). Edges
    within 12 px of the border are dropped; of the others the strongest are kept.

    Parameters
    ----------
    log_image : array, shape (h, w)
        As a rule `log_luminance` of a photograph; more than 24 pixels either way.
    kept : float
        Share of the maxima that counts as edges.

    Returns
    -------
    EdgeList
        By rows. Empty for a constant image.

    Raises
    ------
    UserError
        If the image is too small or not finite, or the share is not in (0, 1].
    """
    if not 0 < kept <= 1:
        raise UserError(f"the share of maxima that are kept is {kept}, but must be in (0, 1]")
    image = to_torch(log_image).double().cpu().numpy()
    if image.ndim != 2 or min(image.shape) <= 2 * FRAME:
        raise UserError(
            f"edges need an image (h, w) of more than {2 * FRAME} pixels, not {image.shape}"
        )
    if not np.isfinite(image).all():
        raise UserError("the image holds values that are not finite")
    strength, angle = _best_direction(image - image.mean())
    inside = np.zeros(strength.shape, dtype=bool)
    inside[FRAME - RADIUS : RADIUS - FRAME, FRAME - RADIUS : RADIUS - FRAME] = True
    floor = 1e-12 * np.abs(image).max()
    rows, columns = np.nonzero(inside & (strength > floor))
    here, normal = strength[rows, columns], angle[rows, columns]
    maximal = np.ones(len(rows), dtype=bool)
    for side in (1, -1):
        # The normal (-sin, cos) in x and y, with rows downwards.
        at = (rows - side * np.cos(normal), columns - side * np.sin(normal))
        maximal &= here >= ndimage.map_coordinates(strength, at, order=1, mode="nearest")
    rows, columns, here = rows[maximal], columns[maximal], here[maximal]
    if len(here):
        strong = here >= np.quantile(here, 1 - kept)
        rows, columns, here = rows[strong], columns[strong], here[strong]
    found = np.rad2deg(angle[rows, columns]) % 360
    return EdgeList(columns + float(RADIUS), -(rows + float(RADIUS)), found, here)


def _best_direction(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest response and its direction in radians, wherever the kernels fit in."""
    h, w = image.shape
    size = (fft.next_fast_len(h, real=True), fft.next_fast_len(w, real=True))
    spectrum = fft.rfft2(image, size)
    half = np.empty((N_DIRECTIONS // 2, h - 2 * RADIUS, w - 2 * RADIUS))
    for k, kernel in enumerate(_spectra(size)):
        half[k] = fft.irfft2(spectrum * kernel, size)[: h - 2 * RADIUS, : w - 2 * RADIUS]
    best = np.abs(half).argmax(axis=0)
    at = best[None]
    response = np.take_along_axis(half, at, axis=0)[0]
    # Beyond the ends of the half circle its other end follows with the other sign.
    n = len(half)
    left, right = (
        np.take_along_axis(half, (at + step) % n, axis=0)[0]
        * np.where((best + step < 0) | (best + step >= n), -1, 1)
        * np.sign(response)
        for step in (-1, 1)
    )
    strength = np.abs(response)
    bend = left - 2 * strength + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    direction = (best + shift) * (2 * np.pi / N_DIRECTIONS)
    return strength, direction + np.where(response < 0, np.pi, 0.0)


@lru_cache(maxsize=4)
def _spectra(size: tuple[int, int]) -> np.ndarray:
    """Spectra that cross-correlate with the kernels: the first row and column fit in fully."""
    return np.conj(fft.rfft2(edge_kernels(), size))
