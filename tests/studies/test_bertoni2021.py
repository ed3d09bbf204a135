"""The study from end to end, small enough for the suite: whole, repeated, without data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.errors import UserError
from isocortex.report.html import write_report
from isocortex.studies import StudyResult, run_study
from isocortex.studies.results import write_tables

TINY = [
    "images.train=200",
    "images.test=100",
    "training.arms=[all, no_lgn]",
    "training.snapshots=2",
    "training.checkpoint_every=2",
    "network.filters=6",
    "network.channels=[8, 8]",
    "reconstruction.steps=10",
    "reconstruction.arms=[positive, unpenalised, white, random_phase]",
    "reconstruction.localities=[1e-2]",
    "reconstruction.starts=2",
    "contours.train=2",
    "contours.val=2",
    "contours.candidates=1",
    "contours.controls=[random_phase]",
    "first_layers.control_banks=2",
    "statistics.permutations=40",
    "statistics.surrogates=2",
    "statistics.noise_filters=200",
    "statistics.splits=2",
    "statistics.resamples=100",
    "statistics.white_images=2",
    "statistics.corrupted_images=20",
    "contours.known_images=1",
    "contours.known_repeats=1",
]
PROMISED = {
    "codecs", "codec_pixels", "amplitudes", "amplitude_profile", "spectral", "contour_statistics",
    "contour_fits", "contour_contrasts", "contour_map", "filters", "pixels", "emergence",
    "networks", "lateral", "null", "strength", "field", "polar", "association", "paths",
    "streamlines", "spread", "comparison", "induced_lateral", "induced_contrast", "light",
    "claim_parts", "calibration", "contour_sigma", "ablations", "corruption", "fit_nulls", "shapes",
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tiny(cache: Path) -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        return run_study("bertoni2021", "quick", overrides=TINY, cache=cache)


def test_without_data_the_study_runs_on_procedural_images(tiny: StudyResult) -> None:
    assert set(tiny.tables) >= PROMISED
    assert set(tiny.board["verdict"]) == {"not tested"}
    board = tiny.board.set_index("id")
    assert "ISOCORTEX_DATA" in board.loc["B15", "reason"]
    assert "full-cifar" in board.loc["B9 full", "reason"]
    assert np.isfinite(board.loc["B5", "value"])
    assert tiny.provenance["data"].startswith("none")
    assert set(tiny.tables["contour_fits"]["source"]) == {"dead leaves"}
    assert any("glyphs" in note for note in tiny.warnings)


def test_filters_are_kept_over_training(tiny: StudyResult) -> None:
    table = tiny.tables["emergence"].query("arm == 'all'")
    assert table["step"].tolist() == [0, 1, 3]
    assert table["q"].between(0, 1).all()
    assert tiny.tables["emergence"].query("arm == 'no_lgn'")["q"].isna().all()
    codecs = tiny.tables["codecs"].query("arm == 'positive'")
    assert codecs["step"].iloc[0] == 0
    assert codecs["step"].iloc[-1] == 10


def test_contours_of_known_sigma_are_found_in_their_order(tiny: StudyResult) -> None:
    table = tiny.tables["calibration"].query("r_min == 8 and r_max == 20")
    assert len(table) == 10
    assert table["found"].between(0.01, 0.5).all()
    assert (table.query("kind == 'edge lists'")["r"] > 0.5).any()
    assert len(tiny.tables["contour_sigma"]) == 10


def test_arms_of_one_seed_begin_alike(tiny: StudyResult) -> None:
    first = tiny.tables["emergence"].query("step == 0").set_index("arm")["mean_r"]
    assert first["all"] == first["no_lgn"]


def test_units_too_few_to_conclude_from_are_shown_but_not_judged(tiny: StudyResult) -> None:
    assert not tiny.tables["lateral"]["enough"].any()
    assert tiny.tables["filters"].query("arm == 'all'")["chosen"].sum() == 6
    assert np.isfinite(tiny.tables["lateral"]["like_ratio"]).any()
    assert "8 retained" in tiny.board.set_index("id").loc["B8", "reason"]


def test_a_second_run_takes_everything_from_the_cache(tiny: StudyResult, cache: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        again = run_study("bertoni2021", "quick", overrides=TINY, cache=cache)
    assert all(t["from_cache"] for t in again.provenance["timings"])
    for name, table in tiny.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)
    assert not list((cache / "unfinished").glob("*"))


def test_the_result_folder_holds_what_was_promised(tiny: StudyResult, tmp_path: Path) -> None:
    write_tables(tiny, tmp_path)
    write_report(tiny, tmp_path)
    for name in ("claims.csv", "config.yaml", "provenance.json", "report.html"):
        assert (tmp_path / name).stat().st_size > 100
    assert set(tiny.figures) == set(tiny.study.figures)
    for name, figure in tiny.figures.items():
        assert list((tmp_path / "figures").glob(f"{name}*.png"))
        read = {n: pd.read_csv(tmp_path / "tables" / f"{n}.csv") for n in figure.needs}
        assert figure.draw({**tiny.tables, **read}).get_axes()


def test_a_missing_folder_of_images_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(UserError, match=r"images\.folder"):
        run_study(
            "bertoni2021",
            "quick",
            overrides=[*TINY, "images.source=folder", f"images.folder={folder}"],
        )
