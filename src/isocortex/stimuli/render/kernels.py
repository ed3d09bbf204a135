"""Warp kernels of the ray caster: one source for CPU and CUDA.

Rays are cast in beams. The samples of a square tile of the image form one beam, which asks the
mesh's bounding volume hierarchy once for the faces that it may meet; every sample's own ray is
then intersected with these faces in float64. The tests are arranged so that a mirrored picture is
computed by mirrored arithmetic, bit by bit:

- Edge functions are antisymmetric in the two ends of the edge, and products are never fused with
  sums (`fuse_fp` is off), so two faces that share an edge agree exactly on which side a ray
  passes. There are no cracks; a ray through the edge itself hits both.
- The BVH only proposes faces (beams are a little wider than they need be), so the order in which
  it stores them, which no mirror image shares, decides nothing.
- Hits that lie within about `TIE` of each other in depth (a shared edge, coplanar or doubled
  faces) are blended, with weights that fall off smoothly; none of them is "first".
- The samples of a pixel are added up in pairs from the left and the right.
"""

# Annotations here are values for Warp's compiler, not types for a type checker.
# mypy: ignore-errors

import warp as wp

from isocortex.stimuli.render.optics import (
    ONE,
    ZERO,
    Camera,
    Lamp,
    Shots,
    Window,
    across,
    beam_through,
    camera_of,
    homogeneous,
    lamp_of,
    place,
    shade,
    towards_camera,
)

wp.set_module_options(
    {"enable_backward": False, "fuse_fp": False, "use_precompiled_headers": False}
)

TIE = wp.constant(wp.float64(1.0e-6))  # of depth, in units of the object's radius
FAR_APART = wp.constant(wp.float64(40.0))  # in units of TIE; exp(-40) is lost in rounding
INFINITY = wp.constant(wp.float64(wp.inf))

Sample = wp.types.vector(length=5, dtype=wp.float64)  # red, green, blue, depth, hits


@wp.struct
class Meshes:
    """All meshes of a renderer, one after another; faces name rows of `vertices`."""

    bvh: wp.array(dtype=wp.int64)  # handles
    first_face: wp.array(dtype=wp.int32)
    centre: wp.array(dtype=wp.vec3d)
    radius: wp.array(dtype=wp.float64)
    vertices: wp.array(dtype=wp.vec3d)
    faces: wp.array(dtype=wp.vec3i)
    colors: wp.array(dtype=wp.vec3d)
    normals: wp.array(dtype=wp.vec3d)  # one a face, or (smooth) one for each of its corners


@wp.struct
class Film:
    """What is exposed: the samples of some tiles, and the images that they become a part of."""

    samples: wp.int32  # of a pixel, along one side
    width: wp.int32  # of the image, in samples
    side: wp.int32  # of a tile, in pixels
    depth: wp.array3d(dtype=wp.float64)  # (tile, row, column) of samples; infinite at first
    light: wp.array3d(dtype=wp.vec4f)  # weighted sum of the nearest hits' colours, and of weights
    grey: wp.vec3d  # weights of red, green, blue in a picture of one channel
    image: wp.array4d(dtype=wp.float32)  # empty at first: background, 0, infinite
    mask: wp.array4d(dtype=wp.float32)
    distance: wp.array4d(dtype=wp.float32)


@wp.func
def window_of(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, camera: Camera, width: int, tile: Window):
    """Part of a tile that a face may cover; all of it where a corner is not before a pinhole."""
    ha = homogeneous(camera, a)
    hb = homogeneous(camera, b)
    hc = homogeneous(camera, c)
    window = tile
    if wp.min(wp.min(ha[2], hb[2]), hc[2]) > ZERO:
        if camera.perspective != 0:
            ha = ha / ha[2]
            hb = hb / hb[2]
            hc = hc / hc[2]
        # The inverse of `across`, and a slack of a millionth sample.
        unit = wp.float64(0.5) / camera.pitch
        middle = wp.float64(0.5) * wp.float64(width - 1)
        slack = wp.float64(1.0e-6)
        x0 = middle + unit * wp.min(wp.min(ha[0], hb[0]), hc[0]) - slack
        x1 = middle + unit * wp.max(wp.max(ha[0], hb[0]), hc[0]) + slack
        y0 = middle - unit * wp.max(wp.max(ha[1], hb[1]), hc[1]) - slack
        y1 = middle - unit * wp.min(wp.min(ha[1], hb[1]), hc[1]) + slack
        first = wp.float64(tile.left)
        last = wp.float64(tile.right)
        window.left = wp.int32(wp.ceil(wp.clamp(x0, first, last + ONE)))
        window.right = wp.int32(wp.floor(wp.clamp(x1, first - ONE, last)))
        first = wp.float64(tile.top)
        last = wp.float64(tile.bottom)
        window.top = wp.int32(wp.ceil(wp.clamp(y0, first, last + ONE)))
        window.bottom = wp.int32(wp.floor(wp.clamp(y1, first - ONE, last)))
    return window


