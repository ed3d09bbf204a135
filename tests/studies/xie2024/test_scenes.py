"""Images of the study, with the maps of what is to be learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from isocortex.execution import Execution
from isocortex.stimuli.scenes import SceneSpec
from isocortex.studies.xie2024.scenes import SceneImages


def images(cache: Path | None, *, on_the_fly: bool) -> SceneImages:
    return Execution(cache=cache).step(
        SceneImages, spec=SceneSpec(n_images=6), objects="procedural", categories=2, models=1,
        backgrounds="procedural", backgrounds_from="train", size=32, supersample=1, data=None,
        data_checksum="", on_the_fly=on_the_fly, dense=True,
    )  # fmt: skip


def test_views_are_the_same_wherever_they_come_from(tmp_path: Path) -> None:
    rows = np.array([4, 1])
    held = images(None, on_the_fly=False)
    shown, mask, depth = held.views("cpu")(rows)
    assert torch.equal(shown, held.pixels("cpu")(rows))
    made = images(None, on_the_fly=True).views("cpu")(rows)
    stored = images(tmp_path, on_the_fly=False).views("cpu")(rows)
    for image, cover, far in (made, stored):
        assert torch.equal(image, shown)
        assert (cover - mask).abs().max() <= 0.5 / 255 + 1e-6
        there = mask > 0
        assert (far - depth)[there].abs().max() < 2e-3
