"""How radial a filter is: means over pixels of equal distance from the centre."""

from __future__ import annotations

import torch
from torch import Tensor

from isocortex.arrays import Array, like
from isocortex.measures.receptive_fields.pixels import checked, coordinates, varies


def radial_classes(side: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Group the pixels of a square by their distance from the centre.

    Returns
    -------
    radii : Tensor, shape (classes,)
        In pixels, increasing; 10 of them for 7 x 7.
    membership : Tensor, shape (side * side, classes)
        1 where a pixel belongs to a class, else 0.
    """
    x, y = coordinates(side, device)
    square, index = torch.unique(x**2 + y**2, return_inverse=True)
    return square.sqrt(), torch.nn.functional.one_hot(index).double()


def radial_profile(filters: Array) -> tuple[Array, Array]:
    """Mean over the pixels of equal distance from the centre.

    Parameters
    ----------
    filters : array, shape (n, s, s)

    Returns
    -------
    radii : array, shape (classes,)
        Distances from the centre in pixels, increasing; 0 first if s is odd.
    means : array, shape (n, classes)
        In the units of the filters.

    Raises
    ------
    UserError
        If the filters are not square or not finite.
    """
    tensor = checked(filters)
    radii, membership = radial_classes(tensor.shape[-1], tensor.device)
    means = tensor.flatten(1) @ membership / membership.sum(dim=0)
    return like(radii, filters), like(means, filters)


def radial_share(filters: Array) -> Array:
    """Share of a filter's variance that depends on the distance from the centre alone.

    ``Q = |P F|^2 / |F|^2``, F the filter without its mean and P the average over pixels of equal
    distance. By chance (white noise) it is (classes - 1) / (s^2 - 1).

    Parameters
    ----------
    filters : array, shape (n, s, s)

    Returns
    -------
    array, shape (n,)
        1 for radial filters, 0 for odd ones, the same after quarter turns and flips; NaN for
        constant filters.

    Raises
    ------
    UserError
        If the filters are not square or not finite.
    """
    tensor = checked(filters)
    _, membership = radial_classes(tensor.shape[-1], tensor.device)
    flat = tensor.flatten(1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    count = membership.sum(dim=0)
    radial = (flat @ membership).square() / count
    share = radial.sum(dim=1) / flat.square().sum(dim=1)
    return like(torch.where(varies(tensor, filters), share.clamp(0, 1), torch.nan), filters)