@wp.func
def expose(
    film: Film,
    slot: int,
    row: int,
    column: int,
    distance: wp.float64,
    tie: wp.float64,
    c: wp.vec4f,
):
    """Enter a hit: in front of what is there, hidden by it, or blended with it.

    The blend gives each hit the weight exp(-depth / tie) in relation to the nearest, and so does
    not depend on the order in which they come.
    """
    known = film.depth[slot, row, column]
    band = FAR_APART * tie
    if distance < known - band:
        film.depth[slot, row, column] = distance
        film.light[slot, row, column] = c
    elif distance <= known + band:
        before = film.light[slot, row, column]
        share = wp.float32(wp.exp(-wp.abs(distance - known) / tie))
        if distance < known:
            film.depth[slot, row, column] = distance
            film.light[slot, row, column] = share * before + c
        else:
            film.light[slot, row, column] = before + share * c


@wp.func
def strike(
    meshes: Meshes,
    face: int,
    camera: Camera,
    lamp: Lamp,
    smooth: int,
    tie: wp.float64,
    tile: Window,
    film: Film,
    slot: int,
):
    """Intersect the rays of a tile with one face and enter the hits; say where they may be."""
    corners = meshes.faces[face]
    a = place(camera, meshes.vertices[corners[0]])
    b = place(camera, meshes.vertices[corners[1]])
    c = place(camera, meshes.vertices[corners[2]])
    window = window_of(a, b, c, camera, film.width, tile)
    if window.left > window.right or window.top > window.bottom:
        return window

    # The ray through (x, y) meets the face at u a + v b + w c, with u ~ (x, y, 1) . edge_a ...
    ha = homogeneous(camera, a)
    hb = homogeneous(camera, b)
    hc = homogeneous(camera, c)
    edge_a = wp.cross(hb, hc)
    edge_b = wp.cross(hc, ha)
    edge_c = wp.cross(ha, hb)
    turn = camera.rotation  # of normals: both sides of a face are its front
    if wp.dot(ha, edge_a) < ZERO:
        edge_a = -edge_a
        edge_b = -edge_b
        edge_c = -edge_c
        turn = -turn

    color = meshes.colors[face]
    flat = wp.vec4f()
    na = wp.vec3d()
    nb = wp.vec3d()
    nc = wp.vec3d()
    if smooth != 0:
        na = turn * meshes.normals[3 * face]
        nb = turn * meshes.normals[3 * face + 1]
        nc = turn * meshes.normals[3 * face + 2]
    else:
        view = towards_camera(camera, (a + b + c) / wp.float64(3.0))
        flat = shade(lamp, turn * meshes.normals[face], view, color)

    for row in range(window.top, window.bottom + 1):
        y = -across(row, film.width, camera.pitch)
        row_a = edge_a[1] * y + edge_a[2]
        row_b = edge_b[1] * y + edge_b[2]
        row_c = edge_c[1] * y + edge_c[2]
        for column in range(window.left, window.right + 1):
            x = across(column, film.width, camera.pitch)
            u = edge_a[0] * x + row_a
            v = edge_b[0] * x + row_b
            w = edge_c[0] * x + row_c
            total = u + v + w
            if u >= ZERO and v >= ZERO and w >= ZERO and total > ZERO:
                distance = (u * a[2] + v * b[2] + w * c[2]) / total
                if distance > ZERO:
                    shown = flat
                    if smooth != 0:
                        point = (u * a + v * b + w * c) / total
                        normal = wp.normalize(u * na + v * nb + w * nc)
                        shown = shade(lamp, normal, towards_camera(camera, point), color)
                    expose(film, slot, row - tile.top, column - tile.left, distance, tie, shown)
    return window


