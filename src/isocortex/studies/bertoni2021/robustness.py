"""How well networks name images that are made worse, with learned and with induced connections."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.models.lateral import LateralConfig, LateralLayer
from isocortex.models.lgncnn import LGNCNN
from isocortex.stimuli.corruptions import CORRUPTIONS, corrupted
from isocortex.studies.bertoni2021.networks import Train, pictures
from isocortex.training.fit import accuracy

AS_TRAINED, INDUCED, OFF = "as trained", "induced by its filters", "off"
"""Lateral connections at the test: those of the training; the filters' positive overlap put in
their place, or added where there were none (KerCNN); none."""


class Robustness(Step):
    """Test one network on held-out images with noise, blur, less contrast, and occlusion.

    What comes in place of the lateral connections was not there in training, and nothing is trained
    again.
    """

    VERSION: ClassVar[str] = "1"
    network: Train
    images: int

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return self.network.title

    def compute(self) -> pd.DataFrame:
        """Return `arm`, `seed`, `lateral`, `corruption`, `level`, `unit`, `accuracy`, `images`."""
        step = self.network
        whole, named = pictures(
            step.source, "test", step.test_images, step.size, step.data, step.folder
        )
        every = max(1, len(whole) // self.images)
        images, labels = whole[::every][: self.images], named[::every][: self.images]
        shown: list[tuple[str, float, str, Tensor]] = [("none", 0.0, "", images)]
        for name, corruption in CORRUPTIONS.items():
            for level in corruption.levels:
                made = corrupted(images, corruption, level, seed=step.seed)
                shown.append((name, level, corruption.unit, made))
        rows = []
        networks = variants(step)
        for k, (lateral, network) in enumerate(networks.items()):
            for number, (name, level, unit, made) in enumerate(shown):
                rows.append(
                    {
                        "arm": step.arm,
                        "seed": step.seed,
                        "lateral": lateral,
                        "corruption": name,
                        "level": level,
                        "unit": unit,
                        "accuracy": accuracy(network, made, labels),
                        "images": len(labels),
                    }
                )
                tick(k * len(shown) + number + 1, len(networks) * len(shown), name)
        return pd.DataFrame(rows)


def variants(step: Train) -> dict[str, LGNCNN]:
    """Return a trained network with its own lateral connections, with induced ones, and without.

    Only networks with learned connections or none have other variants.
    """
    found = {AS_TRAINED: step.network()}
    if step.lateral not in ("learned", "none"):
        return found
    config = LateralConfig(
        kind="kercnn",
        side=step.kernel_side,
        iterations=max(1, step.iterations),
        anchor="input" if step.anchor == "input" else "current",
        dropout=0.0,
    )
    induced = step.network()
    induced.v1.lateral = LateralLayer(step.filters, config).eval()
    found[INDUCED] = induced
    if step.lateral == "learned":
        off = step.network()
        off.v1.lateral = None
        found[OFF] = off
    return found
