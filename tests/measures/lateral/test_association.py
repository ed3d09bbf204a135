"""Propagation against the layer's own convolution, streamlines on fields with known lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from isocortex.errors import UserError
from isocortex.measures.lateral import (
    association_field,
    displacements,
    path_strength,
    positions,
    propagate,
)
from isocortex.measures.lateral.streamlines import bilinear, fit_lines, streamlines
from isocortex.measures.se2 import Grid, direction_kernel, plant, symmetrise, without_polarity


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# --- propagation --------------------------------------------------------------------------------


def by_convolution(kernel: np.ndarray, start: int, steps: int, unit_sum: bool) -> np.ndarray:
    k = torch.from_numpy(kernel)
    c = k.shape[-1] // 2
    u = torch.zeros(1, len(k), 2 * steps * c + 1, 2 * steps * c + 1, dtype=k.dtype)
    u[0, start, steps * c, steps * c] = 1
    for _ in range(steps):
        u = (u + conv2d(u, k, padding=c)) / 2
        if unit_sum:
            u = u / u.sum()
    return u[0].numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit_sum", [True, False])
def test_propagation_is_the_layer(dtype: type, unit_sum: bool) -> None:
    kernel = np.abs(random(4, 4, 5, 5)).astype(dtype)
    activity = propagate(kernel, steps=3, unit_sum=unit_sum)
    assert activity.dtype == dtype
    assert activity.shape == (4, 4, 13, 13)
    for start in range(4):
        expected = by_convolution(kernel.astype(float), start, 3, unit_sum)
        np.testing.assert_allclose(activity[start], expected, atol=1e-5 * expected.max())
    one = propagate(kernel, steps=3, starts=[2], unit_sum=unit_sum)
    np.testing.assert_allclose(one[0], activity[2], rtol=1e-5, atol=1e-7)


def test_the_hand_made_kernel_goes_left() -> None:
    """Unit check 1: K[0, 0, Dx = 2] = 1, two steps: 1/4, 1/2, 1/4 at 0, 2, 4 pixels left."""
    x, y = displacements(5)
    kernel = ((x == 2) & (y == 0)).astype(float)[None, None]
    activity = propagate(kernel, steps=2, unit_sum=False)[0, 0]
    expected = np.zeros((9, 9))
    expected[4, [4, 2, 0]] = 0.25, 0.5, 0.25
    np.testing.assert_allclose(activity, expected, atol=1e-12)


def test_no_kernel_and_the_identity() -> None:
    """Unit check 1: K = 0 halves at each step, the identity leaves everything as it is."""
    impulse = np.zeros((2, 2, 13, 13))
    impulse[[0, 1], [0, 1], 6, 6] = 1
    nothing = propagate(np.zeros((2, 2, 5, 5)), unit_sum=False)
    np.testing.assert_allclose(nothing, impulse / 8, atol=1e-12)
    identity = np.zeros((2, 2, 5, 5))
    identity[[0, 1], [0, 1], 2, 2] = 1
    np.testing.assert_allclose(propagate(identity, unit_sum=False), impulse, atol=1e-12)
    np.testing.assert_allclose(propagate(np.zeros((2, 2, 5, 5))), impulse, atol=1e-12)


def test_bad_propagation_is_refused() -> None:
    with pytest.raises(UserError, match="steps"):
        propagate(np.zeros((2, 2, 5, 5)), steps=0)
    with pytest.raises(UserError, match="numbers of units"):
        propagate(np.zeros((2, 2, 5, 5)), starts=[2])
    with pytest.raises(UserError, match="NaN"):
        propagate(np.full((2, 2, 5, 5), np.nan))
    with pytest.raises(UserError, match="side, side"):
        propagate(np.zeros((2, 3, 5, 5)))


# --- lines --------------------------------------------------------------------------------------


def field(kind: float, side: int = 31) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = displacements(side)
    star = torch.from_numpy(kind * np.arctan2(y, x))
    phasor = torch.stack([(2 * star).cos(), (2 * star).sin()])[None]
    return phasor, torch.ones(1, side, side, dtype=torch.float64)


def starts(*degrees: float, radius: float = 2) -> tuple[torch.Tensor, torch.Tensor]:
    polar = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    ways = torch.stack([polar.cos(), polar.sin()], dim=-1)
    return radius * ways, ways


def test_bilinear_reading_is_exact_on_planes() -> None:
    x, y = displacements(7)
    plane = torch.from_numpy(2 * x - 3 * y + 1)[None, None]
    points = torch.from_numpy(np.random.default_rng(0).uniform(-3, 3, (1, 50, 2)))
    found = bilinear(plane, points)[0, 0]
    torch.testing.assert_close(found, 2 * points[0, :, 0] - 3 * points[0, :, 1] + 1)


def test_lines_of_a_cocircular_field_are_arcs() -> None:
    phasor, total = field(2, side=61)
    polar = (-30, -15, 0, 15, 30)
    points, ways = starts(*polar, radius=8)
    lines = streamlines(phasor, total, points, ways, torch.zeros(1))
    curvature, arc, ray = fit_lines(lines)
    expected = [2 * math.sin(math.radians(p)) / 8 for p in polar]
    np.testing.assert_allclose(curvature[0], expected, atol=5e-3)
    assert arc.max() < 0.1
    assert ray[0, [0, 4]].min() > 1
    assert ray[0, 2] < 0.01


def test_lines_of_a_radial_field_are_rays() -> None:
    phasor, total = field(1)
    points, ways = starts(-40, 10, 25)
    lines = streamlines(phasor, total, points, ways, torch.zeros(1))
    _, arc, ray = fit_lines(lines)
    assert ray.max() < 0.05
    assert arc[0, 0] > 0.5
    end = lines[0, 2][~lines[0, 2].isnan().any(dim=1)][-1]
    assert math.degrees(math.atan2(end[1], end[0])) == pytest.approx(25, abs=1)
    assert float(torch.linalg.vector_norm(end)) > 14


def test_best_arcs_and_rays_are_best() -> None:
    """Against a plain search over curvatures and angles, for lines of different lengths."""
    rng = np.random.default_rng(0)
    paths = np.full((3, 12, 2), np.nan)
    for i, n in enumerate((12, 5, 3)):
        t = np.linspace(2, 8, n)
        paths[i, :n] = np.stack([t, 0.05 * (i - 1) * t**2], axis=1) + rng.normal(size=(n, 2)) / 5
    curvature, arc, ray = (v.numpy() for v in fit_lines(torch.from_numpy(paths)))
    for i, n in enumerate((12, 5)):
        x, y = paths[i, :n].T
        errors = {}
        for k in np.linspace(-1.5, 1.5, 60_001):
            if abs(k) > 1e-9:
                d = np.abs(np.hypot(x, y - 1 / k) - 1 / abs(k))
                errors[k] = np.sqrt((d**2).mean())
        assert arc[i] == pytest.approx(min(errors.values()), abs=1e-5)
        assert curvature[i] == pytest.approx(min(errors, key=errors.__getitem__), abs=1e-3)
        angles = np.linspace(0, np.pi, 20_001)
        off = -np.sin(angles)[:, None] * x + np.cos(angles)[:, None] * y
        assert ray[i] == pytest.approx(np.sqrt((off**2).mean(axis=1)).min(), abs=1e-6)
    assert np.isnan([curvature[2], arc[2], ray[2]]).all()


def test_lines_end_where_there_is_nothing() -> None:
    phasor, total = field(0)
    x, _ = displacements(31)
    points, ways = starts(0)
    faint = torch.where(torch.from_numpy(x) > 6, 0.001, 1.0)[None]
    line = streamlines(phasor * faint[:, None], faint, points, ways, torch.tensor([0.01]))[0, 0]
    assert float(line[~line.isnan()].max()) == pytest.approx(7, abs=0.6)
    incoherent = torch.where(torch.from_numpy(x) > 6, 0.05, 1.0)[None, None]
    line = streamlines(phasor * incoherent, total, points, ways, torch.zeros(1))[0, 0]
    assert float(line[~line.isnan()].max()) == pytest.approx(7, abs=0.6)


# --- association field --------------------------------------------------------------------------


def planted(theta: np.ndarray, side: int = 9) -> np.ndarray:
    grid = Grid(2 * side + 3, 32, 0.5)
    density = direction_kernel(grid, sigma=0.3, decay=0.2, blur=0.7)
    return plant(without_polarity(symmetrise(density)), grid, theta, side)


def oblique(theta: np.ndarray, side: int = 9) -> np.ndarray:
    """Sources of the same orientation along a line 25 degrees to the left of the contour."""
    grid = Grid(2 * side + 3, 32, 0.5)
    x, y, t = np.broadcast_arrays(grid.x, grid.y, grid.theta[:16])
    turn = np.radians(25)
    off = -np.sin(turn) * x + np.cos(turn) * y
    return plant(np.exp(-(off**2) / 2 + (np.cos(2 * t) - 1) / 0.3), grid, theta, side)


def test_planted_contours_give_an_axial_field() -> None:
    theta = np.arange(12) * 15.0 + np.random.default_rng(0).uniform(0, 10, 12)
    found = association_field(planted(theta), theta).summary()
    flat = association_field(np.ones((12, 12, 9, 9)), theta).summary()
    assert found["axial_share"] > 0.4
    assert flat["axial_share"] == pytest.approx(0.25, abs=0.03)
    assert found["share_dropped"] == 0
    assert flat["share_dropped"] == 1
    assert np.isnan(flat["arc_rms"])


def test_the_field_is_not_mirrored() -> None:
    """What lies obliquely to the left of a contour is excited obliquely to the left."""
    theta = np.arange(12) * 15.0
    left = association_field(oblique(theta), theta).kappa.sum(axis=0)
    mirrored = oblique(theta)[..., ::-1, :].copy()
    right = association_field(mirrored, (180 - theta) % 180).kappa.sum(axis=0)
    x, y = displacements(len(left))
    assert left[(x * y > 0) & (abs(y) > 1)].sum() > 3 * left[(x * y < 0) & (abs(y) > 1)].sum()
    np.testing.assert_allclose(right, left[::-1], atol=1e-9)


def test_quarter_turns_of_everything_change_no_field() -> None:
    theta = np.random.default_rng(1).uniform(0, 180, 6)
    kernel = np.abs(random(6, 6, 5, 5)) + planted(theta, 5)
    before = association_field(kernel, theta, steps=2)
    after = association_field(np.rot90(kernel, axes=(-2, -1)).copy(), theta + 90, steps=2)
    np.testing.assert_allclose(after.kappa, before.kappa, atol=1e-12)
    np.testing.assert_allclose(after.axial_share, before.axial_share)


def test_field_of_one_start_is_the_definition() -> None:
    """Unit at 0 degrees needs no turning: weights over its activity, position by position."""
    theta = np.array([0.0, 40.0, 100.0, 150.0])
    kernel = np.abs(random(4, 4, 3, 3))
    found = association_field(kernel, theta, steps=2, starts=[0], n_alpha=6, smoothing=25.0)
    activity = by_convolution(kernel, 0, 2, unit_sum=True)
    inside = positions(5)
    for a in range(6):
        w = np.exp((np.cos(2 * np.radians(30 * a - theta)) - 1) / np.radians(50) ** 2)
        expected = (w[:, None, None] * activity).sum(axis=0) / w.sum()
        np.testing.assert_allclose(found.kappa[a][inside], expected[inside], atol=1e-12)


def test_float32_torch_stays_so() -> None:
    theta = torch.arange(6) * 30.0
    kernel = torch.from_numpy(planted(theta.numpy(), 5)).float()
    found = association_field(kernel, theta, steps=2)
    assert found.kappa.dtype == found.lines.dtype == found.axial_share.dtype == torch.float32
    with pytest.raises(UserError, match="side 1"):
        association_field(kernel[..., 2:3, 2:3], theta)
    with pytest.raises(UserError, match="no unit"):
        association_field(kernel, theta, starts=[])


# --- paths --------------------------------------------------------------------------------------


def test_straight_paths_are_strongest_along_contours() -> None:
    theta = np.arange(12) * 15.0
    found = association_field(planted(theta), theta)
    paths = path_strength(found.kappa, found.alpha)
    assert (np.diff(paths.aligned) < 0).all()
    assert (paths.aligned[:3] > 2 * paths.orthogonal[:3]).all()


def test_path_strength_is_read_on_arcs() -> None:
    """Kappa = cos 2(alpha - 2 phi): 1 along every arc, -1 across it."""
    x, y = displacements(41)
    alpha = np.arange(36) * 5.0
    phi = np.arctan2(y, x)
    kappa = np.cos(2 * (np.radians(alpha)[:, None, None] - 2 * phi))
    paths = path_strength(kappa, alpha, radii=[10, 15])
    np.testing.assert_allclose(paths.turns, [0, 15, 30, 45, 60])
    np.testing.assert_allclose(paths.aligned, 1, atol=0.03)
    np.testing.assert_allclose(paths.orthogonal, -1, atol=0.03)
    with pytest.raises(UserError, match="at most 20 px"):
        path_strength(kappa, alpha, radii=[21])
