from __future__ import annotations

import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.measures.complexity import PixelRidge, split_by_group
from isocortex.models import load_model, rnet, rnet_config
from isocortex.models.rnet import FULL_CHANNELS, NAMES
from isocortex.recording import record
from isocortex.stimuli.noise import CONTRAST, pink_noise


def preactivations(network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    hooks = [
        m.register_forward_hook(lambda *a: seen.append(a[2].clone()))
        for m in network.modules()
        if isinstance(m, nn.Conv2d)
    ]
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    return seen


def test_blocks_are_those_of_the_specification():
    network = rnet("tanh", "max", norm="bn", input_size=32)
    names = [n for n, _ in network.features.named_children()]
    assert names[:4] == ["conv1_1", "norm1_1", "act1_1", "pool1"]
    assert network.block_outputs == ("features.pool1", "features.pool2", "features.pool3")
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.out_channels) for c in convolutions] == [
        (7, 32),
        (5, 64),
        (3, 128),
    ]
    assert [c.padding[0] for c in convolutions] == [3, 2, 1]
    assert len(rnet(input_size=20).block_outputs) == 2
    full = rnet_config(channels=FULL_CHANNELS)
    assert [b.channels[0] for b in full.blocks] == [64, 128, 256]
    for c in convolutions:
        assert (c.bias == 0).all()
        fan_in = c.weight[0].numel()
        assert c.weight.var().item() * fan_in == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_every_member_runs_at_any_size_with_pre_activations_of_sd_one(name):
    activation, pooling = NAMES[name]
    images = torch.randn(6, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    network = rnet(activation, pooling, in_channels=1, input_size=24, calibration=images)
    for values in preactivations(network, images):
        assert values.double().std(correction=0).item() == pytest.approx(1, abs=1e-3)
    for size in (20, 31, 56):
        with torch.inference_mode():
            logits = network(torch.randn(2, 1, size, size))
        assert logits.shape == (2, 10)
        assert torch.isfinite(logits).all()


def test_poolings_give_maps_of_one_size():
    images = torch.randn(2, 3, 32, 32)
    shapes = set()
    for pooling in ("avg", "max", "none", "l2", "blur"):
        shapes.add(tuple(rnet("relu", pooling, calibration=images).features(images).shape))
    assert shapes == {(2, 128, 4, 4)}


def test_networks_without_biases_are_equivariant_to_contrast_if_they_are_rectified():
    images = torch.randn(3, 3, 32, 32)
    for activation in ("identity", "relu", "abs", "leaky"):
        features = rnet(activation, "max", calibration=images).features
        torch.testing.assert_close(features(3 * images), 3 * features(images), rtol=1e-4, atol=1e-4)
    features = rnet("tanh", "max", calibration=images).features
    assert not torch.allclose(features(3 * images), 3 * features(images), rtol=0.1)


def test_the_seed_decides_and_the_gain_can_be_chosen():
    a, b, c = (rnet(input_size=20, seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["features.conv1_1.weight"], c["features.conv1_1.weight"])
    images = torch.randn(4, 3, 32, 32)
    network = rnet("tanh", calibration=images, gain=0.25)
    for values in preactivations(network, images):
        assert values.double().std(correction=0).item() == pytest.approx(0.25, abs=1e-3)


def test_the_zoo_maps_grey_to_zero():
    model = load_model("isocortex:rnet-relu-max", seed=4)
    assert model.input_shape == (3, 64, 64)
    assert (model.preprocess(torch.full((1, 1, 64, 64), 0.5)) == 0).all()
    expected = rnet("relu", "max", seed=4).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in model.network.state_dict().items())
    assert model.layers["features.pool3"].shape == (128, 8, 8)
    field = model.layers["features.act2_1"].receptive_field
    assert field is not None
    assert field.size == (16, 16)


def test_what_is_unknown_is_named():
    with pytest.raises(UserError, match="unknown activation 'rellu'"):
        rnet("rellu")
    with pytest.raises(UserError, match="unknown pooling 'mean'"):
        rnet(pooling="mean")
    with pytest.raises(UserError, match="unknown normalisation 'layer'"):
        rnet(norm="layer")
    with pytest.raises(UserError, match="4 blocks need as many channels"):
        rnet(blocks=4)


def test_pink_noise_has_the_spectrum_and_the_contrast_it_says():
    images = pink_noise(40, 64, 3, seed=2)
    assert images.shape == (40, 3, 64, 64)
    assert torch.equal(images[:, 0], images[:, 2])
    assert torch.equal(images[7:8], pink_noise(8, 64, 3, seed=2)[7:8])
    assert images.mean().item() == pytest.approx(0.5, abs=0.01)
    assert images.std().item() == pytest.approx(CONTRAST, rel=0.05)
    power = torch.fft.fft(images[:, 0] - 0.5, dim=-1).abs().square().mean(dim=(0, 1))[1:17]
    # A row of an image with power 1/f^2 has power that falls like 1/f.
    slope = torch.linalg.lstsq(
        torch.stack([torch.ones(16), torch.arange(1.0, 17).log()], dim=1), power.log()[:, None]
    ).solution[1]
    assert slope.item() == pytest.approx(-1, abs=0.25)
    with pytest.raises(UserError, match="size is 1"):
        pink_noise(1, 1)


@pytest.mark.parametrize("pooling", ["none", "avg"])
def test_without_an_activation_every_unit_is_linear_in_the_pixels(pooling):
    images = pink_noise(500, 12, exponent=0.5)
    ridge = PixelRidge(images, split_by_group(torch.arange(500) // 2))
    found = {}
    for activation in ("identity", "tanh", "relu"):
        network = rnet(activation, pooling, in_channels=1, input_size=12)
        responses = record(
            network, images, network.block_outputs, transform=lambda x: (x - 0.5) / 0.2
        )
        found[activation] = [ridge.complexity(responses[b]).value for b in network.block_outputs]
    assert max(found["identity"]) < 1e-4
    assert all(0.01 < t < r for t, r in zip(found["tanh"], found["relu"], strict=True))
