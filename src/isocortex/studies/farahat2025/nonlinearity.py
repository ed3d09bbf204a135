"""Complexity of a configuration on natural patches: C_lin, its companions, and the gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.measures import complexity
from isocortex.measures.dimensionality import participation_ratio
from isocortex.models.layers import trace_layers
from isocortex.stimuli.image_files import with_channels
from isocortex.studies.farahat2025.networks import Network, blocks, standardise
from isocortex.studies.farahat2025.patches import natural_patches

PATHS, STEPS = 40, 16
COMPANIONS = ("e_even", "c_mid", "c_curv", "c_four", "c_gate", "d_eff")
MEASURES = ("c_lin", *COMPANIONS)


class Nonlinearity(Step):
    """Measure all networks of one configuration: its seeds, and other gains of the first."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data", "batch_size")
    networks: list[Network]
    patches: int
    size: int
    max_units: int
    companions: int
    batch_size: int
    data: Path | None = None
    data_checksum: str = ""

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return self.networks[0].configuration

    def compute(self) -> pd.DataFrame:
        """Return one row a network and block."""
        cut = natural_patches(self.patches, self.size, "val", self.data)
        split = complexity.split_by_group(cut.photograph)
        images = standardise(cut.images, split[0])
        ridge = complexity.PixelRidge(images.flatten(1).numpy(), split)
        rows = []
        for k, network in enumerate(self.networks):
            rows += self._measure(network, images, ridge)
            tick(k + 1, len(self.networks), network.title)
        return pd.DataFrame(rows)

    def _measure(
        self, step: Network, images: Tensor, ridge: complexity.PixelRidge
    ) -> list[dict[str, Any]]:
        network = step.network(with_channels(images, 3))
        fields = _fields(network)
        few = images[: self.companions]
        ends = images[-self.companions :]
        answers = {
            "whole": self._shown(network, images),
            "inverted": self._shown(network, -few),
            "end": self._shown(network, ends),
            "middle": self._shown(network, (few + ends) / 2),
            "paths": self._shown(network, _paths(few, ends)),
        }
        gates = _gates(network, with_channels(few, 3), step.activation)
        rows = []
        for block, whole in enumerate(answers["whole"]):
            found = ridge.complexity(whole.numpy(), max_units=self.max_units, seed=step.seed)
            near = whole[: len(few)].double()
            paths = answers["paths"][block].double().view(-1, STEPS, whole.shape[1])
            rows.append(
                {
                    **step.labels(),
                    "gain": step.gain,
                    "block": block + 1,
                    "receptive_field": fields[block],
                    "c_lin": found.value,
                    "n_units": found.n_units,
                    "n_constant": found.n_constant,
                    "e_even": float(complexity.evenness(near, answers["inverted"][block].double())),
                    "c_mid": _median(
                        complexity.midpoint_deviation(
                            near, answers["end"][block].double(), answers["middle"][block].double()
                        )
                    ),
                    "c_curv": float(complexity.path_curvature(paths).nanmean()),
                    "c_four": float(complexity.path_frequency(paths).nanmean()),
                    "c_gate": gates[block],
                    "d_eff": float(participation_ratio(near)),
                }
            )
        return rows

    def _shown(self, network: torch.nn.Module, images: Tensor) -> list[Tensor]:
        maps = blocks(network, with_channels(images, 3), self.batch_size)  # type: ignore[arg-type]
        return [m.flatten(1) for m in maps]


def _median(values: Tensor) -> float:
    return float(values.nanmedian())


def _paths(start: Tensor, end: Tensor) -> Tensor:
    """Return straight paths of images, path after path."""
    share = torch.linspace(0, 1, STEPS).view(1, -1, 1, 1, 1)
    a, b = start[:PATHS, None], end[:PATHS, None]
    return (a + share * (b - a)).flatten(0, 1)


def _gates(network: torch.nn.Module, images: Tensor, activation: str) -> list[float]:
    """Return the mean entropy of the states of the last rectifiers of each block."""
    found, bits = [], float("nan")
    ends = [name.split(".")[-1] for name in network.block_outputs]  # type: ignore[union-attr]
    x = images
    with torch.inference_mode():
        for name, module in network.features.named_children():  # type: ignore[union-attr]
            if name.startswith("act"):
                bits = float(complexity.gate_entropy(x.flatten(1), activation).mean())
            x = module(x)
            if name in ends:
                found.append(bits)
    return found


def _fields(network: torch.nn.Module) -> list[float]:
    """Return the receptive field of each block in pixels."""
    layers = trace_layers(network, (3, 32, 32))
    sizes = []
    for name in network.block_outputs:  # type: ignore[union-attr]
        field = layers[name].receptive_field
        sizes.append(float("nan") if field is None else float(field.size[0]))
    return sizes


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a configuration: each measure at block 1 and its mean over blocks.

    Means over seeds, at the gain of the grid; columns ``c_lin`` ... for block 1 and
    ``c_lin_mean`` ... over blocks.
    """
    grid = table[(table["arm"] == "random") & (table["norm"] == "gain") & table["in_grid"]]
    first = grid[grid["block"] == 1].groupby("configuration")[list(MEASURES)].mean()
    mean = grid.groupby("configuration")[list(MEASURES)].mean().add_suffix("_mean")
    return first.join(mean).replace([np.inf, -np.inf], np.nan)
