"""The ray caster of latent scenes against solids whose pictures are known, and a slow renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.caster import Caster, Pictures
from isocortex.stimuli.scenes.poses import matrix_from_euler
from isocortex.stimuli.scenes.sampling import Columns
from isocortex.stimuli.scenes.spec import SceneSpec

from . import oracle

Scene = Callable[..., Columns]
GREY = 128 / 255
SHEET = Mesh(
    np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]),
    np.array([[0, 1, 2], [0, 2, 3]]),
)


def same(a: Pictures, b: Pictures) -> None:
    for name in ("image", "mask", "depth", "normal", "face"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize("z", [1.2, 2.0, 3.7])
def test_a_cube_facing_the_camera_fills_what_it_must(
    z: float, cube: Mesh, grey: Backgrounds, scene: Scene
) -> None:
    caster = Caster([cube], grey)
    scenes = scene(body_centre=[(0, 0, -z)])
    want = (2 * 0.5 / (2 * oracle.EXTENT * (z - 0.5))) ** 2
    assert want == pytest.approx((0.866 / (z - 0.5)) ** 2, rel=1e-3)
    got = caster.expose(scenes, 101, 3)
    assert float(got.mask.mean()) == pytest.approx(min(want, 1), rel=0.03)
    seen = caster.survey(scenes)
    assert seen.visible_area[0] == pytest.approx(min(want, 1), rel=0.05)
    assert seen.visible_fraction[0] == 1
    assert seen.in_frame_fraction[0] == pytest.approx(min(1, 1 / want), rel=0.05)
    inside = got.mask[0, 0] == 1
    assert got.depth is not None
    assert got.normal is not None
    assert (got.depth[0, 0][inside] - (z - 0.5)).abs().max() < 1e-5
    assert (got.normal[0, :, inside].T - torch.tensor([0.0, 0, 1])).abs().max() < 1e-6
    # The sun shines along the axis, the sky from above: half sky, half ground.
    assert (got.image[0, :, inside] - (0.6 + 0.5 * 0.4 + 0.5 * 0.2)).abs().max() < 1e-5
    outside = (got.mask[0, 0] == 0).expand(3, -1, -1)
    assert outside.any() == (want < 1)
    assert ((got.image[0] - GREY).abs()[outside] < 1e-6).all()


def test_a_sphere_has_its_outline_and_depth(ball: Mesh, grey: Backgrounds, scene: Scene) -> None:
    """A ray meets a sphere if its distance from the centre is below the radius."""
    centre = np.array([0.4, -0.3, -2.0])
    got = Caster([ball], grey).expose(scene(body_centre=[centre]), 96, 1)
    direction = oracle.rays(96, 1)
    long = np.linalg.norm(direction, axis=-1)
    along = direction @ centre / long
    gap = np.sqrt(centre @ centre - along**2)
    mask = got.mask[0, 0].numpy()
    assert (mask[gap < 0.495] == 1).all()
    assert (mask[gap > 0.5] == 0).all()
    depth = (along - np.sqrt(np.maximum(0.25 - gap**2, 0))) / long
    assert got.depth is not None
    inside = gap < 0.45
    assert np.abs(got.depth[0, 0].numpy() - depth)[inside].max() < 2e-3


def test_a_tilted_plane_has_its_depth_and_normal(grey: Backgrounds, scene: Scene) -> None:
    tilt = matrix_from_euler(20, 35, 0)
    got = Caster([SHEET], grey).expose(scene(body_rotation=[tilt]), 64, 1)
    direction = oracle.rays(64, 1)
    normal = tilt[:, 2]
    depth = (normal @ [0, 0, -2.0]) / (direction @ normal)
    inside = got.mask[0, 0].numpy() == 1
    assert inside.sum() > 200
    assert got.depth is not None
    assert got.normal is not None
    assert np.abs(got.depth[0, 0].numpy() - depth)[inside].max() < 1e-5
    assert np.abs(got.normal[0].numpy()[:, inside].T - normal).max() < 1e-6


def test_winding_does_not_matter(wedge: Mesh, ball: Mesh, grey: Backgrounds, scene: Scene) -> None:
    rotation = Rotation.random(6, rng=0).as_matrix()[:, None]
    for mesh in (wedge, ball):
        some = mesh.faces.copy()
        some[::2] = some[::2, ::-1]
        flipped = replace(mesh, faces=some)
        a, b = (
            Caster([m], grey).expose(scene(6, body_rotation=rotation), 32, 2)
            for m in (mesh, flipped)
        )
        edge = (a.mask != b.mask).float().mean()
        assert edge < 1e-3
        assert ((a.image - b.image).abs() > 1e-5).float().mean() < 2e-3


@pytest.mark.parametrize("shadow", [True, False])
def test_a_slow_renderer_sees_the_same(
    shadow: bool, wedge: Mesh, cube: Mesh, grey: Backgrounds, scene: Scene
) -> None:
    """Object, something before it and something behind it, all turned, lit from the side."""
    rotation = Rotation.random(3, rng=3).as_matrix()
    light = np.array([0.5, 0.6, 0.62])
    scenes = scene(
        body_mesh=[0, 1, 0],
        body_rotation=rotation,
        body_centre=[(0.1, 0.05, -2), (0.25, 0.2, -1.4), (-0.3, 0.2, -2.6)],
        body_scale=[1.0, 0.2, 1.2],
        light=light / np.linalg.norm(light),
        world=matrix_from_euler(30, 20, 10),
        sky=(0.4, 0.45, 0.5),
    )
    caster = Caster([wedge, cube], grey)
    got = caster.expose(scenes, 40, 2, shadow=shadow)
    want = oracle.cast(scenes, [wedge, cube], 40, 2, GREY)
    if not shadow:
        lit = dict(scenes, sun=0 * scenes["sun"])
        assert torch.equal(
            caster.expose(lit, 40, 2, shadow=False).image, caster.expose(lit, 40, 2).image
        )
        assert (got.image >= caster.expose(scenes, 40, 2).image - 1e-6).all()
        return
    assert got.depth is not None
    assert got.normal is not None
    assert got.face is not None
    mask = got.mask[0, 0].numpy()
    assert 0.03 < mask.mean() < 0.3
    assert (np.abs(mask - want["mask"]) > 1e-6).mean() < 2e-3
    clear = (mask == want["mask"]) & (mask > 0)
    assert np.abs(got.depth[0, 0].numpy() - want["depth"])[clear].max() < 1e-4
    whole = clear & (mask == 1)
    normal = want["normal"][:, whole]
    normal = normal / np.linalg.norm(normal, axis=0)
    assert np.abs(got.normal[0].numpy()[:, whole] - normal).max() < 1e-4
    faces = want["face"].reshape(40, 2, 40, 2)
    assert all(got.face[0, r, c] in faces[r, :, c] for r, c in np.argwhere(clear))
    assert (got.face[0].numpy()[mask == 0] == -1).all()
    differs = np.abs(got.image[0].numpy() - want["image"]).max(axis=0)
    assert (differs > 1e-4).mean() < 5e-3
    seen = caster.survey(scenes)
    assert seen.visible_area[0] == pytest.approx(want["visible_area"], rel=0.06)
    assert seen.visible_fraction[0] == pytest.approx(want["visible_fraction"], abs=0.04)


def test_a_mirrored_scene_gives_the_mirrored_image(
    cube: Mesh, grey: Backgrounds, scene: Scene
) -> None:
    """A mesh that is symmetric about x = 0, with pose, light and world mirrored."""
    roof = Mesh(
        np.array([[-0.5, 0, 0.3], [0.5, 0, 0.3], [0, 0.4, 0.5], [0, -0.3, -0.4], [0, 0.1, 0.6]]),
        np.array([[0, 2, 3], [1, 2, 3], [0, 4, 2], [1, 4, 2], [0, 3, 4], [1, 3, 4]]),
    )
    flip = np.diag([-1.0, 1, 1])
    rotation = matrix_from_euler(20, 40, -15)
    world = matrix_from_euler(30, 10, 5)
    centre, light = np.array([0.3, 0.1, -2]), np.array([0.6, 0.64, 0.48])
    both = scene(
        2,
        body_rotation=[[rotation], [flip @ rotation @ flip]],
        body_centre=[[centre], [flip @ centre]],
        world=[world, flip @ world @ flip],
        light=[light, flip @ light],
    )
    got = Caster([roof], grey).expose(both, 64, 2)
    differs = (got.image[0] - got.image[1].flip(-1)).abs().amax(0)
    assert (differs > 1e-4).float().mean() < 2e-3
    assert (got.mask[0] != got.mask[1].flip(-1)).float().mean() < 2e-3


def test_the_front_faces_the_camera_at_yaw_0(grey: Backgrounds, scene: Scene) -> None:
    """A slab that is red on its front and green on its back."""
    x, y = 0.5, 0.3
    corners = [[-x, -y, s], [x, -y, s], [x, y, s]] if (s := 0.1) else []
    front = np.array([*corners, [-x, y, s]])
    slab = Mesh(
        np.concatenate([front, front * [1, 1, -1]]),
        np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]),
        np.array([[1.0, 0, 0]] * 2 + [[0.0, 1, 0]] * 2),
    )
    rotation = matrix_from_euler(0, [0, 180.0], 0)[:, None]
    got = Caster([slab], grey).expose(scene(2, body_rotation=rotation), 33, 1).image
    assert got[0, 0, 16, 16] > 0.5 > got[0, 1, 16, 16]
    assert got[1, 1, 16, 16] > 0.5 > got[1, 0, 16, 16]


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_what_stands_before_the_object_hides_as_much_as_it_does(
    share: float, cube: Mesh, grey: Backgrounds, scene: Scene
) -> None:
    """A sheet hides the left part of a cube's face; both are squares of one size in the picture."""
    caster = Caster([cube, SHEET], grey)
    near, far = 0.9, 1.5
    scale = near / far
    shift = (1 - share) * scale
    scenes = scene(
        body_mesh=[0, 1],
        body_centre=[(0, 0, -far - 0.5), (-shift, 0, -near)],
        body_scale=[1.0, scale],
    )
    seen = caster.survey(scenes).visible_fraction[0]
    assert seen == pytest.approx(1 - share, abs=0.02)
    assert (seen > SceneSpec().min_visible) == (share < 0.2)  # what the filter accepts
    mask = caster.expose(scenes, 90, 2).mask.mean()
    alone = caster.expose(scene(body_centre=[(0, 0, -far - 0.5)]), 90, 2).mask.mean()
    assert float(mask / alone) == pytest.approx(1 - share, abs=0.02)


