"""ResNet-18 at any width, for images of any size and any number of output units."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from isocortex.errors import UserError
from isocortex.models.initial import seeded

STAGES = ("layer1", "layer2", "layer3", "layer4")
BLOCK_OUTPUTS = tuple(f"{stage}.{block}.relu:2" for stage in STAGES for block in (0, 1))
"""Layers after each residual sum: the second call of the rectifier that a block uses twice."""


class ResNet18(nn.Module):
    """The ResNet-18 of torchvision, as wide as wanted.

    With ``width=64`` and the same weights its outputs are those of `torchvision.models.resnet18`,
    and its state dict has the same names.

    Parameters
    ----------
    width : int
        Channels of the first stage; each further stage has twice as many.
    outputs : int
        Units of the linear head.
    size : int
        Height and width of the images in pixels, at least 32.
    seed : int
        Of the initial weights, drawn as torchvision draws them; torch's own random numbers are
        left as they were.

    Attributes
    ----------
    input_shape : tuple of int
        (3, size, size).

    Raises
    ------
    UserError
        If a number is too small to build a network of.
    """

    def __init__(self, width: int, outputs: int, *, size: int = 224, seed: int = 0) -> None:
        super().__init__()
        for name, value, least in (
            ("width", width, 1),
            ("outputs", outputs, 1),
            ("size", size, 32),
        ):
            if value < least:
                raise UserError(f"{name} of a ResNet-18 must be at least {least}, not {value}")
        self.input_shape = (3, size, size)
        with seeded(seed):
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU()
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
            channels = width
            for k, stage in enumerate(STAGES):
                wide = width * 2**k
                setattr(self, stage, _stage(channels, wide, stride=1 if k == 0 else 2))
                channels = wide
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(channels, outputs)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs (n, outputs) for images (n, 3, h, w)."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in STAGES:
            maps = getattr(self, stage)(maps)
        outputs: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return outputs


def _stage(channels: int, width: int, *, stride: int) -> nn.Sequential:
    down = None
    if stride != 1 or channels != width:
        down = nn.Sequential(conv1x1(channels, width, stride), nn.BatchNorm2d(width))
    first = BasicBlock(channels, width, stride, down)
    blocks = OrderedDict((("0", first), ("1", BasicBlock(width, width))))
    for block in blocks.values():
        block.relu = nn.ReLU()  # not in place, so that every sum can be recorded
    return nn.Sequential(blocks)
