"""What is to be learned: label policies that differ in mirror images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.errors import UserError, unknown


@dataclass(frozen=True)
class Policy:
    """What happens to mirror images and to labels.

    Parameters
    ----------
    flips : bool
        Whether half of the images are mirrored.
    second_half : callable, optional
        (flipped, generator) -> bool per image: whose labels become label + K. None leaves the K
        labels as they are.
    """

    flips: bool
    second_half: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None


POLICIES: dict[str, Policy] = {
    "orig": Policy(flips=False),
    "sym": Policy(flips=True),
    "asym": Policy(flips=True, second_half=lambda flipped, _: flipped),
    "sym20": Policy(flips=True, second_half=lambda f, rng: rng.random(len(f)) < 0.5),
}
"""`orig`: as given. `sym`: mirror images keep the label. `asym`: mirror images get a new label.
`sym20`: as many labels as `asym`, but the second half of them is dealt at random."""


@dataclass(frozen=True)
class Diet:
    """Images and labels under a policy.

    Attributes
    ----------
    images : Tensor
        (n, c, h, w), float32.
    labels : Tensor
        (n,), int64.
    n_classes : int
        K, or 2 K where the policy doubles the labels.
    flipped : numpy.ndarray
        Bool per image: whether it was mirrored.
    """

    images: Tensor
    labels: Tensor
    n_classes: int
    flipped: np.ndarray


def diet(
    images: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    policy: str,
    *,
    seed: int,
    n_classes: int,
) -> Diet:
    """Turn a labelled set of images into the diet of a policy.

    Each image is mirrored once with probability one half, or not at all. Which ones, `seed` alone
    decides: all policies that mirror show the same pixels.

    Parameters
    ----------
    images : Tensor or numpy.ndarray
        (n, c, h, w) in [0, 1].
    labels : Tensor or numpy.ndarray
        (n,), integers from 0 to K - 1.
    policy : str
        A name in `POLICIES`.
    seed : int
        Of the mirroring and of random labels.
    n_classes : int
        K, the number of classes before doubling.

    Returns
    -------
    Diet

    Raises
    ------
    UserError
        If the policy is unknown, shapes do not fit, or a label lies outside 0 .. K - 1.
    """
    if policy not in POLICIES:
        raise unknown("label policy", policy, POLICIES)
    images = torch.as_tensor(images, dtype=torch.float32)
    labels = torch.as_tensor(labels).long()
    if images.ndim != 4 or labels.ndim != 1 or len(images) != len(labels):
        raise UserError(
            f"a diet needs images (n, c, h, w) and labels (n,), but their shapes are "
            f"{tuple(images.shape)} and {tuple(labels.shape)}"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < n_classes:
        raise UserError(
            f"labels run from {int(labels.min())} to {int(labels.max())}, which does not fit "
            f"n_classes={n_classes}; number the classes from 0"
        )
    rule = POLICIES[policy]
    flips, deal = np.random.default_rng(seed).spawn(2)
    flipped = flips.random(len(labels)) < 0.5 if rule.flips else np.zeros(len(labels), dtype=bool)
    if rule.flips:
        images = images.clone()
        images[flipped] = images[flipped].flip(-1)
    if rule.second_half is not None:
        labels = labels + n_classes * torch.from_numpy(rule.second_half(flipped, deal)).long()
        n_classes = 2 * n_classes
    return Diet(images, labels, n_classes, flipped)
