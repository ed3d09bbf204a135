"""`rnet`: one family of small networks, activation x pooling, for what architecture alone gives.

A block is convolution (stride 1, padded by half a kernel), normalisation, activation, and pooling
of 2 x 2 windows; the head is the global mean and one linear layer. Weights are Gaussian with
variance 2/fan-in, biases 0. Networks take images of any size that leaves a unit in the last block.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from isocortex.errors import UserError, unknown
from isocortex.models.activations import ACTIVATIONS
from isocortex.models.convnet import ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.gain import set_gain
from isocortex.models.preprocessing import Preprocess
from isocortex.stimuli.noise import pink_noise

POOLS: dict[str, str] = {
    "avg": "avg", "max": "max", "none": "subsample", "l2": "l2", "blur": "blur",
}  # fmt: skip
"""What the family calls a pooling -> its name in `pooling.POOLINGS`. ``"none"`` keeps every second
unit, so that maps have the same size with it."""

CHANNELS, KERNELS = (32, 64, 128), (7, 5, 3)
FULL_CHANNELS = (64, 128, 256)
SMALL_IMAGE = 24
"""Images below this many pixels get two blocks instead of three."""

PREPROCESS = Preprocess((3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
"""Of the networks in the zoo: the grey of gratings, 0.5, becomes 0."""


def rnet_config(
    activation: str = "relu",
    pooling: str = "avg",
    *,
    norm: Literal["gain", "bn", "none"] = "gain",
    in_channels: int = 3,
    input_size: int = 64,
    blocks: int | None = None,
    channels: tuple[int, ...] = CHANNELS,
    kernels: tuple[int, ...] = KERNELS,
    n_classes: int = 10,
) -> ConvNetConfig:
    """Return the configuration of a network of the family.

    Parameters
    ----------
    activation : str
        A name in `activations.ACTIVATIONS`.
    pooling : {"avg", "max", "none", "l2", "blur"}
        See `POOLS`.
    norm : {"gain", "bn", "none"}
        ``"bn"`` puts batch normalisation before each activation; see `gain.reestimate_batchnorm`.
        ``"gain"`` is a scale of the weights and not part of the configuration; see `rnet`.
    in_channels, input_size : int
        Channels of an image, and its usual width and height in pixels.
    blocks : int, optional
        By default three, and two for images below `SMALL_IMAGE` pixels.
    channels, kernels : tuple of int
        Of each block; the first `blocks` of them are used.
    n_classes : int
        Width of the linear head.

    Returns
    -------
    ConvNetConfig

    Raises
    ------
    UserError
        For an unknown name, or more blocks than channels or kernels.
    """
    if activation not in ACTIVATIONS:
        raise unknown("activation", activation, ACTIVATIONS)
    if pooling not in POOLS:
        raise unknown("pooling", pooling, POOLS)
    if norm not in NORMS:
        raise unknown("normalisation", norm, NORMS)
    depth = blocks if blocks is not None else (2 if input_size < SMALL_IMAGE else 3)
    if not 1 <= depth <= min(len(channels), len(kernels)):
        raise UserError(
            f"{depth} blocks need as many channels and kernels, at least one; there are "
            f"{len(channels)} and {len(kernels)}"
        )
    return ConvNetConfig(
        blocks=tuple(
            ConvBlock.model_validate(
                {"channels": (width,), "kernel_size": kernel, "pooling": POOLS[pooling]}
            )
            for width, kernel in list(zip(channels, kernels, strict=False))[:depth]
        ),
        activation=activation,
        normalisation="batch" if norm == "bn" else "none",
        normalise_after_activation=False,
        padding="half",
        head="gap",
        hidden=(),
        n_classes=n_classes,
        in_channels=in_channels,
        input_size=input_size,
        init="he_normal",
    )


NORMS = ("gain", "bn", "none")


def rnet(
    activation: str = "relu",
    pooling: str = "avg",
    *,
    norm: Literal["gain", "bn", "none"] = "gain",
    calibration: Tensor | None = None,
    gain: float = 1.0,
    bias_sd: float = 0.0,
    in_channels: int = 3,
    input_size: int = 64,
    blocks: int | None = None,
    channels: tuple[int, ...] = CHANNELS,
    kernels: tuple[int, ...] = KERNELS,
    n_classes: int = 10,
    seed: int = 0,
) -> ConvNet:
    """Build a network of the family with random weights.

    Parameters
    ----------
    activation, pooling, norm, in_channels, input_size, blocks, channels, kernels, n_classes
        As in `rnet_config`.
    calibration : Tensor, shape (n, c, h, w), optional
        Images as the network takes them, on which ``norm="gain"`` sets the SD of pre-activations;
        without them 32 images of pink noise (`stimuli.noise`), standardised by `PREPROCESS`.
    gain : float
        That SD.
    bias_sd : float
        With ``norm="gain"``, SD of Gaussian biases added after the gain; 0 leaves biases at 0.
    seed : int
        Of weights and biases.

    Returns
    -------
    ConvNet
        In eval mode. Layers are ``features.conv1_1, norm1_1, act1_1, pool1, conv2_1, ...`` and
        ``head.gap, head.fc1``; `block_outputs` names the pooled maps.

    Raises
    ------
    UserError
        As `rnet_config` and `gain.set_gain`.
    """
    config = rnet_config(
        activation,
        pooling,
        norm=norm,
        in_channels=in_channels,
        input_size=input_size,
        blocks=blocks,
        channels=channels,
        kernels=kernels,
        n_classes=n_classes,
    )
    network = ConvNet(config, seed=seed)
    if norm == "gain":
        if calibration is None:
            calibration = (pink_noise(32, input_size, in_channels) - 0.5) / 0.25
        set_gain(network, calibration, sd=gain, bias_sd=bias_sd, seed=seed)
    return network.eval()


NAMES: dict[str, tuple[str, str]] = {
    f"rnet-{activation}-{pooling}": (activation, pooling)
    for activation in ACTIVATIONS
    for pooling in POOLS
}
"""Names in the zoo, after ``isocortex:``."""
