"""Networks of the zoo under record: what is listed can be recorded, reused modules included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.models import ConvNet, load_model
from isocortex.models.convnet import PRESETS
from isocortex.recording import Projection, record
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.transforms import TRANSFORMS


@pytest.fixture
def stimuli() -> StimulusSet:
    generator = torch.Generator().manual_seed(0)
    return StimulusSet.from_tensor(torch.rand(5, 1, 32, 32, generator=generator))


@pytest.mark.parametrize(
    "name", ["isocortex:half", "torchvision:resnet18", "timm:vit_tiny_patch16_224"]
)
def test_every_listed_layer_is_recorded_in_its_listed_shape(
    name: str, stimuli: StimulusSet
) -> None:
    model = load_model(name, "random")
    recording = record(model, stimuli[:2], list(model.layers), byte_budget=2**31)
    for layer, info in model.layers.items():
        assert recording.layout(layer).shape == info.shape
        assert recording[layer].shape == (2, np.prod(info.shape))
    last = list(model.layers)[-1]
    with torch.no_grad():
        logits = model.network(model.preprocess(stimuli[:2].images()))
    np.testing.assert_allclose(recording[last], logits.numpy(), rtol=1e-4, atol=1e-5)


def test_the_relus_of_a_residual_block(stimuli: StimulusSet) -> None:
    model = load_model("torchvision:resnet18", "random")
    layers = ["layer1.0.relu", "layer1.0.relu:2", "layer1.0", "layer1.0.bn1"]
    recording = record(model, stimuli, layers, batch_size=2)
    np.testing.assert_array_equal(recording["layer1.0.relu:2"], recording["layer1.0"])
    np.testing.assert_array_equal(recording["layer1.0.relu"], recording["layer1.0.bn1"].clip(min=0))
    assert (recording["layer1.0.bn1"] < 0).any()


def test_tokens_of_a_transformer(stimuli: StimulusSet) -> None:
    model = load_model("timm:vit_tiny_patch16_224", "random")
    units = record(model, stimuli[:1], "blocks.0").units("blocks.0")
    assert len(units) == 197 * 192
    assert units["y"][:192].isna().all()
    assert units.loc[192, ["y", "x"]].tolist() == [0, 0]
    assert units.iloc[-1][["channel", "y", "x"]].tolist() == [191, 13, 13]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_readouts_under_image_symmetries(preset: str, transform: str, stimuli: StimulusSet) -> None:
    network = ConvNet(PRESETS[preset])
    readouts = list(network.readouts.values())
    images = stimuli.images().expand(-1, network.input_shape[0], -1, -1)
    symmetry = TRANSFORMS[transform]
    recording = record(network, images, readouts, transform=symmetry, batch_size=2)
    expected = record(network, symmetry(images).contiguous(), readouts)
    for layer in readouts:
        np.testing.assert_allclose(recording[layer], expected[layer], rtol=1e-4, atol=1e-5)


def test_a_recording_of_a_model_is_taken_up_again(stimuli: StimulusSet, tmp_path) -> None:
    arguments = {"layers": ["features.act1_1", "head.fc3"], "store": tmp_path / "r"}
    first = record(load_model("isocortex:half"), stimuli, units=Projection(20), **arguments)
    again = record(load_model("isocortex:half"), stimuli, units=Projection(20), **arguments)
    for layer in first.layers:
        np.testing.assert_array_equal(first[layer], again[layer])
