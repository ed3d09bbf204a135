"""Invariance and equivariance against slow loops and the analytic cases of one conv layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d

from isocortex.errors import UserError
from isocortex.measures import symmetry
from isocortex.measures.symmetry import (
    equivariance,
    fixed_positions,
    image_symmetry,
    invariance,
    match_channels,
    symmetric_views,
    zscore,
)
from isocortex.measures.viewpoint import mirror_symmetry_index, view_rdm
from isocortex.stimuli.transforms import TRANSFORMS

HFLIP, VFLIP, ROT90 = TRANSFORMS["hflip"], TRANSFORMS["vflip"], TRANSFORMS["rot90"]
G = {"hflip": HFLIP, "vflip": VFLIP, "rot90": ROT90}


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


# --- z-scores -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zscore_is_per_unit_over_presentations(dtype: torch.dtype) -> None:
    x = (random(20, 3, 4, 5) * 7 + 100).to(dtype)
    x[:, 1, 2, 3] = 0.1
    x[:, 0, 0, 0] = 0.0
    x[3, 2, 1, 1] = torch.nan
    before = x.clone()
    z, kept = zscore(x)
    assert torch.equal(x.nan_to_num(-9), before.nan_to_num(-9))
    assert z.dtype == dtype
    assert kept.shape == (3, 4, 5)
    assert int((~kept).sum()) == 3
    assert z[:, ~kept].isnan().all()
    expected = (x - x.mean(0)) / x.std(0, correction=0)
    torch.testing.assert_close(z[:, kept], expected[:, kept], atol=1e-4, rtol=1e-4)


def test_zscore_in_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(23, 40).numpy() * 3 + 1e4
    whole, kept = zscore(x)
    assert isinstance(kept, np.ndarray)
    monkeypatch.setattr(symmetry, "_CHUNK_BYTES", 8 * 40 * 5)
    np.testing.assert_allclose(zscore(x)[0], whole, atol=1e-9)
    np.testing.assert_allclose(whole, (x - x.mean(0)) / x.std(0), atol=1e-9)


def test_zscore_needs_presentations() -> None:
    for shape in ((0, 3), (5,)):
        with pytest.raises(UserError, match="presentations"):
            zscore(np.zeros(shape))
    z, kept = zscore(np.ones((1, 3)))
    assert not kept.any()
    assert np.isnan(z).all()


# --- fixed positions ----------------------------------------------------------------------------


@pytest.mark.parametrize(("h", "w"), [(5, 5), (4, 4), (5, 4), (4, 5)])
def test_fixed_positions_of_flips(h: int, w: int) -> None:
    expected = np.zeros((h, w), dtype=bool)
    if w % 2:
        expected[:, w // 2] = True
    np.testing.assert_array_equal(fixed_positions(HFLIP, h, w), expected)
    expected = np.zeros((h, w), dtype=bool)
    if h % 2:
        expected[h // 2] = True
    np.testing.assert_array_equal(fixed_positions(VFLIP, h, w), expected)


@pytest.mark.parametrize("name", ["rot90", "rot180", "rot270"])
@pytest.mark.parametrize("side", [4, 5])
def test_fixed_positions_of_turns(name: str, side: int) -> None:
    expected = np.zeros((side, side), dtype=bool)
    if side % 2:
        expected[side // 2, side // 2] = True
    np.testing.assert_array_equal(fixed_positions(TRANSFORMS[name], side, side), expected)


def test_quarter_turns_need_square_maps() -> None:
    with pytest.raises(UserError, match="square"):
        fixed_positions(ROT90, 4, 5)


# --- both measures against the definition -------------------------------------------------------


def slow(x: Tensor, y: Tensor, g, moved: bool) -> list[float]:  # type: ignore[no-untyped-def]
    """Image by image, unit by unit."""
    a, b = x.double().numpy(), y.double().numpy()
    n, c, h, w = a.shape
    grid = np.arange(h * w).reshape(h, w)
    source = np.asarray(g(grid)).ravel()
    result = []
    for image in range(n):
        left, right = [], []
        for channel in range(c):
            for position in range(h * w):
                if source[position] == position:
                    continue
                origin = np.unravel_index(source[position] if moved else position, (h, w))
                target = np.unravel_index(position, (h, w))
                u, v = a[:, channel, *origin], b[:, channel, *target]
                if u.std() == 0 or v.std() == 0:
                    continue
                left.append((u[image] - u.mean()) / u.std())
                right.append((v[image] - v.mean()) / v.std())
        result.append(float(np.corrcoef(left, right)[0, 1]))
    return result


@pytest.mark.parametrize("name", sorted(G))
@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_measures_are_the_definition(name: str, side: int, dtype: torch.dtype) -> None:
    x, noise = random(6, 2, side, side, seed=1), random(6, 2, side, side, seed=2)
    y = G[name](x).contiguous() * 2 + noise
    x[:, 0, 0, 1] = 3.0
    y[:, 1, -1, 0] = 0.0
    x, y = x.to(dtype), y.to(dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    same, turned = invariance(x, y, G[name]), equivariance(x, y, G[name])
    assert same.dtype == turned.dtype == dtype
    np.testing.assert_allclose(same, slow(x, y, G[name], False), atol=tolerance)
    np.testing.assert_allclose(turned, slow(x, y, G[name], True), atol=tolerance)
    as_numpy = equivariance(x.numpy(), y.numpy(), G[name])
    assert isinstance(as_numpy, np.ndarray)
    np.testing.assert_array_equal(as_numpy, turned)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = random(11, 3, 6, 6), random(11, 3, 6, 6, seed=1)
    whole = invariance(x, y, HFLIP), equivariance(x, y, HFLIP)
    monkeypatch.setattr(symmetry, "_CHUNK_BYTES", 8 * 108 * 4)
    torch.testing.assert_close(invariance(x, y, HFLIP), whole[0])
    torch.testing.assert_close(equivariance(x, y, HFLIP), whole[1])


def test_flat_layers_drop_nothing() -> None:
    x, y = random(8, 30), random(8, 30, seed=1)
    x[:, 4] = 1.0
    z = [(a - a.mean(0)) / a.std(0, correction=0) for a in (x, y)]
    keep = torch.arange(30) != 4
    expected = [np.corrcoef(z[0][i, keep], z[1][i, keep])[0, 1] for i in range(8)]
    np.testing.assert_allclose(invariance(x, y), expected, atol=1e-12)
    np.testing.assert_array_equal(invariance(x, y, HFLIP), invariance(x, y))


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@pytest.mark.parametrize("side", [4, 5])
def test_identical_codes_give_one(name: str, side: int) -> None:
    g = TRANSFORMS[name]
    x = random(7, 3, side, side)
    torch.testing.assert_close(invariance(x, x.clone(), g), torch.ones(7).double())
    torch.testing.assert_close(equivariance(x, g(x), g), torch.ones(7).double())
    if name == "rot90":
        assert equivariance(x, TRANSFORMS["rot270"](x), g).abs().max() < 0.9


def test_four_turns_are_the_identity() -> None:
    x = random(5, 3, 4, 4)
    turned = x
    for _ in range(4):
        turned = ROT90(turned)
    assert torch.equal(turned, x)


@given(st.integers(0, 100), st.floats(0.01, 100), st.floats(-50, 50))
def test_gain_and_offset_of_a_condition_change_nothing(
    seed: int, gain: float, shift: float
) -> None:
    x, y = random(6, 2, 4, 4, seed=seed), random(6, 2, 4, 4, seed=seed + 1)
    torch.testing.assert_close(
        equivariance(x, gain * y + shift, VFLIP), equivariance(x, y, VFLIP), atol=1e-9, rtol=0
    )


def test_bad_input_is_refused() -> None:
    x = np.zeros((4, 2, 4, 4))
    with pytest.raises(UserError, match="one shape"):
        invariance(x, x[:, :1], HFLIP)
    with pytest.raises(UserError, match="needs maps"):
        equivariance(x.reshape(4, -1), x.reshape(4, -1), HFLIP)
    with pytest.raises(UserError, match="square"):
        equivariance(np.zeros((4, 2, 4, 5)), np.zeros((4, 2, 4, 5)), ROT90)
    assert np.isnan(invariance(x, x, HFLIP)).all()
    assert np.isnan(equivariance(x, x, HFLIP)).all()


# --- one linear convolution (unit checks 4, 5, 6 of the specification) --------------------------


def one_layer(weights: Tensor, images: Tensor, g) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
    return conv2d(images, weights), conv2d(g(images).contiguous(), weights)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("name", sorted(G))
def test_random_kernels_on_white_noise(k: int, name: str) -> None:
    """Expected equivariance 1/k for flips and 1/k^2 for quarter turns; invariance 0."""
    weights = random(400, 1, k, k, seed=k)
    images = random(60, 1, 12, 12, seed=9)
    x, y = one_layer(weights, images, G[name])
    expected = 1 / k**2 if name == "rot90" else 1 / k
    assert float(equivariance(x, y, G[name]).mean()) == pytest.approx(expected, abs=0.03)
    assert float(invariance(x, y, G[name]).mean()) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("k", [3, 5])
def test_a_map_turned_the_wrong_way_gives_nothing(k: int) -> None:
    """Turned against the image instead of with it, the expectation is 0, not 1/k^2."""
    images, weights = random(60, 1, 12, 12, seed=9), random(400, 1, k, k, seed=k)
    x, y = one_layer(weights, images, ROT90)
    assert float(equivariance(x, y, TRANSFORMS["rot270"]).mean()) == pytest.approx(0.0, abs=0.03)


def symmetrised(weights: Tensor, name: str) -> Tensor:
    if name == "rot90":
        return sum(torch.rot90(weights, q, (-2, -1)) for q in range(4)) / 4  # type: ignore[return-value]
    return (weights + G[name](weights)) / 2


@pytest.mark.parametrize("name", sorted(G))
@pytest.mark.parametrize("side", [12, 13])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_symmetric_kernels_give_one(name: str, side: int, dtype: torch.dtype) -> None:
    weights = symmetrised(random(8, 1, 3, 3, dtype=dtype), name)
    deeper = symmetrised(random(6, 8, 3, 3, seed=1, dtype=dtype), name)
    images = random(20, 1, side, side, seed=9, dtype=dtype)
    x, y = (
        conv2d(conv2d(i, weights).relu(), deeper).relu()
        for i in (images, G[name](images).contiguous())
    )
    tolerance = 2e-3 if dtype == torch.float32 else 1e-9
    one = torch.ones(20, dtype=dtype)
    torch.testing.assert_close(equivariance(x, y, G[name]), one, atol=tolerance, rtol=0)
    pooled = invariance(x.mean(dim=(2, 3)), y.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled, one, atol=tolerance, rtol=0)
    if name == "rot90":
        wrong = equivariance(x, y, TRANSFORMS["rot270"])
        assert float(wrong.mean()) < 0.6


def test_channels_that_mirror_each_other_are_matched() -> None:
    """A bank closed under the flip is equivariant up to a permutation of its channels."""
    half = random(5, 1, 3, 3)
    weights = torch.cat([half, HFLIP(half)])
    images = random(40, 1, 10, 10, seed=3)
    x, y = one_layer(weights, images, HFLIP)
    assert float(equivariance(x, y, HFLIP).mean()) < 0.7
    order = match_channels(x[:20], y[:20], HFLIP)
    np.testing.assert_array_equal(order, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4])
    after = equivariance(x[20:], y[20:], HFLIP, channels=order)
    torch.testing.assert_close(after, torch.ones(20).double(), atol=0.2, rtol=0)
    assert float(after.mean()) > 0.95
    with pytest.raises(UserError, match="needs maps"):
        match_channels(x.flatten(1), y.flatten(1), HFLIP)


# --- symmetry of an image -----------------------------------------------------------------------


def slow_image_symmetry(image: np.ndarray) -> float:
    w = image.shape[1]
    half = w // 2
    padded = np.pad(image, ((0, 0), (half, half)), mode="edge")
    best = -np.inf
    for start in range(padded.shape[1] - w + 1):
        window = padded[:, start : start + w]
        left, right = window[:, :half].ravel(), window[:, ::-1][:, :half].ravel()
        if left.std() > 1e-12 and right.std() > 1e-12:
            best = max(best, np.corrcoef(left, right)[0, 1])
    return best


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (4, 2), (3, 3)])
def test_image_symmetry_is_the_definition(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).normal(size=(4, *shape))
    values = image_symmetry(images)
    assert values.shape == (4,)
    for value, image in zip(values, images, strict=True):
        assert value == pytest.approx(slow_image_symmetry(image), abs=1e-9)


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_image_symmetry_finds_the_axis_off_centre(shift: int) -> None:
    half = np.random.default_rng(1).uniform(size=(16, 6))
    image = np.full((16, 24), 0.5, dtype=np.float32)
    image[:, 6 + shift : 18 + shift] = np.concatenate([half, half[:, ::-1]], axis=1)
    assert image_symmetry(image) == pytest.approx(1.0, abs=1e-5)
    assert image_symmetry(np.random.default_rng(2).uniform(size=(16, 24))) < 0.8


def test_image_symmetry_of_degenerate_input() -> None:
    assert torch.isnan(image_symmetry(torch.full((3, 8, 8), 0.5))).all()
    with pytest.raises(UserError, match="w >= 2"):
        image_symmetry(np.zeros((5, 1)))


def test_symmetric_views_exceed_the_mean_by_half_a_deviation() -> None:
    values = np.tile([0.2, 0.1, 0.9, 0.1, 0.2], (6, 1))
    values[0, 1] = np.nan
    np.testing.assert_array_equal(symmetric_views(values), [False, False, True, False, False])
    assert not symmetric_views(np.full((4, 5), 0.3)).any()
    assert not symmetric_views(values, margin=3.0).any()


def test_symmetric_kernels_and_pooling_make_mirror_tuning() -> None:
    """Views that mirror each other, symmetric filters, global pooling: the index is 1."""
    half = random(4, 2, 1, 16, 16, seed=5)
    frontal = random(4, 1, 1, 16, 16, seed=6)
    views = torch.cat([half, frontal + HFLIP(frontal), HFLIP(half).flip(1)], dim=1)
    assert torch.equal(views[:, 0], HFLIP(views[:, 4]))
    for bank, exactly in (
        (symmetrised(random(20, 1, 3, 3), "hflip"), True),
        (random(20, 1, 3, 3), False),
    ):
        maps = conv2d(views.flatten(0, 1), bank).relu()
        z, kept = zscore(maps.mean(dim=(2, 3)))
        index = mirror_symmetry_index(view_rdm(z[:, kept].reshape(4, 5, -1)))
        assert (float(index.min()) > 1 - 1e-9) == exactly
