"""From a configuration to the steps of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isocortex.errors import UserError, unknown
from isocortex.execution import Execution
from isocortex.studies.bertoni2021.calibration import Calibrate
from isocortex.studies.bertoni2021.cells import CompareCells
from isocortex.studies.bertoni2021.codecs import CODEC_ARMS, SpectralCodecs, TrainCodec
from isocortex.studies.bertoni2021.config import ARMS, Configuration
from isocortex.studies.bertoni2021.contours import Contours
from isocortex.studies.bertoni2021.fit_nulls import FitNulls
from isocortex.studies.bertoni2021.light import Light
from isocortex.studies.bertoni2021.measuring import MeasureInduced, MeasureNetwork
from isocortex.studies.bertoni2021.networks import Train
from isocortex.studies.bertoni2021.robustness import Robustness
from isocortex.studies.data_files import DataFiles
from isocortex.training.devices import chosen_device

FILES = {
    "cifar10": "images/cifar10_subset.zip",
    "mnist": "images/mnist.npz",
    "bsds500": "images/bsds500_train_val.zip",
    "imagenet": "images/imagenet1000_samples_128px.zip",
    "ringach": "neural/ringach2002_v1_orientation.csv",
}
MOST_FITS = 1_000
"""Filters of noise that Gabors are fitted to."""

LARGEST = {"cifar10": (25_000, 5_000), "mnist": (60_000, 10_000)}


class Plan:
    """Builds the steps of a run from its configuration."""

    def __init__(
        self,
        chosen: Configuration,
        files: DataFiles,
        execution: Execution,
        notes: list[str],
    ) -> None:
        self._chosen, self._files, self._execution = chosen, files, execution
        self.source = self._source(notes)
        self.photographs = self._found("bsds500")
        if not self.photographs:
            notes.append(
                "no photographs: codecs and contours run on dead leaves, and B15 and B16 are not "
                "tested (set ISOCORTEX_DATA)"
            )

    def _found(self, name: str) -> bool:
        return self._files.has(FILES[name])

    def _source(self, notes: list[str]) -> str:
        images = self._chosen.images
        if images.source == "folder" and not Path(images.folder).expanduser().is_dir():
            raise UserError(
                f"images.folder {images.folder!r} does not exist; name a folder of STL-10, CIFAR-10"
                " or of one folder a class: --set images.folder=PATH"
            )
        if images.source != "auto":
            return images.source
        if self._found("cifar10"):
            return "cifar10"
        notes.append("no photographs to name: networks learn procedural glyphs")
        return "glyphs"

    def _checksum(self, name: str) -> str:
        return self._files.checksum(FILES[name])

    def networks(self, notes: list[str]) -> list[Train]:
        """Return every network: each arm with every seed, then the ablations."""
        training = self._chosen.training
        seeds: dict[str, int] = dict.fromkeys(training.ablations, training.ablation_seeds)
        seeds = dict.fromkeys(training.arms, training.seeds) | {
            arm: count for arm, count in seeds.items() if arm not in training.arms
        }
        if "mnist" in seeds and not self._found("mnist"):
            del seeds["mnist"]
            notes.append("no digits: the arm mnist is left out (set ISOCORTEX_DATA)")
        return [self._network(arm, seed) for arm, count in seeds.items() for seed in range(count)]

    def _network(self, arm: str, seed: int) -> Train:
        images, network, training = (
            self._chosen.images,
            self._chosen.network,
            self._chosen.training,
        )
        fields: dict[str, Any] = {
            "source": self.source,
            "iterations": network.iterations,
            "weight_decay": training.weight_decay,
        } | ARMS[arm]
        source = fields["source"]
        checksum = self._checksum(source) if source in ("cifar10", "mnist") else ""
        largest = LARGEST.get(source, (images.train, images.test))
        return self._execution.step(
            Train,
            arm=arm,
            seed=seed,
            folder=images.folder if source == "folder" else "",
            size=images.size,
            train_images=min(images.train, largest[0]),
            test_images=min(images.test, largest[1]),
            shift=images.shift,
            flips=images.flips,
            filters=network.filters,
            filter_size=network.filter_size,
            channels=list(network.channels),
            lgn_size=network.lgn_size,
            lgn_initial_sd=network.lgn_initial_sd,
            kernel_side=network.kernel_side,
            dropout=network.dropout,
            anchor=network.anchor,
            epochs=training.epochs,
            batch_size=training.batch_size,
            learning_rate=training.learning_rate,
            snapshots=training.snapshots,
            data=self._files.folder,
            data_checksum=checksum,
            checkpoint_every=training.checkpoint_every,
            device=chosen_device(training.device),
            **fields,
        )

    def measure(self, network: Train, contours: Contours | None) -> MeasureNetwork:
        """Return the step that measures a network."""
        statistics = self._chosen.statistics
        return self._execution.step(
            MeasureNetwork,
            network=network,
            permutations=statistics.permutations,
            surrogates=statistics.surrogates,
            noise_filters=statistics.noise_filters,
            splits=statistics.splits,
            white_images=statistics.white_images,
            contours=contours,
        )

    def cells(self, measures: list[MeasureNetwork]) -> CompareCells | None:
        """Return the step that compares filters with recorded cells, if they are there."""
        if not self._found("ringach"):
            return None
        return self._execution.step(
            CompareCells,
            measures=measures,
            data=self._files.folder,
            data_checksum=self._checksum("ringach"),
        )

    def fit_nulls(self, networks: list[Train]) -> list[FitNulls]:
        """Return the steps that hold fits against their nulls; none for ablations."""
        statistics = self._chosen.statistics
        return [
            self._execution.step(
                FitNulls,
                network=network,
                draws=min(statistics.noise_filters, MOST_FITS),
                copies=2 * statistics.surrogates,
            )
            for network in networks
            if network.arm in self._chosen.training.arms
        ]

    def robustness(self, networks: list[Train]) -> list[Robustness]:
        """Return the steps that test networks on images made worse; none for ablations."""
        count = self._chosen.statistics.corrupted_images
        arms = self._chosen.training.arms
        return [
            self._execution.step(Robustness, network=network, images=count)
            for network in networks
            if count and network.arm in arms
        ]

    def calibration(self) -> Calibrate:
        """Return the step that fits contours of known sigma."""
        chosen = self._chosen.contours
        return self._execution.step(
            Calibrate,
            candidates=chosen.candidates,
            images=chosen.known_images,
            repeats=chosen.known_repeats,
        )

    def induced(self, network: Train) -> MeasureInduced:
        """Return the step that measures what a network's filters induce."""
        return self._execution.step(
            MeasureInduced,
            network=network,
            permutations=self._chosen.statistics.permutations,
            surrogates=self._chosen.statistics.surrogates,
            control_banks=self._chosen.first_layers.control_banks,
        )

    def codecs(self) -> list[TrainCodec]:
        """Return every codec: each arm with every seed."""
        chosen = self._chosen.reconstruction
        for arm in chosen.arms:
            if arm not in CODEC_ARMS:
                raise unknown("arm of the reconstruction", arm, CODEC_ARMS)
        return [
            self._execution.step(
                TrainCodec,
                arm=arm,
                seed=seed,
                steps=chosen.steps,
                batch_size=chosen.batch_size,
                learning_rate=chosen.learning_rate,
                **self._coded(),
            )
            for arm in chosen.arms
            for seed in range(chosen.seeds)
        ]

    def spectral(self) -> SpectralCodecs:
        """Return the step of the deterministic codecs."""
        chosen = self._chosen.reconstruction
        return self._execution.step(
            SpectralCodecs,
            localities=list(chosen.localities),
            starts=chosen.starts,
            **self._coded(),
        )

    def _coded(self) -> dict[str, Any]:
        chosen = self._chosen.reconstruction
        return {
            "crop": chosen.crop,
            "noise": chosen.noise,
            "power_penalty": chosen.power_penalty,
            "photographs": chosen.photographs,
            "data": self._files.folder if self.photographs else None,
            "data_checksum": self._checksum("bsds500") if self.photographs else "",
        }

    def contours(self) -> list[Contours]:
        """Return the steps of edge co-occurrence, one a source of photographs."""
        chosen = self._chosen.contours
        wanted = [("bsds500", chosen.train, chosen.val)]
        if chosen.imagenet and self._found("imagenet"):
            wanted.append(("imagenet", chosen.imagenet, chosen.imagenet))
        return [
            self._execution.step(
                Contours,
                source=source,
                train=train,
                val=val,
                controls=list(chosen.controls),
                candidates=chosen.candidates,
                resamples=self._chosen.statistics.resamples,
                data=self._files.folder if self.photographs else None,
                data_checksum=self._checksum(source) if self.photographs else "",
            )
            for source, train, val in wanted
        ]

    def light(self, network: Train, codec: list[list[float]]) -> Light:
        """Return the step that integrates a shaded photograph from filtered ones."""
        return self._execution.step(
            Light,
            network=network,
            codec=codec,
            data=self._files.folder if self.photographs else None,
            data_checksum=self._checksum("bsds500") if self.photographs else "",
        )
