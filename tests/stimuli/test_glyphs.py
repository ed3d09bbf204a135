"""Stroke glyphs: asymmetric by an independent measure, each image by its own seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli import glyphs
from isocortex.stimuli.glyphs import SIMILARITY_BOUND, shape_classes, stroke_glyphs


def slow_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Best Pearson r of two shapes over cyclic shifts and turns of the first, pixel by pixel."""
    best = -1.0
    fixed = glyphs.draw(b[None] * 0.25 + 0.5, np.array([0.06]), 48)[0]
    fixed = (fixed - fixed.mean()) / fixed.std()
    shifts = list(itertools.product(range(48), repeat=2))
    for angle in np.radians([-24, -12, 0, 12, 24]):
        x = a[..., 0] * np.cos(angle) - a[..., 1] * np.sin(angle)
        y = a[..., 0] * np.sin(angle) + a[..., 1] * np.cos(angle)
        points = np.stack([x, y], axis=-1)[None] * 0.25 + 0.5
        drawn = glyphs.draw(points, np.array([0.06]), 48)[0]
        drawn = (drawn - drawn.mean()) / drawn.std()
        best = max(best, *((drawn * np.roll(fixed, shift, (0, 1))).mean() for shift in shifts))
    return best


def test_similarity_against_the_slow_oracle() -> None:
    a, b = shape_classes(2, 5)
    fast = glyphs.similarity(a, [a, b])
    assert fast[0] == pytest.approx(1)
    assert fast[1] == pytest.approx(slow_similarity(a, b))


@pytest.mark.parametrize("seed", range(3))
def test_classes_differ_from_all_mirror_images_and_each_other(seed: int) -> None:
    shapes = shape_classes(10, seed)
    mirrors = [glyphs.mirrored(shape) for shape in shapes]
    for i, shape in enumerate(shapes):
        # A mirrored pair is as similar as the pair, but for the side that is turned.
        assert glyphs.similarity(shape, mirrors).max() <= SIMILARITY_BOUND + 0.02
        assert glyphs.similarity(shape, [*shapes[:i]] or mirrors).max() <= SIMILARITY_BOUND
        assert np.abs(shape).max() == pytest.approx(1)


def test_a_symmetric_shape_would_be_refused() -> None:
    shape = shape_classes(1, 0)[0]
    symmetric = np.concatenate([shape, glyphs.mirrored(shape)])
    assert glyphs.similarity(symmetric, [glyphs.mirrored(symmetric)])[0] == pytest.approx(1)


def test_asking_for_more_classes_than_differ_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "SIMILARITY_BOUND", 0.1)
    monkeypatch.setattr(glyphs, "_ATTEMPTS", 20)
    with pytest.raises(UserError, match="ask for at most 0 classes"):
        shape_classes(1, 987_654)


def test_an_image_depends_on_seed_class_and_index_alone() -> None:
    images, labels = stroke_glyphs(6, 3, size=16, seed=4)
    assert images.shape == (18, 1, 16, 16)
    assert images.dtype == torch.float32
    assert labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert labels.dtype == torch.int64
    assert 0 <= images.min() < images.max() <= 1
    more, more_labels = stroke_glyphs(8, 4, size=16, seed=4)
    late, _ = stroke_glyphs(3, 3, size=16, seed=4, first=3)
    for c in range(3):
        assert torch.equal(more[more_labels == c][:6], images[labels == c])
        assert torch.equal(late[3 * c : 3 * c + 3], images[labels == c][3:])
    assert len({image.numpy().tobytes() for image in more}) == 32
    other, _ = stroke_glyphs(6, 3, size=16, seed=5)
    assert not torch.equal(other, images)


def test_chunks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = stroke_glyphs(5, 2, size=16)
    monkeypatch.setattr(glyphs, "_CHUNK", 3)
    assert torch.equal(stroke_glyphs(5, 2, size=16)[0], whole)


def test_noise_and_background_are_as_said() -> None:
    images, _ = stroke_glyphs(40, 5, seed=1)
    clean, _ = stroke_glyphs(40, 5, seed=1, noise=0)
    assert clean.flatten(1).amin(1).numpy() == pytest.approx(128 / 255)
    assert clean.flatten(1).amax(1).numpy() == pytest.approx(1)
    border = torch.ones(32, 32, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert (clean[:, 0, border] < 129 / 255).all()  # nothing is cut off
    grain = (images - clean)[clean < 129 / 255]
    assert float(grain.std()) == pytest.approx(0.05, rel=0.01)
    assert float(grain.mean()) == pytest.approx(0, abs=1e-3)
    light = (clean > 0.6).flatten(1).float().mean(1)
    assert (light > 0.03).all()
    assert (light < 0.4).all()


def test_coverage_against_many_samples_a_pixel() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0.2, 0.8, (2, 2, 4, 2))
    widths = np.array([0.05, 0.2])
    fine, coarse = 16, 24
    samples = glyphs.draw(points, widths, fine * coarse)
    means = samples.reshape(2, coarse, fine, coarse, fine).mean((2, 4))
    drawn = glyphs.draw(points, widths, coarse)
    assert np.abs(drawn - means).mean() < 0.01
    assert np.quantile(np.abs(drawn - means), 0.99) < 0.12  # corners are worse


def test_a_straight_stroke_covers_what_it_should() -> None:
    vertical = np.array([[[[0.5, 0.25], [0.5, 0.75]]]])
    drawn = glyphs.draw(vertical, np.array([0.25]), 8)[0]
    np.testing.assert_allclose(drawn[3], [0, 0, 0, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(drawn, drawn[:, ::-1])
    np.testing.assert_allclose(drawn, drawn[::-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_per_class": 0}, "n_per_class is 0"),
        ({"n_per_class": 1, "n_classes": 0}, "n_classes is 0"),
        ({"n_per_class": 1, "size": 4}, "size is 4"),
        ({"n_per_class": 1, "seed": -1}, "seed is -1"),
        ({"n_per_class": 1, "noise": -0.1}, "noise is -0.1"),
    ],
)
def test_numbers_that_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        stroke_glyphs(**options)
