"""`orientation`: how the layers of any network are tuned to orientation, beside recorded V1 cells.

Gratings are shown at the size of the network's images; each unit at the centre of a map has a
tuning curve at its best grating, and a circular variance. The distribution over units is compared
with that of recorded cells, by two response rules that differ in what silence is.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex import brains
from isocortex import data as data_room
from isocortex.analyses.encode import chosen_layers, default_weights
from isocortex.analyses.orientation_steps import (
    GIVEN,
    NOISE_IMAGES,
    REFERENCE,
    STIMULI,
    CompareTuning,
    Tune,
    gratings_for,
    reference_cells,
)
from isocortex.analyses.provenance import timing_rows, versions
from isocortex.brains.catalogue import CATALOGUE
from isocortex.errors import UserError, unknown
from isocortex.execution import Execution, Progress, Silence
from isocortex.models import Model, files_checksum, load_model
from isocortex.recording import Layout


@dataclass(frozen=True)
class OrientationResult:
    """What `orientation` gives.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        ``layers``: one row a network, layer and rule. ``units``: the units of the network itself.
        ``distributions``: shares of circular variances in 13 bins. ``reference``: the recorded
        cells, unless they are absent.
    provenance : dict
        Arguments, versions, checksums, timings.
    warnings : tuple of str
        What the user should know, one line each.
    """

    tables: dict[str, pd.DataFrame]
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


def orientation(
    model: str,
    *,
    weights: str | None = None,
    layers: str | Sequence[str] = "all",
    stimuli: str = "small",
    contrast: float = 1.0,
    reference: str | None = None,
    random_seeds: int = 1,
    n_draws: int = 2000,
    seed: int = 0,
    batch_size: int = 64,
    device: str = "cpu",
    data: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> OrientationResult:
    """Compare the orientation tuning of every layer of a network with recorded cells.

    Parameters
    ----------
    model : str
        As `models.load_model` takes it.
    weights : str, optional
        As for `encode`: published weights where there are any, unless given.
    layers : str or sequence of str
        "all", or names and patterns (``features.*``).
    stimuli : {"small", "marques2020"}
        Which gratings; see `stimuli.gratings`.
    contrast : float
        Michelson contrast of the small set.
    reference : str, optional
        The recorded cells: by default Ringach's (``"ringach2002"``) if the data folder has them,
        else none; or the path of a table in the form of Ringach's database.
    random_seeds : int
        Networks with random weights beside the given one. Their batch normalisation, if any, is
        estimated on images of pink noise.
    n_draws : int
        Bootstrap samples over units and animals.
    seed : int
        Of draws, and of random weights where the model itself has them.
    batch_size, device : int, str
        For the network.
    data, cache : Path, optional
        Folder of real data, and where results of steps are kept.
    progress : Progress, optional
        Who is told.

    Returns
    -------
    OrientationResult

    Raises
    ------
    UserError
        For anything that is not there or does not fit.
    """
    _check(stimuli, random_seeds, n_draws, batch_size)
    folder = data_room.folder(data)
    weights = default_weights(model) if weights is None else weights
    network = load_model(model, weights, seed=seed)
    names, left_out = _with_a_centre(network, chosen_layers(network, layers))
    gratings_for(network, stimuli, contrast)
    text = None if folder is None else str(folder)
    if reference is None and _is_found(folder):
        reference = REFERENCE
    licence = citation = checksum = ""
    if reference is not None:
        card = reference_cells(reference, text).card
        licence, citation = card.licence, card.citation
        checksum = _checksum(reference, folder)
    is_random = network.weights.startswith("random")
    first = seed + 1 if is_random else seed
    twin_seeds = list(range(first, first + random_seeds))
    with contextlib.ExitStack() as stack:
        if cache is None:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocortex-")))
        execution = Execution(cache=cache, progress=progress or Silence())
        began, started = time.perf_counter(), datetime.now(UTC)

        def tuned(title: str, weights: str | None, seed: int) -> Tune:
            step = execution.step(
                Tune,
                model=model,
                weights=weights,
                checksum=files_checksum(model, weights),
                seed=seed,
                layers=names,
                stimuli=stimuli,
                contrast=contrast,
                batch_size=batch_size,
                device=device,
            )
            execution.run((title,), step)
            return step

        own = tuned("network", weights, seed)
        twins = [tuned(f"random weights, seed {k}", "random", k) for k in twin_seeds]
        compared = execution.step(
            CompareTuning,
            own=own,
            twins=tuple(twins),
            reference=reference,
            reference_checksum=checksum,
            n_draws=n_draws,
            seed=seed,
            data=text,
        )
        tables: dict[str, pd.DataFrame] = execution.run(("distributions and distances",), compared)
    provenance = {
        "analysis": "orientation",
        "model": model,
        "weights": network.weights,
        "layers": names,
        "stimuli": stimuli,
        "image_px": max(network.input_shape[1:]),
        "contrast": contrast,
        "reference": reference or "absent",
        "licence": licence,
        "citation": citation,
        "seeds_of_random_weights": twin_seeds,
        "batch_statistics_of_random_weights": f"{NOISE_IMAGES} images of pink noise",
        "n_draws": n_draws,
        "seed": seed,
        "device": device,
        "batch_size": batch_size,
        "checksums": {"model": files_checksum(model, weights), "reference": checksum},
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - began, 2),
        "versions": versions(),
        "timings": timing_rows(execution.timings),
    }
    warnings = _warnings(tables, folder, is_random and bool(twin_seeds), left_out)
    return OrientationResult(tables, provenance, tuple(warnings))


def _with_a_centre(network: Model, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part layers into those with units at a centre and those without."""
    kept, left_out = [], []
    for name in names:
        try:
            Layout(name, network.layers[name].shape).central_block()
        except UserError:
            left_out.append(name)
        else:
            kept.append(name)
    if not kept:
        raise UserError(f"no layer of {network.name} that was asked for has units at a centre")
    return kept, left_out


