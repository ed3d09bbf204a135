"""Invariance and equivariance of layers to image symmetries, and the symmetry of an image.

f is a layer, g a transformation of the pixel grid that also acts on feature maps, such as the
entries of `stimuli.transforms.TRANSFORMS`: any callable on arrays (..., h, w). Both measures are
Pearson correlations over the units of one layer, one per image, of responses that were z-scored
per unit over the images, each condition by itself. Units without variance in either condition are
left out. At positions that g leaves in place the two measures coincide by construction; they are
dropped for both. Images are processed a few at a time, without a copy of all responses.

Source: Farzmahdi et al., eLife 13:e90256 (2024), with quarter turns that turn the map as the image
is turned, and with nothing dropped where the map has an even number of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson, unit_vectors

Transformation = Callable[[Array], Array]

_CHUNK_BYTES = 2**25


def zscore(x: Array) -> tuple[Array, Array]:
    """Normalise each unit over presentations: ``(x - mean) / sd``.

    Parameters
    ----------
    x : array, shape (presentations, ...)
        Responses of flat neuroids (n, p) or of maps (n, c, h, w).

    Returns
    -------
    z : array, shape (presentations, ...)
        NaN throughout for units without variance (to working precision) or with NaN; drop them
        with ``z[:, kept]``. The sd is that of the population (divided by n).
    kept : bool array, shape (...)
        The other units; ``(~kept).sum()`` is the number to report.

    Raises
    ------
    UserError
        If there is no presentation or no unit axis.
    """
    _check_presentations(x)
    tensor = to_torch(x)
    mean, sd = _moments(x)
    kept = ~sd.isnan()
    z = (tensor - mean).div_(sd)
    return like(z, x), kept if isinstance(x, Tensor) else kept.numpy()


def _check_presentations(x: Array) -> None:
    if x.ndim < 2 or len(x) == 0:
        raise UserError(
            f"responses must be (presentations, units...) with presentations, not {tuple(x.shape)}"
        )


def _moments(x: Array) -> tuple[Tensor, Tensor]:
    """Mean and sd of every unit, read in chunks of images; sd is NaN where there is no variance."""
    first = to_torch(x[:1])
    mean, square = torch.zeros_like(first[0]), torch.zeros_like(first[0])
    count = 0
    for chunk in _chunks(x):
        part = to_torch(x[chunk])
        n = len(part)
        part_mean = part.mean(dim=0)
        # Chan, Golub & LeVeque (1983): combine the moments of chunks without cancellation.
        delta = part_mean - mean
        square += (part - part_mean).square_().sum(dim=0) + delta.square() * (
            count * n / (count + n)
        )
        mean += delta * (n / (count + n))
        count += n
    sd = (square / count).sqrt_()
    rounding = 8 * torch.finfo(sd.dtype).eps * mean.abs()
    return mean, torch.where(sd > rounding, sd, torch.nan)


def _chunks(x: Array) -> list[slice]:
    per_image = 8 * max(1, int(np.prod(x.shape[1:])))
    step = max(1, _CHUNK_BYTES // per_image)
    return [slice(i, i + step) for i in range(0, len(x), step)]


def fixed_positions(transform: Transformation, height: int, width: int) -> np.ndarray:
    """Find the positions of a map that a transformation leaves in place.

    Parameters
    ----------
    transform : callable
        Acts on arrays (..., h, w).
    height, width : int
        Size of the map.

    Returns
    -------
    numpy.ndarray of bool, shape (height, width)
        Horizontal flip: the middle column if the width is odd; vertical flip: the middle row if
        the height is odd; quarter turns: the centre if the side is odd; else nothing.

    Raises
    ------
    UserError
        If the transformation changes the size of the map (a quarter turn of an oblong one).
    """
    grid = np.arange(height * width).reshape(height, width)
    moved = np.asarray(transform(grid))
    if moved.shape != grid.shape:
        raise UserError(
            f"the transformation turns a map of {height} x {width} into {moved.shape}; "
            "quarter turns need square images and maps"
        )
    return moved == grid


def invariance(x: Array, x_transformed: Array, transform: Transformation | None = None) -> Array:
    """Correlation of the response to an image with that to its transformed version.

    ``r(z f(x), z f(g x))`` over units, one value per image.

    Parameters
    ----------
    x, x_transformed : array, shape (n, c, h, w) or (n, p)
        Responses of one layer to the images and to the transformed images, in the same order.
    transform : callable, optional
        g; given for maps (n, c, h, w), positions that it leaves in place are dropped. Flat
        responses have no positions, and nothing is dropped.

    Returns
    -------
    array, shape (n,)
        In [-1, 1]; NaN where the correlation is undefined (no unit left, or constant over units).

    Raises
    ------
    UserError
        If the shapes differ, or as `fixed_positions`.
    """
    return _correlate(x, x_transformed, transform if x.ndim == 4 else None, moved=False)


def equivariance(
    maps: Array,
    maps_transformed: Array,
    transform: Transformation,
    channels: Array | None = None,
) -> Array:
    """Correlation of the maps of a transformed image with the transformed maps of the image.

    ``r(z f(g x), g z f(x))`` over channels and positions, one value per image; g turns map and
    image alike. For one linear convolution with independent k x k weights on white noise the
    expectation is 1/k for flips and 1/k^2 for quarter turns; it is 1 for filters with the symmetry.

    Parameters
    ----------
    maps, maps_transformed : array, shape (n, c, h, w)
        Responses of one layer to the images and to the transformed images, in the same order.
    transform : callable
        g, acting on arrays (..., h, w).
    channels : int array, shape (c,), optional
        Channel of ``g f(x)`` that stands for each channel of ``f(g x)``; see `match_channels`.

    Returns
    -------
    array, shape (n,)
        In [-1, 1]; NaN where the correlation is undefined.

    Raises
    ------
    UserError
        If the shapes differ or are not (n, c, h, w), or as `fixed_positions`.
    """
    _check_maps(maps)
    order = None if channels is None else torch.as_tensor(np.asarray(channels), dtype=torch.long)
    return _correlate(maps, maps_transformed, transform, moved=True, channels=order)


def _check_maps(maps: Array) -> None:
    if maps.ndim != 4:
        raise UserError(
            f"equivariance needs maps (n, c, h, w), not {tuple(maps.shape)}; flat layers have none"
        )


def _correlate(
    x: Array,
    y: Array,
    transform: Transformation | None,
    *,
    moved: bool,
    channels: Tensor | None = None,
) -> Array:
    pairs = _ZScoredPairs(x, y, transform, moved=moved, channels=channels)
    result = [pearson(a[:, pairs.kept], b[:, pairs.kept]) for a, b in pairs]
    return like(torch.cat(result), x)


class _ZScoredPairs:
    """Iterates over chunks of images: z-scored ``f(x)`` (moved by g) beside z-scored ``f(g x)``.

    ``kept`` marks the units that vary in both conditions and that g does not leave in place.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        transform: Transformation | None,
        *,
        moved: bool,
        channels: Tensor | None = None,
    ) -> None:
        _check_presentations(x)
        if tuple(x.shape) != tuple(y.shape):
            raise UserError(
                f"responses to images and to transformed images must have one shape, not "
                f"{tuple(x.shape)} and {tuple(y.shape)}"
            )
        self._x, self._y = x, y
        self._move = transform if moved else None
        self._channels = channels
        self._moments_x, self._moments_y = _moments(x), _moments(y)
        stays = None if transform is None else fixed_positions(transform, *x.shape[-2:])
        self.kept = ~(self._moved(self._moments_x[1]) + self._moments_y[1]).isnan()
        if stays is not None:
            self.kept &= ~torch.from_numpy(stays).to(self.kept.device)

    def _moved(self, z: Tensor) -> Tensor:
        if self._move is not None:
            z = to_torch(self._move(z))
        return z if self._channels is None else z.index_select(-3, self._channels.to(z.device))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chunk in _chunks(self._x):
            a = (to_torch(self._x[chunk]) - self._moments_x[0]).div_(self._moments_x[1])
            b = (to_torch(self._y[chunk]) - self._moments_y[0]).div_(self._moments_y[1])
            yield self._moved(a), b


