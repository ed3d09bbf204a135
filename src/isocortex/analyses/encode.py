"""`encode`: how well each layer of a network predicts recorded neurons, beside its controls.

Responses are predicted on stimuli that the model was not fitted to, by ridge or partial least
squares from the Gram of a layer. Beside every layer stand the same layer of the same network with
random weights, and the pixels; a score is related to the ceiling of its neuroid where stimuli were
repeated. The layer of the nested choice is chosen inside the training data of each fold.
"""

from __future__ import annotations

import contextlib
import fnmatch
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex import brains
from isocortex import data as data_room
from isocortex.analyses.encode_steps import Encode, EncodePixels, LayerGrams, presented
from isocortex.analyses.encode_tables import Summarise
from isocortex.analyses.provenance import timing_rows, versions
from isocortex.errors import UserError, unknown
from isocortex.execution import Execution, Progress, Silence
from isocortex.measures.encoding import AGGREGATIONS
from isocortex.models import Model, files_checksum, load_model
from isocortex.recording.devices import usable_device

METHODS = ("ridge", "pls", "brainscore")
SCALINGS = ("centre", "zscore")


@dataclass(frozen=True)
class EncodeResult:
    """What `encode` gives.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        ``layers``: one row a network and layer. ``neuroids``: scores of each neuroid at the nested
        choice of each network. ``choice``: the layer of each fold. ``ceilings``: of each neuroid,
        if stimuli were repeated.
    provenance : dict
        Arguments, versions, checksums, timings.
    warnings : tuple of str
        What the user should know, one line each.
    """

    tables: dict[str, pd.DataFrame]
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


def encode(
    model: str,
    dataset: str,
    *,
    weights: str | None = None,
    layers: str | Sequence[str] = "all",
    method: str = "ridge",
    folds: int = 5,
    n_components: int = 25,
    scaling: str = "centre",
    how: str = "median_neuroids_mean_splits",
    n_stimuli: int | None = None,
    random_seeds: int = 1,
    n_resamples: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
    device: str = "cpu",
    data: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], object] | None = None,
) -> EncodeResult:
    """Predict recorded responses from the layers of a network, beside random weights and pixels.

    Parameters
    ----------
    model : str
        As `models.load_model` takes it.
    dataset : str
        As `brains.load` takes it; the recording must have its images.
    weights : str, optional
        "pretrained", "random", a version or the path of a checkpoint; by default those of
        `default_weights`.
    layers : str or sequence of str
        "all", or names and patterns (``features.*``), in one string parted by commas or as several.
    method : {"ridge", "pls", "brainscore"}
        Ridge with the penalty of each neuroid chosen on training data; partial least squares; or
        Brain-Score's protocol (`brain_score`), which has splits and components of its own.
    folds : int
        Outer folds.
    n_components : int
        Of partial least squares.
    scaling : {"centre", "zscore"}
        Whether units are scaled to unit variance.
    how : str
        A name of `AGGREGATIONS`: from scores of folds and neuroids to one number.
    n_stimuli : int, optional
        Draw so many stimuli; all if None.
    random_seeds : int
        Networks with random weights beside the given one.
    n_resamples : int
        Bootstrap samples of the intervals, over neuroids and stimuli.
    seed : int
        Of folds, draws, and of random weights where the model itself has them.
    batch_size, device : int, str
        For the network; products are made on the device too.
    data : Path, optional
        Folder of real data.
    cache : Path, optional
        Where results of steps are kept.
    progress : Progress, optional
        Who is told.
    announce : callable, optional
        Is given one line that says what memory and disk Grams will need, before they are made.

    Returns
    -------
    EncodeResult

    Raises
    ------
    UserError
        For anything that is not there or does not fit.
    """
    _check(method, scaling, how, n_components, random_seeds, n_resamples, batch_size)
    usable_device(device)
    folder = data_room.folder(data)
    shown = presented(dataset, _text(folder), n_stimuli, seed)
    weights = default_weights(model) if weights is None else weights
    network = load_model(model, weights, seed=seed)
    with contextlib.ExitStack() as stack:
        if cache is None:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocortex-")))
        execution = Execution(cache=cache, progress=progress or Silence())
        plan = _Plan(
            execution,
            stimuli={
                "dataset": dataset,
                "dataset_checksum": brains.checksum(dataset, folder),
                "n_presentations": n_stimuli,
                "draw_seed": seed,
                "scaling": scaling,
                "data": _text(folder),
            },
            looking={
                "model": model,
                "layers": chosen_layers(network, layers),
                "batch_size": batch_size,
            },
            fitting={"method": method, "folds": folds, "n_components": n_components, "seed": seed},
            device=device,
            how=how,
            announce=announce,
        )
        began, started = time.perf_counter(), datetime.now(UTC)
        first = seed + 1 if _is_random(network) else seed
        twin_seeds = list(range(first, first + random_seeds))
        tables = plan.tables(weights, seed, twin_seeds, n_resamples)
    provenance = {
        "analysis": "encode",
        "model": model,
        "weights": network.weights,
        "dataset": dataset,
        "licence": shown.card.licence,
        "citation": shown.card.citation,
        "method": method,
        "folds": folds,
        "scaling": scaling,
        "aggregation": how,
        "n_stimuli": len(shown),
        "seeds_of_random_weights": twin_seeds,
        "n_resamples": n_resamples,
        "seed": seed,
        "device": device,
        "batch_size": batch_size,
        "checksums": {
            "model": files_checksum(model, weights),
            "dataset": brains.checksum(dataset, folder),
        },
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - began, 2),
        "versions": versions(),
        "timings": timing_rows(execution.timings),
    }
    return EncodeResult(tables, provenance, tuple(_warnings(tables, dataset, network)))


