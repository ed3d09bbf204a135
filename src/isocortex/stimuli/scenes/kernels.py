"""Warp kernels of latent scenes: one source for CPU and CUDA.

One thread a pixel, launched over (image, row, column); rays are traced against one bounding volume
hierarchy a mesh, in the mesh's own frame, in float32. The picture of an image is a function of its
own row alone: nothing is shared between images, and nothing added up by several threads but whole
numbers.

Directions are in the axes of the camera; a place in the picture is (x, y) on the plane of unit
depth, from -extent to extent.
"""

# Annotations here are values for Warp's compiler, not types for a type checker.
# mypy: ignore-errors
# ruff: noqa: UP018, RUF046  `float(0.0)` is a variable of a kernel, `0.0` a constant

import warp as wp

from isocortex.stimuli.scenes.scenery import Atlas, World, behind

wp.set_module_options(
    {"enable_backward": False, "fuse_fp": False, "use_precompiled_headers": False}
)

FAR = wp.constant(1.0e30)
NEAREST = wp.constant(0.05)  # depth of a vertex before which its place in the picture says nothing
WIDEST = wp.constant(16.0)  # of the outline's frame, in half-widths of the picture
LIFT = wp.constant(1.0e-3)  # where shadow rays begin above a surface, in longest sides
CAMERA = wp.constant(0.3)  # least height of the camera above the ground


@wp.struct
class Bodies:
    """What stands in each image (n, b): the object first, then what is before and behind it."""

    mesh: wp.array2d(dtype=wp.uint64)  # handle; 0 where nothing stands
    first_face: wp.array2d(dtype=wp.int32)
    radius: wp.array2d(dtype=wp.float32)  # of the bounding sphere, in the camera's units
    rotation: wp.array2d(dtype=wp.mat33)
    centre: wp.array2d(dtype=wp.vec3)
    scale: wp.array2d(dtype=wp.float32)
    colors: wp.array(dtype=wp.vec3)  # of all faces of all meshes


@wp.struct
class Outline:
    """Where the object and its shadow on the ground may be in the picture; depth of the ground."""

    window: wp.array(dtype=wp.vec4)  # left, right, bottom, top
    shadow: wp.array(dtype=wp.vec4)
    height: wp.array(dtype=wp.float32)  # of the camera above the ground


@wp.struct
class Film:
    """What is exposed."""

    samples: wp.int32  # along one side of a pixel
    size: wp.int32  # pixels along one side of the picture
    extent: wp.float32  # half the width of the picture
    shadow: wp.int32
    maps: wp.int32  # whether depth, normal and face are wanted
    image: wp.array4d(dtype=wp.float32)
    mask: wp.array4d(dtype=wp.float32)
    depth: wp.array4d(dtype=wp.float32)
    normal: wp.array4d(dtype=wp.float32)
    face: wp.array3d(dtype=wp.int32)


@wp.struct
class Hit:
    """Nearest surface along a ray."""

    body: wp.int32  # -1: none
    face: wp.int32
    distance: wp.float32
    normal: wp.vec3


@wp.func
def meets(centre: wp.vec3, radius: wp.float32, start: wp.vec3, direction: wp.vec3):
    """Whether a ray comes near a sphere."""
    to = centre - start
    along = wp.dot(to, direction)
    return along > -radius and wp.dot(to, to) - along * along <= radius * radius


@wp.func
def cast_at(bodies: Bodies, i: int, b: int, start: wp.vec3, direction: wp.vec3, reach: float):
    """Meet one body within `reach`; the normal is turned towards where the ray came from."""
    hit = Hit()
    hit.body = -1
    hit.face = -1
    hit.distance = reach
    id = bodies.mesh[i, b]
    if id != wp.uint64(0):
        centre = bodies.centre[i, b]
        if meets(centre, bodies.radius[i, b], start, direction):
            back = wp.transpose(bodies.rotation[i, b])
            scale = bodies.scale[i, b]
            query = wp.mesh_query_ray(
                id, back * (start - centre) / scale, back * direction, reach / scale
            )
            if query.result:
                hit.body = b
                hit.face = query.face
                hit.distance = query.t * scale
                normal = wp.normalize(bodies.rotation[i, b] * query.normal)
                if wp.dot(normal, direction) > 0.0:
                    normal = -normal
                hit.normal = normal
    return hit


@wp.func
def nearest(bodies: Bodies, i: int, window: wp.vec4, x: float, y: float, direction: wp.vec3):
    """Meet what the camera sees in a direction."""
    start = wp.vec3(0.0, 0.0, 0.0)
    best = Hit()
    best.body = -1
    best.face = -1
    best.distance = FAR
    if within(window, x, y, 0.0):
        best = cast_at(bodies, i, 0, start, direction, FAR)
    for b in range(1, bodies.mesh.shape[1]):
        other = cast_at(bodies, i, b, start, direction, best.distance)
        if other.body >= 0:
            best = other
    return best


