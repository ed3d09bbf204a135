"""Objects seen from several sides: the stimuli of viewpoint tuning."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError, unknown
from isocortex.stimuli import luminance as luminance_
from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.raycast import Renderer
from isocortex.stimuli.render.views import BACKGROUND, Views
from isocortex.stimuli.stimulus_set import StimulusSet

VIEWS_9: tuple[float, ...] = tuple(-90 + 22.5 * i for i in range(9))
"""Yaw from -90 to 90 degrees by 22.5; the fifth is frontal."""
VIEWS_5: tuple[float, ...] = VIEWS_9[::2]
"""Yaw from -90 to 90 degrees by 45."""
SOURCES = ("procedural", "meshes", "heads")

_KEPT_BYTES = 2**28  # images and masks above this are rendered again when they are asked for
_BATCH = 64


def object_views(
    objects: str | Sequence[Mesh] = "procedural",
    *,
    categories: Sequence[str] | None = None,
    exemplars: int = 5,
    yaws: Sequence[float] = VIEWS_9,
    size: int = 64,
    lighting: str = "symmetric",
    azimuth: float | None = None,
    luminance: str = "none",
    elevation: float = 0.0,
    background: float = BACKGROUND,
    supersample: int = 3,
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    degrees: float | None = None,
) -> StimulusSet:
    """Render objects over yaw views, grey on a uniform background.

    The object turns; camera and light stay. Before luminance matching an image depends on its
    object and its view alone, so any of them can be made again by itself.

    Parameters
    ----------
    objects : {"procedural", "meshes", "heads"} or sequence of Mesh
        Procedural families; the mesh library of the data folder; heads (of the data folder if one
        is given, procedural else); or meshes of your own, all of which are shown.
    categories : sequence of str, optional
        Families, categories of the library, or categories of your meshes to show, in this order;
        all unless given.
    exemplars : int
        Objects of each category: the first of a family or of the library.
    yaws : sequence of float
        Degrees, 0 = frontal, positive turns the front towards the right; all different.
    size : int
        Width and height of the images in pixels.
    lighting : {"symmetric", "side", "object_front"}
        Light above the camera; from 45 degrees to its right; or fixed before the object.
    azimuth : float, optional
        Degrees of the light to the right, in place of those that `lighting` says.
    luminance : {"none", "mean", "mean_sd", "histogram"}
        Match the foreground over the whole set, see `isocortex.stimuli.luminance.match`.
    elevation : float
        Degrees that the camera stands above the object's horizon.
    background : float
        Grey level in [0, 1].
    supersample : int
        Rays a pixel and axis.
    seed : int
        Seed of the procedural families.
    data : path, optional
        The data folder, as `isocortex.data.folder` returns it.
    device : str
        Where to render, and where the images stay.
    degrees : float, optional
        Visual angle of the image width.

    Returns
    -------
    StimulusSet
        Objects one after the other, each over all views. Columns: stimulus_id, object_id, name,
        category, symmetry_class (missing if undeclared), exemplar, view (0, 1, ...), yaw,
        elevation, lighting, azimuth (missing unless given), luminance, seed, mesh_hash; and of the
        image as it is shown: area (covered share), aspect_ratio (of the outline, width over
        height), mean and sd (of the foreground's luminance), clipped_share (of the foreground, by
        matching). `rendered_mean` and `rendered_sd` are those before matching.

    Raises
    ------
    UserError
        If a name is unknown, a number out of range, or data are missing.
    """
    luminance_.check_mode(luminance)
    _check_numbers(exemplars=exemplars, size=size, supersample=supersample)
    if not 0 <= background <= 1:
        raise UserError(f"background is {background}, but grey levels lie in [0, 1]")
    turns = _checked_yaws(yaws)
    meshes = _meshes(objects, categories, exemplars, seed, data)
    views = Views.turntable(
        np.repeat(np.arange(len(meshes)), len(turns)),
        np.tile(turns, len(meshes)),
        elevation,
        lighting=lighting,
        azimuth=azimuth,
        background=background,
    )
    render: Render = _Rendered(Renderer(meshes, device), views, size, supersample)
    if len(views) * size**2 * 8 <= _KEPT_BYTES:
        render = _Kept(*render(np.arange(len(views))))
    before = luminance_.joined(
        [
            luminance_.measure(*pair, background=background, ranks=luminance == "histogram")
            for pair in _batches(render, len(views))
        ]
    )
    shown = _Shown(render, luminance_.average(before, luminance), background)
    table = pd.concat([_table(meshes, turns), shown.measured(len(views))], axis=1)
    said = {
        "rendered_mean": before.mean.cpu().numpy(),
        "rendered_sd": before.sd.cpu().numpy(),
        "elevation": float(elevation),
        "lighting": lighting,
        "azimuth": np.nan if azimuth is None else float(azimuth),
        "luminance": luminance,
        "seed": seed,
    }
    return StimulusSet(shown, table.assign(**said), degrees, shape=(1, size, size))


Render: TypeAlias = Callable[[np.ndarray], tuple[Tensor, Tensor]]
"""Makes images and masks (k, 1, size, size) of the given rows."""


@dataclass(frozen=True, eq=False)
class _Rendered:
    """Rows that are rendered whenever they are asked for."""

    renderer: Renderer
    views: Views
    size: int
    supersample: int

    def __call__(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        made = self.renderer.render(self.views[rows], self.size, supersample=self.supersample)
        return made.image, made.mask


@dataclass(frozen=True, eq=False)
class _Kept:
    """Rows that were rendered before."""

    images: Tensor
    masks: Tensor

    def __call__(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.as_tensor(rows, device=self.images.device)
        return self.images[index], self.masks[index]


@dataclass(frozen=True, eq=False)
class _Shown:
    """Source of images that are matched, each by itself, to what was found over the set."""

    render: Render
    target: luminance_.Target
    background: float

    def __call__(self, rows: np.ndarray) -> Tensor:
        return self._matched(*self.render(rows))[0]

    def measured(self, n: int) -> pd.DataFrame:
        """Measure all images as they are shown."""
        parts, clipped = [], []
        for images, masks in _batches(self.render, n):
            matched, share = self._matched(images, masks)
            parts.append(luminance_.measure(matched, masks, background=self.background))
            clipped.append(share)
        found = luminance_.joined(parts)
        columns = {
            "area": found.area,
            "aspect_ratio": found.aspect,
            "mean": found.mean,
            "sd": found.sd,
            "clipped_share": torch.cat(clipped),
        }
        return pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})

    def _matched(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        return luminance_.apply(images, masks, self.target, background=self.background)


def _batches(render: Render, n: int) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, n, _BATCH):
        yield render(np.arange(start, min(start + _BATCH, n)))


def _meshes(
    objects: str | Sequence[Mesh],
    categories: Sequence[str] | None,
    exemplars: int,
    seed: int,
    data: str | os.PathLike[str] | None,
) -> list[Mesh]:
    """Return the meshes to show, category by category."""
    if isinstance(objects, str):
        if objects == "procedural":
            names = list(families.FAMILIES) if categories is None else categories
            return [families.build(name, k, seed) for name in names for k in range(exemplars)]
        if objects == "meshes":
            names = list(library.CATEGORIES) if categories is None else categories
            return [mesh for name in names for mesh in _of_library(name, exemplars, data)]
        if objects == "heads":
            if categories is not None:
                raise UserError("heads are of one category; leave out categories")
            return library.heads(data, exemplars)
        raise unknown("source of objects", objects, SOURCES)
    meshes = [] if isinstance(objects, Mesh) else list(objects)
    if not meshes or not all(isinstance(mesh, Mesh) for mesh in meshes):
        raise UserError(f"objects must be a list of meshes or one of {', '.join(SOURCES)}")
    if categories is None:
        return meshes
    known = list(dict.fromkeys(mesh.category for mesh in meshes))
    for name in categories:
        if name not in known:
            raise unknown("category", name, known)
    return [mesh for name in categories for mesh in meshes if mesh.category == name]


def _of_library(category: str, exemplars: int, data: str | os.PathLike[str] | None) -> list[Mesh]:
    meshes = library.load(data, category)
    if len(meshes) < exemplars:
        raise UserError(
            f"exemplars is {exemplars}, but the mesh library has {len(meshes)} of {category}; ask "
            "for fewer or leave the category out"
        )
    return meshes[:exemplars]


def _table(meshes: list[Mesh], yaws: np.ndarray) -> pd.DataFrame:
    """Return one row a view, object-major."""
    rows, count = [], Counter[str]()
    for mesh in meshes:
        category = mesh.category or "object"
        exemplar, count[category] = count[category], count[category] + 1
        object_id = f"{category}_{exemplar:03d}"
        for view, yaw in enumerate(yaws):
            rows.append(
                {
                    "stimulus_id": f"{object_id}_yaw{yaw:+g}",
                    "object_id": object_id,
                    "name": mesh.name,
                    "category": category,
                    "symmetry_class": mesh.symmetry,
                    "exemplar": exemplar,
                    "view": view,
                    "yaw": yaw,
                    "mesh_hash": mesh.hash,
                }
            )
    return pd.DataFrame(rows)


def _checked_yaws(yaws: Sequence[float]) -> np.ndarray:
    turns = np.asarray(yaws, dtype=np.float64) + 0.0
    if turns.ndim != 1 or not len(turns) or not np.isfinite(turns).all():
        raise UserError("yaws must be a list of one or more angles in degrees")
    if len(np.unique(turns)) < len(turns):
        raise UserError("yaws has an angle twice; views must differ")
    return turns


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise UserError(f"{name} is {value}, but must be 1 or more")
