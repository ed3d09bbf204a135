"""The study as one line: objects, mechanism, diets, recordings, measures, face patch, verdicts."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isocortex import data as data_room
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet
from isocortex.studies.base import Findings, Study, Tables
from isocortex.studies.execution import Execution
from isocortex.studies.farzmahdi2024.claims import CLAIMS, EVIDENCE
from isocortex.studies.farzmahdi2024.config import CONFIGURATIONS, Configuration
from isocortex.studies.farzmahdi2024.figures import FIGURES
from isocortex.studies.farzmahdi2024.given import MeasureGiven, checkpoint_checksum
from isocortex.studies.farzmahdi2024.judging import judge_all
from isocortex.studies.farzmahdi2024.measuring import N_VIEWS, Measure, tuning
from isocortex.studies.farzmahdi2024.mechanism import Mechanism
from isocortex.studies.farzmahdi2024.networks import Source, Train
from isocortex.studies.farzmahdi2024.recorded import FacePatchAM, alignment
from isocortex.studies.farzmahdi2024.simulated import Simulate
from isocortex.studies.farzmahdi2024.stimuli import Variant, Views

AM_FILE = "neural/am_faceviews_monkeyB.npz"
SOURCE_FILES = {"mnist": "images/mnist.npz", "cifar10": "images/cifar10_subset.zip"}
DATA_FILES = {
    "meshes": ("meshes/index.csv", "objects.source=procedural"),
    "mnist": (SOURCE_FILES["mnist"], "training.sources=[glyphs]"),
    "cifar10": (SOURCE_FILES["cifar10"], "training.natural=false"),
    "face patch AM": (AM_FILE, "face_patch.recorded=false"),
}
"""Files that a run reads, and the field that does without each."""


def steps(configuration: Configuration, data: Path | None, execution: Execution) -> Findings:
    """Run the study and judge its claims.

    Parameters
    ----------
    configuration : Configuration
        The preset, with overrides.
    data : Path or None
        Folder of real data; without it everything runs on procedural objects and glyphs, and the
        recorded face patch is left out.
    execution : Execution
        Where results are kept, where sweeps run, who is told.
    """
    chosen = configuration
    notes: list[str] = []
    checksums: dict[str, str] = {}
    sources, natural = _sources(chosen, data, notes)
    maker = _Maker(chosen, data, execution, checksums)

    views = {name: maker.views(*what) for name, what in SETS.items()}
    for name, rendered in views.items():
        execution.run(("render", name), rendered)
    tables: Tables = {"objects": _object_table(views), "montage": _montage(views)}
    tables["pixels"] = _pixels(views, chosen.null_draws)

    tables["mechanism"] = execution.run(
        ("mechanism",),
        execution.step(
            Mechanism,
            views={light: maker.views("exact", light) for light in ("symmetric", "side")},
            seeds=chosen.mechanism.seeds,
        ),
    )

    tables["simulated"] = execution.run(
        ("simulated populations",), execution.step(Simulate, seeds=chosen.mechanism.seeds)
    )

    tables |= _recorded(chosen, data, execution, checksums, notes)
    reliability = _reliability(tables)
    networks = maker.networks(sources, natural)
    trained = execution.sweep(("train",), networks, lambda step: step.title)
    tables["training"] = _training_table(networks, trained)
    measures = [maker.measure(network, views, reliability) for network in networks]
    measured = execution.sweep(("record and measure",), measures, lambda step: step.title)
    for name in measured[0]:
        tables[name] = pd.concat([found[name] for found in measured], ignore_index=True)
    for step in (*networks, *measures):
        step.clear_workspace()

    if "face_patch_blocks" in tables:
        tables["alignment"] = alignment(tables["face_patch_blocks"], tables["blocks"])

    if chosen.given.models:
        given = [maker.given(model) for model in chosen.given.models]
        found = execution.sweep(("given networks",), given, lambda step: step.model)
        tables["given"] = pd.concat(found, ignore_index=True)

    judgements = judge_all(tables, sources, chosen.training.seeds, chosen.resamples)
    return Findings(tables, judgements, checksums, tuple(notes))


SETS: dict[str, tuple[Variant, str]] = {
    "classes": ("classes", "symmetric"),
    "heads": ("heads", "symmetric"),
    "broken": ("broken", "symmetric"),
    "side": ("classes", "side"),
}
"""The sets that every network sees: variant of the objects, and light."""


def _sources(
    chosen: Configuration, data: Path | None, notes: list[str]
) -> tuple[list[Source], bool]:
    """Return the training sources that can be had, and whether natural images can.

    Without a data folder what needs one is left out, with a note. A folder that was given must
    hold what the configuration reads.
    """
    sources: list[Source] = []
    for source in chosen.training.sources:
        if source not in SOURCE_FILES or _has(data, source):
            sources.append(source)
        else:
            notes.append(f"no data folder: networks are not trained on {source}")
    if not sources:
        raise UserError(
            "no training source is left: give --data, or --set training.sources=[glyphs]"
        )
    natural = chosen.training.natural and _has(data, "cifar10")
    if chosen.training.natural and not natural:
        notes.append("no data folder: no natural diet, F11 is not tested")
    return sources, natural


def _has(data: Path | None, what: str) -> bool:
    """Return False without a data folder; say how to do without a file that a folder lacks."""
    if data is None:
        return False
    file, otherwise = DATA_FILES[what]
    if not (data / file).exists():
        raise UserError(
            f"the data folder {data} lacks {file}; add it, or do without: --set {otherwise}"
        )
    return True


def _recorded(
    chosen: Configuration,
    data: Path | None,
    execution: Execution,
    checksums: dict[str, str],
    notes: list[str],
) -> Tables:
    """Run the protocol of the recorded face patch, if the recording is there."""
    if data is None or not chosen.face_patch.recorded or not _has(data, "face patch AM"):
        notes.append("no recorded face patch: F19 and F20 are not tested (set ISOCORTEX_DATA)")
        return {}
    checksums[AM_FILE] = data_room.checksum(data / AM_FILE)
    patch = execution.step(
        FacePatchAM,
        path=data / AM_FILE,
        checksum=checksums[AM_FILE],
        splits=chosen.face_patch.splits,
        null_draws=chosen.face_patch.null_draws,
        resamples=chosen.face_patch.resamples,
    )
    tables: Tables = execution.run(("face patch AM",), patch)
    return tables


def _reliability(tables: Tables) -> float | None:
    """Return reliability (b) of the recording, to which layers are noise-matched."""
    if "face_patch" not in tables:
        return None
    by_measure = tables["face_patch"].set_index("measure")["value"]
    return round(float(by_measure["trial_reliability"]), 6)


class _Maker:
    """Builds the steps of a run from its configuration."""

    def __init__(
        self,
        chosen: Configuration,
        data: Path | None,
        execution: Execution,
        checksums: dict[str, str],
    ) -> None:
        self._chosen, self._data, self._execution = chosen, data, execution
        self._checksums = checksums
        source = chosen.objects.source
        if source == "auto":
            source = "meshes" if _has(data, "meshes") else "procedural"
        if source == "meshes":
            files = sorted(data_room.require(data, "meshes/index.csv").parent.glob("*.npz"))
            for file in files:
                self._checksums[f"meshes/{file.name}"] = data_room.checksum(file)
        self.source = source

    def views(self, variant: Variant, lighting: str, **fields: object) -> Views:
        objects = self._chosen.objects
        meshes = [f"{k}:{v}" for k, v in self._checksums.items() if k.startswith("meshes/")]
        return self._execution.step(
            Views,
            source=self.source,
            variant=variant,
            lighting=lighting,
            data=self._data,
            data_checksum=hashlib.sha256("\n".join(sorted(meshes)).encode()).hexdigest()[:16],
            **(
                {
                    "per_class": objects.per_class,
                    "heads": objects.heads,
                    "size": objects.size,
                    "luminance": objects.luminance,
                    "elevation": objects.elevation,
                    "supersample": objects.supersample,
                    "seed": objects.seed,
                }
                | fields
            ),
        )

    def networks(self, sources: Sequence[Source], natural: bool) -> list[Train]:
        policies = ("none", *self._chosen.training.policies)
        wanted = [(source, policy) for source in sources for policy in policies]
        if natural:
            wanted.append(("cifar10", "orig"))
        seeds = range(self._chosen.training.seeds)
        return [self._network(source, policy, seed) for source, policy in wanted for seed in seeds]

    def _network(self, source: Source, policy: str, seed: int) -> Train:
        training = self._chosen.training
        checksum = ""
        if source in SOURCE_FILES and policy != "none":
            file = SOURCE_FILES[source]
            if file not in self._checksums:
                self._checksums[file] = data_room.checksum(data_room.require(self._data, file))
            checksum = self._checksums[file]
        return self._execution.step(
            Train,
            network=training.network,
            source=source,
            policy=policy,
            seed=seed,
            size=self._chosen.objects.size,
            steps=training.steps,
            batch_size=training.batch_size,
            optimiser=training.optimiser,
            learning_rate=training.learning_rate,
            halve_every=training.halve_every,
            images=training.images,
            test_images=training.test_images,
            data=self._data,
            data_checksum=checksum,
            checkpoint_every=training.checkpoint_every,
            device=training.device,
        )

    def measure(
        self, network: Train, views: dict[str, Views], reliability: float | None
    ) -> Measure:
        recording = self._chosen.recording
        return self._execution.step(
            Measure,
            network=network,
            views=views,
            batch_size=recording.batch_size,
            device=recording.device,
            null_draws=self._chosen.null_draws,
            recorded_reliability=reliability,
            keep_recordings=recording.keep,
        )

    def given(self, model: str) -> MeasureGiven:
        given = self._chosen.given
        weights = given.weights.get(model, "pretrained")
        return self._execution.step(
            MeasureGiven,
            model=model,
            weights=weights,
            weights_checksum=checkpoint_checksum(weights),
            views=self.views("categories", "symmetric", size=given.size),
            batch_size=self._chosen.recording.batch_size,
            device=self._chosen.recording.device,
        )


def _object_table(views: dict[str, Views]) -> pd.DataFrame:
    """Return the manifest of every image of every set."""
    parts = []
    for name, step in views.items():
        table = step.stimuli().table
        table.insert(0, "set", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _montage(views: dict[str, Views], per_class: int = 2) -> pd.DataFrame:
    """Return a few objects of each class as PNGs in base64, one row an image."""
    rows = []
    for name in ("classes", "heads"):
        stimuli = views[name].stimuli()
        table = stimuli.table
        kinds = table["symmetry_class"] if name == "classes" else pd.Series("heads", table.index)
        for kind in kinds.unique():
            for object_id in table.loc[kinds == kind, "object_id"].unique()[:per_class]:
                chosen = np.flatnonzero(table["object_id"] == object_id)
                rows += _pictures(stimuli, chosen, str(kind))
    return pd.DataFrame(rows)


def _pictures(stimuli: StimulusSet, chosen: np.ndarray, kind: str) -> list[dict[str, object]]:
    rows = []
    for image, (_, row) in zip(
        stimuli.images(chosen), stimuli.table.iloc[chosen].iterrows(), strict=True
    ):
        stream = io.BytesIO()
        levels = (image[0].numpy() * 255).round().astype(np.uint8)
        Image.fromarray(levels).save(stream, format="PNG")
        rows.append(
            {
                "symmetry_class": kind,
                "object_id": row["object_id"],
                "view": row["view"],
                "yaw": row["yaw"],
                "png": base64.b64encode(stream.getvalue()).decode(),
            }
        )
    return rows


def _pixels(views: dict[str, Views], null_draws: int) -> pd.DataFrame:
    """Return the index of the pixels themselves, each image a response vector."""
    parts = []
    for name, step in views.items():
        stimuli = step.stimuli()
        objects = stimuli.table.iloc[::N_VIEWS].reset_index(drop=True)
        pixels = {"pixels": stimuli.images().flatten(1)}
        parts.append(tuning(pixels, objects, name, null_draws)["index"])
    return pd.concat(parts, ignore_index=True)


def _training_table(networks: Sequence[Train], trained: Sequence[dict]) -> pd.DataFrame:
    """Return one row a network: accuracy and last loss."""
    rows = []
    for step, found in zip(networks, trained, strict=True):
        history = found["history"]
        rows.append(
            {
                "source": step.source,
                "policy": step.policy,
                "seed": step.seed,
                "n_labels": step.n_outputs,
                "steps": 0 if history is None else step.steps,
                "last_loss": np.nan if history is None else float(history["loss"].iloc[-1]),
                "train_accuracy": found["accuracy"].get("train", np.nan),
                "test_accuracy": found["accuracy"].get("test", np.nan),
            }
        )
    return pd.DataFrame(rows)


STUDY = Study(
    name="farzmahdi2024",
    title="Mirror-symmetric viewpoint tuning",
    citation=(
        "Farzmahdi, Zarco, Freiwald, Kriegeskorte, Golan. Emergence of brain-like mirror-symmetric"
        " viewpoint tuning in convolutional neural networks. eLife 13:e90256 (2024)."
    ),
    question=(
        "Units of the macaque face patch AL respond alike to a head turned left or right by the"
        " same angle, yet stay view-tuned. Why?"
    ),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    steps=steps,
    evidence=EVIDENCE,
    figures=FIGURES,
    notes=(
        "M is the mirror-symmetry index: the correlation of an object's 9 x 9 matrix of distances"
        " between views with its left-right reversal, the frontal column left out. Equidistant"
        " views give -1/8, not 0. Units are z-scored over each set of views; units without"
        " variance are dropped and counted. Intervals of networks are Student's t over seeds,"
        " contrasts paired by seed; those of pixels are BCa over exemplars and those of recorded"
        " neurons BCa over neurons. Thresholds were fixed before any run."
    ),
)
