"""One network looking at one stimulus set: what is checked before, and what a batch gives."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from isocortex.errors import UserError, unknown
from isocortex.recording.devices import usable_device
from isocortex.recording.hooks import LayerHooks
from isocortex.recording.key import recording_key
from isocortex.recording.layout import Layout
from isocortex.recording.subsample import Rule, Units, rule_of
from isocortex.stimuli.stimulus_set import StimulusSet

DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}
"""What responses may be kept as."""


class Stimuli(Protocol):
    """The least that stimuli must have; a `stimuli.StimulusSet` has more."""

    @property
    def table(self) -> pd.DataFrame:
        """One row a stimulus, with a `stimulus_id`."""

    def __len__(self) -> int: ...

    def images(self, indices: np.ndarray, /) -> Tensor:
        """Return images (k, c, h, w) in [0, 1]."""


class Model(Protocol):
    """What is asked of a model that is not a bare module; a `models.Model` has it."""

    @property
    def network(self) -> nn.Module:
        """The module that is recorded."""

    def preprocess(self, images: Tensor, /) -> Tensor:
        """Turn images in [0, 1] into what the network takes."""


@dataclass(frozen=True)
class Session:
    """Everything that responses depend on, checked; made by `Session.of`."""

    network: nn.Module
    preprocess: Callable[[Tensor], Tensor] | None
    transform: Callable[[Tensor], Tensor] | None
    stimuli: StimulusSet
    layers: list[str]
    dtype: str
    rule: Rule
    device: torch.device

    @classmethod
    def of(
        cls,
        model: Model | nn.Module,
        stimuli: Stimuli | Tensor | np.ndarray,
        layers: str | Sequence[str],
        *,
        dtype: str,
        units: Units,
        device: str | torch.device,
        transform: Callable[[Tensor], Tensor] | None,
    ) -> Session:
        """Check the arguments of `record` of these names.

        Raises
        ------
        UserError
            If there are no stimuli, or the dtype, rule or device is not there.
        """
        if dtype not in DTYPES:
            raise unknown("dtype", str(dtype), DTYPES)
        if not len(stimuli):
            raise UserError("there are no stimuli to record; give at least one")
        network, preprocess = (
            (model, None) if isinstance(model, nn.Module) else (model.network, model.preprocess)
        )
        return cls(
            network=network,
            preprocess=preprocess,
            transform=transform,
            stimuli=_stimulus_set(stimuli),
            layers=[layers] if isinstance(layers, str) else list(layers),
            dtype=dtype,
            rule=rule_of(units),
            device=usable_device(device),
        )

    @property
    def n(self) -> int:
        """Number of presentations."""
        return len(self.stimuli)

    @contextlib.contextmanager
    def watching(self) -> Iterator[LayerHooks]:
        """Put the network on the device and hooks into it; put all back on leaving."""
        hooks = LayerHooks(self.network, self.layers)
        first = next(self.network.parameters(), None)
        home = self.device if first is None else first.device
        try:
            self.network.to(self.device)
            with hooks:
                yield hooks
        finally:
            self.network.to(home)

    def images(self, indices: np.ndarray) -> Tensor:
        """Return the given stimuli as the network takes them, on the device.

        Raises
        ------
        UserError
            If a stimulus leaves [0, 1] or has a NaN.
        """
        images = self.stimuli.images(indices).to(self.device)
        return self.prepare(images).to(self.device)

    def prepare(self, images: Tensor) -> Tensor:
        """Transform and preprocess images."""
        with torch.no_grad():
            for step in (self.transform, self.preprocess):
                images = images if step is None else step(images)
        return images

    def probe(self, hooks: LayerHooks) -> dict[str, Layout]:
        """Show two images and return the layouts that the layers answer with.

        Raises
        ------
        UserError
            If the network cannot take the images, or a layer's output has no axis of images.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        images = self.images(np.array([0, min(1, self.n - 1)]))
        try:
            hooks.run(images, lambda layer, output: shapes.update({layer: tuple(output.shape)}))
        except (RuntimeError, TypeError, IndexError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(
                f"the network cannot look at images of shape {tuple(images.shape[1:])}; give "
                f"images that it was made for ({reason})"
            ) from error
        for layer, shape in shapes.items():
            if shape[:1] != (2,):
                raise UserError(
                    f"layer {layer!r} answers two images with shape {shape}, whose first axis is "
                    "not that of the images; choose another layer"
                )
        return {layer: Layout(layer, shapes[layer][1:]) for layer in self.layers}

    def key(self) -> dict[str, Any]:
        """Return what identifies the recording; see `recording_key`."""
        return recording_key(
            self.network,
            self.stimuli.checksum(),
            self.prepare,
            self.stimuli.shape,
            layers=self.layers,
            dtype=self.dtype,
            units=self.rule.describe(),
        )


class Recorder:
    """Fills rows of responses, batch by batch.

    Parameters
    ----------
    session : Session
        Network, stimuli and what to keep.
    hooks : LayerHooks
        The network under observation.
    layouts : mapping
        Layer names to their layouts; every batch must answer with these.
    """

    def __init__(self, session: Session, hooks: LayerHooks, layouts: Mapping[str, Layout]) -> None:
        self.session = session
        self.layouts = layouts
        self._hooks = hooks
        self._dtype = DTYPES[session.dtype]
        self._picks = {
            layer: session.rule.pick(layouts[layer], session.device) for layer in session.layers
        }

    @property
    def widths(self) -> list[int]:
        """How many numbers are kept of each layer."""
        return [self.session.rule.width(self.layouts[layer]) for layer in self.session.layers]

    @property
    def row_bytes(self) -> int:
        """Bytes of the responses to one presentation."""
        return sum(self.widths) * self._dtype.itemsize

    def room(self, n: int) -> dict[str, Tensor]:
        """Return room for the responses to n presentations, in memory.

        Numpy asks the system for huge pages, which makes the first writing four times as fast.
        """
        dtype = np.dtype(self.session.dtype)
        return {
            layer: torch.from_numpy(np.empty((n, width), dtype))
            for layer, width in zip(self.session.layers, self.widths, strict=True)
        }

    def fill(self, rows: range, room: Mapping[str, Tensor]) -> None:
        """Show the stimuli `rows` at once and put the responses into `room`, (rows, width) each.

        Raises
        ------
        UserError
            If a layer's output changes its shape, or a response is NaN, infinite or too large.
        """
        kept: dict[str, Tensor] = {}

        def take(layer: str, output: Tensor) -> None:
            shape = (len(rows), *self.layouts[layer].shape)
            if output.shape[:1] != shape[:1] or output.numel() != math.prod(shape):
                raise UserError(
                    f"layer {layer!r} answers a batch with shape {tuple(output.shape)} where "
                    f"{shape} was seen before; record images of one size, or another layer"
                )
            values = output.reshape(len(rows), -1)
            if values.dtype not in (torch.float32, torch.float64):
                values = values.float()
            picked = self._picks[layer](values)
            place = room[layer]
            if picked.device != place.device:
                place = torch.empty_like(place, device=picked.device)
            kept[layer] = place.copy_(picked)

        indices = np.arange(rows.start, rows.stop)
        self._hooks.run(self.session.images(indices), take)
        for layer, values in kept.items():
            self._check_finite(layer, values, indices)
            if values is not room[layer]:
                room[layer].copy_(values)

    def _check_finite(self, layer: str, values: Tensor, indices: np.ndarray) -> None:
        """Raise `UserError` naming layer and stimulus of the first number that is none."""
        low, high = torch.aminmax(values)
        if math.isfinite(low) and math.isfinite(high):
            return
        row = int((~torch.isfinite(values)).any(1).nonzero()[0])
        stimulus = self.session.stimuli.table["stimulus_id"].iloc[indices[row]]
        if bool(values[row].isnan().any()):
            what, remedy = "NaN", "check the weights and the preprocessing"
        elif self.session.dtype == "float16":
            what, remedy = "more than float16 can hold (65504)", "record with dtype='float32'"
        else:
            what, remedy = "an infinite number", "check the weights and the preprocessing"
        raise UserError(f"layer {layer!r} answers stimulus {stimulus!r} with {what}; {remedy}")


def _stimulus_set(stimuli: Stimuli | Tensor | np.ndarray) -> StimulusSet:
    """Return stimuli as a set, which checks images as it gives them."""
    if isinstance(stimuli, StimulusSet):
        return stimuli
    if isinstance(stimuli, (Tensor, np.ndarray)):
        return StimulusSet.from_tensor(stimuli)
    c, h, w = stimuli.images(np.array([0])).shape[1:]
    return StimulusSet(stimuli.images, stimuli.table, shape=(c, h, w))