def _is_found(folder: Path | None) -> bool:
    listed = brains.catalogue(folder).set_index("name")
    return bool(listed.loc[REFERENCE, "found"])


def _checksum(reference: str, folder: Path | None) -> str:
    if reference in CATALOGUE:
        files = [data_room.require(folder, file) for file in CATALOGUE[reference].files]
        return " ".join(map(data_room.checksum, files))
    return data_room.checksum(reference)


def _check(stimuli: str, random_seeds: int, n_draws: int, batch_size: int) -> None:
    if stimuli not in STIMULI:
        raise unknown("set of gratings", stimuli, STIMULI)
    if random_seeds < 0:
        raise UserError(f"{random_seeds} networks with random weights are impossible; 0 leaves out")
    for what, number in (("n_draws", n_draws), ("batch_size", batch_size)):
        if number < 1:
            raise UserError(f"{what} is {number}; it must be at least 1")


def _warnings(
    tables: dict[str, pd.DataFrame],
    folder: Path | None,
    both_random: bool,
    left_out: Sequence[str],
) -> list[str]:
    found = []
    if "reference" not in tables:
        where = "no data folder is named" if folder is None else f"{folder} lacks them"
        found.append(
            f"the recorded cells (Ringach 2002) are absent, as {where}: distributions are given "
            "without a comparison"
        )
    if both_random:
        found.append("the network itself has random weights; its control has those of other seeds")
    own = tables["layers"][tables["layers"]["network"] == GIVEN]
    silent = int(own["n_silent"].sum())
    if silent:
        total = silent + int(own["n_units"].sum())
        found.append(f"{silent} of {total} tuning curves are 0 throughout, and are left out")
    if left_out:
        found.append(
            f"{len(left_out)} layers have no units at a centre and are left out: "
            f"{', '.join(left_out[:3])}{', ...' if len(left_out) > 3 else ''}"
        )
    return found
