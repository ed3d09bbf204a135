"""Where units lie: against loops over the shape."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocortex.errors import UserError
from isocortex.recording.layout import Layout


def test_units_of_a_map_are_channel_row_column() -> None:
    table = Layout("conv", (2, 3, 4)).table()
    expected = [("conv", c, y, x) for c in range(2) for y in range(3) for x in range(4)]
    assert list(table.itertuples(index=False, name=None)) == expected
    assert list(table.columns) == ["layer", "channel", "y", "x"]


def test_units_of_a_fully_connected_layer_have_no_place() -> None:
    table = Layout("fc", (5,)).table()
    assert table["channel"].tolist() == [0, 1, 2, 3, 4]
    assert table[["y", "x"]].isna().all(axis=None)


@pytest.mark.parametrize(("tokens", "prefix", "side"), [(9, 0, 3), (10, 1, 3), (1, 0, 1)])
def test_tokens_lie_on_their_grid_and_the_class_token_nowhere(
    tokens: int, prefix: int, side: int
) -> None:
    table = Layout("block", (tokens, 2)).table()
    expected = []
    for token in range(tokens):
        for channel in range(2):
            place = divmod(token - prefix, side) if token >= prefix else (pd.NA, pd.NA)
            expected.append(("block", channel, *place))
    assert table.astype(object).equals(
        pd.DataFrame(expected, columns=["layer", "channel", "y", "x"], dtype=object)
    )


def test_tokens_that_are_no_square_have_no_places() -> None:
    layout = Layout("block", (12, 2))
    assert layout.grid is None
    assert layout.table()["channel"].tolist() == [0, 1] * 12
    assert layout.table()[["y", "x"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("shape", "place"), [((3, 5, 7), (2, 3)), ((3, 4, 6), (2, 3)), ((3, 1, 1), (0, 0))]
)
def test_the_centre_of_a_map_is_one_column(shape: tuple[int, ...], place: tuple[int, int]) -> None:
    layout = Layout("conv", shape)
    table = layout.table().iloc[layout.centre()]
    assert table["channel"].tolist() == list(range(shape[0]))
    assert set(zip(table["y"], table["x"], strict=True)) == {place}


def test_the_centre_of_tokens_passes_over_the_class_token() -> None:
    layout = Layout("block", (10, 4))
    table = layout.table().iloc[layout.centre()]
    assert table[["channel", "y", "x"]].to_numpy().tolist() == [[c, 1, 1] for c in range(4)]


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((3, 5, 7), [2], [3]), ((3, 4, 6), [1, 2], [2, 3]), ((2, 1, 2), [0], [0, 1])],
)
def test_the_central_block_is_symmetric_about_the_centre(
    shape: tuple[int, ...], rows: list[int], columns: list[int]
) -> None:
    layout = Layout("conv", shape)
    expected = layout.unit_indices()[:, rows][:, :, columns].ravel()
    np.testing.assert_array_equal(layout.central_block(), expected)


def test_the_central_block_of_tokens_passes_over_the_class_token() -> None:
    table = Layout("block", (17, 3)).table().iloc[Layout("block", (17, 3)).central_block()]
    expected = [[c, y, x] for c in range(3) for y in (1, 2) for x in (1, 2)]
    assert table[["channel", "y", "x"]].to_numpy().tolist() == expected
    np.testing.assert_array_equal(Layout("fc", (5,)).central_block(), np.arange(5))
    with pytest.raises(UserError, match="no square grid"):
        Layout("block", (12, 2)).central_block()


def test_a_layer_without_places_is_central_as_a_whole() -> None:
    np.testing.assert_array_equal(Layout("fc", (5,)).centre(), np.arange(5))


def test_tokens_without_a_grid_have_no_centre() -> None:
    with pytest.raises(UserError, match="12 tokens of layer 'block' are no square grid"):
        Layout("block", (12, 2)).centre()


def test_one_number_counts_as_one_unit() -> None:
    assert Layout("score", ()).n_units == 1


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 0, 4)])
def test_shapes_that_hold_no_such_units_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"layer 'odd' answers an image with shape"):
        Layout("odd", shape)