@wp.func
def sample_of(film: Film, slot: int, row: int, column: int):
    """Colour, depth and 1 where the sample hit something, zeros where not."""
    sample = Sample()
    depth = film.depth[slot, row, column]
    if depth < INFINITY:
        c = film.light[slot, row, column]
        sample[0] = wp.float64(c[0]) / wp.float64(c[3])
        sample[1] = wp.float64(c[1]) / wp.float64(c[3])
        sample[2] = wp.float64(c[2]) / wp.float64(c[3])
        sample[3] = depth
        sample[4] = ONE
    return sample


@wp.func
def sum_of(film: Film, slot: int, top: int, left: int):
    """Sum of the samples of the pixel whose first sample is at `top`, `left` of a tile."""
    s = film.samples
    sum = Sample()
    for row in range(top, top + s):
        for j in range(s // 2):
            pair = sample_of(film, slot, row, left + j) + sample_of(
                film, slot, row, left + s - 1 - j
            )
            sum = sum + pair
        if s % 2 == 1:
            sum = sum + sample_of(film, slot, row, left + s // 2)
    return sum


@wp.func
def develop(film: Film, k: int, row: int, column: int, sum: Sample, background: wp.vec3d):
    """Turn the sum of a pixel's samples into the pixel."""
    hits = sum[4]
    count = wp.float64(film.samples * film.samples)
    color = (wp.vec3d(sum[0], sum[1], sum[2]) + (count - hits) * background) / count
    if film.image.shape[1] == 1:
        film.image[k, 0, row, column] = wp.float32(wp.dot(film.grey, color))
    else:
        for channel in range(3):
            film.image[k, channel, row, column] = wp.float32(color[channel])
    film.mask[k, 0, row, column] = wp.float32(hits / count)
    film.distance[k, 0, row, column] = wp.float32(sum[3] / hits)


@wp.func
def trace(
    meshes: Meshes,
    mesh: int,
    camera: Camera,
    lamp: Lamp,
    smooth: int,
    tile: Window,
    film: Film,
    slot: int,
):
    """Cast the rays of a tile at a mesh; return the part of the tile that may have been hit."""
    touched = Window()
    touched.top = tile.bottom + 1
    touched.bottom = tile.top - 1
    touched.left = tile.right + 1
    touched.right = tile.left - 1
    radius = meshes.radius[mesh]
    tie = TIE * radius * camera.scale
    beam = beam_through(tile, film.width, camera, meshes.centre[mesh], radius)
    if beam.length > 0.0:
        bvh = wp.uint64(meshes.bvh[mesh])
        query = wp.bvh_query_capsule(bvh, beam.start, beam.direction, beam.radius)
        found = int(0)  # noqa: UP018, RUF046  a variable, not a constant
        while wp.bvh_query_next(query, found, beam.length):
            face = meshes.first_face[mesh] + found
            window = strike(meshes, face, camera, lamp, smooth, tie, tile, film, slot)
            if window.left <= window.right and window.top <= window.bottom:
                touched.top = wp.min(touched.top, window.top)
                touched.bottom = wp.max(touched.bottom, window.bottom)
                touched.left = wp.min(touched.left, window.left)
                touched.right = wp.max(touched.right, window.right)
    return touched


@wp.kernel
def cast(meshes: Meshes, shots: Shots, film: Film, smooth: int, first: int):
    """One thread a tile: cast its rays, develop the pixels that were hit."""
    slot = wp.tid()
    s = film.samples
    step = film.side * s
    tiles = (film.width + step - 1) // step
    k = (first + slot) // (tiles * tiles)
    place_of_tile = (first + slot) % (tiles * tiles)
    tile = Window()
    tile.top = (place_of_tile // tiles) * step
    tile.left = (place_of_tile % tiles) * step
    tile.bottom = wp.min(tile.top + step, film.width) - 1
    tile.right = wp.min(tile.left + step, film.width) - 1

    camera = camera_of(shots, k, film.width)
    lamp = lamp_of(shots, k)
    touched = trace(meshes, shots.mesh[k], camera, lamp, smooth, tile, film, slot)

    background = shots.background[k]
    for row in range(touched.top // s, touched.bottom // s + 1):
        for column in range(touched.left // s, touched.right // s + 1):
            sum = sum_of(film, slot, row * s - tile.top, column * s - tile.left)
            if sum[4] > ZERO:
                develop(film, k, row, column, sum, background)
