"""The ray caster: meshes and views in, image, mask and depth out, on CPU and CUDA alike.

Needs no display and no system graphics library. Every image is a function of its mesh and its own
row of the views alone: rendered by itself or in any batch it is the same bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp
from torch import Tensor

from isocortex import warp_runtime
from isocortex.errors import UserError, unknown
from isocortex.stimuli.render import kernels
from isocortex.stimuli.render.devices import checked_device
from isocortex.stimuli.render.mesh import LUMINANCE_WEIGHTS, FloatArray, IntArray, Mesh
from isocortex.stimuli.render.normals import corner_normals, face_normals
from isocortex.stimuli.render.optics import Shots
from isocortex.stimuli.render.views import Views
from isocortex.warp_runtime import stream_of_torch

__all__ = ["Renderer", "Rendering", "Views"]

SHADINGS = ("flat", "smooth")

# Pixels along the side of a tile (one thread), and samples held in memory at once (24 bytes each).
# A CPU thread takes tiles as large as its cache holds; a GPU wants many threads.
_TILE = {"cpu": 64, "cuda": 4}
_SAMPLES_AT_ONCE = {"cpu": 2**17, "cuda": 2**24}

_COLUMNS = {
    "mesh": wp.int32,
    "rotation": wp.mat33d,
    "translation": wp.vec3d,
    "scale": wp.float64,
    "perspective": wp.int32,
    "extent": wp.float64,
    "light": wp.vec3d,
    "diffuse": wp.float64,
    "ambient": wp.vec2d,
    "up": wp.vec3d,
    "specular": wp.float64,
    "shininess": wp.float64,
    "background": wp.vec3d,
}


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a `Renderer` gives back; float32 tensors on its device.

    Attributes
    ----------
    image : Tensor (n, c, h, w)
        In [0, 1]; row 0 is the top.
    mask : Tensor (n, 1, h, w)
        Share of the pixel's samples that hit the object.
    depth : Tensor (n, 1, h, w)
        Distance from the camera's plane, mean over the samples that hit; infinite where none did.
    """

    image: Tensor
    mask: Tensor
    depth: Tensor


