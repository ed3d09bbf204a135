"""Readouts of frozen networks: the minimum that scikit-learn finds, a penalty by validation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from isocortex.errors import UserError
from isocortex.training.readouts import logistic_readout, pooled


def blobs(n: int, seed: int, p: int = 6, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((classes, p))
    labels = rng.integers(0, classes, n)
    x = centres[labels] + rng.standard_normal((n, p)) * [1, 2, 3, 1, 1, 50]
    return torch.from_numpy(x), torch.from_numpy(labels)


@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_weights_are_those_of_scikit_learn(penalty: float) -> None:
    x, y = blobs(200, 0)
    found = logistic_readout((x, y), blobs(50, 1), n_classes=3, penalties=[penalty])
    z = ((x - x.mean(dim=0)) / x.std(dim=0, correction=0)).numpy()
    peer = LogisticRegression(C=1 / (len(x) * penalty), tol=1e-8, max_iter=2000).fit(z, y)
    np.testing.assert_allclose(found.weights.T, peer.coef_, atol=2e-3)
    logits = z @ peer.coef_.T + peer.intercept_
    ours = found.logits(x)
    np.testing.assert_allclose(
        ours - ours.mean(axis=1, keepdims=True),
        logits - logits.mean(axis=1, keepdims=True),
        atol=5e-3,
    )


def test_the_penalty_is_the_one_that_validates_best() -> None:
    train, held = blobs(60, 2), blobs(200, 3)
    penalties = [1.0, 0.1, 0.001]
    each = [
        logistic_readout(train, held, n_classes=3, penalties=[a]).validation_accuracy
        for a in penalties
    ]
    found = logistic_readout(train, held, n_classes=3, penalties=penalties)
    assert found.validation_accuracy == pytest.approx(max(each), abs=0.011)
    assert found.accuracy(*blobs(300, 4)) > 0.6


def test_constant_features_are_left_out_and_counted() -> None:
    x, y = blobs(80, 5)
    with_constant = torch.cat([x, torch.full((80, 2), 3.0)], dim=1)
    plain = logistic_readout((x, y), (x, y), n_classes=3, penalties=[0.1])
    found = logistic_readout((with_constant, y), (with_constant, y), n_classes=3, penalties=[0.1])
    assert found.n_constant == 2
    np.testing.assert_allclose(found.logits(with_constant), plain.logits(x), atol=1e-3)


def test_labels_without_a_trace_in_the_features_stay_at_chance() -> None:
    rng = np.random.default_rng(0)
    x, y = (
        torch.from_numpy(rng.standard_normal((900, 5))),
        torch.from_numpy(rng.integers(0, 3, 900)),
    )
    found = logistic_readout((x[:300], y[:300]), (x[300:500], y[300:500]), n_classes=3)
    assert found.accuracy(x[500:], y[500:]) == pytest.approx(1 / 3, abs=3 * np.sqrt(2 / 9 / 400))


def test_pooled_maps() -> None:
    maps = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2)
    assert pooled(maps, "means").tolist() == [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]]
    both = pooled(maps, "means_sds")
    assert both.shape == (2, 6)
    torch.testing.assert_close(both[:, 3:], torch.full((2, 3), 1.25**0.5))
    assert pooled(maps, "flat").shape == (2, 12)


def test_mistakes_are_told() -> None:
    x, y = blobs(20, 0)
    with pytest.raises(UserError, match="readout"):
        pooled(torch.zeros(1, 2, 3, 3), "mean")
    with pytest.raises(UserError, match="maps"):
        pooled(x)
    with pytest.raises(UserError, match="labels run"):
        logistic_readout((x, y), (x, y), n_classes=2)
    with pytest.raises(UserError, match="NaN"):
        logistic_readout((x * torch.nan, y), (x, y), n_classes=3)
    with pytest.raises(UserError, match="columns"):
        logistic_readout((x, y), (x[:, :2], y), n_classes=3)
    with pytest.raises(UserError, match="penalties"):
        logistic_readout((x, y), (x, y), n_classes=3, penalties=[0.0])
