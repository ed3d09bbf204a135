"""Released networks in the study: what a file is, and that it is compared like the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.models.latents import latents_resnet
from isocortex.recording import grams
from isocortex.stimuli.scenes import SceneSpec
from isocortex.studies.base import configure, load_study
from isocortex.studies.data_files import DataFiles
from isocortex.studies.xie2024.config import Configuration
from isocortex.studies.xie2024.given import SETS, Given
from isocortex.studies.xie2024.measuring import Compare
from isocortex.studies.xie2024.plan import Plan
from isocortex.studies.xie2024.scenes import SceneImages


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("released")
    found = []
    for seed, name in enumerate(("distance_translation_rotation", "object_class")):
        path = folder / f"yudixie_resnet18_{name}_0_240719.pth"
        state = latents_resnet("latents-resnet18", seed=seed).state_dict()
        torch.save({f"_orig_mod.{k}": v for k, v in state.items()}, path)
        found.append(path)
    return found


def hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Return the unbiased estimate of Song et al. (2012)."""
    n = len(k)
    k, m = (x - np.diag(np.diag(x)) for x in (k, m))
    one = np.ones(n)
    parts = (
        np.trace(k @ m),
        (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)),
        -2 * (one @ k @ m @ one) / (n - 2),
    )
    return float(sum(parts) / (n * (n - 3)))


def test_the_name_of_a_file_says_what_it_holds(files: list[Path]) -> None:
    one, other = map(Given.of, files)
    assert one.identity == {"task_set": "spatial", "variant": "given", "seed": 0}
    assert (one.body, one.size) == ("resnet18", 224)
    assert other.task_set == "identity"
    assert one.checksum != other.checksum
    assert set(SETS.values()) >= {"distance", "rotation", "category", "everything", "untrained"}


def test_given_networks_are_compared_like_the_others(files: list[Path], tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path)
    images = execution.step(
        SceneImages,
        spec=SceneSpec(n_images=12), objects="procedural", categories=2, models=2,
        backgrounds="procedural", backgrounds_from="test", size=32, supersample=1, data=None,
        data_checksum="",
    )  # fmt: skip
    given = [Given.of(path) for path in files]
    fields = {
        "networks": [],
        "natural": [],
        "layers": ["layer4.1.relu:2"],
        "images": images,
        "count": 12,
    }
    table = execution.step(Compare, given=given, **fields).result()
    assert table[["task_set_a", "variant_a", "task_set_b"]].to_numpy().tolist() == [
        ["spatial", "given", "identity"]
    ]
    layer = "layer4.1.relu:2"
    one, other = (grams(g.model(), images.stimuli(), [layer])[layer] for g in given)
    expected = hsic(one, other) / np.sqrt(hsic(one, one) * hsic(other, other))
    np.testing.assert_allclose(table["cka"], expected, atol=1e-4)
    # Where the file lies does not matter, what it holds does.
    moved = shutil.copy(files[0], tmp_path / files[0].name)
    again = [Given.of(moved), given[1]]
    assert execution.step(Compare, given=again, **fields).is_cached
    assert not execution.step(Compare, given=given[::-1], **fields).is_cached


def test_a_plan_looks_at_given_networks_as_large_as_they_are(files: list[Path]) -> None:
    study = load_study("xie2024")
    chosen = configure(study, "quick", [f"networks.given=['{files[0]}']"])
    assert isinstance(chosen, Configuration)
    checksums: dict[str, str] = {}
    plan = Plan(chosen, DataFiles(None, checksums), Execution())
    (given,) = plan.given
    assert checksums == {str(files[0]): given.checksum}
    own = plan.networks()[:2]
    assert plan.compare(own, []).given == [given]
    assert plan.body_of(given).mapped[0] == "relu"
    assert plan.align(given) is None  # nothing is recorded without a data folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18.pth", "does not say which network it is"),
        ("yudixie_resnet18_other_0_240719.pth", "SET one of distance_reg"),
        ("yudixie_resnet18_random_0_240719.pth", "there is no file"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Given.of(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_network_is_refused_before_anything_runs(
    files: list[Path], tmp_path: Path
) -> None:
    wrong = shutil.copy(files[0], tmp_path / "yudixie_resnet50_random_0_240908.pth")
    with pytest.raises(UserError, match="does not fit ResNet"):
        Given.of(wrong)
