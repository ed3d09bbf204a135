"""Which steps a configuration asks for, and which files of the data folder they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isocortex.data import listing
from isocortex.execution import Execution
from isocortex.stimuli.labelled_folders import open_split
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farahat2025.areas import TANG, Area, Recorded, SimulatedArea
from isocortex.studies.farahat2025.config import Configuration, Pair
from isocortex.studies.farahat2025.encoding import Encode, Similarity
from isocortex.studies.farahat2025.networks import Network, n_classes
from isocortex.studies.farahat2025.neural import NeuralFit
from isocortex.studies.farahat2025.nonlinearity import Nonlinearity
from isocortex.studies.farahat2025.own_areas import COUNTS, is_own, own_names
from isocortex.studies.farahat2025.selectivity import Selectivity
from isocortex.studies.farahat2025.sources import Sources, own_folder
from isocortex.studies.farahat2025.texture import TextureReadout
from isocortex.training.devices import chosen_device

CONTROL = ("relu", "max")
"""The network of R1 and R7."""

TEACHER = ("gelu", "avg")
TEACHER_SEED = 1_000
"""The simulated IT reads this network, of another activation, width and seed than any judged."""

TANG_BLOCKS = 2

SMALL_KERNELS = 3
"""Pixels of all kernels of networks that control the size of receptive fields."""


class Plan(Sources):
    """Builds the steps of a run from its configuration."""

    def __init__(
        self,
        chosen: Configuration,
        files: DataFiles,
        execution: Execution,
    ) -> None:
        super().__init__(files)
        self._chosen, self._execution = chosen, execution
        source = chosen.objects.source
        self.source = (
            ("cifar10" if self.has("cifar10") else "rendered") if source == "auto" else source
        )
        self.own_objects: Path | None = None
        self._test_images = chosen.objects.test_images
        if source == "folder":
            self.own_objects = own_folder(chosen.objects.folder)
            train, test = (open_split(self.own_objects, s).labels for s in ("train", "test"))
            self.classes = int(train.max()) + 1
            self._test_images = min(self._test_images, len(test))
        else:
            self.classes = n_classes(self.source)

    @property
    def _own_digest(self) -> str:
        return "" if self.own_objects is None else listing(self.own_objects)

    @property
    def _natural(self) -> dict[str, Any]:
        there = self.has("bsds500")
        return {
            "data": self.data if there else None,
            "data_checksum": self.checksum("bsds500") if there else "",
        }

    def random(self, pair: Pair, seed: int, **fields: Any) -> Network:
        """Return a random network with the stated gain, or with other fields."""
        grid = self._chosen.grid
        calibrated = fields.get("norm", "gain") == "gain"
        natural = self._natural if calibrated else {}
        return self._execution.step(
            Network,
            activation=pair[0],
            pooling=pair[1],
            seed=seed,
            **{
                "channels": tuple(grid.channels),
                "kernels": tuple(grid.kernels),
                "gain": grid.gain if calibrated else 1.0,
                "calibration_images": grid.calibration_images if calibrated else 0,
                **natural,
                **fields,
            },
        )

    def normalised(self, pair: Pair, seed: int) -> Network:
        """Return a random network with batch normalisation, the twin of a trained one."""
        return self.random(pair, seed, norm="bn")

    def trained(self, pair: Pair, seed: int, **fields: Any) -> Network:
        """Return a network that is trained on objects, or has the shuffled weights of one."""
        objects = self._chosen.objects
        cifar = self.source == "cifar10"
        return self.random(
            pair,
            seed,
            **{
                "norm": "bn",
                "trained": True,
                "source": self.source,
                "classes": self.classes,
                "images": objects.images,
                "test_images": self._test_images,
                "epochs": objects.epochs,
                "device": chosen_device(objects.device),
                "data": self.data if cifar else self.own_objects,
                "data_checksum": self.checksum("cifar10") if cifar else self._own_digest,
                **fields,
            },
        )

    def teacher(self) -> Network:
        """Return the network that the simulated IT is read from."""
        channels = tuple(c * 3 // 4 for c in self._chosen.grid.channels)
        return self.trained(TEACHER, TEACHER_SEED, channels=channels, kernels=(5, 5, 3))

    def shuffled(self, seed: int) -> list[Network]:
        """Return the shuffles of one trained network."""
        objects = self._chosen.objects
        return [
            self.trained(CONTROL, seed, control=kind, control_seed=k)
            for kind in objects.shuffles
            for k in range(objects.permutations)
        ]

    def grid(self) -> list[Network]:
        """Return all random networks, those with biases last."""
        grid = self._chosen.grid
        found = [self.random(p, s) for p in grid.configurations for s in range(grid.seeds)]
        if grid.biased:
            found += [self.random(("tanh", "avg"), s, bias_sd=1.0) for s in range(grid.seeds)]
        return found

    def large(self) -> list[Network]:
        """Return random networks of torchvision with other activations and poolings."""
        grid = self._chosen.grid
        return [
            self.random(pair, seed, base=base)
            for base in grid.large
            for pair in grid.large_parts
            for seed in range(grid.seeds)
        ]

    def small_kernels(self) -> list[Network]:
        """Return networks with small receptive fields, a control."""
        grid = self._chosen.grid
        pairs = [p for p in (("relu", "avg"), ("tanh", "avg")) if p in grid.configurations]
        return [
            self.random(
                pair, seed, kernels=(SMALL_KERNELS,) * len(grid.kernels), role="small kernels"
            )
            for pair in pairs
            for seed in range(grid.seeds)
            if grid.kernel_control
        ]

    def fitted(self) -> list[Network]:
        """Return the random networks that are fitted to V1, V4 and simulated areas."""
        wanted = {f"{a}-{p}" for a, p in self._chosen.areas.networks}
        found = [step for step in self.grid() if not wanted or step.configuration in wanted]
        return [*found, *self.large()]

    def judged_objects(self) -> list[Network]:
        """Return random, trained and shuffled networks of R1 and R7."""
        found = []
        for seed in range(self._chosen.objects.seeds):
            found += [self.normalised(CONTROL, seed), self.trained(CONTROL, seed)]
            found += self.shuffled(seed)
        return found

    def area(self, name: str) -> Area:
        """Return a recorded or simulated area."""
        chosen = self._chosen
        if name.endswith("-sim"):
            sim = chosen.simulated
            it = name == "it-sim"
            natural = {} if it else self._natural
            return self._execution.step(
                SimulatedArea,
                name=name,
                images=sim.images,
                size=sim.size,
                cells=sim.it_neuroids if it else sim.cells,
                repetitions=sim.repetitions,
                spikes=sim.spikes,
                folds=chosen.areas.folds,
                teacher=self.teacher() if it else None,
                **natural,
            )
        areas = chosen.areas
        most = areas.presentations if name == TANG else areas.v4_presentations
        if is_own(name):
            most = areas.own_presentations
        return self._recorded(name, most, areas.size)

    def _recorded(self, name: str, presentations: int, size: int) -> Recorded:
        return self._execution.step(
            Recorded,
            name=name,
            size=20 if name == TANG else size,
            presentations=presentations,
            folds=self._chosen.areas.folds,
            data=self.data,
            data_checksum=self.checksum(name.partition(":")[0]),
        )

    def recorded_names(self) -> list[str]:
        """Return the recordings that are asked for and found."""
        areas = self._chosen.areas
        wanted = [*([TANG] if areas.v1 else []), *(f"v4-{s}" for s in areas.v4_sessions)]
        there = [recording for recording in areas.own if self.has(recording)]
        return [
            *(name for name in wanted if self.has(name)),
            *(name for recording in there for name in own_names(recording)),
        ]

    def encode(self, network: Network | None, area: Area) -> Encode:
        """Return the step that fits a network, or pixels, to an area."""
        areas = self._chosen.areas
        which = "simulated" if isinstance(area, SimulatedArea) else "recorded"
        fields: dict[str, Any] = {which: area}
        return self._execution.step(
            Encode,
            network=network,
            n_pred=areas.n_pred,
            folds_run=areas.folds_run,
            batch_size=self._chosen.batch_size,
            **fields,
        )

    def similarity(self, network: Network | None) -> Similarity:
        """Return the step that compares a network with human cortex."""
        return self._execution.step(
            Similarity,
            network=network,
            size=self._chosen.areas.size,
            batch_size=self._chosen.batch_size,
            data=self.data,
            data_checksum=self.checksum("objects92"),
        )

    def nonlinearity(self) -> list[Nonlinearity]:
        """Return the complexity of every configuration, and of biased networks."""
        grid, chosen = self._chosen.grid, self._chosen.complexity
        found = [
            [
                *(self.random(pair, seed) for seed in range(chosen.seeds)),
                *(self.random(pair, 0, gain=g) for g in chosen.gains if g != grid.gain),
            ]
            for pair in grid.configurations
        ]
        if grid.biased:
            found.append(
                [self.random(("tanh", "avg"), s, bias_sd=1.0) for s in range(chosen.seeds)]
            )
        rest: dict[tuple[str, str], list[Network]] = {}
        for network in (*self.small_kernels(), *self.large()):
            if network.seed < chosen.seeds:
                rest.setdefault((network.arm, network.configuration), []).append(network)
        found += rest.values()
        return [
            self._execution.step(
                Nonlinearity,
                networks=networks,
                patches=chosen.patches,
                size=chosen.size,
                max_units=chosen.max_units,
                companions=chosen.companions,
                batch_size=self._chosen.batch_size,
                **self._natural,
            )
            for networks in found
        ]

    def selectivity(self) -> list[Selectivity]:
        """Return the selectivity of random and trained networks."""
        chosen = self._chosen
        objects = chosen.objects.networks if chosen.objects.epochs else []
        networks = [
            self.random(pair, seed)
            for pair in chosen.orientation.networks
            for seed in range(chosen.orientation.seeds)
        ]
        networks += [
            self.trained(pair, seed)
            for pair in objects
            for seed in range(min(chosen.orientation.seeds, chosen.objects.seeds))
        ]
        return [
            self._execution.step(
                Selectivity,
                network=network,
                gratings=chosen.orientation.gratings,
                batch_size=chosen.batch_size,
            )
            for network in networks
        ]

    def texture_sources(self) -> list[str]:
        """Return the families of textures, ``auto`` replaced by what can be had."""
        real = self.has("real-brodatz") and self.has("mnist")
        named = [
            ("real-brodatz" if real else "procedural") if s == "auto" else s
            for s in self._chosen.textures.sources
        ]
        return list(dict.fromkeys(s for s in named if s == "procedural" or self.has(s)))

    def textures(self) -> list[TextureReadout]:
        """Return all readouts of textures and digits."""
        chosen = self._chosen.textures
        found = []
        for source in self.texture_sources():
            for seed in range(chosen.seeds):
                pairs = list(chosen.networks)
                found.append(self._texture(None, "texture", source, seed))
                found.append(self._texture(None, "digit", source, seed))
                if chosen.grid:
                    pairs = list(dict.fromkeys([*pairs, *self._chosen.grid.configurations]))
                for pair in pairs:
                    network = self.normalised(pair, seed)
                    found.append(self._texture(network, "texture", source, seed))
                    if chosen.grid:
                        found.append(self._texture(network, "digit", source, seed))
                if chosen.trained_epochs:
                    network = self.normalised(("relu", "avg"), seed)
                    epochs = chosen.trained_epochs
                    found.append(self._texture(network, "texture", source, seed, epochs))
        return found

    def _texture(
        self, network: Network | None, label: str, source: str, seed: int, epochs: int = 0
    ) -> TextureReadout:
        chosen = self._chosen.textures
        digits = self.has("mnist")
        needed = [source, *(["mnist"] if digits else [])]
        return self._execution.step(
            TextureReadout,
            network=network,
            label=label,
            source=source,
            shapes="mnist" if digits else "glyphs",
            seed=seed,
            train=chosen.train,
            validation=chosen.validation,
            test=chosen.test,
            readouts=chosen.readouts,
            trained_epochs=epochs,
            device=chosen_device(chosen.device) if epochs else "cpu",
            batch_size=self._chosen.batch_size,
            data=self.data if digits or source != "procedural" else None,
            data_checksum=self.checksum(*needed),
        )

    def neural(self) -> list[NeuralFit]:
        """Return trainings on responses, frozen and trained, of recorded and simulated areas."""
        chosen = self._chosen.neural
        wanted: list[tuple[Area, list[Pair], str, int]] = []
        sessions = {TANG, *(f"v4-{session}" for session in chosen.v4_sessions)}
        for name in self.recorded_names():
            if name not in sessions and not is_own(name):
                continue
            size = 20 if name == TANG else chosen.v4_size
            most = chosen.presentations if name == TANG else chosen.v4_presentations
            if is_own(name):
                most = self._chosen.areas.own_presentations
            early = name == TANG or name.endswith(":V1")
            pairs = chosen.v1_networks if early else chosen.v4_networks
            # Means over few repetitions of counts in 100 ms are Poisson; dF/F is not.
            area = self._recorded(name, most, size)
            counts = name.startswith("v4-") or name.partition(":")[0] in COUNTS
            wanted.append((area, pairs, "poisson" if counts else "mse", size))
        if chosen.simulated and self._chosen.simulated.it:
            wanted.append((self.area("it-sim"), [CONTROL], "mse", self._chosen.simulated.size))
        depth = len(self._chosen.grid.channels)
        return [
            self._execution.step(
                NeuralFit,
                network=self.normalised(pair, seed),
                frozen=frozen,
                loss=loss,
                epochs=chosen.epochs,
                patience=chosen.patience,
                n_blocks=TANG_BLOCKS if area.name == TANG else depth,
                device=chosen.device,
                **{"simulated" if isinstance(area, SimulatedArea) else "recorded": area},
            )
            for area, pairs, loss, _ in wanted
            for pair in pairs
            for seed in range(chosen.seeds)
            for frozen in (True, False)
        ]
