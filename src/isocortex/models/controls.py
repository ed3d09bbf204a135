"""Weight controls: what is left of a network when its weights are drawn anew or shuffled.

Each shuffle keeps less than a trained filter is: S1 the weights of every 2-D kernel, S2 those of
every filter, S3 those of the layer, S4 the kernels of every filter but not which channel they
read, S5 only the layer's mean and standard deviation. Biases and normalisation stay; statistics of
batch normalisation no longer fit afterwards, see `gain.reestimate_batchnorm`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from isocortex.errors import UserError, unknown
from isocortex.models.gain import CONVOLUTIONS
from isocortex.models.initial import SCHEMES, initialise

Shuffle = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Takes weights (filters, input channels, places) and gives as many."""


def _within_kernels(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(weight, axis=2)


def _within_filters(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(weight.reshape(len(weight), -1), axis=1).reshape(weight.shape)


def _within_layer(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(weight.ravel()).reshape(weight.shape)


def _input_channels(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = rng.random(weight.shape[:2]).argsort(axis=1)
    return np.take_along_axis(weight, order[:, :, None], axis=1)


def _gaussian(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mean, sd = weight.mean(dtype=np.float64), weight.std(dtype=np.float64)
    return rng.normal(mean, sd, weight.shape)


CONTROLS: dict[str, Shuffle | None] = {
    "random": None,
    "s1": _within_kernels,
    "s2": _within_filters,
    "s3": _within_layer,
    "s4": _input_channels,
    "s5": _gaussian,
}
"""`random`: all weights drawn anew. `s1`: positions inside each 2-D kernel. `s2`: all weights of
one filter. `s3`: all of a layer. `s4`: input channels of each filter, kernels intact. `s5`:
Gaussian with the layer's mean and SD."""


@dataclass(frozen=True)
class Control:
    """One control, complete: the same description makes the same weights.

    Parameters
    ----------
    kind : str
        A name in `CONTROLS`.
    seed : int
        Of the shuffle or the weights. A layer's shuffle depends on the seed and the layer alone,
        whichever other layers are shuffled with it.
    layers : tuple of str, optional
        The convolutions that are shuffled; all of them by default. Not with ``"random"``, which
        draws the whole network.
    scheme : str
        A name in `initial.SCHEMES`, for ``"random"``.

    Raises
    ------
    UserError
        For an unknown kind or scheme, or layers with ``"random"``.
    """

    kind: str
    seed: int = 0
    layers: tuple[str, ...] | None = None
    scheme: str = "he_normal"

    def __post_init__(self) -> None:
        if self.kind not in CONTROLS:
            raise unknown("weight control", self.kind, CONTROLS)
        if self.scheme not in SCHEMES:
            raise unknown("initialisation", self.scheme, SCHEMES)
        if self.kind == "random" and self.layers is not None:
            raise UserError("the control 'random' draws the whole network; leave layers out")

    def describe(self) -> dict[str, Any]:
        """Return kind, seed, layers and, for random weights, the scheme, for provenance."""
        content = asdict(self)
        if self.kind != "random":
            del content["scheme"]
        return content

    @torch.no_grad()
    def apply(self, network: nn.Module) -> nn.Module:
        """Return a copy of a network with these weights; the network is left as it is.

        Raises
        ------
        UserError
            If the network has no such convolution, or parameters that no rule can draw.
        """
        changed = deepcopy(network)
        shuffle = CONTROLS[self.kind]
        if shuffle is None:
            return initialise(changed, self.scheme, seed=self.seed)
        names = _convolutions(changed)
        for name in names if self.layers is None else self.layers:
            if name not in names:
                raise unknown("convolution", name, names)
            weight = changed.get_submodule(name).get_parameter("weight")
            rng = np.random.default_rng([self.seed, names.index(name)])
            old = weight.cpu().numpy()
            new = shuffle(old.reshape(*old.shape[:2], -1), rng).reshape(old.shape)
            weight.copy_(torch.from_numpy(new))
        return changed


def layer_sets(
    network: nn.Module, mode: Literal["all", "single", "cumulative"]
) -> dict[str, tuple[str, ...]]:
    """Return which convolutions to shuffle together, to see where precise weights matter.

    Parameters
    ----------
    network : nn.Module
    mode : {"all", "single", "cumulative"}
        All at once; each by itself; or each with all those below it.

    Returns
    -------
    dict of str to tuple of str
        ``"all"``, or the last layer of a set -> the layers of the set, for `Control.layers`.

    Raises
    ------
    UserError
        If the mode is unknown or the network has no convolution.
    """
    names = _convolutions(network)
    if mode == "all":
        return {"all": tuple(names)}
    if mode == "single":
        return {name: (name,) for name in names}
    if mode == "cumulative":
        return {name: tuple(names[: i + 1]) for i, name in enumerate(names)}
    raise unknown("mode", mode, ("all", "single", "cumulative"))


def _convolutions(network: nn.Module) -> Sequence[str]:
    """Return the names of convolutions in the order in which they were registered."""
    names = [name for name, module in network.named_modules() if isinstance(module, CONVOLUTIONS)]
    if not names:
        raise UserError(f"{type(network).__name__} has no convolution whose weights to shuffle")
    return names
