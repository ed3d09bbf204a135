"""Pictures of mirror-symmetric objects are mirror images of each other, bit by bit or nearly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.halves import mirror_joined
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.raycast import Renderer, Rendering
from isocortex.stimuli.render.views import Views

YAWS = np.linspace(0, 90, 5)
EXACT = ("one_plane", "two_plane")  # families that promise symmetry bit by bit


def reordered(mesh: Mesh, seed: int = 0) -> Mesh:
    """Return the same mesh with faces, corners and windings in an order that nothing mirrors."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(mesh.faces))
    return Mesh(mesh.vertices, rng.permuted(mesh.faces[order], axis=1), mesh.colors[order])


def mirror_pair(mesh: Mesh, axis: int = 0) -> Mesh:
    """Return a mesh together with its mirror image."""
    flip = np.where(np.arange(3) == axis, -1.0, 1.0)
    return Mesh(
        np.concatenate([mesh.vertices, mesh.vertices * flip]),
        np.concatenate([mesh.faces, mesh.faces + len(mesh.vertices)]),
        np.concatenate([mesh.colors, mesh.colors]),
    )


def differences(a: Rendering, b: Rendering) -> tuple[float, float, float]:
    """Largest differences of image, mask and depth between b and the mirror image of a."""
    depth_a, depth_b = a.depth.flip(-1), b.depth
    depth = torch.where(depth_a == depth_b, torch.zeros(()), (depth_a - depth_b).abs())
    return largest(a.image.flip(-1) - b.image), largest(a.mask.flip(-1) - b.mask), largest(depth)


def largest(x: Tensor) -> float:
    return float(x.abs().max())


def check(
    renderer: Renderer, yaws: np.ndarray, elevation: float, size: int, **options: object
) -> None:
    """Opposite views of all meshes are mirror images."""
    fov = options.pop("fov", None)
    n = len(renderer.meshes)
    meshes, yaw = np.repeat(np.arange(n), len(yaws)), np.tile(yaws, n)
    left, right = (
        renderer.render(Views.turntable(meshes, sign * yaw, elevation, fov=fov), size, **options)  # type: ignore[arg-type]
        for sign in (-1, 1)
    )
    image, mask, depth = differences(left, right)
    assert image < 1e-6
    assert mask == 0
    assert depth < 1e-6
    assert largest(right.mask) == 1


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    yaw=st.floats(-180, 180) | st.sampled_from([0.0, 22.5, 45.0, 67.5, 90.0, 180.0]),
    elevation=st.floats(-90, 90) | st.just(0.0),
    size=st.sampled_from([16, 17]),
    supersample=st.sampled_from([1, 2, 3]),
    fov=st.none() | st.floats(10, 100),
    shading=st.sampled_from(["flat", "smooth"]),
)
def test_any_symmetric_mesh_from_anywhere(
    soup: Callable[..., Mesh],
    seed: int,
    yaw: float,
    elevation: float,
    size: int,
    supersample: int,
    fov: float | None,
    shading: str,
) -> None:
    renderer = Renderer([reordered(mirror_pair(soup(seed, 10)), seed)])
    options = {"supersample": supersample, "channels": 3, "shading": shading, "fov": fov}
    check(renderer, np.array([yaw]), elevation, size, **options)


@pytest.mark.parametrize("name", [n for n, f in families.FAMILIES.items() if f.symmetry in EXACT])
def test_procedural_families(name: str) -> None:
    renderer = Renderer([reordered(families.build(name, k)) for k in range(3)])
    check(renderer, YAWS, 0.0, 32)
    check(renderer, YAWS + 3.3, 15.0, 33)


def test_real_heads_and_one_mesh_of_each_category(data_folder: Path) -> None:
    found = {mesh.category: mesh for mesh in library.load(data_folder)}
    meshes = [*library.heads(data_folder), *found.values()]
    joined = [reordered(Mesh(*mirror_joined(m.vertices, m.faces, m.colors, (0,)))) for m in meshes]
    renderer = Renderer(joined)
    check(renderer, YAWS, 0.0, 32, channels=3)
    check(renderer, YAWS, 20.0, 33, shading="smooth")


def test_a_sphere_is_its_own_mirror_image_to_the_last_bit(sphere: Callable[..., Mesh]) -> None:
    renderer = Renderer([sphere(4)])
    for elevation in (0.0, 33.3):
        left, right = (
            renderer.render(Views.turntable(0, sign * YAWS, elevation), 64, 3) for sign in (-1, 1)
        )
        assert max(differences(left, right)) < 1e-12


def test_two_planes_look_alike_from_both_sides(soup: Callable[..., Mesh]) -> None:
    renderer = Renderer([reordered(mirror_pair(mirror_pair(soup(4)), axis=2))])
    for elevation in (0.0, 25.0):
        around = np.array([-90.0, 12.0, 45.0])
        a, b = (
            renderer.render(Views.turntable(0, around + turn, elevation), 33, 3)
            for turn in (0, 180)
        )
        assert largest(a.image - b.image) < 1e-6
        assert torch.equal(a.mask, b.mask)
    one_plane = Renderer([mirror_pair(soup(4))])
    a, b = (one_plane.render(Views.turntable(0, [yaw]), 33, 3) for yaw in (-90, 90))
    assert largest(a.image - b.image) > 0.01


