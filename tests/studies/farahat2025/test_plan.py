"""Which steps a run has: the arms that claims compare are there, whatever the grid is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farahat2025.config import CONFIGURATIONS, Configuration
from isocortex.studies.farahat2025.contrasts import R3_NETWORKS, R4_NETWORKS
from isocortex.studies.farahat2025.networks import objects
from isocortex.studies.farahat2025.plan import Plan
from isocortex.studies.farahat2025.texture import TextureReadout


def plan(chosen: Configuration, data: Path | None = None) -> Plan:
    return Plan(chosen, DataFiles(data), Execution())


def test_small_kernels_are_an_arm_of_their_own_whatever_kernels_the_grid_has() -> None:
    chosen = CONFIGURATIONS["quick"].model_copy(deep=True)
    chosen.grid.kernels = [3, 3, 3]
    chosen.grid.kernel_control = True
    made = plan(chosen)
    assert {network.arm for network in made.grid()} == {"random"}
    control = made.small_kernels()
    assert {network.arm for network in control} == {"small kernels"}
    assert {network.kernels for network in control} == {(3, 3, 3)}


def test_small_fits_every_network_that_its_claims_compare() -> None:
    made = plan(CONFIGURATIONS["small"])
    fitted = {(n.configuration, n.arm) for n in made.fitted()}
    for network in (*R3_NETWORKS, *R4_NETWORKS):
        assert (network["configuration"], network["arm"]) in fitted
    assert {("tanh-avg", "biased"), ("abs-avg", "random")} <= fitted
    seeds = {n.seed for n in made.fitted()}
    assert seeds == set(range(5))
    arms = {n.arm for n in made.judged_objects()}
    assert arms == {"random", "trained", "S1", "S2", "S3", "S4", "S5"}
    tuned = {(s.network.configuration, s.network.arm) for s in made.selectivity()}
    assert {
        (f"{a}-avg", arm) for a in ("relu", "tanh", "identity") for arm in ("random", "trained")
    } <= tuned
    read = {(t.network.configuration, t.label) for t in made.textures() if t.network}
    assert len(read) == 2 * len(CONFIGURATIONS["small"].grid.configurations)


@pytest.mark.data
def test_small_trains_on_every_area_that_its_claims_compare(data_folder: Path) -> None:
    steps = plan(CONFIGURATIONS["small"], data_folder).neural()
    v1 = {s.network.configuration for s in steps if s.area.name == "v1-tang"}
    assert len(v1) == 6
    others = {(s.area.name, s.network.configuration) for s in steps if s.area.name != "v1-tang"}
    sessions = ("v4-201025", "v4-190923", "v4-210225", "it-sim")
    assert others == {(name, "relu-max") for name in sessions}
    assert len(steps) == 2 * 5 * (6 + 4)


def test_networks_learn_the_images_of_a_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("apple", "bear", "car"):
            (tmp_path / split / name).mkdir(parents=True)
            for k in range(2):
                pixels = rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{k}.png")
    chosen = CONFIGURATIONS["quick"].model_copy(deep=True)
    chosen.objects.source = "folder"
    chosen.objects.epochs = 1
    with pytest.raises(UserError, match=r"objects\.folder '' does not exist; name a folder"):
        plan(chosen)
    chosen.objects.folder = str(tmp_path)
    made = plan(chosen).trained(("relu", "avg"), 0, channels=(4, 4, 4))
    assert (made.source, made.classes) == ("folder", 3)
    images, labels = objects("folder", "test", 6, made.data)
    assert images.shape == (6, 3, 32, 32)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.std(dim=1).mean() > 0.1  # in colour
    outcome = made.compute()
    assert 0 <= outcome["accuracy"] <= 1
    assert 3 in {len(values) for values in outcome["weights"].values() if values.ndim == 2}
    assert made.test_images == 6
    before = made.data_checksum
    (tmp_path / "train" / "apple" / "0.png").unlink()
    assert plan(chosen).trained(("relu", "avg"), 0).data_checksum != before


def test_a_network_with_other_outputs_than_labels_is_not_trained_on_textures() -> None:
    network = plan(CONFIGURATIONS["quick"]).random(("relu", "avg"), 0, norm="bn", classes=9)
    step = TextureReadout(
        network=network, label="texture",
        source="procedural", shapes="glyphs", seed=0, train=100, validation=100, test=100,
        readouts=["means"], trained_epochs=1, batch_size=50,
    )  # fmt: skip
    with pytest.raises(UserError, match="9 outputs, and there are 10 labels"):
        step.compute()