def test_a_shadow_falls_on_the_ground_where_the_sun_says(
    cube: Mesh, mixed: Backgrounds, scene: Scene
) -> None:
    """Seen from straight above, the shadow of a cube lies on the side away from the sun."""
    environment = mixed.classes.index("environment")
    above = matrix_from_euler(90, 0, 0)  # the world's up points to the camera
    common = {
        "world": above,
        "background_index": environment,
        "body_centre": [(0, 0, -3.0)],
        "body_rotation": [above],
        "ground_gap": 0.5,
    }
    caster = Caster([cube], mixed)
    for side in (-1, 1):
        light = np.array([0.6 * side, 0, 0.8])
        scenes = scene(light=light, **common)
        with_, without = (caster.expose(scenes, 64, 1, shadow=s).image[0] for s in (True, False))
        darker = (without - with_).sum(0) > 1e-3
        assert darker.sum() > 30
        columns = torch.nonzero(darker)[:, 1].float().mean() - 31.5
        assert float(columns) * side < -3
    # A screen has no ground.
    plain = dict(scenes, background_index=np.array([mixed.classes.index("noise")]))
    assert torch.equal(
        caster.expose(plain, 32, 1).image, caster.expose(plain, 32, 1, shadow=False).image
    )


def test_a_picture_is_shown_as_it_is(cube: Mesh, grey: Backgrounds, scene: Scene) -> None:
    """A crop of as many pixels as the image has comes back pixel by pixel, and mirrored."""
    levels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    photograph = replace(grey, pictures=(levels,))
    scenes = scene(
        2, body_centre=[(0, 0, -50.0)], crop=[(8, 4, 32, 1), (8, 4, 32, -1)], body_scale=[1e-3]
    )
    got = Caster([cube], photograph).expose(scenes, 32, 1).image
    want = torch.from_numpy(levels[4:36, 8:40] / 255).permute(2, 0, 1).float()
    assert (got[0] - want).abs().max() < 1e-4
    assert (got[1] - want.flip(-1)).abs().max() < 1e-4
    half = Caster([cube], photograph).expose(scenes, 16, 1).image[0]
    mean = torch.nn.functional.avg_pool2d(want[None], 2)[0]
    assert (half - mean).abs().max() < 0.003  # halvings are kept in bytes


