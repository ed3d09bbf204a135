"""The layer in front of the first one: a single filter for the whole image, as of the LGN."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from isocortex.models.fourier import FourierConv2d


class LGNConfig(BaseModel):
    """All that defines an `LGNLayer` but its weights.

    Parameters
    ----------
    size : int
        Side of the filter in pixels; odd.
    rectified : bool
        Whether a ReLU follows.
    normalised : bool
        Whether batch normalisation follows (after the ReLU).
    padding : {"reflect", "zeros"}
        What lies beyond the borders of the image; with zeros a uniform image does not stay uniform.
    initial_sd : float, optional
        Standard deviation of normally distributed initial weights; None draws as `nn.Conv2d` does,
        from U(+-1/size), whose standard deviation is 0.082 for a filter of 7 x 7.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=3)] = 7
    rectified: bool = True
    normalised: bool = True
    padding: Literal["reflect", "zeros"] = "reflect"
    initial_sd: Annotated[float, Field(gt=0)] | None = None

    @field_validator("size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("the filter must have an odd side, so that it has a centre")
        return size


class LGNLayer(nn.Module):
    """One filter over a grey image: convolution, ReLU, batch normalisation; the size is kept.

    The image is reflected at its borders unless `padding` says otherwise. There is no bias.

    Parameters
    ----------
    config : LGNConfig

    Attributes
    ----------
    conv : FourierConv2d
        Holds the filter, as weight (1, 1, size, size). It acts as a cross-correlation.
    """

    def __init__(self, config: LGNConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = FourierConv2d(
            1,
            config.size,
            padding="same",
            padding_mode=config.padding,
            initial_sd=config.initial_sd,
        )
        self.act = nn.ReLU() if config.rectified else nn.Identity()
        self.norm = nn.BatchNorm2d(1) if config.normalised else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return the filtered images (n, 1, h, w)."""
        filtered: Tensor = self.norm(self.act(self.conv(images)))
        return filtered

    @property
    def filter(self) -> Tensor:
        """The filter (size, size)."""
        return self.conv.weight.detach()[0, 0]

    def is_dead(self, images: Tensor) -> bool:
        """Whether no pixel of the given images drives the layer above 0.

        A dead layer passes nothing on and learns nothing any more. A layer without a ReLU is dead
        only where its filter answers nothing at all.

        Parameters
        ----------
        images : Tensor
            (n, 1, h, w), as the layer meets them.
        """
        with torch.no_grad():
            driven = self.act(self.conv(images))
        return bool((driven.abs() if not self.config.rectified else driven).max() <= 0)
