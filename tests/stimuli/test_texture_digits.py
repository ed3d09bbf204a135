"""Texture-MNIST: balanced labels, the blend, and nothing that gives a label away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from isocortex.errors import UserError
from isocortex.stimuli.texture_digits import (
    COMPOSITIONS,
    TextureDigits,
    blend,
    digit_masks,
    leak_features,
    texture_digits,
)


def procedural(n: int, split: str, **options: object) -> TextureDigits:
    return texture_digits(n, split, shapes="glyphs", **options)  # type: ignore[arg-type]


def readout(train: TextureDigits, test: TextureDigits, label: str) -> float:
    """Share of test labels that a readout of the leak features names rightly.

    Differences below a ten-thousandth of the image's SD are rounding and do not count.
    """
    fitted, tested = (leak_features(d).numpy() for d in (train, test))
    mean, scale = fitted.mean(axis=0), np.maximum(fitted.std(axis=0), 1e-4)
    model = LogisticRegression(max_iter=300)
    model.fit((fitted - mean) / scale, getattr(train, label).numpy())
    return float(model.score((tested - mean) / scale, getattr(test, label).numpy()))


@pytest.fixture(scope="module")
def images() -> TextureDigits:
    return procedural(300, "train")


def test_every_digit_meets_every_texture_equally_often(images: TextureDigits) -> None:
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (images.digit.numpy(), images.texture.numpy()), 1)
    assert (counts == 3).all()
    assert (images.table["texture"] != images.table["background"]).all()
    assert images.images.shape == (300, 1, 64, 64)
    assert images.images.dtype == torch.float32


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(images: TextureDigits) -> None:
    again, other = procedural(300, "train"), procedural(300, "train", seed=1)
    assert again.images.numpy().tobytes() == images.images.numpy().tobytes()
    assert not torch.equal(other.images, images.images)


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_regions_have_mean_0_and_the_contrast_of_the_composition(composition: str) -> None:
    found = procedural(100, "validation", composition=composition)
    features = leak_features(found)
    torch.testing.assert_close(features[:, 2], torch.zeros(100).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(features[:, 3], torch.ones(100).double(), atol=1e-5, rtol=0)
    if composition == "B":
        padded = torch.nn.functional.max_pool2d(found.masks[:, None].float(), 3, 1, 1)[:, 0]
        assert (found.images[:, 0][padded == 0] == 0).all()
    else:
        contrast = torch.full((100,), COMPOSITIONS[composition]).double()
        torch.testing.assert_close(features[:, 5], contrast, atol=1e-5, rtol=0)


def test_the_blend_is_the_formula_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    hard = np.zeros((1, 64, 64), dtype=bool)
    hard[0, 20:40, 15:45] = True
    f, b = rng.standard_normal((2, 1, 64, 64))
    found = blend(*(torch.from_numpy(a) for a in (hard, f, b)), 0.3)[0].numpy()
    f, b = ((t[0] - t[0][m].mean()) / t[0][m].std() for t, m in ((f, hard[0]), (b, ~hard[0])))
    for y in range(1, 63):
        for x in range(1, 63):
            m = hard[0, y - 1 : y + 2, x - 1 : x + 2].mean()
            expected = (m * f[y, x] + 0.3 * (1 - m) * b[y, x]) / np.hypot(m, 1 - m)
            assert found[y, x] == pytest.approx(expected, abs=1e-5)


def test_masks_are_enlarged_digits_inside_the_image() -> None:
    digits = torch.zeros(200, 28, 28)
    digits[:, 6:22, 6:22] = 1.0
    masks = digit_masks(digits, np.random.default_rng(0))
    for mask in masks:
        rows, columns = (torch.nonzero(mask.any(dim=k)).flatten() for k in (1, 0))
        height, width = (int(r.max() - r.min()) + 1 for r in (rows, columns))
        # 16 of 28 pixels at 48 to 60, and two more on each side from the dilation.
        assert 16 * 48 / 28 + 3 <= height <= 16 * 60 / 28 + 6
        assert height - 1 <= width <= height + 1
    assert masks.float().mean(dim=0).std() > 0.1  # at many places


def test_matched_patches_share_their_amplitude_spectrum() -> None:
    from isocortex.stimuli.texture_digits import _matched

    patches = torch.randn(3, 64, 64)
    amplitude = torch.fft.fft2(torch.randn(64, 64)).abs()
    found = torch.fft.fft2(_matched(patches, amplitude))
    torch.testing.assert_close(found.abs(), amplitude.expand(3, 64, 64), atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(
        found[:, 1, 1].angle(), torch.fft.fft2(patches)[:, 1, 1].angle(), atol=1e-3, rtol=1e-3
    )


def test_means_and_contrasts_of_regions_tell_no_label() -> None:
    train, test = procedural(2000, "train"), procedural(1000, "test")
    for label in ("digit", "texture"):
        assert readout(train, test, label) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 1000))


def test_the_same_check_finds_a_leak_where_there_is_one() -> None:
    train, test = procedural(1000, "train"), procedural(500, "test")
    for images in (train, test):
        images.images.mul_(1 + 0.01 * images.digit[:, None, None, None])
    assert readout(train, test, "digit") > 0.3


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="multiple of 100"):
        procedural(150, "train")
    with pytest.raises(UserError, match="composition"):
        procedural(100, "train", composition="C")
    with pytest.raises(UserError, match="split"):
        procedural(100, "valid")
    with pytest.raises(UserError, match="shapes"):
        texture_digits(100, "train", shapes="letters")


@pytest.mark.data
def test_recorded_textures_and_digits_tell_no_label(data_folder: Path) -> None:
    train, test = (
        texture_digits(n, split, source="real-brodatz", data=data_folder)
        for n, split in ((2000, "train"), (1000, "test"))
    )
    for label in ("digit", "texture"):
        assert readout(train, test, label) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 1000))
