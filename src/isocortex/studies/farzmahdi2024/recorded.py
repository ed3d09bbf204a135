"""The recorded face patch as a step of the study, and the alignment of networks with it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch

from isocortex.brains.face_views import read_face_views
from isocortex.execution import Step
from isocortex.measures.correlation import pearson
from isocortex.studies.farzmahdi2024.facepatch_tables import analyse

KEYS = ["source", "policy", "seed", "layer"]


class FacePatchAM(Step):
    """Run the protocol of specification 5.3 on the recorded population."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("path",)
    path: Path
    checksum: str
    splits: int
    null_draws: int
    resamples: int

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return the tables of the population."""
        return analyse(
            read_face_views(self.path),
            n_splits=self.splits,
            n_draws=self.null_draws,
            n_resamples=self.resamples,
        )


def alignment(recorded: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Correlate design-pooled distances of every layer with those of the recording.

    The score is the mean over the two blocks (same person, different persons) of Pearson's r over
    the places of the design (specification 5.3.9); NaN where a block is constant.

    Parameters
    ----------
    recorded : DataFrame
        ``block``, ``view``, ``other_view``, ``distance``.
    networks : DataFrame
        The same, for each ``source``, ``policy``, ``seed`` and ``layer``.

    Returns
    -------
    DataFrame
        One row a network and layer, with its ``score``.
    """
    places = ["block", "view", "other_view"]
    both = networks.merge(recorded, on=places, suffixes=("", "_recorded"), validate="m:1")
    rows = []
    for key, blocks in both.groupby(KEYS, sort=False):
        r = [
            float(pearson(*torch.tensor(block[["distance", "distance_recorded"]].to_numpy().T)))
            for _, block in blocks.groupby("block", sort=False)
        ]
        rows.append((*key, sum(r) / len(r)))
    return pd.DataFrame(rows, columns=[*KEYS, "score"])
