"""`LatentScenes`: one object an image on varied backgrounds, and every latent of it exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli.render.mesh import IntArray, Mesh
from isocortex.stimuli.scenes import log, sampling
from isocortex.stimuli.scenes.allocation import Inventory, allocate, inventory
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.caster import Caster
from isocortex.stimuli.scenes.obstacles import obstacles
from isocortex.stimuli.scenes.sampling import Columns, take
from isocortex.stimuli.scenes.spec import SceneSpec
from isocortex.stimuli.stimulus_set import StimulusSet

_AT_ONCE = 4096  # images whose latents are drawn together
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """Images and what is known of them; tensors on one device.

    Attributes
    ----------
    image : Tensor (n, 3, h, w)
        float32 in [0, 1]; row 0 is the top.
    mask : Tensor (n, 1, h, w)
        Share of each pixel that shows the object.
    depth : Tensor (n, 1, h, w) or None
        Along the camera's axis, in the object's longest side; infinite where the object is not.
    normal : Tensor (n, 3, h, w) or None
        In the axes of the camera, turned towards it; 0 where the object is not.
    face : Tensor (n, h, w) or None
        int32; -1 where the object is not.
    visible_area, visible_fraction, in_frame_fraction : Tensor (n,)
        As in the log.
    box : Tensor (n, 4)
        Left, top, right, bottom of the object within the frame, pixels.
    columns : dict of arrays
        All numbers that the images were made of, one row an image.
    """

    image: Tensor
    mask: Tensor
    depth: Tensor | None
    normal: Tensor | None
    face: Tensor | None
    visible_area: Tensor
    visible_fraction: Tensor
    in_frame_fraction: Tensor
    box: Tensor
    columns: Columns

    def __len__(self) -> int:
        return len(self.image)


class LatentScenes:
    """A set of images that is a function of its specification, meshes and backgrounds alone.

    Parameters
    ----------
    spec : SceneSpec
    meshes : sequence of Mesh
        Objects; centred and scaled here to a longest side of 1.
    backgrounds : Backgrounds
    device : str or torch.device
        Where to render, and where images stay.

    Raises
    ------
    UserError
        If there is no mesh or background, a subset names something unknown, or there is no such
        device.

    Notes
    -----
    Image i made by itself is the same, bit by bit, as image i in any batch; and on another device
    up to rounding.
    """

    def __init__(
        self,
        spec: SceneSpec,
        meshes: Sequence[Mesh],
        backgrounds: Backgrounds,
        device: str | torch.device = "cpu",
    ) -> None:
        self.spec = spec
        self.meshes = tuple(unit_size(mesh) for mesh in meshes)
        self.backgrounds = backgrounds
        self.caster = Caster([*self.meshes, *obstacles()] if meshes else [], backgrounds, device)
        self.ids = mesh_ids(self.meshes)
        self._stock = self._inventory(spec)
        self._reference = self._inventory(spec.reference)
        self._kept: Columns | None = None

    @property
    def device(self) -> torch.device:
        """Where images are rendered and stay."""
        return self.caster.device

    @property
    def categories(self) -> list[str]:
        """Categories of the meshes, sorted: what `category` counts, whatever a subset leaves."""
        return sorted({mesh.category for mesh in self.meshes})

    def __len__(self) -> int:
        if self.spec.n_images is None:
            raise UserError("these scenes never repeat and so have no length; set n_images")
        return self.spec.n_images

    def digest(self, *others: object) -> str:
        """Return the SHA-256 of everything that the images depend on; the key of a cache."""
        return self.spec.digest(*(m.hash for m in self.meshes), self.backgrounds.hash, *others)

    def prepare(self) -> LatentScenes:
        """Draw all `n_images` scenes now and keep their numbers: about 1 kB an image.

        Batches of a few images then cost no more than their rendering.
        """
        self._kept = self.columns()
        return self

    def stimuli(
        self, indices: npt.ArrayLike | None = None, size: int = 64, supersample: int = 2
    ) -> StimulusSet:
        """Return images as a stimulus set, its table the log; rendered when they are asked for.

        Parameters
        ----------
        indices : int array (n,), optional
            All `n_images` unless given; all different.
        size, supersample : int
            As in `render`.
        """
        columns = self.columns(indices)

        def source(rows: np.ndarray) -> Tensor:
            return self.render(
                take(columns, rows), size, supersample, maps=False, eight_bit=True
            ).image

        return StimulusSet(source, log.table(self, columns), shape=(3, size, size))

    def latents(self, indices: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Return the log of images: one row each, every latent; see `log.table`.

        Parameters
        ----------
        indices : int array (n,), optional
            All `n_images` unless given.
        """
        return log.table(self, self.columns(indices))

    def columns(self, indices: npt.ArrayLike | None = None) -> Columns:
        """Draw the scenes of images: the accepted attempt of each, as arrays.

        Parameters
        ----------
        indices : int array (n,), optional
            All `n_images` unless given; beyond these the set begins again.
        """
        index = np.arange(len(self)) if indices is None else self._checked(indices)
        if self._kept is not None:
            return take(self._kept, index)
        parts = [self._accepted(index[k : k + _AT_ONCE]) for k in range(0, len(index), _AT_ONCE)]
        if not parts:
            parts = [take(self._accepted(np.zeros(1, dtype=np.int64)), slice(0))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def render(
        self,
        indices: npt.ArrayLike | Columns,
        size: int = 64,
        supersample: int = 2,
        *,
        maps: bool = True,
        eight_bit: bool = False,
    ) -> SceneBatch:
        """Make images.

        Parameters
        ----------
        indices : int array (n,)
            Which; or what `columns` gave for them.
        size : int
            Pixels along each side.
        supersample : int
            Rays along each side of a pixel.
        maps : bool
            Whether depth, normal and face are wanted too.
        eight_bit : bool
            Round to the levels of a byte, as sets on disk have them.

        Returns
        -------
        SceneBatch

        Raises
        ------
        UserError
            If a number is out of range.
        """
        for name, value in (("size", size), ("supersample", supersample)):
            if value < 1:
                raise UserError(f"render: {name} is {value}; it must be at least 1")
        columns = indices if isinstance(indices, dict) else self.columns(indices)
        pictures = self.caster.expose(columns, size, supersample, self.spec.shadow, maps)
        image = pictures.image
        if eight_bit:
            image = (image * 255).round_().div_(255)
        facts = {
            name: torch.from_numpy(columns[name]).float().to(self.device)
            for name in ("visible_area", "visible_fraction", "in_frame_fraction")
        }
        box = torch.from_numpy(columns["box"] * size).float().to(self.device)
        return SceneBatch(
            image,
            pictures.mask,
            pictures.depth,
            pictures.normal,
            pictures.face,
            **facts,
            box=box,
            columns=columns,
        )

    def _inventory(self, spec: SceneSpec) -> Inventory:
        return inventory(
            [mesh.category for mesh in self.meshes],
            self.ids,
            self.backgrounds.classes,
            self.backgrounds.names,
            spec.subsets,
        )

    def _checked(self, indices: npt.ArrayLike) -> IntArray:
        index = np.atleast_1d(np.asarray(indices))
        if index.ndim != 1 or (len(index) and not np.issubdtype(index.dtype, np.integer)):
            raise UserError(
                f"image indices have shape {index.shape} and type {index.dtype}; give whole numbers"
            )
        index = index.astype(np.int64)
        if (index < 0).any():
            raise UserError(f"image index {int(index.min())} is negative; count from 0")
        return index if self.spec.n_images is None else index % self.spec.n_images

    def _accepted(self, index: IntArray) -> Columns:
        """Draw until the filter accepts, at most `attempts` times."""
        spec = self.spec
        if spec.filter == "reference" and spec.interventions:
            reference = self._until(spec.reference, self._reference, index)
            return self._drawn(spec, self._stock, index, reference["attempt"])
        return self._until(spec, self._stock, index)

    def _until(self, spec: SceneSpec, stock: Inventory, index: IntArray) -> Columns:
        out = self._drawn(spec, stock, index, np.zeros(len(index), dtype=np.int64))
        if spec.filter == "none":
            return out
        pending = np.flatnonzero(~out["accepted"])
        for attempt in range(1, spec.attempts):
            if not len(pending):
                break
            again = np.full(len(pending), attempt, dtype=np.int64)
            found = self._drawn(spec, stock, index[pending], again)
            for name, values in found.items():
                out[name][pending] = values
            pending = pending[~found["accepted"]]
        return out

    def _drawn(
        self, spec: SceneSpec, stock: Inventory, index: IntArray, attempt: IntArray
    ) -> Columns:
        """Draw one attempt of each image, and measure what is seen."""
        background, mesh = allocate(stock, index, spec.n_images, spec.seed, spec.balance)
        drawn = sampling.draw(spec, index, attempt, stock.backgrounds, background)
        which = drawn["background_index"]
        placed = sampling.arrange(spec, drawn, self.backgrounds.tints[which])
        columns = drawn | placed | {"index": index, "attempt": attempt, "mesh": mesh}
        columns |= sampling.bodies(spec, drawn, placed, mesh, len(self.meshes))
        columns["crop"] = self._crops(drawn)
        seen = self.caster.survey(columns)
        extent = self.caster.extent
        frame = np.clip(seen.window / (2 * extent), -0.5, 0.5)
        columns["box"] = 0.5 + np.stack(
            [frame[:, 0], -frame[:, 3], frame[:, 1], -frame[:, 2]], axis=-1
        )
        columns["visible_area"] = seen.visible_area
        columns["visible_fraction"] = seen.visible_fraction
        columns["in_frame_fraction"] = seen.in_frame_fraction
        columns["accepted"] = (seen.visible_fraction > spec.min_visible) & (
            seen.visible_area > spec.min_area
        )
        return columns

    def _crops(self, drawn: Columns) -> npt.NDArray[np.float64]:
        """Return left, top, side of each crop in pixels of its picture, and -1 if mirrored."""
        atlas = self.backgrounds.atlas
        picture = self.backgrounds.picture[drawn["background_index"]]
        height, width = atlas.height[picture, 0], atlas.width[picture, 0]
        side = drawn["crop_scale"] * np.minimum(height, width)
        flip = np.where(drawn["crop_flip"] > 0.5, -1.0, 1.0)
        left, top = drawn["crop_x"] * (width - side), drawn["crop_y"] * (height - side)
        return np.stack([left, top, side, flip], axis=-1)


def unit_size(mesh: Mesh) -> Mesh:
    """Return the mesh with its bounding box centred on 0 and a longest side of 1.

    A mesh that is so already, up to rounding, comes back as it is.
    """
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    if np.abs(low + high).max() < _ROUNDING and abs((high - low).max() - 1) < _ROUNDING:
        return mesh
    centred = mesh.normalised()
    sides = centred.vertices.max(axis=0) - centred.vertices.min(axis=0)
    return replace(centred, vertices=centred.vertices / sides.max())


def mesh_ids(meshes: Sequence[Mesh]) -> list[str]:
    """Return ``category/name`` of each mesh, and its number behind it where that is not unique."""
    plain = [f"{mesh.category}/{mesh.name}" for mesh in meshes]
    seen: dict[str, int] = {}
    ids = []
    for name in plain:
        k = seen[name] = seen.get(name, -1) + 1
        ids.append(name if plain.count(name) == 1 else f"{name}#{k}")
    return ids
