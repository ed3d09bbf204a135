from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isocortex.errors import UserError
from isocortex.models.lateral import (
    LateralConfig,
    LateralLayer,
    filter_overlap,
    induced_kernel,
)

SIDE, CENTRE = 7, 3


def layer(n_filters: int = 3, **fields: object) -> LateralLayer:
    made = LateralLayer(n_filters, LateralConfig(**({"side": SIDE} | fields))).eval()
    with torch.no_grad():
        made.weight.zero_()
    return made


def impulse(channel: int, row: int, column: int, n_filters: int = 3) -> torch.Tensor:
    maps = torch.zeros(1, n_filters, 15, 15)
    maps[0, channel, row, column] = 1
    return maps


def test_influence_comes_from_where_the_displacement_points() -> None:
    """K[2, 0] at Delta = (2, 0): unit 2 hears unit 0 two pixels to its right."""
    net = layer()
    net.weight.data[2, 0, CENTRE, CENTRE + 2] = 1
    out = net(impulse(0, 7, 8)) - impulse(0, 7, 8) / 2
    assert out[0, 2, 7, 6] == 0.5
    assert torch.count_nonzero(out) == 1


def test_upwards_is_a_smaller_row() -> None:
    """Delta_y = -(a - c): a source above the target lies in a row before the centre."""
    net = layer()
    net.weight.data[2, 0, CENTRE - 3, CENTRE] = 1
    out = net(impulse(0, 4, 7)) - impulse(0, 4, 7) / 2
    assert out[0, 2, 7, 7] == 0.5  # the unit three rows below hears it
    assert torch.count_nonzero(out) == 1


def test_two_iterations_spread_by_binomial_weights() -> None:
    net = layer(iterations=2)
    net.weight.data[0, 0, CENTRE, CENTRE + 2] = 1
    row = net(impulse(0, 7, 10))[0, 0, 7].detach()
    np.testing.assert_array_equal(row[[10, 8, 6]], [0.25, 0.5, 0.25])
    assert torch.count_nonzero(row) == 3


@pytest.mark.parametrize("n", [0, 1, 3])
def test_no_kernel_halves_and_the_identity_keeps(n: int) -> None:
    net = layer(iterations=n)
    maps = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(net(maps), maps / 2**n)
    for f in range(3):
        net.weight.data[f, f, CENTRE, CENTRE] = 1
    torch.testing.assert_close(net(maps), maps)


def test_the_anchor_is_what_came_in() -> None:
    maps = torch.randn(1, 3, 9, 9)
    net = layer(iterations=2, anchor="input")
    for f in range(3):
        net.weight.data[f, f, CENTRE, CENTRE] = 0.5
    torch.testing.assert_close(net(maps), (0.5 * (0.75 * maps) + maps) / 2)


def test_a_recurrent_layer_adds_to_the_drive_and_rectifies() -> None:
    drive = torch.randn(1, 3, 9, 9)
    net = layer(kind="recurrent", iterations=2)
    for f in range(3):
        net.weight.data[f, f, CENTRE, CENTRE] = 1
    first = torch.relu(drive + torch.relu(drive))
    torch.testing.assert_close(net(torch.relu(drive), drive), torch.relu(drive + first))
    with pytest.raises(UserError, match="drive"):
        net(drive)


def test_rectified_maps_have_nothing_below_zero() -> None:
    maps = torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(layer(rectified=True)(maps), torch.relu(maps / 2))


def test_a_kercnn_layer_has_no_weights_and_uses_its_filters() -> None:
    filters = torch.randn(3, 1, 5, 5)
    net = LateralLayer(3, LateralConfig(kind="kercnn", side=SIDE)).eval()
    assert not list(net.parameters())
    maps = torch.randn(2, 3, 12, 12)
    kernel = induced_kernel(filters, SIDE)
    expected = (maps + torch.nn.functional.conv2d(maps, kernel, padding=CENTRE)) / 2
    torch.testing.assert_close(net(maps, filters=filters), expected)
    with pytest.raises(UserError, match="filters"):
        net(maps)


