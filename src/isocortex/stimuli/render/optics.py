"""Cameras and lights of the ray caster, as functions that its kernels call.

Coordinates are camera axes; a place in the picture is (x, y) on the plane of the lens, from
-extent to extent. Depth is counted from the camera's plane along its axis.
"""

# Annotations here are values for Warp's compiler, not types for a type checker.
# mypy: ignore-errors
# ruff: noqa: D103

import warp as wp

ZERO = wp.constant(wp.float64(0.0))
ONE = wp.constant(wp.float64(1.0))
TWO = wp.constant(wp.float64(2.0))


@wp.struct
class Shots:
    """The columns of `Views` on the device, one row an image."""

    mesh: wp.array(dtype=wp.int32)
    rotation: wp.array(dtype=wp.mat33d)
    translation: wp.array(dtype=wp.vec3d)
    scale: wp.array(dtype=wp.float64)
    perspective: wp.array(dtype=wp.int32)
    extent: wp.array(dtype=wp.float64)
    light: wp.array(dtype=wp.vec3d)
    diffuse: wp.array(dtype=wp.float64)
    ambient: wp.array(dtype=wp.vec2d)
    up: wp.array(dtype=wp.vec3d)
    specular: wp.array(dtype=wp.float64)
    shininess: wp.array(dtype=wp.float64)
    background: wp.array(dtype=wp.vec3d)


@wp.struct
class Camera:
    """Pose and lens of one image."""

    rotation: wp.mat33d
    translation: wp.vec3d
    scale: wp.float64
    perspective: wp.int32
    extent: wp.float64
    pitch: wp.float64  # half the distance of neighbouring samples, in units of the picture


@wp.struct
class Lamp:
    """Light and gloss of one image."""

    towards: wp.vec3d
    diffuse: wp.float64
    sky: wp.float64
    ground: wp.float64
    up: wp.vec3d
    specular: wp.float64
    shininess: wp.float64


@wp.struct
class Window:
    """A rectangle of samples; the ends belong to it."""

    top: wp.int32
    bottom: wp.int32
    left: wp.int32
    right: wp.int32


@wp.struct
class Beam:
    """A ray in the object's frame, as thick as a tile."""

    start: wp.vec3
    direction: wp.vec3
    radius: wp.float32
    length: wp.float32


@wp.func
def camera_of(shots: Shots, shot: int, width: int):
    camera = Camera()
    camera.rotation = shots.rotation[shot]
    camera.translation = shots.translation[shot]
    camera.scale = shots.scale[shot]
    camera.perspective = shots.perspective[shot]
    camera.extent = shots.extent[shot]
    camera.pitch = camera.extent / wp.float64(width)
    return camera


@wp.func
def lamp_of(shots: Shots, shot: int):
    lamp = Lamp()
    lamp.towards = shots.light[shot]
    lamp.diffuse = shots.diffuse[shot]
    lamp.sky = shots.ambient[shot][0]
    lamp.ground = shots.ambient[shot][1]
    lamp.up = shots.up[shot]
    lamp.specular = shots.specular[shot]
    lamp.shininess = shots.shininess[shot]
    return lamp


@wp.func
def across(i: int, width: int, pitch: wp.float64):
    """Position of sample `i` in the picture; that of width - 1 - i is its exact negative."""
    return pitch * wp.float64(2 * i + 1 - width)


@wp.func
def place(camera: Camera, vertex: wp.vec3d):
    """Vertex in camera axes as (x, y, depth)."""
    p = camera.scale * (camera.rotation * vertex) + camera.translation
    return wp.vec3d(p[0], p[1], -p[2])


@wp.func
def homogeneous(camera: Camera, p: wp.vec3d):
    """Coordinates whose first two, divided by the third, are the place in the picture."""
    h = wp.vec3d(p[0], p[1], ONE)
    if camera.perspective != 0:
        h = p
    return h


@wp.func
def beam_through(window: Window, width: int, camera: Camera, centre: wp.vec3d, radius: wp.float64):
    """Beam of all rays of a window; its length is 0 where the mesh lies behind the camera."""
    x0 = across(window.left, width, camera.pitch)
    x1 = across(window.right, width, camera.pitch)
    y0 = across(window.top, width, camera.pitch)
    y1 = across(window.bottom, width, camera.pitch)
    x = (x0 + x1) / TWO
    y = -(y0 + y1) / TWO
    thick = wp.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)) / TWO

    middle = place(camera, centre)
    reach = camera.scale * radius
    near = wp.max(ZERO, middle[2] - reach)
    far = middle[2] + reach
    start = wp.vec3d(x, y, -near)
    end = wp.vec3d(x, y, -far)
    if camera.perspective != 0:
        start = near * wp.vec3d(x, y, -ONE)
        end = far * wp.vec3d(x, y, -ONE)
        thick = far * thick

    beam = Beam()
    beam.length = wp.float32(0.0)
    if far > ZERO:
        back = wp.transpose(camera.rotation)
        a = back * (start - camera.translation) / camera.scale
        b = back * (end - camera.translation) / camera.scale
        # Thicker and longer than exact, by far more than float32 rounds.
        slack = wp.float64(1.0e-5) * (wp.length(a) + wp.length(b) + radius)
        step = wp.normalize(b - a)
        beam.start = wp.vec3(a - slack * step)
        beam.direction = wp.vec3(step)
        beam.radius = wp.float32(thick / camera.scale + slack)
        beam.length = wp.float32(wp.length(b - a) + TWO * slack)
    return beam


@wp.func
def towards_camera(camera: Camera, p: wp.vec3d):
    """Return the unit vector from a point (x, y, depth) to the camera, in camera axes."""
    v = wp.vec3d(ZERO, ZERO, ONE)
    if camera.perspective != 0:
        v = wp.normalize(wp.vec3d(-p[0], -p[1], p[2]))
    return v


@wp.func
def shade(lamp: Lamp, normal: wp.vec3d, view: wp.vec3d, color: wp.vec3d):
    """Lambert, hemispheric ambient light, Blinn-Phong; red, green, blue of at most 1, and 1."""
    lambert = wp.max(ZERO, wp.dot(normal, lamp.towards))
    height = (wp.dot(normal, lamp.up) + ONE) / TWO
    ambient = lamp.sky * height + lamp.ground * (ONE - height)
    gloss = ZERO
    if lamp.specular > ZERO and lambert > ZERO:
        half = wp.normalize(lamp.towards + view)
        gloss = lamp.specular * wp.pow(wp.max(ZERO, wp.dot(normal, half)), lamp.shininess)
    c = (ambient + lamp.diffuse * lambert) * color + wp.vec3d(gloss, gloss, gloss)
    return wp.vec4f(
        wp.float32(wp.min(c[0], ONE)),
        wp.float32(wp.min(c[1], ONE)),
        wp.float32(wp.min(c[2], ONE)),
        1.0,
    )
