"""The objects of the study, rendered over nine views: one cached step a set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from isocortex.errors import UserError
from isocortex.execution import Step
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.objects import object_views
from isocortex.stimuli.render import library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.symmetry import break_symmetry, symmetrise
from isocortex.studies.farzmahdi2024.categories import category_set

Variant = Literal["classes", "heads", "broken", "exact", "categories"]
"""The class set; heads; the class set with its bilateral objects made asymmetric; the class set
with every symmetric class made exactly so; the category set."""

BROKEN_ASYMMETRY = 0.05


def _as_it_is(mesh: Mesh, seed: int) -> tuple[Mesh, str]:
    return mesh, str(mesh.symmetry)


def _broken(mesh: Mesh, seed: int) -> tuple[Mesh, str]:
    if mesh.symmetry != "one_plane":
        return _as_it_is(mesh, seed)
    return break_symmetry(mesh, asymmetry=BROKEN_ASYMMETRY, seed=seed), "broken"


def _exact(mesh: Mesh, seed: int) -> tuple[Mesh, str]:
    symmetric = mesh if mesh.symmetry == "asymmetric" else symmetrise(mesh)
    return symmetric, str(mesh.symmetry)


VARIANTS = {"classes": _as_it_is, "broken": _broken, "exact": _exact}
"""What is done to each mesh of the class set, and how its class is called then."""


class Views(Step):
    """Render one set of objects (specification 3.2).

    ``result()`` is a `StimulusSet`, images float32 (objects x 9, 1, size, size), object-major.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    source: Literal["meshes", "procedural"]
    variant: Variant
    per_class: int
    heads: int
    size: int
    lighting: Literal["symmetric", "side"] = "symmetric"
    luminance: str = "mean_sd"
    elevation: float = 0.0
    supersample: int = 3
    seed: int = 0
    data: Path | None = None
    data_checksum: str = ""

    def objects(self) -> list[tuple[Mesh, str]]:
        """Return the meshes of the set, each with the class that tables name it by."""
        data = self.data if self.source == "meshes" else None
        if self.variant == "heads":
            return [(head, "heads") for head in library.heads(data, self.heads)]
        cache = Path(self.infra.folder) if self.infra.folder is not None else None
        if self.variant == "categories":
            chosen = category_set(data, self.per_class, self.seed, cache)
            return [(mesh, mesh.category) for mesh in chosen]
        meshes = library.class_set(data, self.per_class, self.seed, cache)
        return [
            VARIANTS[self.variant](mesh, self.seed + number) for number, mesh in enumerate(meshes)
        ]

    def compute(self) -> dict[str, Any]:
        """Return images, table and visual angle."""
        meshes, classes = zip(*self.objects(), strict=True)
        views = object_views(
            list(meshes),
            size=self.size,
            lighting=self.lighting,
            luminance=self.luminance,
            elevation=self.elevation,
            supersample=self.supersample,
            seed=self.seed,
        )
        table = views.table.assign(symmetry_class=np.repeat(classes, len(views) // len(meshes)))
        return {"images": views.images(), "table": table, "degrees": views.degrees}

    def stimuli(self) -> StimulusSet:
        """Return the rendered set, from the cache where it is there."""
        kept = self.result()
        return StimulusSet.from_tensor(kept["images"], kept["table"], degrees=kept["degrees"])


def by_object(values: torch.Tensor, n_views: int) -> torch.Tensor:
    """Fold presentations (objects x views, ...) into (objects, views, ...)."""
    if len(values) % n_views:
        raise UserError(f"{len(values)} presentations are not a whole number of {n_views} views")
    return values.reshape(len(values) // n_views, n_views, *values.shape[1:])
