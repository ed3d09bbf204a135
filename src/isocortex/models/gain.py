"""The spread of pre-activations, stated: one gain a layer, and batch statistics re-estimated.

What an activation does depends on the range in which it works, so "a tanh network" says little
without it. Both functions work on any network, in place, layer by layer from the image upwards, so
that each layer is calibrated on what the calibrated layers below it give.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor, nn

from isocortex.errors import UserError

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

PIXELS_AT_ONCE = 2_500_000
"""Of all images that are shown together when batch statistics are estimated: with 32 channels
their map has a third of a gigabyte."""

ROWS_AT_ONCE = 4_096


@torch.no_grad()
def set_gain(
    network: nn.Module,
    images: Tensor,
    *,
    sd: float = 1.0,
    bias_sd: float = 0.0,
    seed: int = 0,
) -> dict[str, float]:
    """Scale the weights of each convolution so that all its outputs together have one SD.

    The SD is over images, channels and places of a layer: one scalar a layer, which leaves the
    filters as they are to each other. Weights and biases are multiplied by it, in place.

    Parameters
    ----------
    network : nn.Module
        Without batch normalisation, which would undo the gain.
    images : Tensor, shape (n, c, h, w)
        Calibration images as the network takes them, shown all at once.
    sd : float
        The SD wanted.
    bias_sd : float
        If above 0, the biases of each layer are drawn from N(0, bias_sd^2) and added to outputs
        whose SD without bias is `sd`; layers above are calibrated with these biases in place.
    seed : int
        Of these biases.

    Returns
    -------
    dict of str to float
        Layer -> factor by which its weights were multiplied, in the order of the layers.

    Raises
    ------
    UserError
        If the network has batch normalisation or no convolution, a number is out of range, or a
        layer does not answer the images at all.
    """
    if not sd > 0 or not bias_sd >= 0:
        raise UserError(f"sd is {sd} and bias_sd {bias_sd}; give sd above 0, and bias_sd 0 or more")
    names = {module: name for name, module in network.named_modules()}
    if any(isinstance(module, BATCH_NORMS) for module in names):
        raise UserError(
            f"{type(network).__name__} has batch normalisation, which undoes a gain; "
            "use reestimate_batchnorm"
        )
    wanted: dict[nn.Module, str] = {
        module: name for module, name in names.items() if isinstance(module, CONVOLUTIONS)
    }
    if not wanted:
        raise UserError(f"{type(network).__name__} has no convolution whose gain could be set")
    if bias_sd and any(module.bias is None for module in wanted):
        raise UserError("bias_sd is above 0, but a convolution of the network has no bias")
    factors: dict[str, float] = {}

    def scale(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        name = wanted[module]
        if name in factors:  # a reused module is set where it is used first
            return None
        shape = (-1, *[1] * (output.ndim - 2))
        if bias_sd and isinstance(module.bias, Tensor):
            output = output - module.bias.reshape(shape)
            module.bias.zero_()
        spread = output.double().std(correction=0).item()
        if not (math.isfinite(spread) and spread > 0):
            raise UserError(
                f"pre-activations of {name} do not vary over the calibration images; give images "
                "that differ, or weights that are not all zero"
            )
        factors[name] = factor = sd / spread
        for parameter in module.parameters(recurse=False):
            parameter.mul_(factor)
        scaled = output * factor
        if bias_sd and isinstance(module.bias, Tensor):
            rng = np.random.default_rng([seed, len(factors)])
            module.bias.copy_(torch.from_numpy(bias_sd * rng.standard_normal(len(module.bias))))
            scaled = scaled + module.bias.reshape(shape)
        return scaled

    with _eval_mode(network), _hooked(wanted, scale):
        network(images)
    return factors


@torch.no_grad()
def reestimate_batchnorm(
    network: nn.Module, images: Tensor, *, batch_size: int | None = None
) -> int:
    """Set the running statistics of all batch normalisation to those of some images, in place.

    Mean and variance (over all images and places, without Bessel's correction) of each layer are
    exact, whatever the batches, and are computed with those of the layers below already in place.
    Random, shuffled and trained networks are then normalised alike.

    Parameters
    ----------
    network : nn.Module
        Its weights are left as they are.
    images : Tensor, shape (n, c, h, w)
        As the network takes them.
    batch_size : int, optional
        Images shown at once; memory depends on it, the result does not. By default as many as have
        2.5 million pixels together.

    Returns
    -------
    int
        Number of layers whose statistics were set; 0 if there is no batch normalisation.

    Raises
    ------
    UserError
        If there are no images.

    Notes
    -----
    If all images are shown at once, each layer is set on the way and the network looks at them
    once; else a network with L such layers looks L times, each time no further than it must.
    """
    if not len(images):
        raise UserError("batch normalisation needs images to estimate its statistics; give some")
    names: dict[nn.Module, str] = {
        module: name
        for name, module in network.named_modules()
        if isinstance(module, BATCH_NORMS) and module.running_mean is not None
    }
    if batch_size is None:
        batch_size = max(1, PIXELS_AT_ONCE // images[0, 0].numel())
    uses: Counter[nn.Module] = Counter()

    def note(module: nn.Module, *_: object) -> None:
        uses[module] += 1

    with _eval_mode(network):
        with _hooked(names, note):
            network(images[:1])
        if len(images) <= batch_size and set(uses.values()) == {1}:
            _set_all_statistics(network, uses, images)
            return len(uses)
        for module, times in uses.items():  # in the order of their first use
            _set_statistics(network, module, times, images, batch_size)
    return len(uses)


class _Moments:
    """Mean and variance of each channel (second axis) of all maps that are added, in float64."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._square = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        # Few rows at a time stay in the processor's cache, which is ten times as fast.
        for rows in x.movedim(1, -1).reshape(-1, x.shape[1]).split(ROWS_AT_ONCE):
            values = rows.double()
            own = values.mean(dim=0)
            square = (values - own).square_().sum(dim=0)
            # Merge with what came before, by the update of Chan, Golub & LeVeque.
            n = len(values)
            total, shift = self._count + n, own - self._mean
            self._square = self._square + square + shift.square() * (self._count * n / total)
            self._mean = self._mean + shift * (n / total)
            self._count = total

    def set(self, module: nn.Module) -> None:
        module.get_buffer("running_mean").copy_(self._mean)
        module.get_buffer("running_var").copy_(self._square / self._count)


def _set_all_statistics(network: nn.Module, modules: Iterable[nn.Module], images: Tensor) -> None:
    """Set the statistics of layers that are used once, each before it answers."""

    def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        moments = _Moments()
        moments.add(inputs[0])
        moments.set(module)

    hooks = [module.register_forward_pre_hook(measure) for module in modules]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()


class _ReachedError(BaseException):
    """A layer has its input; what lies above need not run."""


def _set_statistics(
    network: nn.Module, module: nn.Module, uses: int, images: Tensor, batch_size: int
) -> None:
    """Measure and set mean and variance of one layer's input, over all its uses."""
    seen: list[Tensor] = []

    def take(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])
        if len(seen) == uses:
            raise _ReachedError

    moments = _Moments()
    hook = module.register_forward_pre_hook(take)
    try:
        for batch in images.split(batch_size):
            seen.clear()
            with suppress(_ReachedError):
                network(batch)
            for x in seen:
                moments.add(x)
    finally:
        hook.remove()
    moments.set(module)


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode, and every module back into its own afterwards."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _hooked(modules: dict[nn.Module, str], hook: Callable[..., Tensor | None]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
