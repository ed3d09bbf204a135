"""Hand-made networks: what filters and pooling do before anything is learned.

Filters are random or symmetric under an image transformation, the sampling grid is mirror-symmetric
about the centre of the image, and the last map is read four ways. With symmetric filters the maps
are equivariant, and pooled or symmetrically weighted read-outs are invariant, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.initial import seeded

Transformation = Callable[[Tensor], Tensor]

READOUTS = {
    "map": "features",
    "gap": "heads.gap",
    "random fc": "heads.random_fc",
    "symmetric fc": "heads.symmetric_fc",
}
"""Ways to read a `FilterNetwork`, and the module whose output each is."""

_MOST_TURNS = 8


def symmetrise_filters(weight: Tensor, transform: Transformation) -> Tensor:
    """Return filters that the transformation leaves as they are.

    The mean over the cyclic group that `transform` generates, times the root of its order, so that
    independent weights keep their variance where no position is fixed.

    Parameters
    ----------
    weight : Tensor
        (..., h, w).
    transform : callable
        Acts on tensors (..., h, w); applied a few times it is the identity.

    Raises
    ------
    UserError
        If eight applications of the transformation do not lead back.
    """
    images, turned = [weight], transform(weight)
    while turned.shape != weight.shape or not torch.equal(turned, weight):
        if len(images) == _MOST_TURNS:
            raise UserError("the transformation does not lead back; give a flip or a turn by 90")
        images.append(turned)
        turned = transform(turned)
    total = torch.stack(images).sum(dim=0)
    return total / len(images) ** 0.5


class FilterNetwork(nn.Module):
    """Convolutions without training, read as map, pooled, and through two fully connected layers.

    Each layer is a convolution (valid, stride 1), ReLU and, before the next one, 2 x 2 average
    pooling where the map is even, which keeps the grid mirror-symmetric.

    Parameters
    ----------
    transform : callable or None
        The image transformation under which all filters are symmetric; None leaves them random.
        The weights of ``symmetric_fc`` are symmetric under `readout_transform` in either case.
    readout_transform : callable
        Symmetry of the weights of ``symmetric_fc`` over positions of the map.
    size : int
        Width and height of an image in pixels.
    channels : tuple of int
        Channels of the image, then of each layer.
    kernel_size : int
    units : int
        Of the fully connected layers.
    seed : int
        The same seed gives the same random draws, symmetric or not.
    """

    def __init__(
        self,
        transform: Transformation | None,
        readout_transform: Transformation,
        *,
        size: int = 32,
        channels: tuple[int, ...] = (1, 16, 32, 64),
        kernel_size: int = 3,
        units: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        with seeded(seed), torch.no_grad():
            for number, (before, after) in enumerate(pairwise(channels)):
                if number and size % 2 == 0:
                    layers.append(nn.AvgPool2d(2))
                    size //= 2
                conv = nn.Conv2d(before, after, kernel_size, bias=False)
                conv.weight.normal_(std=(before * kernel_size**2) ** -0.5)
                if transform is not None:
                    conv.weight.copy_(symmetrise_filters(conv.weight, transform))
                layers += [conv, nn.ReLU()]
                size += 1 - kernel_size
                if size < 1:
                    raise UserError(f"layer {number + 1} has no map left; give larger images")
            self.features = nn.Sequential(*layers)
            flat = channels[-1] * size**2
            maps = torch.randn(units, channels[-1], size, size) * flat**-0.5
            self.heads = nn.ModuleDict(
                {
                    "gap": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                    "random_fc": _connected(maps),
                    "symmetric_fc": _connected(symmetrise_filters(maps, readout_transform)),
                }
            )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return every read-out of the last map, by name of its head."""
        maps = self.features(images)
        return {name: head(maps) for name, head in self.heads.items()}


def _connected(weight: Tensor) -> nn.Sequential:
    units = weight.shape[0]
    linear = nn.Linear(weight[0].numel(), units, bias=False)
    linear.weight.copy_(weight.reshape(units, -1))
    return nn.Sequential(nn.Flatten(), linear, nn.ReLU())
