"""Networks against areas: ridge regression neuron by neuron, and similarity of RDMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.execution import Step
from isocortex.measures.encoding import feve, pearson_r, r2, validated_ridge, variance_parts
from isocortex.measures.similarity import compare_rdms, rdm
from isocortex.models.rnet import SMALL_IMAGE
from isocortex.studies.farahat2025.areas import Area, Recorded, SimulatedArea, objects92
from isocortex.studies.farahat2025.networks import Network, blocks
from isocortex.studies.farahat2025.shown import Shown

PIXELS = {"configuration": "pixels", "arm": "pixels", "norm": "", "seed": 0, "control_seed": 0}
"""Keys of the floor: the pixels themselves."""

LEAST_SHARE = 0.15
"""Neurons of which less of the variance can be explained have no FEV."""

MOMENTS = ("n", "y", "p", "yy", "pp", "yp")
"""Sums over a group of presentations from which a correlation can be made again."""


class Encode(Step):
    """Predict every neuron of an area from the blocks of a network, or from pixels."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("batch_size",)
    network: Network | None
    recorded: Recorded | None = None
    simulated: SimulatedArea | None = None
    n_pred: int
    folds_run: int
    batch_size: int

    @property
    def area(self) -> Area:
        """The area."""
        found = self.recorded or self.simulated
        assert found is not None
        return found

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return f"{self.area.name}, {self.network.title if self.network else 'pixels'}"

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return tables: ``scores`` of neurons and, for grouped areas, ``moments``.

        In each fold the block with the highest mean R2 on the validation rows is the one that is
        tested. Correlations are means over folds.
        """
        shown = self.area.shown()
        predictors = self._predictors(shown)
        keys = {"area": self.area.name, **(self.network.labels() if self.network else PIXELS)}
        rows, moments = [], []
        predicted = np.full_like(shown.responses, np.nan)
        for fold, parts in enumerate(shown.parts[: self.folds_run]):
            fits = [validated_ridge(x, shown.responses, parts) for x in predictors]
            best = int(np.argmax([np.nanmean(fit.validation_r2) for fit in fits]))
            test = parts[2]
            for block, fit in enumerate(fits):
                rows.append(
                    pd.DataFrame(
                        {
                            "fold": fold,
                            "block": block + 1,
                            "chosen": block == best,
                            "neuroid": range(shown.responses.shape[1]),
                            "kind": shown.kinds,
                            "r": correlation(shown.responses[test], fit.predictions),
                            "r2": r2(shown.responses[test], fit.predictions),
                            "n_pred": predictors[block].shape[1],
                            "n_constant": fit.n_constant,
                        }
                    )
                )
            predicted[test] = fits[best].predictions
        table = pd.concat(rows, ignore_index=True)
        final = (
            table[table["chosen"]]
            .groupby(["neuroid", "kind"], sort=False)
            .agg(r=("r", "mean"), r2=("r2", "mean"), block=("block", "median"))
            .reset_index()
        )
        final["fev"] = explained_share(shown, predicted)[final["neuroid"]]
        if shown.groups is not None:
            moments.append(_moments(shown, predicted))
        found = {"encoding": final, "encoding_blocks": _by_block(table)}
        if moments:
            found["moments"] = pd.concat(moments, ignore_index=True)
        return {name: _keyed(part, keys) for name, part in found.items()}

    def _predictors(self, shown: Shown) -> list[np.ndarray]:
        """Return `n_pred` units of each block, the same places for all networks of a seed."""
        if self.network is None:
            return [shown.images.mean(dim=1).flatten(1).numpy()]
        network = self.network.network(shown.images[torch.from_numpy(shown.train)])
        last = 2 if shown.images.shape[-1] < SMALL_IMAGE else None
        # Batch by batch: whole maps of all images are large.
        found: list[list[np.ndarray]] = []
        for batch in shown.images.split(self.batch_size):
            maps = blocks(network, batch, self.batch_size)[:last]
            found.append(
                [drawn(m.flatten(1), self.n_pred, self.network.seed, k) for k, m in enumerate(maps)]
            )
        return [np.concatenate(units) for units in zip(*found, strict=True)]


def drawn(units: Tensor, n_pred: int, seed: int, block: int) -> np.ndarray:
    """Return `n_pred` of the units (n, p); a block with fewer is taken whole.

    Raises
    ------
    UserError
        If there are fewer than 50 units, which would compare unlike numbers of predictors.
    """
    if units.shape[1] < min(n_pred, 50):
        raise UserError(
            f"block {block + 1} has {units.shape[1]} units, too few for n_pred={n_pred}; show "
            "larger images"
        )
    order = np.random.default_rng([seed, block]).permutation(units.shape[1])[:n_pred]
    return units[:, torch.from_numpy(np.sort(order))].numpy()


def _by_block(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over neurons and folds for each block, chosen or not."""
    return (
        table.groupby("block")
        .agg(r=("r", "mean"), r2=("r2", "mean"), n_pred=("n_pred", "first"),
             n_constant=("n_constant", "max"))
        .reset_index()
    )  # fmt: skip


