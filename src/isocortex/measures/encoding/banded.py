"""Banded ridge: several feature spaces, each with its own penalty, by himalaya."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array
from isocortex.errors import UserError
from isocortex.grams import gram_of
from isocortex.measures.encoding.folds import Folds, as_folds
from isocortex.measures.encoding.problem import prepare
from isocortex.measures.encoding.result import Encoding, encoding
from isocortex.measures.encoding.ridge import ALPHAS, check_alphas


def banded_ridge_cv(
    spaces: Mapping[str, Array],
    targets: Array,
    *,
    folds: Folds = 5,
    alphas: Array = ALPHAS,
    inner: Folds = 5,
    n_iter: int = 100,
    gram: bool = False,
    groups: Array | None = None,
    score: str = "pearson",
    seed: int = 0,
) -> Encoding:
    """Predict targets from several feature spaces, with a penalty per space and target.

    Each space is scaled to unit variance per training presentation; himalaya draws the spaces'
    shares at random (Dupré la Tour et al., NeuroImage 2022) and chooses, per target, shares and
    alpha with the least squared error over inner folds of the training presentations.

    Parameters
    ----------
    spaces : mapping of str to array, shape (n, p) or, with `gram`, (n, n)
        Feature spaces, or their Grams, by name.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds, alphas, inner, groups, score, seed
        As `ridge_cv`; `inner` is folds. Alphas are relative to the scaled spaces.
    n_iter : int
        Random shares tried; the first are the spaces alone and all alike.
    gram : bool
        Whether `spaces` holds Grams.

    Returns
    -------
    Encoding
        With ``alphas`` of shape (folds, spaces, t): the penalty of each scaled space, huge
        where it is not used.

    Raises
    ------
    UserError
        If himalaya is not installed, for no spaces, and as `ridge_cv`.
    """
    solver = _himalaya()
    if not spaces:
        raise UserError("there are no feature spaces; give at least one")
    problems = [
        prepare(x, targets, folds, gram=gram, groups=groups, seed=seed) for x in spaces.values()
    ]
    first = problems[0]
    grams = torch.stack([p.x if p.gram else gram_of(p.x) for p in problems])
    penalties = check_alphas(alphas).numpy()
    labels = None if groups is None else np.asarray(groups)
    chosen, predictions = [], []
    for train, test in first.folds:
        members = None if labels is None else labels[train]
        splits = as_folds(inner, len(train), groups=members, seed=seed, what="inner")
        fitted, tested = _centred(grams, train, test)
        y = first.y[torch.from_numpy(train).to(first.y.device)]
        mean = y.mean(dim=0)
        with _numpy_backend():
            model = solver(
                kernels="precomputed",
                solver="random_search",
                solver_params={
                    "alphas": penalties,
                    "n_iter": n_iter,
                    "progress_bar": False,
                },
                cv=splits,
                random_state=seed,
            )
            model.fit(fitted.cpu().numpy(), (y - mean).cpu().numpy())
            predicted = model.predict(tested.cpu().numpy())
        predictions.append(torch.from_numpy(predicted).to(mean) + mean)
        chosen.append(torch.exp(-torch.from_numpy(np.asarray(model.deltas_))).to(mean))
    return encoding(first, predictions, score, alphas=torch.stack(chosen))


def _himalaya() -> Any:
    try:
        from himalaya.kernel_ridge import MultipleKernelRidgeCV
    except ImportError:
        raise UserError(
            "banded ridge needs himalaya; install it with: pip install 'isocortex[encoding]'"
        ) from None
    return MultipleKernelRidgeCV


@contextmanager
def _numpy_backend() -> Iterator[None]:
    """Compute in numpy, whatever backend the user has set, and give that back."""
    from himalaya.backend import get_backend, set_backend

    before = get_backend().name
    set_backend("numpy")
    try:
        yield
    finally:
        set_backend(before)


def _centred(grams: Tensor, train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
    """Grams of training and of test with training rows, centred and scaled by the former."""
    a, b = (torch.from_numpy(rows).to(grams.device) for rows in (train, test))
    inner, across = grams[:, a][:, :, a], grams[:, b][:, :, a]
    mean = inner.mean(dim=1, keepdim=True)
    total = mean.mean(dim=2, keepdim=True)
    across = across - across.mean(dim=2, keepdim=True) - mean + total
    inner = inner - mean - mean.mT + total
    size = inner.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    size = torch.where(size > 0, size, 1.0)
    return inner / size, across / size
