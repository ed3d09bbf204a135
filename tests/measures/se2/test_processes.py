"""Simulation, solver and closed forms against each other, exact moments and plain loops."""

from __future__ import annotations

import math
import random as stdlib_random

import numpy as np
import pytest
import torch
from tests.measures.lateral import oracles

from isocortex.errors import UserError
from isocortex.measures.lateral import displacements
from isocortex.measures.se2 import (
    Grid,
    cell_means,
    diffusion_closed_form,
    diffusion_endpoints,
    diffusion_family,
    diffusion_kernel,
    diffusion_moments,
    diffusion_monte_carlo,
    direction_closed_form,
    direction_endpoints,
    direction_family,
    direction_kernel,
    direction_moments,
    direction_monte_carlo,
    plant,
    reverse,
    sample,
    symmetrise,
    without_polarity,
)
from isocortex.measures.se2.monte_carlo import KernelEstimate
from isocortex.measures.se2.solver import _cyclic_tridiagonal

GRID = Grid(21, 32)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def within(values: np.ndarray, expected: float, errors: float = 3.0) -> bool:
    return bool(abs(values.mean() - expected) < errors * values.std() / math.sqrt(len(values)))


# --- moments (unit check 6) ---------------------------------------------------------------------


def test_moments_of_the_direction_process() -> None:
    exact = direction_moments(4, sigma=0.35)
    assert exact["cos"] == pytest.approx(0.7827, abs=5e-5)
    assert exact["x"] == pytest.approx(3.5477, abs=5e-5)
    x, y, theta = direction_endpoints(4, sigma=0.35, n_paths=50_000).T
    assert within(np.cos(theta), exact["cos"])
    assert within(x, exact["x"])
    assert within(y, 0)


def test_small_turns_have_the_variance_of_an_integrated_walk() -> None:
    exact = direction_moments(4, sigma=0.02)["var_y_small"]
    _, y, _ = direction_endpoints(4, sigma=0.02, n_paths=50_000, seed=1).T
    assert exact == pytest.approx(0.02**2 * 64 / 3)
    assert within(y**2, exact)


@pytest.mark.parametrize("s2", [0.2, 0.35])
def test_moments_of_diffusion(s2: float) -> None:
    exact = diffusion_moments(4, s1=2, s2=s2)
    assert exact["r2"] == 16
    if s2 == 0.35:
        assert exact["x2"] == pytest.approx(13.0995, abs=5e-5)
    x, y, _ = diffusion_endpoints(4, s1=2, s2=s2, n_paths=50_000).T
    assert within(x**2 + y**2, exact["r2"])
    assert within(x**2, exact["x2"])


def test_paths_are_those_of_a_plain_loop() -> None:
    """Mean and spread of 4,000 paths walked one by one."""
    rng = stdlib_random.Random(0)
    ends = []
    for _ in range(4000):
        x = y = theta = 0.0
        for _ in range(40):
            turn = rng.gauss(0, 0.3 * math.sqrt(0.05))
            x += math.cos(theta + turn / 2) * 0.05
            y += math.sin(theta + turn / 2) * 0.05
            theta += turn
        ends.append((x, y, theta))
    slow, fast = np.array(ends), direction_endpoints(2, sigma=0.3, n_paths=20_000, seed=5)
    for moment in (slow**2, fast**2), (slow, fast), (slow**3, fast**3):
        a, b = moment
        error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 3.5 * error).all()


def test_half_variances_are_the_same_process() -> None:
    by_sigma = direction_endpoints(2, sigma=0.4, n_paths=50)
    np.testing.assert_allclose(direction_endpoints(2, d22=0.08, n_paths=50), by_sigma)
    by_s = diffusion_endpoints(2, s1=2, s2=0.4, n_paths=50)
    np.testing.assert_allclose(diffusion_endpoints(2, d11=2, d22=0.08, n_paths=50), by_s)
    small = Grid(5, 8)
    np.testing.assert_allclose(
        direction_kernel(small, sigma=0.4, decay=0.5), direction_kernel(small, d22=0.08, decay=0.5)
    )


def test_regressions_of_angles() -> None:
    """Unit check 7: at small sigma^2 t, theta on phi 1.5, phi on theta 0.5."""
    x, y, theta = direction_endpoints(8, sigma=0.05, n_paths=50_000).T
    phi = np.arctan2(y, x)
    assert (phi * theta).mean() / (phi**2).mean() == pytest.approx(1.5, abs=0.05)
    assert (phi * theta).mean() / (theta**2).mean() == pytest.approx(0.5, abs=0.03)


# --- the deterministic solver -------------------------------------------------------------------


