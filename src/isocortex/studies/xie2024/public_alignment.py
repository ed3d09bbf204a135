"""Alignment with public Brain-Score assemblies of macaque V1, V2, V4 and IT (5.1, 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocortex.brains import read_public
from isocortex.brains.public_assemblies import PUBLIC, public_files
from isocortex.errors import UserError, unknown
from isocortex.execution import tick
from isocortex.measures.encoding import (
    best_layer,
    internal_consistency,
    normalise,
    pls_cv,
    stratified_shuffle,
)
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.visual_field import in_field
from isocortex.studies.xie2024.looking import Looking

REGIONS = ("V1", "V2", "V4", "IT")
"""Those whose mean is the alignment A of the paper."""

FIELD = 8.0
"""Visual angle that a network sees, in degrees."""

RULE = "brainscore_2024"
"""How scores and ceilings are related, as in the paper: (r / ceiling)^2."""

SEED = 1

DECIDES = {
    True: "A is the mean over V1, V2, V4 and IT of public assemblies, (r / ceiling)^2, at the layer"
    " that inner folds of the training images choose",
    False: "A is that of the V4 sessions, since files of some public region are missing",
}
"""What A is, by whether all four regions are there."""


@dataclass(frozen=True)
class Recorded:
    """One region of an assembly.

    Attributes
    ----------
    stimuli : StimulusSet
    responses : array (n, sites)
        Means over repetitions.
    labels : array (n,)
        What splits are stratified by.
    ceiling : float
        Internal consistency.
    """

    stimuli: StimulusSet
    responses: NDArray[np.float64]
    labels: NDArray[np.str_]
    ceiling: float


class AlignPublic(Looking):
    """Score every candidate layer on regions of public assemblies.

    Images are shown in a field of `FIELD` degrees and predict the sites by partial least squares in
    random splits of 90 / 10 %; median r over sites, mean over splits, by `RULE`. The layer of
    ``chosen`` is the best in inner folds of each split's training images.
    """

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("folder",)
    regions: list[str]
    """As NAME.REGION."""
    splits: int
    inner_splits: int
    components: int
    folder: str | None
    checksums: dict[str, str]

    def compute(self) -> pd.DataFrame:
        """Return one row a region and layer."""
        tables = []
        made: dict[str, NDArray[np.float64]] = {}
        before = ""
        for k, region in enumerate(self.regions):
            name, _, area = region.partition(".")
            seen = recorded(name, area, self.folder, self.splits)
            if name != before:  # regions of one assembly were shown the same images
                degrees = PUBLIC[name].degrees
                made = dict(
                    self.read(
                        seen.stimuli, transform=partial(in_field, degrees=degrees, field=FIELD)
                    )
                )
                before = name
            tables.append(self._scored(area, made, seen).assign(assembly=name))
            tick(k + 1, len(self.regions), region)
        body = "" if self.observer is None else self.observer.body
        found = pd.concat(tables, ignore_index=True)
        return found.assign(**self.identity, step=self.at_step, body=body)

    def _scored(
        self, area: str, made: dict[str, NDArray[np.float64]], seen: Recorded
    ) -> pd.DataFrame:
        found = best_layer(
            made,
            seen.responses,
            folds=stratified_shuffle(seen.labels, self.splits, test_share=0.1, seed=SEED),
            selection=self.inner_splits,
            method=pls_cv,
            gram=True,
            n_components=self.components,
            seed=SEED,
        )
        raw = {layer: result.aggregate() for layer, result in found.each.items()}
        best = max(raw, key=lambda layer: -np.inf if np.isnan(raw[layer]) else raw[layer])
        nested = found.encoding.aggregate()
        table = pd.DataFrame({"layer": list(raw), "raw": list(raw.values())})
        return table.assign(
            area=area,
            score=[normalise(r, seen.ceiling, RULE) for r in raw.values()],
            best=table["layer"] == best,
            chosen=normalise(nested, seen.ceiling, RULE),
            chosen_raw=nested,
            ceiling=seen.ceiling,
            rule=RULE,
            n=len(seen.responses),
            sites=seen.responses.shape[1],
        )


@lru_cache(maxsize=4)
def recorded(name: str, area: str, folder: str | None, halvings: int) -> Recorded:
    """Return one region of a public assembly, with its ceiling.

    Raises
    ------
    UserError
        If a file is missing or another, or the stimuli lack the column for the splits.
    """
    assembly = read_public(name, folder, region=area)
    label = PUBLIC[name].label
    if label and label not in assembly.presentations:
        raise UserError(
            f"{name}: its table of stimuli lacks the column {label} that splits are stratified by"
        )
    if assembly.stimuli is None or assembly.trials is None:
        raise UserError(f"{name} has no repetitions, so that its ceiling is unknown")
    n = len(assembly)
    labels = assembly.presentations[label].to_numpy() if label else np.zeros(n)
    return Recorded(
        assembly.stimuli,
        assembly.responses.to_numpy().astype(np.float64),
        labels.astype(str),
        internal_consistency(assembly.trials.to_numpy(), n_splits=halvings, seed=SEED),
    )


def available(wanted: Sequence[str], folder: str | None) -> tuple[list[str], list[str]]:
    """Return the regions whose files are there, and a line for each assembly that lacks some.

    Raises
    ------
    UserError
        If a region has another name than a public one.
    """
    known = [f"{name}.{area}" for name, entry in PUBLIC.items() for area in entry.regions]
    for region in wanted:
        if region not in known:
            raise unknown("public region", region, known)
    lines = {}
    for name in dict.fromkeys(region.partition(".")[0] for region in wanted):
        where, missing = public_files(name, folder)
        if missing:
            lines[name] = (
                f"{name} lacks {', '.join(missing)} in {where}; brains.read_public"
                f"({name!r}, download=True) fetches them"
            )
    there = [region for region in wanted if region.partition(".")[0] not in lines]
    return sorted(there, key=lambda r: REGIONS.index(r.partition(".")[2])), list(lines.values())


def files_of(regions: Sequence[str]) -> dict[str, str]:
    """Return the files that regions are read from, with the checksums that they must have."""
    entries = [PUBLIC[name] for name in dict.fromkeys(r.partition(".")[0] for r in regions)]
    pairs = [pair for e in entries for pair in zip(e.files, e.sha1, strict=True)]
    return {file: f"sha1:{sha1}" for file, sha1 in pairs}


def complete(table: pd.DataFrame | None) -> bool:
    """Return whether a table of `AlignPublic` holds all four regions, whose mean is A."""
    return table is not None and set(REGIONS) <= set(table["area"])
