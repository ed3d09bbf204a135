"""Scenes by name and as text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.render import families
from isocortex.stimuli.scenes.sources import background_sources, mesh_sources, spec_from


def test_meshes_are_procedural_or_files(tmp_path: Path) -> None:
    meshes = mesh_sources("procedural", None, exemplars=2)
    assert len(meshes) == 2 * len(families.FAMILIES)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert [m.category for m in mesh_sources(str(tmp_path), None)] == ["toy"]
    assert len(mesh_sources(str(tmp_path / "toy" / "a.obj"), None)) == 1
    with pytest.raises(UserError, match="did you mean meshes"):
        mesh_sources("mehses", None)
    with pytest.raises(UserError, match="1 or more"):
        mesh_sources("procedural", None, exemplars=0)


def test_backgrounds_are_procedural_or_folders(tmp_path: Path) -> None:
    image_files.write_png(torch.rand(3, 8, 8), tmp_path / "a.png")
    known = background_sources(["noise", str(tmp_path)], None, count=2)
    assert known.classes == ("noise", "noise", "photograph")
    with pytest.raises(UserError, match="did you mean noise"):
        background_sources(["nois"], None)
    with pytest.raises(UserError, match="bsds500"):
        background_sources(["bsds500"], None)


def test_a_specification_as_text() -> None:
    spec = spec_from(
        {"seed": 3},
        ["sampler=direct", "ranges={exposure: [-1, 1]}", "seed=4"],
        ["depth=2"],
        ["rotation=0.5"],
    )
    assert (spec.sampler, spec.seed) == ("direct", 4)
    assert spec.spans["exposure"] == (-1, 1)
    assert [c.kind for c in spec.interventions] == ["freeze", "shrink"]
    for arguments, word in (
        (({}, ["sampler"]), "name=value"),
        (({}, ["sampler=[a"]), "not valid YAML"),
        (({}, (), ["depth=x"]), "no number"),
        (({}, (), ["dept=1"]), "unknown sampled parameter"),
        (({}, ["smapler=tdw"]), "smapler"),
    ):
        with pytest.raises(UserError, match=word):
            spec_from(*arguments)  # type: ignore[arg-type]
