from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.stimuli.visual_field import in_field


def test_four_degrees_on_eight_are_a_doubled_canvas():
    image = torch.rand(1, 3, 320, 320) * 0.4
    image.view(1, 3, -1)[:, :, :31_756] = 128 / 255
    shown = in_field(image, 4, 8)
    assert shown.shape == (1, 3, 640, 640)
    assert torch.equal(shown[..., 160:480, 160:480], image)
    assert (shown == 128 / 255).float().mean() == pytest.approx(0.8275, abs=5e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_larger_images_the_middle_is_left(dtype):
    image = torch.rand(2, 1, 12, 12, dtype=dtype)
    shown = in_field(image, 12, 8)
    assert shown.dtype == dtype
    assert torch.equal(shown, image[..., 2:10, 2:10])
    assert torch.equal(in_field(image, 8, 8), image)


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.5, 20), st.floats(0.5, 20))
def test_what_is_seen_of_the_image_lies_in_the_middle(height, width, degrees, field):
    image = torch.full((1, 1, height, width), 0.9)
    if round(field / degrees * width) < 1:
        with pytest.raises(UserError, match="no pixel"):
            in_field(image, degrees, field)
        return
    shown = in_field(image, degrees, field, grey=0.1)[0, 0]
    assert shown.shape[0] == shown.shape[1] == round(field / degrees * width)
    seen = shown == 0.9
    assert seen.sum() == min(height, len(shown)) * min(width, len(shown))
    for lines in (seen.any(dim=0), seen.any(dim=1)):
        before, after = lines.nonzero().min(), len(lines) - 1 - lines.nonzero().max()
        assert 0 <= after - before <= 1


@pytest.mark.parametrize(("degrees", "field"), [(0, 8), (4, -1), (float("nan"), 8)])
def test_angles_are_above_zero(degrees, field):
    with pytest.raises(UserError, match="must be above 0"):
        in_field(torch.rand(1, 1, 2, 2), degrees, field)
