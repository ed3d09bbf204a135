"""Lateral connections among the maps of one layer, learned or induced by the layer's filters.

Conventions, which every analysis of a lateral kernel relies on: x = column, y = -row (upwards), and
the displacement is *source minus target*. A kernel K of shape (F, F, side, side) acts as the weight
of a cross-correlation: with c = (side - 1) / 2, K[f, g, a, b] is the influence on unit f at a
position p from unit g at p + Delta, with Delta_x = b - c and Delta_y = -(a - c).
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from isocortex.errors import UserError

Kind = Literal["learned", "kercnn", "recurrent"]


class LateralConfig(BaseModel):
    """All that defines a `LateralLayer` but its weights.

    Parameters
    ----------
    kind : {"learned", "kercnn", "recurrent"}
        The update of the maps h, with ``*`` for cross-correlation, D for dropout of channels and
        t < iterations:

        - ``learned``: h <- (a + D(K * h)) / 2 with a learned K;
        - ``kercnn``: the same with K = the kernel that the filters induce (`induced_kernel`);
        - ``recurrent``: h <- ReLU(u + D(K * h)), u the drive of the filters before its ReLU.
    anchor : {"current", "input"}
        What a is: the maps h as they are, or as they came in.
    iterations : int
        How often; 0 passes the maps on.
    side : int
        Side of the kernel in pixels; odd.
    dropout : float
        Share of the channels of K * h that are silenced in training.
    rectified : bool
        Whether a ReLU follows each update (it does for ``recurrent``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "learned"
    anchor: Literal["current", "input"] = "current"
    iterations: Annotated[int, Field(ge=0)] = 1
    side: Annotated[int, Field(ge=1)] = 7
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    rectified: bool = False

    @field_validator("side")
    @classmethod
    def _odd(cls, side: int) -> int:
        if side % 2 == 0:
            raise ValueError("the kernel must have an odd side, so that it has a centre")
        return side


class LateralLayer(nn.Module):
    """Propagation of maps along lateral connections; the size is kept (zeros outside).

    Parameters
    ----------
    n_filters : int
        F, the number of maps.
    config : LateralConfig

    Attributes
    ----------
    weight : nn.Parameter
        (F, F, side, side), see the module's conventions; drawn as `nn.Conv2d` draws. A layer of
        kind ``kercnn`` has none.
    """

    def __init__(self, n_filters: int, config: LateralConfig) -> None:
        super().__init__()
        self.n_filters, self.config = n_filters, config
        self.dropout = nn.Dropout2d(config.dropout)
        if config.kind != "kercnn":
            shape = (n_filters, n_filters, config.side, config.side)
            self.weight = nn.Parameter(torch.empty(shape))
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the kernel anew."""
        if self.config.kind != "kercnn":
            nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def kernel(self, filters: Tensor | None = None) -> Tensor:
        """Return the kernel that acts, (F, F, side, side).

        Parameters
        ----------
        filters : Tensor, optional
            (F, C, s, s), from which a layer of kind ``kercnn`` makes its kernel.
        """
        if self.config.kind != "kercnn":
            return self.weight
        if filters is None:
            raise UserError("a kercnn layer makes its kernel from the filters; give them")
        return induced_kernel(filters.detach(), self.config.side)

    def forward(
        self, maps: Tensor, drive: Tensor | None = None, filters: Tensor | None = None
    ) -> Tensor:
        """Return the maps after all iterations.

        Parameters
        ----------
        maps : Tensor
            (n, F, h, w).
        drive : Tensor, optional
            (n, F, h, w), what the filters give before the ReLU; for ``recurrent`` alone.
        filters : Tensor, optional
            See `kernel`.
        """
        config = self.config
        if config.iterations == 0:
            return maps
        kernel = self.kernel(filters)
        if config.kind == "recurrent" and drive is None:
            raise UserError("a recurrent lateral layer needs the drive of its filters; give it")
        flow = maps
        for _ in range(config.iterations):
            sent = self.dropout(F.conv2d(flow, kernel, padding=config.side // 2))
            if config.kind == "recurrent":
                assert drive is not None
                flow = F.relu(drive + sent)
            else:
                flow = (sent + (flow if config.anchor == "current" else maps)) / 2
                flow = F.relu(flow) if config.rectified else flow
        return flow


def filter_overlap(filters: Tensor) -> Tensor:
    """Return the overlap of all pairs of filters at all displacements.

    ``O[f, g, Delta] = <psi_f, psi_g(. - Delta)>`` for filters of unit norm; channels are summed.

    Parameters
    ----------
    filters : Tensor
        (F, C, s, s). A filter that is zero everywhere overlaps with none.

    Returns
    -------
    Tensor
        (F, F, 2 s - 1, 2 s - 1), Delta as in the module's conventions.
    """
    norm = filters.flatten(1).norm(dim=1).clamp(min=torch.finfo(filters.dtype).tiny)
    unit = filters / norm[:, None, None, None]
    return F.conv2d(unit, unit, padding=filters.shape[-1] - 1)


def induced_kernel(filters: Tensor, side: int | None = None) -> Tensor:
    """Return the lateral kernel that filters induce: their positive overlap, of unit sum.

    ``K[f, g, Delta] = max(O[f, g, Delta], 0)``, divided by its sum over g and Delta (Montobbio et
    al. 2019 build a kernel from filters in this way; the normalisation is ours).

    Parameters
    ----------
    filters : Tensor
        (F, C, s, s).
    side : int, optional
        Side of the kernel, odd: the overlap is cropped, or surrounded by zeros, before it is
        normalised. By default its whole support, 2 s - 1.

    Returns
    -------
    Tensor
        (F, F, side, side). The row of a filter that is zero everywhere is zero.
    """
    kernel = filter_overlap(filters).clamp(min=0)
    if side is not None:
        margin = (side - kernel.shape[-1]) // 2
        kernel = F.pad(kernel, [margin] * 4)  # a negative margin crops
    total = kernel.sum(dim=(1, 2, 3), keepdim=True)
    return kernel / torch.where(total > 0, total, torch.ones_like(total))
