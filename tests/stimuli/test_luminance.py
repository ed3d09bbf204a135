"""Luminance matching: against slow sums, on cases that are known, and seen in a mirror."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.stimuli import luminance
from isocortex.stimuli.luminance import BACKGROUND, MODES

WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def objects(
    n: int, seed: int = 0, c: int = 1, size: int = 12, span: tuple[float, float] = (0.3, 0.7)
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blobs with soft outlines: foreground in `span`, composed with the background."""
    rng = np.random.default_rng(seed)
    coverage = np.clip(rng.normal(0.5, 0.8, (n, 1, size, size)), 0, 1)
    foreground = rng.uniform(*span, (n, c, size, size)) ** rng.uniform(0.8, 1.2, (n, 1, 1, 1))
    images = coverage * foreground + (1 - coverage) * BACKGROUND
    return torch.from_numpy(images).float(), torch.from_numpy(coverage).float()


def slow_statistics(image: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """Area, weighted mean and SD of the luminance of what is in front, pixel by pixel."""
    values, weights = [], []
    for r in range(image.shape[1]):
        for col in range(image.shape[2]):
            m = float(mask[0, r, col])
            if m > 0:
                front = (image[:, r, col].astype(np.float64) - (1 - m) * BACKGROUND) / m
                values.append(front @ WEIGHTS if len(front) == 3 else front[0])
                weights.append(m)
    mean = np.average(values, weights=weights)
    variance = np.average((np.array(values) - mean) ** 2, weights=weights)
    return sum(weights) / mask.size, mean, np.sqrt(variance)


@pytest.mark.parametrize("c", [1, 3])
def test_statistics_against_slow_sums(c: int) -> None:
    images, masks = objects(3, c=c)
    found = luminance.measure(images, masks)
    for k in range(3):
        expected = slow_statistics(images[k].numpy(), masks[k].numpy())
        got = (float(found.area[k]), float(found.mean[k]), float(found.sd[k]))
        np.testing.assert_allclose(got, expected, rtol=1e-4)


def test_statistics_of_a_known_object() -> None:
    image, mask = torch.full((1, 1, 8, 8), BACKGROUND), torch.zeros(1, 1, 8, 8)
    mask[..., 2:4, 1:7] = 1
    image[..., 2:4, 1:4], image[..., 2:4, 4:7] = 0.2, 0.6
    mask[..., 2:4, 7] = 0.5
    image[..., 2:4, 7] = 0.5 * 0.6 + 0.5 * BACKGROUND
    found = luminance.measure(image, mask)
    assert float(found.area) == pytest.approx(13 / 64)
    assert float(found.mean) == pytest.approx((6 * 0.2 + 7 * 0.6) / 13)
    assert float(found.sd) == pytest.approx(0.4 * np.sqrt(42) / 13, rel=1e-6)
    assert float(found.aspect) == pytest.approx(6.5 / 2)


@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("mode", ["mean", "mean_sd"])
def test_all_images_get_the_averages_of_the_set(mode: str, c: int) -> None:
    images, masks = objects(6, c=c)
    before = luminance.measure(images, masks)
    matched, clipped = luminance.match(images, masks, mode)
    after = luminance.measure(matched, masks)
    assert clipped.tolist() == [0] * 6
    np.testing.assert_allclose(after.mean, float(before.mean.mean()), rtol=1e-5)
    wanted = before.sd.mean() if mode == "mean_sd" else before.sd
    np.testing.assert_allclose(after.sd, np.broadcast_to(wanted, 6), rtol=1e-4)
    assert float(before.mean.std()) > 0.01  # there was something to match


def test_matching_against_arithmetic_by_hand() -> None:
    images, masks = objects(4, seed=3)
    m, x = masks.double().numpy(), images.double().numpy()
    front = (x - (1 - m) * BACKGROUND) / np.maximum(m, 1e-12)
    stats = np.array([slow_statistics(x[k], m[k]) for k in range(4)])
    mean, sd = stats[:, 1].mean(), stats[:, 2].mean()
    scaled = (front - stats[:, 1, None, None, None]) / stats[:, 2, None, None, None] * sd + mean
    expected = np.where(m > 0, m * np.clip(scaled, 0, 1) + (1 - m) * BACKGROUND, x)
    matched, _ = luminance.match(images, masks, "mean_sd")
    np.testing.assert_allclose(matched, expected, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_the_background_stays_and_the_outline_is_composed_with_it(mode: str) -> None:
    images, masks = objects(5, span=(0.1, 0.9))
    matched, _ = luminance.match(images, masks, mode)
    assert torch.equal(matched[masks == 0], images[masks == 0])
    front = (matched.double() - (1 - masks.double()) * BACKGROUND) / masks.double()
    sure = masks > 0.05
    assert (front[sure] > -1e-5).all()
    assert (front[sure] < 1 + 1e-5).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("c", [1, 3])
@given(seed=st.integers(0, 10**6))
def test_matching_commutes_with_flips_bit_by_bit(mode: str, c: int, seed: int) -> None:
    images, masks = objects(3, seed=seed, c=c, size=9, span=(0.0, 1.0))
    images[0] = images[0].mul(15).round().div(15) if seed % 2 else images[0]
    images[0] = torch.where(masks[0] == 1, images[0], torch.tensor(BACKGROUND))
    masks[0] = (masks[0] == 1).float()
    matched, clipped = luminance.match(images, masks, mode)
    for axis in (-1, -2):
        flipped, share = luminance.match(images.flip(axis), masks.flip(axis), mode)
        assert torch.equal(flipped.flip(axis), matched)
        assert torch.equal(share, clipped)


def test_none_changes_nothing() -> None:
    images, masks = objects(2)
    matched, clipped = luminance.match(images, masks, "none")
    assert torch.equal(matched, images)
    assert clipped.tolist() == [0, 0]


def test_clipping_is_reported_by_area() -> None:
    mask = torch.zeros(2, 1, 4, 4)
    mask[..., :2, :] = 1
    mask[..., 2, :] = 0.5
    front = torch.full((2, 1, 4, 4), 0.9)
    front[0, 0, 0, 0] = 0.4
    front[1] = 0.5
    front[1, 0, 0] = 0.1
    front[1, 0, 1] = 0.95
    images = mask * front + (1 - mask) * BACKGROUND
    matched, clipped = luminance.match(images, mask, "mean_sd")
    m, y = mask[0].double().numpy(), front[:, 0].double().numpy()
    mean = [np.average(y[k], weights=m[0]) for k in range(2)]
    sd = [np.average((y[k] - mean[k]) ** 2, weights=m[0]) ** 0.5 for k in range(2)]
    for k in range(2):
        wanted = (y[k] - mean[k]) * np.mean(sd) / sd[k] + np.mean(mean)
        beyond = (wanted < 0) | (wanted > 1)
        assert float(clipped[k]) == pytest.approx((m[0] * beyond).sum() / m[0].sum())
        assert float(matched[k].min()) >= 0
        assert float(matched[k].max()) <= 1
    assert float(clipped[0]) == pytest.approx(1 / 10)
    assert float(clipped[1]) == 0


def test_histograms_become_alike() -> None:
    images, masks = objects(5, size=40, span=(0.05, 0.95))
    before = luminance.measure(images, masks, ranks=True)
    matched, _ = luminance.match(images, masks, "histogram")
    after = luminance.measure(matched, masks, ranks=True)
    goal = before.sorted.mean(0)
    assert float((before.sorted - goal).abs().max()) > 0.02
    assert float((after.sorted - goal)[:, 10:-10].abs().max()) < 1.5 / 255
    for k in range(5):  # a monotone change
        m = masks[k] == 1
        order = images[k][m].argsort()
        assert (matched[k][m][order].diff() >= -1e-7).all()


def test_histogram_of_a_set_that_is_alike_stays() -> None:
    images, masks = objects(1, size=30)
    images = images.mul(51).round().div(51)
    images, masks = torch.where(masks == 1, images, BACKGROUND), (masks == 1).float()
    both, _ = luminance.match(images.repeat(2, 1, 1, 1), masks.repeat(2, 1, 1, 1), "histogram")
    assert float((both - images).abs().max()) < 1 / 255
    levels = {float(v): {float(w) for w in both[0][images[0] == v]} for v in images.unique()}
    assert all(len(new) == 1 for new in levels.values())  # equal greys stay equal


def test_sorted_luminance_against_weighted_quantiles() -> None:
    images, masks = objects(1, size=40)
    found = luminance.measure(images, masks, ranks=True)
    m, x = masks.double().numpy().ravel(), images.double().numpy().ravel()
    front = ((x - (1 - m) * BACKGROUND) / np.maximum(m, 1e-12))[m > 0]
    order = np.argsort(front)
    reached = np.cumsum(m[m > 0][order]) / m.sum()
    levels = (np.arange(1024) + 0.5) / 1024
    quantiles = front[order][np.searchsorted(reached, levels)]
    assert np.abs(found.sorted[0].numpy() - quantiles)[8:-8].max() < 2 / 255


@pytest.mark.parametrize("mode", MODES)
def test_empty_and_uniform_objects(mode: str) -> None:
    images, masks = objects(4)
    masks[1] = 0
    images[1] = BACKGROUND
    masks[2] = (masks[2] == 1).float()
    images[2] = torch.where(masks[2] == 1, torch.tensor(0.3), torch.tensor(BACKGROUND))
    matched, clipped = luminance.match(images, masks, mode)
    assert torch.equal(matched[1], images[1])
    assert float(clipped[1]) == 0
    assert bool(matched.isfinite().all())
    uniform = matched[2][masks[2] == 1]
    assert len(uniform.unique()) == 1
    rest = [0, 2, 3]
    without, _ = luminance.match(images[rest], masks[rest], mode)
    torch.testing.assert_close(matched[rest], without, rtol=0, atol=1e-6)
    nothing, none = luminance.match(images[[1]], masks[[1]], mode)
    assert torch.equal(nothing, images[[1]])
    assert none.tolist() == [0]


def test_colour_keeps_the_differences_of_channels() -> None:
    images, masks = objects(3, c=3)
    matched, clipped = luminance.match(images, masks, "mean_sd")
    assert float(clipped.sum()) == 0
    whole = (masks == 1).expand(-1, 1, -1, -1)
    before, after = (x[:, :1] - x[:, 1:2] for x in (images, matched))
    torch.testing.assert_close(after[whole], before[whole], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kind_and_dtype_are_kept(dtype: torch.dtype) -> None:
    images, masks = (x.to(dtype) for x in objects(2))
    matched, clipped = luminance.match(images, masks, "mean")
    assert matched.dtype == clipped.dtype == dtype
    in_numpy, share = luminance.match(images.numpy(), masks.numpy(), "mean")
    assert isinstance(in_numpy, np.ndarray)
    assert isinstance(share, np.ndarray)
    np.testing.assert_array_equal(in_numpy, matched.numpy())


def test_another_background() -> None:
    images, masks = objects(2)
    black = images - (1 - masks) * BACKGROUND
    matched, _ = luminance.match(black, masks, "mean_sd", background=0)
    expected, _ = luminance.match(images, masks, "mean_sd")
    torch.testing.assert_close(matched + (1 - masks) * BACKGROUND, expected, rtol=0, atol=1e-6)


def test_what_is_refused() -> None:
    images, masks = objects(2)
    with pytest.raises(UserError, match="did you mean mean_sd"):
        luminance.match(images, masks, "mean-sd")
    with pytest.raises(UserError, match="do not fit"):
        luminance.match(images, masks[:1], "mean")
    with pytest.raises(UserError, match=r"outside \[0, 1\]"):
        luminance.match(images, masks * 2, "mean")
    with pytest.raises(UserError, match=r"image 1 does not show the background 0\.502"):
        luminance.match(images * torch.tensor([1, 0.5])[:, None, None, None], masks, "mean")