def match_channels(maps: Array, maps_transformed: Array, transform: Transformation) -> np.ndarray:
    """Find the permutation of channels under which maps are most equivariant.

    The sum over channels of the correlation of ``g f(x)`` with ``f(g x)``, over images and
    positions, is maximised (linear assignment). A layer may carry a filter and its mirror image in
    two channels: it is then equivariant up to this permutation. Match on some images and measure
    on others, as the best of many permutations is too good on its own images.

    Parameters
    ----------
    maps, maps_transformed : array, shape (n, c, h, w)
        As in `equivariance`.
    transform : callable
        g.

    Returns
    -------
    numpy.ndarray of int, shape (c,)
        For the argument `channels` of `equivariance`.

    Raises
    ------
    UserError
        As `equivariance`.
    """
    _check_maps(maps)
    pairs = _ZScoredPairs(maps, maps_transformed, transform, moved=True)
    stays = torch.from_numpy(fixed_positions(transform, *maps.shape[-2:]))
    products = torch.zeros(maps.shape[1], maps.shape[1], dtype=torch.float64)
    for a, b in pairs:
        flat = [
            z.nan_to_num()[:, :, ~stays.to(z.device)].transpose(0, 1).flatten(1) for z in (a, b)
        ]
        products += (flat[1] @ flat[0].T).double().cpu()
    return linear_sum_assignment(products.numpy(), maximize=True)[1]