def test_light_from_the_side_breaks_the_mirror_and_light_of_the_object_keeps_it(
    soup: Callable[..., Mesh],
) -> None:
    renderer = Renderer([mirror_pair(soup(6))])

    def pair(lighting: str) -> tuple[float, float, float]:
        left, right = (
            renderer.render(Views.turntable(0, sign * YAWS[1:], lighting=lighting), 32)
            for sign in (-1, 1)
        )
        return differences(left, right)

    assert pair("side")[0] > 0.01
    assert pair("side")[1] == 0
    assert max(pair("object_front")) < 1e-6
    assert max(pair("symmetric")) < 1e-6


def test_asymmetric_objects_are_no_mirror_images(soup: Callable[..., Mesh]) -> None:
    renderer = Renderer([soup(6)])
    left, right = (renderer.render(Views.turntable(0, sign * YAWS), 32) for sign in (-1, 1))
    assert min(differences(left, right)[:2]) > 0.01


# --- faces in one place ---


def layers(*depths: float, tilt: float = 0.3) -> Mesh:
    """Oblongs behind each other, tilted, each cut along another diagonal, in rainbow colours."""
    square = np.array([[-0.5, -0.6], [0.5, -0.6], [0.5, 0.6], [-0.5, 0.6]])
    vertices, faces, colors = [], [], []
    for k, depth in enumerate(depths):
        vertices.append(np.c_[square, tilt * square[:, 1] - depth])
        cut = [[0, 1, 2], [0, 2, 3]] if k % 2 else [[1, 2, 3], [1, 3, 0]]
        faces.append(np.array(cut) + 4 * k)
        colors.append(np.tile(np.eye(3)[k % 3], (2, 1)))
    return Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(colors))


def middle_colour(mesh: Mesh) -> np.ndarray:
    image = Renderer([mesh]).render(Views.turntable(0, [0.0], diffuse=0.0, ambient=1.0), 32, 1, 3)
    inside = image.image[0, :, 8:24, 8:24]
    assert largest(inside - inside[:, :1, :1]) < 1e-5  # no speckle
    return inside[:, 0, 0].numpy()


def test_coplanar_faces_are_blended_evenly() -> None:
    assert middle_colour(layers(0, 0)) == pytest.approx([0.5, 0.5, 0], abs=1e-4)
    assert middle_colour(layers(0, 0, 0)) == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_a_layer_that_is_really_in_front_hides_what_is_behind() -> None:
    assert middle_colour(layers(0, 1e-4)) == pytest.approx([1, 0, 0], abs=1e-6)
    assert middle_colour(layers(1e-4, 0)) == pytest.approx([0, 1, 0], abs=1e-6)


def test_close_layers_are_blended_by_their_depth_in_whatever_order_they_come() -> None:
    depths = np.array([0, 0.7e-6, 1.5e-6, 2.2e-6, 8e-6, 3e-5, 6e-5])
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(7)
        mesh = layers(*depths[order])
        radius = np.sqrt(0.5**2 + 0.6**2 * (1 + 0.3**2))
        weights = np.exp(-depths[order] / (1e-6 * radius))
        want = np.bincount(np.arange(7) % 3, weights) / weights.sum()
        assert middle_colour(mesh) == pytest.approx(want, abs=1e-3)


def test_decals_of_different_colours_stay_mirror_images() -> None:
    sheet = layers(0, 0)
    vertices = np.concatenate([sheet.vertices, sheet.vertices * 0.5]) + np.array([0.3, 0, 0.2])
    colors = np.random.default_rng(0).random((8, 3))
    mesh = mirror_pair(Mesh(vertices, np.concatenate([sheet.faces, sheet.faces + 8]), colors))
    for seed in range(3):
        check(Renderer([reordered(mesh, seed)]), YAWS, 0.0, 33, channels=3)


def test_walls_seen_edge_on_are_not_seen() -> None:
    """Boxes and prisms have walls that lie along rays at the yaws that are used most."""
    x, z = np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)
    ring = np.stack([x, np.full(16, -0.6), z], axis=1)
    vertices = np.concatenate([ring, ring * [1, -1, 1]])
    k = np.arange(16)
    after = (k + 1) % 16
    faces = np.concatenate(
        [np.stack([k, after, after + 16], 1), np.stack([k, after + 16, k + 16], 1)]
    )
    renderer = Renderer([Mesh(vertices, faces)])
    yaws = np.arange(-180, 180, 22.5)
    got = renderer.render(Views.turntable(0, yaws), 64, 3)
    assert torch.isfinite(got.image).all()
    # A prism of 16 sides looks the same after a sixteenth of a turn.
    assert largest(got.image - got.image[:1]) < 1e-5
    assert largest(got.mask - got.mask.flip(-1)) < 1e-6
