"""The networks of the study: trained to estimate some latents of a scene, or left untrained."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.models.layers import trace_layers
from isocortex.models.preprocessing import Preprocess
from isocortex.models.zoo import Model
from isocortex.studies.xie2024.bodies import build
from isocortex.studies.xie2024.scenes import SceneImages
from isocortex.training.batches import BatchSource
from isocortex.training.dense_targets import dense_targets
from isocortex.training.fit import fit
from isocortex.training.latent_metrics import task_metrics
from isocortex.training.latent_tasks import Head, Scale, latent_targets, objective, tasks_of
from isocortex.training.optimisers import OptimiserConfig

UNTRAINED = "untrained"
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What is subtracted from and divided into the channels, as for ImageNet."""

QUEUE = 2
"""Batches that wait while the network learns from another."""

Sources = tuple[BatchSource, BatchSource, Scale]


class Network(Step):
    """One network: trained on some tasks, or left untrained. Subclasses say on which images."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("checkpoint_every",)
    task_set: str
    variant: str
    seed: int
    body: str = "resnet18"
    width: int
    steps: int
    batch_size: int
    learning_rate: float
    snapshots: int
    device: str
    checkpoint_every: int = 500

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Height and width of its images in pixels."""

    @abc.abstractmethod
    def head(self) -> Head:
        """Return the head, with units for all tasks that networks like this one may learn."""

    @abc.abstractmethod
    def sources(self) -> Sources:
        """Return the images to learn from, those to test on, and the scale of positions."""

    @property
    def title(self) -> str:
        """Name of the network in tables and in the terminal."""
        return f"{self.task_set} {self.variant} seed {self.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say which network a row is about."""
        return {"task_set": self.task_set, "variant": self.variant, "seed": self.seed}

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it estimates."""
        return () if self.task_set == UNTRAINED else tasks_of(self.task_set)

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Log-spaced steps at which the weights are kept, the last one included; 0 is the start."""
        if not self.snapshots or not self.tasks:
            return ()
        spaced = np.geomspace(self.steps, 1, max(self.snapshots - 1, 1)).round().astype(int)
        return (0, *np.unique(spaced).tolist())

    def initial(self) -> torch.nn.Module:
        """Return the network before training; the seed alone decides its weights."""
        return build(
            self.body, width=self.width, outputs=self.head().units, size=self.size, seed=self.seed
        )

    def model(self, step: int | None = None) -> Model:
        """Return the network ready for recording, as it is at the end or was after `step` steps."""
        outcome = self.result()
        weights = outcome["weights"] if step is None else outcome["snapshots"][step]
        network = self.initial()
        network.load_state_dict(weights)
        network.eval()
        shape = (3, self.size, self.size)
        return Model(
            self.title,
            network,
            trace_layers(network, shape),
            Preprocess(shape, resize=shape[1:], mean=MEAN, std=SD),
            shape,
            f"trained here ({self.title})",
        )

    def compute(self) -> dict[str, Any]:
        """Train and return weights, history, metrics on held-out images, and snapshots."""
        network = self.initial()
        if not self.tasks:
            return {
                "weights": network.state_dict(), "history": None, "snapshots": {},
                "metrics": pd.DataFrame(columns=["step", "task", "metric", "value"]),
            }  # fmt: skip
        head = self.head()
        shown, tests, scale = self.sources()
        workspace = self.workspace()
        kept: dict[int, dict[str, Tensor]] = {}
        measured: list[pd.DataFrame] = []

        def look(step: int, seen: torch.nn.Module) -> None:
            table = metrics_of(seen, tests, self.tasks, head, scale)
            measured.append(table.assign(step=step))
            if step in self.snapshot_steps:
                kept[step] = {k: v.detach().cpu().clone() for k, v in seen.state_dict().items()}
                if workspace is not None:
                    torch.save(kept[step], workspace / f"snapshot-{step}.pt")
                    table.to_csv(workspace / f"metrics-{step}.csv", index=False)

        if workspace is not None:
            workspace.mkdir(parents=True, exist_ok=True)
            for step in self.snapshot_steps:
                snapshot = workspace / f"snapshot-{step}.pt"
                table = workspace / f"metrics-{step}.csv"
                if snapshot.exists() and table.exists():
                    kept[step] = torch.load(snapshot, weights_only=True)
                    measured.append(pd.read_csv(table).assign(step=step))
        training = fit(
            network,
            shown,
            objective=objective(self.tasks, head),
            optimiser=OptimiserConfig(name="adam", learning_rate=self.learning_rate),
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            checkpoint=workspace / "checkpoint.pt" if workspace else None,
            checkpoint_every=self.checkpoint_every,
            device=self.device,
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
            observe=look,
            observe_at=self.snapshot_steps,
        )
        if self.steps not in self.snapshot_steps:
            look(self.steps, network)
        metrics = pd.concat(measured, ignore_index=True).drop_duplicates(
            ["step", "task", "metric"], keep="last"
        )
        return {
            "weights": {k: v.cpu() for k, v in network.state_dict().items()},
            "history": training.history,
            "metrics": metrics.sort_values("step", kind="stable", ignore_index=True),
            "snapshots": kept,
        }