@wp.func
def shaded(bodies: Bodies, i: int, start: wp.vec3, light: wp.vec3):
    """Whether a body stands between a point and the sun."""
    found = bool(False)
    for b in range(bodies.mesh.shape[1]):
        id = bodies.mesh[i, b]
        if not found and id != wp.uint64(0):
            centre = bodies.centre[i, b]
            if meets(centre, bodies.radius[i, b], start, light):
                back = wp.transpose(bodies.rotation[i, b])
                scale = bodies.scale[i, b]
                found = wp.mesh_query_ray_anyhit(
                    id, back * (start - centre) / scale, back * light, FAR
                )
    return found


@wp.func
def nowhere():
    """Return a window that holds nothing."""
    return wp.vec4(FAR, -FAR, FAR, -FAR)


@wp.func
def extended(window: wp.vec4, p: wp.vec3):
    """Return the smallest window that holds a point too; all there is, if it is not in front."""
    depth = -p[2]
    out = wp.vec4(-FAR, FAR, -FAR, FAR)
    if depth >= NEAREST:
        x = p[0] / depth
        y = p[1] / depth
        out = wp.vec4(
            wp.min(window[0], x),
            wp.max(window[1], x),
            wp.min(window[2], y),
            wp.max(window[3], y),
        )
    return out


@wp.func
def bounded(window: wp.vec4, extent: float):
    """Return a window a little larger, by more than float32 rounds, within what is looked at."""
    slack = 1.0e-5
    most = WIDEST * extent
    return wp.vec4(
        wp.clamp(window[0] - slack, -most, most),
        wp.clamp(window[1] + slack, -most, most),
        wp.clamp(window[2] - slack, -most, most),
        wp.clamp(window[3] + slack, -most, most),
    )


@wp.func
def within(window: wp.vec4, x: float, y: float, slack: float):
    """Whether a place in the picture is in a window, or near it."""
    return (
        x >= window[0] - slack
        and x <= window[1] + slack
        and y >= window[2] - slack
        and y <= window[3] + slack
    )


@wp.kernel
def outline(bodies: Bodies, world: World, extent: float, out: Outline):
    """Project all vertices of the object, and their shadows on the ground, into the picture."""
    i = wp.tid()
    mesh = wp.mesh_get(bodies.mesh[i, 0])
    rotation = bodies.rotation[i, 0]
    centre = bodies.centre[i, 0]
    up = wp.vec3(world.axes[i][0, 1], world.axes[i][1, 1], world.axes[i][2, 1])
    window = nowhere()
    lowest = float(FAR)
    for k in range(mesh.points.shape[0]):
        p = rotation * mesh.points[k] + centre
        lowest = wp.min(lowest, wp.dot(p, up))
        window = extended(window, p)
    out.window[i] = bounded(window, extent)
    height = wp.max(CAMERA, -lowest) + world.gap[i]
    out.height[i] = height

    light = world.light[i]
    climb = wp.dot(light, up)
    shadow = nowhere()
    if climb > 0.0:
        for k in range(mesh.points.shape[0]):
            p = rotation * mesh.points[k] + centre
            shadow = extended(shadow, p - ((wp.dot(p, up) + height) / climb) * light)
        shadow = bounded(shadow, extent)
    out.shadow[i] = shadow


@wp.kernel
def survey(bodies: Bodies, out: Outline, side: int, extent: float, counts: wp.array2d(dtype=int)):
    """Cast a grid of rays over the object's frame; count those on it, in the picture, and seen."""
    i, row, column = wp.tid()
    window = out.window[i]
    x = window[0] + (window[1] - window[0]) * (float(column) + 0.5) / float(side)
    y = window[2] + (window[3] - window[2]) * (float(row) + 0.5) / float(side)
    direction = wp.normalize(wp.vec3(x, y, -1.0))
    start = wp.vec3(0.0, 0.0, 0.0)
    hit = cast_at(bodies, i, 0, start, direction, FAR)
    if hit.body >= 0:
        wp.atomic_add(counts, i, 0, 1)
        if wp.abs(x) <= extent and wp.abs(y) <= extent:
            wp.atomic_add(counts, i, 1, 1)
            hidden = bool(False)
            for b in range(1, bodies.mesh.shape[1]):
                other = cast_at(bodies, i, b, start, direction, hit.distance)
                hidden = hidden or other.body >= 0
            if not hidden:
                wp.atomic_add(counts, i, 2, 1)


