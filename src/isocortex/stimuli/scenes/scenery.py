"""What is behind the bodies of a scene, as functions that the kernels call.

A screen shows a crop of a picture; an environment has a sky with clouds over a textured plane. A
picture is looked up in the halving whose pixels are about as large as those that are filled.
"""

# Annotations here are values for Warp's compiler, not types for a type checker.
# mypy: ignore-errors
# ruff: noqa: D103

import warp as wp

ENVIRONMENT = wp.constant(2)
HAZE = wp.constant(25.0)  # distance over which the ground turns into the horizon, longest sides


@wp.struct
class World:
    """Light and background of each image."""

    axes: wp.array(dtype=wp.mat33)  # from the world's axes (y up) to the camera's
    light: wp.array(dtype=wp.vec3)  # towards the sun
    sun: wp.array(dtype=wp.vec3)  # colours times strengths
    sky: wp.array(dtype=wp.vec3)
    ground: wp.array(dtype=wp.vec3)
    gap: wp.array(dtype=wp.float32)  # between the object's lowest point and the ground
    kind: wp.array(dtype=wp.int32)  # screen, screen that takes shadows, environment
    picture: wp.array(dtype=wp.int32)
    crop: wp.array(dtype=wp.vec4)  # left, top, side in pixels of the picture; -1 mirrors, 1 not
    shift: wp.array(dtype=wp.vec2)  # of the ground's texture
    colors: wp.array2d(dtype=wp.vec3)  # zenith, horizon, dark and light ground
    cloud: wp.array(dtype=wp.float32)
    tile: wp.array(dtype=wp.float32)


@wp.struct
class Atlas:
    """Pictures and their halvings."""

    pixels: wp.array(dtype=wp.vec3ub)
    offset: wp.array2d(dtype=wp.int32)
    height: wp.array2d(dtype=wp.int32)
    width: wp.array2d(dtype=wp.int32)


@wp.func
def pixel(atlas: Atlas, picture: int, level: int, row: int, column: int, wrap: int):
    h = atlas.height[picture, level]
    w = atlas.width[picture, level]
    r = row
    c = column
    if wrap != 0:
        r = (row % h + h) % h
        c = (column % w + w) % w
    else:
        r = wp.clamp(row, 0, h - 1)
        c = wp.clamp(column, 0, w - 1)
    v = atlas.pixels[atlas.offset[picture, level] + r * w + c]
    return wp.vec3(float(v[0]), float(v[1]), float(v[2])) / 255.0


@wp.func
def between(atlas: Atlas, picture: int, level: int, u: float, v: float, wrap: int):
    """Bilinear colour at shares (u, v) of the picture's width and height."""
    x = u * float(atlas.width[picture, level]) - 0.5
    y = v * float(atlas.height[picture, level]) - 0.5
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    fx = x - float(column)
    fy = y - float(row)
    above = (1.0 - fx) * pixel(atlas, picture, level, row, column, wrap) + fx * pixel(
        atlas, picture, level, row, column + 1, wrap
    )
    below = (1.0 - fx) * pixel(atlas, picture, level, row + 1, column, wrap) + fx * pixel(
        atlas, picture, level, row + 1, column + 1, wrap
    )
    return (1.0 - fy) * above + fy * below


@wp.func
def textured(atlas: Atlas, picture: int, u: float, v: float, step: float, wrap: int):
    """Colour where one pixel covers `step` pixels of the picture, between two halvings."""
    deepest = float(atlas.offset.shape[1] - 1)
    level = wp.clamp(wp.log2(wp.max(step, 1.0)), 0.0, deepest)
    lower = int(wp.floor(level))
    share = level - float(lower)
    color = between(atlas, picture, lower, u, v, wrap)
    if share > 0.01:
        color = (1.0 - share) * color + share * between(atlas, picture, lower + 1, u, v, wrap)
    return color