class Train(Network):
    """Train one network on one task set and one set of scenes, or leave it untrained.

    Networks of one seed share their initial weights and the order of their batches, so that
    contrasts between task sets are paired. All of them have the wide head of the full set.
    """

    images: SceneImages
    """What it is trained on."""
    full: SceneImages
    """The set without interventions: its classes make the head, its spread the targets' scale."""
    held_out: SceneImages
    """Images of full variability that no network is trained on."""
    extras: tuple[str, ...] = ()
    """Tasks beyond the published five that have units in the head."""

    def head(self) -> Head:
        """Return the head that all networks share."""
        return Head(self.full.n_categories, self.full.n_identities, self.extras)

    @property
    def size(self) -> int:
        """Height and width of its images in pixels."""
        return self.full.size

    def sources(self) -> Sources:
        """Return the scenes of the training, the held-out ones, and the scale of the full set."""
        scale = Scale.of(self.full.latents())
        return self.source(self.images, scale), self.source(self.held_out, scale), scale

    def source(self, images: SceneImages, scale: Scale) -> BatchSource:
        """Return images as the network takes them, with their targets."""
        targets = latent_targets(images.latents(), scale)

        def prepared(shown: Tensor, rows: np.ndarray) -> tuple[Tensor, Tensor]:
            return normal(shown), targets[torch.from_numpy(rows)].to(shown.device)

        if images.dense:
            views = images.views(self.device)

            def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
                shown, mask, depth = views(rows)
                whole, wanted = prepared(shown, rows)
                return whole, torch.cat([wanted, dense_targets(mask, depth, scale)], dim=1)
        else:
            pixels = images.pixels(self.device)

            def draw(rows: np.ndarray) -> tuple[Tensor, Tensor]:
                return prepared(pixels(rows), rows)

        return BatchSource(len(targets), draw, ahead=QUEUE)


def normal(shown: Tensor) -> Tensor:
    """Return images (n, 3, h, w) in [0, 1] with the mean and spread of channels taken out."""
    mean, sd = (torch.tensor(v, device=shown.device).reshape(1, 3, 1, 1) for v in (MEAN, SD))
    return (shown - mean) / sd


def metrics_of(
    network: torch.nn.Module,
    images: BatchSource,
    tasks: tuple[str, ...],
    head: Head,
    scale: Scale,
) -> pd.DataFrame:
    """Return `task_metrics` of a network in eval mode over a whole set of images."""
    return task_metrics(*answers(network, images), tasks, head, scale)


def answers(
    network: torch.nn.Module, images: BatchSource, *, batch_size: int = 256
) -> tuple[Tensor, Tensor]:
    """Return what a network in eval mode says of a whole set of images, and the targets."""
    device = next(network.parameters()).device
    outputs, targets = [], []
    with torch.inference_mode():
        for rows in np.split(np.arange(images.n), range(batch_size, images.n, batch_size)):
            batch, target = images.draw(rows)
            outputs.append(network(batch.to(device)).cpu())
            targets.append(target.cpu())
    return torch.cat(outputs), torch.cat(targets)
