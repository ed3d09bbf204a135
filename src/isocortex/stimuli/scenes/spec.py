"""`SceneSpec`: all that a set of latent scenes depends on beside its meshes and backgrounds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import pydantic

from isocortex.errors import UserError, unknown
from isocortex.stimuli.scenes import parameters
from isocortex.stimuli.scenes.parameters import (
    Freeze,
    Intervention,
    Range,
    Rerange,
    Shrink,
    Subset,
)

VERSION = 1
"""Raised whenever the same specification gives other images than before."""

FOV = 60.0
"""Field of view of the camera, degrees."""

GRADES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Factors of `graded`."""


class SceneSpec(pydantic.BaseModel):
    """How images are drawn. Unknown fields are refused.

    Parameters
    ----------
    seed : int
        Of the data set.
    n_images : int or None
        Distinct images; index i stands for i mod `n_images`. None: never repeat.
    sampler : {"tdw", "direct"}
        ``tdw``: the camera looks at the object from a distance `range`, then turns away by
        `turn_pitch` and `turn_yaw`, which moves position and rotation together. ``direct``: depth,
        visual angles and rotation are independent.
    rotation : {"euler", "so3"}
        Three uniform angles; or (``direct`` only) uniform on all rotations.
    balance : {"category", "identity"}
        Equally many images of each category, or of each model.
    ranges : mapping of str to (low, high)
        Other ranges of sampled parameters (`parameters`); the data set's own, before interventions.
    shadow : bool
        Whether the sun casts shadows.
    occluder, distractor : float
        Probability that a box or column stands before the object; that another object stands
        behind.
    filter : {"own", "reference", "none"}
        Whether images are accepted as they are; as they would be without the interventions (so
        that both sets are paired image by image); or all.
    min_visible : float
        Share of the object within the frame that nothing may hide.
    min_area : float
        Share of the frame that the visible object must exceed.
    attempts : int
        Draws before the row is marked as failed.
    interventions : sequence of Freeze, Shrink, Rerange, Subset
        Applied one after the other.

    Raises
    ------
    pydantic.ValidationError
        A `ValueError`: for an unknown field or parameter, or a value out of range.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    seed: int = pydantic.Field(default=0, ge=0, lt=2**32)
    n_images: int | None = pydantic.Field(default=None, ge=1)
    sampler: Literal["tdw", "direct"] = "tdw"
    rotation: Literal["euler", "so3"] = "euler"
    balance: Literal["category", "identity"] = "category"
    ranges: dict[str, Range] = {}
    shadow: bool = True
    occluder: float = pydantic.Field(default=0.0, ge=0, le=1)
    distractor: float = pydantic.Field(default=0.0, ge=0, le=1)
    filter: Literal["own", "reference", "none"] = "own"
    min_visible: float = pydantic.Field(default=0.8, ge=0, le=1)
    min_area: float = pydantic.Field(default=2 / 255, ge=0, le=1)
    attempts: int = pydantic.Field(default=15, ge=1, le=1000)
    interventions: tuple[Intervention, ...] = ()

    @pydantic.model_validator(mode="after")
    def _checked(self) -> SceneSpec:
        if self.rotation == "so3" and self.sampler != "direct":
            raise ValueError("rotation so3 goes with the sampler direct; tdw turns by three angles")
        known = self.spans
        for name, span in self.ranges.items():
            if name not in known:
                raise unknown("sampled parameter", name, known)
            parameters.check_span(name, span)
        for change in self.interventions:
            if isinstance(change, Subset):
                continue
            names = parameters.members(change.latent, known)
            if len(names) > 1 and not isinstance(change, Shrink):
                raise ValueError(
                    f"{change.kind} sets one parameter, but {change.latent} stands for "
                    f"{', '.join(names)}; name one of them"
                )
            if isinstance(change, Freeze):
                parameters.check_span(names[0], (change.value, change.value))
            elif isinstance(change, Rerange):
                parameters.check_span(names[0], (change.low, change.high))
        return self

    @cached_property
    def spans(self) -> dict[str, Range]:
        """Range of every parameter that is sampled, before interventions."""
        pose = dict(parameters.POSE[self.sampler])
        if self.rotation == "so3":
            pose = {k: v for k, v in pose.items() if k not in ("pitch", "yaw", "roll")}
            pose |= parameters.SO3
        spans = pose | parameters.IMAGE | parameters.BACKGROUND
        if self.occluder or self.distractor:
            spans |= {
                name: span
                for name, span in parameters.BODIES.items()
                if getattr(self, name.split("_")[0])
            }
        return spans | {name: span for name, span in self.ranges.items() if name in spans}

    @property
    def subsets(self) -> tuple[Subset, ...]:
        """The interventions on what there is to show."""
        return tuple(c for c in self.interventions if isinstance(c, Subset))

    @property
    def reference(self) -> SceneSpec:
        """The specification without interventions."""
        return self.model_copy(update={"interventions": (), "filter": "own"})

    def digest(self, *others: Any) -> str:
        """Return the SHA-256 of the specification, and of what else images depend on."""
        parts = [str(VERSION), self.model_dump_json(), *(str(other) for other in others)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def changed(self, *interventions: Freeze | Shrink | Rerange | Subset) -> SceneSpec:
        """Return the specification with further interventions after its own.

        Raises
        ------
        UserError
            If one of them names no parameter, or a value that it cannot have.
        """
        return make_spec(
            {**self.model_dump(), "interventions": (*self.interventions, *interventions)}
        )

    def frozen(self, latent: str, value: float) -> SceneSpec:
        """Return the specification with one parameter fixed."""
        return self.changed(Freeze(latent=latent, value=value))

    def shrunk(self, latent: str, factor: float) -> SceneSpec:
        """Return the specification with a parameter or group shrunk about its centre."""
        return self.changed(Shrink(latent=latent, factor=factor))

    def reranged(self, latent: str, low: float, high: float) -> SceneSpec:
        """Return the specification with another range of a parameter."""
        return self.changed(Rerange(latent=latent, low=low, high=high))

    def subset(
        self,
        what: Literal["category", "model", "background"],
        names: tuple[str, ...] = (),
        *,
        count: int | None = None,
        seed: int = 0,
    ) -> SceneSpec:
        """Return the specification with fewer categories, models or backgrounds."""
        return self.changed(Subset(what=what, names=names, count=count, seed=seed))

    def one_category(self, name: str = "chair") -> SceneSpec:
        """Return the specification with one category."""
        return self.subset("category", (name,))

    def ncat(self, count: int, seed: int = 0) -> SceneSpec:
        """Return the specification with `count` categories, chosen by `seed`."""
        return self.subset("category", count=count, seed=seed)

    def centred(self) -> SceneSpec:
        """Return the specification with x = y = 0.

        Under ``tdw`` this also changes z and rotation, under ``direct`` nothing else.
        """
        return self.shrunk("translation", 0.0)

    def graded(self, latent: str) -> dict[float, SceneSpec]:
        """Return the specification with a parameter or group shrunk by each of `GRADES`."""
        return {factor: self.shrunk(latent, factor) for factor in GRADES}


def make_spec(content: Mapping[str, Any]) -> SceneSpec:
    """Return a specification; a mistake is told in one line.

    Raises
    ------
    UserError
        For an unknown field or parameter, or a value out of range.
    """
    try:
        return SceneSpec.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        text = str(first["msg"]).removeprefix("Value error, ")
        raise UserError(f"scene specification{': ' + where if where else ''}: {text}") from None
