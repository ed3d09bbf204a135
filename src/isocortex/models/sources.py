"""Where networks come from: torchvision, timm, isocortex itself, and a user's own script."""

from __future__ import annotations

import importlib.util
import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from isocortex.errors import UserError, unknown
from isocortex.models.alexnet import PREPROCESS, caffe_alexnet
from isocortex.models.convnet import PRESETS, ConvNet
from isocortex.models.initial import initialise, seeded
from isocortex.models.latents import NAMES as LATENTS_NAMES
from isocortex.models.latents import PREPROCESS as LATENTS_PREPROCESS
from isocortex.models.latents import latents_resnet
from isocortex.models.preprocessing import Preprocess
from isocortex.models.rnet import NAMES, rnet
from isocortex.models.rnet import PREPROCESS as RNET_PREPROCESS

RANDOM, PRETRAINED = "random", "pretrained"


@dataclass(frozen=True)
class Built:
    """A network before its checkpoint is loaded.

    Attributes
    ----------
    network : nn.Module
    preprocess : callable
    input_shape : tuple of int
        (c, h, w).
    weights : str
        Where the weights come from, in words.
    checkpoint : Path, optional
        What is still to be loaded.
    """

    network: nn.Module
    preprocess: Callable[[Tensor], Tensor]
    input_shape: tuple[int, int, int]
    weights: str
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Source:
    """A place that networks come from.

    Attributes
    ----------
    names : callable
        () -> the names of all of its networks.
    build : callable
        (name, weights, seed) -> Built; raises `UserError` for what is not there.
    """

    names: Callable[[], list[str]]
    build: Callable[[str, str | None, int], Built]


def _built(network: nn.Module, preprocess: Preprocess, weights: str | None, seed: int) -> Built:
    """Describe a network with random weights, which a checkpoint may yet replace."""
    shape = preprocess.input_shape
    if weights in (None, RANDOM):
        return Built(network, preprocess, shape, f"random (seed {seed})")
    return Built(network, preprocess, shape, str(weights), Path(str(weights)))


def _check_weights(weights: str | None, known: tuple[str, ...]) -> None:
    """Refuse weights that are neither among the known words nor a path that exists."""
    if weights is not None and weights not in known and not Path(weights).exists():
        raise unknown("weights", weights, known, "or give the path of a checkpoint")


