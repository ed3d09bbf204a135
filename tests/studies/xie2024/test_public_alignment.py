"""Alignment with public assemblies, on small files written in their format."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha1
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.brains import brainscore_files as files

from isocortex.brains import Card, read_public
from isocortex.brains.public_assemblies import PUBLIC, PublicAssembly
from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.measures.encoding import brain_score, normalise, pls_cv, stratified_shuffle
from isocortex.measures.encoding.folds import k_fold
from isocortex.models.preprocessing import Preprocess
from isocortex.recording import grams
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.image_files import png_text
from isocortex.stimuli.scenes import SceneSpec
from isocortex.stimuli.visual_field import in_field
from isocortex.studies.base import configure, load_study
from isocortex.studies.data_files import DataFiles
from isocortex.studies.xie2024.config import Configuration
from isocortex.studies.xie2024.networks import UNTRAINED, Train
from isocortex.studies.xie2024.plan import Plan
from isocortex.studies.xie2024.public_alignment import AlignPublic, available, complete, recorded
from isocortex.studies.xie2024.public_figures import PUBLIC_FIGURES
from isocortex.studies.xie2024.published import PUBLISHED, beside_published
from isocortex.studies.xie2024.scenes import SceneImages
from isocortex.studies.xie2024.study import aligned

N, SIZE = 48, 32
REGIONS = ["FreemanZiemba2013.V1", "FreemanZiemba2013.V2", "MajajHong2015.V4", "MajajHong2015.IT"]


def written(folder: Path, areas: list[str], label: str, seed: int) -> tuple[Path, ...]:
    """Write noise of several scales, and four sites that read it linearly."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((N, 3, 4, 4), dtype=np.float32))
    images = torch.nn.functional.interpolate(coarse, 12, mode="bilinear").clamp(0, 1)
    images = (images * 255).round() / 255
    recorded = files.array(n_stimuli=N, repetitions=4, bins=np.array([50]), seed=seed)
    recorded = recorded.assign_coords(region=("neuroid", areas * 2))
    weights = rng.normal(size=(images[0].numel(), 4))
    signal = images.flatten(1).numpy() @ weights
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    which = [int(name[2:]) for name in recorded["stimulus_id"].values]
    recorded.values[:, :, 0] = signal[which] + 0.5 * recorded.values[:, :, 0]
    kinds = {label: [f"kind {i % 3}" for i in range(N)]}
    return files.write(
        folder, recorded, pictures=[b64decode(png_text(i)) for i in images], **kinds
    ).paths


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("public")
    for name, areas, label, seed in (
        ("FreemanZiemba2013", ["V1", "V2"], "texture_type", 0),
        ("MajajHong2015", ["V4", "IT"], "object_name", 1),
    ):
        (where / "parts").mkdir(exist_ok=True)
        for path in written(where / "parts", areas, label, seed):
            path.rename(where / f"{name}{path.suffix}")
    return where


