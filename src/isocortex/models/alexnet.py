"""AlexNet as Krizhevsky et al. (2012) trained it, in the form that Caffe and MATLAB know.

It looks at 227 pixels without a margin, so that every layer samples the image symmetrically about
its midlines; torchvision's 224-pixel form does not (see `layers.grid_check`).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from isocortex.models.initial import initialise, seeded
from isocortex.models.preprocessing import Preprocess

INPUT_SHAPE = (3, 227, 227)

PREPROCESS = Preprocess(
    INPUT_SHAPE,
    resize=256,
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
)
"""Red, green, blue from 0 to 255, less the means of ImageNet."""


def caffe_alexnet(
    *, n_classes: int = 1000, init: str = "fan_in_normal", seed: int = 0
) -> nn.Module:
    """Build the 227-pixel AlexNet, with the layer names of Caffe.

    Parameters
    ----------
    n_classes : int
        Width of ``fc8``.
    init : str
        A name in `initial.SCHEMES`.
    seed : int
        Of the weights.

    Returns
    -------
    nn.Module
        ``conv1, relu1, norm1, pool1, ... relu5, pool5, flatten, fc6, relu6, drop6, ... fc8``.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()

    def conv(k: int, channels: tuple[int, int], window: int, padding: int, groups: int = 1) -> None:
        stride = 4 if k == 1 else 1
        layers[f"conv{k}"] = nn.Conv2d(*channels, window, stride, padding, groups=groups)
        layers[f"relu{k}"] = nn.ReLU()

    def full(k: int, width: tuple[int, int]) -> None:
        layers[f"fc{k}"] = nn.Linear(*width)
        layers[f"relu{k}"] = nn.ReLU()
        layers[f"drop{k}"] = nn.Dropout()

    with seeded(seed):
        conv(1, (3, 96), 11, padding=0)
        layers["norm1"] = nn.LocalResponseNorm(5)
        layers["pool1"] = nn.MaxPool2d(3, 2)
        conv(2, (96, 256), 5, padding=2, groups=2)
        layers["norm2"] = nn.LocalResponseNorm(5)
        layers["pool2"] = nn.MaxPool2d(3, 2)
        conv(3, (256, 384), 3, padding=1)
        conv(4, (384, 384), 3, padding=1, groups=2)
        conv(5, (384, 256), 3, padding=1, groups=2)
        layers["pool5"] = nn.MaxPool2d(3, 2)
        layers["flatten"] = nn.Flatten()
        full(6, (9216, 4096))
        full(7, (4096, 4096))
        layers["fc8"] = nn.Linear(4096, n_classes)
        network = nn.Sequential(layers)
    return initialise(network, init, seed=seed)
