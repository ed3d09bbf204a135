from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.training.augmentation import augmented


def test_every_image_is_a_shifted_and_perhaps_mirrored_copy() -> None:
    images = torch.rand(40, 2, 8, 9)
    labels = torch.arange(40) % 10
    source = augmented(images, labels, shift=2)
    torch.manual_seed(0)
    rows = np.arange(40)[::-1].copy()
    shown, targets = source.draw(rows)
    assert source.largest_label == 9
    torch.testing.assert_close(targets, labels.flip(0))
    seen = set()
    for picture, original in zip(shown, images.flip(0), strict=True):
        padded = np.pad(original.numpy(), ((0, 0), (2, 2), (2, 2)), mode="reflect")
        found = [
            (dy, dx, flip)
            for dy in range(5)
            for dx in range(5)
            for flip in (False, True)
            if np.array_equal(
                padded[:, dy : dy + 8, dx : dx + 9][:, :, :: -1 if flip else 1], picture
            )
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert len({dy for dy, _, _ in seen}) == len({dx for _, dx, _ in seen}) == 5
    assert {flip for _, _, flip in seen} == {False, True}


def test_without_shifts_and_flips_images_come_as_they_are() -> None:
    images = torch.rand(5, 1, 6, 6)
    shown, _ = augmented(images, torch.zeros(5), shift=0, flips=False).draw(np.array([3, 1]))
    torch.testing.assert_close(shown, images[[3, 1]])


def test_a_shift_as_large_as_the_image_is_refused() -> None:
    with pytest.raises(UserError, match="shift of 6"):
        augmented(torch.rand(5, 1, 6, 6), torch.zeros(5), shift=6)
