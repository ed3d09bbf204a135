"""The layer that predicts best, chosen inside the training data and never on the reported fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError, unknown
from isocortex.measures.encoding.folds import Folds, as_folds
from isocortex.measures.encoding.problem import prepare
from isocortex.measures.encoding.result import Encoding, encoding
from isocortex.measures.encoding.ridge import ridge_cv
from isocortex.measures.encoding.scores import AGGREGATIONS, aggregate

PER = ("all", "target")


@dataclass(frozen=True)
class LayerChoice:
    """The chosen layer's predictions and which layer it was.

    Attributes
    ----------
    encoding : Encoding
        Predictions of each fold by the layer that its training data chose.
    layers : tuple of str
        Names of the candidates.
    chosen : numpy.ndarray of int, shape (folds, t)
        Position in `layers`; -1 for constant targets.
    inner_scores : numpy.ndarray, shape (folds, layers, t)
        Scores, or inner_r2, within the training data that the choice was made on.
    each : dict of str to Encoding
        Every layer by itself in the same folds, for curves over layers; choosing among these by
        their scores would be choosing on the reported data.
    """

    encoding: Encoding
    layers: tuple[str, ...]
    chosen: np.ndarray
    inner_scores: np.ndarray
    each: dict[str, Encoding]


def best_layer(
    layers: Mapping[str, Array],
    targets: Array,
    *,
    folds: Folds = 5,
    selection: Folds | str = 5,
    per: str = "all",
    how: str = "median_neuroids_mean_splits",
    method: Callable[..., Encoding] = ridge_cv,
    gram: bool = False,
    groups: Array | None = None,
    seed: int = 0,
    **options: Any,
) -> LayerChoice:
    """Predict targets from the layer that does best within the training data of each fold.

    For each fold, every layer is cross-validated among the training presentations; the layer with
    the best score there predicts the test presentations.

    Parameters
    ----------
    layers : mapping of str to array, shape (n, p) or, with `gram`, (n, n)
        Features, or their Grams, by layer.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds : int or sequence of (train, test)
        Folds that are reported.
    selection : int, sequence of (train, test) or "inner"
        Folds within the training presentations, on which layers are compared by their score; or
        "inner": by `Encoding.inner_r2`, from the inner folds that chose the penalty, which
        costs nothing beyond (ridge with several penalties).
    per : {"all", "target"}
        One layer for all targets (a region), by the aggregate `how`, or one for each target.
    how : str
        Aggregation, a name of `AGGREGATIONS`.
    method : callable
        `ridge_cv`, `pls_cv` or another function of the same form.
    gram : bool
        Whether `layers` holds Grams.
    groups : array, shape (n,), optional
        Presentations of one group stay together everywhere.
    seed : int
        Seed of random folds.
    **options
        Further arguments of `method`, e.g. ``alphas`` or ``n_components``.

    Returns
    -------
    LayerChoice
        Ties, and folds without any defined score, go to the first layer.

    Raises
    ------
    UserError
        For no layers, unknown names, and whatever `method` refuses.
    """
    if not layers:
        raise UserError("there are no layers to choose from; give at least one")
    if per not in PER:
        raise unknown("way to choose a layer", per, PER)
    if how not in AGGREGATIONS:
        raise unknown("aggregation", how, AGGREGATIONS)
    names = tuple(layers)
    first = prepare(layers[names[0]], targets, folds, gram=gram, groups=groups, seed=seed)
    options = {"seed": seed, **({"gram": True} if gram else {}), **options}
    labels = None if groups is None else np.asarray(groups)
    each = {
        name: method(layers[name], targets, folds=first.folds, groups=groups, **options)
        for name in names
    }
    if selection == "inner":
        scores = _inner_r2(each)
        totals = np.array([[aggregate(layer[None], how) for layer in fold] for fold in scores])
    elif isinstance(selection, str):
        raise unknown("selection of layers", selection, ("inner",), "or a number of folds")
    else:
        inner = []
        for train, _ in first.folds:
            members = None if labels is None else labels[train]
            splits = as_folds(selection, len(train), groups=members, seed=seed, what="selection")
            y = targets[train]
            inner.append(
                [
                    method(
                        _rows(layers[n], train, gram), y, folds=splits, groups=members, **options
                    )
                    for n in names
                ]
            )
        scores = np.array(
            [[to_torch(result.scores).double().cpu().numpy() for result in fold] for fold in inner]
        )
        totals = np.array([[result.aggregate(how) for result in fold] for fold in inner])
    compared = np.broadcast_to(totals[:, :, None], scores.shape) if per == "all" else scores
    chosen = np.where(np.isnan(compared), -np.inf, compared).argmax(axis=1)
    predictions = []
    for f, layer_of in enumerate(chosen):
        stacked = torch.stack([to_torch(each[n].fold_predictions[f]).double() for n in names])
        index = torch.from_numpy(layer_of).to(stacked.device)
        picked = stacked.gather(0, index.expand(1, *stacked.shape[1:]))[0].to(first.y.device)
        predictions.append(picked[:, torch.from_numpy(first.kept).to(picked.device)])
    result = encoding(first, predictions, each[names[0]].score)
    chosen[:, ~first.kept] = -1
    return LayerChoice(result, names, chosen, scores, each)


def _inner_r2(each: Mapping[str, Encoding]) -> np.ndarray:
    """Return what the inner folds of each layer explain, shape (folds, layers, t)."""
    found = []
    for result in each.values():
        if result.inner_r2 is None:
            raise UserError(
                "selection='inner' needs a method that chooses among several penalties; use "
                "ridge_cv, or a number of folds"
            )
        found.append(to_torch(result.inner_r2).double().cpu().numpy())
    return np.stack(found, axis=1)


def _rows(features: Array, rows: np.ndarray, gram: bool) -> Array:
    return features[rows][:, rows] if gram else features[rows]
