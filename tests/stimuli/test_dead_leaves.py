from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli.dead_leaves import dead_leaves


def slow(size: int, seed: int, index: int, radii: tuple[float, float], discs: int) -> np.ndarray:
    """Paint disc after disc."""
    rng = np.random.default_rng([seed, index])
    small, large = radii
    u = rng.random(discs)
    radius = (small**-2 - u * (small**-2 - large**-2)) ** -0.5
    x, y = rng.uniform(-large, size + large, (2, discs))
    grey = rng.random(discs).astype(np.float32)
    image = np.full((size, size), 0.5, dtype=np.float32)
    yy, xx = np.mgrid[:size, :size] + 0.5
    for k in range(discs):
        image[(xx - x[k]) ** 2 + (yy - y[k]) ** 2 < radius[k] ** 2] = grey[k]
    return image


def test_discs_hide_each_other_in_the_order_in_which_they_fall() -> None:
    images = dead_leaves(3, 24, seed=5, radii=(2.0, 9.0), discs=150)
    assert images.shape == (3, 1, 24, 24)
    for index in range(3):
        expected = slow(24, 5, index, (2.0, 9.0), 150)
        assert (images[index, 0].numpy() != expected).mean() < 0.01  # pixels on a rim
    torch.testing.assert_close(dead_leaves(1, 24, seed=5, first=2, radii=(2, 9), discs=150),
                               images[2:])  # fmt: skip


def test_small_radii_are_the_most_frequent_and_spectra_fall_with_frequency() -> None:
    images = dead_leaves(12, 64, seed=0)
    power = torch.fft.fft2(images - images.mean()).abs().square().mean(dim=(0, 1))
    low, high = float(power[0, 2:5].mean()), float(power[0, 16:20].mean())
    slope = np.log(low / high) / np.log(18 / 3)
    assert 1.3 < slope < 2.7


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="radii"):
        dead_leaves(1, 16, radii=(5.0, 2.0))
    with pytest.raises(UserError, match="n=0"):
        dead_leaves(0)
