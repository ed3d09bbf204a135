"""The study from end to end, small enough for the suite: whole, interrupted, repeated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isocortex.report.html import write_report
from isocortex.studies import StudyResult, run_study
from isocortex.studies.results import write_tables

TINY = [
    "objects.per_class=2",
    "objects.heads=2",
    "training.sources=[glyphs]",
    "training.natural=false",
    "training.policies=[sym, asym]",
    "training.seeds=1",
    "training.steps=12",
    "training.images=200",
    "training.test_images=100",
    "training.checkpoint_every=1",
    "mechanism.seeds=1",
    "recording.batch_size=4",
    "resamples=100",
    "null_draws=20",
]
PROMISED = {
    "index", "null", "rdms", "symmetry", "mechanism", "training", "objects", "pixels", "montage",
    "simulated", "claim_parts", "control",
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tiny(cache: Path) -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        return run_study("farzmahdi2024", "quick", overrides=TINY, cache=cache)


def test_without_data_the_study_runs_on_procedural_stimuli(tiny: StudyResult) -> None:
    assert set(tiny.tables) >= PROMISED
    assert "face_patch" not in tiny.tables
    board = tiny.board.set_index("id")
    assert set(board["verdict"]) == {"not tested"}
    assert "ISOCORTEX_DATA" in board.loc["F19", "reason"]
    assert np.isfinite(board.loc["F1", "value"])
    assert tiny.provenance["data"].startswith("none")


def test_hand_made_symmetric_networks_are_exactly_mirror_tuned(tiny: StudyResult) -> None:
    table = tiny.tables["mechanism"].query(
        "filters == 'symmetric' and readout in ['gap', 'symmetric fc'] and lighting == 'symmetric'"
        " and symmetry_class in ['one_plane', 'two_plane']"
    )
    assert len(table)
    np.testing.assert_allclose(table["exact"], 1.0, atol=1e-4)
    rest = tiny.tables["mechanism"].query("symmetry_class == 'asymmetric'")
    assert rest["exact"].max() < 0.99


def test_a_second_run_takes_everything_from_the_cache(tiny: StudyResult, cache: Path) -> None:
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        again = run_study("farzmahdi2024", "quick", overrides=TINY, cache=cache)
    assert time.perf_counter() - began < 20
    assert all(t["from_cache"] for t in again.provenance["timings"])
    assert_same_tables(tiny, again)


def test_the_cache_keeps_no_recordings_and_no_unfinished_work(
    tiny: StudyResult, cache: Path
) -> None:
    assert not list(cache.rglob("activations.zarr"))
    assert not list((cache / "unfinished").glob("*"))


def test_the_result_folder_holds_what_was_promised(tiny: StudyResult, tmp_path: Path) -> None:
    write_tables(tiny, tmp_path)
    write_report(tiny, tmp_path)
    for name in ("claims.csv", "config.yaml", "provenance.json", "report.html"):
        assert (tmp_path / name).stat().st_size > 100
    for name in tiny.tables:
        assert (tmp_path / "tables" / f"{name}.csv").exists()
    for name, figure in tiny.figures.items():
        assert list((tmp_path / "figures").glob(f"{name}*.png"))
        read = {n: pd.read_csv(tmp_path / "tables" / f"{n}.csv") for n in figure.needs}
        assert figure.draw({**tiny.tables, **read}).get_axes()
    claims = pd.read_csv(tmp_path / "claims.csv")
    columns = ["id", "claim", "paper", "value", "low", "high", "verdict", "n"]
    assert list(claims.columns[:8]) == columns


@pytest.mark.parametrize(
    ("when", "sign"),
    [
        ("training", lambda cache: any(cache.glob("unfinished/train-*/checkpoint.pt"))),
        ("recording", lambda cache: any(cache.rglob("activations.zarr/**/c/*"))),
    ],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_tables(
    tiny: StudyResult, tmp_path: Path, when: str, sign: Callable[[Path], bool]
) -> None:
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from isocortex.studies import run_study\n"
        "run_study('farzmahdi2024', 'quick', overrides=sys.argv[2:], cache=Path(sys.argv[1]))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ISOCORTEX_DATA"}
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), *TINY],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 240
        while not sign(tmp_path):
            assert child.poll() is None, f"the run ended before it was seen {when}"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        resumed = run_study("farzmahdi2024", "quick", overrides=TINY, cache=tmp_path)
    assert_same_tables(tiny, resumed)


@pytest.mark.filterwarnings("default")
def test_the_training_sweep_runs_in_local_processes(tiny: StudyResult, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISOCORTEX_DATA", raising=False)
        swept = run_study("farzmahdi2024", "quick", overrides=TINY, cache=tmp_path, cluster="local")
    assert list(tmp_path.glob("*Train*/logs/*/*"))
    assert not list(tmp_path.glob("*Views*/logs"))
    here, there = tiny.tables["training"], swept.tables["training"]
    keys = ["source", "policy", "seed", "n_labels", "steps", "device"]
    pd.testing.assert_frame_equal(there[keys], here[keys])
    # Another number of threads rounds otherwise: a loss by a little, an image of a hundred at most
    # a few times.
    np.testing.assert_allclose(there["last_loss"], here["last_loss"], rtol=1e-2)
    np.testing.assert_allclose(there["test_accuracy"], here["test_accuracy"], atol=0.05)
    assert set(swept.tables) == set(tiny.tables)


def assert_same_tables(first: StudyResult, second: StudyResult) -> None:
    assert set(first.tables) == set(second.tables)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name], check_exact=True)


@pytest.mark.data
def test_the_quick_preset_with_data(data_folder: Path, library_cache: Path, tmp_path: Path) -> None:
    result = run_study("farzmahdi2024", "quick", cache=library_cache, data=data_folder)
    assert result.board.set_index("id").loc["F19", "verdict"] == "shown"
    parts = result.tables["claim_parts"].set_index("part")
    assert parts.loc["AM raw index", "value"] == pytest.approx(0.155, abs=0.001)
    assert set(result.tables) >= PROMISED | {"face_patch", "alignment"}
    write_tables(result, tmp_path)
    write_report(result, tmp_path)
    assert (tmp_path / "report.html").exists()
