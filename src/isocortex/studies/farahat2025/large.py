"""AlexNet and VGG-16 with other activations and poolings, in blocks that end with a pooling."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torchvision
from torch import Tensor, nn

from isocortex.models.gain import set_gain
from isocortex.models.initial import initialise, seeded
from isocortex.models.rnet import POOLS
from isocortex.models.surgery import ACTIVATION_TYPES, POOLING_TYPES, swap

Base = Literal["", "alexnet", "vgg16"]
INPUT_SIZE = 224
"""Images are enlarged to this, so that the last block still has a map."""


class LargeNetwork(nn.Module):
    """The convolutional part of a network of torchvision, its layers named by what they are.

    Parameters
    ----------
    base : {"alexnet", "vgg16"}
    activation, pooling : str
        What takes the place of its ReLU and max pooling; windows and strides stay.
    seed : int
        Of the weights, N(0, 2 / fan-in), without biases.

    Attributes
    ----------
    features : nn.Sequential
        ``resize``, then ``conv1, act1, pool1, ...``.
    block_outputs : tuple of str
        The poolings.
    """

    def __init__(self, base: str, activation: str, pooling: str, *, seed: int) -> None:
        super().__init__()
        with seeded(seed):
            made = getattr(torchvision.models, base)(weights=None).features
        initialise(made, "he_normal", seed=seed)
        kind = POOLS[pooling]
        swapped = swap(made, activation=activation, pooling=kind, input_shape=(3, 224, 224))
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            resize=nn.Upsample(size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear")
        )
        counts = dict.fromkeys(("conv", "act", "pool"), 0)
        for before, module in zip(made, swapped, strict=True):  # type: ignore[call-overload]
            name = (
                "conv" if isinstance(before, nn.Conv2d)
                else "act" if isinstance(before, ACTIVATION_TYPES)
                else "pool" if isinstance(before, POOLING_TYPES)
                else ""
            )  # fmt: skip
            counts[name] += 1
            layers[f"{name}{counts[name]}"] = module
        self.features = nn.Sequential(layers)
        self.block_outputs = tuple(f"features.pool{k + 1}" for k in range(counts["pool"]))

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of the last block."""
        out: Tensor = self.features(images)
        return out


def large_network(
    base: str,
    activation: str,
    pooling: str,
    *,
    seed: int,
    gain: float = 1.0,
    calibration: Tensor | None = None,
) -> LargeNetwork:
    """Return such a network, its pre-activations of one SD on the calibration images if given."""
    network = LargeNetwork(base, activation, pooling, seed=seed).eval()
    if calibration is not None:
        set_gain(network, calibration, sd=gain)
    return network