class Renderer:
    """Holds meshes, with a bounding volume hierarchy for each, on a device.

    Parameters
    ----------
    meshes : sequence of Mesh
        What `Views.mesh` counts.
    device : str or torch.device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``... The kernels are compiled when a device is used for
        the first time, and kept in Warp's cache on disk.

    Raises
    ------
    UserError
        If there is no mesh, or no such device.
    """

    def __init__(self, meshes: Sequence[Mesh], device: str | torch.device = "cpu") -> None:
        self.meshes = tuple(meshes)
        if not self.meshes:
            raise UserError("renderer: no meshes given; give at least one")
        self.device = checked_device(device)
        warp_runtime.start()
        self._warp_device = wp.device_from_torch(self.device)
        self._faces = [_canonical(mesh.vertices, mesh.faces) for mesh in self.meshes]
        with stream_of_torch(self.device):
            self._bvhs = [self._bvh(m, f) for m, f in zip(self.meshes, self._faces, strict=True)]
            self._table = self._mesh_table()
        self._normals: dict[str, Any] = {}

    def render(
        self,
        views: Views,
        size: int,
        supersample: int = 3,
        channels: int = 1,
        shading: str = "flat",
    ) -> Rendering:
        """Take pictures.

        Parameters
        ----------
        views : Views
            One row a picture.
        size : int
            Pixels along each side.
        supersample : int
            Rays along each side of a pixel; a pixel is the mean of their squared number. The grid
            of rays is mirror-symmetric. An odd `size` with an odd `supersample` puts rays on the
            vertical axis; even products do not.
        channels : {1, 3}
            Grey (.2126 R + .7152 G + .0722 B of the colour picture) or colour.
        shading : {"flat", "smooth"}
            One normal a face, or normals interpolated between the corners of a face; edges sharper
            than 55 degrees stay sharp.

        Returns
        -------
        Rendering

        Raises
        ------
        UserError
            If an option is out of range, or a view names a mesh that is not there.

        Notes
        -----
        For a mesh that is mirror-symmetric about x = 0 bit by bit, and a light in the camera's
        plane x = 0, the picture at yaw -t is the mirror image of that at t, at any elevation.
        """
        for name, value in (("size", size), ("supersample", supersample)):
            if value < 1:
                raise UserError(f"render: {name} is {value}; it must be at least 1")
        if channels not in (1, 3):
            raise UserError(f"render: channels is {channels}; give 1 (grey) or 3 (colour)")
        if shading not in SHADINGS:
            raise unknown("shading", shading, SHADINGS)
        n = len(views)
        outside = (views.mesh < 0) | (views.mesh >= len(self.meshes))
        if outside.any():
            raise UserError(
                f"render: view {int(np.argmax(outside))} names mesh "
                f"{int(views.mesh[np.argmax(outside)])}; there are {len(self.meshes)}, counted "
                "from 0"
            )
        background = views.background
        if channels == 1:
            background = background @ np.array(LUMINANCE_WEIGHTS)[:, None]
        image = torch.from_numpy(background).float().to(self.device)[:, :, None, None]
        image = image.expand(-1, -1, size, size).contiguous()
        mask = torch.zeros((n, 1, size, size), device=self.device)
        depth = torch.full((n, 1, size, size), torch.inf, device=self.device)
        if n == 0:
            return Rendering(image, mask, depth)
        side = min(_TILE[self.device.type], size)
        tiles = n * (-(-size // side)) ** 2
        step = side * supersample
        at_once = max(1, min(tiles, _SAMPLES_AT_ONCE[self.device.type] // step**2))
        with stream_of_torch(self.device):
            film: Any = kernels.Film()
            film.samples = supersample
            film.width = size * supersample
            film.side = side
            film.grey = wp.vec3d(*LUMINANCE_WEIGHTS)
            samples = (at_once, step, step)
            nearest = torch.empty(samples, dtype=torch.float64, device=self.device)
            light = torch.empty((*samples, 4), device=self.device)
            film.depth = wp.from_torch(nearest)
            film.light = wp.from_torch(light, dtype=wp.vec4f)
            film.image = wp.from_torch(image)
            film.mask = wp.from_torch(mask)
            film.distance = wp.from_torch(depth)
            shots: Any = Shots()
            for name, dtype in _COLUMNS.items():
                setattr(shots, name, self._array(getattr(views, name), dtype))
            self._table.normals = self._normals_for(shading)
            for first in range(0, tiles, at_once):
                nearest.fill_(torch.inf)
                wp.launch(
                    kernels.cast,
                    dim=min(at_once, tiles - first),
                    inputs=[self._table, shots, film, int(shading == "smooth"), first],
                    device=self._warp_device,
                )
        return Rendering(image, mask, depth)

    def _array(self, values: Any, dtype: Any) -> Any:
        """Copy numbers to the device, (n,) or (n, ...) of a Warp scalar, vector or matrix."""
        scalar = wp.dtype_to_numpy(getattr(dtype, "_wp_scalar_type_", dtype))
        tensor = torch.from_numpy(np.array(values, dtype=scalar, order="C")).to(self.device)
        return wp.from_torch(tensor, dtype=dtype)

    def _bvh(self, mesh: Mesh, faces: IntArray) -> Any:
        corners = mesh.vertices[faces]
        lowers = self._array(corners.min(axis=1), wp.vec3)
        return wp.Bvh(lowers, self._array(corners.max(axis=1), wp.vec3))

    def _mesh_table(self) -> Any:
        """All meshes, one after another, as arrays on the device."""
        corners = np.stack([[m.vertices.min(axis=0), m.vertices.max(axis=0)] for m in self.meshes])
        centres = corners.mean(axis=1)
        radii = [
            np.sqrt(((m.vertices - c) ** 2).sum(axis=1).max())
            for m, c in zip(self.meshes, centres, strict=True)
        ]
        first_vertex = np.cumsum([0, *(len(m.vertices) for m in self.meshes)])[:-1]
        first_face = np.cumsum([0, *(len(f) for f in self._faces)])[:-1]
        faces = [f + v for f, v in zip(self._faces, first_vertex, strict=True)]
        table: Any = kernels.Meshes()
        table.bvh = self._array([b.id for b in self._bvhs], wp.int64)
        table.first_face = self._array(first_face, wp.int32)
        table.centre = self._array(centres, wp.vec3d)
        table.radius = self._array(radii, wp.float64)
        table.vertices = self._array(np.concatenate([m.vertices for m in self.meshes]), wp.vec3d)
        table.faces = self._array(np.concatenate(faces), wp.vec3i)
        table.colors = self._array(np.concatenate([m.colors for m in self.meshes]), wp.vec3d)
        return table

    def _normals_for(self, shading: str) -> Any:
        """Return the normals of all meshes on the device, made when first asked for."""
        if shading not in self._normals:
            make = corner_normals if shading == "smooth" else face_normals
            normals = [
                make(mesh.vertices, faces).reshape(-1, 3)
                for mesh, faces in zip(self.meshes, self._faces, strict=True)
            ]
            self._normals[shading] = self._array(np.concatenate(normals), wp.vec3d)
        return self._normals[shading]


def _canonical(vertices: FloatArray, faces: IntArray) -> IntArray:
    """Order the corners of each face by (y, |x|, |z|).

    A face and its mirror image then have the same order, and sums over corners the same rounding.
    """
    p = vertices[faces]
    order = np.lexsort((np.abs(p[..., 2]), np.abs(p[..., 0]), p[..., 1]), axis=-1)
    return np.take_along_axis(faces, order, axis=-1)
