"""What is measured in networks: decoding of latents, other images, similarity to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocortex.execution import Step, tick
from isocortex.measures.decoding import decode
from isocortex.measures.similarity import cka_matrix
from isocortex.recording import grams
from isocortex.studies.xie2024.given import Given
from isocortex.studies.xie2024.natural import TrainNatural
from isocortex.studies.xie2024.networks import Train, answers, metrics_of
from isocortex.studies.xie2024.scenes import SceneImages
from isocortex.training.latent_metrics import task_metrics
from isocortex.training.latent_tasks import Scale

PIXELS = "pixels"
PIXELS_IDENTITY: dict[str, Any] = {"task_set": PIXELS, "variant": "full", "seed": 0}
"""What stands in tables in place of a network's identity."""

PENALTIES = np.logspace(-4, 3, 15)
"""In units of the mean squared length of the features."""

Grams = Mapping[str, NDArray[np.float64]]


class Decode(Step):
    """Decode category and position from held-out images, layer by layer (specification, 5.3).

    The category is decoded from images of full variability and from centred ones; the position
    from images of full variability and from those of one category. A linear decoder with a
    penalty that inner folds choose; balanced accuracy, and the mean of the correlations of x and y.
    """

    REMOTE: ClassVar[bool] = True
    network: Train | None
    """None decodes from pixels."""
    layers: list[str]
    """Layers of the network, the trained head among them."""
    images: dict[str, SceneImages]
    """``full``, ``centred`` and ``one_category``."""
    folds: int
    inner_folds: int
    """Of the training images, to choose the penalty."""

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return PIXELS if self.network is None else self.network.title

    def compute(self) -> pd.DataFrame:
        """Return one row a layer, latent and set of images."""
        rows = []
        for name, images in self.images.items():
            made = self._grams(images)
            latents = images.latents()
            for layer, gram in made.items():
                for target in ("category", "position"):
                    if (target, name) in (("category", "one_category"), ("position", "centred")):
                        continue  # nothing varies
                    score, chance = _decoded(gram, latents, target, self.folds, self.inner_folds)
                    rows.append(
                        {
                            "layer": layer,
                            "target": target,
                            "tested_on": name,
                            "score": score,
                            "chance": chance,
                            "n": len(latents),
                        }
                    )
        identity = PIXELS_IDENTITY if self.network is None else self.network.identity
        return pd.DataFrame(rows).assign(**identity)

    def _grams(self, images: SceneImages) -> Grams:
        shown = images.stimuli()
        if self.network is None:
            flat = shown.flatten(1).double().numpy()
            return {PIXELS: flat @ flat.T}
        model, device = self.network.model(), self.network.device
        return dict(grams(model, shown, self.layers, batch_size=128, device=device))


def _decoded(
    gram: NDArray[np.float64], latents: pd.DataFrame, target: str, folds: int, inner: int
) -> tuple[float, float]:
    if target == "category":
        found = decode(
            gram, latents["category"].to_numpy(), folds=folds, what="categories",
            alphas=PENALTIES, inner=inner, gram=True,
        )  # fmt: skip
        return float(found.score), found.chance
    position = latents[["x", "y"]].to_numpy(dtype=float)
    found = decode(
        gram, position, folds=folds, what="latents", alphas=PENALTIES, inner=inner, gram=True
    )
    assert found.pearson is not None
    return float(np.mean(found.pearson)), 0.0


class Generalise(Step):
    """Test a network on images of other kinds than it was trained on, in natural units."""

    network: Train
    images: dict[str, SceneImages]

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return self.network.title

    def compute(self) -> pd.DataFrame:
        """Return the metrics of every set that has what the task asks for."""
        network, head = self.network, self.network.head()
        scale = Scale.of(network.full.latents())
        model = network.model().network.to(network.device)
        tables = []
        for name, images in self.images.items():
            known = "identity" not in network.tasks or images.first_model == 0
            tasks = network.tasks if known else tuple(t for t in network.tasks if t != "identity")
            if tasks:
                table = metrics_of(model, network.source(images, scale), tasks, head, scale)
                tables.append(table.assign(tested_on=name))
        if not tables:
            return pd.DataFrame()
        return pd.concat(tables, ignore_index=True).assign(**network.identity)


class ByClass(Step):
    """Test a network on each category of the held-out images by itself, in natural units."""

    network: Train

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return self.network.title

    def compute(self) -> pd.DataFrame:
        """Return the metrics of every category; those of accuracy are the category's recall."""
        network, head = self.network, self.network.head()
        scale = Scale.of(network.full.latents())
        tests = network.source(network.held_out, scale)
        model = network.model().network.to(network.device)
        outputs, targets = answers(model, tests)
        categories = network.held_out.latents()["category"].to_numpy()
        tables = []
        for category in np.unique(categories):
            rows = np.flatnonzero(categories == category)
            table = task_metrics(outputs[rows], targets[rows], network.tasks, head, scale)
            tables.append(table.assign(category=category, n=len(rows)))
        return pd.concat(tables, ignore_index=True).assign(**network.identity)


class Compare(Step):
    """Compare all networks with each other by linear CKA, debiased and biased, layer by layer."""

    networks: list[Train]
    natural: list[TrainNatural]
    """Networks of photographs."""
    given: list[Given]
    """Further networks, which others have trained."""
    layers: list[str]
    images: SceneImages
    count: int

    def compute(self) -> pd.DataFrame:
        """Return one row a layer and pair of networks."""
        shown = self.images.stimuli()[: self.count]
        stacks: dict[str, list[NDArray[np.float32]]] = {layer: [] for layer in self.layers}
        networks: list[Train | TrainNatural | Given] = [*self.networks, *self.natural, *self.given]
        for k, network in enumerate(networks):
            device = network.device
            made = grams(network.model(), shown, self.layers, batch_size=128, device=device)
            for layer in self.layers:
                stacks[layer].append(made[layer].astype(np.float32))
            tick(k + 1, len(networks), network.title)
        names = [network.identity for network in networks]
        first, second = np.triu_indices(len(names), 1)
        tables = []
        for layer, stack in stacks.items():
            stacked = np.stack(stack)
            debiased, biased = (
                np.asarray(cka_matrix(stacked, debiased=b))[first, second] for b in (True, False)
            )
            table = pd.DataFrame({"layer": layer, "cka": debiased, "cka_biased": biased})
            for side, index in (("a", first), ("b", second)):
                for key in names[0]:
                    table[f"{key}_{side}"] = [names[i][key] for i in index]
            tables.append(table)
        return pd.concat(tables, ignore_index=True).assign(n=len(shown))


def layer_names(layers: Sequence[str]) -> list[str]:
    """Return names for figures: without the rectifier and the count of its call."""
    return [re.sub(r"\.relu:\d$", "", layer) for layer in layers]
