from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.models.alexnet import caffe_alexnet
from isocortex.models.convnet import PRESETS, ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.layers import LayerInfo, grid_check, trace_layers
from isocortex.models.receptive_fields import ReceptiveField


class Odd(nn.Module):
    """Reuse, branches, a tuple, a module that is never called, and one registered twice."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Conv2d(2, 2, 3, padding=1)
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.relu = nn.ReLU()
        self.idle = nn.Linear(3, 3)
        self.again = self.relu
        self.pair = Pair()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.again(self.late(x) + x)
        return self.drop(self.pair(x)[1].flatten(1))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        return {"half": nn.functional.avg_pool2d(x, 2)}, x


def test_layers_come_in_the_order_in_which_they_answer():
    layers = trace_layers(Odd(), (1, 8, 8))
    assert list(layers) == ["first", "relu", "late", "relu:2", "pair", "drop"]
    assert layers["relu:2"] == LayerInfo("ReLU", (2, 8, 8), ReceptiveField((5, 5), (1, 1), (0, 0)))
    assert layers["pair"].shape == (2, 4, 4)
    assert layers["pair"].receptive_field == ReceptiveField((6, 6), (2, 2), (0.5, 0.5))
    assert layers["drop"] == LayerInfo("Dropout", (128,), None)


def test_tracing_leaves_no_mark():
    network = Odd()
    network.late.eval()
    network.train(True)
    network.late.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    trace_layers(network, (1, 8, 8))
    assert [m.training for m in (network, network.late, network.first)] == [True, False, True]
    assert all(not m._forward_hooks for m in network.modules())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_an_error_in_the_pass_is_one_line_and_leaves_no_mark():
    network = Odd()
    with pytest.raises(UserError, match=r"Odd cannot take images of shape \(3, 8, 8\)") as caught:
        trace_layers(network, (3, 8, 8))
    assert "\n" not in str(caught.value)
    assert network.training
    assert all(not m._forward_hooks for m in network.modules())


def test_containers_are_layers_too():
    layers = trace_layers(ConvNet(PRESETS["half"]), (1, 32, 32))
    assert list(layers)[-2:] == ["head.fc3", "head"]
    assert layers["features"].shape == (64, 5, 5)
    assert "" not in layers


def test_alexnet_of_227_pixels_is_symmetric():
    network = caffe_alexnet()
    table = grid_check(network, 227)
    assert table["symmetric"].all()
    assert table.set_index("layer")["width"][["conv1", "pool1", "pool2", "pool5"]].tolist() == [
        55, 27, 13, 6,
    ]  # fmt: skip
    assert sum(p.numel() for p in network.parameters()) == 60_965_224
    assert trace_layers(network, (3, 227, 227))["fc8"].shape == (1000,)


def test_alexnet_of_224_pixels_is_flagged():
    from torchvision.models import alexnet

    table = grid_check(alexnet(weights=None), 224).set_index("layer")
    assert not table["symmetric"].any()
    assert table.loc["features.0", ["offset_x", "offset_y"]].tolist() == [-0.5, -0.5]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_small_networks_are_symmetric(preset):
    config = PRESETS[preset]
    table = grid_check(ConvNet(config), 32)
    assert table["symmetric"].all()
    assert set(ConvNet(config).readouts.values()) - set(table["layer"]) == {
        "head.act1", "head.act2", "head.fc3",
    }  # fmt: skip


@given(
    size=st.integers(12, 30),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    pooling=st.sampled_from(["none", "max", "avg"]),
    pool_size=st.integers(2, 3),
)
def test_a_symmetric_grid_is_one_on_which_symmetric_filters_commute_with_mirroring(
    size, kernel, stride, pooling, pool_size
):
    block = ConvBlock(
        channels=(2,), kernel_size=kernel, stride=stride, pooling=pooling, pool_size=pool_size
    )
    network = ConvNet(
        ConvNetConfig(
            blocks=(block,), activation="identity", head="gap", in_channels=1, input_size=size
        )
    )
    table = grid_check(network, size).set_index("layer")
    features = network.features.double()
    images = torch.rand(20, 1, size, size, dtype=torch.float64)
    with torch.inference_mode():
        features.conv1_1.weight.add_(features.conv1_1.weight.clone().flip(-1))
        here, there = features(images), features(images.flip(-1))
    commutes = torch.allclose(here.flip(-1), there)
    assert commutes == table["symmetric"]["features"]


def test_oblong_images_and_missing_convolutions():
    table = grid_check(nn.Sequential(nn.AvgPool2d(2)), (1, 5, 6))
    assert table[["offset_y", "offset_x"]].iloc[0].tolist() == [-0.5, 0.0]
    assert table["symmetric"].tolist() == [True]
    with pytest.raises(UserError, match=r"give input_size as \(c, h, w\)"):
        grid_check(nn.Sequential(nn.AvgPool2d(2)), 6)
