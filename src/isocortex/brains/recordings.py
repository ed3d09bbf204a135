"""Recordings of the data folder that are assemblies: V4, V1, AM, IT and human fMRI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.brains.archived_images import archived_images
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.face_views import read_face_views
from isocortex.brains.repetitions import stacked
from isocortex.data import read_npz
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet, image_archives

WINDOW_MS = (100, 400)
"""Spikes of AM and IT neurons are counted from 100 to 400 ms after stimulus onset."""

MOST_TRIALS = 32
"""Repetitions kept of one cell: a few AM cells were shown hundreds of times, others five times."""


def read_cowley(card: Card, responses: Path, images: Path) -> Assembly:
    """Read one session of V4 responses to natural images (Cowley et al. 2023).

    Responses are spike counts in 100 ms, means over repetitions; session 210325 has trials.

    Parameters
    ----------
    card : Card
        Whose data these are.
    responses, images : Path
        The ``.npz`` file and the zip of ``image0001.jpg``, ...

    Raises
    ------
    UserError
        If a file is missing, damaged, or the two do not fit together.
    """
    arrays = read_npz(responses, ("responses", "session", "animal", "image_kind"))
    repeated = str(arrays["session"]) in _WITH_TRIALS
    means = arrays["responses"]
    _check(means.ndim == 2, responses)
    entries = image_archives.names(images, r"image\d{4}\.jpg")
    expected = [f"image{i + 1:04d}.jpg" for i in range(len(means))]
    if entries != expected:
        raise UserError(
            f"{images} holds {len(entries)} images for {len(means)} rows of responses; "
            "replace both files by intact copies"
        )
    trials = None
    if repeated:
        by_trial = read_npz(responses, ("responses_trials",))["responses_trials"]
        _check(by_trial.shape[:2] == means.shape and by_trial.ndim == 3, responses)
        trials = np.ascontiguousarray(by_trial.transpose(2, 0, 1))
    session, animal = str(arrays["session"]), str(arrays["animal"])
    table = pd.DataFrame({"stimulus_id": [f"{session}/{Path(e).stem}" for e in entries]})
    table["image_kind"] = str(arrays["image_kind"])
    units = pd.DataFrame({"neuroid_id": [f"{session}/{i}" for i in range(means.shape[1])]})
    units = units.assign(region="V4", animal=animal, session=session)
    return Assembly(
        means,
        trials=trials,
        units=units,
        stimuli=archived_images(images, entries, table, channels=3),
        card=card.noting(response="spikes in 100 ms"),
    )


_WITH_TRIALS = ("210325",)


@dataclass(frozen=True, eq=False)
class _Packed:
    """Source of binary images, eight pixels a byte."""

    bits: np.ndarray

    def __call__(self, rows: np.ndarray) -> Tensor:
        images = np.unpackbits(self.bits[rows], axis=-1).astype(np.float32)
        return torch.from_numpy(images)[:, None]


def read_tang(card: Card, path: Path) -> Assembly:
    """Read V1 responses to 9500 binary patterns (Tang et al. 2018); there are no repetitions.

    Parameters
    ----------
    card : Card
        Whose data these are.
    path : Path
        The ``.npz`` file.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    arrays = read_npz(path, ("stimuli_packed", "responses", "neuron_id"))
    bits, responses = arrays["stimuli_packed"], arrays["responses"]
    _check(
        bits.ndim == 3
        and bits.dtype == np.uint8
        and responses.shape == (len(bits), len(arrays["neuron_id"])),
        path,
    )
    table = pd.DataFrame({"stimulus_id": [f"pattern{i:04d}" for i in range(len(bits))]})
    units = pd.DataFrame({"neuroid_id": arrays["neuron_id"].astype(str)})
    return Assembly(
        responses,
        units=units.assign(region="V1", animal="A"),
        stimuli=StimulusSet(_Packed(bits), table, shape=(1, bits.shape[1], bits.shape[2] * 8)),
        card=card.noting(response="dF/F, mean of trials"),
    )


