"""First layers of networks that are given with their weights (specification 4.9)."""

from __future__ import annotations

from pathlib import Path

from isocortex import data as data_room
from isocortex.analyses.fields import FieldSettings, measure_first_layer
from isocortex.analyses.filters import first_layer
from isocortex.execution import Step
from isocortex.models.zoo import load_model
from isocortex.studies.bertoni2021.measuring import Tables


class MeasureGiven(Step):
    """Measure the first layer of one given network."""

    model: str
    weights: str
    layer: str = ""
    checksum: str = ""
    permutations: int
    surrogates: int
    control_banks: int

    @property
    def title(self) -> str:
        """Name of the network in tables and in the terminal."""
        return f"{self.model}, {Path(self.weights).name} weights"

    def compute(self) -> Tables:
        """Return the tables of `measure_first_layer`, with a column `network`."""
        network = load_model(self.model, self.weights).network
        _, filters = first_layer(network, self.layer or None)
        settings = FieldSettings(
            surrogates=self.surrogates,
            permutations=self.permutations,
            control_banks=self.control_banks,
        )
        tables = measure_first_layer(filters, settings)
        for table in tables.values():
            table.insert(0, "network", self.title)
        return tables


def checkpoint_checksum(weights: str) -> str:
    """Return the checksum of a checkpoint, or nothing for weights that have a name."""
    path = Path(weights).expanduser()
    return data_room.checksum(path) if path.is_file() else ""
