"""AlexNet and VGG-16 with other parts: their blocks, their gain, and that they stand as an arm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isocortex.models.activations import ACTIVATIONS
from isocortex.studies.farahat2025.large import large_network
from isocortex.studies.farahat2025.networks import Network, blocks

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("base", "convolutions", "sides"),
    [("alexnet", 5, [(64, 27), (192, 13), (256, 6)]),
     ("vgg16", 13, [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)])],
)  # fmt: skip
def test_blocks_end_with_poolings_of_the_kind_asked_for(
    base: str, convolutions: int, sides: list[tuple[int, int]]
) -> None:
    network = large_network(base, "tanh", "avg", seed=0)
    kinds = [type(module) for module in network.features]
    assert kinds.count(nn.Conv2d) == convolutions
    assert kinds.count(nn.Tanh) == convolutions
    assert kinds.count(nn.AvgPool2d) == len(sides)
    assert not {nn.ReLU, nn.MaxPool2d} & set(kinds)
    found = blocks(network, IMAGES[:1], 1)  # type: ignore[arg-type]
    assert [(m.shape[1], m.shape[2]) for m in found] == sides
    torch.testing.assert_close(found[-1], network(IMAGES[:1]))


def test_the_gain_is_set_and_the_seed_counts() -> None:
    one = large_network("alexnet", "relu", "max", seed=1, gain=2.0, calibration=IMAGES)
    x = one.features.resize(IMAGES)  # type: ignore[operator]
    first = one.features.conv1(x)  # type: ignore[operator]
    assert float(first.detach().std()) == pytest.approx(2.0, abs=1e-3)
    again = large_network("alexnet", "relu", "max", seed=1)
    other = large_network("alexnet", "relu", "max", seed=2)
    weight = [n.features.conv5.weight for n in (again, other)]  # type: ignore[union-attr]
    assert not torch.equal(*weight)  # type: ignore[arg-type]
    assert isinstance(ACTIVATIONS["relu"](), nn.ReLU)


def test_a_large_network_stands_beside_the_grid() -> None:
    step = Network(base="alexnet", activation="tanh", pooling="max", calibration_images=2, seed=3)
    assert (step.configuration, step.arm) == ("tanh-max", "alexnet")
    network = step.network()
    assert [len(m) for m in blocks(network, IMAGES, 2)] == [2, 2, 2]
