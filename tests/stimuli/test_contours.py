"""Contours of the direction process: exact moments, and where their steps lie."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.errors import UserError
from isocortex.stimuli.contours import contour_image, direction_paths


@pytest.mark.parametrize("step", [1.0, 0.25])
def test_moments_of_the_paths_are_those_of_the_process(step: float) -> None:
    sigma, t = 0.35, 4.0
    x, y, theta = direction_paths(40_000, int(t / step), sigma, np.random.default_rng(0), step)
    end = theta[:, -1]
    for values, exact in (
        (np.cos(end), np.exp(-(sigma**2) * t / 2)),
        (x[:, -1], 2 / sigma**2 * (1 - np.exp(-(sigma**2) * t / 2))),
        (y[:, -1], 0.0),
        (end, 0.0),
    ):
        error = values.std() / np.sqrt(len(values))
        # The middle of a step has turned by a quarter of its variance, not by half.
        assert values.mean() == pytest.approx(exact, abs=4 * error + t * sigma**2 * step / 8)
    assert (x[:, 0] == 0).all()
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), step)


def test_a_straight_contour_is_one_step_of_luminance() -> None:
    image = contour_image(0.0, 4, side=60, contours=1, length=200, noise=0.0)
    assert image.shape == (60, 60)
    assert np.abs(image).max() < 1
    assert abs(image.mean()) < 0.05
    bright, dark = image > 0.5, image < -0.5
    assert bright.any()
    assert dark.any()
    again = contour_image(0.0, 4, side=60, contours=1, length=200, noise=0.0)
    np.testing.assert_array_equal(image, again)
    noisy = contour_image(0.0, 4, side=60, contours=1, length=200, noise=0.1)
    assert np.std(noisy - image) == pytest.approx(0.1, rel=0.1)


def test_wrong_numbers_are_refused() -> None:
    for wrong in ({"sigma": -0.1}, {"contours": 0}, {"side": 0}):
        with pytest.raises(UserError, match="contours"):
            contour_image(**({"sigma": 0.1, "seed": 0} | wrong))  # type: ignore[arg-type]
