"""The lateral kernel that filters induce by themselves: their overlap at every displacement."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.lateral.kernels import (
    chosen_pairs,
    chosen_positions,
    crop,
    displacements,
)


def filter_overlap(filters: Array) -> Array:
    """Overlap of filters with displaced filters: ``O[f, g, D] = <psi_f, psi_g(. - D)>``.

    Filters are scaled to unit norm; channels are summed. With D = source - target, x to the right
    and y up, entry (a, b) holds ``Dx = b - (s - 1)``, ``Dy = (s - 1) - a``.

    Parameters
    ----------
    filters : array, shape (n, h, w) or (n, channels, h, w)
        Square filters, h = w = s, in pixels of the map they act on.

    Returns
    -------
    array, shape (n, n, 2 s - 1, 2 s - 1)
        ``O[f, f, 0] = 1`` and ``O[f, g, D] = O[g, f, -D]``. Filters that are 0 everywhere give NaN.

    Raises
    ------
    UserError
        For another number of axes, or filters that are not square.
    """
    psi = to_torch(filters).double()
    if psi.ndim == 3:
        psi = psi[:, None]
    if psi.ndim != 4 or psi.shape[-1] != psi.shape[-2] or 0 in psi.shape:
        raise UserError(
            f"filters must be (n, s, s) or (n, channels, s, s), not {tuple(filters.shape)}"
        )
    norm = torch.linalg.vector_norm(psi.flatten(1), dim=1)
    psi = psi / torch.where(norm > 0, norm, torch.nan)[:, None, None, None]
    s = psi.shape[-1]
    size = 2 * s - 1
    spectrum = torch.fft.rfft2(psi, s=(size, size))
    # sum_p psi_f(p) psi_g(p - D) at array shift (rows down) d: inverse transform of F conj(G).
    product = torch.einsum("fchw,gchw->fghw", spectrum, spectrum.conj())
    shifted = torch.fft.irfft2(product, s=(size, size))
    overlap = torch.fft.fftshift(shifted, dim=(-2, -1))
    return like(overlap, filters)


def induced_kernel(overlap: Array, side: int | None = None) -> Array:
    """Kernel of KerCNN: the positive part of the overlap, scaled so that each target gets 1.

    ``K[f, g, D] = max(O[f, g, D], 0) / sum_{g, D} max(O[f, g, D], 0)`` (Montobbio et al. 2019).

    Parameters
    ----------
    overlap : array, shape (n, n, size, size)
        As `filter_overlap` returns it.
    side : int, optional
        Odd side to crop to before scaling; the whole support if not given.

    Returns
    -------
    array, shape (n, n, side, side)
        NaN for targets whose filter is 0.
    """
    positive = to_torch(overlap if side is None else crop(overlap, side)).clamp(min=0.0)
    # Filters without a norm are no sources: they must not make the sums of others NaN.
    dead = positive.isnan().flatten(2).any(dim=2).diagonal()
    positive = torch.where(dead[None, :, None, None] & ~dead[:, None, None, None], 0.0, positive)
    return like(positive / positive.sum(dim=(1, 2, 3), keepdim=True), overlap)


def overlap_radius(overlap: Array, level: float = 0.1) -> float:
    """Largest displacement at which filters still overlap.

    The mean of |O| over pairs f != g is taken at each length |D| of the lattice; the radius is the
    largest |D| at which it reaches `level` times its maximum over lengths. Beyond it a lateral
    kernel cannot be explained by overlap alone.

    Parameters
    ----------
    overlap : array, shape (n, n, size, size)
        Uncropped.
    level : float
        Share of the maximum, in (0, 1).

    Returns
    -------
    float
        In pixels; NaN if all overlaps of different filters are 0.

    Raises
    ------
    UserError
        If there are fewer than two filters, or `level` is not between 0 and 1.
    """
    o = to_torch(overlap).double().abs()
    if len(o) < 2 or not 0 < level < 1:
        raise UserError("an overlap radius needs two filters or more and a level between 0 and 1")
    x, y = displacements(o.shape[-1])
    squared = np.rint(x**2 + y**2).astype(int)
    lengths, ring = np.unique(squared, return_inverse=True)
    apart = ~torch.eye(len(o), dtype=torch.bool, device=o.device)
    mean = o[apart].nanmean(dim=0).flatten()
    rings = torch.from_numpy(ring.ravel()).to(o.device)
    total = torch.zeros(len(lengths), dtype=o.dtype, device=o.device).index_add_(0, rings, mean)
    profile = total / torch.bincount(rings)
    peak = profile.max()
    if not float(peak) > 0:
        return float("nan")
    return math.sqrt(lengths[int(torch.nonzero(profile >= level * peak)[-1])])


def residual(
    kernel: Array, reference: Array, pairs: Array | None = None, positions: Array | None = None
) -> tuple[Array, float]:
    """Take a reference out of a kernel with one slope: ``K - s O``, ``s = <K, O> / <O, O>``.

    The slope is that of least squares over all chosen pairs and displacements together.

    Parameters
    ----------
    kernel, reference : array, shape (n, n, side, side)
        Signed, e.g. both from `retain`; the overlap cropped to the kernel's side.
    pairs : array of bool, shape (n, n), optional
        Pairs that the slope is fitted to; all but self pairs if not given.
    positions : array of bool, shape (side, side), optional
        Displacements that it is fitted to; the disc if not given.

    Returns
    -------
    residual : array, shape (n, n, side, side)
        Everywhere, also outside the chosen entries.
    slope : float
        NaN, and so is the residual, if the reference is 0 at all chosen entries.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    k, o = to_torch(kernel).double(), to_torch(reference).double()
    if k.shape != o.shape:
        raise UserError(
            f"kernel and reference differ in shape: {tuple(k.shape)}, {tuple(o.shape)}; "
            "crop the larger one"
        )
    weight: Tensor = chosen_pairs(pairs, len(k), k.device)[:, :, None, None]
    weight = weight * chosen_positions(positions, k.shape[-1], k.device)
    power = float((weight * o * o).sum())
    slope = float((weight * k * o).sum()) / power if power > 0 else float("nan")
    return like(k - slope * o, kernel), slope
