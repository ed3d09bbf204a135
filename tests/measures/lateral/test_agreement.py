"""Held-out agreement with models against a loop, and planted kernels that must be recognised."""

from __future__ import annotations

import numpy as np
import pytest
from tests.measures.lateral import oracles

from isocortex.errors import UserError
from isocortex.measures.lateral import (
    baseline_kernels,
    centre_rings,
    compare_models,
    displacements,
    filter_overlap,
    positions,
    smoothing_width,
)
from isocortex.measures.lateral.agreement import _halves
from isocortex.measures.se2 import (
    diffusion_family,
    direction_family,
)

SIDE = 9


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def jittered(n: int) -> np.ndarray:
    return (np.arange(n) + np.random.default_rng(0).uniform(size=n)) * 180 / n


def direction(sigma: float, theta: np.ndarray) -> np.ndarray:
    (kernel,) = direction_family(SIDE, [sigma], blur=0.5).planted(theta, SIDE)
    return kernel


def slow_centring(kappa: np.ndarray) -> np.ndarray:
    side = kappa.shape[-1]
    x, y = displacements(side)
    ring = np.rint(np.hypot(x, y))
    out = np.zeros_like(kappa)
    for r in range((side - 1) // 2 + 1):
        chosen = (ring == r) & positions(side)
        for a in range(len(kappa)):
            out[a][chosen] = kappa[a][chosen] - kappa[a][chosen].mean()
    return out


def test_rings_are_centred() -> None:
    kappa = random(3, 7, 7)
    found = centre_rings(kappa)
    np.testing.assert_allclose(found, slow_centring(kappa), atol=1e-12)
    np.testing.assert_allclose(centre_rings(found), found, atol=1e-12)
    assert not found[:, 3, 3].any()
    assert not found[:, 0, 0].any()
    outside = positions(7, beyond=2)
    expected = np.where(outside, kappa, 0)
    x, y = displacements(7)
    for r in (2, 3):
        on = outside & (np.rint(np.hypot(x, y)) == r)
        expected[:, on] -= kappa[:, on].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centre_rings(kappa, outside), expected, atol=1e-12)


def test_halves_are_halves() -> None:
    first, second = _halves(7, 5, 0)
    np.testing.assert_array_equal(first + second, 1)
    np.testing.assert_array_equal(first.sum(dim=1), 3)
    assert len({tuple(h) for h in first.tolist()}) > 1


