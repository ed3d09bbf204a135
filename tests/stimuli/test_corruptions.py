"""Images made worse: what every corruption keeps, and what each one does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from isocortex.errors import UserError
from isocortex.stimuli.corruptions import CORRUPTIONS, Corruption, corrupted


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 2, 20, 24, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_corruption_grows_with_its_level(
    name: str, dtype: torch.dtype, images: torch.Tensor
) -> None:
    corruption, shown = CORRUPTIONS[name], images.to(dtype)
    apart = []
    for level in corruption.levels:
        made = corrupted(shown, corruption, level, seed=1)
        assert made.dtype == dtype
        assert made.shape == shown.shape
        assert 0 <= made.min() <= made.max() <= 1
        torch.testing.assert_close(made, corrupted(shown, corruption, level, seed=1))
        apart.append(float((made - shown).square().mean()))
    assert 0 < apart[0] < apart[1] < apart[2]


def made(images: torch.Tensor, name: str, level: float) -> torch.Tensor:
    return corrupted(images, CORRUPTIONS[name], level)


def test_each_does_what_it_says(images: torch.Tensor) -> None:
    middle = images * 0 + 0.5
    assert float(made(middle, "noise", 0.1).std()) == pytest.approx(0.1, rel=0.05)
    blurred = ndimage.gaussian_filter(images.numpy(), 1.5, axes=(2, 3), mode="mirror", truncate=4)
    np.testing.assert_allclose(made(images, "blur", 1.5).numpy(), blurred, atol=1e-3)
    torch.testing.assert_close(made(images, "blur", 0.0), images)
    weak = made(images, "contrast", 0.25)
    torch.testing.assert_close(weak.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)))
    torch.testing.assert_close(weak.std(dim=(1, 2, 3)), images.std(dim=(1, 2, 3)) / 4)
    hidden = (made(images, "occlusion", 0.5) != images).all(dim=1)
    assert hidden.sum(dim=(1, 2)).tolist() == [10 * 12] * 6
    rows, columns = hidden.any(dim=2).sum(dim=1), hidden.any(dim=1).sum(dim=1)
    assert rows.tolist() == [10] * 6
    assert columns.tolist() == [12] * 6


def test_wrong_images_are_refused(images: torch.Tensor) -> None:
    for wrong in (images[0], images * 2, images[:0]):
        with pytest.raises(UserError, match="images must be"):
            corrupted(wrong, CORRUPTIONS["noise"], 0.1)
    assert all(isinstance(c, Corruption) and len(c.levels) == 3 for c in CORRUPTIONS.values())
