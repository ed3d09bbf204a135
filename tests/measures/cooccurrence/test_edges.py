from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.measures.cooccurrence import (
    EdgeList,
    detect_edges,
    lattice_bias,
    log_luminance,
    periodic_component,
    random_phase,
    turned_by_45,
    white_noise,
)
from isocortex.measures.cooccurrence.edges import edge_kernels


def apart(a: np.ndarray, b: float) -> np.ndarray:
    return np.abs((a - b + 180) % 360 - 180)


def step(direction: float, side: int = 80, blur: float = 0.7) -> np.ndarray:
    """A straight step through the centre, bright on the right of the direction."""
    c = (side - 1) / 2
    rows, columns = np.mgrid[:side, :side]
    turn = np.deg2rad(direction)
    left = -(rows - c) * np.cos(turn) - (columns - c) * np.sin(turn)
    return -np.tanh(left / blur)


@pytest.mark.parametrize("direction", [0.0, 17.0, 45.0, 90.0, 128.0, 200.0, 270.0, 352.0])
def test_a_step_has_edges_of_its_direction_on_its_line(direction: float) -> None:
    edges = detect_edges(step(direction))
    assert len(edges) > 5
    assert apart(edges.direction_deg, direction).max() < 1.5
    turn = np.deg2rad(direction)
    across = (edges.y + 39.5) * np.cos(turn) - (edges.x - 39.5) * np.sin(turn)
    assert np.abs(across).max() <= 0.75
    inside = (edges.x >= 12) & (edges.x <= 67) & (-edges.y >= 12) & (-edges.y <= 67)
    assert inside.all()
    opposite = detect_edges(-step(direction))
    np.testing.assert_array_equal(opposite.x, edges.x)
    assert apart(opposite.direction_deg, direction + 180).max() < 1.5


def test_responses_are_the_cross_correlation_with_the_kernels() -> None:
    image = np.random.default_rng(0).standard_normal((40, 37))
    edges = detect_edges(image, kept=1.0)
    kernels = edge_kernels()
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 0, atol=1e-12)
    all24 = np.concatenate([kernels, -kernels])
    for x, y, direction, strength in zip(
        edges.x, edges.y, edges.direction_deg, edges.strength, strict=True
    ):
        column, row = int(x), int(-y)
        patch = image[row - 10 : row + 11, column - 10 : column + 11]
        answers = (all24 * patch).sum(axis=(1, 2))
        assert strength == pytest.approx(answers.max())
        assert apart(np.array([direction]), 15 * answers.argmax())[0] <= 7.5 + 1e-9


def test_the_strongest_share_is_kept_and_torch_is_taken() -> None:
    image = np.random.default_rng(1).standard_normal((90, 120))
    every, some = detect_edges(image, kept=1.0), detect_edges(torch.from_numpy(image))
    assert len(some) == pytest.approx(0.2 * len(every), abs=2)
    assert some.strength.min() >= np.quantile(every.strength, 0.8)
    assert len(detect_edges(np.full((60, 60), 0.3))) == 0


def test_wrong_images_are_refused() -> None:
    for wrong in (np.zeros((24, 80)), np.zeros((3, 80, 80))):
        with pytest.raises(UserError, match="image"):
            detect_edges(wrong)
    with pytest.raises(UserError, match="finite"):
        detect_edges(np.full((40, 40), np.nan))
    with pytest.raises(UserError, match="share"):
        detect_edges(np.zeros((40, 40)), kept=0)
    with pytest.raises(UserError, match="255"):
        log_luminance(np.full((40, 40), 200))
    with pytest.raises(UserError, match="grey"):
        log_luminance(np.zeros((40, 40, 3)))
    np.testing.assert_allclose(log_luminance(np.array([[0.0, 1.0]])), np.log([[0.02, 1.02]]))


def test_controls_keep_what_they_say() -> None:
    image = np.random.default_rng(0).standard_normal((50, 61)).cumsum(axis=0) + 3
    phase = random_phase(image, 1)
    np.testing.assert_allclose(np.abs(np.fft.fft2(phase)), np.abs(np.fft.fft2(image)), atol=1e-8)
    assert phase.mean() == pytest.approx(image.mean())
    assert abs(np.corrcoef(phase.ravel(), image.ravel())[0, 1]) < 0.5
    np.testing.assert_array_equal(phase, random_phase(image, 1))
    noise = white_noise(image, 1)
    assert noise.std() == pytest.approx(image.std(), rel=0.05)
    with pytest.raises(UserError, match="control"):
        random_phase(image[None], 0)


def test_the_periodic_component_leaves_what_the_borders_do_not_share() -> None:
    rng = np.random.default_rng(0)
    ramp = 0.1 * np.arange(60)[:, None] + 0.05 * np.arange(70)
    image = ramp + rng.standard_normal((60, 70))
    periodic = periodic_component(image)
    assert periodic.mean() == pytest.approx(image.mean())
    smooth = image - periodic
    laplacian = sum(np.roll(smooth, s, axis) for s in (1, -1) for axis in (0, 1)) - 4 * smooth
    jumps = np.zeros_like(image)
    for row, other in ((0, -1), (-1, 0)):
        jumps[row] += image[other] - image[row]
        jumps[:, row] += image[:, other] - image[:, row]
    np.testing.assert_allclose(laplacian, jumps, atol=1e-9)
    # The streaks of a ramp, which is all border, are gone.
    axes = np.abs(np.fft.fft2(image))[1:, 0], np.abs(np.fft.fft2(periodic))[1:, 0]
    assert axes[1].mean() < 0.5 * axes[0].mean()


def test_a_turned_image_has_turned_edges() -> None:
    for direction in (0.0, 20.0, 200.0):
        turned = turned_by_45(step(direction, side=121))
        assert turned.shape == (83, 83)
        assert apart(detect_edges(turned).direction_deg, direction + 45).max() < 1.5
    with pytest.raises(UserError, match="too small"):
        turned_by_45(np.zeros((4, 4)))


def test_the_lattice_of_blocks_shows() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 400, (2, 20000)).astype(float)
    even = lattice_bias(EdgeList(x, -y, x, x))
    np.testing.assert_allclose(even.columns, 1, atol=0.1)
    assert even.boundary == pytest.approx(1, abs=0.05)
    on = lattice_bias(EdgeList(x // 8 * 8 + 7, -y, x, x))
    assert on.columns[7] == 8
    assert on.boundary == pytest.approx((4 + 1) / 2, abs=0.05)
    assert np.isnan(lattice_bias(EdgeList(*np.zeros((4, 0)))).boundary)
    with pytest.raises(UserError, match="period"):
        lattice_bias(even, 1)  # type: ignore[arg-type]
