from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from isocortex.errors import UserError
from isocortex.models.convnet import (
    ACTIVATIONS,
    PRESETS,
    ConvBlock,
    ConvNet,
    ConvNetConfig,
)


def outputs(network: ConvNet, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Collect every module's output; a copy, so that work in place would show."""
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: seen.update({name: o.clone()}))
        for name, module in network.named_modules()
    ]
    with torch.inference_mode():
        network.eval()(images)
    for hook in hooks:
        hook.remove()
    return seen


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_paper_code_has_the_maps_and_the_parameters_of_the_specification():
    network = ConvNet(PRESETS["paper-code"])
    seen = outputs(network, torch.rand(2, 3, 32, 32))
    names = ("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2")
    assert [seen[f"features.{n}"].shape[-1] for n in names] == [30, 28, 14, 12, 10, 5]
    assert network.head.fc1.in_features == 3200
    assert parameters(network) == 990_506
    assert network.config.n_classes == 10
    normalised = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert normalised == ["features.norm1_1", "features.norm2_1"]
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def test_paper_text_lacks_the_second_pooling():
    network = ConvNet(PRESETS["paper-text"])
    assert [network.head.fc1.in_features, network.head.fc1.out_features] == [12800, 128]
    assert network.head.fc2.out_features == 256
    assert (network.features.conv1_1.bias == 0).all()


def test_half_has_half_the_width():
    full, half = ConvNet(PRESETS["paper-code"]), ConvNet(PRESETS["half"])
    for tag in ("1_1", "1_2", "2_1", "2_2"):
        wide = full.get_submodule(f"features.conv{tag}").out_channels
        assert wide == 2 * half.get_submodule(f"features.conv{tag}").out_channels
    assert half.head.fc1.out_features == 128
    assert not any(isinstance(m, nn.BatchNorm2d) for m in half.modules())


@pytest.mark.parametrize("preset", PRESETS)
def test_readouts_are_activations_before_normalisation_and_pooling(preset):
    network = ConvNet(PRESETS[preset])
    assert list(network.readouts) == [
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "fc1", "fc2", "fc3",
    ]  # fmt: skip
    images = torch.rand(2, *network.input_shape)
    seen = outputs(network, images)
    flow = images
    expected = {}
    for name, module in network.named_modules():
        if name in ("", "features", "head"):
            continue
        flow = module(flow)
        if isinstance(module, nn.ReLU) or name == "head.fc3":
            expected[name] = flow
    for readout, path in network.readouts.items():
        torch.testing.assert_close(seen[path], expected[path])
        if readout != "fc3":
            assert seen[path].min() == 0
    assert list(expected) == list(network.readouts.values())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_modules_of_their_own_and_not_in_place(name):
    network = ConvNet(PRESETS["half"].model_copy(update={"activation": name}))
    kind = type(ACTIVATIONS[name]())
    paths = [p for r, p in network.readouts.items() if r != "fc3"]
    modules = [network.get_submodule(p) for p in paths]
    assert len({id(m) for m in modules}) == 6
    assert all(isinstance(m, kind) for m in modules)
    x = torch.linspace(-2, 2, 9)
    for module in modules:
        before = x.clone()
        module(x)
        assert torch.equal(x, before)


def test_the_seed_decides_the_weights_and_touches_nothing_else():
    before = torch.get_rng_state()
    a, b, c = (ConvNet(PRESETS["half"], seed=s).state_dict() for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["head.fc1.weight"], c["head.fc1.weight"])


def test_normalisation_can_come_before_the_activation():
    config = PRESETS["paper-code"].model_copy(
        update={"normalised": None, "normalise_after_activation": False}
    )
    names = list(dict(ConvNet(config).features.named_children()))
    assert names[:6] == ["conv1_1", "norm1_1", "act1_1", "conv1_2", "norm1_2", "act1_2"]


@pytest.mark.parametrize(("head", "reduce"), [("gap", "mean"), ("max", "amax")])
def test_pooling_heads_read_one_number_a_channel(head, reduce):
    config = PRESETS["half"].model_copy(update={"head": head, "hidden": ()})
    network = ConvNet(config)
    assert list(network.readouts)[-2:] == [head, "fc1"]
    assert network.head.fc1.in_features == 64
    seen = outputs(network, torch.rand(2, 1, 32, 32))
    pooled = seen[network.readouts[head]].flatten(1)
    torch.testing.assert_close(pooled, getattr(seen["features"], reduce)(dim=(2, 3)))


def symmetric_grid_exists(
    size: int, kernel: int, stride: int, pooling: str, pool_size: int
) -> bool:
    """Say by trying whether some allowed padding centres the windows at both stages."""

    def maps(width: int, window: int, step: int, paddings: range) -> list[int]:
        starts = [range(-p, width + p - window + 1, step) for p in paddings]
        return [len(s) for s in starts if len(s) and s[0] + s[-1] + window == width]

    tiles = range(kernel // 2 + 1) if kernel == stride else range(kernel // 2, kernel)
    first = maps(size, kernel, stride, tiles)[:1]
    if pooling == "none" or not first:
        return bool(first)
    return bool(maps(first[0], pool_size, pool_size, range(pool_size // 2 + 1)))


@given(
    size=st.integers(8, 40),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    pooling=st.sampled_from(["none", "max", "avg"]),
    pool_size=st.integers(2, 3),
)
def test_same_padding_commutes_with_mirroring_or_is_refused(
    size, kernel, stride, pooling, pool_size
):
    block = ConvBlock(
        channels=(2,), kernel_size=kernel, stride=stride, pooling=pooling, pool_size=pool_size
    )
    config = ConvNetConfig(
        blocks=(block,), padding="same", head="gap", hidden=(), in_channels=1, input_size=size
    )
    if not symmetric_grid_exists(size, kernel, stride, pooling, pool_size):
        with pytest.raises(UserError, match="symmetrically"):
            ConvNet(config)
        return
    features = ConvNet(config).features.double()
    with torch.inference_mode():
        features.conv1_1.weight.add_(features.conv1_1.weight.clone().flip(-1))
        images = torch.rand(1, 1, size, size, dtype=torch.float64)
        torch.testing.assert_close(features(images.flip(-1)), features(images).flip(-1))
        if stride == 1 and pooling == "none":
            assert features(images).shape[-1] == size


def test_a_map_too_small_is_named():
    with pytest.raises(UserError, match="conv2_1 has a window of 3 on a map of 2 px"):
        ConvNet(PRESETS["half"].model_copy(update={"input_size": 8}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("activation", "rellu", "unknown activation 'rellu'; nearest: relu"),
        ("init", "he", "unknown initialisation 'he'"),
        ("dropout", 1.0, "less than 1"),
        ("blocks", (), "at least 1 item"),
        ("head", "fc", "'flatten', 'gap' or 'max'"),
        ("poolng", "max", "Extra inputs are not permitted"),
    ],
)
def test_configurations_refuse_what_they_do_not_know(field, value, message):
    content = PRESETS["half"].model_dump() | {field: value}
    with pytest.raises(ValidationError, match=message):
        ConvNetConfig(**content)


def test_normalising_a_convolution_that_is_not_there_is_refused():
    config = PRESETS["paper-code"].model_copy(update={"normalised": ("conv3_1",)})
    with pytest.raises(UserError, match="unknown convolution 'conv3_1'"):
        ConvNet(config)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_pass_their_own_validation(preset):
    assert ConvNetConfig.model_validate(PRESETS[preset].model_dump()) == PRESETS[preset]