def test_developing_does_what_it_says(cube: Mesh, grey: Backgrounds, scene: Scene) -> None:
    caster = Caster([cube], grey)

    def develop(n: int = 1, **how: Any) -> torch.Tensor:
        return caster.expose(scene(n, **how), 48, 1).image

    plain = develop()
    assert (develop(exposure=-1.0) - plain / 2).abs().max() < 1e-6
    assert (develop(exposure=1.0) - (2 * plain).clamp(max=1)).abs().max() < 1e-6
    assert (develop(tone=2.0) - plain**2).abs().max() < 1e-5
    noisy = develop(2, noise=0.05, noise_key=[1, 2]) - plain
    assert noisy.std() == pytest.approx(0.05, rel=0.03)
    assert abs(np.corrcoef(noisy[0].flatten(), noisy[1].flatten())[0, 1]) < 0.05
    assert torch.equal(noisy[1:] + plain, develop(noise=0.05, noise_key=2))
    from scipy.ndimage import gaussian_filter

    sigma = 1.5
    want = gaussian_filter(plain[0].numpy(), (0, sigma, sigma), mode="nearest", radius=(0, 5, 5))
    assert np.abs(develop(blur=100 * sigma / 48)[0].numpy() - want).max() < 1e-4
    mixed = develop(2, blur=[0.0, 3.0])
    assert (mixed[0] - plain[0]).abs().max() < 1e-6


