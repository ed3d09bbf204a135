from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.stimuli.image_files import from_png_text, png_text, read, to_eight_bit, write_png


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_survives_as_text_and_is_what_a_file_holds(channels, tmp_path):
    image = torch.rand(channels, 5, 7, generator=torch.Generator().manual_seed(channels))
    levels = to_eight_bit(image)
    back = from_png_text(png_text(image))
    assert np.array_equal(back, levels[0] if channels == 1 else levels.transpose(1, 2, 0))
    write_png(image, tmp_path / "image.png")
    assert np.array_equal(to_eight_bit(read(tmp_path / "image.png")), levels)
