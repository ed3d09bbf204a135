"""`load_model`: one way to a network, whatever library or script it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from isocortex.data import checksum
from isocortex.errors import UserError, nearest, unknown
from isocortex.models import sources
from isocortex.models.calls import split_call
from isocortex.models.checkpoints import load_weights
from isocortex.models.layers import LayerInfo, trace_layers
from isocortex.models.sources import Source

SOURCES: dict[str, Source] = {
    "torchvision": sources.TORCHVISION,
    "timm": sources.TIMM,
    "isocortex": sources.ISOCORTEX,
    "file": sources.FILE,
}
"""What stands before the colon of a model's name."""


@dataclass(frozen=True)
class Model:
    """A network that is ready to look at stimuli.

    Attributes
    ----------
    name : str
        As given to `load_model`.
    network : nn.Module
        On the CPU, in eval mode.
    layers : dict of str to LayerInfo
        In the order in which they answer.
    preprocess : callable
        Images (n, c, h, w) in [0, 1] -> what the network takes.
    input_shape : tuple of int
        (c, h, w) of the images that need no resizing.
    weights : str
        Where the weights come from.
    """

    name: str
    network: nn.Module
    layers: dict[str, LayerInfo]
    preprocess: Callable[[Tensor], Tensor]
    input_shape: tuple[int, int, int]
    weights: str

    def layer(self, name: str) -> LayerInfo:
        """Return what is known about a layer; ``path:1`` is the same as ``path``.

        Raises
        ------
        UserError
            If there is no such layer; the nearest are named.
        """
        path, call = split_call(name, self.layers)
        found = self.layers.get(path if call == 1 else name)
        if found is None:
            hint = f"list them with: isocortex layers {self.name}"
            raise unknown("layer", name, self.layers, hint)
        return found


def load_model(name: str, weights: str | Path | None = None, *, seed: int = 0) -> Model:
    """Build a network, give it its weights, and list its layers.

    Parameters
    ----------
    name : str
        ``"torchvision:alexnet"``, ``"timm:resnet18.a1_in1k"``, ``"isocortex:half"`` (the presets of
        `convnet`, ``caffe-alexnet``, ``rnet-relu-max`` and its kin, see `rnet`, and
        ``latents-resnet18`` and ``latents-resnet50`` for the weights of Xie et al. 2025), or
        ``"file:script.py:factory"``: the script is run, and what its function `factory` returns is
        the network. A network from a file may have attributes `input_shape`, (c, h, w),
        3 x 224 x 224 by default, and `preprocess`.
    weights : str or path, optional
        ``"random"``; ``"pretrained"`` (downloaded by the library once, or by a named version such
        as ``"IMAGENET1K_V1"`` of torchvision); the path of a checkpoint. By default weights are
        random, and those of a file as its factory leaves them.
    seed : int
        Of random weights.

    Returns
    -------
    Model

    Raises
    ------
    UserError
        If the name, the weights or the script are not there or broken, or the checkpoint is of
        another architecture.
    """
    source, _, rest = name.partition(":")
    if source not in SOURCES or not rest:
        raise _not_a_name(name)
    built = SOURCES[source].build(rest, None if weights is None else str(weights), seed)
    if built.checkpoint is not None:
        load_weights(built.network, built.checkpoint)
    network = built.network.eval()
    layers = trace_layers(network, built.input_shape)
    return Model(name, network, layers, built.preprocess, built.input_shape, built.weights)


def files_checksum(name: str, weights: str | Path | None = None) -> str:
    """Return the checksums of the files that a model is made of: its script and its checkpoint.

    Nothing for models and weights that have a name; what is cached carries it in its key.
    """
    script = name.removeprefix("file:").rpartition(":")[0] if name.startswith("file:") else ""
    files = (script, "" if weights is None else str(weights))
    return " ".join(checksum(file) for file in files if Path(file).is_file())


def list_models(source: str) -> list[str]:
    """Return the full names of the models of a source; none for ``"file"``.

    Raises
    ------
    UserError
        If there is no such source.
    """
    if source not in SOURCES:
        raise unknown("model source", source, SOURCES)
    return [f"{source}:{name}" for name in SOURCES[source].names()]


def _not_a_name(name: str) -> UserError:
    source, colon, rest = name.partition(":")
    if colon and source not in SOURCES:
        return unknown("model source", source, SOURCES)
    known = {full.partition(":")[2]: full for s in reversed(SOURCES) for full in list_models(s)}
    wanted = rest if colon else name
    close = [known[n] for n in nearest(wanted, known)] if wanted else []
    help_ = f"nearest: {', '.join(close)}" if close else f"known sources: {', '.join(SOURCES)}"
    return UserError(f"{name!r} is no model's name, which is SOURCE:NAME; {help_}")
