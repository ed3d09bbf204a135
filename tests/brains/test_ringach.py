"""Ringach's database as MATLAB and CSV files written here, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from isocortex.brains import Card, OrientationTable, load, read_ringach
from isocortex.brains.orientation import FIELDS
from isocortex.errors import UserError
from isocortex.measures import tuning


def fields(n: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {name: rng.random((1, n)) for name in FIELDS if name != "animal"}
    animals = np.empty((1, n), dtype=object)
    animals[0] = [f"MT{i}" for i in range(n)]
    return {**columns, "animal": animals, "bw": np.array([[20, 180, 15.5, 30, 25, 40]])[:, :n]}


def written(folder: Path, db: Any = None) -> Path:
    path = folder / "db.mat"
    savemat(path, {"db": fields() if db is None else db})
    return path


def test_a_structure_of_arrays(tmp_path: Path) -> None:
    tuning = read_ringach(written(tmp_path))
    assert len(tuning) == 6
    assert set(tuning.table.columns) == set(FIELDS.values())
    assert list(tuning.table["animal"]) == [f"MT{i}" for i in range(6)]
    np.testing.assert_array_equal(tuning.table["circular_variance"], fields()["orivar"][0])
    np.testing.assert_array_equal(tuning.table["bandwidth_deg"], [20, np.nan, 15.5, 30, 25, 40])
    expected = fields()["maxfirst"][0] / fields()["maxdc"][0]
    np.testing.assert_allclose(tuning.modulation, expected)
    assert "Ringach" in tuning.card.citation


def test_an_array_of_structures_reads_the_same(tmp_path: Path) -> None:
    columns = fields()
    cells = np.empty((1, 6), dtype=[(name, object) for name in columns])
    for i in range(6):
        for name, values in columns.items():
            cells[0, i][name] = values[0, i]
    expected = read_ringach(written(tmp_path)).table
    again = read_ringach(written(tmp_path, cells)).table
    pd.testing.assert_frame_equal(again, expected)


def test_animals_as_a_character_matrix(tmp_path: Path) -> None:
    table = read_ringach(
        written(tmp_path, {**fields(), "animal": np.array([f"MT{i:<3}" for i in range(6)])})
    ).table
    assert list(table["animal"]) == [f"MT{i}" for i in range(6)]


def test_a_silent_neuron_has_no_modulation(tmp_path: Path) -> None:
    columns = fields()
    columns["maxdc"][0, 2] = 0
    modulation = read_ringach(written(tmp_path, columns)).modulation
    assert np.isnan(modulation[2])
    assert np.isfinite(np.delete(modulation, 2)).all()


def test_a_table(tmp_path: Path) -> None:
    expected = read_ringach(written(tmp_path)).table
    path = tmp_path / "table.csv"
    expected.fillna({"bandwidth_deg": 180}).to_csv(path, index=False)
    read = read_ringach(path, Card("mine"))
    pd.testing.assert_frame_equal(read.table[expected.columns], expected, check_exact=False)
    assert read.card.name == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "intact copy"),
        (b"not a MATLAB file at all, but text that is long enough to be one" * 4, "intact copy"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + b" " * 200, "version 7.3"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 200, "version 7.3"),
    ],
)
def test_what_is_no_mat_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "db.mat"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_ringach(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_one_line(tmp_path: Path, share: float) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError) as caught:
        read_ringach(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    for name in ("no.mat", "no.csv"):
        with pytest.raises(UserError, match="No such file"):
            read_ringach(tmp_path / name)


def _change(**changes: Any) -> Callable[[dict], Any]:
    return lambda db: {k: v for k, v in {**db, **changes}.items() if v is not None}


def _with(name: str, value: float) -> Callable[[dict], Any]:
    values = fields()[name]
    values[0, 3] = value
    return _change(**{name: values})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda db: np.ones((2, 2)), "no structure"),
        (_change(orivar=None), "lacks the field 'orivar'"),
        (_change(spont=np.ones((1, 5))), "differ in length"),
        (_with("maxdc", np.nan), "max_dc_spk_s of neuron 3 is not a number"),
        (_with("orivar", 1.5), "leaves 0 to 1"),
        (_with("orivar", -0.1), "leaves 0 to 1"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, change: Callable, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_ringach(written(tmp_path, change(fields())))
    assert "\n" not in str(caught.value)


def test_another_variable(tmp_path: Path) -> None:
    path = tmp_path / "other.mat"
    savemat(path, {"x": 1})
    with pytest.raises(UserError, match="lacks the variable 'db'"):
        read_ringach(path)


def _table(rows: list[tuple[str, int, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(dict.fromkeys(FIELDS.values(), 0.5), index=range(len(rows)))
    names = ["animal", "unit", "max_dc_spk_s", "spontaneous_spk_s"]
    return table.assign(**{name: [r[i] for r in rows] for i, name in enumerate(names)})


def test_cells_are_distinct_and_responsive() -> None:
    rows = [("a", 1, 20, 3), ("a", 1, 20, 3), ("a", 2, 8, 3), ("b", 1, 8.1, 3), ("b", 1, 1, 3)]
    table = OrientationTable(_table(rows), Card("mine"))
    assert list(table.cells().table["max_dc_spk_s"]) == [20, 8.1]
    assert table.cells().card.notes == {"duplicates_left_out": 2, "unresponsive_left_out": 1}
    assert len(table.cells(distinct=False)) == 3
    assert len(table.cells(responsive=False)) == 3
    assert len(table.cells(distinct=False, responsive=False)) == 5
    nameless = OrientationTable(table.table.drop(columns="unit"), Card("mine"))
    with pytest.raises(UserError, match="no column 'unit'"):
        nameless.cells()


@pytest.mark.data
def test_the_public_table_gives_the_figures_of_the_specification(data_folder: Path) -> None:
    table = load("ringach2002", data_folder)
    expected = {
        (False, False): (308, 0.559, 0.264, 0.605, 0.409),
        (False, True): (304, 0.556, 0.262, 0.599, 0.411),
        (True, False): (305, 0.558, 0.265, 0.603, 0.413),
        (True, True): (301, 0.555, 0.263, 0.595, 0.415),
    }
    for (distinct, responsive), (n, mean, sd, median, below) in expected.items():
        cv = table.cells(distinct=distinct, responsive=responsive).table["circular_variance"]
        assert len(cv) == n
        figures = (cv.mean(), cv.std(), cv.median(), (cv < 0.5).mean())
        np.testing.assert_allclose(figures, (mean, sd, median, below), atol=5.1e-4)
    cv = table.table["circular_variance"].to_numpy()
    assert list(np.histogram(cv, tuning.BINS)[0]) == [
        4, 21, 26, 17, 25, 20, 24, 22, 31, 33, 34, 37, 14,
    ]  # fmt: skip
    assert tuning.distance(cv, np.ones(3)) == pytest.approx(0.4411, abs=5e-5)
    assert (table.modulation > 1).sum() == 124
    cells = table.cells().table
    values = cells["circular_variance"].to_numpy()
    assert cells["animal"].nunique() == 26
    floor = tuning.split_floor(values)
    assert (floor.mean, floor.p95) == (
        pytest.approx(0.033, abs=1e-3),
        pytest.approx(0.061, abs=3e-3),
    )
    assert tuning.distance(values, np.linspace(0, 1, 5001)) == pytest.approx(0.062, abs=3e-3)
    intervals = tuning.reference_intervals(values, cells["animal"].to_numpy())
    for name, (low, high) in {
        "mean": (0.52, 0.60), "median": (0.54, 0.66), "fraction": (0.34, 0.48),
    }.items():  # fmt: skip
        assert intervals[name].low == pytest.approx(low, abs=0.012)
        assert intervals[name].high == pytest.approx(high, abs=0.012)
