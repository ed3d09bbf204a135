"""Rasters of the Neural Decoding Toolbox, written here, and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat

from isocortex.brains import Assembly, read_ndt_rasters
from isocortex.errors import UserError

N_TRIALS, N_POINTS = 24, 50


def cells(values: list[str]) -> np.ndarray:
    out = np.empty((1, len(values)), dtype=object)
    out[0] = values
    return out


def site(number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    objects = rng.permutation([f"object{i % 3}" for i in range(N_TRIALS)])
    positions = rng.permutation(np.arange(N_TRIALS) % 2)
    return {
        "raster_data": (rng.random((N_TRIALS, N_POINTS)) < 0.2).astype(np.uint8),
        "raster_labels": {
            "stimulus": cells(list(objects)),
            "position": positions[:, None].astype(float),
        },
        "raster_site_info": {"recording_channel": float(number), "area": "IT", "map": np.eye(3)},
    }


def write(folder: Path, sites: int = 3, **changes: Any) -> Path:
    """Write some sites; `changes` belong to the second."""
    rasters = folder / "rasters"
    rasters.mkdir()
    for number in range(sites):
        content = {**site(number), **(changes if number == 1 else {})}
        savemat(rasters / f"site{number}.mat", {k: v for k, v in content.items() if v is not None})
    return rasters


def read(folder: Path, **options: Any) -> Assembly:
    return read_ndt_rasters(folder, **{"labels": ["stimulus"], "window": (10, 30), **options})


def test_trials_become_repetitions(tmp_path: Path) -> None:
    a = read(write(tmp_path))
    assert a.shape == (3, 3)
    assert list(a.presentations["stimulus_id"]) == ["object0", "object1", "object2"]
    assert list(a.units["neuroid_id"]) == ["site0", "site1", "site2"]
    assert list(a.units["recording_channel"]) == [0, 1, 2]
    assert "map" not in a.units
    assert a.trials is not None
    assert a.trials.shape == (8, 3, 3)
    for s in range(3):
        raster, labels = site(s)["raster_data"], site(s)["raster_labels"]["stimulus"][0]
        for i in range(3):
            mine = raster[labels == f"object{i}"]
            rates = [1000 * sum(int(v) for v in row[10:30]) / 20 for row in mine]
            np.testing.assert_allclose(a.trials.values[:, i, s], rates)
            assert a.responses.values[i, s] == pytest.approx(np.mean(rates))


def test_several_labels_and_a_scale(tmp_path: Path) -> None:
    folder = write(tmp_path)
    a = read(folder, labels=["stimulus", "position"], scale=1.0, window=(0, N_POINTS))
    assert list(a.presentations["stimulus_id"])[:2] == ["object0/0", "object0/1"]
    assert list(a.presentations["position"][:2]) == ["0", "1"]
    assert a.responses.max() <= 1
    assert a.card.name == "rasters"
    assert a.card.notes["window_points"] == [0, N_POINTS]


def test_sparse_rasters(tmp_path: Path) -> None:
    expected = read(write(tmp_path)).responses.values
    (tmp_path / "sparse").mkdir()
    stored = sparse.csc_array(site(1)["raster_data"].astype(float))
    again = read(write(tmp_path / "sparse", raster_data=stored)).responses.values
    np.testing.assert_allclose(again, expected)


def test_sites_that_lack_a_presentation_are_dropped_and_counted(tmp_path: Path) -> None:
    labels = {**site(1)["raster_labels"], "stimulus": cells(["object0"] * N_TRIALS)}
    a = read(write(tmp_path, raster_labels=labels))
    assert list(a.units["neuroid_id"]) == ["site0", "site2"]
    assert a.card.notes["dropped_neuroids"] == 1


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"raster_data": None}, {}, "lacks the variable 'raster_data'"),
        ({"raster_labels": None}, {}, "lacks the variable 'raster_labels'"),
        ({"raster_data": np.full((N_TRIALS, N_POINTS), np.nan)}, {}, "trial 1 .* NaN"),
        ({"raster_data": np.full((N_TRIALS, N_POINTS), "a")}, {}, "no matrix"),
        ({"raster_data": np.ones((N_TRIALS, 20))}, {}, "time points 0 to 20"),
        ({"raster_data": np.ones((N_TRIALS + 1, N_POINTS))}, {}, "differ in number"),
        ({"raster_labels": np.ones(3)}, {}, "no structure"),
        ({}, {"labels": ["stimuls"]}, "did you mean stimulus"),
        ({}, {"labels": []}, "no label"),
        ({}, {"window": (30, 10)}, "window 30 to 10"),
        ({}, {"window": (-1, 10)}, "window -1 to 10"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, changes: dict, options: dict, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(write(tmp_path, **changes), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.97])
def test_a_truncated_site_is_one_line(tmp_path: Path, share: float) -> None:
    folder = write(tmp_path)
    path = folder / "site1.mat"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    assert "site1" in str(caught.value)


def test_no_rasters(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"no \.mat files"):
            read(folder)
