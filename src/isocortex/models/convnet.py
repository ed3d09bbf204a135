"""A convolutional network set by its configuration; the paper's small network is three presets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator
from torch import Tensor, nn

from isocortex.errors import UserError, unknown
from isocortex.models.activations import ACTIVATIONS
from isocortex.models.initial import SCHEMES, initialise, seeded
from isocortex.models.pooling import POOLINGS

GLOBAL_POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "gap": lambda: nn.AdaptiveAvgPool2d(1),
    "max": lambda: nn.AdaptiveMaxPool2d(1),
}


class ConvBlock(BaseModel):
    """Convolutions of one map size, and what pools them.

    Parameters
    ----------
    channels : tuple of int
        Output channels of each convolution of the block.
    kernel_size, stride : int
        Of each convolution; the stride holds for the first one.
    pooling : {"max", "avg", "l2", "blur", "subsample", "none"}
        What follows the last convolution: a name in `pooling.POOLINGS`, or nothing.
    pool_size : int
        Window and stride of the pooling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    kernel_size: PositiveInt = 3
    stride: PositiveInt = 1
    pooling: Literal["max", "avg", "l2", "blur", "subsample", "none"] = "max"
    pool_size: PositiveInt = 2


class ConvNetConfig(BaseModel):
    """All that defines a `ConvNet` but its seed.

    Parameters
    ----------
    blocks : tuple of ConvBlock
        From the image upwards.
    activation : str
        A name in `ACTIVATIONS`, after every convolution and every hidden layer.
    normalisation : {"none", "batch"}
        Batch normalisation of the convolutions, or none.
    normalised : tuple of str, optional
        The convolutions that are normalised, e.g. ``("conv1_1", "conv2_1")``; all by default.
    normalise_after_activation : bool
        Whether normalisation comes after the activation or before it.
    padding : {"valid", "same", "half"}
        ``"valid"`` pads nothing. ``"same"`` pads both sides alike, by half a kernel or by the
        least more that puts the sampling grid mirror-symmetrically about the image's centre.
        ``"half"`` pads convolutions by half a kernel and poolings by nothing, whatever the size.
    head : {"flatten", "gap", "max"}
        What the fully connected layers read: the whole map, or its mean or largest value.
    hidden : tuple of int
        Widths of the hidden fully connected layers; the layer of the classes comes on top.
    dropout : float
        Share of the hidden units silenced in training.
    n_classes, in_channels, input_size : int
        Classes, image channels, and the image's height and width in pixels.
    init : str
        A name in `initial.SCHEMES`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: tuple[ConvBlock, ...] = Field(min_length=1)
    activation: str = "relu"
    normalisation: Literal["none", "batch"] = "none"
    normalised: tuple[str, ...] | None = None
    normalise_after_activation: bool = True
    padding: Literal["valid", "same", "half"] = "valid"
    head: Literal["flatten", "gap", "max"] = "flatten"
    hidden: tuple[PositiveInt, ...] = (256, 256)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    n_classes: PositiveInt = 10
    in_channels: PositiveInt = 3
    input_size: PositiveInt = 32
    init: str = "pytorch"

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, name: str) -> str:
        if name not in ACTIVATIONS:
            raise unknown("activation", name, ACTIVATIONS)
        return name

    @field_validator("init")
    @classmethod
    def _known_init(cls, name: str) -> str:
        if name not in SCHEMES:
            raise unknown("initialisation", name, SCHEMES)
        return name

    @property
    def conv_names(self) -> tuple[str, ...]:
        """Names of the convolutions, ``conv<block>_<place>``, both counted from 1."""
        return tuple(
            f"conv{b}_{c}"
            for b, block in enumerate(self.blocks, 1)
            for c in range(1, len(block.channels) + 1)
        )


_PAPER_CODE = ConvNetConfig(
    blocks=(ConvBlock(channels=(32, 32)), ConvBlock(channels=(64, 128))),
    normalisation="batch",
    normalised=("conv1_1", "conv2_1"),
    hidden=(256, 256),
)

PRESETS: dict[str, ConvNetConfig] = {
    "paper-code": _PAPER_CODE,
    "paper-text": _PAPER_CODE.model_copy(
        update={
            "blocks": (
                ConvBlock(channels=(32, 32)),
                ConvBlock(channels=(64, 128), pooling="none"),
            ),
            "hidden": (128, 256),
            "init": "he_uniform",
        }
    ),
    "half": ConvNetConfig(
        blocks=(ConvBlock(channels=(16, 16)), ConvBlock(channels=(32, 64))),
        hidden=(128, 128),
        in_channels=1,
        init="he_normal",
    ),
}
"""The small network of Farzmahdi et al. (2024): as in the authors' code (990,506 parameters for ten
classes of colour images), as described in the text, and at half width for grey images."""


class ConvNet(nn.Module):
    """A stack of convolutional blocks below fully connected layers.

    Parameters
    ----------
    config : ConvNetConfig
        The architecture.
    seed : int
        Of the initial weights; torch's own random numbers are left as they were.

    Attributes
    ----------
    config : ConvNetConfig
    input_shape : tuple of int
        (c, h, w) of an image.
    readouts : dict of str to str
        ``conv1_1`` ... and ``fc1`` ... -> the module whose output is that layer's activation,
        before normalisation (where that comes after) and pooling. The last fully connected layer
        has no activation: its read-out is the logits. With a pooling head, ``gap`` or ``max`` is
        the pooled map.
    block_outputs : tuple of str
        The last module of each block, whose output goes into the next one.

    Raises
    ------
    UserError
        If a map becomes smaller than the window on it, a mirror-symmetric grid cannot be had, or
        `normalised` names a convolution that does not exist.
    """

    def __init__(self, config: ConvNetConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.input_shape = (config.in_channels, config.input_size, config.input_size)
        self.readouts: dict[str, str] = {}
        self.block_outputs: tuple[str, ...] = ()
        with seeded(seed):
            self.features, channels, size = self._build_features()
            width = channels * size**2 if config.head == "flatten" else channels
            self.head = self._build_head(width)
        initialise(self, config.init, seed=seed)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (n, n_classes) of images (n, c, h, w)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def _build_features(self) -> tuple[nn.Sequential, int, int]:
        config = self.config
        wanted = config.conv_names if config.normalised is None else config.normalised
        for name in wanted:
            if name not in config.conv_names:
                raise unknown("convolution", name, config.conv_names)
        normalised = set(wanted) if config.normalisation == "batch" else set()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels, size = config.in_channels, config.input_size
        for b, block in enumerate(config.blocks, 1):
            for c, width in enumerate(block.channels, 1):
                tag = f"{b}_{c}"
                stride = block.stride if c == 1 else 1
                padding, size = self._window(f"conv{tag}", size, block.kernel_size, stride)
                layers[f"conv{tag}"] = nn.Conv2d(
                    channels, width, block.kernel_size, stride, padding
                )
                activation = {f"act{tag}": ACTIVATIONS[config.activation]()}
                norm = {f"norm{tag}": nn.BatchNorm2d(width)} if f"conv{tag}" in normalised else {}
                after = config.normalise_after_activation
                layers.update(activation | norm if after else norm | activation)
                self.readouts[f"conv{tag}"] = f"features.act{tag}"
                channels = width
            if block.pooling != "none":
                stride = block.pool_size
                padding, size = self._window(f"pool{b}", size, block.pool_size, stride)
                layers[f"pool{b}"] = POOLINGS[block.pooling](block.pool_size, stride, padding)
            self.block_outputs += (f"features.{next(reversed(layers))}",)
        return nn.Sequential(layers), channels, size

    def _build_head(self, width: int) -> nn.Sequential:
        config = self.config
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if config.head != "flatten":
            layers[config.head] = GLOBAL_POOLINGS[config.head]()
            self.readouts[config.head] = f"head.{config.head}"
        layers["flatten"] = nn.Flatten()
        for k, hidden in enumerate(config.hidden, 1):
            layers[f"fc{k}"] = nn.Linear(width, hidden)
            layers[f"act{k}"] = ACTIVATIONS[config.activation]()
            layers[f"dropout{k}"] = nn.Dropout(config.dropout)
            self.readouts[f"fc{k}"] = f"head.act{k}"
            width = hidden
        last = f"fc{len(config.hidden) + 1}"
        layers[last] = nn.Linear(width, config.n_classes)
        self.readouts[last] = f"head.{last}"
        return nn.Sequential(layers)

    def _window(self, name: str, size: int, window: int, stride: int) -> tuple[int, int]:
        """Return the padding of a sliding window and the size of the map that it gives."""
        padding = 0
        if self.config.padding == "same":
            padding = _symmetric_padding(name, size, window, stride)
        elif self.config.padding == "half" and name.startswith("conv"):
            padding = window // 2
        if size + 2 * padding < window:
            raise UserError(
                f"{name} has a window of {window} on a map of {size} px; make input_size (now "
                f"{self.config.input_size}) larger, or leave out a pooling"
            )
        return padding, (size + 2 * padding - window) // stride + 1


def _symmetric_padding(name: str, size: int, window: int, stride: int) -> int:
    """Return the least padding from half a window up that leaves no rest on the right-hand side.

    The windows start at -padding and go on by `stride`. They lie mirror-symmetrically about the
    centre if and only if (size + 2*padding - window) is a multiple of `stride`. Windows that tile
    the map need no margin.
    """
    tiles = window == stride
    for padding in range(0, window // 2 + 1) if tiles else range(window // 2, window):
        if (size + 2 * padding - window) % stride == 0:
            return padding
    raise UserError(
        f"{name} (window {window}, stride {stride}) cannot sample a map of {size} px symmetrically "
        "about its centre; choose another input_size or window, or padding: valid"
    )