def test_dropout_silences_whole_channels_of_what_is_sent() -> None:
    net = LateralLayer(40, LateralConfig(side=3, dropout=0.5)).train()
    maps = torch.randn(1, 40, 8, 8)
    sent = 2 * net(maps) - maps
    silent = (sent.abs().amax(dim=(0, 2, 3)) < 1e-6).sum()
    assert 5 < int(silent) < 35


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 1000))
def test_overlap_against_a_slow_oracle(channels: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    filters = rng.normal(size=(n, channels, 3, 3))
    unit = filters / np.linalg.norm(filters.reshape(n, -1), axis=1)[:, None, None, None]
    got = filter_overlap(torch.from_numpy(filters)).numpy()
    assert got.shape == (n, n, 5, 5)
    big = np.zeros((n, channels, 7, 7))
    big[..., 2:5, 2:5] = unit
    for f in range(n):
        for g in range(n):
            for a in range(5):
                for b in range(5):  # psi_g moved by (a - 2) rows and (b - 2) columns
                    moved = np.zeros((channels, 7, 7))
                    moved[:, a : a + 3, b : b + 3] = unit[g]
                    np.testing.assert_allclose(got[f, g, a, b], (big[f] * moved).sum(), atol=1e-12)
    np.testing.assert_allclose(got, got.transpose(1, 0, 2, 3)[..., ::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(got[np.arange(n), np.arange(n), 2, 2], 1)


def test_delta_filters_overlap_in_a_delta() -> None:
    filters = torch.zeros(2, 1, 3, 3)
    filters[0, 0, 1, 1], filters[1, 0, 1, 2] = 1, 2
    overlap = filter_overlap(filters)
    assert torch.count_nonzero(overlap) == 4
    # The second lies a column to the right of the first: it must move left to lie on it.
    assert overlap[0, 1, 2, 1] == 1


@pytest.mark.parametrize("side", [None, 3, 7, 13])
def test_an_induced_kernel_has_unit_sums(side: int | None) -> None:
    filters = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    kernel = induced_kernel(filters, side)
    assert kernel.shape == (4, 4, side or 9, side or 9)
    assert bool((kernel >= 0).all())
    torch.testing.assert_close(kernel.sum(dim=(1, 2, 3)), torch.ones(4, dtype=torch.float64))


def test_an_empty_filter_induces_nothing() -> None:
    filters = torch.randn(2, 1, 5, 5)
    filters[1] = 0
    kernel = induced_kernel(filters)
    assert bool(torch.isfinite(kernel).all())
    assert kernel[1].abs().sum() == 0


def test_a_pair_in_quadrature_overlaps_isotropically() -> None:
    """With a round envelope of sd s the two phases' energy falls as exp(-r^2 / 4 s^2)."""
    s, half = 2.0, 10
    y, x = torch.meshgrid(*[torch.arange(-half, half + 1.0).double()] * 2, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * s**2))
    wave = 2 * math.pi * 0.25 * x
    pair = torch.stack([envelope * torch.cos(wave), envelope * torch.sin(wave)])[:, None]
    norms = pair.flatten(1).norm(dim=1)
    o = filter_overlap(pair) * norms[:, None, None, None] * norms[None, :, None, None]
    energy = ((o[0, 0] + o[1, 1]) ** 2 + (o[1, 0] - o[0, 1]) ** 2).sqrt()
    y, x = torch.meshgrid(*[torch.arange(-20, 21.0).double()] * 2, indexing="ij")
    expected = torch.exp(-(x**2 + y**2) / (4 * s**2))
    near = x**2 + y**2 <= 8**2
    torch.testing.assert_close((energy / energy[20, 20])[near], expected[near], atol=2e-3, rtol=0)


@pytest.mark.parametrize("fields", [{"side": 4}, {"iterations": -1}, {"dropout": 1.0}])
def test_what_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LateralConfig(**fields)
