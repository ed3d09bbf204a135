"""Brain-Score's protocol of neural predictivity, as one preset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocortex.arrays import Array, to_torch
from isocortex.errors import UserError
from isocortex.measures.encoding.folds import stratified_shuffle
from isocortex.measures.encoding.pls import pls_cv
from isocortex.measures.encoding.result import Encoding
from isocortex.measures.encoding.scores import aggregate, normalise
from isocortex.measures.reliability import spearman_brown, split_half


@dataclass(frozen=True)
class BrainScore:
    """A score by Brain-Score's protocol.

    Attributes
    ----------
    raw : float
        Median r over neuroids, mean over splits.
    splits : numpy.ndarray, shape (splits,)
        Median r over neuroids of each split.
    ceiling : float
        Internal consistency in the same aggregation; NaN if there are no repetitions.
    score_2024, score_2026 : float
        ``(raw / ceiling)^2``, reported until January 2026, and ``raw^2 / ceiling``, since.
    encoding : Encoding
        Predictions and scores per neuroid.
    """

    raw: float
    splits: np.ndarray
    ceiling: float
    score_2024: float
    score_2026: float
    encoding: Encoding


def internal_consistency(repetitions: Array, *, n_splits: int = 10, seed: int = 1) -> float:
    """Return the ceiling of Brain-Score's protocol.

    The correlation of the means of random halves of the repetitions, ``2 r / (1 + r)``; median over
    neuroids, mean over splits.

    Parameters
    ----------
    repetitions : array, shape (repetitions, n, t)
        Single trials, NaN where one was not shown.
    n_splits : int
        Random halves.
    seed : int
        Seed of the halves.

    Raises
    ------
    UserError
        As `split_half`.
    """
    return aggregate(spearman_brown(split_half(repetitions, n_splits=n_splits, seed=seed).splits))


def brain_score(
    features: Array,
    targets: Array,
    *,
    labels: Array | None = None,
    repetitions: Array | None = None,
    ceiling: float | None = None,
    gram: bool = False,
    n_splits: int = 10,
    n_components: int = 25,
    seed: int = 1,
) -> BrainScore:
    """Score a layer by Brain-Score's protocol.

    PLS regression of all neuroids jointly on 25 components, features and responses centred and
    not scaled; 10 splits of 90 / 10 % of the stimuli, stratified by label; Pearson r on the test
    stimuli, median over neuroids, mean over splits. The ceiling is the correlation of the means of
    10 random halves of the repetitions, ``2 r / (1 + r)``, in the same aggregation.

    Parameters
    ----------
    features : array, shape (n, p) or, with `gram`, (n, n)
        Responses of the layer.
    targets : array, shape (n, t)
        Responses averaged over repetitions.
    labels : array, shape (n,), optional
        What splits are stratified by (object names, as a rule); plain shuffles without.
    repetitions : array, shape (repetitions, n, t), optional
        Single trials for the ceiling.
    ceiling : float, optional
        A known ceiling, instead of `repetitions`.
    gram : bool
        Whether `features` is a Gram.
    n_splits, n_components : int
        As above.
    seed : int
        Seed of splits and halves.

    Returns
    -------
    BrainScore
        Scores that need a ceiling are NaN without one.

    Raises
    ------
    UserError
        For both a ceiling and repetitions, and as `pls_cv`, `stratified_shuffle`, `split_half`.

    Notes
    -----
    Brain-Score leaves scikit-learn's iteration at its default tolerance, 1e-6, where the weights
    are not converged; here they are, as at ``tol=1e-14``. Its splits are those of one
    random generator; these are others of the same distribution.
    """
    if ceiling is not None and repetitions is not None:
        raise UserError("give a ceiling or repetitions to compute it from, not both")
    strata = np.zeros(len(targets), dtype=int) if labels is None else labels
    folds = stratified_shuffle(strata, n_splits, test_share=0.1, seed=seed)
    result = pls_cv(features, targets, folds=folds, n_components=n_components, gram=gram)
    if repetitions is not None:
        ceiling = internal_consistency(repetitions, n_splits=n_splits, seed=seed)
    top = float("nan") if ceiling is None else float(ceiling)
    raw = result.aggregate()
    scores = to_torch(result.fold_scores).double().cpu().numpy()
    return BrainScore(
        raw=raw,
        splits=np.array([aggregate(row[None]) for row in scores]),
        ceiling=top,
        score_2024=float(normalise(raw, top, "brainscore_2024")),
        score_2026=float(normalise(raw, top, "brainscore_2026")),
        encoding=result,
    )