def correlation(responses: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return r of each neuron; a prediction that does not vary predicts nothing, r = 0.

    NaN for responses that do not vary.
    """
    r = np.asarray(pearson_r(responses, predictions))
    varies = np.ptp(responses, axis=0) > 0
    return np.where(np.isnan(r) & varies, 0.0, r)


def explainable(trials: np.ndarray) -> np.ndarray:
    """Return which neurons have a share of explainable variance of at least .15, bool (t,)."""
    total, noise = variance_parts(trials)
    return np.asarray(1 - noise / total >= LEAST_SHARE)


def explained_share(shown: Shown, predicted: np.ndarray) -> np.ndarray:
    """Return FEV over all rows that were tested together, shape (t,).

    NaN without trials, and for neurons whose explainable share over all presentations is below
    .15.
    """
    if shown.trials is None:
        return np.full(predicted.shape[1], np.nan)
    if shown.repeated is not None:
        predicted = predicted[shown.repeated]
    tested = np.isfinite(predicted).all(axis=1)
    values = np.asarray(feve(shown.trials[:, tested], predicted[tested]))
    return np.where(explainable(shown.trials), values, np.nan)


def _moments(shown: Shown, predicted: np.ndarray) -> pd.DataFrame:
    """Return the sums of every group of presentations and neuron, over the rows tested."""
    assert shown.groups is not None
    tested = np.isfinite(predicted).all(axis=1)
    groups = shown.groups[tested]
    y, p = shown.responses[tested], predicted[tested]
    parts = []
    for neuroid in range(y.shape[1]):
        a, b = y[:, neuroid], p[:, neuroid]
        sums = np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1)
        table = pd.DataFrame(sums, columns=list(MOMENTS)).groupby(groups).sum()
        parts.append(table.rename_axis("run").reset_index().assign(neuroid=neuroid))
    return pd.concat(parts, ignore_index=True)


def _keyed(table: pd.DataFrame, keys: dict[str, Any]) -> pd.DataFrame:
    return table.assign(**keys)[[*keys, *table.columns]]


class Similarity(Step):
    """Correlate the RDM of every block with those of each subject, early cortex and IT."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data", "batch_size")
    network: Network | None
    size: int
    batch_size: int
    data: Path
    data_checksum: str

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return f"objects92, {self.network.title if self.network else 'pixels'}"

    def compute(self) -> pd.DataFrame:
        """Return one row a block, region and subject."""
        images, regions = objects92(self.size, self.data)
        if self.network is None:
            maps = [images]
        else:
            maps = blocks(self.network.network(images), images, self.batch_size)
        keys = self.network.labels() if self.network else PIXELS
        rows = []
        for block, m in enumerate(maps):
            own = rdm(m.flatten(1).double().numpy())
            for region, recorded in regions.items():
                rho = compare_rdms(own[None], recorded.astype(np.float64), "spearman")
                rows.append(
                    pd.DataFrame(
                        {
                            "region": region,
                            "block": block + 1,
                            "last": block == len(maps) - 1,
                            "subject": range(len(rho)),
                            "rho": rho,
                        }
                    )
                )
        return _keyed(pd.concat(rows, ignore_index=True), keys)
