"""What is measured in one network: decoding of latents, alignment with V4 and with human cortex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from isocortex.brains import load
from isocortex.execution import Step, tick
from isocortex.grams import BLOCK_BYTES, Scaling, summed
from isocortex.measures.decoding import decode
from isocortex.measures.encoding import brain_score
from isocortex.measures.similarity import cka_matrix, compare_rdms
from isocortex.models.preprocessing import Preprocess
from isocortex.recording import grams
from isocortex.stimuli import StimulusSet
from isocortex.studies.xie2024.networks import LAYERS, UNTRAINED, Train
from isocortex.studies.xie2024.scenes import SceneImages

DECODED = ("layer1.0.relu:2", "layer2.0.relu:2", "layer3.0.relu:2", "layer4.0.relu:2", "avgpool")
"""Layers that latents are decoded from; the head comes on top."""

COMPARED = (*LAYERS[1:9], "avgpool")
"""Layers whose representations are compared between networks."""

MAPPED = (
    "relu",
    "layer1.1.relu:2",
    "layer2.1.relu:2",
    "layer3.1.relu:2",
    "layer4.1.relu:2",
    "avgpool",
)
"""Candidate layers for a recorded area."""

PIXELS = "pixels"
PENALTIES = np.logspace(-4, 3, 15)
"""In units of the mean squared length of the features."""

HALVINGS = 10
REGIONS = ("EVC", "IT")
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
    images: dict[str, SceneImages]
    """``full``, ``centred`` and ``one_category``."""
    folds: int

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
                    score, chance = _decoded(gram, latents, target, self.folds)
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
        keys = (
            {"task_set": PIXELS, "variant": "full", "seed": 0}
            if self.network is None
            else self.network.identity
        )
        return pd.DataFrame(rows).assign(**keys)

    def _grams(self, images: SceneImages) -> Grams:
        shown = images.stimuli()
        if self.network is None:
            flat = shown.flatten(1).double().numpy()
            return {PIXELS: flat @ flat.T}
        layers = list(DECODED) if self.network.task_set == UNTRAINED else [*DECODED, "fc"]
        return dict(grams(self.network.model(), shown, layers, batch_size=128))


def _decoded(
    gram: NDArray[np.float64], latents: pd.DataFrame, target: str, folds: int
) -> tuple[float, float]:
    if target == "category":
        found = decode(
            gram, latents["category"].to_numpy(), folds=folds, what="categories",
            alphas=PENALTIES, gram=True,
        )  # fmt: skip
        return float(found.score), found.chance
    position = latents[["x", "y"]].to_numpy(dtype=float)
    found = decode(gram, position, folds=folds, what="latents", alphas=PENALTIES, gram=True)
    assert found.pearson is not None
    return float(np.mean(found.pearson)), 0.0


class Align(Step):
    """Score every candidate layer on V4 sessions and on human cortex (specification, 5.1, 5.3)."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    network: Train | None
    """None scores pixels."""
    size: int
    sessions: list[str]
    splits: int
    components: int
    human: bool
    """Whether to compare with the 92 objects as well."""
    data: Path
    checksums: dict[str, str]
    at_step: int | None = None
    """A snapshot instead of the final weights."""

    @property
    def title(self) -> str:
        """Name in the terminal."""
        if self.network is None:
            return PIXELS
        return self.network.title + ("" if self.at_step is None else f" step {self.at_step}")

    def compute(self) -> pd.DataFrame:
        """Return one row a session or region, and layer, with its score.

        ``chosen`` is the score at the layer that other sessions, or other images, chose.
        """
        tables = []
        raw: dict[str, dict[str, float]] = {}
        for k, session in enumerate(self.sessions):
            shown, responses = recorded(session, self.size, self.data)
            made = self._grams(shown, "none")
            raw[session] = {
                layer: brain_score(
                    gram,
                    responses,
                    gram=True,
                    n_splits=self.splits,
                    n_components=self.components,
                ).raw
                for layer, gram in made.items()
            }
            tick(k + 1, len(self.sessions) + self.human, session)
        tables += [
            _scores(f"V4 {session}", found, chosen_elsewhere(raw, session))
            for session, found in raw.items()
        ]
        if self.human:
            tables += self._human()
        keys = (
            {"task_set": PIXELS, "variant": "full", "seed": 0}
            if self.network is None
            else self.network.identity
        )
        return pd.concat(tables, ignore_index=True).assign(**keys, step=self.at_step)

    def _human(self) -> list[pd.DataFrame]:
        objects = load("objects92", self.data)
        made = self._grams(resized(objects.stimuli, self.size), "correlation")
        models = {layer: 1 - gram for layer, gram in made.items()}
        tables = []
        for region in REGIONS:
            subjects = objects.rdms[region].to_numpy()
            found = {name: _rho(rdm, subjects) for name, rdm in models.items()}
            tables.append(_scores(region, found, halved(models, subjects)))
        return tables

    def _grams(self, shown: Tensor, scaling: Scaling) -> Grams:
        if self.network is None:
            read = summed(
                lambda start, stop: shown.flatten(1)[:, start:stop],
                len(shown),
                shown[0].numel(),
                scaling=scaling,
                double=True,
                byte_budget=BLOCK_BYTES,
            )
            return {PIXELS: read.values.numpy()}
        model = self.network.model(self.at_step)
        return dict(grams(model, shown, list(MAPPED), scaling=scaling, batch_size=128))