def test_cyclic_systems_are_solved() -> None:
    rng = np.random.default_rng(0)
    diagonal = rng.uniform(0.05, 1, (9, 4)) + 1j * rng.normal(size=(9, 4))
    found = _cyclic_tridiagonal(diagonal, 1.7)
    for k in range(4):
        ring = np.diag(diagonal[:, k] + 3.4)
        for j in range(9):
            ring[j, (j + 1) % 9] -= 1.7
            ring[j, (j - 1) % 9] -= 1.7
        np.testing.assert_allclose(found[:, k], np.linalg.solve(ring, np.eye(9)[0]), atol=1e-12)


def agrees(kernel: np.ndarray, estimate: KernelEstimate) -> bool:
    """Whether differences are those of chance, in the cells that chance has found often."""
    often = estimate.density > 0.01 * estimate.density.max()
    z = ((estimate.density - kernel) / np.where(often, estimate.standard_error, 1))[often]
    return bool(often.sum() > 200 and abs(z.mean()) < 0.25 and (z**2).mean() < 1.35)


def test_greens_function_of_the_direction_process() -> None:
    kernel = direction_kernel(GRID, sigma=0.35, decay=0.1)
    estimate = direction_monte_carlo(GRID, sigma=0.35, decay=0.1, n_paths=6000, blur=0.5)
    assert estimate.n_paths == 6000
    assert agrees(kernel, estimate)
    assert correlation(kernel, estimate.density) > 0.999
    assert kernel.min() > -1e-4 * kernel.max()


def test_contours_end_after_their_lifetime() -> None:
    """Over a window that holds all of it, G integrates to 1 / decay."""
    wide = Grid(41, 16)
    kernel = direction_kernel(wide, sigma=0.5, decay=0.5)
    assert kernel.sum() * wide.volume == pytest.approx(2, rel=2e-3)
    cosine = (kernel * np.cos(wide.theta)).sum() * wide.volume
    averaged = np.sinc(wide.d_theta / 2 / np.pi)  # the cosine within a cell
    assert cosine / averaged == pytest.approx(1 / (0.5 + 0.125), rel=5e-3)


def test_direction_process_at_a_time() -> None:
    kernel = direction_kernel(GRID, sigma=0.35, t=4)
    exact = direction_moments(4, sigma=0.35)
    assert kernel.sum() * GRID.volume == pytest.approx(1, abs=1e-9)
    assert (kernel * GRID.x).sum() * GRID.volume == pytest.approx(exact["x"], rel=1e-3)
    estimate = direction_monte_carlo(GRID, sigma=0.35, t=4, n_paths=100_000, blur=0.5)
    assert agrees(kernel, estimate)


def test_diffusion_at_a_time() -> None:
    wide = Grid(33, 32)
    kernel = diffusion_kernel(wide, 4, s1=2, s2=0.35)
    exact = diffusion_moments(4, s1=2, s2=0.35)
    assert kernel.sum() * wide.volume == pytest.approx(1, abs=1e-3)
    grown = 0.5**2 + 1 / 12  # variance of the blur and of a cell
    x2, y2 = ((kernel * v**2).sum() * wide.volume - grown for v in (wide.x, wide.y))
    assert x2 == pytest.approx(exact["x2"], rel=0.01)
    assert x2 + y2 == pytest.approx(exact["r2"], rel=0.01)
    estimate = diffusion_monte_carlo(wide, 4, s1=2, s2=0.35, n_paths=200_000, blur=0.5)
    assert agrees(kernel, estimate)


def test_the_solver_has_converged() -> None:
    kernel = diffusion_kernel(GRID, 4, s1=2, s2=0.35)
    finer = diffusion_kernel(GRID, 4, s1=2, s2=0.35, steps=128, oversample=3)
    assert np.abs(kernel - finer).max() < 1e-3 * kernel.max()
    small = Grid(11, 32)
    kernel = direction_kernel(small, sigma=0.35, decay=0.2)
    finer = direction_kernel(small, sigma=0.35, decay=0.2, oversample=4)
    assert np.abs(kernel - finer).max() < 1e-3 * kernel.max()
    at_other_cells = direction_kernel(Grid(11, 96), sigma=0.35, decay=0.2)
    merged = np.roll(at_other_cells, 1, axis=0).reshape(32, 3, 11, 11).mean(axis=1)
    assert np.abs(kernel - merged).max() < 5e-3 * kernel.max()


# --- symmetries (unit check 7) ------------------------------------------------------------------


