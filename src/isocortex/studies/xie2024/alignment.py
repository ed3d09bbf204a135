"""Alignment of a network with recorded areas: V4 sessions and the 92 objects (5.1, 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from isocortex.brains import load
from isocortex.execution import Step, tick
from isocortex.measures.encoding import brain_score, variance_partition
from isocortex.measures.similarity import compare_rdms
from isocortex.models.preprocessing import Preprocess
from isocortex.recording import grams
from isocortex.stimuli import StimulusSet
from isocortex.studies.xie2024.looking import Looking

HALVINGS = 10
REGIONS = ("EVC", "IT")


class Align(Looking):
    """Score every candidate layer on V4 sessions and on human cortex (specification, 5.1, 5.3)."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    sessions: list[str]
    splits: int
    components: int
    human: bool
    """Whether to compare with the 92 objects as well."""
    data: Path
    checksums: dict[str, str]

    def compute(self) -> pd.DataFrame:
        """Return one row a session or region, and layer, with its score.

        ``chosen`` is the score at the layer that other sessions, or other images, chose.
        """
        tables = []
        raw: dict[str, dict[str, float]] = {}
        for k, session in enumerate(self.sessions):
            shown, responses = recorded(session, self.size, self.data)
            made = self.read(shown)
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
        return pd.concat(tables, ignore_index=True).assign(**self.identity, step=self.at_step)

    def _human(self) -> list[pd.DataFrame]:
        objects = load("objects92", self.data)
        made = self.read(resized(objects.stimuli, self.size), "correlation")
        models = {layer: 1 - gram for layer, gram in made.items()}
        tables = []
        for region in REGIONS:
            subjects = objects.rdms[region].to_numpy()
            found = {name: _rho(rdm, subjects) for name, rdm in models.items()}
            tables.append(_scores(region, found, halved(models, subjects)))
        return tables


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


class Share(Step):
    """Divide what two networks explain of a V4 session into unique and shared parts.

    Each network speaks with the layer that is best for it on the other sessions; ridge, one
    penalty for both together.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    first: Align
    second: Align
    session: str
    folds: int
    data: Path
    resamples: int

    @property
    def title(self) -> str:
        """Name in the terminal."""
        return f"{self.first.title} and {self.second.title}, {self.session}"

    def compute(self) -> pd.DataFrame:
        """Return one row a part with its share of variance and interval over neurons."""
        shown, responses = recorded(self.session, self.first.size, self.data)
        spaces, names, layers = {}, [], []
        for role, scored in (("a", self.first), ("b", self.second)):
            network = scored.network
            assert network is not None
            layer = best_elsewhere(scored.result(), self.session)
            made = grams(network.model(), shown, [layer], batch_size=128, device=network.device)
            spaces[role] = made[layer]
            names.append(network.task_set)
            layers.append(layer)
        found = variance_partition(
            spaces, responses, folds=self.folds, gram=True, n_resamples=self.resamples
        )
        roles = {"a": names[0], "b": names[1], "a & b": "shared"}
        rows = [
            {
                "part": roles[part],
                "r2": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "n": interval.n,
            }
            for part, interval in found.parts.items()
        ]
        assert self.first.network is not None
        return pd.DataFrame(rows).assign(
            network_a=names[0], network_b=names[1], layer_a=layers[0], layer_b=layers[1],
            session=self.session, seed=self.first.network.seed,
        )  # fmt: skip


def best_elsewhere(scored: pd.DataFrame, session: str) -> str:
    """Return the layer that is best on average over the other sessions.

    Parameters
    ----------
    scored : DataFrame
        Of `Align`.
    session : str
        Number of the session that is left out.
    """
    others = scored[scored["area"].str.startswith("V4") & (scored["area"] != f"V4 {session}")]
    return str(others.groupby("layer", sort=False)["score"].mean().idxmax())
