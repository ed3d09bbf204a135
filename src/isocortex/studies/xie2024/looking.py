"""Who looks at the stimuli of recordings: a trained network, one that was given, or pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isocortex.execution import Step
from isocortex.grams import BLOCK_BYTES, Scaling, summed
from isocortex.models.preprocessing import Preprocess
from isocortex.recording import grams
from isocortex.stimuli import StimulusSet
from isocortex.studies.xie2024.given import Given
from isocortex.studies.xie2024.measuring import PIXELS, PIXELS_IDENTITY, Grams
from isocortex.studies.xie2024.natural import TrainNatural
from isocortex.studies.xie2024.networks import Train

Observer = Train | TrainNatural | Given

BATCH = 128
"""Images in a forward pass."""


class Looking(Step):
    """A step that reads layers of a network, or pixels where there is none."""

    network: Train | None
    given: Given | None = None
    """A network that was given, instead of one that is trained."""
    natural: TrainNatural | None = None
    """A network of photographs, instead of one of scenes."""
    layers: list[str]
    """Candidates for an area."""
    size: int
    """Height and width of the images in pixels."""
    at_step: int | None = None
    """A snapshot instead of the final weights."""

    @property
    def observer(self) -> Observer | None:
        """Who looks; None for pixels."""
        return self.network or self.natural or self.given

    @property
    def title(self) -> str:
        """Name in the terminal."""
        who = PIXELS if self.observer is None else self.observer.title
        return who + ("" if self.at_step is None else f" step {self.at_step}")

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say whom a row is about."""
        return PIXELS_IDENTITY if self.observer is None else self.observer.identity

    def read(
        self,
        shown: Tensor | StimulusSet,
        scaling: Scaling = "none",
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> Grams:
        """Return the Gram of every layer over images, which fill the input after `transform`."""
        if self.observer is None:
            fill = Preprocess((3, self.size, self.size), resize=(self.size, self.size))
            batches = shown.batches(BATCH) if isinstance(shown, StimulusSet) else shown.split(BATCH)
            flat = torch.cat(
                [fill(b if transform is None else transform(b)).flatten(1) for b in batches]
            )
            read = summed(
                lambda start, stop: flat[:, start:stop],
                *flat.shape,
                scaling=scaling,
                double=True,
                byte_budget=BLOCK_BYTES,
            )
            return {PIXELS: read.values.numpy()}
        model = self.observer.model(self.at_step)
        made = grams(
            model,
            shown,
            self.layers,
            scaling=scaling,
            batch_size=BATCH,
            transform=transform,
            device=self.observer.device,
        )
        return dict(made)
