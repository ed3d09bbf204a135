"""Mask and depth of an object on a coarse grid, as targets of a linear head.

A cell of the mask is the share of it that the object covers; a cell of the depth is the mean depth
of the surface that shows there, and undefined where none does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from isocortex.training.latent_tasks import Scale

GRID = 8
"""Cells along each side of an image."""

MASK = tuple(f"mask_{i}{j}" for i in range(GRID) for j in range(GRID))
DEPTH = tuple(f"depth_{i}{j}" for i in range(GRID) for j in range(GRID))
"""Columns of the targets, row by row from the top left."""


def dense_targets(mask: Tensor, depth: Tensor, scale: Scale) -> Tensor:
    """Return mask and depth of images on the grid.

    Parameters
    ----------
    mask : Tensor
        (n, 1, h, w), share of each pixel that shows the object.
    depth : Tensor
        (n, 1, h, w), in object lengths; what it is where the mask is 0 does not matter.
    scale : Scale
        Of the training images: depths are divided as the distance z of the objects is.

    Returns
    -------
    Tensor
        (n, 2 GRID^2) float32, columns `MASK` and `DEPTH`; depths of cells without object are NaN.
    """
    covered = F.adaptive_avg_pool2d(mask.float(), GRID)
    seen = torch.where(mask > 0, depth.float(), 0.0) * mask
    mean = F.adaptive_avg_pool2d(seen, GRID) / covered
    values = torch.where(covered > 0, (mean - scale.mean[0]) / scale.sd[0], torch.nan)
    return torch.cat([covered.flatten(1), values.flatten(1)], dim=1)


def coverage_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Return the mean over cells of KL(share, sigmoid(logit)) in nats: 0 for the true shares.

    Parameters
    ----------
    logits, shares : Tensor
        (n, cells); shares in [0, 1].
    """
    return F.binary_cross_entropy_with_logits(logits, shares) - _binary_entropy(shares).mean()


def constant_coverage_loss(shares: Tensor) -> Tensor:
    """Return `coverage_loss` of the best constant, which is the mean share of each cell."""
    return (_binary_entropy(shares.mean(dim=0)) - _binary_entropy(shares).mean(dim=0)).mean()


def coverage_overlap(logits: Tensor, shares: Tensor) -> Tensor:
    """Return sum min(p, share) / sum max(p, share) over the cells of each image, (n,).

    It is the intersection over union of masks that cover cells in part; NaN where both are empty.
    """
    own = logits.sigmoid()
    union = torch.maximum(own, shares).sum(dim=1)
    return torch.minimum(own, shares).sum(dim=1) / torch.where(union > 0, union, torch.nan)


def depth_loss(values: Tensor, depths: Tensor) -> Tensor:
    """Return the mean squared error over the cells that show the object; 0 if none does.

    Parameters
    ----------
    values, depths : Tensor
        (n, cells); depths are NaN where there is no object.
    """
    there = depths.isfinite()
    error = torch.where(there, values - depths.nan_to_num(), 0.0)
    return error.square().sum() / there.sum().clamp_min(1)


def constant_depth_loss(depths: Tensor) -> Tensor:
    """Return `depth_loss` of the best constant, which is the mean depth of each cell."""
    return depth_loss(depths.nanmean(dim=0).nan_to_num().expand_as(depths), depths)


def _binary_entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p) + torch.special.entr(1 - p)
