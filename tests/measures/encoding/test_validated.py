"""Ridge with a validation part: closed forms, scikit-learn, and parts that share nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from isocortex.errors import UserError
from isocortex.measures.encoding.validated import validated_ridge, validation_parts


def problem(n: int = 120, p: int = 10, t: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * rng.gamma(2, 1, p)
    return x, x @ rng.standard_normal((p, t)) + 2 * rng.standard_normal((n, t)) + 5


@pytest.mark.parametrize("p", [10, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_are_those_of_scikit_learn_at_the_chosen_penalty(p: int, dtype: type) -> None:
    x, y = problem(p=p)
    parts = validation_parts(len(x))[0]
    alphas = [0.1, 10.0, 1000.0]
    found = validated_ridge(x.astype(dtype), y.astype(dtype), parts, alphas=alphas)
    assert found.predictions.dtype == dtype
    train, held, test = parts
    z = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    for k in range(3):
        errors, predictions = [], []
        for a in alphas:
            peer = Ridge(alpha=a).fit(z[train], y[train, k])
            errors.append(np.mean((peer.predict(z[held]) - y[held, k]) ** 2))
            predictions.append(peer.predict(z[test]))
        best = int(np.argmin(errors))
        assert found.alphas[k] == pytest.approx(alphas[best])
        np.testing.assert_allclose(found.predictions[:, k], predictions[best], rtol=1e-3)
        assert found.validation_r2[k] == pytest.approx(
            1 - errors[best] / y[held, k].var(), abs=1e-3
        )


def test_orthonormal_features_shrink_by_one_plus_lambda_and_a_great_penalty_gives_the_mean() -> (
    None
):
    n = 64
    q, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((n, 4)))
    q -= q.mean(axis=0)
    q, _ = np.linalg.qr(q)
    x = np.concatenate([q, q, q])
    y = np.random.default_rng(2).standard_normal((3 * n, 2))
    parts = tuple(np.arange(n) + k * n for k in range(3))
    sd = q.std(axis=0)
    found = validated_ridge(x, y, parts, alphas=[3.0])  # type: ignore[arg-type]
    z = (q - q.mean(axis=0)) / sd  # z'z = n
    weights = z.T @ (y[:n] - y[:n].mean(axis=0)) / (n + 3.0)
    np.testing.assert_allclose(found.predictions, z @ weights + y[:n].mean(axis=0), atol=1e-10)
    mean = validated_ridge(x, y, parts, alphas=[1e14])  # type: ignore[arg-type]
    np.testing.assert_allclose(mean.predictions, np.tile(y[:n].mean(axis=0), (n, 1)), atol=1e-8)


def test_features_constant_on_one_part_are_dropped_and_counted() -> None:
    x, y = problem()
    parts = validation_parts(len(x))[0]
    x[parts[2], 3] = 1.0
    found = validated_ridge(x, y, parts)
    assert found.n_constant == 1
    np.testing.assert_allclose(
        found.predictions, validated_ridge(np.delete(x, 3, axis=1), y, parts).predictions
    )


def test_permuted_responses_are_not_predicted() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((500, 40)), rng.standard_normal((500, 60))
    r = []
    for parts in validation_parts(500):
        predicted = validated_ridge(x, y, parts).predictions
        keep = predicted.std(axis=0) > 1e-9
        r += [np.corrcoef(predicted[:, k], y[parts[2], k])[0, 1] for k in np.flatnonzero(keep)]
    assert abs(np.mean(r)) < 0.03


def test_parts_are_64_16_20_and_keep_groups_together() -> None:
    groups = np.repeat(np.arange(50), 10)
    tested = []
    for train, held, test in validation_parts(500, groups=groups):
        assert [len(train), len(held), len(test)] == [320, 80, 100]
        for one, other in ((train, held), (train, test), (held, test)):
            assert not set(groups[one]) & set(groups[other])
        tested.append(test)
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(500))


def test_torch_in_torch_out_and_mistakes_are_told() -> None:
    x, y = problem()
    parts = validation_parts(len(x))[0]
    assert isinstance(
        validated_ridge(torch.from_numpy(x), torch.from_numpy(y), parts).alphas, torch.Tensor
    )
    with pytest.raises(UserError, match="one row a presentation"):
        validated_ridge(x[:50], y, parts)
    with pytest.raises(UserError, match="above 0"):
        validated_ridge(x, y, parts, alphas=[0.0, 1.0])
    with pytest.raises(UserError, match="row twice"):
        validated_ridge(x, y, (parts[0], parts[0], parts[2]))
    with pytest.raises(UserError, match="no feature varies"):
        validated_ridge(np.ones_like(x), y, parts)
