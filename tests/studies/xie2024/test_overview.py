"""What counts as learned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from isocortex.studies.xie2024.networks import Train
from isocortex.studies.xie2024.overview import (
    curve_correlations,
    mean_correlation,
    training_table,
)


def metrics(**tasks: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"task": task, "metric": metric, "value": value, "step": 10}
        for task, found in tasks.items()
        for metric, value in found.items()
    ]
    return pd.DataFrame(rows)


def loss(value: float, constant: float = 1.0, **more: float) -> dict[str, float]:
    return {"loss": value, "constant_loss": constant} | more


def test_networks_of_less_variability_are_gated_by_images_of_their_own() -> None:
    def network(variant: str, seed: int, value: float) -> Train:
        identity = {"task_set": "distance", "variant": variant, "seed": seed}
        outcome = {"metrics": metrics(distance=loss(value))}
        return cast(
            Train,
            SimpleNamespace(
                title=f"distance {variant} seed {seed}", steps=10, identity=identity,
                result=lambda: outcome,
            ),
        )  # fmt: skip

    networks = [network("full", 0, 0.9), network("centred", 0, 1.4), network("centred", 1, 1.4)]
    own = {
        networks[1].title: metrics(distance=loss(0.5)),
        networks[2].title: metrics(distance=loss(0.9)),
    }
    found = training_table(networks, own).groupby(["variant", "seed"])["learned"].all()
    assert found.to_dict() == {("full", 0): False, ("centred", 0): True, ("centred", 1): False}


def test_what_follows_the_clock_alone_has_no_partial_correlation() -> None:
    rng = np.random.default_rng(0)
    step = np.unique(np.geomspace(1, 1e6, 2_000).round())
    time = np.log1p(step)
    shared = rng.standard_normal(len(step))
    noise = rng.standard_normal((2, len(step)))
    runs = {0: (time + noise[0], time + noise[1]), 1: (time + shared, time + 2 * shared)}
    curves = pd.concat(
        [
            pd.DataFrame({"performance": p, "A": a, "step": step, "seed": seed})
            for seed, (p, a) in runs.items()
        ]
    ).assign(task_set="distance", variant="full")
    found = curve_correlations(curves).set_index("seed")
    assert (found["r"] > 0.8).all()
    assert abs(found["partial_r"][0]) < 0.1
    assert found["partial_r"][1] == pytest.approx(1)
    flat = curve_correlations(curves.assign(A=1.0))
    assert flat[["r", "partial_r"]].isna().all(axis=None)


def test_the_mean_correlation_is_fishers() -> None:
    r = np.array([0.2, np.nan, 0.5, 0.7, 0.4])
    found = mean_correlation(r)
    z = np.array([0.5 * np.log((1 + v) / (1 - v)) for v in r if v == v])
    half = 3.182446 * z.std(ddof=1) / 2  # Student's t for 95 % and three degrees of freedom
    expected = [np.tanh(v) for v in (z.mean(), z.mean() - half, z.mean() + half)]
    np.testing.assert_allclose([found.estimate, found.low, found.high], expected, rtol=1e-6)
    assert found.n == 4
    assert mean_correlation(np.ones(3)).estimate > 0.999
