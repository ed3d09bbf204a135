"""Meshes and their files: what is kept, what is refused, and how it is said."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.stimuli.render.mesh import (
    DEFAULT_COLOR,
    Mesh,
    read_folder,
    read_mesh,
    suffixes,
)

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])
OBJ = "v 0 0 0\nv 2 0 0\nv 0 2 0\nv 0 0 2\nf 1 2 3\nf 1 2 4\n"


def one_line(error: pytest.ExceptionInfo[UserError], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


# --- the dataclass ---


def test_fields_are_converted_copied_and_locked() -> None:
    vertices = SQUARE.astype(np.float32)
    mesh = Mesh(vertices, TWO.astype(np.uint16), np.array([1.0, 0.5, 0.0]))
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int64
    assert mesh.colors.shape == (2, 3)
    vertices[0] = 7
    assert mesh.vertices[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0, 0] = 1


def test_without_colours_it_is_light_grey() -> None:
    assert np.array_equal(Mesh(SQUARE, TWO).colors, [DEFAULT_COLOR] * 2)


def test_luminance_weights_green_most() -> None:
    mesh = Mesh(np.concatenate([SQUARE, SQUARE]), [[0, 1, 2], [0, 2, 3], [4, 5, 6]], np.eye(3))
    assert mesh.luminance == pytest.approx([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"faces": np.empty((0, 3), int)}, ["no faces"]),
        ({"vertices": SQUARE[:, :2]}, ["(4, 2)"]),
        ({"faces": [[0, 1, 2, 3]]}, ["(1, 4)", "triangles"]),
        ({"vertices": np.where(SQUARE == 1, np.nan, SQUARE)}, ["3 of 4", "vertex 1"]),
        ({"vertices": SQUARE + np.array([0, np.inf, 0])}, ["4 of 4", "infinite"]),
        ({"faces": [[0, 1, 4]]}, ["vertex 4", "there are 4"]),
        ({"faces": [[0, 1, -1]]}, ["vertex"]),
        ({"colors": np.ones((3, 3))}, ["(3, 3)", "2 faces"]),
        ({"colors": np.full((2, 3), 255.0)}, ["255"]),
        ({"colors": np.full((2, 3), np.nan)}, ["outside"]),
        ({"symmetry": "one_plan"}, ["one_plane"]),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], words: list[str]) -> None:
    given_ = {"vertices": SQUARE, "faces": TWO, "name": "sheet"} | change
    with pytest.raises(UserError) as error:
        Mesh(**given_)  # type: ignore[arg-type]
    one_line(error, *words)


def test_hash_follows_shape_and_colour_but_not_names() -> None:
    mesh = Mesh(SQUARE, TWO, name="a")
    assert mesh.hash == Mesh(SQUARE, TWO, name="b", category="c").hash
    others = [
        Mesh(SQUARE + 1e-12, TWO),
        Mesh(SQUARE, TWO[::-1]),
        Mesh(SQUARE, TWO, (0.7, 0.7, 0.6)),
    ]
    hashes = {mesh.hash, *(m.hash for m in others)}
    assert len(hashes) == 4
    assert all(len(h) == 64 for h in hashes)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_normalised_is_centred_with_radius_one(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    mesh = Mesh(
        rng.normal(size=(12, 3)), rng.permuted(np.tile(np.arange(12), (5, 1)), axis=1)[:, :3]
    )
    moved = Mesh(mesh.vertices * scale + shift, mesh.faces)
    rounding = 1e-12 * (1 + abs(shift) / scale)
    for m in (mesh.normalised(), moved.normalised()):
        used = m.vertices[np.unique(m.faces)]
        assert used.shape == m.vertices.shape
        assert np.abs(used.min(axis=0) + used.max(axis=0)).max() < rounding
        assert m.radius == pytest.approx(1, abs=1e-12)
    assert np.abs(mesh.normalised().vertices - moved.normalised().vertices).max() < 10 * rounding


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_normalised_survives_extreme_sizes(scale: float) -> None:
    got = Mesh(SQUARE * scale, TWO).normalised()
    assert np.allclose(got.vertices, (SQUARE - [0.5, 0.5, 0]) / np.sqrt(0.5))


def test_normalised_keeps_mirror_symmetry_bit_by_bit() -> None:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(30, 3)) * 3.7
    faces = rng.permuted(np.tile(np.arange(30), (20, 1)), axis=1)[:, :3]
    mesh = Mesh(np.concatenate([half, half * [-1, 1, 1]]), np.concatenate([faces, faces + 30]))
    v = mesh.normalised().vertices
    n = len(v) // 2
    assert np.array_equal(v[:n] * [-1, 1, 1], v[n:])


def test_a_point_has_no_size() -> None:
    with pytest.raises(UserError) as error:
        Mesh(np.ones((3, 3)), [[0, 1, 2]], name="dot").normalised()
    one_line(error, "'dot'", "one place")


def test_mirrored_twice_is_the_same_and_turns_the_winding() -> None:
    mesh = Mesh(SQUARE, TWO, np.array([[1.0, 0, 0], [0, 1, 0]]), symmetry="one_plane")
    mirror = mesh.mirrored()
    assert np.array_equal(mirror.vertices, SQUARE * [-1, 1, 1])
    assert mirror.symmetry == "one_plane"
    for m, sign in ((mesh, 1), (mirror, 1)):
        a, b, c = (m.vertices[m.faces[:, i]] for i in range(3))
        assert (np.cross(b - a, c - a)[:, 2] * sign > 0).all()
    assert mirror.mirrored().hash == mesh.hash


# --- files ---


@pytest.fixture
def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(1, radius=3.0)


@pytest.mark.parametrize("suffix", [s for s in suffixes() if s not in (".gltf", ".stl_ascii")])
def test_every_format_gives_the_same_shape(
    tmp_path: Path, ball: trimesh.Trimesh, suffix: str
) -> None:
    ball.export(tmp_path / f"ball{suffix}")
    mesh = read_mesh(tmp_path / f"ball{suffix}", category="toy", symmetry="radial")
    assert (mesh.name, mesh.category, mesh.symmetry) == ("ball", "toy", "radial")
    assert len(mesh.faces) == 80
    assert mesh.radius == pytest.approx(1, abs=1e-6)
    want = np.sort(ball.triangles_center / 3, axis=0)
    got = np.sort(mesh.vertices[mesh.faces].mean(axis=1), axis=0)
    assert np.abs(got - want).max() < 1e-6


def test_face_colours_are_read(tmp_path: Path, ball: trimesh.Trimesh) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (80, 4), dtype=np.uint8)
    ball.visual.face_colors = colors
    ball.export(tmp_path / "ball.ply")
    assert np.abs(read_mesh(tmp_path / "ball.ply").colors * 255 - colors[:, :3]).max() < 1e-9


def test_material_and_texture_colours_of_obj(tmp_path: Path) -> None:
    from PIL import Image

    texture = Image.new("RGB", (2, 2), (255, 0, 0))
    texture.putpixel((1, 0), (0, 255, 0))
    texture.save(tmp_path / "t.png")
    (tmp_path / "m.mtl").write_text(
        "newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\nnewmtl pic\nmap_Kd t.png\n"
    )
    (tmp_path / "m.obj").write_text(
        "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt .2 .2\nvt .8 .8\n"
        "usemtl red\nf 1 2 3\nusemtl blue\nf 1 2 4\nusemtl pic\nf 1/2 3/2 4/2\nf 2/1 3/1 4/1\n"
    )
    mesh = read_mesh(tmp_path / "m.obj", normalise=False)
    triples = {tuple(c) for c in mesh.colors.tolist()}
    assert triples == {(1, 0, 0), (0, 0, 1), (0, 1, 0)}
    blue = mesh.vertices[mesh.faces[mesh.colors[:, 2] == 1][0]]
    assert sorted(blue.tolist()) == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_placed_parts_of_a_scene_become_one_mesh(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for k in range(2):
        box = trimesh.creation.box(extents=(1, 1, 1))
        scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([4 * k, 0, 0]))
    scene.export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb", normalise=False)
    assert len(mesh.faces) == 24
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([5, 1, 1])


AXES = ["x", "y", "z", "-x", "-y", "-z"]


@pytest.mark.parametrize(
    ("up", "front"),
    [(u, f) for u, f in itertools.product(AXES, AXES) if u.strip("-") != f.strip("-")],
)
def test_orientation_is_a_rotation_to_y_up_z_front(tmp_path: Path, up: str, front: str) -> None:
    (tmp_path / "a.obj").write_text(OBJ)
    plain = read_mesh(tmp_path / "a.obj", normalise=False)
    turned = read_mesh(tmp_path / "a.obj", up=up, front=front, normalise=False)
    axis = {n: np.eye(3)["xyz".index(n[-1])] * (-1 if n[0] == "-" else 1) for n in AXES}
    rotation = np.linalg.lstsq(plain.vertices, turned.vertices, rcond=None)[0].T
    assert np.allclose(rotation @ axis[up], [0, 1, 0])
    assert np.allclose(rotation @ axis[front], [0, 0, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_orientations_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(OBJ)
    with pytest.raises(UserError) as error:
        read_mesh(tmp_path / "a.obj", up="w")
    one_line(error, "'w'")
    with pytest.raises(UserError) as error:
        read_mesh(tmp_path / "a.obj", up="z", front="-z")
    one_line(error, "one axis")


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".ply", ".off", ".glb"])
@pytest.mark.parametrize("kept", [0.0, 0.03, 0.3, 0.5])
def test_a_truncated_file_is_one_clear_line(
    tmp_path: Path, ball: trimesh.Trimesh, suffix: str, kept: float
) -> None:
    ball.export(tmp_path / f"ball{suffix}")
    whole = (tmp_path / f"ball{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(UserError) as error:
        read_mesh(path)
    one_line(error, str(path))


@pytest.mark.parametrize("suffix", suffixes())
@pytest.mark.parametrize("content", [b"dear reader, this is no mesh\n" * 30, bytes(range(256)) * 8])
def test_garbage_is_one_clear_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_mesh(path)
    one_line(error, str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OBJ.replace("v 0 2 0", "v 0 nan 0"), ["NaN"]),
        (OBJ.replace("v 0 2 0", "v inf 2 0"), ["infinite"]),
        (OBJ.replace("f 1 2 3", "f 1 2 9"), ["broken"]),
        (OBJ.split("f", 1)[0], ["no faces"]),
        ("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", ["one place"]),
    ],
)
def test_a_broken_obj_is_one_clear_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bad.obj"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_mesh(path)
    one_line(error, str(path), *words)


def test_missing_files_and_unknown_endings(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_mesh(tmp_path / "nowhere.obj")
    one_line(error, "nowhere.obj", "not there")
    for name in ("notes.txt", "archive.zip", "none"):
        (tmp_path / name).write_text("x")
        with pytest.raises(UserError) as error:
            read_mesh(tmp_path / name)
        one_line(error, name, ".obj")


def test_a_folder_is_read_in_order_with_categories(tmp_path: Path) -> None:
    for name in ("b/two.obj", "a/deep/one.obj", "top.OBJ"):
        path = tmp_path / "things" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OBJ)
    (tmp_path / "things" / "a" / "notes.mtl").write_text("newmtl x\n")
    meshes = read_folder(tmp_path / "things")
    assert [(m.name, m.category) for m in meshes] == [("one", "a"), ("two", "b"), ("top", "things")]


def test_folders_that_hold_no_mesh(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_folder(tmp_path)
    one_line(error, "no mesh file")
    with pytest.raises(UserError) as error:
        read_folder(tmp_path / "none")
    one_line(error, "not there")