@wp.kernel
def expose(bodies: Bodies, world: World, atlas: Atlas, out: Outline, film: Film):
    """Take one pixel: the mean over its samples of surfaces, lit and shaded background."""
    i, row, column = wp.tid()
    s = film.samples
    pitch = film.extent / float(film.size * s)
    window = out.window[i]
    axes = world.axes[i]
    up = wp.vec3(axes[0, 1], axes[1, 1], axes[2, 1])
    light = world.light[i]
    sun = world.sun[i]
    height = out.height[i]
    alone = bodies.mesh.shape[1] == 1
    takes_shadow = film.shadow != 0 and world.kind[i] != 0 and wp.dot(light, up) > 0.0
    middle_x = pitch * float(s) * float(2 * column + 1 - film.size)
    middle_y = -pitch * float(s) * float(2 * row + 1 - film.size)
    half = pitch * float(s)
    casts = takes_shadow and (not alone or within(out.shadow[i], middle_x, middle_y, half))

    color = wp.vec3(0.0, 0.0, 0.0)
    normal = wp.vec3(0.0, 0.0, 0.0)
    depth = float(0.0)
    closest = float(FAR)
    face = int(-1)
    hits = int(0)
    open = int(0)
    dark = int(0)
    rows = s
    if alone and not casts and not within(window, middle_x, middle_y, half):
        rows = 0
        open = s * s
    for p in range(rows):
        y = -pitch * float(2 * (row * s + p) + 1 - film.size * s)
        for q in range(s):
            x = pitch * float(2 * (column * s + q) + 1 - film.size * s)
            direction = wp.normalize(wp.vec3(x, y, -1.0))
            hit = nearest(bodies, i, window, x, y, direction)
            if hit.body >= 0:
                n = hit.normal
                lambert = wp.dot(n, light)
                if lambert > 0.0 and film.shadow != 0:
                    point = hit.distance * direction + LIFT * bodies.scale[i, hit.body] * n
                    if shaded(bodies, i, point, light):
                        lambert = 0.0
                share = 0.5 + 0.5 * wp.dot(n, up)
                lit = share * world.sky[i] + (1.0 - share) * world.ground[i]
                lit = lit + wp.max(lambert, 0.0) * sun
                index = bodies.first_face[i, hit.body] + hit.face
                color = color + wp.cw_mul(bodies.colors[index], lit)
                if hit.body == 0:
                    away = -hit.distance * direction[2]
                    hits = hits + 1
                    depth = depth + away
                    normal = normal + n
                    if away < closest:
                        closest = away
                        face = hit.face
            else:
                open = open + 1
                fall = -wp.dot(direction, up)
                if (
                    casts
                    and fall > 1.0e-4
                    and shaded(bodies, i, (height / fall) * direction, light)
                ):
                    dark = dark + 1
    count = float(s * s)
    if open > 0:
        step = 2.0 * half
        lit = behind(world, atlas, i, middle_x, middle_y, step, film.extent, height, up, 1.0)
        color = color + float(open - dark) * lit
        if dark > 0:
            color = color + float(dark) * behind(
                world, atlas, i, middle_x, middle_y, step, film.extent, height, up, 0.0
            )
    for channel in range(3):
        film.image[i, channel, row, column] = color[channel] / count
    film.mask[i, 0, row, column] = float(hits) / count
    if film.maps != 0 and hits > 0:
        film.depth[i, 0, row, column] = depth / float(hits)
        normal = wp.normalize(normal)
        for channel in range(3):
            film.normal[i, channel, row, column] = normal[channel]
        film.face[i, row, column] = face


@wp.struct
class Development:
    """What is done to a picture after it was taken, one row an image."""

    exposure: wp.array(dtype=wp.float32)  # stops
    tone: wp.array(dtype=wp.float32)  # exponent
    blur: wp.array(dtype=wp.float32)  # standard deviation, pixels
    noise: wp.array(dtype=wp.float32)  # standard deviation
    key: wp.array(dtype=wp.int32)


@wp.kernel
def smear(
    how: Development,
    down: int,
    source: wp.array4d(dtype=wp.float32),
    out: wp.array4d(dtype=wp.float32),
):
    """Blur along one axis with a Gaussian of up to three standard deviations; edges repeat."""
    i, row, column = wp.tid()
    sigma = how.blur[i]
    reach = int(wp.ceil(3.0 * sigma))
    size = source.shape[2]
    for channel in range(3):
        total = float(0.0)
        weights = float(0.0)
        for k in range(-reach, reach + 1):
            weight = float(1.0)
            if sigma > 0.0:
                weight = wp.exp(-0.5 * float(k * k) / (sigma * sigma))
            r = row
            c = column
            if down != 0:
                r = wp.clamp(row + k, 0, size - 1)
            else:
                c = wp.clamp(column + k, 0, size - 1)
            total = total + weight * source[i, channel, r, c]
            weights = weights + weight
        out[i, channel, row, column] = total / weights


@wp.kernel
def develop(how: Development, image: wp.array4d(dtype=wp.float32)):
    """Expose, clip, bend the tone curve, add noise, clip."""
    i, row, column = wp.tid()
    size = image.shape[2]
    state = wp.rand_init(how.key[i], row * size + column)
    gain = wp.pow(2.0, how.exposure[i])
    for channel in range(3):
        v = wp.clamp(gain * image[i, channel, row, column], 0.0, 1.0)
        if how.tone[i] != 1.0:
            v = wp.pow(v, how.tone[i])
        if how.noise[i] > 0.0:
            v = wp.clamp(v + how.noise[i] * wp.randn(state), 0.0, 1.0)
        image[i, channel, row, column] = v
