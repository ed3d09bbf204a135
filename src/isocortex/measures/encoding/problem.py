"""What every encoding model starts from: checked features or Gram, targets, and folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError
from isocortex.grams import constant_columns, gram_of
from isocortex.measures.encoding.folds import Fold, Folds, as_folds


@dataclass(frozen=True)
class Problem:
    """Checked input of one call, in float64.

    Attributes
    ----------
    x : Tensor, shape (n, p) or (n, n)
        Features less their mean (a shift, which the models undo), or the Gram if `gram`.
    gram : bool
        Whether `x` is a Gram: it was given, or there are fewer presentations than features.
    y : Tensor, shape (n, kept targets)
        Targets without the constant ones.
    kept : numpy.ndarray of bool, shape (t,)
        Which targets are in `y`.
    folds : list of (train, test)
        Checked row numbers.
    n_constant_features : int
        Features without variance; 0 where a Gram was given, which does not tell.
    template : array
        The targets as given: kind, dtype and device of the results.
    """

    x: Tensor
    gram: bool
    y: Tensor
    kept: np.ndarray
    folds: list[Fold]
    n_constant_features: int
    template: Array

    @property
    def n(self) -> int:
        """Number of presentations."""
        return len(self.y)


def prepare(
    features: Array,
    targets: Array,
    folds: Folds,
    *,
    gram: bool = False,
    groups: Array | None = None,
    seed: int = 0,
    reduce: bool = True,
) -> Problem:
    """Check the input of an encoding model and bring it into its smaller form.

    Parameters
    ----------
    features : array, shape (n, p) or (n, n)
        Features, or with `gram` the Gram of features or any positive semi-definite kernel.
    targets : array, shape (n, t) or (n,)
        Recorded responses.
    folds : int or sequence of (train, test)
        As `as_folds` takes them.
    gram : bool
        Whether `features` is a Gram.
    groups : array, shape (n,), optional
        Groups that must not be divided.
    seed : int
        Seed of random folds.
    reduce : bool
        Whether more features than presentations are replaced by their Gram.

    Returns
    -------
    Problem
        In float64 on the device of the features.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN or infinity, a Gram that is not square, impossible folds.
    """
    x, y = to_torch(features), to_torch(targets)
    if y.ndim == 1:
        y = y[:, None]
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise UserError(
            "features (stimuli, units) and targets (stimuli, neuroids) must share their first "
            f"axis, not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if gram and x.shape[0] != x.shape[1]:
        raise UserError(f"a Gram is (stimuli, stimuli), not {tuple(x.shape)}; or leave gram=False")
    check_finite(x, "features")
    check_finite(y, "targets")
    checked = as_folds(folds, len(x), groups=groups, seed=seed)
    y = y.double().to(x.device)
    kept = ~constant_columns(y).cpu().numpy()
    constant = 0
    if gram:
        x = x.double()
    else:
        constant = int(constant_columns(x).sum())
        x = x - x.mean(dim=0)
        if reduce and x.shape[1] > x.shape[0]:
            x, gram = gram_of(x), True
        else:
            x = x.double()
    y = y[:, torch.from_numpy(kept).to(y.device)]
    return Problem(x, gram, y, kept, checked, constant, targets)


def check_finite(x: Tensor, what: str) -> None:
    """Refuse NaN and infinity, with the first place of it."""
    if bool(torch.isfinite(x.sum())):
        return
    bad = (~torch.isfinite(x)).nonzero()
    if len(bad):
        raise UserError(
            f"{what}: {len(bad)} of {x.numel()} values are NaN or infinite, the first at "
            f"{tuple(bad[0].tolist())}; leave those rows or columns out"
        )
