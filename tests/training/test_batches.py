from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.training.batches import BatchSource, as_source, batches, step_seed, upcoming


@given(
    n=st.integers(1, 30),
    batch=st.integers(1, 30),
    seed=st.integers(0, 2**40),
    cut=st.integers(0, 20),
)
def test_the_order_does_not_depend_on_where_it_is_entered(n, batch, seed, cut):
    batch = min(batch, n)
    whole = list(batches(n, batch, seed=seed, start=0, stop=20))
    rest = list(batches(n, batch, seed=seed, start=cut, stop=20))
    assert [s for s, _ in whole] == list(range(20))
    for (a, rows), (b, again) in zip(whole[cut:], rest, strict=True):
        assert a == b
        assert np.array_equal(rows, again)
    per_epoch = n // batch
    for first in range(0, 20 - per_epoch + 1, per_epoch):
        epoch = np.concatenate([rows for _, rows in whole[first : first + per_epoch]])
        assert len(epoch) == per_epoch * batch
        assert len(np.unique(epoch)) == len(epoch)
        assert 0 <= epoch.min() <= epoch.max() < n


def test_epochs_and_seeds_differ():
    first, second = (rows for _, rows in batches(50, 50, seed=0, start=0, stop=2))
    (other,) = (rows for _, rows in batches(50, 50, seed=1, start=0, stop=1))
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_step_seeds_differ_by_seed_step_and_rank():
    seeds = {step_seed(a, b, c) for a in range(4) for b in range(4) for c in range(4)}
    assert len(seeds) == 64


def test_tensors_and_arrays_are_indexed_where_they_lie():
    images, labels = np.random.default_rng(0).random((5, 1, 2, 2)), np.array([0, 4, 2, 1, 3])
    for source in (as_source(images, labels), as_source(torch.tensor(images), labels)):
        assert (source.n, source.largest_label) == (5, 4)
        drawn, named = source.draw(np.array([3, 3, 0]))
        assert torch.equal(drawn, torch.tensor(images[[3, 3, 0]], dtype=torch.float32))
        assert named.tolist() == [1, 1, 0]
        assert named.dtype == torch.int64


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.rand(2, 1, 4, 4), None, "labels are missing"),
        (torch.rand(2, 1, 4, 4), torch.tensor([0]), r"\(2, 1, 4, 4\) and \(1,\)"),
        (torch.rand(2, 4), torch.tensor([0, 1]), r"images \(n, c, h, w\)"),
        (torch.rand(0, 1, 4, 4), torch.zeros(0), "shapes"),
        (torch.rand(2, 1, 4, 4), torch.tensor([0, -1]), "number the classes from 0"),
        (BatchSource(1, lambda rows: (rows, rows)), torch.tensor([0]), "leave labels out"),
    ],
)
def test_mistakes_get_one_line(images, labels, message):
    with pytest.raises(UserError, match=message):
        as_source(images, labels)


@pytest.mark.parametrize("ahead", [0, 1, 3, 50])
def test_batches_that_are_drawn_ahead_are_the_same_in_the_same_order(ahead):
    drawn = []

    def draw(rows):
        drawn.append(rows)
        return torch.from_numpy(rows), torch.from_numpy(-rows)

    source = BatchSource(12, draw, ahead=ahead)
    order = list(batches(12, 4, seed=1, start=2, stop=9))
    seen = []
    for step, give in upcoming(source, iter(order), slice(0, 3)):
        images, targets = give()
        assert torch.equal(images, -targets)
        assert len(drawn) - len(seen) <= ahead + 2  # no more wait than were asked for
        seen.append((step, images.numpy()))
    assert [s for s, _ in seen] == [s for s, _ in order]
    for (_, images), (_, rows) in zip(seen, order, strict=True):
        assert np.array_equal(images, rows[:3])


def test_an_error_in_the_queue_reaches_the_training():
    def draw(rows):
        raise UserError("the scene cannot be drawn")

    source = BatchSource(8, draw, ahead=2)
    order = batches(8, 4, seed=0, start=0, stop=5)
    (_, give), *_ = upcoming(source, order, slice(None))
    with pytest.raises(UserError, match="cannot be drawn"):
        give()