def image_symmetry(images: Array) -> Array:
    """Left-right symmetry of images about the best vertical axis.

    The image is padded on both sides by half its width with its edge values; a window as wide as
    the image slides over it, and the result is the best Pearson r of the left half of the window
    with its mirrored right half (an odd width leaves out the column on the axis).

    Parameters
    ----------
    images : array, shape (..., h, w)
        Grey images; w at least 2.

    Returns
    -------
    array, shape (...)
        In [-1, 1]; NaN where no axis has a defined correlation (a constant image).

    Raises
    ------
    UserError
        If an image has fewer than two columns.
    """
    if images.ndim < 2 or images.shape[-1] < 2:
        raise UserError(f"images must be (..., h, w >= 2), not of shape {tuple(images.shape)}")
    x = to_torch(images)
    half = x.shape[-1] // 2
    edges = (x[..., :1].expand(*x.shape[:-1], half), x[..., -1:].expand(*x.shape[:-1], half))
    padded = torch.cat([edges[0], x, edges[1]], dim=-1)
    best = torch.full(x.shape[:-2], torch.nan, dtype=x.dtype, device=x.device)
    for start in range(2 * half + 1):
        window = padded[..., start : start + x.shape[-1]]
        left = window[..., :half].flatten(start_dim=-2)
        right = window[..., -half:].flip(-1).flatten(start_dim=-2)
        best = torch.fmax(best, (unit_vectors(left) * unit_vectors(right)).sum(dim=-1))
    return like(best.clamp(-1.0, 1.0), images)


def symmetric_views(symmetry: Array, margin: float = 0.5) -> np.ndarray:
    """Find the views at which the objects of a category have a vertical axis of symmetry.

    A view counts if its mean `image_symmetry` over exemplars exceeds the mean over views by
    `margin` standard deviations over views.

    Parameters
    ----------
    symmetry : array, shape (exemplars, views)
        Values of `image_symmetry`; NaN entries are left out of the means.
    margin : float
        In standard deviations.

    Returns
    -------
    numpy.ndarray of bool, shape (views,)
        All False if the views do not differ.
    """
    by_view = to_torch(symmetry).double().nanmean(dim=0).cpu().numpy()
    spread = by_view.std()
    rounding = 8 * np.finfo(float).eps
    return (by_view > by_view.mean() + margin * spread) & (spread > rounding)
