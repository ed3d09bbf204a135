from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft, ndimage

from isocortex.errors import UserError
from isocortex.measures.receptive_fields import laplacian_of_gaussian
from isocortex.measures.retinex import retinex

LOG = laplacian_of_gaussian(7, torch.tensor([0.9], dtype=torch.float64))[0].numpy()
LAPLACIAN = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


def mondrian(seed: int = 0, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the reflectance of patches, and of a slow light on them."""
    rng = np.random.default_rng(seed)
    reflectance = np.zeros((side, side))
    for _ in range(40):
        a, b = np.sort(rng.integers(0, side, (2, 2)), axis=1)
        reflectance[a[0] : a[1] + 1, b[0] : b[1] + 1] = rng.uniform(-1, 1)
    x = np.linspace(-1, 1, side)
    light = 1.5 * x[None, :] + np.cos(2 * x[:, None])
    return reflectance, light


@pytest.mark.parametrize("balanced", [True, False])
def test_without_a_threshold_the_image_comes_back(balanced: bool) -> None:
    image = np.random.default_rng(0).standard_normal((2, 20, 31)) + 5
    kernel = LOG + 0.1 * np.random.default_rng(1).standard_normal((7, 7))
    result = retinex(image, kernel, threshold=0, balanced=balanced)
    np.testing.assert_allclose(result.image, image, atol=1e-6)
    np.testing.assert_array_equal(result.kept, result.response)
    modes = 40 * 62
    assert result.determined == pytest.approx((modes - balanced) / modes)


def test_responses_are_those_of_the_mirrored_image() -> None:
    image = np.random.default_rng(0).standard_normal((12, 15)) + 3
    kernel = np.random.default_rng(1).standard_normal((5, 5))
    plain = retinex(image, kernel, balanced=False).response
    # The border pixel twice: scipy's "reflect".
    np.testing.assert_allclose(plain, ndimage.correlate(image, kernel, mode="reflect"), atol=1e-9)
    zero = retinex(image, kernel).response
    balanced = ndimage.correlate(image, kernel - kernel.mean(), mode="reflect")
    np.testing.assert_allclose(zero, balanced, atol=1e-9)


def test_the_solution_is_that_of_least_squares() -> None:
    h, w = 5, 6
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((h, w)), rng.standard_normal((3, 3))
    kernel -= kernel.mean()
    result = retinex(image, kernel, threshold=1.0)
    torus = np.concatenate([image, image[:, ::-1]], axis=1)
    torus = np.concatenate([torus, torus[::-1]], axis=0)
    n = torus.size
    matrix = np.stack(
        [
            ndimage.correlate(row.reshape(torus.shape), kernel, mode="wrap").ravel()
            for row in np.eye(n)
        ],
        axis=1,
    )
    response = matrix @ torus.ravel()
    target = np.where(np.abs(response) >= response.std(), response, 0)
    assert result.threshold == pytest.approx(response.std())
    assert 0 < (target != 0).mean() < 0.6
    u = np.linalg.lstsq(matrix, target, rcond=1e-9)[0].reshape(torus.shape)[:h, :w]
    np.testing.assert_allclose(result.image, u - u.mean() + image.mean(), atol=1e-8)


def test_for_even_kernels_it_is_the_cosine_transform() -> None:
    image = np.random.default_rng(0).standard_normal((16, 18))
    kernel = LOG - LOG.mean()
    result = retinex(image, LOG, threshold=0.5)
    impulse = np.zeros((16, 18))
    impulse[0, 0] = 1.0
    smooth = ndimage.correlate(impulse, kernel, mode="reflect")
    gain = fft.dctn(smooth) / fft.dctn(impulse)
    target = fft.dctn(result.kept)
    gain[0, 0], target[0, 0] = 1.0, 0.0
    np.testing.assert_allclose(result.image, fft.idctn(target / gain) + image.mean(), atol=1e-7)


def test_slow_light_is_taken_away_and_the_patches_stay() -> None:
    before, after = [], []
    for seed in range(5):
        reflectance, light = mondrian(seed)
        result = retinex(reflectance + light, LAPLACIAN, threshold=0.2)
        before.append(np.corrcoef(reflectance.ravel(), (reflectance + light).ravel())[0, 1])
        after.append(np.corrcoef(reflectance.ravel(), result.image.ravel())[0, 1])
        assert result.image.mean() == pytest.approx((reflectance + light).mean())
        assert (result.kept == 0).mean() > 0.3
    assert np.mean(after) > np.mean(before) + 0.2


def test_a_constant_more_of_light_changes_nothing_but_the_mean() -> None:
    reflectance, _ = mondrian()
    first, second = (retinex(reflectance + c, LOG).image for c in (0.0, 2.0))
    np.testing.assert_allclose(second - 2.0, first, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_in_torch_out(dtype: torch.dtype) -> None:
    image = torch.from_numpy(mondrian()[0]).to(dtype)
    result = retinex(image[None, None], LOG)
    assert result.image.dtype == dtype
    assert result.image.shape == (1, 1, 64, 64)
    expected = retinex(image.double().numpy(), LOG).image
    np.testing.assert_allclose(result.image[0, 0], expected, atol=1e-4)


def test_a_constant_image_stays() -> None:
    np.testing.assert_allclose(retinex(np.full((9, 9), 2.0), LOG).image, 2.0)


def test_wrong_input_is_refused() -> None:
    image = np.zeros((9, 9))
    for kernel in (np.ones((4, 4)), np.ones(3), np.ones((3, 5))):
        with pytest.raises(UserError, match="odd side"):
            retinex(image, kernel)
    with pytest.raises(UserError, match="larger"):
        retinex(image, np.eye(11))
    with pytest.raises(UserError, match="passes nothing"):
        retinex(image, np.ones((3, 3)))
    with pytest.raises(UserError, match="threshold"):
        retinex(image, LOG, threshold=-1)
    with pytest.raises(UserError, match="finite"):
        retinex(image + np.nan, LOG)