def test_kernels_have_their_symmetries() -> None:
    """G(x, y, t) = G(x, -y, -t) = G(R_-t (x, y), -t)."""
    fine = Grid(41, 64, spacing=0.5)
    mirrored = (-np.arange(64)) % 64
    for kernel in (
        direction_kernel(fine, sigma=0.5, decay=0.2),
        diffusion_kernel(fine, 4, s1=2, s2=0.35),
    ):
        np.testing.assert_allclose(kernel, kernel[mirrored, ::-1], atol=1e-9 * kernel.max())
        x, y, theta = np.broadcast_arrays(fine.x, fine.y, fine.theta)
        inside = np.hypot(x, y) <= fine.half_width
        turned = sample(
            kernel,
            fine,
            np.cos(theta) * x + np.sin(theta) * y,
            -np.sin(theta) * x + np.cos(theta) * y,
            -theta,
        )
        assert np.abs(turned - kernel)[inside].max() < 0.02 * kernel.max()
        assert correlation(turned[inside], kernel[inside]) > 0.9995


def test_simulated_kernels_are_mirror_symmetric_within_noise() -> None:
    estimate = direction_monte_carlo(GRID, sigma=0.35, t=6, n_paths=50_000)
    k, e = estimate.density, estimate.standard_error
    mirrored = (-np.arange(32)) % 32
    often = k > 0.02 * k.max()
    often[17:] = False
    z = (k - k[mirrored, ::-1])[often] / np.hypot(e, e[mirrored, ::-1])[often]
    assert len(z) > 100
    assert (z**2).sum() < len(z) + 3 * math.sqrt(2 * len(z))


def test_reversal_and_polarity() -> None:
    kernel = direction_kernel(GRID, sigma=0.35, decay=0.1)
    np.testing.assert_array_equal(reverse(reverse(kernel)), kernel)
    even = symmetrise(kernel)
    np.testing.assert_array_equal(reverse(even), even)
    np.testing.assert_allclose(even.sum(), kernel.sum())
    plain = without_polarity(even)
    assert plain.shape == (16, 21, 21)
    np.testing.assert_allclose(plain[3], even[3] + even[19])
    with pytest.raises(UserError, match="even number"):
        without_polarity(kernel[:7])


# --- closed forms (unit check 7) ----------------------------------------------------------------


def test_linearised_direction_process_integrates_to_its_decay() -> None:
    step = 0.02
    y, theta = np.meshgrid(np.arange(-6, 6, step), np.arange(-3, 3, step))
    thin = Grid(3, 4, spacing=2.0)
    for decay in (0.0, 0.1):

        def density(x: float, decay: float = decay) -> np.ndarray:
            quadratic = y**2 - x * y * theta + x**2 * theta**2 / 3
            factor = math.sqrt(3) / (math.pi * 0.35**2 * x**2) * math.exp(-decay * x)
            return factor * np.exp(-6 / (0.35**2 * x**3) * quadratic)

        for x in (1.0, 2.0, 4.0):
            assert density(x).sum() * step**2 == pytest.approx(math.exp(-decay * x), abs=1e-3)
        ours = direction_closed_form(thin, sigma=0.35, decay=decay, sub_cells=1)
        middle = density(2.0)[np.argmin(np.abs(theta[:, 0])), np.argmin(np.abs(y[0]))]
        assert ours[0, 1, 2] == pytest.approx(middle)
    assert not ours[..., :2].any()


def test_linearised_direction_process_is_near_simulation() -> None:
    """Unit check 7: r >= .98 at sigma .35, x of 1 to 8 px."""
    estimate = direction_monte_carlo(GRID, sigma=0.35, decay=0.1, n_paths=4000)
    closed = direction_closed_form(GRID, sigma=0.35, decay=0.1)
    ahead = np.broadcast_to((GRID.x >= 1) & (GRID.x <= 8), GRID.shape)
    assert correlation(estimate.density[ahead], closed[ahead]) >= 0.98


@pytest.mark.parametrize("s2", [0.2, 0.35])
def test_the_correction_of_the_gaussian_estimate(s2: float) -> None:
    """Unit check 7: r >= .95 at kappa 44, < .7 at kappa 1, which is refused as a reference."""
    estimate = diffusion_monte_carlo(GRID, 4, s1=2, s2=s2, n_paths=200_000).density
    best = diffusion_closed_form(GRID, 4, s1=2, s2=s2)
    assert best.sum() * GRID.volume == pytest.approx(1)
    assert correlation(best, estimate) >= 0.95
    bare = diffusion_closed_form(GRID, 4, s1=2, s2=s2, correction=1, reference=False)
    assert correlation(bare, estimate) < 0.7
    with pytest.raises(UserError, match="kappa = 44"):
        diffusion_closed_form(GRID, 4, s1=2, s2=s2, correction=1)


def test_cell_means_are_integrals() -> None:
    grid = Grid(3, 4)
    means = cell_means(lambda x, y, t: x**2 + 0 * y + 0 * t, grid, sub_cells=20)
    expected = grid.x**2 + 1 / 12
    np.testing.assert_allclose(means, np.broadcast_to(expected, grid.shape), atol=1e-3)


# --- reading and planting -----------------------------------------------------------------------