def test_agreement_is_the_definition() -> None:
    theta = jittered(6)
    kernel, models = np.abs(random(6, 6, 5, 5)), [random(6, 6, 5, 5, seed=s) for s in (1, 2)]
    models[1] += kernel
    found = compare_models(kernel, theta, {"m": models}, n_splits=3, n_alpha=6, seed=4)
    sd, alpha = smoothing_width(6), np.arange(6) * 30.0
    halves = _halves(6, 3, 4).numpy().astype(bool)
    x, y = displacements(5)
    ring = np.rint(np.hypot(x, y))

    def average(k: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Group kernel of some targets with all sources, by the difference of two sums."""
        top, bottom = np.zeros((6, 5, 5)), np.zeros(6)
        for f in np.flatnonzero(targets):
            for g in range(6):
                if g != f:
                    w = np.exp(
                        (np.cos(2 * np.radians(alpha - theta[g] + theta[f])) - 1)
                        / np.radians(2 * sd) ** 2
                    )
                    t = np.radians(theta[f])
                    for i, j in zip(*np.nonzero(positions(5)), strict=True):
                        column = 2 + np.cos(t) * x[i, j] - np.sin(t) * y[i, j]
                        row = 2 - np.sin(t) * x[i, j] - np.cos(t) * y[i, j]
                        top[:, i, j] += w * oracles.keys_value(k[f, g], row, column)
                    bottom += w
        return slow_centring(top / bottom[:, None, None])

    for split in range(3):
        scores = []
        for fit, held in ((0, 1), (1, 0)):
            data = [average(kernel, halves[h, split]) for h in (fit, held)]
            best = None
            for number, model in enumerate(models):
                m = [average(model, halves[h, split]) for h in (fit, held)]
                scale = np.zeros((5, 5))
                for r in (1, 2):
                    on = (ring == r) & positions(5)
                    s = (data[0] * m[0])[:, on].sum() / (m[0] ** 2)[:, on].sum()
                    scale[on] = max(0, s)
                loss = ((data[0] - scale * m[0]) ** 2).sum()
                r2 = 1 - ((data[1] - scale * m[1]) ** 2).sum() / (data[1] ** 2).sum()
                if best is None or loss < best[0]:
                    best = loss, r2, number
            assert best is not None
            scores.append(best[1])
            if fit == 0:
                assert found.models["m"].parameter[split] == best[2]
        assert found.models["m"].r2[split] == pytest.approx(np.mean(scores))
        both = [average(kernel, halves[h, split]) for h in (0, 1)]
        itself = [1 - ((both[0] - both[1]) ** 2).sum() / (b**2).sum() for b in both]
        assert found.split_half[split] == pytest.approx(np.mean(itself))


def test_a_planted_direction_process_is_recognised() -> None:
    """Unit check 8: the direction process wins, its sigma within 15 %."""
    theta = jittered(16)
    noise = np.random.default_rng(3).gamma(2.0, 0.5, size=(16, 16, SIDE, SIDE))
    sigmas = [0.1, 0.15, 0.2, 0.24, 0.28, 0.33, 0.4, 0.5]
    gabors = filter_overlap(bank(theta))[..., 4:-4, 4:-4]
    models = {
        "direction": direction_family(SIDE, sigmas, blur=0.5).planted(theta, SIDE),
        "diffusion": diffusion_family(SIDE, blur=0.5).planted(theta, SIDE),
        "overlap": [gabors],
        **{name: [k] for name, k in baseline_kernels(theta, SIDE).items()},
    }
    found = compare_models(direction(0.3, theta) * noise, theta, models)
    means = {name: m.r2.mean() for name, m in found.models.items()}
    assert max(means, key=means.__getitem__) == "direction"
    assert (found.models["direction"].r2 - found.models["diffusion"].r2 > 0).all()
    assert means["direction"] > means["overlap"] + 0.1
    chosen = np.array(sigmas)[found.models["direction"].parameter]
    assert (np.abs(chosen / 0.3 - 1) < 0.15).all()
    for name in ("parallel", "isotropic"):
        np.testing.assert_allclose(found.models[name].r2, 0, atol=1e-9)
    assert np.isnan(found.models["isotropic"].pearson)
    assert found.models["diffusion"].pearson > 0.7  # raw r hardly tells kernels apart


def test_agreement_ignores_what_is_not_looked_at() -> None:
    theta = jittered(8)
    kernel, model = np.abs(random(8, 8, SIDE, SIDE)), random(8, 8, SIDE, SIDE, seed=1)
    outside = positions(SIDE, beyond=3)
    there = compare_models(kernel, theta, {"m": [kernel + model]}, positions=outside)
    near = positions(SIDE, r_max=0)  # nothing that cubic convolution reads from beyond 3
    changed = compare_models(kernel + 5 * near, theta, {"m": [kernel + model]}, positions=outside)
    np.testing.assert_allclose(changed.models["m"].r2, there.models["m"].r2)
    everywhere = compare_models(kernel, theta, {"m": [kernel + model]})
    assert (everywhere.models["m"].r2 != there.models["m"].r2).all()


def bank(theta: np.ndarray) -> np.ndarray:
    x, y = displacements(9)
    t = np.radians(theta)[:, None, None]
    across = -np.sin(t) * x + np.cos(t) * y
    return np.exp(-(x**2 + y**2) / (2 * 1.8**2)) * np.cos(2 * np.pi * 0.18 * across)


def test_noise_agrees_with_no_model() -> None:
    theta = jittered(10)
    kernel = np.random.default_rng(0).gamma(2.0, 0.5, size=(10, 10, SIDE, SIDE))
    found = compare_models(kernel, theta, {"direction": [direction(0.3, theta)]})
    assert found.models["direction"].r2.mean() < 0.05
    assert found.split_half.mean() < 0


def test_bad_comparisons_are_refused() -> None:
    theta, kernel = jittered(6), random(6, 6, 5, 5)
    with pytest.raises(UserError, match="4 units"):
        compare_models(kernel[:3, :3], theta[:3], {})
    with pytest.raises(UserError, match="shape"):
        compare_models(kernel, theta, {"m": [kernel[..., 1:-1, 1:-1]]})
    with pytest.raises(UserError, match="no displacement"):
        compare_models(kernel, theta, {"m": [kernel]}, positions=positions(5, beyond=2))
    with pytest.raises(UserError, match="no candidate"):
        compare_models(kernel, theta, {"m": []})
    flat = compare_models(np.ones_like(kernel), theta, {"m": [kernel]}, n_splits=2)
    assert np.isnan(flat.models["m"].r2).all()
