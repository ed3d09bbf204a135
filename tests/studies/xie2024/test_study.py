"""The study from end to end, small enough for the suite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.errors import UserError
from isocortex.report.html import write_report
from isocortex.studies import StudyResult, run_study
from isocortex.studies.base import configure, load_study
from isocortex.studies.results import write_tables
from isocortex.studies.xie2024.alignment import chosen_elsewhere, halved

TINY = [
    "scenes.categories=3",
    "scenes.models=2",
    "scenes.size=32",
    "scenes.images=96",
    "scenes.test_images=100",
    "networks.task_sets=[rotation, spatial, category, distance+mask+depth]",
    "networks.few_categories=[2]",
    "networks.width=2",
    "networks.seeds=1",
    "networks.steps=4",
    "networks.batch_size=16",
    "networks.snapshots=3",
    "networks.checkpoint_every=2",
    "variability.category_sets=[spatial]",
    "variability.translation_sets=[rotation]",
    "decoding.images=100",
    "decoding.folds=2",
    "cka_images=24",
    "resamples=100",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tiny(cache: Path) -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        return run_study("xie2024", "quick", overrides=TINY, cache=cache)


def test_without_data_it_runs_on_procedural_scenes(tiny: StudyResult) -> None:
    assert {"montage", "training", "bits", "decoding", "cka"} <= set(tiny.tables)
    assert "alignment" not in tiny.tables
    board = tiny.board.set_index("id")
    assert set(board["verdict"]) == {"not tested"}
    assert "ISOCORTEX_DATA" in board.loc["X1", "reason"]
    kinds = tiny.tables["training"].groupby(["task_set", "variant"]).ngroups
    assert kinds == 1 + 4 + 1 + 1 + 1  # untrained, four sets, two categories, one, centred


def test_decoding_knows_pixels_untrained_and_chance(tiny: StudyResult) -> None:
    table = tiny.tables["decoding"]
    assert {"pixels", "untrained", "spatial"} <= set(table["task_set"])
    assert set(table.loc[table["target"] == "category", "chance"]) == {1 / 3}
    # What does not vary is not decoded: one category, centred positions.
    assert set(table.query("target == 'category'")["tested_on"]) == {"full", "centred"}
    assert set(table.query("target == 'position'")["tested_on"]) == {"full", "one_category"}
    assert table["score"].between(-1, 1).all()


def test_networks_are_tested_beyond_their_training_images(tiny: StudyResult) -> None:
    table = tiny.tables["generalisation"]
    assert set(table["tested_on"]) == {
        "known backgrounds", "new backgrounds", "new models", "wider rotation", "wider position",
    }  # fmt: skip
    same = table.query("tested_on == 'new backgrounds' and metric == 'loss'")
    trained = tiny.tables["training"].query("metric == 'loss' and variant == 'full'")
    keys = ["task_set", "task"]
    both = same.merge(trained, on=keys, suffixes=("", "_training"))
    assert len(both) == len(same)
    np.testing.assert_allclose(both["value"], both["value_training"], rtol=1e-4)


def test_categories_by_themselves_make_up_the_whole(tiny: StudyResult) -> None:
    table = tiny.tables["classes"]
    assert table["category"].nunique() == 3
    whole = tiny.tables["training"].query("variant == 'full'")
    for metric, power in (("accuracy", 1), ("geodesic_deg", 1), ("rmse_x", 2), ("rmse_z", 2)):
        rows = table[table["metric"] == metric].assign(value=lambda t, p=power: t["value"] ** p)
        for (task_set, task), own in rows.groupby(["task_set", "task"]):
            mean = np.average(own["value"], weights=own["n"]) ** (1 / power)
            at_once = whole.set_index(["task_set", "task", "metric"])["value"]
            assert mean == pytest.approx(at_once[task_set, task, metric], rel=1e-4), metric
        assert len(rows)


def test_every_pair_of_networks_is_compared_once(tiny: StudyResult) -> None:
    table = tiny.tables["cka"]
    n = 8
    assert (table.groupby("layer").size() == n * (n - 1) / 2).all()
    assert table["cka"].max() <= 1 + 1e-6
    # 24 images against more features: without its correction CKA is far too high.
    assert (table["cka_biased"] > table["cka"]).mean() > 0.9


def test_a_second_run_takes_everything_from_the_cache(tiny: StudyResult, cache: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        again = run_study("xie2024", "quick", overrides=TINY, cache=cache)
    assert all(t["from_cache"] for t in again.provenance["timings"])
    for name, table in tiny.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_the_result_folder_and_its_figures(tiny: StudyResult, tmp_path: Path) -> None:
    write_tables(tiny, tmp_path)
    write_report(tiny, tmp_path)
    for name, figure in tiny.figures.items():
        assert list((tmp_path / "figures").glob(f"{name}*.png"))
        read = {n: pd.read_csv(tmp_path / "tables" / f"{n}.csv") for n in figure.needs}
        assert figure.draw({**tiny.tables, **read}).get_axes()


def test_another_body_goes_the_whole_way(cache: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        result = run_study(
            "xie2024",
            "quick",
            cache=cache,
            overrides=[
                *TINY,
                "networks.body=timm:test_vit",
                "networks.task_sets=[spatial, category]",
                "networks.few_categories=[]",
                "variability.category_sets=[]",
                "variability.translation_sets=[]",
            ],
        )
    assert list(dict.fromkeys(result.tables["cka"]["layer"]))[-2:] == ["blocks.5", "head_drop"]
    decoding = result.tables["decoding"]
    trained = decoding.query("task_set == 'spatial' and target == 'category'")
    assert trained["role"].tolist()[-3:] == ["deep", "pooled", ""]
    assert trained["layer"].tolist()[-1] == "head"
    assert "head" not in set(decoding.query("task_set == 'untrained'")["layer"])
    reasons = result.board.set_index("id")["reason"]
    assert "no stages" in reasons["X6"]
    for name in ("cka", "decoding", "graded"):
        assert result.figures[name].draw(result.tables).get_axes()


@pytest.mark.data
def test_networks_are_aligned_with_recordings(cache: Path) -> None:
    small = [
        o for o in TINY if not o.startswith(("networks.task_sets", "networks.few", "variability"))
    ]
    result = run_study(
        "xie2024",
        "quick",
        cache=cache,
        overrides=[
            *small,
            "networks.task_sets=[spatial, category]",
            "networks.few_categories=[]",
            "variability.category_sets=[]",
            "variability.translation_sets=[]",
            "scenes.objects=procedural",
            "scenes.backgrounds=procedural",
            "networks.snapshots=2",
            "alignment.splits=2",
            "alignment.components=2",
        ],
    )
    table = result.tables["alignment"]
    assert set(table["area"]) == {"V4 190923", "V4 210325"}
    assert table.groupby(["task_set", "seed", "area"])["best"].sum().eq(1).all()
    assert set(result.tables["alignment_human"]["area"]) == {"EVC", "IT"}
    assert sorted(result.tables["curves"]["step"]) == [0, 4]
    natural = result.tables["training"].query("task_set == 'natural'")
    assert set(natural["variant"]) == {"cifar10"}
    assert {"accuracy", "relative_loss"} <= set(natural["metric"])
    ceilings = result.tables["ceilings"].set_index("area")
    assert list(ceilings.index) == ["V4 210325", "EVC", "IT"]  # the other session has no trials
    # The specification's figures: .76 for V4, lower bounds of .24 and .45.
    np.testing.assert_allclose(ceilings["lower"], [0.76, 0.24, 0.45], atol=0.02)
    assert (ceilings["upper"] > ceilings["lower"]).all()
    for name in ("alignment", "curves", "cka", "classes"):
        assert result.figures[name].draw(result.tables).get_axes()
    parts = result.tables["shared_variance"]
    assert list(parts["part"]) == ["spatial", "category", "shared"]
    assert (parts["low"] <= parts["r2"]).all()
    pixels = table.query("task_set == 'pixels'")["score"]
    assert (pixels > 0.05).all()


def test_a_layer_is_chosen_on_other_sessions() -> None:
    raw = {
        "a": {"deep": 0.9, "early": 0.1},
        "b": {"deep": 0.2, "early": 0.3},
        "c": {"deep": 0.2, "early": 0.3},
    }
    assert chosen_elsewhere(raw, "a") == 0.1
    assert chosen_elsewhere(raw, "b") == 0.2
    assert np.isnan(chosen_elsewhere({"a": raw["a"]}, "a"))


def test_a_layer_is_chosen_on_the_other_half_of_the_images() -> None:
    rng = np.random.default_rng(0)
    n = 24
    subjects = _rdm(rng.normal(size=(n, 5)))[None] + 0.0
    good, noise = subjects[0], _rdm(rng.normal(size=(n, 5)))
    assert halved({"noise": noise, "good": good}, subjects) == pytest.approx(1)
    # Among layers of noise the chosen one is no better than the others on average.
    layers = {str(k): _rdm(rng.normal(size=(n, 5))) for k in range(20)}
    assert abs(halved(layers, subjects)) < 0.2


def _rdm(x: np.ndarray) -> np.ndarray:
    return ((x[:, None] - x[None]) ** 2).sum(axis=2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("alignment.sessions=[201025]", "fewer than two sessions"),
        ("alignment.sessions=[201025, '7']", "unknown V4 session"),
        ("cka_images=100000", "more than scenes.test_images"),
        ("variability.category_sets=[everything]", "which networks.task_sets lacks"),
    ],
)
def test_parts_that_do_not_fit_are_refused(assignment: str, message: str) -> None:
    study = load_study("xie2024")
    chosen = configure(study, "quick", ["alignment.sessions=['201025', '210325']"])
    assert chosen is not None
    with pytest.raises(UserError, match=message):
        run_study("xie2024", "quick", overrides=[assignment.replace("201025", "'201025'")])
