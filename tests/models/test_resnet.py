from __future__ import annotations

import pytest
import torch
from torchvision.models import resnet18, resnet50

from isocortex.errors import UserError
from isocortex.models.layers import trace_layers
from isocortex.models.resnet import ResNet, block_outputs


@pytest.mark.parametrize(
    ("depth", "factory", "size"), [(18, resnet18, 11_522_274), (50, resnet50, 24_889_058)]
)
def test_at_full_width_it_is_the_network_of_torchvision(depth, factory, size):
    theirs = factory(weights=None, num_classes=674).eval()
    ours = ResNet(depth, 64, 674).eval()
    assert sum(p.numel() for p in ours.parameters()) == size
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))


def test_initial_weights_are_drawn_as_torchvision_draws_them():
    ours = ResNet(18, 64, 10, seed=3)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = resnet18(weights=None, num_classes=10)
    for name, weight in theirs.state_dict().items():
        if weight.ndim == 4:  # drawn in another order, from the same distribution
            mine = ours.state_dict()[name]
            assert mine.std() == pytest.approx(float(weight.std()), rel=0.05), name


def test_the_seed_decides_and_leaves_random_numbers_alone():
    before = torch.get_rng_state()
    a, b, c = ResNet(18, 4, 5, seed=1), ResNet(18, 4, 5, seed=1), ResNet(18, 4, 5, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.conv1.weight, c.conv1.weight)


@pytest.mark.parametrize(("depth", "blocks", "units"), [(18, 8, 64), (50, 16, 256)])
@pytest.mark.parametrize(("size", "last"), [(48, 2), (64, 2), (224, 7)])
def test_every_block_output_is_a_layer(depth, blocks, units, size, last):
    network = ResNet(depth, 8, 20, size=size).eval()
    layers = trace_layers(network, network.input_shape)
    names = [name for stage in block_outputs(depth) for name in stage]
    assert len(names) == blocks
    assert set(names) <= set(layers)
    assert layers[names[-1]].shape == (units, last, last)


@pytest.mark.parametrize(("depth", "call"), [(18, 2), (50, 3)])
def test_the_last_call_of_the_rectifier_is_after_the_sum(depth, call):
    network = ResNet(depth, 4, 5, size=32).eval()
    block = network.layer1[0]
    images = torch.rand(1, 4, 8, 8)
    seen = []
    block.relu.register_forward_hook(lambda *what: seen.append(what[2]))
    with torch.inference_mode():
        out = block(images)
    assert len(seen) == call
    assert torch.equal(seen[-1], out)
    assert block_outputs(depth)[0][0] == f"layer1.0.relu:{call}"


@pytest.mark.parametrize("options", [{"width": 0}, {"outputs": 0}, {"size": 16}])
def test_what_cannot_be_built_is_refused(options):
    with pytest.raises(UserError, match="must be at least"):
        ResNet(50, **({"width": 4, "outputs": 4, "size": 32} | options))


def test_other_depths_are_refused():
    with pytest.raises(UserError, match="unknown depth of a ResNet '34'"):
        ResNet(34, 4, 4)