def read_face_view_assembly(card: Card, path: Path) -> Assembly:
    """Read the AM population as an assembly of 25 persons x 8 head orientations.

    Rates are spikes/s in `WINDOW_MS`. Neurons that never saw some cell of the design are left
    out and counted on the card; `read_face_views` keeps them, and any window. Responses are means
    of all trials; of these at most `MOST_TRIALS` are kept one by one.

    Parameters
    ----------
    card : Card
        Whose data these are.
    path : Path
        The ``.npz`` file.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    recorded = read_face_views(path)
    neurons, persons, views = recorded.shape
    person, view = (a.ravel() for a in np.indices((persons, views)))
    names = [recorded.view_names[v] for v in view]
    presentations = pd.DataFrame(
        {
            "stimulus_id": [f"person{p + 1:02d}/{n}" for p, n in zip(person, names, strict=True)],
            "person": person,
            "view_name": names,
            "yaw": recorded.view_yaw[view],
        }
    )
    cell = np.ravel_multi_index(
        (recorded.person, recorded.view, recorded.neuron), (persons, views, neurons)
    )
    trials = _rates(recorded.counts, recorded.bin_edges, cell, (persons * views, neurons), path)
    units = pd.DataFrame({"neuroid_id": [str(i) for i in range(neurons)], "site": recorded.site})
    means = recorded.rates(WINDOW_MS).values.reshape(neurons, -1).T
    return Assembly.dropping_incomplete(
        means,
        trials=trials,
        presentations=presentations,
        units=units.assign(region=recorded.area, animal=recorded.monkey),
        card=card.noting(response="spikes/s", window_ms=list(WINDOW_MS)),
    )


def read_it_objects(card: Card, path: Path) -> Assembly:
    """Read the IT population as an assembly of 7 objects x 3 positions (Zhang et al. 2011).

    Rates are spikes/s in `WINDOW_MS`.

    Parameters
    ----------
    card : Card
        Whose data these are.
    path : Path
        The ``.npz`` file.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    keys = ("trial_neuron", "trial_object", "trial_position", "trial_counts", "bin_edges_ms")
    arrays = read_npz(path, (*keys, "object_names", "position_names", "site"))
    names = [str(n) for n in arrays["object_names"]], [str(n) for n in arrays["position_names"]]
    neurons, design = len(arrays["site"]), (len(names[0]), len(names[1]))
    index = [arrays[f"trial_{k}"].astype(np.int64) for k in ("object", "position", "neuron")]
    _check(
        all(
            i.shape == (len(arrays["trial_counts"]),) and i.min() >= 0 and i.max() < size
            for i, size in zip(index, (*design, neurons), strict=True)
        ),
        path,
    )
    cell = np.ravel_multi_index(tuple(index), (*design, neurons))
    shape = (design[0] * design[1], neurons)
    trials = _rates(arrays["trial_counts"], arrays["bin_edges_ms"], cell, shape, path)
    which, where = (a.ravel() for a in np.indices(design))
    presentations = pd.DataFrame(
        {"object": [names[0][i] for i in which], "position": [names[1][i] for i in where]}
    )
    presentations.insert(
        0, "stimulus_id", presentations["object"] + "/" + presentations["position"]
    )
    units = pd.DataFrame({"neuroid_id": [str(i) for i in range(neurons)]})
    units["site"] = arrays["site"].astype(str)
    return Assembly.dropping_incomplete(
        trials=trials,
        presentations=presentations,
        units=units.assign(region="IT"),
        card=card.noting(response="spikes/s", window_ms=list(WINDOW_MS)),
    )


def read_fmri_categories(card: Card, path: Path) -> Assembly:
    """Read human fMRI of 81 object categories: betas of voxels in 7 regions, no repetitions.

    Parameters
    ----------
    card : Card
        Whose data these are.
    path : Path
        The ``.npz`` file.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    arrays = read_npz(path, ("betas", "category", "voxel_roi", "roi_names"))
    betas, roi, names = arrays["betas"], arrays["voxel_roi"], arrays["roi_names"].astype(str)
    _check(
        betas.ndim == 2
        and betas.shape == (len(arrays["category"]), len(roi))
        and roi.min() >= 1
        and roi.max() <= len(names),
        path,
    )
    category = arrays["category"].astype(str)
    return Assembly(
        betas,
        presentations=pd.DataFrame({"stimulus_id": category, "category": category}),
        units=pd.DataFrame({"region": names[roi - 1]}),
        card=card.noting(response="fMRI beta"),
    )


def _rates(
    counts: np.ndarray, edges: np.ndarray, cell: np.ndarray, shape: tuple[int, int], path: Path
) -> np.ndarray:
    """Return spikes/s in `WINDOW_MS`, shape (repetitions, presentations, neuroids)."""
    start, stop = WINDOW_MS
    _check(
        counts.shape == (len(cell), len(edges) - 1) and {start, stop} <= set(edges.tolist()), path
    )
    inside = (edges[:-1] >= start) & (edges[1:] <= stop)
    rates = counts[:, inside].sum(axis=1, dtype=np.float64) / ((stop - start) / 1000)
    trials = stacked(rates, cell, shape[0] * shape[1], MOST_TRIALS)
    return trials.reshape(len(trials), *shape)


def _check(fits: bool, path: Path) -> None:
    if not fits:
        raise UserError(f"'{path}': its arrays do not fit together; replace it by an intact copy")
