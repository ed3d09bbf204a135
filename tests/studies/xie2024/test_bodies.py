"""Bodies of the study's networks: what is built, and where it is read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from isocortex.errors import UserError
from isocortex.models.layers import trace_layers
from isocortex.studies.base import configure, load_study
from isocortex.studies.xie2024.bodies import body, build
from isocortex.studies.xie2024.config import Configuration

BODIES = ["resnet18", "resnet50", "timm:test_vit", "timm:test_convnext", "timm:test_resnet"]


def made(name: str, *, seed: int = 0, size: int = 48, width: int = 4) -> torch.nn.Module:
    return build(name, width=width, outputs=9, size=size, seed=seed)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_has_the_head_of_the_study_and_all_layers_that_are_read(name: str) -> None:
    network, read = made(name), body(name, 48)
    traced = trace_layers(network, (3, 48, 48))
    assert traced[read.head].shape == (9,)
    order = list(traced)
    for layers in (read.mapped, read.last, read.decoded, read.compared):
        places = [order.index(layer) for layer in layers]
        assert places == sorted(set(places))
    assert read.head not in read.decoded
    assert len(traced[read.deep].shape) > 1
    assert np.prod(traced[read.pooled].shape) == network.get_submodule(read.head).in_features


@pytest.mark.parametrize("name", BODIES)
def test_the_seed_decides_the_weights_and_leaves_random_numbers_alone(name: str) -> None:
    before = torch.get_rng_state()
    a, b, c = (made(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)


def test_the_resnets_are_read_where_the_specification_says() -> None:
    small, large = body("resnet18"), body("resnet50")
    assert len(small.mapped) == 11
    assert len(large.mapped) == 19
    assert small.mapped[:3] == ("relu", "layer1.0.relu:2", "layer1.1.relu:2")
    assert large.mapped[-3:] == ("layer4.2.relu:3", "avgpool", "fc")
    assert small.compared == (*small.mapped[1:9], "avgpool")
    assert large.decoded == (*(f"layer{k}.0.relu:3" for k in (1, 2, 3, 4)), "avgpool")
    assert large.last[1:5] == tuple(f"layer{k}.{b}.relu:3" for k, b in enumerate((2, 3, 5, 2), 1))
    assert [small.stages[x] for x in ("relu", "layer1.0.relu:2", "layer4.1.relu:2", "fc")] == [
        0, 1, 4, 5,
    ]  # fmt: skip


def test_layers_of_timm_are_spread_over_the_depth_or_named() -> None:
    spread = body("timm:test_vit", 48)
    assert spread.mapped == (
        "patch_embed", "blocks.0", "blocks.1", "blocks.3", "blocks.4", "blocks.5", "head_drop",
    )  # fmt: skip
    assert not spread.stages
    named = body("timm:test_vit", 48, ("blocks.0.attn", "blocks.2", "head_drop"))
    assert named.mapped == named.decoded == ("blocks.0.attn", "blocks.2", "head_drop")
    assert (named.deep, named.pooled) == ("blocks.2", "head_drop")


def test_tables_say_stage_and_role() -> None:
    table = pd.DataFrame({"layer": ["pixels", "relu", "layer4.0.relu:2", "avgpool", "fc"]})
    read = body("resnet18")
    assert read.staged(table)["stage"].tolist()[1:] == [0, 4, 5, 5]
    assert np.isnan(read.staged(table)["stage"][0])
    assert read.roles(table)["role"].tolist() == ["", "", "deep", "pooled", ""]
    assert body("timm:test_vit", 48).staged(table)["stage"].isna().all()


@pytest.mark.parametrize(
    ("name", "size", "layers", "message"),
    [
        ("resnet34", 48, (), "unknown body 'resnet34'; nearest: timm:resnet34"),
        ("timm:no_such", 48, (), "unknown body 'timm:no_such'"),
        ("resnet18", 48, ("relu",), "those of resnet18 are fixed"),
        ("timm:test_vit", 40, (), "cannot .* images of 40 px"),
        ("timm:test_vit", 48, ("blocks.9", "head_drop"), "unknown layer of timm:test_vit"),
        ("timm:test_vit", 48, ("blocks.3", "blocks.1"), "in the order in which they answer"),
        ("timm:test_vit", 48, ("blocks.3", "head"), "without the head head"),
        ("timm:test_vit", 48, ("blocks.3",), "at least two layers"),
    ],
)
def test_what_does_not_fit_is_one_line(name: str, size: int, layers: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        body(name, size, layers)
    assert "\n" not in str(caught.value)


def test_the_full_preset_is_there_with_both_resnets() -> None:
    study = load_study("xie2024")
    one, other = (configure(study, name, []) for name in ("full", "full-resnet50"))
    assert isinstance(one, Configuration)
    assert isinstance(other, Configuration)
    assert (one.networks.body, other.networks.body) == ("resnet18", "resnet50")
    assert (one.networks.steps, other.networks.steps) == (500_000, 1_000_000)
    assert one.scenes == other.scenes
    assert one.alignment.blocks == other.alignment.blocks == "every"
