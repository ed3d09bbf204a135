"""The host side of the kernels: meshes and backgrounds on a device, columns in, tensors out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp
from torch import Tensor

from isocortex import warp_runtime
from isocortex.errors import UserError
from isocortex.stimuli.render.devices import checked_device
from isocortex.stimuli.render.mesh import FloatArray, Mesh
from isocortex.stimuli.render.views import fov_extent
from isocortex.stimuli.scenes import kernels
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.sampling import Columns
from isocortex.stimuli.scenes.scenery import Atlas, World
from isocortex.stimuli.scenes.spec import FOV
from isocortex.warp_runtime import stream_of_torch

PROBE = 32
"""Rays along a side of the grid that measures what is seen of an object."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What a grid of rays over the object's frame found.

    Attributes
    ----------
    window : array (n, 4)
        Left, right, bottom, top of the whole object on the plane of unit depth.
    visible_area : array (n,)
        Share of the picture that the visible object covers.
    visible_fraction : array (n,)
        Of the object within the picture, the share that nothing hides; 0 if it is outside.
    in_frame_fraction : array (n,)
        Of the object's outline, the share within the picture.
    """

    window: FloatArray
    visible_area: FloatArray
    visible_fraction: FloatArray
    in_frame_fraction: FloatArray


@dataclass(frozen=True, eq=False)
class Pictures:
    """What `Caster.expose` gives back; tensors on its device.

    Attributes
    ----------
    image : Tensor (n, 3, h, w)
        float32 in [0, 1]; row 0 is the top.
    mask : Tensor (n, 1, h, w)
        Share of the pixel's samples that show the object.
    depth : Tensor (n, 1, h, w) or None
        Along the camera's axis, mean over the samples that show the object; infinite where none.
    normal : Tensor (n, 3, h, w) or None
        Unit, in the axes of the camera, turned towards it; 0 where the object is not.
    face : Tensor (n, h, w) or None
        int32: face of the mesh that the pixel's nearest sample shows; -1 where none.
    """

    image: Tensor
    mask: Tensor
    depth: Tensor | None = None
    normal: Tensor | None = None
    face: Tensor | None = None


class Caster:
    """Meshes, each with a bounding volume hierarchy, and backgrounds on a device.

    Parameters
    ----------
    meshes : sequence of Mesh
        What `body_mesh` counts; their unit is the camera's.
    backgrounds : Backgrounds
        What `background_index` counts.
    device : str or torch.device
        ``"cpu"``, ``"cuda"``, ...

    Raises
    ------
    UserError
        If there is no mesh, or no such device.
    """

    def __init__(
        self,
        meshes: Sequence[Mesh],
        backgrounds: Backgrounds,
        device: str | torch.device = "cpu",
    ) -> None:
        if not meshes:
            raise UserError("latent scenes: no meshes given; give at least one")
        self.device = checked_device(device)
        warp_runtime.start()
        self._warp_device = wp.device_from_torch(self.device)
        self.extent = fov_extent(FOV)
        self._backgrounds = backgrounds
        self._first_face = np.cumsum([0, *(len(m.faces) for m in meshes)])[:-1]
        self._radius = np.array([m.radius for m in meshes])
        with stream_of_torch(self.device):
            self._meshes = [
                wp.Mesh(
                    self._array(mesh.vertices, wp.vec3), self._array(mesh.faces.ravel(), wp.int32)
                )
                for mesh in meshes
            ]
            self._ids = np.array([mesh.id for mesh in self._meshes], dtype=np.uint64)
            self._colors = self._array(np.concatenate([m.colors for m in meshes]), wp.vec3)
            self._atlas = self._make_atlas()

    def survey(self, scenes: Columns) -> Survey:
        """Measure what the camera sees of the objects, by a grid of `PROBE` x `PROBE` rays."""
        n = len(scenes["body_mesh"])
        with stream_of_torch(self.device):
            found = torch.zeros((n, 3), dtype=torch.int32, device=self.device)
            bodies, world = self._bodies(scenes), self._world(scenes)
            outline, window = self._outline(bodies, world, n)
            self._launch(
                kernels.survey,
                (n, PROBE, PROBE),
                [bodies, outline, PROBE, self.extent, wp.from_torch(found)],
            )
        frame = window.cpu().numpy().astype(np.float64)
        whole, inside, seen = found.cpu().numpy().astype(np.float64).T
        grid = (frame[:, 1] - frame[:, 0]) * (frame[:, 3] - frame[:, 2]) / PROBE**2
        return Survey(
            frame,
            seen * grid / (2 * self.extent) ** 2,
            np.divide(seen, inside, out=np.zeros(n), where=inside > 0),
            np.divide(inside, whole, out=np.zeros(n), where=whole > 0),
        )

    def expose(
        self, scenes: Columns, size: int, samples: int, shadow: bool = True, maps: bool = True
    ) -> Pictures:
        """Take pictures.

        Parameters
        ----------
        scenes : Columns
            One row a picture; of `sampling.arrange`, `sampling.bodies` and `sampling.draw`.
        size : int
            Pixels along each side.
        samples : int
            Rays along each side of a pixel.
        shadow : bool
            Whether the sun casts shadows.
        maps : bool
            Whether depth, normal and face are wanted beside image and mask.

        Returns
        -------
        Pictures
        """
        n = len(scenes["body_mesh"])
        shape = (n, 1, size, size)
        image = torch.empty((n, 3, size, size), device=self.device)
        mask = torch.empty(shape, device=self.device)
        few = shape if maps else (1, 1, 1, 1)
        depth = torch.full(few, torch.inf, device=self.device)
        normal = torch.zeros((few[0], 3, *few[2:]), device=self.device)
        face = torch.full((few[0], *few[2:]), -1, dtype=torch.int32, device=self.device)
        if n:
            with stream_of_torch(self.device):
                film: Any = kernels.Film()
                film.samples, film.size, film.extent = samples, size, self.extent
                film.shadow, film.maps = int(shadow), int(maps)
                film.image, film.mask = wp.from_torch(image), wp.from_torch(mask)
                film.depth, film.normal = wp.from_torch(depth), wp.from_torch(normal)
                film.face = wp.from_torch(face)
                bodies, world = self._bodies(scenes), self._world(scenes)
                outline, _ = self._outline(bodies, world, n)
                self._launch(
                    kernels.expose, (n, size, size), [bodies, world, self._atlas, outline, film]
                )
                self._develop(scenes, image)
        return Pictures(image, mask, *((depth, normal, face) if maps else ()))

    def _develop(self, scenes: Columns, image: Tensor) -> None:
        """Expose, blur, and so on, in place; only clip where nothing of it is asked for."""
        n, _, size, _ = image.shape
        plain = {"exposure": 0.0, "tone": 1.0, "blur": 0.0, "noise": 0.0}
        if all((scenes[name] == value).all() for name, value in plain.items()):
            image.clamp_(0, 1)
            return
        how: Any = kernels.Development()
        for name in plain:
            scale = size / 100 if name == "blur" else 1.0
            setattr(how, name, self._array(scale * scenes[name], wp.float32))
        how.key = self._array(scenes["noise_key"].astype(np.uint32).view(np.int32), wp.int32)
        if (scenes["blur"] > 0).any():
            other = torch.empty_like(image)
            a, b = wp.from_torch(image), wp.from_torch(other)
            self._launch(kernels.smear, (n, size, size), [how, 0, a, b])
            self._launch(kernels.smear, (n, size, size), [how, 1, b, a])
        self._launch(kernels.develop, (n, size, size), [how, wp.from_torch(image)])

    def _bodies(self, scenes: Columns) -> Any:
        mesh = scenes["body_mesh"]
        known = np.maximum(mesh, 0)
        bodies: Any = kernels.Bodies()
        bodies.mesh = self._array(np.where(mesh < 0, np.uint64(0), self._ids[known]), wp.uint64)
        bodies.first_face = self._array(self._first_face[known], wp.int32)
        scale = scenes["body_scale"]
        # A sphere a little larger, by more than float32 rounds.
        bodies.radius = self._array(1.0001 * scale * self._radius[known], wp.float32)
        bodies.rotation = self._array(scenes["body_rotation"], wp.mat33)
        bodies.centre = self._array(scenes["body_centre"], wp.vec3)
        bodies.scale = self._array(scale, wp.float32)
        bodies.colors = self._colors
        return bodies

    def _world(self, scenes: Columns) -> Any:
        which = scenes["background_index"]
        known = self._backgrounds
        world: Any = World()
        world.axes = self._array(scenes["world"], wp.mat33)
        for name in ("light", "sun", "sky", "ground"):
            setattr(world, name, self._array(scenes[name], wp.vec3))
        world.gap = self._array(scenes["ground_gap"], wp.float32)
        world.kind = self._array(known.kind[which], wp.int32)
        world.picture = self._array(known.picture[which], wp.int32)
        world.crop = self._array(scenes["crop"], wp.vec4)
        shift = np.stack([scenes["crop_x"], scenes["crop_y"]], axis=-1)
        world.shift = self._array(shift, wp.vec2)
        world.colors = self._array(known.colors[which], wp.vec3)
        world.cloud = self._array(known.cloud[which], wp.float32)
        world.tile = self._array(known.tile[which], wp.float32)
        return world

    def _outline(self, bodies: Any, world: Any, n: int) -> tuple[Any, Tensor]:
        window = torch.empty((n, 4), device=self.device)
        outline: Any = kernels.Outline()
        outline.window = wp.from_torch(window, dtype=wp.vec4)
        outline.shadow = wp.from_torch(torch.empty_like(window), dtype=wp.vec4)
        outline.height = wp.from_torch(torch.empty(n, device=self.device))
        self._launch(kernels.outline, (n,), [bodies, world, self.extent, outline])
        return outline, window

    def _make_atlas(self) -> Any:
        source = self._backgrounds.atlas
        atlas: Any = Atlas()
        atlas.pixels = self._array(source.pixels, wp.vec3ub)
        for name in ("offset", "height", "width"):
            setattr(atlas, name, self._array(getattr(source, name), wp.int32))
        return atlas

    def _array(self, values: Any, dtype: Any) -> Any:
        """Copy numbers to the device, (...) or (..., rows, columns) of a scalar, vector, matrix."""
        scalar = wp.dtype_to_numpy(getattr(dtype, "_wp_scalar_type_", dtype))
        array = np.array(values, dtype=scalar, order="C")
        if scalar == np.uint64:  # torch has no use for these
            array = array.view(np.int64)
        tensor = torch.from_numpy(array).to(self.device)
        return wp.from_torch(tensor, dtype=dtype)

    def _launch(self, kernel: Any, dim: tuple[int, ...], inputs: list[Any]) -> None:
        wp.launch(kernel, dim=dim, inputs=inputs, device=self._warp_device)
