"""The study from end to end on simulated areas and procedural images, and again from its cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.claims import declaration_checksum
from isocortex.report.html import write_report
from isocortex.studies import StudyResult, run_study
from isocortex.studies.farahat2025.claims import CLAIMS, EVIDENCE
from isocortex.studies.results import write_tables

TINY = [
    "grid.activations=[identity, relu]",
    "grid.poolings=[avg]",
    "grid.extra=[]",
    "grid.seeds=2",
    "grid.channels=[6, 8, 10]",
    "objects.networks=[[relu, avg]]",
    "objects.seeds=1",
    "objects.images=180",
    "objects.test_images=90",
    "objects.epochs=1",
    "objects.shuffles=[S2]",
    "areas.n_pred=60",
    "areas.folds_run=1",
    "simulated.images=60",
    "simulated.cells=10",
    "simulated.it_neuroids=8",
    "neural.seeds=1",
    "neural.epochs=1",
    "complexity.patches=150",
    "complexity.size=16",
    "complexity.max_units=20",
    "complexity.companions=20",
    "complexity.gains=[4.0]",
    "orientation.networks=[[relu, avg]]",
    "orientation.seeds=1",
    "textures.networks=[[relu, avg]]",
    "textures.seeds=1",
    "textures.train=100",
    "textures.validation=100",
    "textures.test=100",
    "textures.trained_epochs=1",
    "resamples=100",
]
PROMISED = {
    "complexity", "networks", "encoding", "encoding_blocks", "areas", "selectivity", "textures",
    "neural", "points", "regressions", "regression_contrasts", "claim_parts",
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(cache: Path) -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        return run_study("farahat2025", "quick", overrides=TINY, cache=cache)


@pytest.fixture(scope="module")
def tiny(cache: Path) -> StudyResult:
    return run(cache)


def test_without_data_all_tables_are_there_and_nothing_is_claimed_of_brains(
    tiny: StudyResult,
) -> None:
    assert set(tiny.tables) == PROMISED
    board = tiny.board.set_index("id")
    assert len(board) == len(CLAIMS)
    assert set(board.loc[~board.index.str.startswith("T"), "verdict"]) == {"not tested"}
    assert "no real data" in board.loc["R1", "reason"]
    assert tiny.provenance["claims_checksum"] == declaration_checksum(CLAIMS)
    assert any("not found in the data folder" in warning for warning in tiny.warnings)


def test_numbers_are_numbers_and_predictors_are_equal(tiny: StudyResult) -> None:
    encoding = tiny.tables["encoding"]
    assert set(encoding["area"]) == {"v1-sim", "fmri-sim", "it-sim"}
    assert set(encoding["kind"]) == {"simple", "complex", ""}
    assert np.isfinite(encoding["r"]).mean() > 0.9
    blocks = tiny.tables["encoding_blocks"].query("configuration != 'pixels'")
    assert (blocks["n_pred"] == 60).all()
    grid = tiny.tables["complexity"].query("in_grid and block == 1")
    c_lin = grid.groupby("configuration")["c_lin"].mean()
    assert c_lin["relu-avg"] > c_lin["identity-avg"]
    even = grid.groupby("configuration")["e_even"].mean()
    assert even["identity-avg"] == pytest.approx(0, abs=1e-6)
    assert even["relu-avg"] > 0.05


def test_a_second_run_takes_everything_from_the_cache(tiny: StudyResult, cache: Path) -> None:
    again = run(cache)
    assert all(t["from_cache"] for t in again.provenance["timings"])
    for name, table in tiny.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)


def test_the_result_folder_holds_what_was_promised(tiny: StudyResult, tmp_path: Path) -> None:
    write_tables(tiny, tmp_path)
    write_report(tiny, tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    for name, figure in tiny.figures.items():
        assert list((tmp_path / "figures").glob(f"{name}*.png"))
        read = {n: pd.read_csv(tmp_path / "tables" / f"{n}.csv") for n in figure.needs}
        assert figure.draw({**tiny.tables, **read}).get_axes()
    assert set(EVIDENCE) <= {claim.id for claim in CLAIMS}
