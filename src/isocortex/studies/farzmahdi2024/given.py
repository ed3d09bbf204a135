"""Networks that are given with their weights: the index over their layers."""

from __future__ import annotations

import shutil
from typing import Any, ClassVar

import pandas as pd
import torch

from isocortex.execution import Step, tick
from isocortex.measures import symmetry, viewpoint
from isocortex.models import load_model
from isocortex.recording import record
from isocortex.studies.farzmahdi2024.measuring import N_VIEWS
from isocortex.studies.farzmahdi2024.stimuli import Views, by_object

READ = {
    "torchvision:alexnet": [
        *(f"features.{k}" for k in (1, 2, 4, 5, 7, 9, 11, 12)),
        "classifier.2",
        "classifier.5",
        "classifier.6",
    ],
    "isocortex:caffe-alexnet": [
        "relu1",
        "pool1",
        "relu2",
        "pool2",
        "relu3",
        "relu4",
        "relu5",
        "pool5",
        "relu6",
        "relu7",
    ],
    "torchvision:vgg16": [
        *(f"features.{k}" for k in (4, 9, 16, 23, 30)),
        *(f"classifier.{k}" for k in (1, 4, 6)),
    ],
    "torchvision:resnet50": ["maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"],
    "torchvision:convnext_base": [*(f"features.{k}" for k in range(8)), "avgpool"],
    "torchvision:vit_b_16": [f"encoder.layers.encoder_layer_{k}" for k in range(12)],
}
"""Layers that are read: outputs of blocks and of pooling, after the activation."""


class MeasureGiven(Step):
    """Measure the index of one given network, by category of object (specification E1, E4)."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device",)
    model: str
    weights: str
    checksum: str = ""
    views: Views
    batch_size: int = 100
    device: str = "cpu"

    @property
    def title(self) -> str:
        """Name of the network in the terminal."""
        return f"{self.model} {self.weights}"

    def compute(self) -> pd.DataFrame:
        """Return one row an object and layer."""
        model = load_model(self.model, weights=self.weights)
        stimuli = self.views.stimuli()
        objects = stimuli.table.iloc[::N_VIEWS].reset_index(drop=True)
        workspace = self.workspace()
        recording = record(
            model,
            stimuli,
            READ.get(self.model) or list(model.layers),
            batch_size=self.batch_size,
            device=self.device,
            store=workspace / "activations.zarr" if workspace else None,
            progress=lambda done, total: tick(done, total, "recording"),
        )
        rows: list[dict[str, Any]] = []
        for depth, layer in enumerate(recording.layers):
            z, kept = symmetry.zscore(torch.from_numpy(recording[layer]))
            rdm = viewpoint.view_rdm(by_object(z[:, kept], N_VIEWS))
            exact = viewpoint.mirror_symmetry_index(rdm)
            rows += [
                {
                    "model": self.model,
                    "weights": self.weights,
                    "layer": layer,
                    "depth": depth,
                    "object_id": object_id,
                    "category": category,
                    "exact": float(value),
                    "n_units": int(kept.sum()),
                    "n_dropped": int((~kept).sum()),
                }
                for object_id, category, value in zip(
                    objects["object_id"], objects["category"], exact, strict=True
                )
            ]
        if workspace is not None:
            shutil.rmtree(workspace, ignore_errors=True)
        return pd.DataFrame(rows)
