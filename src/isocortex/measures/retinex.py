"""Retinex: filter an image as LGN does, drop small responses, and integrate what is left.

A centre-surround filter answers to edges and hardly to slow changes of light. The image whose
filtered version is nearest to the responses without the small ones has the edges of the first
image under a more even light (Land & McCann 1971; Horn 1974, with a Laplacian).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError

ROUNDING = 1e-7
"""Modes that a kernel passes with less than this share of its largest gain are left at 0."""


@dataclass(frozen=True)
class Retinex:
    """An image under more even light, and what it was made from; arrays of shape (..., h, w).

    Attributes
    ----------
    image : array
        u, with the mean of the first image.
    response : array
        The filtered image.
    kept : array
        The responses that were integrated; 0 where they were small.
    threshold : array, shape (...)
        Least absolute response that was kept.
    determined : float
        Share of the modes that the kernel passes; the others are 0 in u.
    """

    image: Array
    response: Array
    kept: Array
    threshold: Array
    determined: float


def retinex(
    image: Array, kernel: Array, *, threshold: float = 1.0, balanced: bool = True
) -> Retinex:
    """Solve ``min_u |K * u - M(K * I)|^2``, M a clip of small responses to 0.

    ``*`` is the cross-correlation. Images go on beyond their borders as their mirror images (the
    border pixel twice), on which the problem is solved mode by mode: ``u^ = conj(k) m / |k|^2``
    with k the spectrum of the kernel, by the FFT; for kernels that are even in x and y it is the
    same as the discrete cosine transform of the image alone. Modes that the kernel does not pass,
    the mean at least if it is balanced, are not determined: the mean is taken from I, the
    others are 0.

    Parameters
    ----------
    image : array, shape (..., h, w)
        As a rule the logarithm of a luminance, where light is added.
    kernel : array, shape (s, s)
        s odd, not larger than the image; e.g. a learned LGN filter or a `laplacian_of_gaussian`.
    threshold : float
        Responses below this many standard deviations of the image's responses become 0; with 0
        the result is the image, up to undetermined modes.
    balanced : bool
        Subtract the kernel's mean, so that a constant light leaves no response.

    Returns
    -------
    Retinex

    Raises
    ------
    UserError
        If shapes, threshold or values are wrong, or the kernel passes nothing.
    """
    i, k = to_torch(image).double(), to_torch(kernel).double()
    if i.ndim < 2 or k.ndim != 2 or k.shape[0] != k.shape[1] or k.shape[0] % 2 == 0:
        raise UserError(
            f"retinex needs images (..., h, w) and one square kernel of odd side, not "
            f"{tuple(i.shape)} and {tuple(k.shape)}"
        )
    if k.shape[0] > min(i.shape[-2:]):
        raise UserError(f"a kernel of {k.shape[0]} px is larger than images of {tuple(i.shape)}")
    if threshold < 0 or not bool(i.isfinite().all() and k.isfinite().all()):
        raise UserError("images and kernel must be finite, and the threshold 0 or more")
    k = k.to(i.device)
    largest = k.abs().max()
    if balanced:
        k = k - k.mean()
    if k.abs().max() <= 64 * torch.finfo(to_torch(kernel).dtype).eps * largest:
        raise UserError("the kernel passes nothing: it is 0 or, without its mean, constant")

    h, w = i.shape[-2:]
    mean = i.mean(dim=(-2, -1), keepdim=True)
    gain = _spectrum(k, 2 * h, 2 * w)
    response = torch.fft.ifft2(torch.fft.fft2(_mirrored(i - mean)) * gain).real
    if not balanced:
        response = response + mean * k.sum()
    limit = threshold * response.std(dim=(-2, -1), correction=0, keepdim=True)
    kept = torch.where(response.abs() >= limit, response, 0.0)

    power = gain.abs().square()
    passed = power > ROUNDING**2 * power.max()
    inverse = torch.where(passed, gain.conj() / torch.where(passed, power, 1.0), 0.0)
    u = torch.fft.ifft2(torch.fft.fft2(kept) * inverse).real[..., :h, :w]
    if not bool(passed[0, 0]):
        u = u - u.mean(dim=(-2, -1), keepdim=True) + mean
    return Retinex(
        image=like(u, image),
        response=like(response[..., :h, :w], image),
        kept=like(kept[..., :h, :w], image),
        threshold=like(limit[..., 0, 0], image),
        determined=float(passed.double().mean()),
    )


def _mirrored(image: Tensor) -> Tensor:
    """Return the image with its mirror images, (..., 2 h, 2 w), one period of a torus."""
    wide = torch.cat([image, image.flip(-1)], dim=-1)
    return torch.cat([wide, wide.flip(-2)], dim=-2)


def _spectrum(kernel: Tensor, height: int, width: int) -> Tensor:
    """Gain of the cross-correlation with a kernel for every mode of a torus."""
    side = kernel.shape[0]
    padded = kernel.new_zeros(height, width)
    padded[:side, :side] = kernel
    centre = (side - 1) // 2
    return torch.fft.fft2(padded.roll((-centre, -centre), dims=(0, 1))).conj()
