"""Images without contours, and images whose grid is turned: what edges find there is no contour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError
from isocortex.measures.cooccurrence.edges import EdgeList

LATTICE = 8
"""Side of the blocks of JPEG in pixels."""


def _plain(image: Array) -> np.ndarray:
    values = to_torch(image).double().cpu().numpy()
    if values.ndim != 2:
        raise UserError(f"a control is made of one image (h, w), not {values.shape}")
    return values


def random_phase(log_image: Array, seed: int) -> np.ndarray:
    """Give an image the phases of white noise, and leave its amplitude spectrum.

    Parameters
    ----------
    log_image : array, shape (h, w)
        Any image. Its border meets the opposite one, as in any discrete spectrum: their difference
        is part of it, and comes back as horizontal and vertical streaks that the image does not
        have. Of `periodic_component` there are none.
    seed : int
        The same seed gives the same image.

    Returns
    -------
    numpy.ndarray, shape (h, w)
        With the mean and the variance of the image.
    """
    image = _plain(log_image)
    phases = np.fft.fft2(np.random.default_rng(seed).standard_normal(image.shape))
    phases /= np.maximum(np.abs(phases), np.finfo(float).tiny)
    phases[0, 0] = np.sign(image.sum())
    return np.fft.ifft2(np.abs(np.fft.fft2(image)) * phases).real


def periodic_component(log_image: Array) -> np.ndarray:
    """Take from an image the smooth part that makes its borders differ from the opposite ones.

    u = p + s: p is the periodic component of Moisan (J. Math. Imaging Vis. 39:161, 2011), and s,
    with mean 0, solves ``laplacian(s) = v`` on the torus, v the jumps across the border. It changes
    an image slowly, and hardly inside.

    Parameters
    ----------
    log_image : array, shape (h, w)

    Returns
    -------
    numpy.ndarray, shape (h, w)
        p, with the mean of the image.
    """
    image = _plain(log_image)
    h, w = image.shape
    jumps = np.zeros_like(image)
    rows, columns = image[-1] - image[0], image[:, -1] - image[:, 0]
    jumps[0] += rows
    jumps[-1] -= rows
    jumps[:, 0] += columns
    jumps[:, -1] -= columns
    modes = [2 * np.cos(2 * np.pi * np.arange(n) / n) for n in (h, w)]
    laplacian = modes[0][:, None] + modes[1] - 4
    laplacian[0, 0] = 1.0  # the jumps sum to 0
    return image - np.fft.ifft2(np.fft.fft2(jumps) / laplacian).real


def white_noise(log_image: Array, seed: int) -> np.ndarray:
    """Gaussian noise with the size, the mean and the variance of an image.

    Parameters and result as `random_phase`.
    """
    image = _plain(log_image)
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    return image.mean() + image.std() * noise


def turned_by_45(log_image: Array) -> np.ndarray:
    """Turn an image by 45 degrees: what is tied to the grid of pixels does not turn with it.

    Parameters
    ----------
    log_image : array, shape (h, w)

    Returns
    -------
    numpy.ndarray, shape (s, s)
        The largest centred square without a corner from outside, s about min(h, w) / sqrt(2)
        (cubic splines).
    """
    image = _plain(log_image)
    side = int((min(image.shape) - 3) / np.sqrt(2))
    if side < 1:
        raise UserError(f"an image of {image.shape} pixels is too small to be turned")
    axis = np.arange(side) - (side - 1) / 2
    row, column = axis[:, None], axis[None, :]
    half = np.sqrt(0.5)
    at = (
        (image.shape[0] - 1) / 2 + half * (row + column),
        (image.shape[1] - 1) / 2 + half * (column - row),
    )
    return ndimage.map_coordinates(image, at, order=3, mode="nearest")


@dataclass(frozen=True)
class LatticeBias:
    """How far edges lie on the block lattice of JPEG.

    Attributes
    ----------
    columns, rows : numpy.ndarray, shape (8,)
        Share of the edges at each column and row modulo 8, times 8: 1 everywhere by chance.
    boundary : float
        Mean of both at the two pixels beside a boundary of blocks (0 and 7).
    n : int
        Edges.
    """

    columns: np.ndarray
    rows: np.ndarray
    boundary: float
    n: int


def lattice_bias(edges: EdgeList, period: int = LATTICE) -> LatticeBias:
    """Measure whether edges prefer positions modulo the block size of JPEG.

    Parameters
    ----------
    edges : EdgeList
        Of an image that was not cropped by anything but a multiple of `period`.
    period : int
        In pixels.

    Returns
    -------
    LatticeBias
        NaN without edges.
    """
    if period < 2:
        raise UserError(f"the period of a lattice is {period}, but must be at least 2")
    n = len(edges)
    scale = period / n if n else np.nan
    shares = [
        np.bincount(np.rint(v).astype(np.int64) % period, minlength=period) * scale
        for v in (edges.x, -edges.y)
    ]
    boundary = float(np.mean([s[[0, -1]] for s in shares]))
    return LatticeBias(shares[0], shares[1], boundary, n)
