from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from isocortex.errors import UserError
from isocortex.models.preprocessing import LUMINANCE, Preprocess


def test_it_is_what_torchvision_does_with_other_sizes():
    from torchvision.models import AlexNet_Weights

    images = torch.rand(2, 3, 300, 260)
    ours = Preprocess((3, 224, 224), 256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    expected = AlexNet_Weights.DEFAULT.transforms()(images)
    torch.testing.assert_close(ours(images), expected)


@pytest.mark.parametrize(
    ("size", "resize", "mode"), [(160, 168, "center"), (160, (168, 168), "squash")]
)
def test_it_is_what_timm_does_with_other_sizes(size, resize, mode):
    from timm.data import create_transform

    generator = np.random.default_rng(0)
    small = Image.fromarray(generator.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    picture = small.resize((260, 200), Image.Resampling.BICUBIC)
    transform = create_transform(
        (3, size, size), interpolation="bicubic", crop_pct=0.95, crop_mode=mode
    )
    ours = Preprocess(
        (3, size, size), resize, "bicubic", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    )
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    difference = (ours(tensor)[0] - transform(picture)).abs()
    level = 1 / 255 / 0.224
    assert difference.max() < 4 * level
    assert difference.mean() < 0.5 * level


def test_images_of_the_right_size_are_normalised_alone():
    images = torch.rand(2, 3, 20, 30)
    seen = Preprocess((3, 20, 30), 99, mean=(0.1, 0.2, 0.3), std=(1, 2, 4))(images)
    expected = (images - torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)) / torch.tensor(
        [1, 2, 4]
    ).reshape(3, 1, 1)
    assert torch.equal(seen, expected)
    assert torch.equal(Preprocess((3, 20, 30))(images), images)


def test_channels_are_repeated_or_become_luminance():
    grey, colour = torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8)
    repeated = Preprocess((3, 8, 8))(grey)
    assert all(torch.equal(repeated[:, k], grey[:, 0]) for k in range(3))
    weights = torch.tensor(LUMINANCE).reshape(3, 1, 1)
    torch.testing.assert_close(
        Preprocess((1, 8, 8))(colour), (colour * weights).sum(1, keepdim=True)
    )
    torch.testing.assert_close(Preprocess((1, 8, 8))(repeated), grey)


@pytest.mark.parametrize(
    ("size", "resize"),
    [((64, 64), None), ((64, 64), 36), ((48, 64), None), ((64, 48), 40), ((20, 20), 36)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mirroring_before_is_mirroring_after(size, resize, dtype):
    images = torch.rand(1, 1, *size, dtype=dtype)
    prepare = Preprocess((1, 32, 32), resize)
    here = prepare(images)
    assert here.shape == (1, 1, 32, 32)
    assert here.dtype == dtype
    torch.testing.assert_close(prepare(images.flip(-1)), here.flip(-1), atol=1e-5, rtol=0)


def test_sharp_edges_do_not_leave_the_range():
    step = torch.zeros(1, 1, 40, 40)
    step[..., 20:] = 1
    shown = Preprocess((1, 33, 33), interpolation="bicubic")(step)
    assert 0 <= shown.min() <= shown.max() <= 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 8, 8), r"shape \(3, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "they are uint8"),
        (torch.rand(1, 2, 8, 8), "images have 2 channels, but the network takes 3"),
    ],
)
def test_mistakes_get_one_line(images, message):
    with pytest.raises(UserError, match=message):
        Preprocess((3, 8, 8))(images)
