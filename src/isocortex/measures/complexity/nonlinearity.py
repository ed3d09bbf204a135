"""Evenness, curvature and states of rectifiers: other ways not to be linear."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError

RECTIFIERS: dict[str, int] = {"identity": 1, "relu": 2, "leaky": 2, "abs": 2}
"""Piecewise linear activations -> number of their pieces, which meet at 0."""


def evenness(responses: Array, inverted: Array) -> Array:
    """Share of the variance of responses that does not change with the sign of the image, E_even.

    With ``e, o = (f(x) +- f(-x)) / 2``: ``sum_u var e_u / sum_u (var e_u + var o_u)``.

    Parameters
    ----------
    responses, inverted : array, shape (..., n, p)
        Responses f(x) and f(-x) to images and to their negatives, in which the mean grey is 0.

    Returns
    -------
    array, shape (...)
        0 for odd units, 1 for even ones; for white Gaussian images about 0.27 for half-wave
        rectification. NaN where nothing varies.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    a, b = _alike(responses, inverted, "responses and their negatives'")
    even, odd = ((a + b) / 2).var(dim=-2, correction=0), ((a - b) / 2).var(dim=-2, correction=0)
    numerator, total = even.sum(dim=-1), (even + odd).sum(dim=-1)
    return like(numerator / torch.where(total > 0, total, torch.nan), responses)


def midpoint_deviation(start: Array, end: Array, middle: Array) -> Array:
    """Distance of the response to a mean image from the mean response; C_mid is its median.

    ``2 |f((a + b) / 2) - (f(a) + f(b)) / 2| / |f(a) - f(b)|`` for each pair of images a, b.

    Parameters
    ----------
    start, end, middle : array, shape (..., pairs, p)
        Responses to a, b and (a + b) / 2.

    Returns
    -------
    array, shape (..., pairs)
        0 for an affine map. NaN where a and b give the same response.

    Raises
    ------
    UserError
        If the shapes differ.
    """
    a, b = _alike(start, end, "responses to both ends")
    _, m = _alike(start, middle, "responses to ends and middles")
    length = torch.linalg.vector_norm(a - b, dim=-1)
    away = 2 * torch.linalg.vector_norm(m - (a + b) / 2, dim=-1)
    return like(away / torch.where(length > 0, length, torch.nan), start)


def path_curvature(responses: Array) -> Array:
    """Mean angle by which responses turn along a straight path of images; C_curv is its mean.

    The angle between successive differences of the responses, averaged along the path, as the
    curvature of Henaff et al. (2019).

    Parameters
    ----------
    responses : array, shape (..., steps, p)
        To images at equal steps along a straight line in pixel space, at least three.

    Returns
    -------
    array, shape (...)
        Degrees, 0 (straight) to 180. Steps at which nothing changes are left out; NaN where no two
        successive steps are left.

    Raises
    ------
    UserError
        If a path has fewer than three steps.
    """
    steps = _paths(responses).diff(dim=-2)
    length = torch.linalg.vector_norm(steps, dim=-1, keepdim=True)
    unit = steps / torch.where(length > 0, length, torch.nan)
    a, b = unit[..., :-1, :], unit[..., 1:, :]
    # Half the angle by its tangent, which keeps all digits of small angles.
    angle = 2 * torch.atan2(
        torch.linalg.vector_norm(a - b, dim=-1), torch.linalg.vector_norm(a + b, dim=-1)
    )
    return like(angle.rad2deg().nanmean(dim=-1), responses)


def path_frequency(responses: Array) -> Array:
    """Mean frequency of responses along a straight path of images; C_four is its mean.

    The discrete Fourier transform along the path gives amplitudes A_ku at k cycles a path for each
    unit u; the result is ``sum_ku k A_ku / sum_ku A_ku`` over k = 1 ... steps / 2, divided by the
    largest of these k.

    Parameters
    ----------
    responses : array, shape (..., steps, p)
        To images at equal steps along a straight line in pixel space, at least three.

    Returns
    -------
    array, shape (...)
        In (0, 1]. A straight line is a ramp and does not give 0: compare with the value of pixels.
        NaN where nothing varies.

    Raises
    ------
    UserError
        If a path has fewer than three steps.
    """
    x = _paths(responses)
    amplitude = torch.fft.rfft(x - x.mean(dim=-2, keepdim=True), dim=-2)[..., 1:, :].abs()
    k = torch.arange(1, amplitude.shape[-2] + 1, dtype=x.dtype, device=x.device)
    total = amplitude.sum(dim=(-2, -1))
    mean = (amplitude * k[:, None]).sum(dim=(-2, -1)) / torch.where(total > 0, total, torch.nan)
    return like(mean / k[-1], responses)


def gate_entropy(preactivations: Array, activation: str) -> Array:
    """Entropy of the state of each rectifier over images; C_gate is its mean.

    Piecewise linear activations are in one of their pieces, here below or above 0; with the share q
    of images above, ``H = -q log2 q - (1 - q) log2 (1 - q)``.

    Parameters
    ----------
    preactivations : array, shape (..., n, p)
        What goes into the activation.
    activation : str
        Its name; see `RECTIFIERS` for those that are piecewise linear.

    Returns
    -------
    array, shape (..., p)
        Bits, 0 (always the same linear map) to 1. 0 for the identity; NaN for activations that are
        not piecewise linear.
    """
    x = to_torch(preactivations)
    if RECTIFIERS.get(activation, 0) == 2:
        q = (x > 0).to(torch.float64).mean(dim=-2)
        bits = -(torch.xlogy(q, q) + torch.xlogy(1 - q, 1 - q)) / math.log(2)
    else:
        value = 0.0 if activation in RECTIFIERS else torch.nan
        bits = torch.full((*x.shape[:-2], x.shape[-1]), value, device=x.device)
    return like(bits, preactivations)


def _alike(a: Array, b: Array, what: str) -> tuple[Tensor, Tensor]:
    x, y = to_torch(a).double(), to_torch(b).double()
    if x.shape != y.shape or x.ndim < 2:
        raise UserError(
            f"{what} have shapes {tuple(x.shape)} and {tuple(y.shape)}; give both as "
            "(presentations, neuroids)"
        )
    return x, y


def _paths(responses: Array) -> Tensor:
    x = to_torch(responses).double()
    if x.ndim < 2 or x.shape[-2] < 3:
        raise UserError(
            f"paths have shape {tuple(x.shape)}; give (..., steps, neuroids) with at least 3 steps"
        )
    return x
