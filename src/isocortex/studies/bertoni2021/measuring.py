"""What is measured of a trained network: filters, lateral kernel, both over training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from isocortex.analyses.association import association_tables
from isocortex.analyses.fields import FieldSettings, measure_first_layer
from isocortex.analyses.filters import Chosen, choose, fit_filters
from isocortex.analyses.lateral import Units, kernel_tables, log_where, response_correlation
from isocortex.analyses.model_comparison import comparison_table
from isocortex.analyses.polarity import polarity_table
from isocortex.execution import Step
from isocortex.measures.lateral import lateral_statistics, rectify, retain
from isocortex.measures.receptive_fields import (
    fit_log,
    fit_log_anywhere,
    free_centre_level,
    log_gate,
    null_levels,
)
from isocortex.models.initial import seeded
from isocortex.models.lgncnn import LGNCNN
from isocortex.studies.bertoni2021.contours import Contours
from isocortex.studies.bertoni2021.networks import Train

Tables = dict[str, pd.DataFrame]


class MeasureNetwork(Step):
    """Measure one network of the classification arms (specification 4.3, 4.4)."""

    VERSION: ClassVar[str] = "2"
    network: Train
    permutations: int
    surrogates: int
    noise_filters: int
    splits: int
    white_images: int
    contours: Contours | None = None
    """Edges of photographs, whose co-occurrence is one more model of the kernel."""

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return self.network.title

    def compute(self) -> Tables:
        """Return the tables, each with columns `arm` and `seed`."""
        trained = self.network.result()
        snapshots: dict[int, dict[str, np.ndarray]] = trained["filters"]
        last = snapshots[max(snapshots)]
        filters = fit_filters(last["filters"], surrogates=self.surrogates, seed=self.network.seed)
        chosen = choose(filters)
        filters["chosen"] = np.isin(filters["unit"], chosen.units)
        tables: Tables = {
            "filters": filters,
            "pixels": _pixels(last),
            "emergence": self._emergence(snapshots),
            "networks": pd.DataFrame(
                [
                    {
                        "accuracy": trained["accuracy"],
                        "restarts": trained["restarts"],
                        "steps": trained["steps"],
                        "last_loss": trained["history"]["loss"].iloc[-50:].mean(),
                        "n_retained": int(filters["retained"].sum()),
                        "enough_retained": chosen.enough,
                        "mean_r": filters["r"].mean(),
                        "mean_gain": filters["gain"].mean(),
                        "share_retained": filters["retained"].mean(),
                        "circular_variance": filters["circular_variance"].mean(),
                        "bandwidth": filters.loc[filters["retained"], "bandwidth"].median(),
                        "n_x": filters.loc[filters["retained"], "n_x"].median(),
                        "n_y": filters.loc[filters["retained"], "n_y"].median(),
                    }
                ]
            ),
        }
        if "kernel" in last:
            tables |= self._lateral(last, snapshots[0], filters, chosen)
        for table in tables.values():
            table.insert(0, "arm", self.network.arm)
            table.insert(1, "seed", self.network.seed)
        return tables

    def _emergence(self, snapshots: dict[int, dict[str, np.ndarray]]) -> pd.DataFrame:
        rows = []
        for step, parts in sorted(snapshots.items()):
            row: dict[str, Any] = {"step": step}
            if "lgn" in parts:
                row |= log_figures(parts["lgn"], self.noise_filters)
            table = fit_filters(parts["filters"], surrogates=2)
            chosen = choose(table)
            row |= {"mean_r": table["r"].mean(), "n_retained": int(table["retained"].sum())}
            if "kernel" in parts and len(chosen.units) >= 3:
                theta = table["orientation"].fillna(0).to_numpy()
                kept = retain(parts["kernel"], theta, chosen.units)
                found = lateral_statistics(rectify(kept.kernel), kept.theta)
                row["log_like_ratio"] = float(log_where("like_ratio", np.array(found.like_ratio)))
            rows.append(row)
        return pd.DataFrame(rows)

    def _lateral(
        self,
        last: dict[str, np.ndarray],
        first: dict[str, np.ndarray],
        filters: pd.DataFrame,
        chosen: Chosen,
    ) -> Tables:
        units = Units(chosen.units, filters["orientation"].to_numpy(), filters["phase"].to_numpy())
        kernel = last["kernel"].astype(np.float64)
        side = kernel.shape[-1]
        tables = kernel_tables(
            kernel,
            last["filters"],
            units,
            references={
                "untrained": first["kernel"].astype(np.float64),
                "responses": white_correlation(self.network.network(), side, self.white_images),
            },
            permutations=self.permutations,
            seed=self.network.seed,
        )
        untrained = {"untrained": first["kernel"].astype(np.float64)}
        tables["polarity"] = polarity_table(kernel, last["filters"], units, references=untrained)
        tables |= association_tables(kernel, last["filters"], units, references=untrained)
        tables["comparison"] = comparison_table(
            kernel,
            last["filters"],
            units,
            contours=None if self.contours is None else self.contours.result()["train"],
            splits=self.splits,
            seed=self.network.seed,
        )
        for table in tables.values():
            table["enough"] = chosen.enough
        return tables


class MeasureInduced(Step):
    """Measure the lateral connections that the filters of one own network induce."""

    network: Train
    permutations: int
    surrogates: int
    control_banks: int

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return self.network.title

    def compute(self) -> Tables:
        """Return the tables of `measure_first_layer`, with columns `arm` and `seed`."""
        snapshots = self.network.result()["filters"]
        filters = torch.from_numpy(snapshots[max(snapshots)]["filters"])[:, None]
        settings = FieldSettings(
            surrogates=self.surrogates,
            permutations=self.permutations,
            control_banks=self.control_banks,
            seed=self.network.seed,
        )
        tables = measure_first_layer(filters, settings)
        for table in tables.values():
            table.insert(0, "arm", self.network.arm)
            table.insert(1, "seed", self.network.seed)
        return tables


def log_figures(filter_: np.ndarray, noise_filters: int) -> dict[str, float]:
    """Return what is known of one filter (s, s) as a Laplacian of Gaussian, and the gate G1.

    `free_r`, at the best centre up to 1 px off, stands beside and decides nothing.
    """
    levels = null_levels(filter_.shape[-1], draws=noise_filters)
    bank = filter_[None].astype(np.float64)
    fit, free = fit_log(bank), fit_log_anywhere(bank)
    return {
        "log_r": float(fit.r[0]),
        "log_r_narrow": float(fit.r_narrow[0]),
        "log_sigma": float(fit.sigma[0]),
        "log_gain": float(fit.gain[0]),
        "q": float(fit.q[0]),
        "ring": float(fit.ring[0]),
        "dc": float(fit.dc[0]),
        "gate": float(log_gate(fit, r=levels.r, q=levels.q)[0]),
        "r_95": levels.r,
        "q_95": levels.q,
        "free_r": float(free.r[0]),
        "free_x": float(free.x[0]),
        "free_y": float(free.y[0]),
        "free_r_95": free_centre_level(filter_.shape[-1], draws=noise_filters),
    }


def white_correlation(network: LGNCNN, side: int, images: int) -> np.ndarray:
    """Return the correlation of the first layer's responses to white noise, before propagation."""
    size = network.config.input_size
    lateral, network.v1.lateral = network.v1.lateral, None
    try:
        with torch.no_grad(), seeded(0):
            maps = network.eval().v1(network.lgn(torch.randn(images, 1, size, size)))
    finally:
        network.v1.lateral = lateral
    return response_correlation(maps, side)


def _pixels(parts: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the weights of the filters as a table: `layer`, `unit`, `row`, `column`, `weight`."""
    found = []
    for layer in ("lgn", "filters"):
        if layer in parts:
            bank = parts[layer].reshape(-1, *parts[layer].shape[-2:])
            unit, row, column = np.indices(bank.shape).reshape(3, -1)
            values = {"unit": unit, "row": row, "column": column, "weight": bank.ravel()}
            found.append(pd.DataFrame({"layer": layer, **values}))
    return pd.concat(found, ignore_index=True)


def join(found: Sequence[Tables]) -> Tables:
    """Put the tables of several networks under each other."""
    names = dict.fromkeys(name for tables in found for name in tables)
    return {
        name: pd.concat([t[name] for t in found if name in t], ignore_index=True) for name in names
    }
