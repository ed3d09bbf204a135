"""The networks whose weights Xie et al. (2025) give away: trained on scenes of ThreeDWorld.

One linear head serves all of their tasks: 117 categories, 548 models, the distance, x and y, and
three sines and three cosines of the rotation, in the order of `training.latent_tasks.Head`.
A network has learned the units of its own task set; the others are as they were drawn.
"""

from __future__ import annotations

from isocortex.models.preprocessing import Preprocess
from isocortex.models.resnet import ResNet

NAMES = {"latents-resnet18": 18, "latents-resnet50": 50}
"""Name in the zoo -> depth."""

UNITS = 117 + 548 + 9
SIZE = 224

PREPROCESS = Preprocess(
    (3, SIZE, SIZE),
    resize=(SIZE, SIZE),
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
"""Whole images, squashed to a square where they are none."""


def latents_resnet(name: str, *, seed: int = 0) -> ResNet:
    """Return the network of a name, with random weights until those of a file are loaded.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int
        Of the weights.
    """
    return ResNet(NAMES[name], 64, UNITS, size=SIZE, seed=seed)
