"""Sets of images and tables: what they are, how they are picked from, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli.stimulus_set import StimulusSet, concatenate


class Counting:
    """Image r is all r / 100; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, rows: np.ndarray) -> Tensor:
        self.asked.append(rows.tolist())
        return (torch.as_tensor(rows, dtype=torch.float64) / 100)[:, None, None, None].expand(
            -1, 1, 2, 3
        )


def numbered(n: int, prefix: str = "s", source: Counting | None = None) -> StimulusSet:
    table = pd.DataFrame({"stimulus_id": [f"{prefix}{i}" for i in range(n)], "yaw": range(n)})
    return StimulusSet(source or Counting(), table, 2.0, shape=(1, 2, 3))


def levels(images: Tensor) -> list[int]:
    return (images[:, 0, 0, 0] * 100).round().int().tolist()


def test_nothing_is_made_before_it_is_asked_for() -> None:
    source = Counting()
    stimuli = numbered(10, source=source)
    picked = stimuli[4:][[0, 2, 5]][np.array([True, False, True])]
    assert source.asked == []
    assert levels(picked.images()) == [4, 9]
    assert source.asked == [[4, 9]]
    assert picked.table["stimulus_id"].tolist() == ["s4", "s9"]
    assert picked.degrees == 2.0
    assert picked.images().dtype == torch.float32


@given(st.data())
def test_picking_agrees_with_lists(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 8))
    stimuli, plain = numbered(n), list(range(n))
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(["slice", "integers", "mask"]))
        if kind == "slice":
            pick = data.draw(st.slices(len(plain)))
            plain = plain[pick]
        elif kind == "integers":
            which = st.integers(-len(plain), len(plain) - 1) if plain else st.nothing()
            drawn = data.draw(st.lists(which, max_size=6 if plain else 0))
            unique = {i % len(plain): i for i in drawn}
            pick = list(unique.values())
            plain = [plain[i] for i in pick]
        else:
            size = len(plain)
            pick = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
            plain = [p for p, keep in zip(plain, pick, strict=True) if keep]
            pick = np.array(pick, dtype=bool)
        assert levels(stimuli.images(pick)) == plain
        stimuli = stimuli[pick]
    assert len(stimuli) == len(plain)
    assert levels(stimuli.images()) == plain == stimuli.table["yaw"].tolist()
    assert stimuli.images().shape == (len(plain), 1, 2, 3)


def test_a_series_picks_as_a_mask() -> None:
    stimuli = numbered(5)
    assert levels(stimuli[stimuli.table["yaw"] > 2].images()) == [3, 4]


def test_images_may_repeat_but_stimuli_may_not() -> None:
    stimuli = numbered(3)
    assert levels(stimuli.images([1, 1, 0])) == [1, 1, 0]
    with pytest.raises(UserError, match="'s1' occurs more than once"):
        stimuli[[1, 1]]


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (2, 5), (0, 4)])
def test_batches_cover_everything_once(n: int, size: int) -> None:
    source = Counting()
    batches = list(numbered(n, source=source).batches(size))
    assert [len(b) for b in batches] == [min(size, n - i) for i in range(0, n, size)]
    assert [v for b in batches for v in levels(b)] == list(range(n))
    assert max(map(len, source.asked), default=0) <= size


def test_concatenation_keeps_order_and_stays_on_demand() -> None:
    sources = [Counting(), Counting()]
    joined = concatenate([numbered(3, "a", sources[0])[::-1], numbered(4, "b", sources[1])[1:]])
    assert sources[0].asked == sources[1].asked == []
    assert joined.table["stimulus_id"].tolist() == ["a2", "a1", "a0", "b1", "b2", "b3"]
    assert levels(joined.images()) == [2, 1, 0, 1, 2, 3]
    assert levels(joined.images([5, 0, 3, 2])) == [3, 2, 1, 0]
    assert levels(joined[[4, 1]].images()) == [2, 1]
    assert levels(joined[:3].images()) == [2, 1, 0]
    assert len(concatenate([numbered(0), joined])) == 6


