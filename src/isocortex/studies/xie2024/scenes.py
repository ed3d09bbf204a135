"""The images of the study: latent scenes, rendered once to a file or when they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.stimuli.render import families
from isocortex.stimuli.render.library_files import load
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes import Backgrounds, LatentScenes, SceneSpec
from isocortex.stimuli.scenes import backgrounds as backdrops
from isocortex.stimuli.scenes.scenes import SceneBatch, mesh_ids
from isocortex.stimuli.scenes.store import CHUNK, open_scenes, stored

LATENTS = ("category", "identity", "x", "y", "z", "pitch", "yaw", "roll",
           "box_left", "box_top", "box_right", "box_bottom",
           "visible_area", "visible_fraction", "in_frame_fraction", "accepted")  # fmt: skip
"""Columns of the log that are kept beside the images."""

Pixels = Callable[[np.ndarray], Tensor]
"""Rows (k,) -> images (k, 3, h, w) in [0, 1]."""

Views = Callable[[np.ndarray], tuple[Tensor, Tensor, Tensor]]
"""Rows (k,) -> images, mask and depth, the latter (k, 1, h, w)."""


class SceneImages(Step):
    """One set of latent scenes.

    With a cache the images lie there in files that are mapped into memory, one for all studies
    that show the same; on the fly they are made batch by batch, the same ones.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    spec: SceneSpec
    objects: Literal["meshes", "procedural"]
    categories: int
    models: int
    first_model: int = 0
    """Leave out so many models of each category, which other sets show."""
    backgrounds: Literal["photographs", "procedural"]
    backgrounds_from: Literal["train", "test"]
    size: int
    supersample: int
    data: Path | None
    data_checksum: str
    on_the_fly: bool = False
    dense: bool = False
    """Whether mask and depth are kept as well, which the tasks of these names read."""

    def compute(self) -> dict[str, Any]:
        """Render the set; return its latents, and its images or the folder where they lie."""
        scenes = self.scenes("cpu")
        if self.on_the_fly:
            return {"latents": scenes.latents()[list(LATENTS)], "pixels": None}
        if self.infra.folder is None:
            rows = np.arange(len(scenes))
            parts = [
                scenes.render(part, self.size, self.supersample, maps=self.dense, eight_bit=True)
                for part in np.split(rows, range(CHUNK, len(rows), CHUNK))
            ]
            found = {"latents": scenes.latents()[list(LATENTS)]}
            found["pixels"] = torch.cat([part.image for part in parts])
            if self.dense:
                found["maps"] = [torch.cat([part.mask for part in parts]), _depths(parts)]
            return found
        kept = stored(
            scenes,
            self.infra.folder,
            self.size,
            self.supersample,
            maps=("mask", "depth") if self.dense else (),
            progress=lambda done, total: tick(done, total, "rendering"),
        )
        return {"latents": kept.latents[list(LATENTS)], "pixels": str(kept.folder)}

    def scenes(self, device: str) -> LatentScenes:
        """Return the generator of the images."""
        return LatentScenes(
            self.spec,
            meshes(self.objects, self.categories, self.models, self.data, self.first_model),
            scenery(self.backgrounds, self.backgrounds_from, self.data),
            device,
        )

    def pixels(self, device: str) -> Pixels:
        """Return a function that gives images, from the file or made on `device`."""
        if self.on_the_fly:
            scenes = self.scenes(device).prepare()
            return lambda rows: (
                scenes.render(rows, self.size, self.supersample, maps=False, eight_bit=True).image
            )
        kept = self.result()["pixels"]
        if isinstance(kept, str):
            return open_scenes(kept).images
        return lambda rows: kept[torch.from_numpy(rows)]

    def views(self, device: str) -> Views:
        """Return a function that gives images with their maps, from the file or made together."""
        if self.on_the_fly:
            scenes = self.scenes(device).prepare()

            def made(rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
                batch = scenes.render(rows, self.size, self.supersample, eight_bit=True)
                return batch.image, batch.mask, _depths([batch])

            return made
        kept = self.result()
        if isinstance(kept["pixels"], str):
            lying = open_scenes(kept["pixels"])
            return lambda rows: (
                lying.images(rows), lying.read("mask", rows), lying.read("depth", rows),
            )  # fmt: skip
        images, (mask, depth) = kept["pixels"], kept["maps"]
        return lambda rows: tuple(each[torch.from_numpy(rows)] for each in (images, mask, depth))

    def latents(self) -> pd.DataFrame:
        """Return the log, one row an image.

        Classes are counted over the models of the set without interventions; a model that is not
        among these has the identity -1.
        """
        table: pd.DataFrame = self.result()["latents"]
        known = meshes(self.objects, self.categories, self.models, self.data)
        names = sorted({mesh.category for mesh in known})
        ids = {name: k for k, name in enumerate(mesh_ids(known))} if not self.first_model else {}
        return table.assign(
            category_index=table["category"].map(names.index),
            identity_index=[ids.get(name, -1) for name in table["identity"]],
        )

    def stimuli(self) -> Tensor:
        """Return all images, (n, 3, h, w)."""
        return self.pixels("cpu")(np.arange(len(self.result()["latents"])))

    @property
    def n_categories(self) -> int:
        """Categories of the set without interventions."""
        known = meshes(self.objects, self.categories, self.models, self.data)
        return len({mesh.category for mesh in known})

    @property
    def n_identities(self) -> int:
        """Models of the set without interventions."""
        return len(meshes(self.objects, self.categories, self.models, self.data))


def _depths(batches: list[SceneBatch]) -> Tensor:
    return torch.cat([batch.depth for batch in batches if batch.depth is not None])


@lru_cache(maxsize=4)
def meshes(
    objects: Literal["meshes", "procedural"],
    categories: int,
    models: int,
    data: Path | None,
    first: int = 0,
) -> tuple[Mesh, ...]:
    """Return at most so many models of each of at most so many categories, from `first` on.

    From the data folder the largest categories, names deciding ties; else the procedural families
    in order.
    """
    if objects == "procedural" or data is None:
        names = list(families.FAMILIES)[:categories]
        return tuple(families.build(name, first + k) for name in names for k in range(models))
    found: dict[str, list[Mesh]] = {}
    for mesh in load(data):
        found.setdefault(mesh.category, []).append(mesh)
    largest = sorted(found, key=lambda name: (-len(found[name]), name))[:categories]
    return tuple(mesh for name in sorted(largest) for mesh in found[name][first : first + models])


@lru_cache(maxsize=4)
def scenery(
    kind: Literal["photographs", "procedural"], part: Literal["train", "test"], data: Path | None
) -> Backgrounds:
    """Return the backgrounds of a split: photographs of one half of BSDS, or others of one seed."""
    if kind == "photographs" and data is not None:
        known = backdrops.photographs(data, "bsds500")
        folder = "train/" if part == "train" else "val/"
        return known[[folder in name for name in known.names]]
    return backdrops.procedural(seed=0 if part == "train" else 1)
