"""Assemblies: what they hold, what they refuse, and that a saved one comes back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.brains import Assembly, Card, load
from isocortex.brains.repetitions import stacked
from isocortex.errors import UserError
from isocortex.measures.reliability import split_half
from isocortex.stimuli import StimulusSet

CARD = Card("toy", "six images", "CC0", "Nobody, 2026", {"response": "spikes", "window": [50, 150]})


def toy(dtype: type = np.float64, images: bool = True, **changes: object) -> Assembly:
    rng = np.random.default_rng(0)
    trials = rng.normal(size=(4, 6, 3)).astype(dtype)
    trials[3, 2, 1] = np.nan
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(6)], "yaw": np.arange(6.0)})
    table["label"] = ["a", "b", "a", None, "b", "a"]
    shown = StimulusSet.from_tensor(torch.linspace(0, 1, 6 * 3 * 16).reshape(6, 3, 4, 4), table)
    given = {
        "trials": trials,
        "presentations": None if images else table,
        "units": pd.DataFrame({"region": ["V4", "IT", "IT"], "neuroid_id": [7, 8, 9]}),
        "stimuli": shown if images else None,
        "card": CARD,
    }
    return Assembly(**{**given, **changes})  # type: ignore[arg-type]


def same(a: Assembly, b: Assembly) -> None:
    assert a.responses.identical(b.responses)
    assert (a.trials is None) == (b.trials is None)
    if a.trials is not None:
        assert a.trials.identical(b.trials)
        assert a.trials.dtype == b.trials.dtype
    pd.testing.assert_frame_equal(a.presentations, b.presentations)
    pd.testing.assert_frame_equal(a.units, b.units)
    assert a.card == b.card
    assert (a.stimuli is None) == (b.stimuli is None)
    if a.stimuli is not None and b.stimuli is not None:
        assert a.stimuli.checksum() == b.stimuli.checksum()


def test_responses_are_labelled_means_of_what_was_shown() -> None:
    a = toy()
    assert a.responses.dims == ("presentation", "neuroid")
    assert a.trials is not None
    assert a.trials.dims == ("repetition", "presentation", "neuroid")
    np.testing.assert_allclose(a.responses.values, np.nanmean(a.trials.values, axis=0))
    assert a.responses.attrs["licence"] == "CC0"
    assert a.responses.attrs["window"] == [50, 150]
    assert list(a.responses["neuroid_id"].values) == ["7", "8", "9"]
    assert list(a.responses["yaw"].values) == list(range(6))
    assert (len(a), a.shape) == (6, (6, 3))
    assert "6 presentations x 3 neuroids, up to 4 repetitions" in repr(a)


def test_tables_are_copies() -> None:
    a = toy()
    units, presentations = a.units, a.presentations
    units["region"] = "V1"
    presentations["yaw"] = 0
    assert list(a.units["region"]) == ["V4", "IT", "IT"]
    assert list(a.presentations["yaw"]) == list(range(6))


def test_take_picks_rows_and_columns_of_everything() -> None:
    a = toy()
    b = a.take([4, 1], a.units["region"] == "IT")
    assert b.shape == (2, 2)
    np.testing.assert_array_equal(b.responses.values, a.responses.values[[4, 1]][:, 1:])
    assert a.trials is not None
    assert b.trials is not None
    np.testing.assert_array_equal(b.trials.values, a.trials.values[:, [4, 1]][:, :, 1:])
    assert list(b.presentations["stimulus_id"]) == ["s4", "s1"]
    assert list(b.units["neuroid_id"]) == ["8", "9"]
    assert b.stimuli is not None
    assert a.stimuli is not None
    assert torch.equal(b.stimuli.images(), a.stimuli.images([4, 1]))
    with pytest.raises(UserError, match="no stimulus 6"):
        a.take([6])


def test_reliability_is_that_of_the_measure() -> None:
    a = toy()
    assert a.trials is not None
    expected = split_half(a.trials.values, n_splits=7, seed=3)
    np.testing.assert_array_equal(a.reliability(n_splits=7, seed=3).values, expected.values)
    with pytest.raises(UserError, match="no repetitions"):
        Assembly(np.ones((6, 2)), card=CARD).reliability()
    with pytest.raises(UserError, match="unknown reliability 'splithalf'"):
        a.reliability("splithalf")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("images", [True, False])
def test_a_saved_assembly_comes_back(tmp_path: Path, dtype: type, images: bool) -> None:
    a = toy(dtype, images)
    folder = a.save(tmp_path / "deep" / "toy")
    same(Assembly.load(folder), a)
    same(load(str(folder)), a)
    other = a.take(neuroids=[0])
    same(Assembly.load(other.save(folder)), other)  # a saved assembly may be replaced
    assert [p.name for p in folder.parent.iterdir()] == ["toy"]


def test_without_repetitions(tmp_path: Path) -> None:
    a = Assembly(np.arange(6).reshape(3, 2), card=Card("plain"))
    assert a.trials is None
    assert list(a.presentations["stimulus_id"]) == ["0", "1", "2"]
    same(Assembly.load(a.save(tmp_path / "plain")), a)


def test_what_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    with pytest.raises(UserError, match="not replaced"):
        toy().save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years"
    folder = toy().save(tmp_path / "toy")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes\.txt"):
        toy().save(folder)
    with pytest.raises(UserError, match="words and numbers"):
        toy(card=Card("toy", notes={"x": object()})).save(tmp_path / "odd")
    with pytest.raises(UserError, match="cannot be written to a CSV"):
        toy(units=pd.DataFrame({"pair": [(1, 2), (3, 4), (5, 6)]})).save(tmp_path / "odd")
    assert not (tmp_path / "odd").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "toy"]


def _truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _without(*keys: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        record = json.loads(path.read_text())
        inner = record
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        path.write_text(json.dumps(record))

    return edit


@pytest.mark.parametrize(
    ("where", "damage"),
    [
        ("card.json", Path.unlink),
        ("card.json", _truncate),
        ("card.json", lambda p: p.write_text('{"format": "isocortex assembly", "version": 99}')),
        ("card.json", _without("tables", "units")),
        ("card.json", _without("arrays", "responses")),
        ("card.json", _without("card", "licence")),
        ("units.csv", Path.unlink),
        ("units.csv", _truncate),
        ("presentations.csv", lambda p: p.write_text("stimulus_id\n1\n")),
        ("responses.zarr/zarr.json", Path.unlink),
        ("responses.zarr/responses/zarr.json", Path.unlink),
        ("responses.zarr/responses/zarr.json", _truncate),
        ("responses.zarr/responses/c/0/0", Path.unlink),
        ("responses.zarr/trials/c/0/0/0", _truncate),
        ("stimuli/stimuli.json", Path.unlink),
    ],
)
def test_a_damaged_folder_is_one_line(tmp_path: Path, where: str, damage: object) -> None:
    folder = toy().save(tmp_path / "toy")
    damage(folder / where)  # type: ignore[operator]
    with pytest.raises(UserError) as caught:
        Assembly.load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": np.ones((6, 3))}, "turn its axes"),
        ({"trials": np.full((2, 6, 3), "a")}, "numbers"),
        ({"trials": None}, "give responses, trials, or both"),
        ({"responses": np.ones((5, 3))}, "do not fit trials"),
        ({"units": pd.DataFrame({"a": [1, 2]})}, "3 neuroids but 2 rows"),
        ({"units": pd.DataFrame({"neuroid_id": [1, 2, 2]})}, "occurs twice"),
        ({"units": pd.DataFrame({"neuroid_id": ["a", None, "c"]})}, "row 1 has no neuroid_id"),
        ({"presentations": pd.DataFrame({"stimulus_id": list("abcdef")})}, "in one order"),
        ({"trials": np.full((2, 6, 3), np.nan)}, "3 of 3 neuroids"),
        ({"responses": np.full((6, 3), np.inf)}, "'7' to stimulus 's0' is not a number"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        toy(**changes)
    assert str(caught.value).startswith("toy: ")


def test_incomplete_neuroids_are_dropped_and_counted() -> None:
    trials = np.random.default_rng(1).normal(size=(2, 5, 4))
    trials[:, 3, 2] = np.nan
    a = Assembly.dropping_incomplete(trials=trials, card=CARD)
    assert list(a.units["neuroid_id"]) == ["0", "1", "3"]
    assert a.card.notes["dropped_neuroids"] == 1
    assert a.card.notes["response"] == "spikes"
    np.testing.assert_allclose(a.responses.values, trials.mean(axis=0)[:, [0, 1, 3]])
    with pytest.raises(UserError, match="no neuroid has a response to every"):
        Assembly.dropping_incomplete(np.full((3, 2), np.nan), card=CARD)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_trials_are_stacked_in_the_order_of_recording(dtype: type) -> None:
    cell = np.array([2, 0, 2, 2, 0])
    values = np.arange(10, dtype=dtype).reshape(5, 2)
    out = stacked(values, cell, 4)
    assert out.shape == (3, 4, 2)
    assert out.dtype == (np.float32 if dtype is np.float32 else np.float64)
    np.testing.assert_array_equal(out[:, 2], values[[0, 2, 3]])
    np.testing.assert_array_equal(out[:2, 0], values[[1, 4]])
    assert np.isnan(out[2, 0]).all()
    assert np.isnan(out[:, [1, 3]]).all()
    np.testing.assert_array_equal(stacked(values, cell, 4, most=2), out[:2])
    assert stacked(values[:0], cell[:0], 4).shape == (0, 4, 2)


@given(cell=st.lists(st.integers(0, 4), max_size=30), most=st.none() | st.integers(1, 4))
def test_stacking_loses_and_mixes_nothing(cell: list[int], most: int | None) -> None:
    values = np.arange(len(cell), dtype=float)
    out = stacked(values, np.array(cell, dtype=int), 5, most)
    for c in range(5):
        mine = [v for v, k in zip(values, cell, strict=True) if k == c][:most]
        assert list(out[: len(mine), c]) == mine
        assert np.isnan(out[len(mine) :, c]).all()
