"""Networks that code an image by one filter and read it back through noise.

A filter Psi of a few pixels gives the code z = Psi * x; from z + n, n normal with variance N, a
decoder gives the image back. What Psi becomes depends on what a code costs: see
`training.reconstruction`.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.fourier import FourierConv2d
from isocortex.models.initial import initialise


class CodecConfig(BaseModel):
    """All that defines a codec but its seed.

    Parameters
    ----------
    decoder : {"linear", "network"}
        One filter of `decoder_size`, or two layers with a ReLU between them.
    size, decoder_size : int
        Sides of the coding filter and of the linear decoder; odd.
    hidden, hidden_size : int
        Filters of each layer of the network decoder, and their side.
    noise : float
        N, variance of the noise on the code.
    normalised : bool
        Whether the code of a batch is divided by its standard deviation before the noise: then a
        code costs nothing, yet cannot grow above the noise.
    initial_sd : float, optional
        Standard deviation of the initial weights of the coding filter, see `LGNConfig`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    decoder: Literal["linear", "network"] = "linear"
    size: PositiveInt = 7
    decoder_size: PositiveInt = 13
    hidden: PositiveInt = 24
    hidden_size: PositiveInt = 9
    noise: NonNegativeFloat = 1.0
    normalised: bool = False
    initial_sd: PositiveFloat | None = 0.02


class LinearCodec(nn.Module):
    """Code by one filter, noise, and a linear decoder; borders are reflected.

    ``z = Psi * x`` and ``y = d * (z + n)``.

    Parameters
    ----------
    config : CodecConfig
    seed : int
        Of the initial weights.
    """

    def __init__(self, config: CodecConfig, *, seed: int = 0) -> None:
        super().__init__()
        if config.hidden_size % 2 == 0:
            raise UserError(f"hidden_size is {config.hidden_size}; a filter needs an odd side")
        self.config = config
        self.encoder = FourierConv2d(
            1, config.size, padding="same", padding_mode="reflect", initial_sd=config.initial_sd
        )
        self.decoder = self._decoder()
        initialise(self, seed=seed)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images that come back, and their code z before the noise (n, 1, h, w)."""
        code = self.encoder(images)
        if self.config.normalised:
            code = code / code.std().clamp(min=torch.finfo(code.dtype).tiny)
        noisy = code + self.config.noise**0.5 * torch.randn_like(code)
        return self.decoder(noisy), code

    @property
    def filter(self) -> Tensor:
        """The coding filter (size, size)."""
        return self.encoder.weight.detach()[0, 0]

    def _decoder(self) -> nn.Module:
        return FourierConv2d(1, self.config.decoder_size, padding="same", padding_mode="reflect")


class NetworkCodec(LinearCodec):
    """The same with two convolutional layers as decoder, a ReLU between them."""

    def _decoder(self) -> nn.Module:
        hidden, size = self.config.hidden, self.config.hidden_size
        return nn.Sequential(
            nn.Conv2d(1, hidden, size, padding=size // 2, padding_mode="reflect"),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, size, padding=size // 2, padding_mode="reflect"),
        )


CODECS: dict[str, type[LinearCodec]] = {"linear": LinearCodec, "network": NetworkCodec}
"""Kind of decoder -> codec."""


def codec(config: CodecConfig, *, seed: int = 0) -> LinearCodec:
    """Return the codec that a configuration describes."""
    return CODECS[config.decoder](config, seed=seed)
