from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.models.checkpoints import save_weights
from isocortex.models.convnet import PRESETS, ConvNet
from isocortex.models.zoo import files_checksum
from isocortex.stimuli.transforms import TRANSFORMS
from isocortex.studies import run_study
from isocortex.studies.farzmahdi2024.categories import category_set
from isocortex.studies.farzmahdi2024.config import CONFIGURATIONS, Configuration
from isocortex.studies.farzmahdi2024.given import MeasureGiven
from isocortex.studies.farzmahdi2024.measuring import alive, rectified, tuning
from isocortex.studies.farzmahdi2024.networks import Train
from isocortex.studies.farzmahdi2024.plan import schedule
from isocortex.studies.farzmahdi2024.recorded import alignment
from isocortex.studies.farzmahdi2024.simulated import KINDS, Simulate, population
from isocortex.studies.farzmahdi2024.stimuli import Views, by_object


def network(policy: str, seed: int = 0, **fields: object) -> Train:
    given = {
        "network": "half", "source": "glyphs", "policy": policy, "seed": seed, "size": 32,
        "steps": 2, "batch_size": 8, "optimiser": "adam", "learning_rate": 1e-3, "halve_every": 0,
        "images": 100, "test_images": 50,
    }  # fmt: skip
    return Execution().step(Train, **given | fields)


def views(variant: str, **fields: object) -> Views:
    given = {"source": "procedural", "variant": variant, "per_class": 2, "heads": 2, "size": 32}
    return Execution().step(Views, **given | fields)


def test_presets_have_the_numbers_of_the_specification() -> None:
    small, full = CONFIGURATIONS["small"], CONFIGURATIONS["full"]
    assert small == Configuration()
    assert (small.objects.per_class, small.objects.heads, small.training.seeds) == (25, 25, 5)
    assert (small.training.steps, small.training.batch_size) == (500, 64)
    assert full.training.network == "paper-code"
    assert "torchvision:alexnet" in full.given.models


@pytest.mark.parametrize("seed", [0, 3])
def test_networks_of_one_seed_share_all_weights_but_the_last_layer(seed: int) -> None:
    few, many = network("sym", seed).initial(), network("asym", seed).initial()
    assert many.config.n_classes == 2 * few.config.n_classes
    ours, theirs = few.state_dict(), many.state_dict()
    last = [k for k in ours if k.startswith("head.fc3")]
    assert last
    for key in ours.keys() - set(last):
        assert torch.equal(ours[key], theirs[key]), key
    other = network("sym", seed + 1).initial().state_dict()
    assert not torch.equal(ours["features.conv1_1.weight"], other["features.conv1_1.weight"])


def test_the_full_preset_trains_as_published() -> None:
    full = CONFIGURATIONS["full"].training
    adam, steps, batch = schedule(full, "glyphs", 10_800)
    assert (adam.name, adam.learning_rate, batch) == ("adam", 1e-5, 256)
    assert (steps, adam.halve_every) == (250 * 42, 20 * 42)
    sgd, steps, _ = schedule(full, "cifar10", 25_000)
    assert (sgd.name, sgd.learning_rate, sgd.momentum) == ("sgd", 1e-3, 0.9)
    assert (steps, sgd.halve_every) == (250 * 97, 50 * 97)
    own, steps, batch = schedule(CONFIGURATIONS["small"].training, "mnist", 10_800)
    assert (own.name, own.learning_rate, steps, batch) == ("adam", 1e-3, 500, 64)


def test_an_untrained_network_keeps_its_initial_weights() -> None:
    step = network("none")
    for key, value in step.initial().state_dict().items():
        assert torch.equal(value, step.trained().state_dict()[key])
    moved = network("sym")
    assert not torch.equal(
        moved.initial().state_dict()["features.conv1_1.weight"],
        moved.trained().state_dict()["features.conv1_1.weight"],
    )


def test_train_and_test_glyphs_are_other_drawings_of_the_same_classes() -> None:
    taught, held_out = network("orig")._diets()
    assert set(taught.labels.tolist()) == set(held_out.labels.tolist()) == set(range(10))
    apart = torch.cdist(taught.images.flatten(1), held_out.images.flatten(1))
    assert apart.min() > 0.1


def test_broken_objects_stand_in_the_place_of_bilateral_ones() -> None:
    intact, broken = views("classes").stimuli(), views("broken").stimuli()
    kinds = intact.table["symmetry_class"].to_numpy()
    found = broken.table["symmetry_class"].to_numpy()
    assert (found[kinds == "one_plane"] == "broken").all()
    assert (found[kinds != "one_plane"] == kinds[kinds != "one_plane"]).all()


def test_exact_objects_are_mirror_images_of_their_opposite_views() -> None:
    stimuli = views("exact").stimuli()
    folded = by_object(stimuli.images(), 9)
    kinds = stimuli.table["symmetry_class"].to_numpy()[::9]
    symmetric = torch.tensor(kinds != "asymmetric")
    flipped = TRANSFORMS["hflip"](folded.flip(1))
    assert (folded[symmetric] - flipped[symmetric]).abs().max() < 1e-6
    assert (folded[~symmetric] - flipped[~symmetric]).abs().max() > 0.05


