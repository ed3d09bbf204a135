"""The 92 objects: their images, with dissimilarities from human fMRI and behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from isocortex.brains.assembly import Card
from isocortex.data import read_npz
from isocortex.errors import UserError, unknown
from isocortex.stimuli import StimulusSet, image_files

_REGIONS = {
    "EVC": "rdm_fmri_EVC_subjects",
    "IT": "rdm_fmri_IT_subjects",
    "behaviour": "rdm_behaviour_subjects",
}
_FLAGS = ("is_human", "is_face", "is_animal", "is_natural")


@dataclass(frozen=True, eq=False)
class SubjectRDMs:
    """Dissimilarity matrices of several subjects, for one set of stimuli.

    Attributes
    ----------
    rdms : mapping of str to xarray.DataArray
        Region (or "behaviour") -> dims (subject, stimulus, stimulus_2), symmetric, 0 on the
        diagonal. ``hIT`` of the 92 objects has the dims (subject, session, ...), too.
    stimuli : StimulusSet
        The images, in the order of the matrices.
    card : Card
        Licence and citation.
    """

    rdms: Mapping[str, xr.DataArray]
    stimuli: StimulusSet
    card: Card

    def __repr__(self) -> str:
        regions = ", ".join(f"{name} {dict(rdm.sizes)}" for name, rdm in self.rdms.items())
        return f"SubjectRDMs({self.card.name}: {regions})"

    def mean(self, region: str) -> xr.DataArray:
        """Return the mean matrix over subjects and sessions, dims (stimulus, stimulus_2).

        Raises
        ------
        UserError
            If there is no such region.
        """
        if region not in self.rdms:
            raise unknown("region", region, self.rdms)
        rdm = self.rdms[region]
        return rdm.mean([d for d in rdm.dims if not str(d).startswith("stimulus")])


def read_objects92(card: Card, path: Path) -> SubjectRDMs:
    """Read the 92 objects (Kriegeskorte et al. 2008; Cichy et al. 2014; Mur et al. 2013).

    Parameters
    ----------
    card : Card
        Whose data these are.
    path : Path
        The ``.npz`` file.

    Returns
    -------
    SubjectRDMs
        Of "EVC" and "IT" (15 subjects), "hIT" (4 subjects, 2 sessions), "behaviour" (16).

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    keys = ("images", "category", *_FLAGS, *_REGIONS.values(), "rdm_hIT_subject_session")
    arrays = read_npz(path, keys)
    images, n = arrays["images"], len(arrays["images"])
    table = pd.DataFrame({"stimulus_id": [f"object{i:02d}" for i in range(n)]})
    matrices = {k: arrays[k] for k in (*_REGIONS.values(), "rdm_hIT_subject_session")}
    fits = (
        images.ndim == 4
        and images.dtype == np.uint8
        and all(len(arrays[k]) == n for k in ("category", *_FLAGS))
        and all(m.shape[-2:] == (n, n) and np.isfinite(m).all() for m in matrices.values())
    )
    if not fits:
        raise UserError(f"'{path}': its arrays do not fit together; replace it by an intact copy")
    table["category"] = arrays["category"].astype(str)
    for flag in _FLAGS:
        table[flag] = arrays[flag].astype(bool)
    stimuli = StimulusSet.from_tensor(
        image_files.from_eight_bit(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), table
    )
    pair = ("stimulus", "stimulus_2")
    rdms = {r: xr.DataArray(arrays[k], dims=("subject", *pair)) for r, k in _REGIONS.items()}
    rdms["hIT"] = xr.DataArray(
        arrays["rdm_hIT_subject_session"], dims=("subject", "session", *pair)
    )
    ids = table["stimulus_id"].to_numpy()
    labelled = {
        region: rdm.assign_coords(stimulus=ids, stimulus_2=ids) for region, rdm in rdms.items()
    }
    return SubjectRDMs(labelled, stimuli, card)
