"""How each image is taken: which mesh, its pose, the camera, the light, the background.

Everything is said in the axes of the camera: x to the right, y up, z out of the picture towards
the viewer, with the camera in the origin looking along -z. The object turns and moves; camera and
light stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.mesh import FloatArray, IntArray

BACKGROUND = 128 / 255
FILL = 0.95  # an object of radius 1 reaches this share of the half-width of the image
DISTANCE = 2.0  # from the camera's plane to the object's centre, orthographic camera
LIGHT_ELEVATION = 30.0  # degrees
LIGHTINGS: dict[str, float] = {"symmetric": 0.0, "side": 45.0, "object_front": 0.0}
"""Azimuth in degrees of each lighting; ``object_front`` turns with the object."""


def cos_sin(degrees: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return cosine and sine of angles in degrees, with their symmetries exact bit by bit.

    ``cos(-t) == cos(t)``, ``sin(-t) == -sin(t)``, ``cos(180 - t) == -cos(t)``, quarter turns are
    exactly 0 and 1. Pictures of a mirror-symmetric object can then be mirror images bit by bit.
    """
    angle = np.asarray(degrees, dtype=np.float64)
    size = np.fmod(np.abs(angle), 360.0)
    quarter = np.floor((size + 45.0) / 90.0)
    rest = size - 90.0 * quarter
    diagonal = np.abs(rest) == 45.0
    c = np.where(diagonal, np.sqrt(0.5), np.cos(np.radians(rest)))
    s = np.where(diagonal, np.copysign(np.sqrt(0.5), rest), np.sin(np.radians(rest)))
    q = quarter.astype(np.int64) % 4
    cosine = np.choose(q, [c, -s, -c, s])
    sine = np.choose(q, [s, c, -s, -c])
    return cosine + 0.0, np.where(angle < 0, -sine, sine) + 0.0


def rotation_x(degrees: npt.ArrayLike) -> FloatArray:
    """Rotation (..., 3, 3) about x: positive angles bring the top towards the camera."""
    c, s = cos_sin(degrees)
    zero, one = np.zeros_like(c), np.ones_like(c)
    return _matrix([[one, zero, zero], [zero, c, -s], [zero, s, c]])


def rotation_y(degrees: npt.ArrayLike) -> FloatArray:
    """Rotation (..., 3, 3) about y (yaw): positive angles bring the front towards +x."""
    c, s = cos_sin(degrees)
    zero, one = np.zeros_like(c), np.ones_like(c)
    return _matrix([[c, zero, s], [zero, one, zero], [-s, zero, c]])


def rotation_z(degrees: npt.ArrayLike) -> FloatArray:
    """Rotation (..., 3, 3) about z (roll): positive angles turn counter-clockwise."""
    c, s = cos_sin(degrees)
    zero, one = np.zeros_like(c), np.ones_like(c)
    return _matrix([[c, -s, zero], [s, c, zero], [zero, zero, one]])


def light_from(azimuth: npt.ArrayLike, elevation: npt.ArrayLike = LIGHT_ELEVATION) -> FloatArray:
    """Return unit vectors (..., 3) towards a light, azimuth 0 above the camera, 90 at the right.

    Azimuth 0 gives (0, .5, .866), 45 gives (.612, .5, .612).
    """
    ca, sa = cos_sin(azimuth)
    ce, se = cos_sin(elevation)
    return np.stack(np.broadcast_arrays(ce * sa, se, ce * ca), axis=-1)