@dataclass(frozen=True)
class _Plan:
    """The steps of one call."""

    execution: Execution
    stimuli: dict[str, Any]
    looking: dict[str, Any]
    fitting: dict[str, Any]
    device: str
    how: str
    announce: Callable[[str], object] | None

    def tables(
        self, weights: str | None, seed: int, twin_seeds: Sequence[int], n_resamples: int
    ) -> dict[str, pd.DataFrame]:
        """Run all steps, the network's own first, and return the tables of the last."""
        run, step = self.execution.run, self.execution.step
        own = self._predicted("network", weights, seed)
        twins = [self._predicted(f"random weights, seed {k}", "random", k) for k in twin_seeds]
        pixels = step(EncodePixels, **self.stimuli, **self.fitting, device=self.device)
        run(("pixels",), pixels)
        summary = step(
            Summarise,
            own=own,
            twins=twins,
            pixels=pixels,
            n_resamples=n_resamples,
            seed=self.fitting["seed"],
        )
        tables: dict[str, pd.DataFrame] = run(("scores and intervals",), summary)
        return tables

    def _predicted(self, title: str, weights: str | None, seed: int) -> Encode:
        step = self.execution.step
        grams = step(
            LayerGrams,
            weights=weights,
            checksum=files_checksum(self.looking["model"], weights),
            seed=seed,
            device=self.device,
            **self.looking,
            **self.stimuli,
        )
        encoded = step(Encode, layers=grams, how=self.how, **self.fitting, device=self.device)
        if not encoded.is_cached:
            if not grams.is_cached and self.announce is not None:
                self.announce(f"{title}: {grams.need().line()}")
            self.execution.run((title, "Grams"), grams)
        self.execution.run((title, "prediction"), encoded)
        return encoded


def default_weights(model: str) -> str | None:
    """Return the weights of a model that is named without: published ones where there are any."""
    return "pretrained" if model.partition(":")[0] in ("torchvision", "timm") else None


def chosen_layers(network: Model, layers: str | Sequence[str]) -> list[str]:
    """Return the layers that names and patterns stand for, in the order in which they answer.

    Raises
    ------
    UserError
        If a name or pattern fits none.
    """
    wanted = layers.split(",") if isinstance(layers, str) else list(layers)
    wanted = [name.strip() for name in wanted if name.strip()]
    if not wanted:
        raise UserError("no layer is named; say all, or names and patterns such as features.*")
    chosen: set[str] = set()
    for name in wanted:
        fitting = list(network.layers) if name == "all" else []
        fitting = fitting or fnmatch.filter(network.layers, name)
        if not fitting:
            network.layer(name)  # says which names are near
            fitting = [name]
        chosen.update(fitting)
    return [name for name in network.layers if name in chosen]


def _is_random(network: Model) -> bool:
    return network.weights.startswith("random")


def _check(
    method: str,
    scaling: str,
    how: str,
    n_components: int,
    random_seeds: int,
    n_resamples: int,
    batch_size: int,
) -> None:
    for kind, name, known in (
        ("method", method, METHODS),
        ("scaling of features", scaling, SCALINGS),
        ("aggregation", how, tuple(AGGREGATIONS)),
    ):
        if name not in known:
            raise unknown(kind, name, known)
    if random_seeds < 0:
        raise UserError(f"{random_seeds} networks with random weights are impossible; 0 leaves out")
    for what, number in (
        ("n_components", n_components),
        ("n_resamples", n_resamples),
        ("batch_size", batch_size),
    ):
        if number < 1:
            raise UserError(f"{what} is {number}; it must be at least 1")


def _text(folder: Path | None) -> str | None:
    return None if folder is None else str(folder)


def _warnings(tables: Mapping[str, pd.DataFrame], dataset: str, network: Model) -> list[str]:
    found = []
    if "ceilings" not in tables:
        found.append(
            f"{dataset} has no single repetitions, so its ceiling is unknown: scores are raw r"
        )
    if _is_random(network):
        found.append("the network itself has random weights; its control has those of other seeds")
    dropped = int(tables["layers"]["n_dropped"].max())
    if dropped:
        found.append(f"{dropped} neuroids do not vary or are never predicted, and are left out")
    return found
