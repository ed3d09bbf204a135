"""Training on recorded responses: what trained kernels add to frozen ones."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch

from isocortex.execution import Step
from isocortex.studies.farahat2025.areas import Area, Recorded, SimulatedArea
from isocortex.studies.farahat2025.encoding import MOMENTS, correlation, explained_share
from isocortex.studies.farahat2025.networks import Network
from isocortex.training import fit_responses


class NeuralFit(Step):
    """Fit the factorised readout to an area, below a frozen or a trained body, in the first fold.

    Both arms begin with the same weights and see the same batches.
    """

    REMOTE: ClassVar[bool] = True
    network: Network
    recorded: Recorded | None = None
    simulated: SimulatedArea | None = None
    frozen: bool
    loss: Literal["mse", "poisson"]
    epochs: int
    patience: int
    n_blocks: int
    device: str = "cpu"

    @property
    def area(self) -> Area:
        """The area."""
        found = self.recorded or self.simulated
        assert found is not None
        return found

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return f"{self.area.name}, {self.network.title}, {'frozen' if self.frozen else 'trained'}"

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return ``neural`` (neurons) and, for grouped areas, ``neural_moments``."""
        shown = self.area.shown()
        train, validation, test = shown.parts[0]
        network = self.network.network()  # the training sets its batch statistics
        last = network.block_outputs[self.n_blocks - 1].split(".")[-1]
        names = [name for name, _ in network.features.named_children()]
        body = network.features[: names.index(last) + 1]
        found = fit_responses(
            body,
            shown.images,
            torch.from_numpy(shown.responses),
            (train, validation),
            frozen=self.frozen,
            loss=self.loss,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.network.seed,
            device=self.device,
        )
        predictions = found.predictions.double().numpy()
        keys = {"area": self.area.name, **self.network.labels(), "frozen": self.frozen}
        tested = np.full_like(predictions, np.nan)
        tested[test] = predictions[test]
        share = explained_share(shown, tested)
        table = pd.DataFrame(
            {
                **keys,
                "neuroid": range(shown.responses.shape[1]),
                "kind": shown.kinds,
                "r": correlation(shown.responses[test], predictions[test]),
                "fev": share,
                "epochs": len(found.history),
                "validation_loss": found.validation_loss,
            }
        )
        if shown.groups is None:
            return {"neural": table}
        parts = []
        for neuroid in range(shown.responses.shape[1]):
            y, p = shown.responses[test, neuroid], predictions[test, neuroid]
            sums = pd.DataFrame(dict(zip(MOMENTS, (1.0, y, p, y * y, p * p, y * p), strict=True)))
            by_run = sums.groupby(shown.groups[test]).sum().rename_axis("run").reset_index()
            parts.append(by_run.assign(neuroid=neuroid, **keys))
        moments = pd.concat(parts, ignore_index=True)
        return {"neural": table, "neural_moments": moments}
