"""The ray caster against a slow oracle, analytic solids, and its own promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.raycast import Renderer, Rendering
from isocortex.stimuli.render.views import Views, concatenate, rotation_x, rotation_y, rotation_z


def quad(z: float = 0.0, half: float = 0.5) -> Mesh:
    corners = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    return Mesh(np.array(corners), np.array([[0, 1, 2], [0, 2, 3]]), (1.0, 1.0, 1.0))


def same(a: Rendering, b: Rendering, rows: Any = slice(None)) -> None:
    for field in fields(Rendering):
        assert torch.equal(getattr(a, field.name)[rows], getattr(b, field.name))


def test_grey_is_the_luminance_of_colour(
    soup: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    renderer = Renderer([soup(7)])
    views = wild_views(7, 4, 1)
    colour = renderer.render(views, 16, channels=3).image.double()
    grey = renderer.render(views, 16, channels=1).image
    weights = torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)
    assert (torch.einsum("c,nchw->nhw", weights, colour) - grey[:, 0]).abs().max() < 1e-6
    assert grey.shape == (4, 1, 16, 16)


# --- analytic solids ---


def test_a_plane_turned_about_y_has_lamberts_brightness_and_a_linear_depth() -> None:
    yaw = 37.0
    views = Views.turntable(0, [yaw], azimuth=20.0, extent=1.0)
    got = Renderer([quad()]).render(views, 32, 4)
    normal = rotation_y(yaw) @ [0, 0, 1]
    want = 0.35 + 0.65 * normal @ views.light[0]
    inside = got.mask[0, 0] == 1
    assert 0 < inside.sum() < 1024
    assert (got.image[0, 0][inside] - want).abs().max() < 1e-6
    x = (torch.arange(32) + 0.5) / 16 - 1
    depth = (2 + x * np.tan(np.radians(yaw))).expand(32, 32)
    assert (got.depth[0, 0] - depth)[inside].abs().max() < 1e-6
    covered = got.mask.sum() / 256
    assert covered == pytest.approx(np.cos(np.radians(yaw)) / 1.0, abs=0.04)
    assert torch.isinf(got.depth[got.mask == 0]).all()
    assert (got.image[got.mask == 0] == np.float32(128 / 255)).all()


def test_two_sided_from_behind_as_from_the_front() -> None:
    renderer = Renderer([quad()])
    front, back = (renderer.render(Views.turntable(0, [yaw]), 16) for yaw in (0, 180))
    assert torch.equal(front.image, back.image)
    turned = Mesh(quad().vertices, quad().faces[:, ::-1], (1.0, 1.0, 1.0))
    same(Renderer([turned]).render(Views.turntable(0, [0]), 16), front)


@pytest.mark.parametrize("fov", [None, 50.0])
def test_a_sphere_has_its_analytic_depth_and_shading(
    fov: float | None, sphere: Callable[..., Mesh]
) -> None:
    size = 48
    view = Views.turntable(0, [0.0], fov=fov)
    got = Renderer([sphere(6)]).render(view, size, 1, shading="smooth")
    x, y = np.meshgrid(
        ((np.arange(size) + 0.5) / size * 2 - 1) * view.extent[0],
        (1 - (np.arange(size) + 0.5) / size * 2) * view.extent[0],
    )
    centre = view.translation[0, 2]
    if fov is None:
        square = 1 - x**2 - y**2
        depth = -centre - np.sqrt(np.maximum(square, 0))
        points = np.stack([x, y, -depth], axis=-1)
    else:  # |t (x, y, -1) - (0, 0, centre)| = 1
        a, b, c = x**2 + y**2 + 1, centre, centre**2 - 1
        square = b**2 - a * c
        depth = (-b - np.sqrt(np.maximum(square, 0))) / a
        points = depth[..., None] * np.stack([x, y, -np.ones_like(x)], axis=-1)
    normal = points - [0, 0, centre]
    shade = 0.35 + 0.65 * np.maximum(0, normal @ view.light[0])
    inside = square > 0.05
    assert (got.mask[0, 0].numpy()[inside] == 1).all()
    assert (got.mask[0, 0].numpy()[square < -0.01] == 0).all()
    assert np.abs(got.depth[0, 0].numpy() - depth)[inside].max() < 1e-3
    assert np.abs(got.image[0, 0].numpy() - shade)[inside].max() < 2e-3
    # Radius 1 reaches 95 % of the half-width.
    columns = np.flatnonzero(got.mask[0, 0].numpy().any(axis=0))
    assert (columns.max() + 0.5) / size * 2 - 1 == pytest.approx(0.95, abs=2 / size)


def test_ambient_light_is_brighter_from_above_and_follows_the_camera(
    sphere: Callable[..., Mesh],
) -> None:
    views = Views.turntable(0, [0.0], [90.0], ambient=(1.0, 0.0), diffuse=0.0)
    top = Renderer([sphere(4)]).render(views, 16)
    assert top.image[0, 0, 8, 8] == pytest.approx(1, abs=0.02)  # looking down on the sunny side
    side = Renderer([sphere(4)]).render(
        Views.turntable(0, [0.0], ambient=(1.0, 0.0), diffuse=0.0), 16
    )
    column = side.image[0, 0, 1:15, 8]
    assert (column[:-1] > column[1:]).all()


def test_a_highlight_shines_where_the_mirror_direction_is(sphere: Callable[..., Mesh]) -> None:
    plain, gloss = (
        Renderer([sphere(5)]).render(
            Views.turntable(0, [0.0], specular=s, shininess=50.0, diffuse=0.3, ambient=0.1), 33
        )
        for s in (0.0, 0.5)
    )
    extra = (gloss.image - plain.image)[0, 0]
    row, column = divmod(int(extra.argmax()), 33)
    half = np.array([0, 0.5, 0.75**0.5 + 1])
    half /= np.linalg.norm(half)
    assert column == 16
    assert row == pytest.approx((1 - half[1] * 0.95) * 16.5 - 0.5, abs=1)
    assert extra.max() == pytest.approx(0.5, abs=0.02)


# --- cameras ---


def test_yaw_turns_the_front_to_the_right_and_elevation_looks_down() -> None:
    beak = Mesh(
        np.array([[0, 0, 1.0], [-0.1, -0.1, 0.6], [0.1, -0.1, 0.6], [0, 0.1, 0.6], [0, 0, -1]]),
        np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]]),
    )
    renderer = Renderer([beak])
    mask = renderer.render(Views.turntable(0, [60.0, -60, 0], [0.0, 0, 40]), 32).mask[:, 0]
    weights = torch.linspace(-1, 1, 32)
    across = (mask.sum(1) * weights).sum(1) / mask.sum((1, 2))
    down = (mask.sum(2) * weights).sum(1) / mask.sum((1, 2))
    assert across[0] > 0.4
    assert across[1] < -0.4
    assert down[2] > 0.3


def test_a_pinhole_shows_near_things_larger() -> None:
    def width(depth: float, **camera: Any) -> int:
        view = Views([0], translation=(0, 0, -depth), **camera)
        return int((Renderer([quad()]).render(view, 200, 1).mask[0, 0].sum(0) > 0).sum())

    pinhole = {"perspective": True, "extent": 0.5}
    assert width(2, **pinhole) == pytest.approx(200 * 0.5 / (2 * 0.5), abs=1)
    assert width(4, **pinhole) == pytest.approx(200 * 0.5 / (4 * 0.5), abs=1)
    assert width(2, extent=1.0) == width(4, extent=1.0) == 100


@pytest.mark.parametrize("perspective", [False, True])
def test_what_is_behind_the_camera_is_not_seen(
    perspective: bool, sphere: Callable[..., Mesh]
) -> None:
    def covered(z: float) -> float:
        view = Views([0], translation=(0, 0, z), perspective=perspective, extent=1.0)
        return float(Renderer([sphere(2)]).render(view, 16).mask.mean())

    assert covered(2.0) == 0
    assert covered(-2.0) > 0.1
    assert covered(-0.5) == pytest.approx(np.pi / 4, abs=0.05) or perspective
    assert covered(0.0) == (1 if perspective else pytest.approx(np.pi / 4, abs=0.05))


@pytest.mark.parametrize("perspective", [False, True])
def test_extreme_places_neither_hang_nor_break(
    perspective: bool, sphere: Callable[..., Mesh]
) -> None:
    sheet = Mesh(
        np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, -1], [0, 0, 1e-9]]),
        np.array([[0, 1, 2], [0, 1, 3]]),
    )
    places = [(0, 0, -1e-300), (0, 0, -1e-12), (1e12, 0, -2), (0, -1e200, -2), (0, 0, -1e9)]
    for scale in (1e-9, 1.0, 1e9):
        views = Views(
            np.arange(2).repeat(len(places)),
            translation=places * 2,
            scale=scale,
            perspective=perspective,
            extent=1.0,
        )
        got = Renderer([sheet, sphere(2)]).render(views, 16, 2)
        assert torch.isfinite(got.image).all()
        assert (torch.isinf(got.depth) == (got.mask == 0)).all()


# --- promises ---


def test_an_image_depends_on_its_own_view_alone(
    soup: Callable[..., Mesh], sphere: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    meshes = [soup(0), sphere(2), quad(), soup(1, 40)]
    views = wild_views(3, 40, 4)
    for size, supersample in ((70, 3), (31, 2)):  # several tiles, several launches
        renderer = Renderer(meshes)
        together = renderer.render(views, size, supersample, 3)
        for k in (0, 7, 39):
            same(together, renderer.render(views[k], size, supersample, 3), slice(k, k + 1))
        order = np.random.default_rng(0).permutation(40)
        same(together, renderer.render(views[order], size, supersample, 3), torch.from_numpy(order))
        # Another renderer, with the meshes in another order.
        back = Renderer(meshes[::-1])
        moved = Views(
            **{
                f.name: getattr(views, f.name) if f.name != "mesh" else 3 - views.mesh
                for f in fields(Views)
            }
        )
        same(together, back.render(moved, size, supersample, 3))


def test_tiles_leave_no_seam(
    monkeypatch: pytest.MonkeyPatch,
    soup: Callable[..., Mesh],
    sphere: Callable[..., Mesh],
    wild_views: Callable[..., Views],
) -> None:
    views = wild_views(5, 6, 2)
    renderer = Renderer([soup(2, 60), sphere(3)])
    whole = renderer.render(views, 40, 3)
    for tile in (1, 4, 7, 39):
        monkeypatch.setattr("isocortex.stimuli.render.raycast._TILE", {"cpu": tile})
        same(whole, renderer.render(views, 40, 3))


def test_thin_beams_find_what_thick_ones_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """One ray a beam, through the very edges of faces that lie askew in their boxes or fill them.

    The hierarchy is asked in float32; nothing may get lost in its rounding.
    """
    angles = np.random.default_rng(0).uniform(-180, 180, (3, 40))
    angles[:, :4] = 0
    rotation = rotation_y(angles[0]) @ rotation_x(angles[1]) @ rotation_z(angles[2])
    # Corners on the rays of the first and last hit pixel of a row or column.
    meshes = [Mesh(quad(half=9 / 16).vertices @ r, quad().faces) for r in rotation]
    views = Views(np.arange(40), rotation=rotation, extent=1.0)
    renderer = Renderer(meshes)
    whole = renderer.render(views, 16, 1)
    assert (whole.mask[:4].sum((1, 2, 3)) == 100).all()
    monkeypatch.setattr("isocortex.stimuli.render.raycast._TILE", {"cpu": 1})
    same(whole, renderer.render(views, 16, 1))


def test_supersampling_is_the_mean_over_a_finer_picture(
    soup: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    views = wild_views(6, 5, 1)
    renderer = Renderer([soup(5)])
    coarse = renderer.render(views, 12, 3, 3)
    fine = renderer.render(views, 36, 1, 3)
    mean = torch.nn.functional.avg_pool2d(fine.image.double(), 3)
    assert (coarse.image - mean).abs().max() < 1e-6
    assert (coarse.mask - torch.nn.functional.avg_pool2d(fine.mask, 3)).abs().max() < 1e-6


def test_a_closed_surface_has_no_cracks(
    sphere: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    views = wild_views(11, 12, 1)
    views = Views(views.mesh, rotation=views.rotation, extent=0.6)
    mask = Renderer([sphere(5)]).render(views, 64, 2).mask
    assert (mask == 1).all()


def test_outputs_are_float32_in_range_on_the_device(
    soup: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    got = Renderer([soup(0)]).render(wild_views(0, 3, 1), 8, 2, 3)
    assert [tuple(t.shape) for t in (got.image, got.mask, got.depth)] == [
        (3, 3, 8, 8),
        (3, 1, 8, 8),
        (3, 1, 8, 8),
    ]
    for tensor in (got.image, got.mask, got.depth):
        assert tensor.dtype == torch.float32
    assert got.image.min() >= 0
    assert got.image.max() <= 1
    assert (torch.isinf(got.depth) == (got.mask == 0)).all()


def test_no_views_no_images() -> None:
    assert Renderer([quad()]).render(Views(np.empty(0, int)), 8).image.shape == (0, 1, 8, 8)


def test_a_million_faces() -> None:
    n = 708
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, n), np.linspace(-0.7, 0.7, n))
    corners = np.stack([x, y, 0.1 * np.sin(9 * x) * np.cos(7 * y)], axis=-1).reshape(-1, 3)
    i = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    assert len(faces) > 999_000
    got = Renderer([Mesh(corners, faces)]).render(
        Views.turntable(0, [0.0, 180.0], extent=1.0), 32, 1
    )
    place = (torch.arange(32, dtype=torch.float64) + 0.5) / 16 - 1
    wave = 0.1 * torch.sin(9 * place)[None, :] * torch.cos(7 * place)[:, None]
    inside = got.mask[0, 0] == 1
    assert inside.sum() == 22 * 22
    assert (got.depth[0, 0] - (2 - wave))[inside].abs().max() < 1e-4
    assert (got.depth[1, 0] - (2 + wave).flip(-1))[inside].abs().max() < 1e-4


def test_warp_says_nothing() -> None:
    code = (
        "import numpy as np\n"
        "from isocortex.stimuli.render.mesh import Mesh\n"
        "from isocortex.stimuli.render.raycast import Renderer, Views\n"
        "Renderer([Mesh(np.eye(3), [[0, 1, 2]])]).render(Views([0]), 8)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == done.stderr == ""


# --- mistakes ---


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"size": 0}, "size"),
        ({"supersample": 0}, "supersample"),
        ({"channels": 2}, "channels"),
        ({"shading": "flet"}, "flat"),
        ({"views": Views([0, 2])}, "view 1 names mesh 2"),
        ({"views": Views([-1])}, "mesh -1"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(UserError, match=word) as error:
        Renderer([quad(), quad()]).render(**({"views": Views([0]), "size": 8} | arguments))
    assert "\n" not in str(error.value)


def test_devices_that_are_not_there() -> None:
    for device in ("tpu", "cuda:99", "meta"):
        with pytest.raises(UserError, match="renderer: "):
            Renderer([quad()], device)
    with pytest.raises(UserError, match="renderer: no meshes"):
        Renderer([])


# --- CUDA ---


@pytest.mark.gpu
@pytest.mark.parametrize("shading", ["flat", "smooth"])
def test_cuda_equals_cpu(
    shading: str,
    soup: Callable[..., Mesh],
    sphere: Callable[..., Mesh],
    wild_views: Callable[..., Views],
) -> None:
    meshes = [soup(0), sphere(4), quad(), soup(1, 200)]
    views = concatenate([wild_views(9, 40, 4), Views.turntable(1, np.linspace(-90, 90, 9), 15)])
    for size, supersample in ((64, 3), (33, 2)):
        cpu = Renderer(meshes).render(views, size, supersample, 3, shading)
        cuda = Renderer(meshes, "cuda").render(views, size, supersample, 3, shading)
        assert cuda.image.device.type == "cuda"
        assert (cuda.image.cpu() - cpu.image).abs().max() < 1e-5
        assert (cuda.mask.cpu() - cpu.mask).abs().max() < 1e-5
        hit = torch.isfinite(cpu.depth)
        assert torch.equal(torch.isfinite(cuda.depth.cpu()), hit)
        assert (cuda.depth.cpu() - cpu.depth)[hit].abs().max() < 1e-5


@pytest.mark.gpu
def test_cuda_runs_in_order_with_torch(
    sphere: Callable[..., Mesh], wild_views: Callable[..., Views]
) -> None:
    views = wild_views(2, 64, 1)
    renderer = Renderer([sphere(4)], "cuda")
    want = renderer.render(views, 32).image.sum().item()
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(5):
            assert renderer.render(views, 32).image.sum().item() == pytest.approx(want)