def test_concatenation_fills_columns_that_a_set_lacks() -> None:
    a = StimulusSet.from_tensor(
        torch.zeros(1, 1, 2, 2), pd.DataFrame({"stimulus_id": ["a"], "yaw": [1.5]})
    )
    b = StimulusSet.from_tensor(torch.zeros(1, 1, 2, 2), pd.DataFrame({"stimulus_id": ["b"]}))
    table = concatenate([a, b]).table
    assert table["yaw"].isna().tolist() == [False, True]


def test_concatenation_refuses_what_does_not_go_together() -> None:
    with pytest.raises(UserError, match="at least one"):
        concatenate([])
    with pytest.raises(UserError, match="'s0' occurs more than once"):
        concatenate([numbered(2), numbered(1)])
    images = torch.zeros(1, 1, 2, 3)
    with pytest.raises(UserError, match=r"degrees 2.0 and None"):
        concatenate([numbered(2), StimulusSet.from_tensor(images)])
    with pytest.raises(UserError, match=r"shape \(1, 2, 3\) and \(3, 2, 3\)"):
        concatenate([numbered(2), StimulusSet.from_tensor(torch.zeros(1, 3, 2, 3), None, 2.0)])


def test_from_tensor_takes_both_kinds_and_gives_ids() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((3, 3, 4, 5))
    stimuli = StimulusSet.from_tensor(images)
    assert stimuli.table["stimulus_id"].tolist() == ["0", "1", "2"]
    assert stimuli.shape == (3, 4, 5)
    assert stimuli.degrees is None
    np.testing.assert_array_equal(stimuli.images().numpy(), images.astype(np.float32))
    named = StimulusSet.from_tensor(torch.from_numpy(images), pd.DataFrame({"depth": [1, 2, 3]}))
    assert named.table.columns.tolist() == ["stimulus_id", "depth"]


def test_the_table_of_a_set_cannot_be_changed_from_outside() -> None:
    given_table = pd.DataFrame({"stimulus_id": [7, 8], "group": pd.Categorical(["a", "b"])})
    stimuli = StimulusSet.from_tensor(torch.zeros(2, 1, 2, 2), given_table)
    given_table.loc[0, "stimulus_id"] = 9
    table = stimuli.table
    table.loc[0, "stimulus_id"] = "other"
    assert stimuli.table["stimulus_id"].tolist() == ["7", "8"]
    assert not isinstance(stimuli.table["group"].dtype, pd.CategoricalDtype)
    assert stimuli[[1]].table.index.tolist() == [0]


def test_checksum_sees_pixels_table_order_and_degrees() -> None:
    images = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    table = pd.DataFrame({"stimulus_id": ["a", "b", "c"], "yaw": [0.0, 1.0, np.nan]})
    base = StimulusSet.from_tensor(images, table, 3.0)
    assert base.checksum() == StimulusSet.from_tensor(images.clone(), table.copy(), 3).checksum()
    nudged = images.clone()
    nudged[1, 0, 2, 2] = torch.nextafter(nudged[1, 0, 2, 2], torch.tensor(1.0))
    others = [
        StimulusSet.from_tensor(nudged, table, 3.0),
        StimulusSet.from_tensor(images, table, 3.5),
        StimulusSet.from_tensor(images, table, None),
        StimulusSet.from_tensor(images, table.assign(yaw=[0.0, 2.0, np.nan]), 3.0),
        base[[0, 2, 1]],
        base[:2],
    ]
    sums = [base.checksum(), *(other.checksum() for other in others)]
    assert len(set(sums)) == len(sums)


