from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from isocortex.errors import UserError
from isocortex.models import CONTROLS, Control, initialise, layer_sets, rnet

SHUFFLES = [name for name in CONTROLS if name != "random"]


def network() -> nn.Sequential:
    made = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3, groups=2), nn.Flatten()
    )
    return initialise(made, "pytorch", seed=1)


def weights(net: nn.Module, layer: str) -> np.ndarray:
    weight = net.get_submodule(layer).weight.detach()
    return weight.flatten(2).numpy()


def same_sets(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the last axis holds the same numbers in some order."""
    return np.array_equal(np.sort(a, axis=-1), np.sort(b, axis=-1))


@given(seed=st.integers(0, 1000))
def test_shuffles_keep_what_they_must_and_nothing_more(seed):
    net = network()
    for layer in ("0", "3"):
        old = weights(net, layer)
        new = {k: weights(Control(k, seed).apply(net), layer) for k in SHUFFLES}
        assert same_sets(old, new["s1"])
        filters = {k: w.reshape(len(w), -1) for k, w in new.items()}
        assert same_sets(old.reshape(len(old), -1), filters["s2"])
        np.testing.assert_allclose(
            np.linalg.norm(filters["s2"], axis=1),
            np.linalg.norm(old.reshape(len(old), -1), axis=1),
            rtol=1e-5,
        )
        assert not same_sets(old, new["s2"])
        assert same_sets(old.ravel(), new["s3"].ravel())
        assert not same_sets(old.reshape(len(old), -1), filters["s3"])
        for before, after in zip(old, new["s4"], strict=True):
            assert sorted(map(tuple, before)) == sorted(map(tuple, after))
        assert not same_sets(old.ravel(), new["s5"].ravel())


def test_gaussian_weights_have_the_layers_mean_and_sd():
    net = nn.Sequential(nn.Conv2d(20, 100, 5))
    with torch.no_grad():
        net[0].weight.uniform_(0.1, 0.5)
    new = weights(Control("s5").apply(net), "0")
    assert new.mean() == pytest.approx(0.3, abs=0.003)
    assert new.std() == pytest.approx(0.4 / np.sqrt(12), rel=0.02)
    assert new.min() < 0


def test_input_channels_are_dealt_anew_for_every_filter():
    net = nn.Sequential(nn.Conv2d(3, 200, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.arange(3.0).reshape(1, 3, 1, 1).expand(200, 3, 1, 1))
    orders = {tuple(w.ravel()) for w in weights(Control("s4").apply(net), "0")}
    assert len(orders) == 6


@pytest.mark.parametrize("kind", CONTROLS)
def test_controls_are_seeded_and_leave_the_network_and_its_biases_alone(kind):
    net = network()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    a, b, c = (Control(kind, s).apply(net).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["0.weight"], c["0.weight"])
    assert not torch.equal(a["0.weight"], before["0.weight"])
    if kind != "random":
        assert all(torch.equal(a[k], before[k]) for k in a if k not in ("0.weight", "3.weight"))


@pytest.mark.parametrize("kind", SHUFFLES)
def test_a_layer_is_shuffled_alike_alone_and_with_others(kind):
    net = network()
    alone = Control(kind, 3, layers=("3",)).apply(net)
    together = Control(kind, 3).apply(net)
    assert np.array_equal(weights(alone, "3"), weights(together, "3"))
    assert np.array_equal(weights(alone, "0"), weights(net, "0"))


def test_random_weights_say_their_scheme():
    control = Control("random", 4, scheme="fan_in_normal")
    assert control.describe() == {
        "kind": "random", "seed": 4, "layers": None, "scheme": "fan_in_normal",
    }  # fmt: skip
    expected = initialise(network(), "fan_in_normal", seed=4)
    made = control.apply(network())
    assert torch.equal(made[0].weight, expected[0].weight)
    assert "scheme" not in Control("s1").describe()


def test_layers_alone_and_cumulative():
    net = rnet(input_size=20)
    names = ("features.conv1_1", "features.conv2_1")
    assert layer_sets(net, "all") == {"all": names}
    assert layer_sets(net, "single") == {n: (n,) for n in names}
    assert layer_sets(net, "cumulative") == {names[0]: names[:1], names[1]: names}


def test_mistakes_get_one_line():
    with pytest.raises(UserError, match="unknown weight control 's6'"):
        Control("s6")
    with pytest.raises(UserError, match="unknown initialisation 'he'"):
        Control("random", scheme="he")
    with pytest.raises(UserError, match="leave layers out"):
        Control("random", layers=("0",))
    with pytest.raises(UserError, match="unknown convolution '1'"):
        Control("s1", layers=("1",)).apply(network())
    with pytest.raises(UserError, match="has no convolution"):
        Control("s1").apply(nn.Sequential(nn.Flatten()))
    with pytest.raises(UserError, match="unknown mode 'each'"):
        layer_sets(network(), "each")
