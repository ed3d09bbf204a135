"""ResNet-18 and ResNet-50 at any width, for images of any size and any number of output units."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1

from isocortex.errors import UserError, unknown
from isocortex.models.initial import seeded

STAGES = ("layer1", "layer2", "layer3", "layer4")
DEPTHS: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
"""Depth -> the kind of block, and how many of them each stage has."""

_SUM = {BasicBlock: 2, Bottleneck: 3}
"""Which call of a block's rectifier follows the residual sum."""


def block_outputs(depth: int) -> tuple[tuple[str, ...], ...]:
    """Return the layers after each residual sum, stage by stage.

    A block uses one rectifier several times; its last call is after the sum.
    """
    kind, counts = DEPTHS[depth]
    return tuple(
        tuple(f"{stage}.{block}.relu:{_SUM[kind]}" for block in range(count))
        for stage, count in zip(STAGES, counts, strict=True)
    )


class ResNet(nn.Module):
    """The ResNet-18 or ResNet-50 of torchvision, as wide as wanted.

    With ``width=64`` and the same weights its outputs are those of `torchvision.models.resnet18` or
    `resnet50`, and its state dict has the same names.

    Parameters
    ----------
    depth : int
        18 or 50.
    width : int
        Channels within the blocks of the first stage; each further stage has twice as many. The
        blocks of a ResNet-50 give four times as many as they have within.
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
        If there is no such depth, or a number is too small to build a network of.
    """

    def __init__(
        self, depth: int, width: int, outputs: int, *, size: int = 224, seed: int = 0
    ) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise unknown("depth of a ResNet", str(depth), [str(known) for known in DEPTHS])
        for name, value, least in (
            ("width", width, 1),
            ("outputs", outputs, 1),
            ("size", size, 32),
        ):
            if value < least:
                raise UserError(f"{name} of a ResNet-{depth} must be at least {least}, not {value}")
        self.input_shape = (3, size, size)
        kind, counts = DEPTHS[depth]
        with seeded(seed):
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU()
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
            channels = width
            for k, (stage, count) in enumerate(zip(STAGES, counts, strict=True)):
                wide = width * 2**k
                blocks = _stage(kind, count, channels, wide, stride=1 if k == 0 else 2)
                setattr(self, stage, blocks)
                channels = wide * kind.expansion
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


def _stage(
    kind: type[BasicBlock | Bottleneck], count: int, channels: int, width: int, *, stride: int
) -> nn.Sequential:
    wide = width * kind.expansion
    down = None
    if stride != 1 or channels != wide:
        down = nn.Sequential(conv1x1(channels, wide, stride), nn.BatchNorm2d(wide))
    first = kind(channels, width, stride, down)
    blocks = OrderedDict([("0", first)])
    for block in range(1, count):
        blocks[str(block)] = kind(wide, width)
    for block in blocks.values():
        block.relu = nn.ReLU()  # not in place, so that every sum can be recorded
    return nn.Sequential(blocks)