def test_reading_between_cells_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    grid = Grid(7, 8, spacing=0.5)
    density = rng.normal(size=grid.shape)
    x, y = rng.uniform(-1.5, 1.5, (2, 40))
    theta = rng.uniform(-7, 7, 40)
    found = sample(density, grid, x, y, theta)
    for i in range(40):
        cell = (theta[i] % (2 * math.pi)) / grid.d_theta
        low, share = int(cell), cell - int(cell)
        values = [
            oracles.keys_value(density[(low + s) % 8], 3 - y[i] / 0.5, 3 + x[i] / 0.5)
            for s in (0, 1)
        ]
        assert found[i] == pytest.approx((1 - share) * values[0] + share * values[1])
    far = sample(density, grid, np.array([1.6, 0.0]), np.array([0.0, -1.51]), np.zeros(2))
    np.testing.assert_array_equal(far, 0)
    centres = sample(torch.from_numpy(density), grid, grid.x, grid.y, grid.theta)
    np.testing.assert_allclose(centres, density, atol=1e-12)


def test_planted_kernels_turn_with_their_targets() -> None:
    """All orientations and displacements turned by 90 degrees: the same kernel, turned."""
    grid = Grid(11, 32)
    density = without_polarity(symmetrise(direction_kernel(grid, sigma=0.4, decay=0.2)))
    theta = np.array([10.0, 47.0, 130.0])
    kernel = plant(density, grid, theta, 7)
    np.testing.assert_allclose(
        plant(density, grid, theta + 90, 7), np.rot90(kernel, axes=(-2, -1)), atol=1e-12
    )
    x, y = displacements(7)
    for f in range(3):
        t = math.radians(theta[f])
        ahead, left = math.cos(t) * x + math.sin(t) * y, -math.sin(t) * x + math.cos(t) * y
        for g in range(3):
            relative = np.radians(theta[g] - theta[f])
            np.testing.assert_allclose(
                kernel[f, g], sample(density, grid, ahead, left, relative), atol=1e-12
            )
    level = plant(density, grid, np.array([0.0, 90.0]), 7)
    np.testing.assert_allclose(level[0, 1], density[8, 2:-2, 2:-2], atol=1e-12)
    assert level[0, 0, 3, 5] > 10 * level[0, 0, 1, 3]  # the contour of unit 0 lies along x
    with pytest.raises(UserError, match="side 13"):
        plant(density, grid, theta, 13)


def test_families_are_planted_kernels() -> None:
    theta = np.array([10.0, 47.0, 130.0])
    family = direction_family(5, [0.4], decay=0.5)
    assert family.parameters == (0.4,)
    density = direction_kernel(family.grid, sigma=0.4, decay=0.5, blur=0.25)
    expected = plant(without_polarity(symmetrise(density)), family.grid, theta, 5)
    (planted,) = family.planted(theta, 5)
    np.testing.assert_allclose(planted, expected)
    (as_torch,) = family.planted(torch.from_numpy(theta), 5)
    assert isinstance(as_torch, torch.Tensor)
    with_polarity = diffusion_family(5, [0.3, 0.6], polarity=True)
    np.testing.assert_allclose(with_polarity.parameters, [0.0625, 0.25])
    assert len(with_polarity.kernels[0]) == with_polarity.grid.n_theta
    with pytest.raises(UserError, match="odd side"):
        direction_family(4)
    with pytest.raises(UserError, match="at least one"):
        direction_family(5, [])


# --- refusals -----------------------------------------------------------------------------------


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(UserError, match="sigma\\^2 / 2"):
        direction_endpoints(4, sigma=0.3, d22=0.1)
    with pytest.raises(UserError, match="sigma\\^2 / 2"):
        direction_kernel(GRID, decay=0.1)
    with pytest.raises(UserError, match="either decay"):
        direction_kernel(GRID, sigma=0.3)
    with pytest.raises(UserError, match="either decay"):
        direction_monte_carlo(GRID, sigma=0.3, t=1, decay=1)
    with pytest.raises(UserError, match="s1 must be above 0"):
        diffusion_kernel(GRID, 4, s1=-1, s2=0.3)
    with pytest.raises(UserError, match="t must be above 0"):
        diffusion_kernel(GRID, 0, s1=1, s2=0.3)
    with pytest.raises(UserError, match="10,000"):
        direction_endpoints(4, sigma=0.3, n_paths=1)
    with pytest.raises(UserError, match="odd side"):
        Grid(20)
    with pytest.raises(UserError, match="even n_theta"):
        Grid(21, 31)
    with pytest.raises(UserError, match="decay must be 0"):
        direction_closed_form(GRID, sigma=0.3, decay=-1)
    with pytest.raises(UserError, match="does not fit"):
        sample(np.zeros((3, 21, 21)), GRID, np.zeros(1), np.zeros(1), np.zeros(1))