@wp.func
def smooth(low: float, high: float, x: float):
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def luminance(c: wp.vec3):
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]


@wp.func
def screen(world: World, atlas: Atlas, i: int, x: float, y: float, step: float, extent: float):
    """Colour of the crop of a picture."""
    crop = world.crop[i]
    p = world.picture[i]
    u = (crop[0] + crop[2] * (0.5 + 0.5 * crop[3] * x / extent)) / float(atlas.width[p, 0])
    v = (crop[1] + crop[2] * (0.5 - 0.5 * y / extent)) / float(atlas.height[p, 0])
    return textured(atlas, p, u, v, crop[2] * step / (2.0 * extent), 0)


@wp.func
def environment(
    world: World,
    atlas: Atlas,
    i: int,
    x: float,
    y: float,
    step: float,
    height: float,
    up: wp.vec3,
    shine: float,
):
    """Colour of sky or ground; `shine` is 1 in the sun and 0 in a shadow."""
    ray = wp.vec3(x, y, -1.0)
    long = wp.length(ray)
    ray = ray / long
    p = world.picture[i]
    pixels = float(atlas.width[p, 0])
    climb = wp.dot(ray, up)
    there = wp.transpose(world.axes[i]) * ray
    angle = step / (long * long)
    horizon = world.colors[i, 1]
    color = horizon
    if climb > 0.0:
        share = wp.pow(climb, 0.6)
        color = (1.0 - share) * horizon + share * world.colors[i, 0]
        flat = 0.35 / (climb + 0.12)
        u = there[0] * flat + world.shift[i][0]
        v = there[2] * flat + world.shift[i][1]
        clouds = textured(atlas, p, u, v, angle * flat * pixels / (climb + 0.12), 1)[2]
        cover = world.cloud[i]
        share = smooth(1.0 - 0.75 * cover, 1.35 - 0.75 * cover, clouds) * smooth(0.02, 0.25, climb)
        color = (1.0 - 0.8 * share) * color + 0.8 * share * wp.vec3(0.96, 0.96, 0.95)
    else:
        fall = wp.max(-climb, 1.0e-4)
        distance = height / fall
        foot = there * distance
        u = foot[0] / world.tile[i] + world.shift[i][0]
        v = foot[2] / world.tile[i] + world.shift[i][1]
        cover = angle * distance / wp.sqrt(fall) / world.tile[i] * pixels
        coarse = textured(atlas, p, u, v, cover, 1)[0]
        fine = textured(atlas, p, 5.0 * u, 5.0 * v, 5.0 * cover, 1)[1]
        share = wp.clamp(0.5 + 1.4 * (coarse - 0.5) + 0.8 * (fine - 0.5), 0.0, 1.0)
        color = (1.0 - share) * world.colors[i, 2] + share * world.colors[i, 3]
        sun = wp.max(wp.dot(world.light[i], up), 0.0) * shine
        color = wp.cw_mul(color, world.sky[i] + sun * world.sun[i])
        fade = wp.exp(-distance / HAZE)
        color = fade * color + (1.0 - fade) * horizon
    return color


@wp.func
def behind(
    world: World,
    atlas: Atlas,
    i: int,
    x: float,
    y: float,
    step: float,
    extent: float,
    height: float,
    up: wp.vec3,
    shine: float,
):
    """Colour of the background at a place in the picture, in the sun (1) or in a shadow (0)."""
    color = wp.vec3(0.0, 0.0, 0.0)
    if world.kind[i] == ENVIRONMENT:
        color = environment(world, atlas, i, x, y, step, height, up, shine)
    else:
        color = screen(world, atlas, i, x, y, step, extent)
        if shine == 0.0:
            # The photograph shows a ground in the sun: take the sun's part of its light away.
            sky = luminance(world.sky[i])
            sun = luminance(world.sun[i]) * wp.max(wp.dot(world.light[i], up), 0.0)
            color = color * sky / (sky + sun)
    return color
