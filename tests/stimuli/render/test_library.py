from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.errors import UserError
from isocortex.stimuli.render import families, library, library_files, symmetry
from isocortex.stimuli.render.mesh import SYMMETRY_CLASSES, Mesh

FAMILY_OF = {
    "car": "car_like",
    "boat": "boat_like",
    "chair": "chair_like",
    "animal": "animal_like",
    "fruit_vegetable": "fruit_like",
    "cactus_plant": "flower_like",
    "head": "head_like",
    "airplane": "airplane_like",
    "tool": "tool_like",
}


def write(path: Path, meshes: list[Mesh], **changed: np.ndarray) -> None:
    """Write a category in the format of the library."""
    arrays = {
        "vertices": np.concatenate([m.vertices for m in meshes]).astype(np.float32),
        "faces": np.concatenate([m.faces for m in meshes]).astype(np.uint16),
        "face_color": np.concatenate([np.rint(m.colors * 255) for m in meshes]).astype(np.uint8),
        "vertex_offset": np.cumsum([0] + [len(m.vertices) for m in meshes]).astype(np.int32),
        "face_offset": np.cumsum([0] + [len(m.faces) for m in meshes]).astype(np.int32),
        "name": np.array([m.name for m in meshes]),
    }
    np.savez(path, **(arrays | changed))


@pytest.fixture(scope="module")
def small_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose 16 categories hold one or two procedural meshes each."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "meshes").mkdir()
    for k, category in enumerate(library.CATEGORIES):
        family = FAMILY_OF.get(category, "blob")
        count = 2 if category in FAMILY_OF else 1
        meshes = [families.build(family, 3 * k + i) for i in range(count)]
        write(folder / "meshes" / f"{category}.npz", meshes)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "below"


def test_meshes_come_back_as_they_were_written(small_library: Path) -> None:
    found = library.load(small_library, "chair")
    k = library.CATEGORIES.index("chair")
    for i, mesh in enumerate(found):
        original = families.build("chair_like", 3 * k + i)
        assert mesh.name == original.name
        assert mesh.category == "chair"
        assert mesh.symmetry is None
        np.testing.assert_allclose(mesh.vertices, original.vertices, atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, original.faces)
        np.testing.assert_allclose(mesh.colors, original.colors, atol=1 / 500)


def test_all_categories_are_loaded_in_order(small_library: Path) -> None:
    found = [mesh.category for mesh in library.load(small_library)]
    expected = [c for c in library.CATEGORIES for _ in range(2 if c in FAMILY_OF else 1)]
    assert found == expected


def test_bad_categories_and_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown mesh category 'chairs'; nearest: chair"):
        library.load(tmp_path, "chairs")
    with pytest.raises(UserError, match=r"lacks meshes/chair\.npz"):
        library.load(tmp_path, "chair")
    with pytest.raises(UserError, match="no data folder"):
        library.load(None, "chair")


