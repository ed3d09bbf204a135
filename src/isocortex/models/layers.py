"""The layers of a network, as one forward pass meets them, and the grids that they sample."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models.calls import call_name, first_tensor
from isocortex.models.receptive_fields import FieldTracker, ReceptiveField


@dataclass(frozen=True)
class LayerInfo:
    """One call of a module.

    Attributes
    ----------
    type : str
        The module's class.
    shape : tuple of int
        Of its output for one image, without the axis of the images.
    receptive_field : ReceptiveField, optional
        What the units of a map see; None where the output is no map, or it is not known.
    """

    type: str
    shape: tuple[int, ...]
    receptive_field: ReceptiveField | None


def trace_layers(network: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, LayerInfo]:
    """Return the layers of a network in the order in which they finish.

    Every module that is called and gives a tensor is a layer, modules that hold others included.
    Where a module gives a tuple, list or dict, its first tensor counts. The k-th call of a reused
    module is named as in `models.calls`.

    Parameters
    ----------
    network : nn.Module
        Left in the mode that it is in.
    input_shape : tuple of int
        (c, h, w) of an image.

    Returns
    -------
    dict of str to LayerInfo

    Raises
    ------
    UserError
        If the network cannot take such images.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    images = torch.zeros(1, *input_shape, device=device)
    tracker = FieldTracker(images)
    layers: dict[str, LayerInfo] = {}
    calls: Counter[str] = Counter()

    def note(path: str, module: nn.Module, output: Any) -> None:
        calls[path] += 1
        tensor = first_tensor(output)
        if tensor is not None:
            name = call_name(path, calls[path])
            shape = tuple(tensor.shape[1:])
            layers[name] = LayerInfo(type(module).__name__, shape, tracker.of(tensor))

    with ExitStack() as stack:
        for path, module in network.named_modules():
            stack.callback(setattr, module, "training", module.training)
            if path:
                hook = module.register_forward_hook(
                    lambda module, _, output, path=path: note(path, module, output)
                )
                stack.enter_context(hook)
        network.eval()
        try:
            with torch.no_grad(), tracker:
                network(images)
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise UserError(
                f"{type(network).__name__} cannot take images of shape {tuple(input_shape)} "
                f"({type(error).__name__}: {reason}); give it its own input_shape = (c, h, w)"
            ) from error
    return layers


def grid_check(network: nn.Module, input_size: int | tuple[int, int, int]) -> pd.DataFrame:
    """Ask of each layer whether its units sample the image mirror-symmetrically.

    Only on a symmetric grid can a layer commute with mirroring the image. Strides make it
    asymmetric wherever a window does not fit the map without a rest: torchvision's AlexNet lies
    half a pixel off the centre of its 224-px images.

    Parameters
    ----------
    network : nn.Module
    input_size : int or tuple of int
        Pixels of a square image, or (c, h, w).

    Returns
    -------
    pandas.DataFrame
        One row a layer whose units form a map on a known grid: `layer`, `type`, `height`, `width`,
        `offset_y`, `offset_x` (pixels by which the grid lies below and right of the image's
        centre), `symmetric` (about the vertical midline: `offset_x` is 0).

    Raises
    ------
    UserError
        If the network cannot take such images.
    """
    if isinstance(input_size, int):
        shape = (_in_channels(network), input_size, input_size)
    else:
        shape = input_size
    rows = []
    for name, info in trace_layers(network, shape).items():
        if info.receptive_field is not None:
            height, width = info.shape[-2:]
            y, x = info.receptive_field.off_centre((height, width), shape[1:])
            rows.append((name, info.type, height, width, y, x, x == 0))
    columns = ["layer", "type", "height", "width", "offset_y", "offset_x", "symmetric"]
    return pd.DataFrame(rows, columns=columns)


def _in_channels(network: nn.Module) -> int:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise UserError(
        f"{type(network).__name__} has no convolution that says how many channels an image has; "
        "give input_size as (c, h, w)"
    )
