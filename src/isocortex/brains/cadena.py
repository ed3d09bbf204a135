"""V1 responses to natural and synthesised images of Cadena et al. (2019)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.brains.array_pickles import read_pickled_arrays
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.imported_files import MEND
from isocortex.errors import UserError, unknown
from isocortex.stimuli import StimulusSet

FIELDS = ("images", "responses", "image_ids", "image_types", "repetitions", "subject_id")
"""Fields of the published dictionary that are read."""

PIXELS_PER_DEGREE = 70
TEST_SHARE = 0.2
"""The last fifth of the images is the published test set."""


@dataclass(frozen=True, eq=False)
class _Levels:
    """Source of grey images held in memory as they were stored."""

    levels: np.ndarray
    scale: float

    def __call__(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(self.levels[rows].astype(np.float32) / np.float32(self.scale))[
            :, None
        ]


def read_cadena(
    path: str | os.PathLike[str],
    *,
    image_types: Sequence[str] | None = None,
    card: Card | None = None,
) -> Assembly:
    """Import ``cadena_ploscb_data.pkl``: spike counts of macaque V1 neurons, up to four trials.

    Neurons that did not see every image are left out and counted on the card. Images are 140 px
    at 70 px a degree; `presentations` say the type of each and whether it is one of the last
    fifth, the published test set.

    Parameters
    ----------
    path : path
        The pickled dictionary; nothing but arrays is taken from it.
    image_types : sequence of str, optional
        Only these, e.g. ``["original"]``; all five types by default.
    card : Card, optional
        Licence and citation.

    Returns
    -------
    Assembly
        With trials, NaN where an image was shown less often to a neuron.

    Raises
    ------
    UserError
        If the file is missing or damaged, lacks a field, or its fields do not fit together.
    """
    found = read_pickled_arrays(path, FIELDS)
    images, trials = found["images"], found["responses"]
    n, neurons = images.shape[0], len(found["repetitions"])
    if images.ndim != 3 or images.dtype.kind not in "uif":
        raise UserError(
            f"'{path}': images are {images.dtype} {images.shape}, not (n, h, w); {MEND}"
        )
    if trials.ndim != 3 or trials.shape[1:] != (n, neurons) or trials.dtype.kind not in "uif":
        raise UserError(
            f"'{path}': responses are {trials.dtype} {trials.shape} for {n} images and {neurons} "
            f"neurons; {MEND}"
        )
    ids, types = (found[k].ravel() for k in ("image_ids", "image_types"))
    if len(ids) != n or len(types) != n or len(found["subject_id"].ravel()) != neurons:
        raise UserError(f"'{path}': fields differ in length; {MEND}")
    kinds = np.array([str(kind) for kind in types])
    keep = np.ones(n, dtype=bool)
    if image_types is not None:
        for kind in image_types:
            if kind not in kinds:
                raise unknown("image type", kind, sorted(set(kinds)))
        keep = np.isin(kinds, list(image_types))
    table = pd.DataFrame(
        {
            # Images synthesised from one photograph carry its number.
            "stimulus_id": [
                f"{kind}/{i}/{k}" for k, (kind, i) in enumerate(zip(kinds, ids, strict=True))
            ],
            "image_id": ids.astype(np.int64),
            "image_type": kinds,
            "part": np.where(np.arange(n) >= int(n * (1 - TEST_SHARE)), "test", "train"),
        }
    )[keep].reset_index(drop=True)
    shown = images[keep]
    if not np.isfinite(shown).all() or shown.min() < 0:
        raise UserError(f"'{path}': images have NaN or negative levels; {MEND}")
    scale = 255.0 if shown.max() > 1 else 1.0
    return Assembly.dropping_incomplete(
        trials=trials[:, keep],
        units=pd.DataFrame(
            {
                "neuroid_id": [str(k) for k in range(neurons)],
                "region": "V1",
                "animal": found["subject_id"].ravel().astype(str),
                "repetitions": found["repetitions"].ravel().astype(np.int64),
            }
        ),
        stimuli=StimulusSet(
            _Levels(shown, scale),
            table,
            shown.shape[-1] / PIXELS_PER_DEGREE,
            shape=(1, *shown.shape[1:]),
        ),
        card=(Card("v1-cadena") if card is None else card).noting(response="spikes, 40-100 ms"),
    )
