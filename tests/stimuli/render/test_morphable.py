from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocortex import data
from isocortex.errors import UserError
from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.morphable import HeadModel

EXPRESSIONS = ("jawOpen", "browDown_L", "smile")


def arrays() -> dict[str, np.ndarray]:
    head = families.build("head_like", 0)
    rng = np.random.default_rng(0)
    v = len(head.vertices)
    return {
        "mean": head.vertices.astype(np.float32),
        "faces": head.faces.astype(np.uint16),
        "face_color": np.rint(head.colors * 255).astype(np.uint8),
        "identity_basis": (0.02 * rng.normal(size=(4, v, 3))).astype(np.float16),
        "expression_basis": (0.1 * rng.normal(size=(3, v, 3))).astype(np.float16),
        "expression_names": np.array(EXPRESSIONS),
    }


def folder_with(tmp_path: Path, **changed: np.ndarray) -> Path:
    (tmp_path / "meshes").mkdir()
    np.savez(tmp_path / "meshes" / "ict_head_model.npz", **(arrays() | changed))
    return tmp_path


@pytest.fixture
def model(tmp_path: Path) -> HeadModel:
    return HeadModel(folder_with(tmp_path))


def by_hand(coefficients: list[float], weights: list[float]) -> np.ndarray:
    parts = {key: value for key, value in arrays().items() if value.dtype.kind == "f"}
    vertices = parts["mean"].astype(float)
    for c, basis in zip(coefficients, parts["identity_basis"], strict=False):
        vertices += c * basis.astype(float)
    for e, basis in zip(weights, parts["expression_basis"], strict=False):
        vertices += e * basis.astype(float)
    return Mesh(vertices, arrays()["faces"]).normalised().vertices


def test_a_head_is_the_sum_of_mean_identity_and_expression(model: HeadModel) -> None:
    assert model.n_identities == 4
    assert model.expressions == EXPRESSIONS
    np.testing.assert_allclose(model.identity([]).vertices, by_hand([], []), atol=1e-12)
    found = model.identity([1.0, -2.0, 0.5, 3.0], {"smile": 0.7, "jawOpen": 1.0})
    np.testing.assert_allclose(
        found.vertices, by_hand([1.0, -2.0, 0.5, 3.0], [1.0, 0.0, 0.7]), atol=1e-12
    )
    short = model.identity(np.array([1.5]))
    np.testing.assert_allclose(short.vertices, by_hand([1.5], []), atol=1e-12)
    assert short.category == "head"
    assert short.symmetry is None
    assert model.identity([0.1], name="anna").name == "anna"


def test_a_seed_is_a_person(model: HeadModel) -> None:
    anna, again, berta = model.identity(3), model.identity(np.int64(3)), model.identity(4)
    assert anna.hash == again.hash
    assert anna.hash != berta.hash
    assert (anna.name, berta.name) == ("head_0003", "head_0004")
    by_coefficients = model.identity(model.coefficients(3))
    assert by_coefficients.hash == anna.hash
    many = np.concatenate([model.coefficients(seed) for seed in range(400)])
    assert abs(many.mean()) < 0.1
    assert many.std() == pytest.approx(1, abs=0.1)


def test_bad_arguments_are_said(model: HeadModel) -> None:
    with pytest.raises(UserError, match="at most 4 in a row"):
        model.identity(np.zeros(5))
    with pytest.raises(UserError, match=r"shape \(2, 2\)"):
        model.identity(np.zeros((2, 2)))
    with pytest.raises(UserError, match="NaN or infinite"):
        model.identity([np.nan])
    with pytest.raises(UserError, match="head seed -1"):
        model.identity(-1)
    with pytest.raises(UserError, match="unknown expression 'smil'; did you mean smile"):
        model.identity(0, {"smil": 1.0})
    with pytest.raises(UserError, match=r"weight 1\.5 of expression 'smile'"):
        model.identity(0, {"smile": 1.5})
    with pytest.raises(UserError, match="weight nan"):
        model.identity(0, {"smile": float("nan")})


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": np.zeros((3, 3))},
        {"mean": np.zeros(3)},
        {"identity_basis": np.zeros((4, 7, 3))},
        {"expression_names": np.array(["one"])},
        {"faces": np.full((5, 3), 60_000)},
        {"face_color": np.zeros((2, 3))},
    ],
    ids=lambda changed: f"{next(iter(changed))}{next(iter(changed.values())).shape}",
)
def test_a_damaged_model_is_said(changed: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"head_model\.npz' is damaged"):
        HeadModel(folder_with(tmp_path, **changed))


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks meshes/ict_head_model\.npz"):
        HeadModel(tmp_path)
    with pytest.raises(UserError, match="no data folder"):
        HeadModel(None)


@pytest.mark.data
def test_the_real_model_rebuilds_the_heads_of_the_library(data_folder: Path) -> None:
    model = HeadModel(data_folder)
    assert model.n_identities == 100
    assert len(model.expressions) == 57
    path = data.require(data_folder, "meshes/head.npz")
    coefficients = data.read_npz(path, ["identity_coefficients"])["identity_coefficients"]
    for known, head in zip(coefficients, library.load(data_folder, "head"), strict=True):
        rebuilt = model.identity(known)
        np.testing.assert_allclose(rebuilt.vertices, head.vertices, atol=1e-3)
        np.testing.assert_array_equal(rebuilt.faces, head.faces)
