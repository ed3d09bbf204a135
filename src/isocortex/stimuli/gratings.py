"""Sinusoidal gratings, static or drifting, over the whole image or within a disc.

Orientation is that of the contour, in degrees anticlockwise from horizontal as displayed: 0 is a
grating of horizontal stripes, 90 one of vertical stripes. The luminance is

    L = 0.5 + contrast / 2 * cos(2 pi f (x sin(orientation) + y cos(orientation)) - phase)

with x to the right and y downwards from the image's centre. The phases of a grating are the frames
of one cycle of its drift, in steps towards growing x sin + y cos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli.stimulus_set import StimulusSet

ORIENTATIONS: tuple[float, ...] = tuple(float(a) for a in range(0, 180, 15))
"""Every 15 degrees."""

SMALL_FREQUENCIES = (0.06, 0.09, 0.13, 0.20)
"""Cycles per pixel."""

MARQUES_FREQUENCIES = (0.77, 1.54, 3.08, 6.17)
"""Cycles per degree."""

MARQUES_CYCLES = (2.0, 3.0, 4.0)
"""Diameters of the discs, in cycles of their grating."""

GREY = 0.5
"""Luminance of the background, and of the blank image."""


def gratings(
    frequencies: Sequence[float],
    *,
    orientations: Sequence[float] = ORIENTATIONS,
    phases: int = 8,
    contrasts: Sequence[float] = (1.0,),
    diameters: Sequence[float] | None = None,
    cycles: Sequence[float] | None = None,
    size: int = 64,
    degrees: float | None = None,
    blank: bool = False,
) -> StimulusSet:
    """Return gratings of all combinations of the given properties.

    Parameters
    ----------
    frequencies : sequence of float
        Spatial frequencies: cycles per degree if `degrees` is given, else cycles per pixel.
    orientations : sequence of float
        Of the contour, in degrees.
    phases : int
        Frames of a cycle: phases are 0, 360 / phases, ... degrees.
    contrasts : sequence of float
        Michelson contrasts, above 0 and at most 1.
    diameters : sequence of float, optional
        Of discs at the image's centre, in degrees if `degrees` is given, else in pixels; the
        gratings fill the image if neither these nor `cycles` are given. The edge is one pixel wide.
    cycles : sequence of float, optional
        Diameters of discs as a number of cycles of their grating.
    size : int
        Width and height in pixels.
    degrees : float, optional
        Visual angle of the image width.
    blank : bool
        Whether the grey image is the last stimulus.

    Returns
    -------
    StimulusSet
        Grey images. Columns ``stimulus_id, orientation`` and ``phase`` (degrees), ``frequency``
        (cycles per pixel), ``frequency_cpd`` (missing without `degrees`), ``diameter`` (pixels,
        infinite for gratings that fill the image), ``contrast``, ``condition`` (number of the
        combination of contrast, diameter and frequency), ``blank``. Phases follow each other
        fastest, then orientations, then conditions; the blank has contrast 0, the condition -1, and
        is not a number in the others.

    Raises
    ------
    UserError
        If a property is missing, repeated or out of range: a frequency must stay below half a cycle
        per pixel.
    """
    _check(size, phases, orientations, frequencies, contrasts, degrees, diameters, cycles)
    pixels = size if degrees is None else size / degrees  # per unit of `frequencies`' inverse
    per_pixel = 1.0 if degrees is None else 1 / pixels
    rows = []
    discs: Sequence[float] = (np.inf,)
    if diameters is not None:
        discs = [d / per_pixel for d in diameters]
    elif cycles is not None:
        discs = cycles
    conditions = list(product(contrasts, discs, [f * per_pixel for f in frequencies]))
    for k, (contrast, disc, frequency) in enumerate(conditions):
        diameter = disc / frequency if cycles is not None else disc
        for orientation, phase in product(orientations, np.arange(phases) * 360 / phases):
            rows.append((orientation, phase, frequency, diameter, contrast, k))
    names = ["orientation", "phase", "frequency", "diameter", "contrast", "condition"]
    table = pd.DataFrame(rows, columns=names).astype({"condition": int})
    table["blank"] = False
    if blank:
        table.loc[len(table)] = (np.nan, np.nan, np.nan, np.nan, 0.0, -1, True)
    table.insert(3, "frequency_cpd", table["frequency"] / per_pixel if degrees else np.nan)
    table.insert(0, "stimulus_id", [_name(row) for row in table.itertuples()])
    parameters = table[["orientation", "phase", "frequency", "diameter", "contrast"]]
    return StimulusSet(
        _Source(parameters.to_numpy(float), size), table, degrees, shape=(1, size, size)
    )


def small_gratings(*, size: int = 64, contrast: float = 1.0, blank: bool = True) -> StimulusSet:
    """Return the small set: 12 orientations, 4 frequencies, 8 phases, over the whole image.

    384 images, and the grey one; frequencies are .06, .09, .13 and .20 cycles per pixel.
    """
    return gratings(SMALL_FREQUENCIES, contrasts=(contrast,), size=size, blank=blank)


def marques_gratings(*, size: int = 672, blank: bool = True) -> StimulusSet:
    """Return the set after Marques et al. (2020): 12 degrees wide, discs of 2, 3 and 4 cycles.

    1152 images (12 orientations, 8 phases, 4 frequencies from .77 to 6.17 cycles per degree, 3
    diameters), and the grey one. Brain-Score shows these images at 672 px.
    """
    return gratings(
        MARQUES_FREQUENCIES, cycles=MARQUES_CYCLES, size=size, degrees=12.0, blank=blank
    )


GRATINGS: dict[str, Callable[[], StimulusSet]] = {
    "small": small_gratings,
    "marques2020": marques_gratings,
}
"""Sets with a name."""


@dataclass(frozen=True, eq=False)
class _Source:
    """Draws gratings from rows of orientation, phase, frequency, diameter, contrast."""

    parameters: np.ndarray
    size: int

    def __call__(self, rows: np.ndarray) -> Tensor:
        orientation, phase, frequency, diameter, contrast = (
            torch.from_numpy(np.nan_to_num(column, nan=0.0, posinf=np.inf)).reshape(-1, 1, 1)
            for column in self.parameters[rows].T
        )
        place = torch.arange(self.size, dtype=torch.float64) - (self.size - 1) / 2
        x, y = place[None, None, :], place[None, :, None]
        angle = orientation.deg2rad()
        across = x * angle.sin() + y * angle.cos()
        wave = torch.cos(2 * torch.pi * frequency * across - phase.deg2rad())
        inside = (diameter / 2 + 0.5 - torch.hypot(x, y)).clamp(0, 1)
        images = GREY + contrast / 2 * wave * inside
        return images.clamp(0, 1).unsqueeze(1).float()


def _name(row: Any) -> str:
    if row.blank:
        return "blank"
    return f"condition{row.condition}_orientation{row.orientation:g}_phase{row.phase:g}"


def _check(
    size: int,
    phases: int,
    orientations: Sequence[float],
    frequencies: Sequence[float],
    contrasts: Sequence[float],
    degrees: float | None,
    diameters: Sequence[float] | None,
    cycles: Sequence[float] | None,
) -> None:
    if size < 2 or phases < 1:
        raise UserError(f"size is {size} and phases {phases}; give at least 2 pixels and 1 phase")
    if degrees is not None and not degrees > 0:
        raise UserError(f"degrees is {degrees}, but an image has a width above 0")
    if diameters is not None and cycles is not None:
        raise UserError("give diameters or cycles of the discs, not both")
    limit = 0.5 if degrees is None else 0.5 * size / degrees
    unit = "cycles per pixel" if degrees is None else "cycles per degree"
    for name, values, high, words in (
        ("orientations", orientations, 180.0, "degrees from 0 to below 180"),
        ("frequencies", frequencies, limit, f"{unit} above 0 and below {limit:g}"),
        ("contrasts", contrasts, np.nextafter(1, 2), "contrasts above 0 and at most 1"),
        ("diameters", diameters, np.inf, "diameters above 0"),
        ("cycles", cycles, np.inf, "numbers of cycles above 0"),
    ):
        if values is None:
            continue
        if not len(values) or len(set(values)) < len(values):
            raise UserError(f"{name} are {list(values)}; give one or more, none twice")
        zero = name == "orientations"
        if not all(0 < v < high or (zero and v == 0) for v in values):
            raise UserError(f"{name} are {list(values)}; give {words}")
