"""Hand-made filter banks: what symmetric filters and pooling do before anything is learned.

Convolutions with filters that a symmetry g leaves as they are, on a sampling grid that g leaves as
it is, commute with g: f(g x) = g f(x). Whatever then reads the map alike at x and g x (global
pooling, or fully connected weights that g leaves as they are) is invariant: h(f(g x)) = h(f(x)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.convnet import ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.initial import initialise, seeded
from isocortex.models.layers import grid_check
from isocortex.stimuli.transforms import TRANSFORMS

Symmetry = Callable[[Tensor], Tensor]
"""Moves values within the last two axes, as `stimuli.transforms.TRANSFORMS` do."""

READOUTS: dict[str, str] = {
    "map": "features",
    "gap": "gap",
    "random fc": "random_fc",
    "symmetric fc": "symmetric_fc",
}
"""Read-out -> module of a `FilterNetwork`."""

_LARGEST_ORDER = 8


def symmetrise_filters(weight: Tensor, transform: Symmetry) -> Tensor:
    """Return the nearest filters that a symmetry leaves as they are.

    Parameters
    ----------
    weight : Tensor
        (..., h, w).
    transform : callable
        A symmetry g of the pixel grid.

    Returns
    -------
    Tensor
        (..., h, w), the mean of weight, g weight, g g weight, ... over all different powers of g:
        the orthogonal projection on the filters with g w = w.

    Raises
    ------
    UserError
        If `transform` does not come back to the start within eight turns on maps of this shape.
    """
    h, w = weight.shape[-2:]
    grid = torch.arange(h * w, device=weight.device).reshape(h, w)
    moved, turned, total, first = transform(grid), transform(weight), weight.clone(), grid
    for order in range(1, _LARGEST_ORDER + 1):
        if moved.shape != grid.shape:
            break
        if torch.equal(moved, grid):
            # One value for every orbit, because sums in another order differ in the last digit.
            return (total / order).flatten(-2)[..., first]
        total += turned
        first = torch.minimum(first, moved)
        moved, turned = transform(moved), transform(turned)
    raise UserError(
        f"the transformation is no symmetry of a grid of {h} x {w}: repeating it does not lead "
        "back to the start; choose a flip, or a turn on square maps"
    )


class FilterNetwork(nn.Module):
    """Random or symmetric convolutions below four read-outs, for the mechanism of pooling.

    Blocks of valid convolutions, each followed by ReLU, with max pooling between the blocks. The
    last map is read as it is (`map`), by global average pooling (`gap`), and by two fully
    connected layers with ReLU: one with random weights (`random fc`), one whose weights are
    symmetric over the map (`symmetric fc`). All weights are drawn from N(0, 2/fan_in); those that
    are made symmetric keep the norm of each filter. Biases are zero.

    Parameters
    ----------
    filters : callable, optional
        The symmetry of the convolutions; None leaves them random. The same seed draws the same
        filters before they are made symmetric.
    head : callable
        The symmetry of the symmetric fully connected layer.
    size : int
        Pixels of a square image.
    in_channels : int
    channels : sequence of sequences of int
        Channels of the convolutions of each block.
    kernel_size, stride : int
        Of the convolutions; the stride is that of each block's first one.
    n_fc : int
        Units of each fully connected layer.
    seed : int

    Attributes
    ----------
    readouts : dict of str to str
        `READOUTS`.
    input_shape : tuple of int
        (c, h, w).

    Raises
    ------
    UserError
        If the convolutions and poolings would not sample the image mirror-symmetrically.
    """

    def __init__(
        self,
        filters: Symmetry | None = None,
        head: Symmetry = TRANSFORMS["hflip"],
        *,
        size: int = 32,
        in_channels: int = 1,
        channels: Sequence[Sequence[int]] = ((16, 16), (32, 64)),
        kernel_size: int = 3,
        stride: int = 1,
        n_fc: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        *lower, top = (
            ConvBlock(channels=tuple(c), kernel_size=kernel_size, stride=stride) for c in channels
        )
        config = ConvNetConfig(
            blocks=(*lower, top.model_copy(update={"pooling": "none"})),
            head="gap",
            hidden=(),
            in_channels=in_channels,
            input_size=size,
            init="he_normal",
        )
        self.input_shape = (in_channels, size, size)
        self.readouts = dict(READOUTS)
        self.features = ConvNet(config, seed=seed).features
        _check_grid(self.features, size)
        shape = self._map_shape()
        self.gap = nn.AdaptiveAvgPool2d(1)
        with seeded(seed):
            self.random_fc = _full(shape, n_fc)
            self.symmetric_fc = _full(shape, n_fc)
        initialise(self.random_fc, "he_normal", seed=seed + 1)
        initialise(self.symmetric_fc, "he_normal", seed=seed + 2)
        if filters is not None:
            for module in self.features:
                if isinstance(module, nn.Conv2d):
                    _make_symmetric(module.weight, module.weight.shape, filters)
        _make_symmetric(self.symmetric_fc.get_parameter("1.weight"), (n_fc, *shape), head)

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, 2 n_fc): the random and the symmetric fully connected layer, side by side."""
        maps = self.features(images)
        self.gap(maps)
        return torch.cat([self.random_fc(maps), self.symmetric_fc(maps)], dim=1)

    def _map_shape(self) -> tuple[int, int, int]:
        with torch.no_grad():
            c, h, w = self.features(torch.zeros(1, *self.input_shape)).shape[1:]
        return c, h, w


def _full(shape: tuple[int, int, int], n_fc: int) -> nn.Sequential:
    c, h, w = shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, n_fc), nn.ReLU())


def _make_symmetric(weight: Tensor, shape: Sequence[int], transform: Symmetry) -> None:
    """Make filters (out, c, h, w), stored in any shape, symmetric in place; norms are kept."""
    with torch.no_grad():
        symmetric = symmetrise_filters(weight.reshape(*shape), transform)
        gain = weight.flatten(1).norm(dim=1) / symmetric.flatten(1).norm(dim=1)
        weight.copy_((symmetric * gain.reshape(-1, 1, 1, 1)).reshape(weight.shape))


def _check_grid(features: nn.Sequential, size: int) -> None:
    grid = grid_check(features, size)
    askew = grid[~grid["symmetric"]]
    if len(askew):
        raise UserError(
            f"{askew['layer'].iloc[0]} does not sample images of {size} px symmetrically about "
            "their centre; choose another size, or another kernel_size and stride"
        )