@pytest.mark.parametrize(
    "changed",
    [
        {"vertex_offset": np.array([0, 5, 10])},
        {"vertex_offset": np.array([0, 10**6])},
        {"face_offset": np.array([5, 0])},
        {"face_offset": np.array(3)},
        {"faces": np.full((10, 3), 60_000, dtype=np.uint16)},
        {"face_color": np.zeros((3, 3), dtype=np.uint8)},
        {"vertices": np.zeros((4, 2))},
        {"vertices": np.array(["a", "b"])},
        {"name": np.array("alone")},
    ],
    ids=lambda changed: f"{next(iter(changed))}{next(iter(changed.values())).shape}",
)
def test_damaged_files_are_one_line_that_names_them(
    changed: dict[str, np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "meshes").mkdir()
    write(tmp_path / "meshes" / "car.npz", [families.build("blob", 0)], **changed)
    with pytest.raises(UserError, match=r"car\.npz' is damaged") as error:
        library.load(tmp_path, "car")
    assert "\n" not in str(error.value)


def test_the_index_needs_its_columns(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    path = tmp_path / "meshes" / "index.csv"
    with pytest.raises(UserError, match=r"lacks meshes/index\.csv"):
        library.index(tmp_path)
    path.write_text("category,name\ncar,a\n")
    with pytest.raises(UserError, match=r"index\.csv' lacks the column 'index'"):
        library.index(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot read '.*index\.csv'"):
        library.index(tmp_path)
    path.write_text("category,index,name,mirror_asymmetry,creator,licence\ncar,0,a,0.1,me,MIT\n")
    assert library.index(tmp_path)["mirror_asymmetry"].tolist() == [0.1]


def test_the_table_of_classes_is_measured_once(
    small_library: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = symmetry.library_classes(small_library, cache)
    meshes = library.load(small_library)
    assert table["name"].tolist() == [mesh.name for mesh in meshes]
    assert table["mesh_hash"].tolist() == [mesh.hash for mesh in meshes]
    assert table["index"].tolist()[:3] == [0, 1, 0]
    families_ = table["category"].map(FAMILY_OF).fillna("blob")
    declared = [families.FAMILIES[name].symmetry for name in families_]
    assert table["symmetry_class"].tolist() == declared
    assert table.loc[3, "mirror_45"] == symmetry.mirror_distance(meshes[3], 45)
    assert [path.suffix for path in cache.iterdir()] == [".csv"]

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(symmetry, "profile", never)
    pd.testing.assert_frame_equal(symmetry.library_classes(small_library, cache), table)
    with pytest.raises(AssertionError, match="measured again"):
        symmetry.library_classes(small_library)


def test_the_cache_is_keyed_by_what_the_files_hold(
    small_library: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "data"
    (other / "meshes").mkdir(parents=True)
    for path in (small_library / "meshes").iterdir():
        (other / "meshes" / path.name).write_bytes(path.read_bytes())
    measured: list[str] = []

    profile = symmetry.profile

    def watched(mesh: Mesh) -> dict[str, float]:
        measured.append(mesh.name)
        return profile(mesh, n_points=100)

    symmetry.library_classes(small_library, cache)
    monkeypatch.setattr(symmetry, "profile", watched)
    symmetry.library_classes(other, cache)
    assert not measured
    write(other / "meshes" / "tree.npz", [families.build("fruit_like", 0)])
    table = symmetry.library_classes(other, cache)
    assert len(measured) == len(table)
    assert "fruit_like_000" in table["name"].tolist()


def test_a_cache_that_cannot_be_written_is_said(small_library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write to the cache folder"):
        symmetry.library_classes(small_library, tmp_path / "file" / "below")


def test_a_class_set_from_the_library_has_measured_classes(
    small_library: Path, cache: Path
) -> None:
    table = symmetry.library_classes(small_library, cache).set_index("name")
    found = library.class_set(small_library, 4, seed=1, cache_folder=cache)
    assert [mesh.symmetry for mesh in found] == [c for c in SYMMETRY_CLASSES for _ in range(4)]
    for mesh in found:
        assert table.loc[mesh.name, "symmetry_class"] == mesh.symmetry
        assert table.loc[mesh.name, "category"] == mesh.category
    assert len({mesh.name for mesh in found}) == len(found)
    same = library.class_set(small_library, 4, seed=1, cache_folder=cache)
    assert [mesh.hash for mesh in same] == [mesh.hash for mesh in found]
    others = [library.class_set(small_library, 3, seed, cache) for seed in range(4)]
    assert len({tuple(mesh.name for mesh in other) for other in others}) > 1


def test_too_many_or_too_few_are_said(small_library: Path, cache: Path) -> None:
    with pytest.raises(UserError, match="per_class=5 but the mesh library has 4 two_plane"):
        library.class_set(small_library, 5, cache_folder=cache)
    with pytest.raises(UserError, match="per_class=0"):
        library.class_set(None, 0)
    with pytest.raises(UserError, match="n=0"):
        library.heads(None, 0)


@pytest.mark.parametrize("per_class", [1, 5, 7])
def test_a_procedural_class_set_is_even_over_families(per_class: int) -> None:
    found = library.class_set(None, per_class, seed=2)
    assert [m.symmetry for m in found] == [c for c in SYMMETRY_CLASSES for _ in range(per_class)]
    for name in SYMMETRY_CLASSES:
        of_class = [n for n, family in families.FAMILIES.items() if family.symmetry == name]
        counts = Counter(mesh.category for mesh in found)
        shares = [counts[n] for n in of_class]
        assert max(shares) - min(shares) <= 1
    assert len({mesh.name for mesh in found}) == len(found)
    assert found[0].hash == families.build(found[0].category, 0, seed=2).hash


def test_few_come_from_one_category_where_there_are_others() -> None:
    plenty = pd.Series(["a"] * 60 + list("bcdefgh") * 9)
    taken = plenty.loc[library._spread(plenty, 25)].value_counts()
    assert taken.sum() == 25
    assert taken.max() == 9
    # 40 of one category and 10 of another: 15 are needed of the first.
    short = pd.Series(["a"] * 40 + ["b"] * 10)
    taken = short.loc[library._spread(short, 25)].value_counts()
    assert taken.to_dict() == {"a": 15, "b": 10}
    # First come, first served, and labels instead of positions.
    labelled = pd.Series(list("aabb"), index=[7, 3, 5, 1])
    assert library._spread(labelled, 2) == [7, 5]


def test_heads_without_data_are_procedural() -> None:
    found = library.heads(None, 3)
    assert [mesh.name for mesh in found] == [f"head_like_{k:03d}" for k in range(3)]


@pytest.mark.data
def test_the_real_library_is_the_one_of_its_index(data_folder: Path) -> None:
    meshes, index = library.load(data_folder), library.index(data_folder)
    assert len(meshes) == 343
    assert [mesh.name for mesh in meshes] == index["name"].tolist()
    assert [mesh.category for mesh in meshes] == index["category"].tolist()
    assert [len(mesh.faces) for mesh in meshes] == index["n_faces"].tolist()
    assert tuple(index["category"].unique()) == library_files.CATEGORIES
    for mesh in meshes:
        assert mesh.radius == pytest.approx(1)


@pytest.mark.data
def test_heads_go_on_after_those_of_the_library(data_folder: Path) -> None:
    found = library.heads(data_folder, 27)
    assert len({mesh.name for mesh in found}) == 27
    assert len({mesh.hash for mesh in found}) == 27
    assert [mesh.hash for mesh in library.heads(data_folder, 3)] == [m.hash for m in found[:3]]
