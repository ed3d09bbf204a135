"""Which steps a configuration asks for, and which files of the data folder they read."""

from __future__ import annotations

from collections.abc import Sequence

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.models import files_checksum
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farzmahdi2024.config import Configuration, Training
from isocortex.studies.farzmahdi2024.given import MeasureGiven
from isocortex.studies.farzmahdi2024.measuring import Measure
from isocortex.studies.farzmahdi2024.networks import Source, Train
from isocortex.studies.farzmahdi2024.stimuli import Variant, Views
from isocortex.training.devices import chosen_device
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.recipes import recipe

AM_FILE = "neural/am_faceviews_monkeyB.npz"
SOURCE_FILES = {"mnist": "images/mnist.npz", "cifar10": "images/cifar10_subset.zip"}
LARGEST = {"glyphs": 10_800, "mnist": 54_210, "cifar10": 25_000}
"""Most training images of each source, equal by class."""

DATA_FILES = {
    "meshes": ("meshes/index.csv", "objects.source=procedural"),
    "mnist": (SOURCE_FILES["mnist"], "training.sources=[glyphs]"),
    "cifar10": (SOURCE_FILES["cifar10"], "training.natural=false"),
    "face patch AM": (AM_FILE, "face_patch.recorded=false"),
}
"""Files that a run reads, and the field that does without each."""


def training_sources(
    chosen: Configuration, files: DataFiles, notes: list[str]
) -> tuple[list[Source], bool]:
    """Return the training sources that can be had, and whether natural images can.

    Without a data folder what needs one is left out, with a note. A folder that was given must
    hold what the configuration reads.
    """
    sources: list[Source] = []
    for source in chosen.training.sources:
        if source not in SOURCE_FILES or files.wanted(*DATA_FILES[source]):
            sources.append(source)
        else:
            notes.append(f"no data folder: networks are not trained on {source}")
    if not sources:
        raise UserError(
            "no training source is left: give --data, or --set training.sources=[glyphs]"
        )
    natural = chosen.training.natural and files.wanted(*DATA_FILES["cifar10"])
    if chosen.training.natural and not natural:
        notes.append("no data folder: no natural diet, F11 is not tested")
    return sources, natural


def schedule(training: Training, source: Source, images: int) -> tuple[OptimiserConfig, int, int]:
    """Return optimiser, steps and batch size of the trainings on one source."""
    if training.recipe == "paper":
        kind = "cifar10" if source == "cifar10" else "svhn"
        return recipe(f"{training.network}-{kind}", images)
    own = OptimiserConfig(
        name=training.optimiser,
        learning_rate=training.learning_rate,
        halve_every=training.halve_every or None,
    )
    return own, training.steps, training.batch_size


class Plan:
    """Builds the steps of a run from its configuration."""

    def __init__(
        self,
        chosen: Configuration,
        files: DataFiles,
        execution: Execution,
    ) -> None:
        self._chosen, self._files, self._execution = chosen, files, execution
        source = chosen.objects.source
        if source == "auto":
            source = "meshes" if files.wanted(*DATA_FILES["meshes"]) else "procedural"
        self._meshes = files.digest(files.meshes() if source == "meshes" else [])
        self.source = source

    def views(self, variant: Variant, lighting: str, **fields: object) -> Views:
        """Return the step that renders a set; `fields` go before those of the configuration."""
        objects = self._chosen.objects
        return self._execution.step(
            Views,
            source=self.source,
            variant=variant,
            lighting=lighting,
            data=self._files.folder,
            data_checksum=self._meshes,
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
        """Return every network: each source on each policy and untrained, with every seed."""
        policies = ("none", *self._chosen.training.policies)
        wanted = [(source, policy) for source in sources for policy in policies]
        if natural:
            wanted.append(("cifar10", "orig"))
        seeds = range(self._chosen.training.seeds)
        return [self._network(source, policy, seed) for source, policy in wanted for seed in seeds]

    def _network(self, source: Source, policy: str, seed: int) -> Train:
        training = self._chosen.training
        images = min(training.images, LARGEST[source])
        optimiser, length, batch_size = schedule(training, source, images)
        checksum = ""
        if source in SOURCE_FILES and policy != "none":
            checksum = self._files.checksum(SOURCE_FILES[source])
        return self._execution.step(
            Train,
            network=training.network,
            source=source,
            policy=policy,
            seed=seed,
            size=self._chosen.objects.size,
            steps=length,
            batch_size=batch_size,
            optimiser=optimiser.name,
            learning_rate=optimiser.learning_rate,
            halve_every=optimiser.halve_every or 0,
            images=images,
            test_images=training.test_images,
            data=self._files.folder,
            data_checksum=checksum,
            checkpoint_every=training.checkpoint_every,
            device=chosen_device(training.device),
        )

    def measure(
        self, network: Train, views: dict[str, Views], reliability: float | None
    ) -> Measure:
        """Return the step that records and measures a network."""
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

    def given(self) -> list[MeasureGiven]:
        """Return the steps that measure each given network and its untrained twin."""
        chosen = self._chosen.given
        wanted = [
            (model, weights)
            for model in chosen.models
            for weights in dict.fromkeys((chosen.weights.get(model, "pretrained"), "random"))
        ]
        return [
            self._execution.step(
                MeasureGiven,
                model=model,
                weights=weights,
                checksum=files_checksum(model, weights),
                views=self.views("categories", "symmetric", size=chosen.size),
                batch_size=self._chosen.recording.batch_size,
                device=self._chosen.recording.device,
            )
            for model, weights in wanted
        ]
