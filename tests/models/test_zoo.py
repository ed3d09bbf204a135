from __future__ import annotations

import math
import sys
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch

from isocortex.errors import UserError
from isocortex.models.checkpoints import save_weights
from isocortex.models.layers import LayerInfo
from isocortex.models.zoo import SOURCES, Model, list_models, load_model

SCRIPT = """
from dataclasses import dataclass
import torch
from torch import nn
from beside import CHANNELS

@dataclass
class Settings:
    width: "int" = CHANNELS

def small():
    network = nn.Sequential(nn.Conv2d(1, Settings().width, 3), nn.ReLU())
    network.input_shape = (1, 9, 9)
    return network

def large():
    return nn.Sequential(nn.Conv2d(3, 2, 3))

def fixed():
    network = small()
    nn.init.ones_(network[0].weight)
    network.preprocess = lambda images: images * 2
    return network

def bare():
    network = small()
    network.gain = nn.Parameter(torch.ones(1))
    return network

def odd():
    network = small()
    network.input_shape = 9
    return network

def wrong():
    return 3

def fails():
    raise RuntimeError("first line\\nsecond line")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("CHANNELS = 4\n")
    path = tmp_path / "networks.py"
    path.write_text(SCRIPT)
    return path


def same(a: Model, b: Model) -> bool:
    x, y = a.network.state_dict(), b.network.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


NAMES = [
    "torchvision:squeezenet1_1",
    "torchvision:googlenet",
    "torchvision:resnet18",
    "timm:test_vit",
    "timm:test_convnext.r160_in1k",
    "timm:test_resnet",
    "isocortex:half",
    "isocortex:paper-code",
    "isocortex:paper-text",
    "isocortex:rnet-relu-max",
    "isocortex:rnet-tanh-none",
]


@pytest.mark.parametrize("name", NAMES)
def test_networks_look_at_images_and_random_weights_are_seeded(name):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = load_model(name, weights="random", seed=3)
    assert torch.equal(torch.rand(3), expected)
    assert model.name == name
    assert model.weights == "random (seed 3)"
    assert not any(m.training for m in model.network.modules())
    with torch.inference_mode():
        logits = model.network(model.preprocess(torch.rand(2, 1, 50, 60)))
    assert logits.shape[0] == 2
    assert logits[0].numel() == math.prod(model.layers[list(model.layers)[-1]].shape)
    assert torch.isfinite(logits).all()
    assert model.preprocess(torch.rand(2, *model.input_shape)).shape == (2, *model.input_shape)
    assert same(model, load_model(name, seed=3))
    assert not same(model, load_model(name, weights="random", seed=4))


def test_layers_are_known_by_name():
    model = load_model("torchvision:resnet18", weights="random")
    info = model.layer("layer1.0.relu:2")
    assert isinstance(info, LayerInfo)
    assert (info.type, info.shape) == ("ReLU", (64, 56, 56))
    assert info.receptive_field is not None
    assert info.receptive_field.size == (27, 27)
    assert model.layer("layer1.0.relu:1") == model.layer("layer1.0.relu")
    hint = "nearest: .*layer1.0.*list them with: isocortex layers torchvision:resnet18"
    with pytest.raises(UserError, match=hint):
        model.layer("layer1.0.rely")
    with pytest.raises(UserError, match="unknown layer"):
        model.layer("layer1.0.relu:3")


def test_the_caffe_alexnet_takes_pixels_from_0_to_255():
    model = load_model("isocortex:caffe-alexnet")
    white = model.preprocess(torch.ones(1, 3, 227, 227))
    expected = 255 - torch.tensor([123.68, 116.779, 103.939])
    torch.testing.assert_close(white[0, :, 0, 0], expected)


def test_a_checkpoint_is_loaded(tmp_path):
    saved = load_model("isocortex:half", seed=8)
    path = save_weights(saved.network, tmp_path / "half.safetensors")
    loaded = load_model("isocortex:half", weights=path)
    assert same(saved, loaded)
    assert loaded.weights == str(path)
    with pytest.raises(UserError, match=r"half\.safetensors does not fit SqueezeNet"):
        load_model("torchvision:squeezenet1_1", weights=str(path))


@pytest.mark.parametrize("version", ["pretrained", "IMAGENET1K_V1"])
def test_pretrained_weights_of_torchvision_come_from_its_cache(tmp_path, monkeypatch, version):
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    network = squeezenet1_1(weights=None)
    cached = tmp_path / "hub" / "checkpoints" / Path(SqueezeNet1_1_Weights.DEFAULT.url).name
    cached.parent.mkdir(parents=True)
    torch.save(network.state_dict(), cached)
    model = load_model("torchvision:squeezenet1_1", weights=version)
    assert model.weights == "torchvision IMAGENET1K_V1"
    assert torch.equal(model.network.features[0].weight, network.features[0].weight)
    torch.save(network, cached)
    with pytest.raises(UserError, match="pretrained weights of torchvision:squeezenet1_1"):
        load_model("torchvision:squeezenet1_1", weights=version)


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    import timm

    def unreachable(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("name not known\nand more")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    monkeypatch.setattr(timm, "create_model", unreachable)
    for name in ("torchvision:squeezenet1_1", "timm:test_vit"):
        with pytest.raises(UserError) as caught:
            load_model(name, weights="pretrained")
        message = str(caught.value)
        assert message.startswith(f"the pretrained weights of {name} cannot be had (URLError")
        assert "give the path of a downloaded checkpoint" in message
        assert "\n" not in message


def test_pretrained_weights_of_timm_are_asked_for(monkeypatch):
    import timm

    build = timm.create_model
    asked: list[bool] = []

    def create(name: str, pretrained: bool) -> torch.nn.Module:
        asked.append(pretrained)
        return build(name, pretrained=False)

    monkeypatch.setattr(timm, "create_model", create)
    assert load_model("timm:test_resnet.r160_in1k", "pretrained").weights == "timm r160_in1k"
    assert asked == [True]


def test_a_script_makes_the_network(script):
    path = list(sys.path)
    model = load_model(f"file:{script}:small", seed=1)
    assert sys.path == path
    assert model.input_shape == (1, 9, 9)
    assert list(model.layers) == ["0", "1"]
    assert model.layers["1"].shape == (4, 7, 7)
    assert model.weights == f"as {script}:small sets them (seed 1)"
    assert same(model, load_model(f"file:{script}:small", seed=1))
    assert not same(model, load_model(f"file:{script}:small", seed=2))
    assert load_model(f"file:{script}:large").input_shape == (3, 224, 224)


def test_a_factorys_own_weights_and_preprocessing_are_kept(script):
    model = load_model(f"file:{script}:fixed")
    assert (model.network[0].weight == 1).all()
    assert torch.equal(model.preprocess(torch.ones(1)), 2 * torch.ones(1))
    random = load_model(f"file:{script}:fixed", weights="random", seed=1)
    assert not (random.network[0].weight == 1).any()
    assert random.weights == "random (seed 1)"


def test_a_checkpoint_fits_a_scripts_network(script, tmp_path):
    saved = load_model(f"file:{script}:small", seed=1)
    path = save_weights(saved.network, tmp_path / "w.safetensors")
    assert same(load_model(f"file:{script}:fixed", weights=path), saved)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("file:{s}:smal", None, "unknown function in .*networks.py 'smal'; nearest: small"),
        ("file:{s}:wrong", None, "returns a int, not an nn.Module"),
        ("file:{s}:fails", None, r"fails\(\) of .*networks.py fails: RuntimeError: first line$"),
        ("file:{s}:bare", "random", "cannot draw new weights for Sequential at the root"),
        ("file:{s}:odd", None, r"input_shape of .* is 9; it must be \(c, h, w\)"),
        ("file:{s}:small", "pretrained", "leave weights out"),
        ("file:{s}", None, "write file:script.py:factory"),
        ("file:{s}x.py:small", None, "there is no script"),
        ("file:{s}.txt:small", None, "must end in .py"),
        ("file:{s}.broken.py:small", None, "fails when it is run: SyntaxError"),
    ],
)
def test_mistakes_in_scripts_get_one_line(script, name, weights, message):
    Path(f"{script}.txt").write_text("")
    Path(f"{script}.broken.py").write_text("def f(:\n")
    with pytest.raises(UserError, match=message) as caught:
        load_model(name.format(s=script), weights=weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("torchvision:alexnett", None, "unknown torchvision model 'alexnett'; nearest: alexnet"),
        ("timm:resnet-18", None, "unknown timm model 'resnet-18'; nearest: resnet18"),
        ("isocortex:haf", None, "nearest: half"),
        ("isocortex:rnet-rellu-max", None, "nearest: rnet-relu-max"),
        ("isocortex:half", "pretrained", "comes without weights"),
        ("torchvison:alexnet", None, "did you mean torchvision"),
        ("alexnet", None, "is SOURCE:NAME; nearest: torchvision:alexnet"),
        ("torchvision:", None, "is SOURCE:NAME; known sources"),
        ("", None, "is SOURCE:NAME; known sources"),
        ("torchvision:resnet50", "IMAGENET1K_V3", "did you mean IMAGENET1K_V"),
        ("isocortex:half", "pretraind", "unknown weights 'pretraind'"),
        ("timm:test_vit", "weights.pt", "or give the path of a checkpoint"),
    ],
)
def test_mistakes_in_names_get_one_line(name, weights, message):
    with pytest.raises(UserError, match=message) as caught:
        load_model(name, weights=weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
def test_sources_list_their_models(source):
    names = list_models(source)
    assert (len(names) > 3) == (source != "file")
    assert all(name.startswith(f"{source}:") for name in names)


def test_an_unknown_source_lists_the_known():
    with pytest.raises(UserError, match="known: file, isocortex, timm, torchvision"):
        list_models("keras")
