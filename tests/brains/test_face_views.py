"""The reader of the face-view recording, on a small file written here and on the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocortex.brains import FaceViews, read_face_views
from isocortex.brains.face_views import FILE, YAW_VIEWS
from isocortex.data import require
from isocortex.errors import UserError

SHAPE = (3, 4, 8)


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Write 0 to 6 trials per cell, shuffled, in the layout of the real file."""
    rng = np.random.default_rng(seed)
    n_trials = rng.integers(2, 7, SHAPE)
    n_trials[2, 1, 5] = 0
    n_trials[1, 3, 0] = 1
    cells = np.repeat(np.arange(np.prod(SHAPE)), n_trials.ravel())
    rng.shuffle(cells)
    neuron, person, view = np.unravel_index(cells, SHAPE)
    counts = rng.poisson(0.6, (len(cells), 32)).astype(np.uint8)
    mean = np.full(SHAPE, np.nan, dtype=np.float32)
    for cell in np.ndindex(SHAPE):
        trials = counts[(neuron == cell[0]) & (person == cell[1]) & (view == cell[2]), 4:16]
        if len(trials):
            mean[cell] = trials.sum(axis=1).mean() / 0.3
    return {
        "trial_neuron": neuron.astype(np.int16),
        "trial_person": (person + 1).astype(np.int8),
        "trial_view": view.astype(np.int8),
        "trial_counts": counts,
        "bin_edges_ms": np.arange(0, 801, 25, dtype=np.int16),
        "view_names": np.array(["front", "l34", "lp", "r34", "rp", "back", "up", "down"]),
        "view_yaw_deg": np.array([0, -45, -90, 45, 90, 180, np.nan, np.nan], dtype=np.float32),
        "mean_rate": mean,
        "site": np.array([f"site{i}" for i in range(3)]),
        "monkey": np.array("m"),
        "area": np.array("AM"),
    }


def written(folder: Path, **changes: np.ndarray | None) -> Path:
    content = {k: v for k, v in {**arrays(), **changes}.items() if v is not None}
    path = folder / "views.npz"
    np.savez(path, **content)  # type: ignore[arg-type]
    return path


@pytest.fixture
def small(tmp_path: Path) -> FaceViews:
    return read_face_views(written(tmp_path))


def test_rates_are_means_over_trials(small: FaceViews) -> None:
    rates = small.rates()
    assert rates.dims == ("neuron", "person", "view")
    np.testing.assert_allclose(rates.values, small.mean_rate, rtol=1e-6)
    assert np.isnan(rates.values[2, 1, 5])
    assert small.n_trials[1, 3, 0] == 1
    early = small.rates((0, 75), views=[4, 0], neurons=[2])
    assert early.shape == (1, 4, 2)
    trials = (small.neuron == 2) & (small.person == 3) & (small.view == 4)
    assert early.values[0, 3, 0] == pytest.approx(small.counts[trials, :3].sum(1).mean() / 0.075)
    assert list(early["view_name"].values) == ["rp", "front"]
    assert list(early["yaw"].values) == [90, 0]
    assert list(early["site"].values) == ["site2"]
    assert early.attrs["window_ms"] == [0, 75]


def test_complete_neurons(small: FaceViews) -> None:
    assert list(small.complete()) == [0, 1]
    assert list(small.complete(2)) == [0]
    assert list(small.complete(2, views=[1, 2, 3, 4])) == [0, 1, 2]
    assert list(small.complete(99)) == []


def test_halves_divide_the_trials_of_each_cell(small: FaceViews) -> None:
    halves = small.half_rates(views=YAW_VIEWS, neurons=[2, 0], n_splits=40)
    assert halves.shape == (2, 40, 2, 4, 5)
    whole = small.rates(views=YAW_VIEWS, neurons=[2, 0]).values
    n = small.n_trials[np.ix_([2, 0], range(4), YAW_VIEWS)]
    first = np.ceil(n / 2)
    rebuilt = (halves[0] * first + halves[1] * (n - first)) / n
    np.testing.assert_allclose(rebuilt, np.broadcast_to(whole, rebuilt.shape), atol=1e-9)
    # Each trial falls into the first half about as often as that half is large.
    expected = halves[0].mean(axis=0)
    assert np.abs(expected - whole).max() < np.abs(halves[0] - whole).max()
    assert np.corrcoef(expected.ravel(), whole.ravel())[0, 1] > 0.9