def test_views_are_folded_object_by_object() -> None:
    assert by_object(torch.arange(18), 9).tolist() == [list(range(9)), list(range(9, 18))]
    with pytest.raises(UserError, match="not a whole number of 9 views"):
        by_object(torch.arange(10), 9)


@pytest.mark.data
def test_the_category_set_has_the_objects_of_the_specification(
    data_folder: Path, library_cache: Path
) -> None:
    counts = pd.Series([m.category for m in category_set(data_folder, 25, 0, library_cache)])
    assert counts.value_counts().to_dict() == {
        "car": 25, "boat": 12, "head": 25, "chair": 23, "airplane": 25, "tool": 24, "animal": 24,
        "fruit_vegetable": 25, "cactus_plant": 25,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_populations_have_the_tuning_they_declare(kind: str) -> None:
    responses = population(kind, np.random.default_rng(0))
    power = (responses**2).mean(axis=(0, 2))
    assert power == pytest.approx(power[::-1], rel=0.5)
    first, last = responses[:, 0].ravel(), responses[:, -1].ravel()
    r = np.corrcoef(first, last)[0, 1]
    assert (r > 0.5) if kind in ("mirror", "invariant") else (r < 0.3)


def test_the_index_orders_simulated_populations() -> None:
    table = Simulate(seeds=2).compute()
    means = table.groupby("kind")["exact"].mean()
    assert means["mirror"] > 0.9
    assert means["invariant"] == pytest.approx(-1 / 8, abs=0.05)
    assert means["view"] < -0.4


def test_alignment_is_the_mean_correlation_of_the_blocks() -> None:
    rng = np.random.default_rng(0)
    places = pd.DataFrame(
        {"block": ["same"] * 4 + ["different"] * 5, "view": range(9), "other_view": range(9)}
    )
    recorded = places.assign(distance=rng.random(9))
    layer = places.assign(distance=rng.random(9), source="s", policy="p", seed=0, layer="fc1")
    r = [
        np.corrcoef(a, b)[0, 1]
        for a, b in (
            (recorded["distance"][:4], layer["distance"][:4]),
            (recorded["distance"][4:], layer["distance"][4:]),
        )
    ]
    assert alignment(recorded, layer)["score"].item() == pytest.approx(np.mean(r))
    flat = layer.assign(distance=layer["distance"].where(layer["block"] == "same", 0.5))
    assert np.isnan(alignment(recorded, flat)["score"].item())


def test_a_given_network_is_measured_from_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    config = PRESETS["half"].model_copy(update={"in_channels": 1})
    save_weights(ConvNet(config, seed=5), path)
    shown = views("categories", per_class=1)
    steps = [
        Execution().step(
            MeasureGiven,
            model="isocortex:half",
            weights=weights,
            checksum=files_checksum("isocortex:half", weights),
            views=shown,
        )
        for weights in (str(path), "random")
    ]
    tables = [step.result() for step in steps]
    assert len(steps[0].checksum) == 64
    assert steps[1].checksum == ""
    assert set(tables[0]["category"]) == set(shown.stimuli().table["category"])
    assert tables[0]["exact"].between(-1, 1).all()
    assert not np.allclose(tables[0]["exact"], tables[1]["exact"])


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ([], "lacks meshes/index.csv; .*objects.source=procedural"),
        (["meshes/index.csv"], "lacks images/mnist.npz; .*training.sources="),
    ],
)
def test_a_data_folder_that_lacks_a_file_is_refused(
    tmp_path: Path, present: list[str], said: str
) -> None:
    for file in present:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    overrides = ["training.sources=[mnist]"] if present else ["training.sources=[glyphs]"]
    with pytest.raises(UserError, match=said):
        run_study("farzmahdi2024", "quick", overrides=overrides, data=tmp_path)


def test_the_script_of_a_model_is_part_of_its_key(tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text("width = 1")
    before = files_checksum(f"file:{script}:factory", "random")
    script.write_text("width = 2")
    assert files_checksum(f"file:{script}:factory", "random") != before


def test_a_layer_without_a_live_unit_is_undefined_and_counted() -> None:
    objects = pd.DataFrame(
        {"object_id": ["a", "b"], "category": "c", "symmetry_class": "one_plane"}
    )
    rng = np.random.default_rng(0)
    responses = {"dead": torch.empty(18, 0), "fc1": torch.from_numpy(rng.standard_normal((18, 7)))}
    found = tuning(responses, objects, "classes", 20)
    index = found["index"].set_index("layer")
    assert index.loc["dead", "exact"].isna().all()
    assert (index.loc["dead", "n_units"] == 0).all()
    assert index.loc["fc1", "exact"].notna().all()
    assert list(alive({k: by_object(v, 9)[:, ::2] for k, v in responses.items()}, 1)) == ["fc1"]


def test_the_last_layer_is_read_after_rectification() -> None:
    logits = torch.tensor([[-1.0, 2.0]])
    assert rectified(logits, "fc3").tolist() == [[0.0, 2.0]]
    assert torch.equal(rectified(logits, "fc2"), logits)