@contextmanager
def _download(name: str) -> Iterator[None]:
    """Say in one line that weights could not be had, without a log of every attempt."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:
        raise UserError(
            f"the pretrained weights of {name} cannot be had ({_line(error)}); check the network, "
            "give the path of a downloaded checkpoint as the weights, or take random ones"
        ) from error
    finally:
        log.setLevel(level)


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


# torchvision

_OPTIONS: dict[str, dict[str, Any]] = {
    name: {"init_weights": True, "transform_input": True} for name in ("googlenet", "inception_v3")
}
"""What the two inception networks must be told for the weights that are published for them."""


def _torchvision_names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _torchvision(name: str, weights: str | None, seed: int) -> Built:
    from torchvision import models

    if name not in _torchvision_names():
        raise unknown("torchvision model", name, _torchvision_names())
    versions: Any = models.get_model_weights(name)
    members = tuple(versions.__members__)
    _check_weights(weights, (RANDOM, PRETRAINED, *members))
    pretrained = weights == PRETRAINED or weights in members
    version = versions[weights] if weights in members else versions.DEFAULT
    recipe = version.transforms()
    size = recipe.crop_size[0]
    preprocess = Preprocess(
        (3, size, size),
        resize=recipe.resize_size[0],
        interpolation=recipe.interpolation.value,
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
    )
    if not pretrained:
        with seeded(seed):
            network = models.get_model(name, weights=None, **_OPTIONS.get(name, {}))
        return _built(network, preprocess, weights, seed)
    with _download(f"torchvision:{name}"):
        # The builder below reads the same file from the cache, without asking whether it is safe.
        version.get_state_dict(progress=False, check_hash=True, weights_only=True)
        network = models.get_model(name, weights=version, progress=False)
    return Built(network, preprocess, preprocess.input_shape, f"torchvision {version.name}")


TORCHVISION = Source(_torchvision_names, _torchvision)


# timm


def _timm_names() -> list[str]:
    import timm

    return [*timm.list_models(), *timm.list_pretrained()]


def _timm(name: str, weights: str | None, seed: int) -> Built:
    import timm
    from timm.data import resolve_model_data_config

    if name not in _timm_names():
        raise unknown("timm model", name, _timm_names())
    _check_weights(weights, (RANDOM, PRETRAINED))
    if weights == PRETRAINED:
        with _download(f"timm:{name}"):
            network = timm.create_model(name, pretrained=True)
    else:
        with seeded(seed):
            network = timm.create_model(name, pretrained=False)
    recipe = resolve_model_data_config(network)
    c, h, w = recipe["input_size"]
    margin = 1 / recipe["crop_pct"]
    squashed = (math.floor(h * margin), math.floor(w * margin))
    preprocess = Preprocess(
        (c, h, w),
        resize=squashed if recipe["crop_mode"] == "squash" else max(squashed),
        interpolation=recipe["interpolation"],
        mean=tuple(recipe["mean"]),
        std=tuple(recipe["std"]),
    )
    if weights == PRETRAINED:
        version = getattr(timm.get_pretrained_cfg(name), "tag", None) or "default"
        return Built(network, preprocess, preprocess.input_shape, f"timm {version}")
    return _built(network, preprocess, weights, seed)


TIMM = Source(_timm_names, _timm)


# isocortex

_OWN: dict[str, Callable[[int], tuple[nn.Module, Preprocess]]] = {
    "caffe-alexnet": lambda seed: (caffe_alexnet(seed=seed), PREPROCESS),
}


def _preset(name: str, seed: int) -> tuple[nn.Module, Preprocess]:
    network = ConvNet(PRESETS[name], seed=seed)
    return network, Preprocess(network.input_shape)


_OWN.update({name: partial(_preset, name) for name in PRESETS})


def _rnet(name: str, seed: int) -> tuple[nn.Module, Preprocess]:
    activation, pooling = NAMES[name]
    return rnet(activation, pooling, seed=seed), RNET_PREPROCESS


_OWN.update({name: partial(_rnet, name) for name in NAMES})


def _latents(name: str, seed: int) -> tuple[nn.Module, Preprocess]:
    return latents_resnet(name, seed=seed), LATENTS_PREPROCESS


_OWN.update({name: partial(_latents, name) for name in LATENTS_NAMES})


def _own(name: str, weights: str | None, seed: int) -> Built:
    if name not in _OWN:
        raise unknown("isocortex model", name, _OWN)
    if weights == PRETRAINED:
        raise UserError(
            f"isocortex:{name} comes without weights; train it, or give the path of a checkpoint"
        )
    _check_weights(weights, (RANDOM,))
    network, preprocess = _OWN[name](seed)
    return _built(network, preprocess, weights, seed)


ISOCORTEX = Source(lambda: list(_OWN), _own)


# A user's own script


def _file(name: str, weights: str | None, seed: int) -> Built:
    script, colon, factory = name.rpartition(":")
    if not colon or not script or not factory:
        raise UserError(f"file:{name} names no function; write file:script.py:factory")
    if weights == PRETRAINED:
        raise UserError(
            f"file:{name} has no pretrained weights that are known here; leave weights out to keep "
            "those that the factory sets, or give the path of a checkpoint"
        )
    _check_weights(weights, (RANDOM,))
    network = _made_by(Path(script), factory, seed)
    if weights == RANDOM:
        initialise(network, seed=seed)
    shape = _input_shape(network, name)
    built = _built(network, Preprocess(shape), weights, seed)
    if weights is None:
        built = replace(built, weights=f"as {name} sets them (seed {seed})")
    own = getattr(network, "preprocess", None)
    return built if own is None else replace(built, preprocess=own)


def _made_by(script: Path, factory: str, seed: int) -> nn.Module:
    with _importable(script), seeded(seed):
        module = _run(script)
        known = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        if factory not in known:
            raise unknown(f"function in {script}", factory, known)
        try:
            network = getattr(module, factory)()
        except Exception as error:
            raise UserError(f"{factory}() of {script} fails: {_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise UserError(
            f"{factory}() of {script} returns a {type(network).__name__}, not an nn.Module; let it "
            "return the network"
        )
    return network


@contextmanager
def _importable(script: Path) -> Iterator[None]:
    """Let a script import what lies beside it."""
    folder = str(script.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _run(script: Path) -> ModuleType:
    if not script.is_file():
        raise UserError(f"there is no script {script}; write file:script.py:factory")
    name = f"isocortex_file_{script.stem}"
    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        raise UserError(f"{script} is no Python script; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{script} fails when it is run: {_line(error)}") from error
    return module


def _input_shape(network: nn.Module, name: str) -> tuple[int, int, int]:
    shape = getattr(network, "input_shape", (3, 224, 224))
    try:
        c, h, w = (int(n) for n in shape)
    except (TypeError, ValueError):
        raise UserError(f"input_shape of file:{name} is {shape!r}; it must be (c, h, w)") from None
    return c, h, w


FILE = Source(lambda: [], _file)