@lru_cache(maxsize=4)
def recorded(session: str, size: int, data: Path) -> tuple[Tensor, NDArray[np.float64]]:
    """Return the images of a V4 session, (n, 3, size, size), and the responses (n, neurons)."""
    assembly = load(f"v4-cowley-{session}", data)
    return resized(assembly.stimuli, size), assembly.responses.to_numpy()


def resized(stimuli: StimulusSet, size: int) -> Tensor:
    """Return all images as a network of this size takes them, filling its input."""
    return Preprocess((3, size, size), resize=(size, size))(stimuli.images())


def _scores(area: str, found: Mapping[str, float], chosen: float) -> pd.DataFrame:
    best = max(found, key=lambda layer: -np.inf if np.isnan(found[layer]) else found[layer])
    return pd.DataFrame(
        [
            {
                "area": area,
                "layer": layer,
                "score": score,
                "best": layer == best,
                "chosen": chosen,
            }
            for layer, score in found.items()
        ]
    )


def chosen_elsewhere(raw: Mapping[str, Mapping[str, float]], session: str) -> float:
    """Return the score of a session at the layer that is best on average over the others.

    Parameters
    ----------
    raw : mapping of session to mapping of layer to score
    session : str

    Returns
    -------
    float
        NaN if there is no other session.
    """
    others = [found for name, found in raw.items() if name != session]
    if not others:
        return float("nan")
    mean = {layer: np.mean([found[layer] for found in others]) for layer in raw[session]}
    return raw[session][max(mean, key=lambda layer: mean[layer])]


def halved(
    models: Mapping[str, NDArray[np.float64]], subjects: NDArray[np.float64], *, seed: int = 0
) -> float:
    """Return the similarity to subjects at the layer that the other half of the images chose.

    Parameters
    ----------
    models : mapping of layer to array (n, n)
        RDMs.
    subjects : array (subjects, n, n)
    seed : int
        Of the `HALVINGS` random halves.

    Returns
    -------
    float
        Mean over halves and halvings of the mean Spearman correlation with each subject.
    """
    n = subjects.shape[-1]
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(HALVINGS):
        order = rng.permutation(n)
        halves = (np.sort(order[: n // 2]), np.sort(order[n // 2 :]))
        within = [
            {
                name: _rho(rdm[np.ix_(half, half)], subjects[:, half[:, None], half])
                for name, rdm in models.items()
            }
            for half in halves
        ]
        for choosing, scored in (within, within[::-1]):
            scores.append(scored[max(choosing, key=lambda layer: choosing[layer])])
    return float(np.mean(scores))


def _rho(rdm: NDArray[np.float64], subjects: NDArray[np.float64]) -> float:
    return float(np.mean(compare_rdms(rdm[None], subjects, "spearman")))


class Compare(Step):
    """Compare all networks with each other by debiased linear CKA, layer by layer."""

    networks: list[Train]
    images: SceneImages
    count: int

    def compute(self) -> pd.DataFrame:
        """Return one row a layer and pair of networks."""
        shown = self.images.stimuli()[: self.count]
        stacks: dict[str, list[NDArray[np.float32]]] = {layer: [] for layer in COMPARED}
        for k, network in enumerate(self.networks):
            made = grams(network.model(), shown, list(COMPARED), batch_size=128)
            for layer in COMPARED:
                stacks[layer].append(made[layer].astype(np.float32))
            tick(k + 1, len(self.networks), network.title)
        names = [network.identity for network in self.networks]
        first, second = np.triu_indices(len(names), 1)
        tables = []
        for layer, stack in stacks.items():
            matrix = np.asarray(cka_matrix(np.stack(stack)))
            table = pd.DataFrame({"layer": layer, "cka": matrix[first, second]})
            for side, index in (("a", first), ("b", second)):
                for key in names[0]:
                    table[f"{key}_{side}"] = [names[i][key] for i in index]
            tables.append(table)
        return pd.concat(tables, ignore_index=True).assign(n=len(shown))


def layer_names(layers: Sequence[str]) -> list[str]:
    """Return names for figures: without the count of the call."""
    return [layer.removesuffix(".relu:2") for layer in layers]
