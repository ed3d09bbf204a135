from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.models.codecs import CodecConfig, LinearCodec
from isocortex.training.fit import Training, fit
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.reconstruction import (
    crops_of,
    images_of,
    random_phase,
    reconstruct,
    standardised,
    white_noise,
)
from isocortex.training.spectral import amplitude_law, code_loss


def smooth_images(n: int = 6) -> list[torch.Tensor]:
    torch.manual_seed(1)
    noise = torch.randn(n, 1, 48, 40)
    return standardised(list(torch.nn.functional.avg_pool2d(noise, 5, 1)[:, 0]))


def train(
    steps: int, checkpoint: Path | None = None, *, power_penalty: float = 0.02, **fields: Any
) -> Training:
    return fit(
        LinearCodec(CodecConfig(size=5, decoder_size=5), seed=2),
        images_of(crops_of(smooth_images(), 16), 8),
        objective=reconstruct(power_penalty),
        optimiser=OptimiserConfig(learning_rate=1e-2, schedule="cosine", schedule_steps=40),
        steps=steps,
        batch_size=8,
        seed=3,
        checkpoint=checkpoint,
        device="cpu",
        **fields,
    )


def test_crops_are_parts_of_the_images_and_reach_their_corners() -> None:
    images = [torch.arange(20.0).reshape(4, 5), torch.arange(100.0, 112.0).reshape(3, 4)]
    torch.manual_seed(0)
    crops = crops_of(images, 3)(400)
    corners = {float(c[0, 0, 0]) for c in crops}
    assert corners == {0, 1, 2, 5, 6, 7, 100, 101}
    first = next(c[0] for c in crops if c[0, 0, 0] == 6)
    torch.testing.assert_close(first, images[0][1:4, 1:4])
    with pytest.raises(UserError, match="crops of 4 px"):
        crops_of(images, 4)


def test_standardised_images_have_no_mean_and_unit_variance_together() -> None:
    made = standardised([torch.rand(5, 6) * 3, torch.rand(7, 4) + 2])
    pixels = torch.cat([image.flatten() for image in made])
    assert float(pixels.mean()) == pytest.approx(0, abs=1e-6)
    assert float(pixels.std()) == pytest.approx(1)
    with pytest.raises(UserError, match="uniform"):
        standardised([torch.ones(3, 3)])


def test_random_phases_keep_the_spectrum_and_change_the_image() -> None:
    images = [torch.rand(12, 15), torch.rand(9, 9)]
    for before, after, again in zip(
        images, random_phase(images, seed=1), random_phase(images, seed=1), strict=True
    ):
        torch.testing.assert_close(torch.fft.fft2(after).abs(), torch.fft.fft2(before).abs(),
                                   atol=1e-4, rtol=1e-4)  # fmt: skip
        assert abs(np.corrcoef(before.flatten(), after.flatten())[0, 1]) < 0.4
        assert torch.equal(after, again)


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train(40)
    path = tmp_path / "codec.pt"
    train(15, path)
    resumed = train(40, path)
    assert torch.equal(resumed.network.filter, whole.network.filter)
    assert resumed.history.equals(whole.history)
    with pytest.raises(UserError, match="objective"):
        train(40, path, power_penalty=0.1)


def test_the_loss_falls_and_a_price_lowers_the_power() -> None:
    free, dear = train(40, power_penalty=0.0), train(40, power_penalty=1.0)
    for made in (free, dear):
        assert made.history["loss"].iloc[-5:].mean() < made.history["loss"].iloc[:5].mean()
    assert (free.history["loss"] - free.history["error"]).abs().max() < 1e-6
    assert (dear.history["loss"] > dear.history["error"]).all()
    assert dear.network.filter.norm() < free.network.filter.norm()


def test_white_images_are_coded_no_better_than_the_law_allows() -> None:
    white = fit(
        LinearCodec(CodecConfig(size=3, decoder_size=3, initial_sd=0.5), seed=0),
        images_of(white_noise(24), 32),
        objective=reconstruct(0.02),
        optimiser=OptimiserConfig(learning_rate=3e-2, schedule="cosine", schedule_steps=300),
        steps=300,
        batch_size=32,
        seed=0,
        device="cpu",
    )
    flat = torch.ones(8, 8, dtype=torch.float64)
    least = float(code_loss(amplitude_law(flat, 1.0, 0.02), flat, 1.0, 0.02))
    reached = float(white.history["loss"].iloc[-40:].mean())
    assert least * 0.98 < reached < least * 1.06
