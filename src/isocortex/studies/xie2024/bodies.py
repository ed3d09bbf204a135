"""The bodies of the study's networks: how each is built, which layers are read, their stages.

``resnet18`` and ``resnet50`` are read at the layers that the specification names (5.1 to 5.3);
``timm:NAME`` at layers that the configuration names, or at some that are spread over its depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from isocortex.errors import UserError, unknown
from isocortex.models.initial import seeded
from isocortex.models.layers import LayerInfo, trace_layers
from isocortex.models.resnet import ResNet, block_outputs
from isocortex.models.zoo import list_models

RESNETS = {"resnet18": 18, "resnet50": 50}
TIMM = "timm:"
SPREAD = 6
"""Blocks of a body of timm that are read unless the configuration names layers."""

AFTER = 5
"""The stage of what comes after the four of a ResNet; its stem is 0."""


@dataclass(frozen=True)
class Body:
    """Where a network is read, by the use that is made of it; all in order of depth.

    Attributes
    ----------
    mapped : tuple of str
        Candidates for a recorded area.
    last : tuple of str
        Fewer candidates: the last of each stage.
    decoded : tuple of str
        Layers that latents are decoded from; the last but one is `deep`, the last is `pooled`.
    compared : tuple of str
        Layers whose representations are compared between networks.
    head : str
        The linear layer that gives the outputs.
    stages : mapping of str to int
        Depth of a layer: 0 the stem, 1 to 4 the stages, 5 what comes after. Empty for bodies of
        timm, which differ in how many stages they have.
    """

    mapped: tuple[str, ...]
    last: tuple[str, ...]
    decoded: tuple[str, ...]
    compared: tuple[str, ...]
    head: str
    stages: Mapping[str, int] = field(default_factory=dict)

    @property
    def deep(self) -> str:
        """The deepest decoded layer that still has places: layer4 of a ResNet."""
        return self.decoded[-2]

    @property
    def pooled(self) -> str:
        """What the head sees: avgpool of a ResNet."""
        return self.decoded[-1]

    def staged(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table of layers with their ``stage``, NaN where there is none."""
        return table.assign(stage=table["layer"].map(dict(self.stages)).astype(float))

    def roles(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table of layers with their ``role``: deep, pooled, or nothing."""
        names = {self.deep: "deep", self.pooled: "pooled"}
        return table.assign(role=table["layer"].map(names).fillna(""))


def build(name: str, *, width: int, outputs: int, size: int, seed: int) -> nn.Module:
    """Return an untrained network with a linear head.

    Parameters
    ----------
    name : str
        ``"resnet18"``, ``"resnet50"``, or ``"timm:NAME"``, whose weights are random, too.
    width : int
        Channels of the first stage of a ResNet; other bodies are as wide as they are.
    outputs : int
        Units of the head.
    size : int
        Height and width of the images in pixels.
    seed : int
        Of the initial weights; torch's own random numbers are left as they were.

    Raises
    ------
    UserError
        If there is no such body, or it cannot take images of this size.
    """
    if name in RESNETS:
        return ResNet(RESNETS[name], width, outputs, size=size, seed=seed)
    known = list_models("timm")
    if name not in known:
        raise unknown("body", name, [*RESNETS, *known], f"or {TIMM}NAME of a model of timm")
    import timm

    model = name.removeprefix(TIMM)
    recipe = timm.get_pretrained_cfg(model, allow_unregistered=True)
    options: dict[str, Any] = (
        {"img_size": size} if recipe is not None and recipe.fixed_input_size else {}
    )
    try:
        with seeded(seed):
            made: nn.Module = timm.create_model(
                model, pretrained=False, num_classes=outputs, **options
            )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{name} cannot be built for images of {size} px ({reason}); choose another "
            "scenes.size or networks.body"
        ) from None
    return made


@lru_cache(maxsize=8)
def body(name: str, size: int = 224, layers: tuple[str, ...] = ()) -> Body:
    """Return where a body is read.

    Parameters
    ----------
    name : str
        As `build` takes it.
    size : int
        Height and width of the images in pixels.
    layers : tuple of str
        Layers of a body of timm in order of depth, the last of them what its head sees; by default
        `SPREAD` of its blocks, spread evenly up to the last one, and the input of its head.

    Raises
    ------
    UserError
        As `build`; or if layers are named for a ResNet, are too few or not there, or the network
        has no single linear head.
    """
    if name in RESNETS:
        if layers:
            raise UserError(
                f"networks.layers is for bodies of timm; those of {name} are fixed, so leave it out"
            )
        return _resnet(RESNETS[name])
    network = build(name, width=1, outputs=2, size=size, seed=0)
    try:
        traced = trace_layers(network, (3, size, size))
    except UserError as error:
        reason = str(error.__cause__).strip().partition("\n")[0]
        raise UserError(
            f"{name} cannot take images of {size} px ({reason}); choose another scenes.size or "
            "networks.body"
        ) from None
    head = _head(name, network, traced)
    read = layers or _spread(traced, head)
    for layer in read:
        if layer not in traced:
            raise unknown(f"layer of {name}", layer, traced)
    in_order = sorted(set(read), key=list(traced).index)
    if len(read) < 2 or list(read) != in_order or head in read:
        raise UserError(
            f"networks.layers must name at least two layers of {name} in the order in which they "
            f"answer, without the head {head}, which is added"
        )
    return Body(read, read, read, read, head)


def _resnet(depth: int) -> Body:
    blocks = block_outputs(depth)
    every = tuple(name for stage in blocks for name in stage)
    last = tuple(stage[-1] for stage in blocks)
    stages = {name: k for k, stage in enumerate(blocks, start=1) for name in stage}
    return Body(
        mapped=("relu", *every, "avgpool", "fc"),
        last=("relu", *last, "avgpool"),
        decoded=(*(stage[0] for stage in blocks), "avgpool"),
        compared=(*(name for stage in blocks for name in (stage[0], stage[-1])), "avgpool"),
        head="fc",
        stages={"relu": 0, **stages, "avgpool": AFTER, "fc": AFTER},
    )


def _head(name: str, network: nn.Module, traced: Mapping[str, LayerInfo]) -> str:
    """Return the one layer that gives the outputs."""
    ask = getattr(network, "get_classifier", None)
    head = ask() if ask is not None else None
    paths = [path for path, module in network.named_modules() if module is head]
    if not isinstance(head, nn.Linear) or len(paths) != 1 or paths[0] not in traced:
        raise UserError(f"{name} has no single linear head; choose another networks.body")
    return paths[0]


def _spread(traced: Mapping[str, LayerInfo], head: str) -> tuple[str, ...]:
    """Return some blocks, evenly spread over the depth, and what the head sees.

    Blocks are the outermost modules that hold others and are no mere sequences; a network without
    at least two of them is read at all of its outermost modules. What belongs to the head's own
    module, and pooling, is no block.
    """
    names = list(traced)
    before = names[: names.index(head)]
    flat = [name for name in before if len(traced[name].shape) == 1]
    own = tuple(f"{path}." for path in _ancestors(head))
    outermost: list[str] = []
    for name in sorted(before, key=lambda name: name.count(".")):
        mere = traced[name].type == "Sequential" or "Pool" in traced[name].type
        inside = name.startswith((*own, *(f"{outer}." for outer in outermost)))
        if not (inside or mere or name in flat or ":" in name):
            outermost.append(name)
    blocks = [name for name in outermost if any(n.startswith(f"{name}.") for n in before)]
    found = sorted(blocks if len(blocks) > 1 else outermost, key=names.index)
    places = np.unique(np.linspace(0, len(found) - 1, SPREAD).round().astype(int))
    return tuple(dict.fromkeys([*(found[k] for k in places), *flat[-1:]]))


def _ancestors(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]