@dataclass(frozen=True, eq=False)
class Views:
    """One row an image; a value that is given once holds for all of them.

    Parameters
    ----------
    mesh : int array (n,)
        Index of the mesh in the renderer.
    rotation : array (n, 3, 3)
        From the object's frame to the camera's axes; orthogonal.
    translation : array (n, 3)
        Where the object's origin is, in camera axes. In front of the camera z is negative.
    scale : array (n,)
        Size of the object's unit in the camera's frame.
    perspective : bool array (n,)
        Pinhole camera, else orthographic.
    extent : array (n,)
        Half the width of the picture: in units of the camera's frame for an orthographic camera,
        as the tangent of half the field of view for a pinhole. See `fov_extent`.
    light : array (n, 3)
        Towards the light, in camera axes; any length but 0.
    diffuse : array (n,)
        Weight of max(0, n.l).
    ambient : array (n, 2)
        Light from the sky and from the ground; a normal gets the mixture that its elevation says.
        Two equal values are plain ambient light.
    up : array (n, 3)
        Towards the sky, in camera axes.
    specular, shininess : array (n,)
        Weight and exponent of the Blinn-Phong highlight; white.
    background : array (n, 3)
        sRGB in [0, 1] where nothing is hit. A number is grey.

    Raises
    ------
    UserError
        If a value has the wrong shape, is not finite, or makes no sense.

    Notes
    -----
    A picture's brightness is colour x (ambient + diffuse x max(0, n.l)) + highlight, with the
    normal n turned towards the camera, clipped to [0, 1]; the defaults add up to 1 at most.
    """

    mesh: IntArray
    rotation: Any = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    translation: Any = (0.0, 0.0, -DISTANCE)
    scale: Any = 1.0
    perspective: Any = False
    extent: Any = 1 / FILL
    light: Any = (0.0, 0.5, 0.75**0.5)
    diffuse: Any = 0.65
    ambient: Any = 0.35
    up: Any = (0.0, 1.0, 0.0)
    specular: Any = 0.0
    shininess: Any = 20.0
    background: Any = BACKGROUND

    def __post_init__(self) -> None:
        mesh = np.atleast_1d(np.array(self.mesh))
        if mesh.ndim != 1 or not np.issubdtype(mesh.dtype, np.integer):
            raise UserError(
                f"views: mesh indices have shape {mesh.shape} and type {mesh.dtype}; "
                "give one whole number for each image"
            )
        object.__setattr__(self, "mesh", mesh.astype(np.int64))
        for name, shape in _SHAPES.items():
            object.__setattr__(self, name, self._filled(name, shape))
        for name in ("scale", "extent"):
            if (getattr(self, name) <= 0).any():
                raise UserError(f"views: {name} must be above 0")
        for name in ("diffuse", "ambient", "specular", "shininess"):
            if (getattr(self, name) < 0).any():
                raise UserError(f"views: {name} must not be negative")
        if ((self.background < 0) | (self.background > 1)).any():
            raise UserError("views: background must lie in [0, 1]; divide bytes by 255")
        product = self.rotation @ self.rotation.swapaxes(-1, -2)
        if len(mesh) and np.abs(product - np.eye(3)).max() > 1e-6:
            raise UserError("views: a rotation is not orthogonal; give rotation matrices")
        for name in ("light", "up"):
            vectors = getattr(self, name)
            lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
            if (lengths == 0).any():
                raise UserError(f"views: {name} has length 0; give a direction")
            # A unit vector stays as it is, bit by bit, when views are cut out of views.
            unit = np.where(np.abs(lengths - 1) < 1e-12, vectors, vectors / lengths)
            object.__setattr__(self, name, unit)

    def _filled(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return the field as an array (n, *shape), one value repeated where one was given."""
        value = np.asarray(getattr(self, name), dtype=bool if name == "perspective" else np.float64)
        n = len(self.mesh)
        try:
            filled = np.array(np.broadcast_to(value, (n, *shape)))
        except ValueError:
            raise UserError(
                f"views: {name} has shape {value.shape}; give {shape or '()'} or {(n, *shape)}"
            ) from None
        if not np.isfinite(filled).all():
            raise UserError(f"views: {name} has values that are NaN or infinite")
        return filled

    def __len__(self) -> int:
        return len(self.mesh)

    def __getitem__(self, rows: slice | npt.ArrayLike) -> Views:
        """Return the views of some rows: a slice, indices or a mask."""
        index = rows if isinstance(rows, slice) else np.atleast_1d(np.asarray(rows))
        return Views(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @classmethod
    def turntable(
        cls,
        mesh: npt.ArrayLike,
        yaw: npt.ArrayLike,
        elevation: npt.ArrayLike = 0.0,
        *,
        lighting: str = "symmetric",
        azimuth: npt.ArrayLike | None = None,
        fov: float | None = None,
        fill: float = FILL,
        **others: Any,
    ) -> Views:
        """Objects on a turntable, seen from the front.

        Parameters
        ----------
        mesh : int or int array (n,)
            Index of the mesh in the renderer.
        yaw : float or array (n,)
            Degrees; 0 is frontal, positive angles bring the front towards the right.
        elevation : float or array (n,)
            Degrees that the camera stands above the object's horizon.
        lighting : {"symmetric", "side", "object_front"}
            Light 30 degrees above the camera's axis in its vertical plane; from 45 degrees to the
            side; or fixed in the object's plane x = 0, above its front.
        azimuth : float or array (n,), optional
            Degrees to the side in place of those that `lighting` says.
        fov : float, optional
            Field of view in degrees of a pinhole camera; orthographic where it is not given. The
            camera then stands where a sphere of radius 1 looks as large as with the other.
        fill : float
            Share of the picture's half-width that an object of radius 1 reaches.
        **others
            Further fields of `Views`.

        Returns
        -------
        Views
            One row for each of the broadcast `mesh`, `yaw`, `elevation`, `azimuth`.

        Raises
        ------
        UserError
            For an unknown lighting, a field of view that no camera has, or lengths that do not fit.
        """
        if lighting not in LIGHTINGS:
            raise unknown("lighting", lighting, LIGHTINGS)
        if not fill > 0:
            raise UserError(f"views: fill is {fill}; it must be above 0")
        try:
            meshes, yaws, elevations, azimuths = np.broadcast_arrays(
                np.atleast_1d(mesh),
                np.asarray(yaw, dtype=np.float64),
                np.asarray(elevation, dtype=np.float64),
                np.asarray(LIGHTINGS[lighting] if azimuth is None else azimuth, dtype=np.float64),
            )
        except ValueError:
            raise UserError(
                "views: mesh, yaw, elevation and azimuth have lengths that do not fit together"
            ) from None
        for name, angles in (("yaw", yaws), ("elevation", elevations), ("azimuth", azimuths)):
            if not np.isfinite(angles).all():
                raise UserError(f"views: {name} has values that are NaN or infinite")
        tilt = rotation_x(elevations)
        rotation = compose(tilt, rotation_y(yaws))
        light = light_from(azimuths)
        if lighting == "object_front":
            light = (rotation * light[:, None, :]).sum(axis=-1)
        chosen: dict[str, Any] = {"extent": 1 / fill, "up": tilt[:, :, 1], "light": light}
        if fov is not None:
            half = fov_extent(fov)
            chosen |= {
                "perspective": True,
                "extent": half,
                "translation": (0.0, 0.0, -1 / np.sin(np.arctan(fill * half))),
            }
        return cls(mesh=meshes, rotation=rotation, **(chosen | others))


def compose(first: FloatArray, second: FloatArray) -> FloatArray:
    """Matrix product (..., 3, 3), summed in a fixed order so that mirror images stay so."""
    terms = first[..., :, :, None] * second[..., None, :, :]
    return terms[..., 0, :] + terms[..., 1, :] + terms[..., 2, :]


def fov_extent(degrees: float) -> float:
    """Return the `extent` of a pinhole camera with this field of view (full width, degrees).

    Raises
    ------
    UserError
        If it is not between 0 and 180.
    """
    if not 0 < degrees < 180:
        raise UserError(f"views: a field of view of {degrees} degrees; give one between 0 and 180")
    return float(np.tan(np.radians(degrees / 2)))


def concatenate(parts: Sequence[Views]) -> Views:
    """Put views one after another."""
    return Views(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Views)}
    )


_SHAPES: dict[str, tuple[int, ...]] = {
    "rotation": (3, 3),
    "translation": (3,),
    "scale": (),
    "perspective": (),
    "extent": (),
    "light": (3,),
    "diffuse": (),
    "ambient": (2,),
    "up": (3,),
    "specular": (),
    "shininess": (),
    "background": (3,),
}


def _matrix(rows: list[list[FloatArray]]) -> FloatArray:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
