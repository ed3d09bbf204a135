"""What an area saw and answered, in the form in which networks are fitted to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Shown:
    """What an area saw and answered.

    Attributes
    ----------
    images : Tensor, shape (n, 3, h, w)
        Standardised by the training rows of the first fold; grey is replicated.
    responses : numpy.ndarray, shape (n, t)
    trials : numpy.ndarray, shape (repetitions, n, t), or None
        NaN where one was not shown; of the rows `repeated` alone, where these are given.
    groups : numpy.ndarray, shape (n,), or None
        Presentations that must stay in one part.
    kinds : tuple of str
        Of each neuroid; "" where there are none.
    parts : list of (train, validation, test)
        The folds, the same for all networks.
    repeated : numpy.ndarray, or None
        Rows that were shown more than once; all if None.
    """

    images: Tensor
    responses: np.ndarray
    trials: np.ndarray | None
    groups: np.ndarray | None
    kinds: tuple[str, ...]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    repeated: np.ndarray | None = None

    @property
    def train(self) -> np.ndarray:
        """Training rows of the first fold, on which batch statistics are estimated."""
        return self.parts[0][0]