def test_repr_says_what_is_there() -> None:
    assert (
        repr(numbered(2)) == "StimulusSet(2 images of (1, 2, 3), 2 degrees wide; stimulus_id, yaw)"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stimulus_id": ["a", "b", "a"]}, "'a' occurs more than once"),
        ({"stimulus_id": ["a", None, "b"]}, "row 1 has no stimulus_id"),
        ({"name": ["a", "b", "c"]}, "needs a column 'stimulus_id'"),
        ({"stimulus_id": list("abc"), "Yaw (deg)": [1, 2, 3]}, "for instance to 'yaw_deg'"),
        ({"stimulus_id": list("abc"), 3: [1, 2, 3]}, "column 3 is not lower_snake_case"),
        ({"stimulus_id": list("abc"), "image_file": list("xyz")}, "rename or drop yours"),
    ],
)
def test_tables_that_are_refused(table: dict, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        StimulusSet(Counting(), pd.DataFrame(table), shape=(1, 2, 3))


def test_a_column_that_occurs_twice_is_refused() -> None:
    table = pd.DataFrame([["a", 1, 2]], columns=["stimulus_id", "yaw", "yaw"])
    with pytest.raises(UserError, match="'yaw' occurs twice"):
        StimulusSet(Counting(), table, shape=(1, 2, 3))


@pytest.mark.parametrize("shape", [(2, 4, 4), (4, 4, 4), (1, 4), (1, 0, 4), (3, 4, 4, 4)])
def test_shapes_that_are_refused(shape: tuple) -> None:
    with pytest.raises(UserError, match="c = 1 for grey or 3 for RGB"):
        StimulusSet(Counting(), pd.DataFrame({"stimulus_id": ["a"]}), shape=shape)


@pytest.mark.parametrize("degrees", [0, -1.0, np.nan, np.inf])
def test_visual_angles_that_are_refused(degrees: float) -> None:
    with pytest.raises(UserError, match="visual angle"):
        StimulusSet.from_tensor(torch.zeros(1, 1, 2, 2), degrees=degrees)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "'1' has NaN pixels"),
        (-0.001, "'1' has pixels from -0.001"),
        (1.5, "to 1.5; scale or clip"),
        (np.inf, "to inf"),
    ],
)
def test_pixels_that_are_refused_name_the_stimulus(value: float, message: str) -> None:
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 1, 0] = value
    with pytest.raises(UserError, match=message):
        StimulusSet.from_tensor(images)
    table = pd.DataFrame({"stimulus_id": ["0", "1", "2"]})
    lazy = StimulusSet(lambda rows: images[rows], table, shape=(1, 2, 2))
    assert lazy.images([0, 2]).shape == (2, 1, 2, 2)
    with pytest.raises(UserError, match=message):
        lazy.images()


def test_other_input_that_is_refused() -> None:
    with pytest.raises(UserError, match=r"\(n, c, h, w\) is needed"):
        StimulusSet.from_tensor(torch.zeros(4, 4))
    with pytest.raises(UserError, match="divide 8-bit levels by 255"):
        StimulusSet.from_tensor(np.zeros((1, 1, 4, 4), dtype=np.uint8))
    with pytest.raises(UserError, match="2 images but 1 table rows"):
        StimulusSet.from_tensor(torch.zeros(2, 1, 4, 4), pd.DataFrame({"stimulus_id": ["a"]}))
    stimuli = numbered(3)
    for pick in (1, 1.5, [0.5], "s1", [[0]]):
        with pytest.raises(UserError, match="pick stimuli by a slice"):
            stimuli[pick]  # type: ignore[index]
    with pytest.raises(UserError, match="no stimulus 3 in a set of 3"):
        stimuli[[0, 3]]
    with pytest.raises(UserError, match="mask has 2 entries for 3 stimuli"):
        stimuli[[True, False]]
    with pytest.raises(UserError, match="at least one image"):
        list(stimuli.batches(0))
    wrong = StimulusSet(Counting(), stimuli.table, shape=(3, 2, 3))
    with pytest.raises(UserError, match=r"shape \(3, 1, 2, 3\) where \(3, 3, 2, 3\)"):
        wrong.images()
