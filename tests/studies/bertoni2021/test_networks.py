"""One training step: resumed, restarted, with every kind of lateral connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocortex.execution import Execution
from isocortex.models.lgncnn import LGNCNN
from isocortex.stimuli.corruptions import CORRUPTIONS
from isocortex.studies.bertoni2021 import networks, robustness
from isocortex.studies.bertoni2021.config import ARMS
from isocortex.studies.bertoni2021.networks import Train
from isocortex.studies.bertoni2021.robustness import Robustness
from isocortex.studies.bertoni2021.snapshots import milestones
from isocortex.training.fit import accuracy

FIELDS: dict[str, Any] = {
    "arm": "all", "source": "glyphs", "seed": 0, "size": 32, "train_images": 100,
    "test_images": 50, "shift": 2, "flips": True, "filters": 4, "filter_size": 7,
    "channels": [4, 4], "lgn_size": 5, "kernel_side": 5, "iterations": 1, "dropout": 0.2,
    "epochs": 2, "batch_size": 20, "learning_rate": 0.05, "weight_decay": 1e-3, "snapshots": 3,
    "checkpoint_every": 1,
}  # fmt: skip


def train(cache: Path | None = None, **fields: Any) -> Train:
    return Execution(cache=cache).step(Train, **(FIELDS | fields))


def test_milestones_are_denser_at_the_beginning_and_end_with_the_last_step() -> None:
    assert milestones(640, 4) == [0, 10, 40, 160, 640]
    assert milestones(1, 5) == [0, 1]


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_changes_what_it_says(arm: str) -> None:
    changes = {k: v for k, v in ARMS[arm].items() if k != "source"}
    network = LGNCNN(train(arm=arm, **changes).architecture())
    assert (network.lgn_filter is None) == (arm == "no_lgn")
    assert (network.kernel is None) == (arm == "no_lateral")


def test_an_interrupted_training_ends_with_the_same_filters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = networks.fit

    def stop_at(step: int, total: int, loss: float) -> None:
        if step == 10:
            raise KeyboardInterrupt

    cut = train(tmp_path / "b", epochs=3)
    whole = train(tmp_path / "a", epochs=3).compute()
    monkeypatch.setattr(networks, "fit", lambda *g, **k: real(*g, **k | {"progress": stop_at}))
    with pytest.raises(KeyboardInterrupt):
        cut.compute()
    monkeypatch.setattr(networks, "fit", real)
    resumed = cut.compute()
    assert list(resumed["filters"]) == list(whole["filters"])
    for step, parts in whole["filters"].items():
        for name, values in parts.items():
            np.testing.assert_array_equal(resumed["filters"][step][name], values)
    assert resumed["accuracy"] == whole["accuracy"]
    assert resumed["restarts"] == 0


def test_a_dead_filter_begins_anew_with_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def dies_once(self: LGNCNN, images: object) -> bool:
        seen.append(1)
        return len(seen) == 1

    monkeypatch.setattr(LGNCNN, "is_dead", dies_once)
    found = train(epochs=1).compute()
    assert found["restarts"] == 1
    first = LGNCNN(train().architecture(), seed=networks.RESTART).filters.numpy()
    np.testing.assert_array_equal(found["filters"][0]["filters"], first)


def test_induced_connections_take_the_place_of_learned_ones(tmp_path: Path) -> None:
    step = train(tmp_path, epochs=1)
    found = robustness.variants(step)
    own, induced, off = (found[k].v1 for k in ("as trained", "induced by its filters", "off"))
    assert off.lateral is None
    assert own.lateral is not None
    assert induced.lateral is not None
    kernel = induced.lateral.kernel(induced.conv.weight)
    torch.testing.assert_close(kernel.sum(dim=(1, 2, 3)), torch.ones(4))
    assert list(robustness.variants(train(tmp_path, epochs=1, lateral="none"))) == list(found)[:2]
    assert list(robustness.variants(train(tmp_path, epochs=1, lateral="kercnn"))) == ["as trained"]


def test_accuracy_is_measured_at_every_level(tmp_path: Path) -> None:
    step = train(tmp_path, epochs=1)
    table = Execution(cache=tmp_path).step(Robustness, network=step, images=20).compute()
    assert len(table) == 3 * (1 + 3 * len(CORRUPTIONS))
    assert (table["images"] == 20).all()
    clean = table.query("corruption == 'none' and lateral == 'as trained'")["accuracy"].item()
    images, labels = networks.pictures("glyphs", "test", 50, 32, None, "")
    assert clean == accuracy(step.network(), images[::2][:20], labels[::2][:20])
