"""Natural patches: of photographs, or of dead leaves where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isocortex.stimuli import dead_leaves, whole_photographs

SPLITS = {"train": 0, "val": 1}
_LEAVES = 100
_WIDE = 160


@dataclass(frozen=True, eq=False)
class Patches:
    """Grey patches and the photographs that they come from.

    Attributes
    ----------
    images : Tensor, shape (n, 1, size, size)
        In [0, 1].
    photograph : numpy.ndarray, shape (n,)
        Number of the photograph.
    source : str
        "bsds500" or "dead leaves".
    """

    images: Tensor
    photograph: np.ndarray
    source: str


def natural_patches(n: int, size: int, split: str, data: Path | None, *, seed: int = 0) -> Patches:
    """Cut random patches out of grey photographs at half their size.

    Parameters
    ----------
    n, size : int
    split : {"train", "val"}
        Photographs of BSDS500, 200 and 100; without data as many dead-leaves images.
    data : Path or None
    seed : int
        Of the places. Photographs take turns.
    """
    pictures = _pictures(split, data)
    rng = np.random.default_rng([seed, SPLITS[split]])
    which = rng.permutation(n) % len(pictures)
    out = torch.empty(n, 1, size, size)
    for i, k in enumerate(which):
        height, width = pictures[k].shape
        y, x = rng.integers(0, height - size + 1), rng.integers(0, width - size + 1)
        out[i, 0] = pictures[k][y : y + size, x : x + size]
    return Patches(out, which, "dead leaves" if data is None else "bsds500")


@lru_cache(maxsize=4)
def _pictures(split: str, data: Path | None) -> list[Tensor]:
    if data is None:
        leaves = dead_leaves(_LEAVES, _WIDE, seed=SPLITS[split])
        return list(leaves[:, 0])
    return whole_photographs(data, "bsds500", split=split, halvings=1)
