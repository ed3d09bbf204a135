"""The spread of pre-activations, stated: one gain a layer, and batch statistics re-estimated.

What an activation does depends on the range in which it works, so "a tanh network" says little
without it. Both functions work on any network, in place, layer by layer from the image upwards, so
that each layer is calibrated on what the calibrated layers below it give.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import Tensor, nn

from isocortex.errors import UserError

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


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
def reestimate_batchnorm(network: nn.Module, images: Tensor, *, batch_size: int = 256) -> int:
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
    batch_size : int
        Images shown at once; memory depends on it, the result does not.

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
    A network with L such layers looks L times at the images, each time no further than it must.
    """
    if not len(images):
        raise UserError("batch normalisation needs images to estimate its statistics; give some")
    names: dict[nn.Module, str] = {
        module: name
        for name, module in network.named_modules()
        if isinstance(module, BATCH_NORMS) and module.running_mean is not None
    }
    uses: Counter[nn.Module] = Counter()

    def note(module: nn.Module, *_: object) -> None:
        uses[module] += 1

    with _eval_mode(network):
        with _hooked(names, note):
            network(images[:1])
        for module, times in uses.items():  # in the order of their first use
            _set_statistics(network, module, times, images, batch_size)
    return len(uses)


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

    count, mean, square = 0, images.new_zeros(()), images.new_zeros(())
    hook = module.register_forward_pre_hook(take)
    try:
        for batch in images.split(batch_size):
            seen.clear()
            with suppress(_ReachedError):
                network(batch)
            values = torch.cat([x.transpose(0, 1).flatten(1) for x in seen], dim=1).double()
            # Merge with what came before, by the update of Chan, Golub & LeVeque.
            n, own = values.shape[1], values.mean(dim=1)
            shift, total = own - mean, count + n
            square = square + values.var(dim=1, correction=0) * n
            square = square + shift.square() * (count * n / total)
            mean, count = mean + shift * (n / total), total
    finally:
        hook.remove()
    module.get_buffer("running_mean").copy_(mean)
    module.get_buffer("running_var").copy_(square / count)


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