def test_what_is_behind_the_camera_or_around_it_neither_hangs_nor_shows(
    ball: Mesh, grey: Backgrounds, scene: Scene
) -> None:
    caster = Caster([ball], grey)
    scenes = scene(3, body_centre=[[(0, 0, 2.0)], [(0, 0, 0.0)], [(0, 0, -0.51)]])
    got = caster.expose(scenes, 16, 1)
    seen = caster.survey(scenes)
    assert got.mask[0].sum() == 0
    assert seen.visible_area[0] == seen.visible_fraction[0] == seen.in_frame_fraction[0] == 0
    assert (got.mask[1:] == 1).all()
    assert torch.isfinite(got.image).all()


def test_no_scenes_no_pictures(cube: Mesh, grey: Backgrounds, scene: Scene) -> None:
    empty = {name: values[:0] for name, values in scene().items()}
    assert Caster([cube], grey).expose(empty, 8, 1).image.shape == (0, 3, 8, 8)


@pytest.mark.gpu
def test_cuda_equals_cpu(wedge: Mesh, ball: Mesh, mixed: Backgrounds, scene: Scene) -> None:
    n = len(mixed)
    scenes = scene(
        n,
        body_mesh=[0, 1],
        body_rotation=Rotation.random(2, rng=1).as_matrix(),
        body_centre=[(0, 0, -2), (0.3, 0.2, -1.6)],
        body_scale=[1.0, 0.3],
        world=matrix_from_euler(30, 10, 0),
        light=(0.6, 0.64, 0.48),
        background_index=np.arange(n),
        crop=(10, 20, 100, 1),
        ground_gap=0.3,
        noise=0.02,
        blur=1.0,
    )
    cpu = Caster([wedge, ball], mixed).expose(scenes, 64, 2)
    cuda = Caster([wedge, ball], mixed, "cuda").expose(scenes, 64, 2)
    assert cuda.image.device.type == "cuda"
    assert (cuda.mask.cpu() != cpu.mask).float().mean() < 1e-3
    assert ((cuda.image.cpu() - cpu.image).abs() > 1e-4).float().mean() < 5e-3
