from __future__ import annotations

import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models.convnet import ConvBlock
from isocortex.models.lateral import LateralConfig, induced_kernel
from isocortex.models.lgn import LGNConfig, LGNLayer
from isocortex.models.lgncnn import LGNCNN, LGNCNNConfig

SMALL = LGNCNNConfig(filters=6, filter_size=7, lateral=LateralConfig(side=5))
ARMS = {
    "all": SMALL,
    "no lgn": SMALL.model_copy(update={"lgn": None}),
    "no lateral": SMALL.model_copy(update={"lateral": None}),
    "kercnn": SMALL.model_copy(update={"lateral": LateralConfig(kind="kercnn", side=5)}),
    "recurrent": SMALL.model_copy(update={"lateral": LateralConfig(kind="recurrent", side=5)}),
    "first": SMALL.model_copy(update={"normalise_first": True}),
    "same": SMALL.model_copy(update={"filter_padding": "same"}),
}


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_answers_and_learns_in_all_its_parameters(arm: str) -> None:
    network = LGNCNN(ARMS[arm], seed=1)
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    network(images).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        if arm == "first" and name == "lgn.norm.bias":
            continue  # a shift before a filter without padding is what its normalisation removes
        assert bool(parameter.grad.abs().sum() > 0), name
    size = 32 if arm == "same" else 26
    assert network.v1(network.lgn(images)).shape == (4, 6, size, size)


def test_parts_are_off_where_the_configuration_says_so() -> None:
    assert LGNCNN(ARMS["no lgn"]).lgn_filter is None
    assert LGNCNN(ARMS["no lateral"]).kernel is None
    everything = LGNCNN(SMALL)
    assert everything.lgn_filter is not None
    assert everything.lgn_filter.shape == (7, 7)
    assert everything.filters.shape == (6, 7, 7)
    assert everything.kernel is not None
    assert everything.kernel.shape == (6, 6, 5, 5)
    kercnn = LGNCNN(ARMS["kercnn"])
    torch.testing.assert_close(kercnn.kernel, induced_kernel(kercnn.filters[:, None], 5))


def test_networks_of_one_seed_share_the_weights_of_shared_layers() -> None:
    everything, bare = LGNCNN(SMALL, seed=3), LGNCNN(ARMS["no lgn"], seed=3)
    torch.testing.assert_close(everything.filters, bare.filters, rtol=0, atol=0)
    torch.testing.assert_close(everything.kernel, bare.kernel, rtol=0, atol=0)
    torch.testing.assert_close(everything.rest.head.fc1.weight, bare.rest.head.fc1.weight)
    assert not torch.equal(everything.filters, LGNCNN(SMALL, seed=4).filters)
    before = torch.get_rng_state()
    LGNCNN(SMALL)
    assert torch.equal(before, torch.get_rng_state())


def test_maps_are_propagated_before_they_are_pooled() -> None:
    network = LGNCNN(SMALL, seed=0).eval()
    seen: list[str] = []
    for name in ("lgn", "v1.conv", "v1.act", "v1.norm", "v1.lateral", "pool", "rest"):
        network.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    network(torch.rand(1, 1, 32, 32))
    assert seen == ["lgn", "v1.conv", "v1.act", "v1.norm", "v1.lateral", "pool", "rest"]


def test_the_image_is_standardised_before_the_first_filter() -> None:
    network = LGNCNN(SMALL.model_copy(update={"mean": 0.4, "sd": 0.2}))
    torch.testing.assert_close(network.standardised(torch.full((1,), 0.6)), torch.ones(1))


@pytest.mark.parametrize("sd", [0.02, None])
def test_the_initial_filter_has_the_width_asked_for(sd: float | None) -> None:
    drawn = torch.stack(
        [
            LGNCNN(SMALL.model_copy(update={"lgn": LGNConfig(initial_sd=sd)}), seed=k).lgn_filter
            for k in range(40)
        ]
    )
    assert float(drawn.std()) == pytest.approx(sd or 1 / 7 / 3**0.5, rel=0.06)


def test_reflected_borders_leave_a_uniform_image_uniform() -> None:
    layer = LGNLayer(LGNConfig(rectified=False, normalised=False))
    out = layer(torch.ones(1, 1, 9, 9))
    torch.testing.assert_close(out, layer.filter.sum().expand_as(out))


@pytest.mark.parametrize("training", [True, False])
def test_beyond_zero_borders_there_is_nothing(training: bool) -> None:
    layer = LGNLayer(LGNConfig(rectified=False, normalised=False, padding="zeros")).train(training)
    image = torch.rand(2, 1, 12, 9)
    padded = torch.nn.functional.pad(image, [3] * 4)
    wanted = torch.nn.functional.conv2d(padded, layer.conv.weight)
    torch.testing.assert_close(layer(image), wanted, atol=1e-5, rtol=1e-5)


def test_a_dead_filter_is_noticed() -> None:
    network = LGNCNN(SMALL, seed=0)
    images = torch.rand(8, 1, 32, 32)
    assert not network.is_dead(images)
    with torch.no_grad():
        network.lgn.conv.weight.copy_(-network.lgn.conv.weight.abs())
    assert network.is_dead(images)
    assert not LGNCNN(ARMS["no lgn"]).is_dead(images)
    linear = LGNLayer(LGNConfig(rectified=False))
    with torch.no_grad():
        linear.conv.weight.fill_(-1)
    assert not linear.is_dead(images)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="input_size"):
        LGNCNN(SMALL.model_copy(update={"input_size": 7}))
    with pytest.raises(UserError, match="input_size"):
        LGNCNN(SMALL.model_copy(update={"blocks": (ConvBlock(channels=(8,)),) * 4}))
    with pytest.raises(ValueError, match="odd"):
        LGNConfig(size=6)


def test_normalisation_is_where_the_paper_of_record_has_it() -> None:
    network = LGNCNN(SMALL)
    assert isinstance(network.lgn.norm, nn.BatchNorm2d)
    names = [name for name, _ in network.rest.features.named_children()]
    assert names[:4] == ["conv1_1", "norm1_1", "act1_1", "pool1"]
    assert isinstance(network.rest.head.fc1, nn.Linear)
