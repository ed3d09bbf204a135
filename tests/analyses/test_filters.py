from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from isocortex.analyses.filters import (
    blurred_filters,
    choose,
    filter_tuning,
    first_layer,
    fit_filters,
    grating_answers,
    principal_colour,
)
from isocortex.errors import UserError
from isocortex.measures.tuning import bandwidth

Bank = Callable[..., np.ndarray]


def test_the_principal_colour_of_a_coloured_gabor_is_the_gabor(gabors: Bank) -> None:
    bank = torch.from_numpy(gabors())
    colours = torch.tensor([0.5, 1.0, -0.2], dtype=torch.float64)
    component, outside = principal_colour(bank[:, None] * colours[:, None, None])
    scale = colours.norm()
    torch.testing.assert_close(component, bank * scale)
    torch.testing.assert_close(outside, torch.zeros_like(outside), atol=1e-12, rtol=0)


def test_energy_outside_the_principal_colour_is_that_of_what_is_left() -> None:
    filters = torch.randn(5, 3, 7, 7, dtype=torch.float64)
    component, outside = principal_colour(filters)
    left = filters.square().sum(dim=(1, 2, 3)) - component.square().sum(dim=(1, 2))
    torch.testing.assert_close(outside, left / filters.square().sum(dim=(1, 2, 3)))
    filters[2] = 0
    assert float(principal_colour(filters)[1][2]) == 0


def test_gabors_are_retained_with_their_orientation_and_noise_is_not(gabors: Bank) -> None:
    rng = np.random.default_rng(1)
    bank = np.concatenate([gabors(noise=0.2), rng.standard_normal((6, 11, 11))])
    outside = np.zeros(len(bank))
    outside[0] = 0.5  # a filter of several colours
    table = fit_filters(bank, outside=outside, surrogates=5)
    assert table["retained"].tolist() == [False] + [True] * 11 + [False] * 6
    error = (table["orientation"][:12] - np.arange(12) * 15 + 90) % 180 - 90
    assert error.abs().median() < 1.5
    assert (table["gain"][:12] > 0.05).all()
    assert (table["gain"] - (table["r"] - table["surrogate_r"])).abs().max() < 1e-12


def test_circular_variance_of_one_orientation_and_of_all() -> None:
    side = 15
    place = np.arange(side) - 7
    grating = np.cos(2 * np.pi * 0.2 * place)[None].repeat(side, axis=0)
    blob = np.exp(-(place[:, None] ** 2 + place**2) / 8.0)
    found = filter_tuning(np.stack([grating, blob]), np.array([0.2, 0.1]))[0]
    assert found[0] < 0.25
    assert found[1] == pytest.approx(1, abs=1e-6)
    assert np.isnan(filter_tuning(blob[None], np.array([np.nan])))[0, 0]
    turned = filter_tuning(np.stack([grating.T, -grating]), np.array([0.2, 0.2]))[0]
    np.testing.assert_allclose(turned, found[0], atol=1e-9)


def test_too_few_retained_units_are_replaced_by_the_best() -> None:
    table = pd.DataFrame(
        {"unit": range(10), "r": [0.9, 0.85, np.nan, *np.linspace(0.1, 0.7, 7)],
         "retained": [True, True, *[False] * 8]}
    )  # fmt: skip
    few = choose(table, fewest=4)
    assert not few.enough
    assert few.units.tolist() == [0, 1, 8, 9]
    enough = choose(table, fewest=2)
    assert enough.enough
    assert enough.units.tolist() == [0, 1]


def test_random_filters_pass_the_same_selection() -> None:
    filters, table = blurred_filters(6, 9, seed=3)
    assert filters.shape == (6, 9, 9)
    assert (table["r"] >= 0.8).all()
    again, _ = blurred_filters(6, 9, seed=3)
    np.testing.assert_array_equal(filters, again)


def test_the_first_layer_is_the_first_convolution_with_large_filters() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 7), nn.Conv2d(6, 2, 5))
    name, filters = first_layer(network)
    assert name == "1"
    assert filters.shape == (6, 4, 7, 7)
    assert first_layer(network, "2")[0] == "2"
    with pytest.raises(UserError, match="5 px or more"):
        first_layer(network, "0")
    with pytest.raises(UserError, match="known: 0, 1, 2"):
        first_layer(network, "3")
    with pytest.raises(UserError, match="no convolution"):
        first_layer(nn.Linear(2, 2))


def test_bandwidth_is_that_of_the_answers_to_gratings(gabors: Bank) -> None:
    bank = gabors()[:3]
    frequency = fit_filters(bank, surrogates=2)["frequency"].to_numpy()
    axis = np.arange(bank.shape[-1]) - (bank.shape[-1] - 1) / 2
    angles = np.deg2rad(np.arange(0, 180, 5.0))
    curves = np.array(
        [
            [
                abs(
                    (
                        f * np.exp(2j * np.pi * k * (np.cos(t) * axis - np.sin(t) * axis[:, None]))
                    ).sum()
                )
                for t in angles
            ]
            for f, k in zip(bank, frequency, strict=True)
        ]
    )
    np.testing.assert_allclose(grating_answers(bank, frequency), curves, rtol=1e-9)
    wanted = bandwidth(curves, np.arange(0, 180, 5.0))
    np.testing.assert_allclose(filter_tuning(bank, frequency)[1], wanted)
    assert ((wanted > 5) & (wanted < 45)).all()
    assert np.isnan(filter_tuning(bank[:1], np.array([np.nan]))[1])[0]
