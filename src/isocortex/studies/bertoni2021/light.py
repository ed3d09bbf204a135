"""A photograph under uneven light, integrated again from what a filter kept of it (retinex)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch

from isocortex.execution import Step
from isocortex.measures.receptive_fields import laplacian_of_gaussian
from isocortex.measures.retinex import retinex
from isocortex.stimuli.dead_leaves import dead_leaves
from isocortex.stimuli.image_files import png_text
from isocortex.stimuli.photographs import whole_photographs
from isocortex.studies.bertoni2021.networks import Train

FLOOR = 0.02
THRESHOLD = 0.5
SHADE = 1.5
"""Logarithm of the light at one side of the photograph over that at the other."""

LOG_SIGMA = 1.0
_LEAVES, _PHOTOGRAPH = 160, 3


class Light(Step):
    """Filter a shaded photograph by learned filters and by a Laplacian of Gaussian, and integrate.

    The light, a ramp of the logarithm from left to right, is added to the logarithm of a grey
    photograph. What comes back is compared with the photograph before.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    network: Train
    codec: list[list[float]]
    data: Path | None = None
    data_checksum: str = ""

    def compute(self) -> pd.DataFrame:
        """Return one row a picture: `filter`, `what`, `r` (with the photograph), `png`."""
        if self.data is None:
            image = dead_leaves(1, _LEAVES, seed=1)[0, 0]
        else:
            image = whole_photographs(
                self.data, "bsds500", split="val", count=_PHOTOGRAPH + 1, halvings=1
            )[_PHOTOGRAPH]
        plain = (image.double() + FLOOR).log()
        ramp = torch.linspace(-SHADE / 2, SHADE / 2, plain.shape[1], dtype=torch.float64)
        shaded = plain + ramp
        learned = self.network.network().lgn_filter
        kernels = {
            "LGN filter, seed 0": learned,
            "codec, positive case": torch.tensor(self.codec, dtype=torch.float64),
            "Laplacian of Gaussian": laplacian_of_gaussian(
                7, torch.tensor([LOG_SIGMA], dtype=torch.float64)
            )[0],
        }
        rows = [
            {"filter": "", "what": "photograph", "r": 1.0, "png": png(plain)},
            {"filter": "", "what": "shaded", "r": _r(plain, shaded), "png": png(shaded)},
        ]
        for name, kernel in kernels.items():
            if kernel is None:
                continue
            found = retinex(shaded, kernel.double(), threshold=THRESHOLD)
            rows += [
                {"filter": name, "what": "kept responses", "r": np.nan, "png": png(found.kept)},
                {"filter": name, "what": "integrated", "r": _r(plain, found.image),
                 "png": png(found.image)},
            ]  # fmt: skip
        return pd.DataFrame(rows)


def _r(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(np.corrcoef(first.flatten(), second.flatten())[0, 1])


def png(image: torch.Tensor) -> str:
    """Return an image, its 1 to 99 % levels as black and white, as PNG in base64."""
    values = image.numpy()
    low, high = np.quantile(values, [0.01, 0.99])
    shown = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return png_text(torch.from_numpy(shown)[None])
