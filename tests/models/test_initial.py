from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models.initial import SCHEMES, initialise, seeded


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 200, 5), nn.BatchNorm2d(200), nn.ReLU(), nn.Linear(400, 300))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_alone_decides_the_weights(scheme):
    a, b, c = (initialise(network(), scheme, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["0.weight"], c["0.weight"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_callers_random_numbers_go_on_undisturbed(scheme):
    made = network()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    initialise(made, scheme, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_random_numbers_come_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(1):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("scheme", "variance", "largest"),
    [
        ("he_uniform", 2, math.sqrt(6)),
        ("he_normal", 2, None),
        ("fan_in_normal", 1, None),
        ("pytorch", 1 / 3, 1),
    ],
)
def test_weights_have_the_variance_and_the_range_of_their_scheme(scheme, variance, largest):
    made = initialise(network(), scheme, seed=0)
    for layer, fan_in in ((made[0], 75), (made[3], 400)):
        weight = layer.weight.detach()
        assert weight.mean().abs() < 0.02 / math.sqrt(fan_in) * 3
        assert weight.var() * fan_in == pytest.approx(variance, rel=0.05)
        bound = weight.abs().max() * math.sqrt(fan_in)
        if largest is None:
            assert bound > 3.5 * math.sqrt(variance)
        else:
            assert bound == pytest.approx(largest, rel=0.01)
        assert (layer.bias == 0).all() == (scheme != "pytorch")


def test_normalisation_returns_to_its_default():
    made = network()
    with torch.no_grad():
        made[1].weight.fill_(7)
        made[1].running_mean.fill_(7)
    initialise(made, "he_normal")
    assert (made[1].weight == 1).all()
    assert (made[1].running_mean == 0).all()


def test_what_cannot_be_drawn_is_named():
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(2))

    with pytest.raises(UserError, match="Bare at 1"):
        initialise(nn.Sequential(nn.ReLU(), Bare()))
    with pytest.raises(UserError, match="did you mean he_uniform"):
        initialise(network(), "he_unifrom")
