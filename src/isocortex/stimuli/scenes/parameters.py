"""What is drawn for an image: every sampled number, its range, and what can be done to it."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.mesh import FloatArray

Range = tuple[float, float]

POSE: dict[str, dict[str, Range]] = {
    "tdw": {
        "range": (0.9, 4.2),
        "turn_pitch": (-20.0, 20.0),
        "turn_yaw": (-20.0, 20.0),
        "pitch": (-45.0, 45.0),
        "yaw": (-45.0, 45.0),
        "roll": (-45.0, 45.0),
    },
    "direct": {
        "depth": (0.9, 4.2),
        "angle_x": (-20.0, 20.0),
        "angle_y": (-20.0, 20.0),
        "pitch": (-45.0, 45.0),
        "yaw": (-45.0, 45.0),
        "roll": (-45.0, 45.0),
    },
}
"""Sampled parameters of the pose and their ranges, for each sampler; units of the object's longest
side, and degrees."""

SO3: dict[str, Range] = {
    "pitch_sine": (-1.0, 1.0),
    "yaw": (-180.0, 180.0),
    "roll": (-180.0, 180.0),
}
"""In place of the three angles: with a uniform sine of pitch the rotation is uniform on SO(3)."""

GROUPS: dict[str, tuple[str, ...]] = {
    "distance": ("range", "depth"),
    "translation": ("turn_pitch", "turn_yaw", "angle_x", "angle_y"),
    "rotation": ("pitch", "pitch_sine", "yaw", "roll"),
    "view": ("view_azimuth", "view_height"),
    "crop": ("background", "crop_scale", "crop_x", "crop_y", "crop_flip"),
    "light": ("sun_azimuth", "sun_elevation", "sun_strength", "ambient_strength", "sun_warmth"),
    "camera": ("exposure", "tone", "blur", "noise"),
}
"""Names that stand for several parameters at once in an intervention."""

IMAGE: dict[str, Range] = {
    "view_azimuth": (-180.0, 180.0),  # of the camera about the object, degrees
    "view_height": (-0.2, 1.0),  # of the camera on the unit sphere: uniform on its surface
    "background": (0.0, 1.0),  # which of the backgrounds of its class
    "crop_scale": (0.5, 1.0),  # side of the crop, in shorter sides of the picture
    "crop_x": (0.0, 1.0),  # where the crop lies, and where the ground's texture begins
    "crop_y": (0.0, 1.0),
    "crop_flip": (0.0, 1.0),  # mirrored above a half
    "ground_gap": (0.0, 0.4),  # from the lowest point of the object to the ground
    "exposure": (0.0, 0.0),  # stops
    "tone": (1.0, 1.0),  # exponent of the grey levels
    "blur": (0.0, 0.0),  # standard deviation, per cent of the image width
    "noise": (0.0, 0.0),  # standard deviation, grey levels
}
"""Further parameters of each image. The last four are off unless a range says otherwise."""

BODIES: dict[str, Range] = {
    "occluder_there": (0.0, 1.0),
    "occluder_kind": (0.0, 1.0),
    "occluder_nearness": (0.45, 0.8),  # its depth, in depths of the object
    "occluder_size": (0.25, 0.6),  # its longest side, in those of the object, as they appear
    "occluder_bearing": (-180.0, 180.0),  # on which side of the object's centre, degrees
    "occluder_offset": (0.25, 0.7),  # how far from it, in longest sides of the object
    "occluder_pitch": (-20.0, 20.0),
    "occluder_yaw": (-180.0, 180.0),
    "occluder_roll": (-20.0, 20.0),
    "distractor_there": (0.0, 1.0),
    "distractor_kind": (0.0, 1.0),
    "distractor_behind": (0.7, 3.0),  # depth behind the object
    "distractor_x": (-25.0, 25.0),  # visual angles
    "distractor_y": (-25.0, 25.0),
    "distractor_pitch": (-45.0, 45.0),
    "distractor_yaw": (-180.0, 180.0),
    "distractor_roll": (-45.0, 45.0),
}
"""Of occluder and distractor, which are there only where the specification asks for them."""

BACKGROUND: dict[str, Range] = {
    "sun_azimuth": (-180.0, 180.0),  # in the world of the background, degrees
    "sun_elevation": (25.0, 75.0),
    "sun_strength": (0.55, 0.85),
    "ambient_strength": (0.4, 0.55),
    "sun_warmth": (0.0, 1.0),
}
"""Parameters that all images on one background share."""


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Freeze(_Model):
    """Set a parameter to one value in all images."""

    kind: Literal["freeze"] = "freeze"
    latent: str
    value: float = pydantic.Field(allow_inf_nan=False)


class Shrink(_Model):
    """Draw a parameter or group towards the centre of its range: 0 freezes, 1 changes nothing."""

    kind: Literal["shrink"] = "shrink"
    latent: str
    factor: float = pydantic.Field(ge=0, le=1)


class Rerange(_Model):
    """Stretch the range of a parameter to another one; each image keeps its place in the range."""

    kind: Literal["rerange"] = "rerange"
    latent: str
    low: float = pydantic.Field(allow_inf_nan=False)
    high: float = pydantic.Field(allow_inf_nan=False)


class Subset(_Model):
    """Keep some categories, models or backgrounds, at the same number of images.

    `names` lists them; or `count` of them are chosen by `seed`, nested: what is chosen for a
    smaller count is also chosen for a larger. Of models and backgrounds so many are kept in each
    category and class.
    """

    kind: Literal["subset"] = "subset"
    what: Literal["category", "model", "background"]
    names: tuple[str, ...] = ()
    count: int | None = pydantic.Field(default=None, ge=1)
    seed: int = 0

    @pydantic.model_validator(mode="after")
    def _either(self) -> Subset:
        if bool(self.names) == (self.count is not None):
            raise ValueError("give either names or a count of what the subset keeps")
        return self


Intervention = Annotated[Freeze | Shrink | Rerange | Subset, pydantic.Field(discriminator="kind")]


def members(latent: str, known: dict[str, Range]) -> list[str]:
    """Return the parameters that a name stands for, of those that are `known`.

    Raises
    ------
    UserError
        If it is no parameter or group here.
    """
    if latent in known:
        return [latent]
    found = [name for name in GROUPS.get(latent, ()) if name in known]
    if not found:
        groups = [g for g, names in GROUPS.items() if set(names) & set(known)]
        raise unknown("sampled parameter", latent, [*known, *groups])
    return found


def moved(
    values: FloatArray, span: Range, change: Freeze | Shrink | Rerange
) -> tuple[FloatArray, Range]:
    """Apply one intervention to values of a parameter, and to its range.

    Parameters
    ----------
    values : array (n,)
        Within `span`.
    span : (float, float)
        The range until now.
    change : Freeze, Shrink or Rerange

    Returns
    -------
    array (n,), (float, float)
        Shrink: (1 - f) centre + f value, exactly the centre at f = 0 and the value at f = 1.
        Rerange: the value at the same share of the new range. From a range without extent the
        centre of the new one.
    """
    low, high = span
    if isinstance(change, Freeze):
        return np.full_like(values, change.value), (change.value, change.value)
    if isinstance(change, Shrink):
        f, centre = change.factor, (low + high) / 2
        return (1 - f) * centre + f * values, (
            (1 - f) * centre + f * low,
            (1 - f) * centre + f * high,
        )
    share: npt.NDArray[np.float64] = np.full_like(values, 0.5)
    if high > low:
        share = (values - low) / (high - low)
    return change.low + share * (change.high - change.low), (change.low, change.high)


def check_span(name: str, span: Range) -> None:
    """Refuse a range that makes no sense for a parameter.

    Raises
    ------
    UserError
        If it is not ascending, not finite, or reaches values that the parameter cannot have.
    """
    low, high = span
    if not (np.isfinite([low, high]).all() and low <= high):
        raise UserError(f"range of {name} is ({low}, {high}); give two finite numbers, ascending")
    least, most = _LIMITS.get(name, (-np.inf, np.inf))
    if low < least or high > most:
        raise UserError(f"range of {name} is ({low}, {high}), but it lies within ({least}, {most})")


_LIMITS: dict[str, Range] = {
    "range": (0.05, np.inf),
    "depth": (0.05, np.inf),
    "turn_pitch": (-85.0, 85.0),
    "turn_yaw": (-85.0, 85.0),
    "angle_x": (-85.0, 85.0),
    "angle_y": (-85.0, 85.0),
    "pitch_sine": (-1.0, 1.0),
    "view_height": (-1.0, 1.0),
    "background": (0.0, 1.0),
    "crop_scale": (0.01, 1.0),
    "crop_x": (0.0, 1.0),
    "crop_y": (0.0, 1.0),
    "crop_flip": (0.0, 1.0),
    "ground_gap": (0.0, np.inf),
    "tone": (0.05, 20.0),
    "blur": (0.0, 20.0),
    "noise": (0.0, np.inf),
    "occluder_nearness": (0.01, 1.0),
    "occluder_size": (0.001, np.inf),
    "sun_elevation": (1.0, 90.0),
    "sun_strength": (0.0, np.inf),
    "ambient_strength": (0.0, np.inf),
    "sun_warmth": (0.0, 1.0),
}
