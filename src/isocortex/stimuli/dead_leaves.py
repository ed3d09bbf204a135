"""Images made of discs that hide each other: edges and a spectrum as of photographs, from a seed.

The dead-leaves model (Matheron; Lee, Mumford & Huang 2001): opaque discs of random grey fall on
the image until it is covered, with radii of density r^-3 between two bounds. Occlusion gives
edges, and the radii a power spectrum of about f^-2 between the bounds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from isocortex.errors import UserError

_CHUNK = 64


def dead_leaves(
    n: int,
    size: int = 64,
    *,
    seed: int = 0,
    first: int = 0,
    radii: tuple[float, float] = (2.0, 40.0),
    discs: int = 800,
) -> Tensor:
    """Draw images of occluding discs.

    Parameters
    ----------
    n : int
        Number of images, with indices `first`, `first` + 1, ...
    size : int
        Width and height in pixels.
    seed, first : int
        An image depends on (seed, index), the size and the bounds alone.
    radii : tuple of float
        Smallest and largest radius in pixels.
    discs : int
        Discs that fall, the last on top; where none fell the image is mid-grey.

    Returns
    -------
    Tensor
        float32 (n, 1, size, size) in [0, 1].

    Raises
    ------
    UserError
        If a number is not above 0, or the bounds are not in order.
    """
    small, large = radii
    if min(n, size, discs) < 1 or not 0 < small < large:
        raise UserError(
            f"dead leaves need n, size and discs above 0 and 0 < radii in order, not n={n}, "
            f"size={size}, discs={discs}, radii={radii}"
        )
    images = torch.full((n, 1, size, size), 0.5)
    place = np.arange(size, dtype=np.float32) + 0.5
    for index in range(n):
        rng = np.random.default_rng([seed, first + index])
        u = rng.random(discs)
        radius = (small**-2 - u * (small**-2 - large**-2)) ** -0.5
        x, y = rng.uniform(-large, size + large, (2, discs))
        grey = torch.from_numpy(rng.random(discs).astype(np.float32))
        seen = (np.abs(x - size / 2) < size / 2 + radius) & (
            np.abs(y - size / 2) < size / 2 + radius
        )
        kept = np.flatnonzero(seen)
        for part in np.split(kept, range(_CHUNK, len(kept), _CHUNK)):
            inside = (place[:, None] - y[part, None, None]) ** 2
            inside = inside + (place - x[part, None, None]) ** 2 < radius[part, None, None] ** 2
            # The last disc that covers a pixel is the one that is seen.
            top = len(part) - 1 - torch.from_numpy(inside[::-1].copy()).byte().argmax(dim=0)
            covered = torch.from_numpy(inside.any(axis=0))
            images[index, 0] = torch.where(covered, grey[part][top], images[index, 0])
    return images
