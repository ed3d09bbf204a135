"""What is measured in one network: tuning of every layer, its symmetries, its null."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.execution import Step
from isocortex.measures import symmetry, viewpoint
from isocortex.recording import Recording
from isocortex.statistics import permutation_p
from isocortex.stimuli.transforms import TRANSFORMS
from isocortex.studies.farzmahdi2024.alignment import block_table, design_pooled_rdms
from isocortex.studies.farzmahdi2024.networks import Train
from isocortex.studies.farzmahdi2024.noise_matching import noise_matched_index
from isocortex.studies.farzmahdi2024.recordings import CONV_LAYERS, LAYERS, Record
from isocortex.studies.farzmahdi2024.stimuli import Views, by_object

N_VIEWS = 9
FIVE_VIEWS = [0, 2, 4, 6, 8]
GAP = "gap"
"""Name of the pooling route: the mean over positions of the z-scored last conv map."""

NULL_SETS = ("classes", "heads")
"""Sets whose index is shown beside its permutation null."""

Tables = dict[str, pd.DataFrame]


class Measure(Step):
    """Measure one network: index per object and layer, null, symmetries, alignment.

    ``result()`` is a dict of tables: ``index`` (one row an object and layer), ``rdms`` (mean RDM of
    a class), ``null`` (permutation of views), ``symmetry`` (invariance and equivariance by class).
    """

    VERSION: ClassVar[str] = "2"
    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device", "keep_recordings")
    network: Train
    views: dict[str, Views]
    transforms: tuple[str, ...] = ("hflip", "vflip", "rot90")
    batch_size: int = 100
    device: str = "cpu"
    null_draws: int = 1000
    recorded_reliability: float | None = None
    keep_recordings: bool = False

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return self.network.title

    def compute(self) -> Tables:
        """Record every set, measure it, and drop the recording."""
        tables: dict[str, list[pd.DataFrame]] = {}
        for name, views in self.views.items():
            recording = self._recorder(views)
            for kind, rows in self._tuning(name, views, recording.recording()).items():
                tables.setdefault(kind, []).append(rows)
            if name != "classes":
                self._drop(recording)
        found = {kind: pd.concat(parts, ignore_index=True) for kind, parts in tables.items()}
        found["symmetry"] = self._symmetries(self.views["classes"])
        who = self.network
        keys = {"source": who.source, "policy": who.policy, "seed": who.seed}
        for table in found.values():
            for position, (key, value) in enumerate(keys.items()):
                table.insert(position, key, value)
        return found

    def _recorder(self, views: Views, transform: str | None = None) -> Record:
        return self.part(
            Record,
            network=self.network,
            views=views,
            transform=transform,
            batch_size=self.batch_size,
            device=self.device,
        )

    def _drop(self, recording: Record) -> None:
        if not self.keep_recordings:
            recording.discard()

    def _tuning(self, name: str, views: Views, recording: Recording) -> Tables:
        objects = views.stimuli().table.iloc[::N_VIEWS].reset_index(drop=True)
        responses = layer_responses(recording, self.network)
        tables = tuning(responses, objects, name, self.null_draws)
        if name == "heads":
            five = {layer: by_object(z, N_VIEWS)[:, FIVE_VIEWS] for layer, z in responses.items()}
            tables["blocks"] = head_blocks(five)
            if self.recorded_reliability is not None:
                tables["noise_matched"] = noise_matched(five, self.recorded_reliability)
        return tables

    def _symmetries(self, views: Views) -> pd.DataFrame:
        straight = self._recorder(views)
        classes = views.stimuli().table["symmetry_class"].to_numpy()
        readouts = self.network.initial().readouts
        rows = []
        for transform in self.transforms:
            turned = self._recorder(views, transform)
            before, after = straight.recording(), turned.recording()
            for layer in LAYERS:
                rows.append(
                    _symmetry_rows(before, after, readouts[layer], layer, transform, classes)
                )
            self._drop(turned)
        self._drop(straight)
        return pd.concat(rows, ignore_index=True)


def rectified(responses: Tensor, layer: str) -> Tensor:
    """Return responses after ReLU: the last layer has none of its own (5.1)."""
    return responses.clamp(min=0) if layer == LAYERS[-1] else responses


def layer_responses(recording: Recording, network: Train) -> dict[str, Tensor]:
    """Return z-scored responses (presentation, neuroid) of every layer and of the pooling route."""
    readouts = network.initial().readouts
    responses = {}
    for layer in LAYERS:
        z, kept = symmetry.zscore(rectified(torch.from_numpy(recording[readouts[layer]]), layer))
        responses[layer] = z[:, kept]
        if layer == CONV_LAYERS[-1]:
            c, h, w = recording.maps(readouts[layer]).shape[1:]
            pooled = z.reshape(len(z), c, h * w).nanmean(dim=2)
            responses[GAP] = pooled[:, pooled.isfinite().all(dim=0)]
    return responses


def tuning(
    responses: dict[str, Tensor], objects: pd.DataFrame, name: str, null_draws: int
) -> Tables:
    """Measure viewpoint tuning of every layer (specification 4.2, 4.3).

    Parameters
    ----------
    responses : dict of str to Tensor
        (objects x 9 views, neuroids), object-major.
    objects : DataFrame
        One row an object: ``object_id``, ``category``, ``symmetry_class``.
    name : str
        Name of the stimulus set, for the column ``set``.
    null_draws : int
        Permutations of the views, drawn separately for each object.
    """
    index, rdms, null = [], [], []
    for layer, z in responses.items():
        rdm = object_rdms(z)
        index.append(
            pd.DataFrame(
                {
                    "set": name,
                    "layer": layer,
                    "object_id": objects["object_id"],
                    "category": objects["category"],
                    "symmetry_class": objects["symmetry_class"],
                    "exact": viewpoint.mirror_symmetry_index(rdm).numpy(),
                    "no_diagonals": viewpoint.mirror_symmetry_index(
                        rdm, variant="no_diagonals"
                    ).numpy(),
                    "corrected": viewpoint.mirror_symmetry_index(rdm, variant="corrected").numpy(),
                    "mean_distance": viewpoint.mean_distance(rdm).numpy(),
                    "mirror_contrast": viewpoint.mirror_contrast(rdm).numpy(),
                    "n_units": z.shape[1],
                }
            )
        )
        for kind, rows in objects.groupby("symmetry_class", sort=False).groups.items():
            part = rdm[np.asarray(rows)]
            rdms.append(_rdm_rows(part.nanmean(dim=0), name, layer, str(kind)))
            if name in NULL_SETS:
                null.append(_null_row(part, name, layer, str(kind), null_draws))
    return {
        "index": pd.concat(index, ignore_index=True),
        "rdms": pd.concat(rdms, ignore_index=True),
        "null": pd.DataFrame(null),
    }


def object_rdms(z: Tensor) -> Tensor:
    """Return the RDM over views of every object; NaN throughout where no unit is alive."""
    folded = by_object(z, N_VIEWS)
    if z.shape[1] == 0:
        return folded.new_full((len(folded), N_VIEWS, N_VIEWS), torch.nan)
    return viewpoint.view_rdm(folded)


def head_blocks(heads: dict[str, Tensor]) -> pd.DataFrame:
    """Return the design-pooled distances of heads at five views, by layer (5.3.9).

    Parameters
    ----------
    heads : dict of str to Tensor
        (heads, 5 views, neuroids); each unit is z-scored over these conditions.
    """
    parts = []
    for layer, z in alive(heads, 1).items():
        parts.append(block_table(design_pooled_rdms(z)).assign(layer=layer))
    return pd.concat(parts, ignore_index=True)


def alive(heads: dict[str, Tensor], least: int) -> dict[str, Tensor]:
    """Return the layers of which at least `least` units vary, z-scored over the conditions."""
    found = {}
    for layer, five in heads.items():
        if five.shape[-1]:
            z, kept = symmetry.zscore(five.flatten(0, 1))
            found[layer] = z[:, kept].reshape(*five.shape[:2], -1)
    return {layer: z for layer, z in found.items() if z.shape[-1] >= least}


def noise_matched(heads: dict[str, Tensor], reliability: float) -> pd.DataFrame:
    """Return the index of heads at the reliability of the recording, by layer (5.3.8).

    One row a layer: mean and 95 % quantiles over draws of units and noise.
    """
    rows = []
    for layer, z in alive(heads, 2).items():
        found = noise_matched_index(z, reliability)
        bare = viewpoint.mirror_symmetry_index(viewpoint.view_rdm(z)).median()
        low, high = np.quantile(found.indices, [0.025, 0.975])
        rows.append(
            {
                "layer": layer,
                "without_noise": float(bare),
                "median_index": float(found.indices.mean()),
                "low": low,
                "high": high,
                "reliability": found.reliability,
                "noise_sd": found.noise_sd,
                "n_units": found.n_units,
            }
        )
    return pd.DataFrame(rows)


def _rdm_rows(rdm: Tensor, name: str, layer: str, kind: str) -> pd.DataFrame:
    first, second = np.indices(tuple(rdm.shape))
    return pd.DataFrame(
        {
            "set": name,
            "layer": layer,
            "symmetry_class": kind,
            "view": first.ravel(),
            "other_view": second.ravel(),
            "distance": rdm.numpy().ravel(),
        }
    )


def _null_row(rdm: Tensor, name: str, layer: str, kind: str, draws: int) -> dict[str, object]:
    """Return the null of the class mean: views shuffled separately for each object."""
    observed = float(viewpoint.mirror_symmetry_index(rdm).nanmean())
    null = viewpoint.view_permutation_null(rdm, n_draws=draws, seed=0).nanmean(dim=-1)
    low, high = np.quantile(null.numpy(), [0.025, 0.975])
    return {
        "set": name,
        "layer": layer,
        "symmetry_class": kind,
        "mean": observed,
        "null_low": low,
        "null_high": high,
        "p": permutation_p(observed, null.numpy()),
        "n": len(rdm),
    }


def _symmetry_rows(
    before: Recording,
    after: Recording,
    path: str,
    layer: str,
    transform: str,
    classes: np.ndarray,
) -> pd.DataFrame:
    g = TRANSFORMS[transform]
    if layer in CONV_LAYERS:
        x, y = torch.from_numpy(before.maps(path)), torch.from_numpy(after.maps(path))
        same = symmetry.invariance(x, y, g).numpy()
        moved = symmetry.equivariance(x, y, g).numpy()
    else:
        x, y = (rectified(torch.from_numpy(r[path]), layer) for r in (before, after))
        same = symmetry.invariance(x, y).numpy()
        moved = np.full_like(same, np.nan)
    values = pd.DataFrame({"symmetry_class": classes, "invariance": same, "equivariance": moved})
    grouped = values.groupby("symmetry_class", sort=False).agg(
        invariance=("invariance", "mean"),
        equivariance=("equivariance", "mean"),
        n=("invariance", "size"),
        n_invariance=("invariance", "count"),
        n_equivariance=("equivariance", "count"),
    )
    table = grouped.reset_index()
    table.insert(0, "transform", transform)
    table.insert(0, "layer", layer)
    return table
