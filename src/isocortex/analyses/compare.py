"""`compare`: two networks by CKA, or a network and human cortex by RSA.

All layers of a network are compared in one pass, from their Grams. Layers that answer exactly as
an earlier one are compared once. Beside each number stand an interval over stimuli (and subjects),
a null in which stimuli do not correspond, pixels, and for RSA the same layer of the same network
with random weights, and the noise ceiling of the subjects.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex import brains
from isocortex import data as data_room
from isocortex.analyses.compare_steps import (
    AlignNetworks,
    AlignSubjects,
    Scaling,
    SetGrams,
    subjects_of,
)
from isocortex.analyses.encode import chosen_layers, default_weights
from isocortex.analyses.provenance import timing_rows, versions
from isocortex.analyses.stimulus_sets import ShownSet, shown_set
from isocortex.brains.catalogue import CATALOGUE
from isocortex.errors import UserError, unknown
from isocortex.execution import Execution, Progress, Silence
from isocortex.measures.similarity import METHODS
from isocortex.models import Model, files_checksum, load_model
from isocortex.recording.devices import usable_device

BRAINS = tuple(name for name, entry in CATALOGUE.items() if entry.kind == "rdms")
"""What a network is compared with by RSA."""

REGIONS = ("EVC", "IT")


@dataclass(frozen=True)
class CompareResult:
    """What `compare_networks` and `compare_brain` give.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        Of two networks ``cka`` (one row a pair of layers), ``matrix`` and ``layers``; of a network
        and a brain ``scores`` (one row a region, network and layer), ``ceilings``, ``subjects``,
        ``choice`` and ``layers``.
    provenance : dict
        Arguments, versions, checksums, timings.
    warnings : tuple of str
        What the user should know, one line each.
    """

    tables: dict[str, pd.DataFrame]
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


def compare_networks(
    model_a: str,
    model_b: str,
    stimuli: str,
    *,
    weights: str | None = None,
    weights_b: str | None = None,
    layers: str | Sequence[str] = "all",
    layers_b: str | Sequence[str] | None = None,
    debiased: bool = True,
    count: int | None = None,
    size: int | None = None,
    n_permutations: int = 200,
    seed: int = 0,
    seed_b: int | None = None,
    batch_size: int = 32,
    device: str = "cpu",
    data: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], object] | None = None,
) -> CompareResult:
    """Compare all layers of two networks by linear CKA.

    Parameters
    ----------
    model_a, model_b : str
        As `models.load_model` takes them.
    stimuli : str
        A stimulus set, as `stimulus_sets.shown_set` takes it.
    weights, weights_b : str, optional
        "pretrained", "random", a version or the path of a checkpoint; by default those of
        `default_weights`. The second network takes those of the first unless told otherwise.
    layers, layers_b : str or sequence of str
        "all", or names and patterns; of the second network those of the first unless told
        otherwise.
    debiased : bool
        As in `cka_matrix`; without it wide layers look alike whatever they hold.
    count, size : int, optional
        Draw so many stimuli; pixels on a side, as `shown_set` says.
    n_permutations : int
        Of the null.
    seed, seed_b : int
        Of draws, and of random weights; the second network's weights take `seed_b` if given.
    batch_size, device : int, str
        For the networks.
    data, cache, progress
        Folder of real data, where results of steps are kept, who is told.
    announce : callable, optional
        Is given one line that says what memory and disk Grams will need, before they are made.

    Returns
    -------
    CompareResult

    Raises
    ------
    UserError
        For anything that is not there or does not fit.
    """
    _check(n_permutations=n_permutations, batch_size=batch_size)
    usable_device(device)
    shown = _shown(stimuli, data, size, count, seed)
    sides = (
        _Side.of(model_a, weights, seed, layers),
        _Side.of(
            model_b,
            weights if weights_b is None else weights_b,
            seed if seed_b is None else seed_b,
            layers if layers_b is None else layers_b,
        ),
    )
    began, started = time.perf_counter(), datetime.now(UTC)
    with _execution(cache, progress) as execution:
        looking = {"batch_size": batch_size, "device": device}
        made = [side.grams(execution, shown, "centre", **looking) for side in sides]
        step = execution.step(
            AlignNetworks,
            a=made[0],
            b=made[1],
            debiased=debiased,
            n_permutations=n_permutations,
            seed=seed,
        )
        if not step.is_cached:
            _make(execution, announce, {"network a": made[0], "network b": made[1]})
        tables: dict[str, pd.DataFrame] = execution.run(("CKA",), step)
        provenance = {
            "analysis": "compare",
            "what": "CKA, debiased" if debiased else "CKA, biased",
            **{f"network_{name}": side.described() for name, side in zip("ab", sides, strict=True)},
            "n_permutations": n_permutations,
            **_provenance(execution, shown, tables["cka"], seed, looking, began, started),
        }
    return CompareResult(tables, provenance, tuple(_repeated(tables["layers"])))


def compare_brain(
    model: str,
    brain: str = "objects92",
    *,
    weights: str | None = None,
    layers: str | Sequence[str] = "all",
    regions: Sequence[str] = REGIONS,
    method: str = "spearman",
    random_seeds: int = 1,
    n_draws: int = 1000,
    n_permutations: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
    device: str = "cpu",
    data: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], object] | None = None,
) -> CompareResult:
    """Compare the RDMs of all layers with those of human subjects, beside controls and ceilings.

    Parameters
    ----------
    model : str
        As `models.load_model` takes it.
    brain : str
        A name of `BRAINS`.
    weights, layers
        As for `compare_networks`.
    regions : sequence of str
        Regions of the brain.
    method : str
        As in `compare_rdms`; not the whitened cosine, which has no bootstrap over stimuli.
    random_seeds : int
        Networks with random weights beside the given one.
    n_draws : int
        Bootstrap samples of stimuli and subjects.
    n_permutations : int
        Of the null.
    seed : int
        Of draws, and of random weights where the model itself has them.
    batch_size, device, data, cache, progress, announce
        As for `compare_networks`.

    Returns
    -------
    CompareResult

    Raises
    ------
    UserError
        For anything that is not there or does not fit.
    """
    known = [name for name in METHODS if name != "whitened_cosine"]
    if method not in known:
        raise unknown("RDM comparison", method, known)
    if brain not in BRAINS:
        raise unknown("brain with dissimilarities", brain, BRAINS)
    if random_seeds < 0 or not regions:
        raise UserError(
            "compare needs at least one region, and 0 or more networks of random weights"
        )
    _check(n_draws=n_draws, n_permutations=n_permutations, batch_size=batch_size)
    usable_device(device)
    shown = _shown(brain, data, None, None, seed)
    measured = brains.load(brain, shown.data)
    for region in regions:
        subjects_of(measured, region)
    side = _Side.of(model, weights, seed, layers)
    first = seed + 1 if side.is_random else seed
    twins = [_Side.of(model, "random", first + k, layers) for k in range(random_seeds)]
    began, started = time.perf_counter(), datetime.now(UTC)
    with _execution(cache, progress) as execution:
        looking = {"batch_size": batch_size, "device": device}
        made = [s.grams(execution, shown, "correlation", **looking) for s in (side, *twins)]
        step = execution.step(
            AlignSubjects,
            own=made[0],
            twins=made[1:],
            regions=list(regions),
            method=method,
            n_draws=n_draws,
            n_permutations=n_permutations,
            seed=seed,
        )
        if not step.is_cached:
            titles = ("network", *(f"random weights, seed {twin.seed}" for twin in twins))
            _make(execution, announce, dict(zip(titles, made, strict=True)))
        tables: dict[str, pd.DataFrame] = execution.run(("scores and intervals",), step)
        provenance = {
            "analysis": "compare",
            "what": f"RSA, {method}",
            "network": side.described(),
            "random_seeds": [twin.seed for twin in twins],
            "licence": measured.card.licence,
            "citation": measured.card.citation,
            "regions": list(regions),
            "n_draws": n_draws,
            "n_permutations": n_permutations,
            **_provenance(execution, shown, tables["scores"], seed, looking, began, started),
        }
    return CompareResult(tables, provenance, tuple(_warnings(side, tables)))


@dataclass(frozen=True)
class _Side:
    """One network, and which of its layers are read."""

    model: str
    weights: str | None
    seed: int
    layers: list[str]
    network: Model

    @classmethod
    def of(cls, model: str, weights: str | None, seed: int, layers: str | Sequence[str]) -> _Side:
        chosen = default_weights(model) if weights is None else weights
        network = load_model(model, chosen, seed=seed)
        return cls(model, chosen, seed, chosen_layers(network, layers), network)

    @property
    def is_random(self) -> bool:
        return self.network.weights.startswith("random")

    def grams(
        self, execution: Execution, shown: ShownSet, scaling: Scaling, **looking: Any
    ) -> SetGrams:
        return execution.step(
            SetGrams,
            model=self.model,
            weights=self.weights,
            checksum=files_checksum(self.model, self.weights),
            seed=self.seed,
            layers=self.layers,
            shown=shown,
            scaling=scaling,
            **looking,
        )

    def described(self) -> dict[str, Any]:
        """Say for the provenance which network this is."""
        return {
            "model": self.model,
            "weights": self.network.weights,
            "checksum": files_checksum(self.model, self.weights),
            "seed": self.seed,
            "layers": self.layers,
        }


def _shown(
    name: str, data: Path | None, size: int | None, count: int | None, seed: int
) -> ShownSet:
    return shown_set(name, data=data_room.folder(data), size=size, count=count, seed=seed)


def _make(
    execution: Execution,
    announce: Callable[[str], object] | None,
    sources: Mapping[str, SetGrams],
) -> None:
    """Make Grams in the tree of steps, and say before the first what they will need."""
    for title, source in sources.items():
        if announce is not None and not source.is_cached:
            announce(source.need().line())
            announce = None
        execution.run((title, "Grams"), source)


@contextlib.contextmanager
def _execution(cache: Path | None, progress: Progress | None) -> Iterator[Execution]:
    """Run steps in a cache; without one in a folder that is removed at the end."""
    with contextlib.ExitStack() as stack:
        if cache is None:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocortex-")))
        yield Execution(cache=cache, progress=progress or Silence())


def _provenance(
    execution: Execution,
    shown: ShownSet,
    table: pd.DataFrame,
    seed: int,
    looking: dict[str, Any],
    began: float,
    started: datetime,
) -> dict[str, Any]:
    return {
        "stimuli": shown.name,
        "stimuli_checksum": shown.checksum,
        "n_stimuli": int(table["n_stimuli"].iloc[0]),
        "seed": seed,
        **looking,
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - began, 2),
        "versions": versions(),
        "timings": timing_rows(execution.timings),
    }


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"{name} is {number}; it must be at least 1")


def _repeated(layers: pd.DataFrame) -> Iterator[str]:
    count = int((layers["same_as"] != "").sum())
    if count:
        yield f"{count} layers answer exactly as an earlier one and are left out (table layers)"


def _warnings(side: _Side, tables: dict[str, pd.DataFrame]) -> Iterator[str]:
    yield from _repeated(tables["layers"])
    scores = tables["scores"]
    undefined = scores[~scores["defined"].astype(bool)]
    if len(undefined):
        named = ", ".join(undefined["layer"].unique()[:5])
        yield (
            f"{undefined['layer'].nunique()} layers answer some stimuli without any variance over "
            f"units, or all alike, and have no RDM: {named}"
        )
    if side.is_random:
        yield "the network itself has random weights; its control has those of other seeds"
