from __future__ import annotations

import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models import load_model, swap, trace_layers
from isocortex.models.activations import ACTIVATIONS
from isocortex.models.pooling import POOLINGS


def test_alexnet_with_tanh_and_average_pooling():
    model = load_model("torchvision:alexnet", seed=2)
    made = swap(model.network, activation="tanh", pooling="avg")
    kinds = [type(m) for m in made.modules()]
    assert kinds.count(nn.Tanh) == 7
    assert kinds.count(nn.AvgPool2d) == 3
    assert nn.ReLU not in kinds
    assert nn.MaxPool2d not in kinds
    assert not any(m.training for m in made.modules())
    shapes = {name: info.shape for name, info in model.layers.items()}
    assert {n: i.shape for n, i in trace_layers(made, (3, 224, 224)).items()} == shapes
    old = model.network.state_dict()
    assert all(torch.equal(v, old[k]) for k, v in made.state_dict().items())
    assert sum(isinstance(m, nn.ReLU) for m in model.network.modules()) == 7
    with torch.inference_mode():
        x = torch.rand(1, 3, 224, 224)
        first = made.features[2](made.features[1](made.features[0](x)))
        expected = torch.nn.functional.avg_pool2d(model.network.features[0](x).tanh(), 3, 2)
    torch.testing.assert_close(first, expected)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("source", ["torchvision:squeezenet1_1", "torchvision:resnet18"])
def test_every_pooling_keeps_the_shapes_of_every_layer(name, source):
    model = load_model(source)
    made = swap(model.network, pooling=name)
    assert {n: i.shape for n, i in trace_layers(made, model.input_shape).items()} == {
        n: i.shape for n, i in model.layers.items()
    }


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_shared_module_stays_shared(name):
    shared = nn.ReLU(inplace=True)
    net = nn.Sequential(nn.Conv2d(1, 1, 1), shared, nn.Sequential(nn.Conv2d(1, 1, 1), shared))
    made = swap(net, activation=name)
    assert made[1] is made[2][1]
    assert isinstance(made[1], type(ACTIVATIONS[name]()))


def test_a_swap_can_be_undone():
    net = load_model("isocortex:rnet-relu-max").network
    there = swap(net, activation="sigmoid", pooling="blur")
    back = swap(there, activation="relu", pooling="max", also=(nn.Sigmoid,))
    images = torch.randn(2, 3, 40, 40)
    assert not torch.allclose(there(images), net(images))
    torch.testing.assert_close(back(images), net(images))


class Functional(nn.Module):
    """A network that rectifies once by a module and pools by a function."""

    def __init__(self, rectify: bool) -> None:
        super().__init__()
        self.conv, self.relu, self.rectify = nn.Conv2d(1, 2, 3), nn.ReLU(), rectify
        self.pool, self.gate = nn.MaxPool2d(2), nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.conv(x)))
        x = nn.functional.max_pool2d(x * self.gate(x), 2)
        return x.relu() if self.rectify else x


@pytest.mark.parametrize("rectify", [True, False])
def test_a_network_is_not_swapped_by_halves(rectify):
    net = Functional(rectify).train()
    swap(net, activation="tanh", pooling="avg")  # without a shape nothing is known of its forward
    with pytest.raises(UserError, match="calls max_pool2d as a function"):
        swap(net, pooling="avg", input_shape=(1, 12, 12))
    if rectify:
        with pytest.raises(UserError, match="calls relu as a function"):
            swap(net, activation="tanh", input_shape=(1, 12, 12))
    else:
        assert swap(net, activation="tanh", input_shape=(1, 12, 12)).training
    assert net.training
    assert not net.relu._forward_hooks


@pytest.mark.parametrize(
    "name", ["torchvision:alexnet", "torchvision:resnet18", "timm:test_resnet"]
)
def test_networks_made_of_modules_pass(name):
    model = load_model(name)
    swap(model.network, activation="elu", input_shape=model.input_shape)


def test_densenet_rectifies_once_by_a_function():
    model = load_model("torchvision:densenet121")
    with pytest.raises(UserError, match="forward of DenseNet calls relu as a function"):
        swap(model.network, activation="tanh", input_shape=(3, 64, 64))
    swap(model.network, pooling="avg", input_shape=(3, 64, 64))


def test_what_cannot_be_swapped_is_said():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2, dilation=2))
    with pytest.raises(UserError, match="nothing to swap"):
        swap(net)
    with pytest.raises(UserError, match="unknown activation 'rel'; nearest: relu"):
        swap(net, activation="rel")
    with pytest.raises(UserError, match="unknown pooling 'mean'"):
        swap(net, pooling="mean")
    with pytest.raises(UserError, match="has no activation that is a module"):
        swap(net, activation="relu")
    with pytest.raises(UserError, match="dilated"):
        swap(net, pooling="avg")