@pytest.fixture
def public(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FreemanZiemba2013", "MajajHong2015"):
        entry = PUBLIC[name]
        names = (f"{name}.nc", f"{name}.csv", f"{name}.zip")
        one, two, three = (sha1((folder / file).read_bytes()).hexdigest() for file in names)
        small = PublicAssembly(
            names, (one, two, three), (50, 100), entry.degrees, entry.regions, Card(name),
            label=entry.label,
        )  # fmt: skip
        monkeypatch.setitem(PUBLIC, name, small)
    recorded.cache_clear()


def network(execution: Execution) -> Train:
    images = execution.step(
        SceneImages,
        spec=SceneSpec(n_images=4), objects="procedural", categories=2, models=2,
        backgrounds="procedural", backgrounds_from="test", size=SIZE, supersample=1, data=None,
        data_checksum="",
    )  # fmt: skip
    return execution.step(
        Train,
        task_set=UNTRAINED, variant="full", seed=0, images=images, full=images, held_out=images,
        width=4, steps=1, batch_size=2, learning_rate=1e-3, snapshots=0, device="cpu",
    )  # fmt: skip


def scored(who: Train | None, folder: Path, layers: list[str]) -> pd.DataFrame:
    step = Execution().step(
        AlignPublic,
        network=who, layers=layers, size=SIZE, regions=REGIONS, splits=3, inner_splits=2,
        components=4, folder=str(folder), checksums={},
    )  # fmt: skip
    return step.result()


def test_scores_are_those_of_the_protocol(public: None, folder: Path) -> None:
    layers = ["relu", "layer2.1.relu:2", "avgpool"]
    who = network(Execution())
    table = scored(who, folder, layers)
    assert list(dict.fromkeys(table["area"])) == ["V1", "V2", "V4", "IT"]
    assert complete(table)
    assert set(table["rule"]) == {"brainscore_2024"}
    for name, area in (("FreemanZiemba2013", "V2"), ("MajajHong2015", "IT")):
        assembly = read_public(name, folder, region=area)
        assert isinstance(assembly.stimuli, StimulusSet)
        assert assembly.trials is not None
        labels = assembly.presentations[PUBLIC[name].label].to_numpy()
        shown = in_field(assembly.stimuli.images(), PUBLIC[name].degrees, 8)
        assert shown.shape[-1] == {"FreemanZiemba2013": 24, "MajajHong2015": 12}[name]
        made = grams(who.model(), shown, layers)
        rows = table[table["area"] == area].set_index("layer")
        y = assembly.responses.to_numpy().astype(float)
        for layer in layers:
            score = brain_score(
                made[layer], y, labels=labels, repetitions=assembly.trials.to_numpy(), gram=True,
                n_splits=3, n_components=4,
            )  # fmt: skip
            assert rows.loc[layer, "raw"] == pytest.approx(score.raw, abs=1e-6)
            assert rows.loc[layer, "ceiling"] == pytest.approx(score.ceiling)
            assert rows.loc[layer, "score"] == pytest.approx(score.score_2024, rel=1e-5)
        assert rows["best"].sum() == 1
        assert rows["raw"].idxmax() == rows.index[rows["best"]][0]
        nested = by_hand({k: made[k] for k in layers}, y, labels)
        np.testing.assert_allclose(rows["chosen_raw"], nested, atol=1e-6)
        ceiled = normalise(nested, float(rows["ceiling"].iloc[0]), "brainscore_2024")
        np.testing.assert_allclose(rows["chosen"], ceiled, rtol=1e-5)
        assert set(rows["sites"]) == {2}


def by_hand(made: dict[str, np.ndarray], y: np.ndarray, labels: np.ndarray) -> float:
    """Choose a layer on the training images of each split, one split after the other."""
    scores = []
    for train, test in stratified_shuffle(labels, 3, test_share=0.1, seed=1):
        inner = {
            layer: pls_cv(
                gram[np.ix_(train, train)], y[train], folds=k_fold(len(train), 2, seed=1),
                n_components=4, gram=True,
            ).aggregate()
            for layer, gram in made.items()
        }  # fmt: skip
        layer = max(inner, key=lambda name: inner[name])
        outer = pls_cv(made[layer], y, folds=[(train, test)], n_components=4, gram=True)
        scores.append(np.median(outer.fold_scores[0]))
    return float(np.mean(scores))


def test_pixels_are_seen_in_the_same_field(public: None, folder: Path) -> None:
    table = scored(None, folder, [])
    assert set(table["layer"]) == {"pixels"}
    assembly = read_public("FreemanZiemba2013", folder, region="V1")
    assert assembly.stimuli is not None
    fill = Preprocess((3, SIZE, SIZE), resize=(SIZE, SIZE))
    flat = fill(in_field(assembly.stimuli.images(), 4, 8)).flatten(1).double().numpy()
    labels = assembly.presentations["texture_type"].to_numpy()
    y = assembly.responses.to_numpy().astype(float)
    expected = brain_score(flat, y, labels=labels, n_splits=3, n_components=4).raw
    assert table.set_index("area").loc["V1", "raw"] == pytest.approx(expected, abs=1e-6)
    assert (table["raw"] > 0.3).all()  # the sites read pixels


def test_what_is_missing_is_said(public: None, folder: Path, tmp_path: Path) -> None:
    assert available(REGIONS[::-1], str(folder)) == (REGIONS, [])
    (tmp_path / "MajajHong2015.nc").touch()
    for name in ("nc", "csv", "zip"):
        (tmp_path / f"FreemanZiemba2013.{name}").touch()
    there, lines = available(REGIONS, str(tmp_path))
    assert there == REGIONS[:2]
    (line,) = lines
    assert line.startswith("MajajHong2015 lacks MajajHong2015.csv, MajajHong2015.zip in ")
    assert "download=True" in line
    with pytest.raises(UserError, match=r"unknown public region 'MajajHong2015\.TE'"):
        available(["MajajHong2015.TE"], None)


def test_stimuli_without_labels_are_refused(
    public: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = PUBLIC["MajajHong2015"]
    other = PublicAssembly(
        entry.files, entry.sha1, entry.window, 8.0, entry.regions, entry.card, label="kind"
    )
    monkeypatch.setitem(PUBLIC, "MajajHong2015", other)
    with pytest.raises(UserError, match="lacks the column kind"):
        recorded("MajajHong2015", "IT", str(folder), 2)


def test_the_published_stages_stand_beside() -> None:
    assert PUBLISHED["resnet18"].keys() == PUBLISHED["resnet50"].keys()
    assert len(PUBLISHED["resnet18"]) == 12
    rows = [
        {"task_set": s, "variant": "full", "body": "resnet18", "area": a, "stage": k, "best": b}
        for s in ("category", "pixels") for a in ("V1", "IT")
        for k, b in ((2.0, True), (4.0, False))
    ]  # fmt: skip
    table = beside_published(pd.DataFrame(rows).assign(seed=0)).set_index(["task_set", "area"])
    assert table.loc[("category", "IT"), ["stage", "published", "n"]].tolist() == [2, 3, 1]
    assert table.loc[("category", "V1"), "published"] == 1
    assert np.isnan(table.loc[("pixels", "V1"), "published"])


def test_a_run_with_all_regions_is_decided_by_them(
    public: None, folder: Path, tmp_path: Path
) -> None:
    regions = ", ".join(REGIONS)
    chosen = configure(
        load_study("xie2024"),
        "quick",
        [
            "scenes.categories=2", "scenes.models=1", f"scenes.size={SIZE}", "scenes.images=64",
            "scenes.test_images=64", "networks.task_sets=[category]", "networks.seeds=1",
            "networks.few_categories=[]", "networks.width=2", "networks.steps=2",
            "networks.batch_size=8", "networks.snapshots=2", "variability.category_sets=[]",
            "variability.translation_sets=[]", f"alignment.public=[{regions}]",
            f"alignment.public_folder={folder}", "alignment.components=3",
            "alignment.inner_splits=2",
        ],
    )  # fmt: skip
    assert isinstance(chosen, Configuration)
    checksums: dict[str, str] = {}
    notes: list[str] = []
    execution = Execution(cache=tmp_path)
    plan = Plan(chosen, DataFiles(None, checksums), execution)
    tables = aligned(plan, plan.networks(), [], execution, notes)
    assert "alignment" not in tables
    found = tables["alignment_public"]
    assert set(found["task_set"]) == {"pixels", "untrained", "category"}
    at_end = found.groupby(["task_set", "area"])["chosen"].first()["category"].mean()
    curves = tables["curves"].set_index("step")
    np.testing.assert_allclose(curves.loc[2, "A"], at_end, rtol=1e-6)
    assert set(tables["published_stages"]["area"]) == {"V1", "V2", "V4", "IT"}
    assert len(PUBLIC_FIGURES["regions"].draw(tables).get_axes()) == 8
    assert checksums["MajajHong2015.csv"].startswith("sha1:")
    assert "A is the mean over V1, V2, V4 and IT" in " ".join(notes)
