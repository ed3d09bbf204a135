"""Orientation selectivity of networks, and its distance from that of recorded V1 cells."""

from __future__ import annotations

from typing import ClassVar, Literal

import pandas as pd
import torch
from torch import Tensor

from isocortex.execution import Step
from isocortex.measures.tuning import orientation_tuning
from isocortex.stimuli.gratings import ORIENTATIONS, marques_gratings, small_gratings
from isocortex.stimuli.image_files import with_channels
from isocortex.studies.farahat2025.networks import Network, blocks, objects, standardise

RULES = ("clip", "blanksub")
SEEN = 2_000
"""Training images on which batch statistics are estimated."""

CENTRE = 2
"""Map positions on a side, about the centre, whose units are looked at."""


class Selectivity(Step):
    """Show gratings to a network and measure the circular variance of its central units."""

    VERSION: ClassVar[str] = "2"
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("batch_size",)
    network: Network
    gratings: Literal["small", "marques"]
    batch_size: int

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return self.network.title

    def _seen(self) -> Tensor | None:
        """Return training images of a trained network, spread over the classes."""
        if self.network.norm != "bn":
            return None
        net = self.network
        images, _ = objects(net.source, "train", net.images, net.data)
        return standardise(images)[:: max(1, len(images) // SEEN)]

    def compute(self) -> pd.DataFrame:
        """Return one row a unit, block and response rule; silent units are NaN.

        Images are shifted so that the grey of the gratings is 0 and scaled to SD 1. Batch
        statistics of trained networks are those of their training images, so that a unit's
        response to a grating does not depend on the other gratings.
        """
        stimuli = small_gratings() if self.gratings == "small" else marques_gratings()
        images = with_channels((stimuli.images() - 0.5) / 0.35, 3)
        table = stimuli.table
        blank = torch.tensor(table["blank"].tolist())
        network = self.network.network(self._seen())
        conditions = int(table["condition"].max()) + 1
        rows = []
        for block, maps in enumerate(blocks(network, images, self.batch_size)):
            y, x = ((side - CENTRE) // 2 for side in maps.shape[2:])
            units = maps[:, :, y : y + CENTRE, x : x + CENTRE].flatten(1).double()
            shown = units[~blank]
            curves = shown.view(conditions, len(ORIENTATIONS), -1, shown.shape[1])
            for rule in RULES:
                found = orientation_tuning(
                    curves.numpy(), ORIENTATIONS, units[blank][0].numpy(), rule=rule
                )
                rows.append(
                    pd.DataFrame(
                        {
                            **self.network.labels(),
                            "block": block + 1,
                            "rule": rule,
                            "unit": range(units.shape[1]),
                            "circular_variance": found.circular_variance,
                            "silent": found.silent,
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)
