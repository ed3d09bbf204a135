"""A small network with an LGN filter in front and lateral connections in its first layer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.convnet import ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.fourier import FourierConv2d
from isocortex.models.initial import initialise, seeded
from isocortex.models.lateral import LateralConfig, LateralLayer
from isocortex.models.lgn import LGNConfig, LGNLayer

_BLOCKS = (ConvBlock(channels=(48,)), ConvBlock(channels=(64,)))


class LGNCNNConfig(BaseModel):
    """All that defines an `LGNCNN` but its seed.

    Parameters
    ----------
    input_size : int
        Height and width of the grey images.
    mean, sd : float
        Of the training images; removed before the first filter.
    lgn : LGNConfig, optional
        The filter in front (layer 0); None leaves it out.
    filters, filter_size : int
        Number and side of the filters of layer 1.
    filter_padding : {"valid", "same"}
        Whether layer 1 loses its margin or pads with zeros.
    normalise_first : bool
        Whether layer 1 is normalised before its ReLU, not after.
    lateral : LateralConfig, optional
        The lateral connections of layer 1; None leaves them out.
    pool_size : int
        Window and stride of the pooling of layer 1.
    blocks : tuple of ConvBlock
        What follows, each convolution with batch normalisation before its ReLU, none padded.
    n_classes : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_size: PositiveInt = 32
    mean: float = 0.0
    sd: PositiveFloat = 1.0
    lgn: LGNConfig | None = LGNConfig()
    filters: PositiveInt = 24
    filter_size: PositiveInt = 9
    filter_padding: Literal["valid", "same"] = "valid"
    normalise_first: bool = False
    lateral: LateralConfig | None = LateralConfig()
    pool_size: PositiveInt = 2
    blocks: tuple[ConvBlock, ...] = Field(default=_BLOCKS, min_length=1)
    n_classes: PositiveInt = 10


class FirstLayer(nn.Module):
    """Layer 1: filters, ReLU, batch normalisation, lateral connections.

    Maps are normalised before they are propagated, so that they hold deviations from the mean; in
    a ``recurrent`` layer, whose maps are rates, after that.

    Parameters
    ----------
    config : LGNCNNConfig
    """

    def __init__(self, config: LGNCNNConfig) -> None:
        super().__init__()
        self.conv = FourierConv2d(config.filters, config.filter_size, padding=config.filter_padding)
        self.act = nn.ReLU()
        self.norm = nn.BatchNorm2d(config.filters)
        self.normalise_first = config.normalise_first
        lateral = config.lateral
        self.lateral = None if lateral is None else LateralLayer(config.filters, lateral)

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps (n, F, h, w)."""
        drive = self.conv(images)
        if self.normalise_first:
            drive = self.norm(drive)
        maps: Tensor = self.act(drive)
        rates = self.lateral is not None and self.lateral.config.kind == "recurrent"
        if not self.normalise_first and not rates:
            maps = self.norm(maps)
        if self.lateral is not None:
            maps = self.lateral(maps, drive, self.conv.weight)
        return self.norm(maps) if rates and not self.normalise_first else maps


class LGNCNN(nn.Module):
    """An LGN filter, a first layer with lateral connections, and convolutional blocks above.

    Grey image -> mean and sd removed -> `lgn` (one filter) -> `v1` (F filters, lateral
    connections) -> `pool` -> `rest` (a `ConvNet`) -> logits. After Bertoni et al. (2021); what
    that paper leaves open is set by the configuration.

    Parameters
    ----------
    config : LGNCNNConfig
        The architecture.
    seed : int
        Of the initial weights; torch's own random numbers are left as they were. Networks of one
        seed share the initial weights of every layer that they share.

    Raises
    ------
    UserError
        If a map becomes smaller than the window on it.
    """

    def __init__(self, config: LGNCNNConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.input_shape = (1, config.input_size, config.input_size)
        valid = config.filter_padding == "valid"
        size = config.input_size - (config.filter_size - 1 if valid else 0)
        if size < config.pool_size:
            raise UserError(
                f"filters of {config.filter_size} px leave no map of images of "
                f"{config.input_size} px; make input_size larger or filter_size smaller"
            )
        with seeded(seed):
            self.lgn = LGNLayer(config.lgn) if config.lgn is not None else nn.Identity()
            self.v1 = FirstLayer(config)
            self.pool = nn.MaxPool2d(config.pool_size)
        rest = ConvNetConfig(
            blocks=config.blocks,
            normalisation="batch",
            normalise_after_activation=False,
            hidden=(),
            n_classes=config.n_classes,
            in_channels=config.filters,
            input_size=size // config.pool_size,
        )
        self.rest = ConvNet(rest, seed=seed)
        for k, part in enumerate((self.lgn, self.v1.conv, self.v1.lateral, self.rest)):
            if part is not None:
                initialise(part, seed=seed * 4 + k)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (n, n_classes) of images (n, 1, h, w) in [0, 1]."""
        logits: Tensor = self.rest(self.pool(self.v1(self.lgn(self.standardised(images)))))
        return logits

    def standardised(self, images: Tensor) -> Tensor:
        """Return images as the first filter meets them."""
        return (images - self.config.mean) / self.config.sd

    @property
    def lgn_filter(self) -> Tensor | None:
        """The filter in front (s, s), or None where there is none."""
        return self.lgn.filter if isinstance(self.lgn, LGNLayer) else None

    @property
    def filters(self) -> Tensor:
        """The filters of layer 1, (F, s, s)."""
        return self.v1.conv.weight.detach()[:, 0]

    @property
    def kernel(self) -> Tensor | None:
        """The lateral kernel (F, F, side, side), or None without lateral connections."""
        lateral = self.v1.lateral
        return None if lateral is None else lateral.kernel(self.v1.conv.weight).detach()

    def is_dead(self, images: Tensor) -> bool:
        """Whether the filter in front passes nothing of the given images on."""
        return isinstance(self.lgn, LGNLayer) and self.lgn.is_dead(self.standardised(images))
