"""Design-pooled distances against loops, and the score that compares them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.brains import read_face_views
from isocortex.brains.face_views import FILE, YAW_VIEWS
from isocortex.data import require
from isocortex.errors import UserError
from isocortex.measures.reliability import spearman_brown
from isocortex.studies.farzmahdi2024.alignment import (
    block_score,
    block_table,
    bootstrap_scores,
    design_pooled_rdms,
)
from isocortex.studies.farzmahdi2024.facepatch import normalised

RNG = np.random.default_rng(0)


def slow_blocks(x: np.ndarray, weights: np.ndarray | None = None) -> tuple[list, list]:
    persons, views, _ = x.shape
    w = np.ones(persons) if weights is None else weights

    def distance(p: int, j: int, q: int, k: int) -> float:
        return 1 - np.corrcoef(x[p, j], x[q, k])[0, 1]

    same, different = [], []
    for j in range(views):
        for k in range(j, views):
            if k > j:
                values = [distance(p, j, p, k) for p in range(persons)]
                same.append(np.average(values, weights=w))
            pairs = [(p, q) for p in range(persons) for q in range(persons) if p != q]
            values = [distance(p, j, q, k) for p, q in pairs]
            different.append(np.average(values, weights=[w[p] * w[q] for p, q in pairs]))
    return same, different


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_by_loops(dtype: type) -> None:
    x = RNG.normal(size=(4, 5, 12)).astype(dtype)
    pooled = design_pooled_rdms(x)
    assert pooled.same.dtype == dtype
    assert (pooled.same.shape, pooled.different.shape) == ((10,), (15,))
    same, different = slow_blocks(x)
    np.testing.assert_allclose(pooled.same, same, atol=2e-6)
    np.testing.assert_allclose(pooled.different, different, atol=2e-6)
    batched = design_pooled_rdms(torch.from_numpy(np.stack([x, x[::-1].copy()])))
    np.testing.assert_allclose(batched.same[1], same, atol=2e-6)
    assert batched.different.shape == (2, 15)


def test_score_is_the_mean_of_both_blocks() -> None:
    a, b = (design_pooled_rdms(RNG.normal(size=(4, 5, 12))) for _ in range(2))
    expected = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    assert block_score(a, b) == pytest.approx(expected)
    assert block_score(a, a) == pytest.approx(1.0)
    three = design_pooled_rdms(RNG.normal(size=(4, 3, 12)))
    with pytest.raises(UserError, match="same views"):
        block_score(a, three)
    with pytest.raises(UserError, match="persons >= 2"):
        design_pooled_rdms(RNG.normal(size=(1, 5, 12)))


def test_table_holds_every_place_of_the_design() -> None:
    pooled = design_pooled_rdms(torch.from_numpy(RNG.normal(size=(4, 5, 12))))
    table = block_table(pooled)
    same = table[table["block"] == "same"]
    different = table[table["block"] == "different"]
    assert (len(same), len(different)) == (10, 15)
    assert (same["view"] < same["other_view"]).all()
    assert (different["view"] <= different["other_view"]).all()
    assert table["other_view"].max() == 4
    np.testing.assert_array_equal(different["distance"], pooled.different)


def test_bootstrap_weighs_heads_without_pairing_a_head_with_itself() -> None:
    neural, model = RNG.normal(size=(6, 5, 15)), RNG.normal(size=(4, 5, 20))
    scores = bootstrap_scores(neural, {"fc": model, "again": model}, n_resamples=4, seed=3)
    assert (scores["fc"] == scores["again"]).all()
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, 15, (4, 15))
    weights = rng.multinomial(4, np.full(4, 0.25), 4)
    for i in range(4):
        brain = slow_blocks(neural[:, :, drawn[i]])
        heads = slow_blocks(model, weights[i])
        expected = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(brain, heads, strict=True)])
        assert scores["fc"][i] == pytest.approx(expected, abs=1e-9)
    with pytest.raises(UserError, match="same heads"):
        bootstrap_scores(neural, {"a": model, "b": model[:3]}, n_resamples=2)


@pytest.mark.data
def test_blocks_of_the_recording_are_reliable(data_folder: Path) -> None:
    """Halves of the neurons: .97 for the same person, .98 for different persons."""
    recorded = read_face_views(require(data_folder, FILE))
    z = normalised(recorded.rates(views=YAW_VIEWS, neurons=recorded.complete(2, YAW_VIEWS)).values)
    rng = np.random.default_rng(0)
    r = []
    for _ in range(40):
        order = rng.permutation(z.shape[-1])
        a, b = (design_pooled_rdms(z[..., half]) for half in (order[:64], order[64:]))
        r.append([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(spearman_brown(np.mean(r, axis=0)), [0.97, 0.98], atol=0.007)
