"""Variance partitioning of spaces whose parts are known, and banded ridge by himalaya."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from isocortex.errors import UserError
from isocortex.measures import encoding


def population(n: int = 300, t: int = 20, seed: int = 0) -> tuple[dict, np.ndarray, np.ndarray]:
    """Three spaces that share some latents, and targets with known parts of variance."""
    rng = np.random.default_rng(seed)
    only_a, only_b, both, only_c = (rng.normal(size=(n, 3)) for _ in range(4))
    spaces = {
        "a": np.concatenate([only_a, both], axis=1),
        "b": np.concatenate([only_b, both], axis=1),
        "c": only_c,
    }
    parts = np.array([0.3, 0.1, 0.3, 0.1])  # a, b, a & b, c; the rest is noise

    def unit(x: np.ndarray) -> np.ndarray:
        y = x @ rng.normal(size=(x.shape[1], t))
        return (y - y.mean(axis=0)) / y.std(axis=0)

    sources = [unit(x) for x in (only_a, only_b, both, only_c)]
    y = sum(np.sqrt(v) * s for v, s in zip(parts, sources, strict=True))
    return spaces, y + np.sqrt(0.2) * rng.normal(size=(n, t)), parts


@pytest.mark.parametrize("gram", [False, True])
def test_two_spaces_of_known_parts(gram: bool) -> None:
    spaces, y, known = population()
    given = {k: spaces[k] @ spaces[k].T if gram else spaces[k] for k in "ab"}
    result = encoding.variance_partition(
        given, y, alphas=np.logspace(-4, 2, 7), gram=gram, n_resamples=100
    )
    assert list(result.parts) == ["a", "b", "a & b"]
    for name, value in zip(result.parts, known, strict=False):
        interval = result.parts[name]
        assert interval.estimate == pytest.approx(value, abs=0.05)
        assert interval.low < interval.estimate < interval.high
    r2 = {k: m.scores for k, m in result.models.items()}
    np.testing.assert_allclose(result.values["a"], r2["a + b"] - r2["b"])
    np.testing.assert_allclose(result.values["a & b"], r2["a"] + r2["b"] - r2["a + b"])
    np.testing.assert_allclose(sum(result.values.values()), r2["a + b"])
    assert sum(i.estimate for i in result.parts.values()) == pytest.approx(r2["a + b"].mean())


def test_three_spaces_by_inclusion_and_exclusion() -> None:
    spaces, y, known = population()
    result = encoding.variance_partition(spaces, y, alphas=[1e-3, 0.1], over="both", n_resamples=50)
    r2 = {k: m.scores.mean() for k, m in result.models.items()}
    whole = r2["a + b + c"]
    part = {k: v.estimate for k, v in result.parts.items()}
    assert part["a"] == pytest.approx(whole - r2["b + c"])
    assert part["a & b"] == pytest.approx(r2["a + c"] + r2["b + c"] - whole - r2["c"])
    expected = r2["a"] + r2["b"] + r2["c"] - r2["a + b"] - r2["a + c"] - r2["b + c"] + whole
    assert part["a & b & c"] == pytest.approx(expected)
    for name, value in zip(["a", "b", "a & b", "c"], known, strict=True):
        assert part[name] == pytest.approx(value, abs=0.06)
    assert part["a & c"] == pytest.approx(0, abs=0.04)


def test_scale_of_a_space_does_not_matter() -> None:
    spaces, y, _ = population(n=80, t=4)
    options = {"alphas": [1e-2, 1.0], "n_resamples": 20}
    first = encoding.variance_partition({"a": spaces["a"], "b": spaces["b"]}, y, **options)
    second = encoding.variance_partition(
        {"a": 1e3 * spaces["a"] + 7, "b": spaces["b"]}, y, **options
    )
    np.testing.assert_allclose(first.values["a"], second.values["a"], rtol=1e-6)


def test_mistakes() -> None:
    spaces, y, _ = population(n=40, t=2)
    with pytest.raises(UserError, match="2 or 3 feature spaces, not 1"):
        encoding.variance_partition({"a": spaces["a"]}, y)
    with pytest.raises(UserError, match="unknown method 'lasso'"):
        encoding.variance_partition(spaces, y, method="lasso")
    with pytest.raises(UserError, match="feature space 'b' has no variance"):
        encoding.variance_partition({"a": spaces["a"], "b": np.ones((40, 2))}, y)


def test_banded_ridge_without_himalaya(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces, y, _ = population(n=40, t=2)
    monkeypatch.setitem(sys.modules, "himalaya.kernel_ridge", None)
    with pytest.raises(UserError, match=r"pip install 'isocortex\[encoding\]'"):
        encoding.banded_ridge_cv(spaces, y)


# --- with himalaya ------------------------------------------------------------------------------


def test_one_band_is_ridge() -> None:
    pytest.importorskip("himalaya")
    spaces, y, _ = population(n=60, t=4)
    x = spaces["a"]
    y[:, 1] = 2.0
    fold = encoding.k_fold(60, 3)[0]
    banded = encoding.banded_ridge_cv({"a": x}, y, folds=[fold], alphas=[0.5], n_iter=1)
    train, test = fold
    size = (x[train] - x[train].mean(axis=0)).var(axis=0).sum()
    ridge = encoding.ridge_path(x, y, fold, [0.5 * size])[0]
    np.testing.assert_allclose(banded.predictions[test], ridge, rtol=1e-5)
    assert banded.alphas.shape == (1, 1, 4)
    np.testing.assert_allclose(banded.alphas[0, 0, [0, 2, 3]], 0.5, rtol=1e-5)
    assert banded.n_constant_targets == 1


def test_bands_help_where_one_space_is_noise() -> None:
    pytest.importorskip("himalaya")
    from himalaya.backend import get_backend, set_backend

    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(60, 10)), rng.normal(size=(60, 200))
    y = x @ rng.normal(size=(10, 5)) + rng.normal(size=(60, 5))
    spaces = {"signal": x, "noise": noise}
    options = {"folds": 3, "alphas": np.logspace(-3, 2, 6), "score": "r2"}
    set_backend("torch")
    try:
        banded = encoding.banded_ridge_cv(spaces, y, n_iter=30, **options)
        assert get_backend().name == "torch"
    finally:
        set_backend("numpy")
    scaled = np.concatenate([x / np.sqrt(10), noise / np.sqrt(200)], axis=1)
    single = encoding.ridge_cv(scaled, y, **options)
    assert banded.scores.mean() > single.scores.mean() + 0.02
    assert np.median(banded.alphas[:, 1] / banded.alphas[:, 0]) > 10
    parts = encoding.variance_partition(
        spaces, y, folds=3, method="banded", alphas=np.logspace(-2, 3, 6), n_iter=10, n_resamples=20
    ).parts
    assert parts["signal"].estimate > 0.4
    assert abs(parts["noise"].estimate) < 0.05
    with pytest.raises(UserError, match="no feature spaces"):
        encoding.banded_ridge_cv({}, y)
