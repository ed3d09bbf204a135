"""Index first: balanced, shuffled, and a function of the index."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.errors import UserError
from isocortex.stimuli.scenes.allocation import BLOCK, allocate, inventory
from isocortex.stimuli.scenes.parameters import Subset

CATEGORIES = ["car"] * 3 + ["chair"] * 6 + ["fish"] * 2
NAMES = [f"m{k}" for k in range(11)]
CLASSES = ["sky", "noise", "sky", "sky"]
BACKGROUNDS = ["a", "b", "c", "d"]


def stock(*subsets: Subset):  # type: ignore[no-untyped-def]
    return inventory(CATEGORIES, NAMES, CLASSES, BACKGROUNDS, subsets)


@pytest.mark.parametrize("n", [720, 1001, None])
def test_categories_and_models_are_balanced(n: int | None) -> None:
    many = n or BLOCK
    background, mesh = allocate(stock(), np.arange(many), n, 0, "category")
    category = np.array(CATEGORIES)[mesh]
    for b in range(2):
        counts = [(category[background == b] == name).sum() for name in ("car", "chair", "fish")]
        assert max(counts) - min(counts) <= 1
        for name in ("car", "chair", "fish"):
            here = np.bincount(mesh[(background == b) & (category == name)], minlength=11)
            models = [k for k in range(11) if CATEGORIES[k] == name]
            assert np.ptp(here[models]) <= 1


def test_identities_can_be_balanced_instead() -> None:
    _, mesh = allocate(stock(), np.arange(1001), 1001, 0, "identity")
    assert np.ptp(np.bincount(mesh)) <= 2


def test_order_is_shuffled_and_each_index_stands_for_itself() -> None:
    n = BLOCK + 500
    background, mesh = allocate(stock(), np.arange(n), n, 0, "category")
    assert abs(np.corrcoef(background[1:], background[:-1])[0, 1]) < 0.05
    some = np.array([n - 1, 3, 7, BLOCK, 3])
    again = allocate(stock(), some, n, 0, "category")
    assert (again[0] == background[some]).all()
    assert (again[1] == mesh[some]).all()
    other = allocate(stock(), np.arange(n), n, 1, "category")[1]
    assert (other != mesh).mean() > 0.5


def test_subsets_are_kept_and_nested() -> None:
    chosen = []
    for count in (1, 2, 3):
        kept = stock(Subset(what="category", count=count)).models
        chosen.append({CATEGORIES[rows[0]] for rows in kept})
    assert [len(c) for c in chosen] == [1, 2, 3]
    assert chosen[0] < chosen[1] < chosen[2]
    named = stock(Subset(what="category", names=("fish", "car")), Subset(what="model", count=1))
    assert [len(rows) for rows in named.models] == [1, 1]
    assert {CATEGORIES[rows[0]] for rows in named.models} == {"car", "fish"}
    one = stock(Subset(what="model", names=("m4", "m10"))).models
    assert [rows.tolist() for rows in one] == [[4], [10]]
    sky = stock(Subset(what="background", names=("sky",))).backgrounds
    assert [rows.tolist() for rows in sky] == [[0, 2, 3]]
    two = stock(Subset(what="background", names=("b", "c"))).backgrounds
    assert [rows.tolist() for rows in two] == [[1], [2]]


@pytest.mark.parametrize(
    ("subset", "word"),
    [
        (Subset(what="category", names=("cra",)), "did you mean car"),
        (Subset(what="category", count=4), "asks for more than the 3"),
        (Subset(what="background", count=2), "asks for more than the 1"),
    ],
)
def test_what_is_not_there_is_named(subset: Subset, word: str) -> None:
    with pytest.raises(UserError, match=word):
        stock(subset)
