"""Ridge and partial least squares, cross-validated, against scikit-learn, himalaya and ikpls.

Random float64 numbers with shared latent signals; every way fits the same training rows and
predicts the same test rows. PLS: 648 stimuli, 6000 features, 168 neuroids, 25 components, 10 folds
(ikpls by the faster of its two algorithms; scikit-learn at its default tolerance, where its
weights have not converged, so that its predictions differ). Ridge: 900 stimuli, 4000 features, 600
neuroids, 20 penalties, 5 folds; `GridSearchCV` chooses one penalty for all neuroids by 5 inner
folds, himalaya one per neuroid by 5 inner folds (kernel and primal), `RidgeCV` one per neuroid by
leave-one-out; each is compared with the same choice here. Seconds are of the process on one thread,
whatever else the machine does: the better of two rounds in which all take turns, but for
scikit-learn's PLS and grid search (one round).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from ikpls.numpy import PLS
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold

from isocortex.measures import encoding

Predict = Callable[[np.ndarray, np.ndarray, list], list[np.ndarray]]

ALPHAS = np.logspace(0, 6, 20)
INNER = 5


def data(n: int, p: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets with a common spectrum that falls off, and private noise."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((n, 50)) / np.arange(1, 51) ** 0.5
    x = latent @ rng.standard_normal((50, p)) + 0.5 * rng.standard_normal((n, p))
    y = latent @ rng.standard_normal((50, t)) + rng.standard_normal((n, t)) * rng.gamma(2, 1, t)
    return x, y


def each_fold(fit: Callable[[np.ndarray, np.ndarray], Any]) -> Predict:
    """Predict fold by fold with a model that `fit` returns fitted."""
    return lambda x, y, folds: [fit(x[a], y[a]).predict(x[b]) for a, b in folds]


def our_pls(x: np.ndarray, y: np.ndarray, folds: list) -> list[np.ndarray]:
    return list(encoding.pls_cv(x, y, folds=folds, n_components=25).fold_predictions)


def ikpls(algorithm: int) -> Predict:
    def predict(x: np.ndarray, y: np.ndarray, folds: list) -> list[np.ndarray]:
        model = PLS(algorithm=algorithm, scale_X=False, scale_Y=False)
        return [model.fit(x[a], y[a], 25).predict(x[b], 25) for a, b in folds]

    return predict


def our_ridge(inner: str | list) -> Predict:
    def predict(x: np.ndarray, y: np.ndarray, folds: list) -> list[np.ndarray]:
        result = encoding.ridge_cv(x, y, folds=folds, alphas=ALPHAS, inner=inner)
        return list(result.fold_predictions)

    return predict


def our_ridge_in_folds(x: np.ndarray, y: np.ndarray, folds: list) -> list[np.ndarray]:
    rows = len(folds[0][0])
    return our_ridge(list(KFold(INNER).split(np.zeros(rows))))(x, y, folds)


def grid_search(x: np.ndarray, y: np.ndarray) -> Any:
    return GridSearchCV(Ridge(), {"alpha": ALPHAS}, cv=INNER).fit(x, y)


def leave_one_out(x: np.ndarray, y: np.ndarray) -> Any:
    return RidgeCV(ALPHAS, alpha_per_target=True).fit(x, y)


def himalaya(model: Any) -> Predict:
    """Centre by the training rows, as himalaya's guide does, and fit."""

    def predict(x: np.ndarray, y: np.ndarray, folds: list) -> list[np.ndarray]:
        return [
            model(alphas=ALPHAS, cv=INNER, fit_intercept=True).fit(x[a], y[a]).predict(x[b])
            for a, b in folds
        ]

    return predict


PLS_WAYS: dict[str, tuple[Predict, str | None, int]] = {
    "isocortex": (our_pls, None, 2),
    "ikpls, algorithm 1": (ikpls(1), "isocortex", 2),
    "ikpls, algorithm 2": (ikpls(2), "isocortex", 2),
    "scikit-learn PLSRegression": (
        each_fold(lambda x, y: PLSRegression(25, scale=False).fit(x, y)),
        "isocortex",
        1,
    ),
}
RIDGE_WAYS: dict[str, tuple[Predict, str | None, int]] = {
    "isocortex, 5 inner folds": (our_ridge_in_folds, None, 2),
    "isocortex, leave-one-out": (our_ridge("loo"), None, 2),
    "himalaya KernelRidgeCV": (himalaya(KernelRidgeCV), "isocortex, 5 inner folds", 2),
    "himalaya RidgeCV": (himalaya(HimalayaRidgeCV), "isocortex, 5 inner folds", 2),
    "scikit-learn RidgeCV": (each_fold(leave_one_out), "isocortex, leave-one-out", 2),
    "scikit-learn GridSearchCV(Ridge)": (each_fold(grid_search), "isocortex, 5 inner folds", 1),
}
"""Each way, ours that it is compared with, and rounds."""


def compare(
    what: str,
    ways: dict[str, tuple[Predict, str | None, int]],
    x: np.ndarray,
    y: np.ndarray,
    folds: list,
) -> list[dict[str, Any]]:
    """Let the ways take turns; rows with the better time, the ratio to ours, and median r."""
    seconds: dict[str, float] = {}
    predictions: dict[str, list[np.ndarray]] = {}
    for i in range(max(rounds for *_, rounds in ways.values())):
        for name, (predict, _, rounds) in ways.items():
            if i < rounds:
                start = time.process_time()
                predictions[name] = predict(x, y, folds)
                took = time.process_time() - start
                seconds[name] = min(seconds.get(name, np.inf), took)
    rows = []
    for name, (_, ours, _) in ways.items():
        r = [
            encoding.pearson_r(y[b], p) for p, (_, b) in zip(predictions[name], folds, strict=True)
        ]
        reference = predictions[ours or name]
        difference = max(
            float(np.median(np.abs(p - q).max(axis=0)))
            for p, q in zip(predictions[name], reference, strict=True)
        )
        rows.append(
            {
                "model": what,
                "way": name,
                "seconds": seconds[name],
                "ratio": "" if ours is None else seconds[name] / seconds[ours],
                "median r": encoding.aggregate(np.array(r)),
                "largest difference, median neuroid": difference,
            }
        )
    return rows


def main() -> list[dict[str, Any]]:
    """Measure both models in all folds."""
    x, y = data(648, 6000, 168)
    rows = compare("PLS", PLS_WAYS, x, y, encoding.k_fold(648, 10))
    x, y = data(900, 4000, 600)
    return rows + compare("ridge", RIDGE_WAYS, x, y, encoding.k_fold(900, 5))


if __name__ == "__main__":
    print(pd.DataFrame(main()).to_string(index=False))
