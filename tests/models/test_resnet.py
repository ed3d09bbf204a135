from __future__ import annotations

import pytest
import torch
from torchvision.models import resnet18

from isocortex.errors import UserError
from isocortex.models.layers import trace_layers
from isocortex.models.resnet import BLOCK_OUTPUTS, ResNet18


def test_at_full_width_it_is_the_network_of_torchvision():
    theirs = resnet18(weights=None, num_classes=674).eval()
    ours = ResNet18(64, 674).eval()
    assert sum(p.numel() for p in ours.parameters()) == 11_522_274
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))


def test_initial_weights_are_drawn_as_torchvision_draws_them():
    ours = ResNet18(64, 10, seed=3)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = resnet18(weights=None, num_classes=10)
    for name, weight in theirs.state_dict().items():
        if weight.ndim == 4:  # drawn in another order, from the same distribution
            mine = ours.state_dict()[name]
            assert mine.std() == pytest.approx(float(weight.std()), rel=0.05), name


def test_the_seed_decides_and_leaves_random_numbers_alone():
    before = torch.get_rng_state()
    a, b, c = ResNet18(4, 5, seed=1), ResNet18(4, 5, seed=1), ResNet18(4, 5, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.conv1.weight, c.conv1.weight)


@pytest.mark.parametrize(("size", "last"), [(48, 2), (64, 2), (224, 7)])
def test_every_block_output_is_a_layer(size, last):
    network = ResNet18(8, 20, size=size).eval()
    layers = trace_layers(network, network.input_shape)
    assert set(BLOCK_OUTPUTS) <= set(layers)
    assert layers[BLOCK_OUTPUTS[-1]].shape == (64, last, last)


def test_the_second_call_is_after_the_sum():
    network = ResNet18(4, 5, size=32).eval()
    block = network.layer1[0]
    images = torch.rand(1, 4, 8, 8)
    seen = []
    block.relu.register_forward_hook(lambda *what: seen.append(what[2]))
    with torch.inference_mode():
        out = block(images)
    assert len(seen) == 2
    assert torch.equal(seen[1], out)


@pytest.mark.parametrize("options", [{"width": 0}, {"outputs": 0}, {"size": 16}])
def test_what_cannot_be_built_is_refused(options):
    with pytest.raises(UserError, match="must be at least"):
        ResNet18(**({"width": 4, "outputs": 4, "size": 32} | options))
