"""Who looks at the stimuli of recordings: a trained network, one that was given, or pixels."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from isocortex.execution import Step
from isocortex.grams import BLOCK_BYTES, Scaling, summed
from isocortex.recording import grams
from isocortex.studies.xie2024.given import Given
from isocortex.studies.xie2024.measuring import PIXELS, Grams
from isocortex.studies.xie2024.networks import Train


class Looking(Step):
    """A step that reads layers of a network, or pixels where there is none."""

    network: Train | None
    given: Given | None = None
    """A network that was given, instead of one that is trained."""
    layers: list[str]
    """Candidates for an area."""
    size: int
    """Height and width of the images in pixels."""
    at_step: int | None = None
    """A snapshot instead of the final weights."""

    @property
    def observer(self) -> Train | Given | None:
        """Who looks; None for pixels."""
        return self.network or self.given

    @property
    def title(self) -> str:
        """Name in the terminal."""
        who = PIXELS if self.observer is None else self.observer.title
        return who + ("" if self.at_step is None else f" step {self.at_step}")

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say whom a row is about."""
        if self.observer is None:
            return {"task_set": PIXELS, "variant": "full", "seed": 0}
        return self.observer.identity

    def read(self, shown: Tensor, scaling: Scaling = "none") -> Grams:
        """Return the Gram of every layer over images (n, 3, size, size)."""
        if self.observer is None:
            read = summed(
                lambda start, stop: shown.flatten(1)[:, start:stop],
                len(shown),
                shown[0].numel(),
                scaling=scaling,
                double=True,
                byte_budget=BLOCK_BYTES,
            )
            return {PIXELS: read.values.numpy()}
        model = self.observer.model(self.at_step)
        return dict(grams(model, shown, self.layers, scaling=scaling, batch_size=128))