def test_every_split_of_four_trials_occurs(small: FaceViews) -> None:
    cell = next(c for c in np.ndindex(SHAPE) if small.n_trials[c] == 4)
    trials = (small.neuron == cell[0]) & (small.person == cell[1]) & (small.view == cell[2])
    rate = small.counts[trials, 4:16].sum(axis=1) / 0.3
    expected = {round((rate[i] + rate[j]) / 2, 9) for i in range(4) for j in range(i)}
    halves = small.half_rates(views=[cell[2]], neurons=[cell[0]], n_splits=200)
    assert {round(v, 9) for v in halves[0, :, 0, cell[1], 0]} == expected


def test_halves_without_trials_are_undefined_and_seeds_repeat(small: FaceViews) -> None:
    halves = small.half_rates(n_splits=3, seed=1)
    assert np.isnan(halves[:, :, 2, 1, 5]).all()
    assert np.isnan(halves[1, :, 1, 3, 0]).all()
    assert not np.isnan(halves[0, :, 1, 3, 0]).any()
    np.testing.assert_array_equal(halves, small.half_rates(n_splits=3, seed=1))
    assert not np.array_equal(halves[0, 0], halves[0, 1], equal_nan=True)
    assert np.isnan(small.half_rates(neurons=[2], views=[5], n_splits=2)[:, :, 0, 1, 0]).all()


@pytest.mark.parametrize("window", [(0, 60), (100, 100), (400, 100), (-25, 100), (0, 825)])
def test_windows_are_made_of_bins(small: FaceViews, window: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="bin edges"):
        small.rates(window)


def test_unknown_views_are_refused(small: FaceViews) -> None:
    with pytest.raises(UserError, match="views 0 to 7"):
        small.rates(views=[0, 8])
    with pytest.raises(UserError, match="views 0 to 7"):
        small.complete(1, views=[-1])


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"views\.npz"):
        read_face_views(tmp_path / "views.npz")
    with pytest.raises(UserError, match="lacks neural/am_faceviews"):
        require(tmp_path, FILE)


def test_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for damaged in (b"", b"not an archive", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="intact copy") as caught:
            read_face_views(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"trial_counts": None},
        {"trial_counts": np.zeros((3, 32), dtype=np.uint8)},
        {"bin_edges_ms": np.arange(5)},
        {"trial_person": np.zeros(len(arrays()["trial_person"]), dtype=np.int8)},
        {"trial_view": np.full(len(arrays()["trial_view"]), 8)},
        {"site": np.array(["one"])},
        {"mean_rate": np.zeros((3, 4))},
        {"view_yaw_deg": np.zeros(3)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, changes: dict) -> None:
    with pytest.raises(UserError, match="intact copy"):
        read_face_views(written(tmp_path, **changes))


def test_the_recording_is_what_its_description_says(data_folder: Path) -> None:
    recorded = read_face_views(require(data_folder, FILE))
    assert recorded.shape == (134, 25, 8)
    assert len(recorded.counts) == 139457
    assert (recorded.monkey, recorded.area) == ("bert", "AM")
    assert [recorded.view_names[v] for v in YAW_VIEWS] == [
        "left profile",
        "left 3/4",
        "front",
        "right 3/4",
        "right profile",
    ]
    np.testing.assert_array_equal(recorded.view_yaw[list(YAW_VIEWS)], [-90, -45, 0, 45, 90])
    rates = recorded.rates()
    np.testing.assert_array_equal(np.isnan(rates.values), np.isnan(recorded.mean_rate))
    assert np.nanmax(np.abs(rates.values - recorded.mean_rate)) < 1e-4
    assert len(recorded.complete()) == 131
    assert len(recorded.complete(2, YAW_VIEWS)) == 129
    assert len(recorded.complete(4, YAW_VIEWS)) == 59
