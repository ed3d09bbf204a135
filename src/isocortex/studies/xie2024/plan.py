"""Which steps a configuration asks for, and which files of the data folder they read."""

from __future__ import annotations

from typing import Any

import pandas as pd

from isocortex.execution import Execution
from isocortex.studies.data_files import DataFiles
from isocortex.studies.xie2024.alignment import Align, Share
from isocortex.studies.xie2024.bodies import Body, body
from isocortex.studies.xie2024.ceilings import ceilings
from isocortex.studies.xie2024.claims import CURVES
from isocortex.studies.xie2024.config import Configuration
from isocortex.studies.xie2024.given import Given
from isocortex.studies.xie2024.looking import Observer
from isocortex.studies.xie2024.measuring import ByClass, Compare, Decode, Generalise
from isocortex.studies.xie2024.natural import NATURAL, TrainNatural, photographs
from isocortex.studies.xie2024.networks import UNTRAINED, Train
from isocortex.studies.xie2024.public_alignment import AlignPublic, available, files_of
from isocortex.studies.xie2024.scene_plan import DIRECT, FULL, ScenePlan
from isocortex.training.devices import chosen_device

WIDER_ROTATION, WIDER_POSITION = 60.0, 28.0
"""Ranges beyond those of the training, degrees."""

OBJECTS92 = "neural/objects92_rdms.npz"


def v4_files(session: str) -> tuple[str, str]:
    """Return the files of one V4 session."""
    stem = f"neural/v4_cowley_{session}"
    return f"{stem}_responses.npz", f"{stem}_images.zip"


class Plan(ScenePlan):
    """Builds the steps of a run from its configuration."""

    def __init__(self, chosen: Configuration, files: DataFiles, execution: Execution) -> None:
        super().__init__(chosen, files, execution)
        self.body = body(chosen.networks.body, chosen.scenes.size, tuple(chosen.networks.layers))
        self.public, self.missing = available(
            chosen.alignment.public, chosen.alignment.public_folder
        )
        files.checksums |= files_of(self.public)
        device = chosen_device(chosen.networks.device)
        self.given = [Given.of(path, device) for path in chosen.networks.given]
        files.checksums |= {str(given.path): given.checksum for given in self.given}
        self.human = files.folder is not None
        self.sessions = chosen.alignment.sessions if self.human else []
        self.curve_sessions = chosen.alignment.curve_sessions if self.human else []
        if self.human:  # what a folder lacks is said before anything is rendered
            for session in (*self.sessions, *self.curve_sessions):
                files.digest(v4_files(session))
            files.checksum(OBJECTS92)

    def body_of(self, network: Observer | None) -> Body:
        """Return where a network is read."""
        return body(network.body) if isinstance(network, Given) else self.body

    def _mapped(self, network: Observer | None) -> list[str]:
        """Return the candidate layers for an area; none for pixels."""
        if network is None:
            return []
        read = self.body_of(network)
        return list(read.mapped if self._chosen.alignment.blocks == "every" else read.last)

    def wanted(self) -> list[tuple[str, str]]:
        """Return (task set, variant) of every kind of network, each once."""
        networks, variability = self._chosen.networks, self._chosen.variability
        variants = self.variants()
        kinds = [(UNTRAINED, FULL), *((s, FULL) for s in networks.task_sets)]
        few = [f"ncat {n}" for n in networks.few_categories]
        kinds += [("category", v) for v in few if v in variants]
        graded = [f"ncat {n}" for n in variability.category_grades if n > 1]
        kinds += [
            (s, v)
            for s in variability.category_sets
            for v in ("one_category", *graded)
            if v in variants
        ]
        shrunk = [f"position {f:g}" for f in variability.grades if 0 < f < 1]
        kinds += [(s, v) for s in variability.translation_sets for v in ("centred", *shrunk)]
        kinds += [(s, v) for s in variability.direct_sets for v in (DIRECT, f"{DIRECT} centred")]
        kinds += [("spatial", f"images {n}") for n in variability.data_sizes]
        return list(dict.fromkeys(kinds))

    def networks(self) -> list[Train]:
        """Return every network with every seed."""
        seeds = range(self._chosen.networks.seeds)
        return [self._network(kind, variant, s) for kind, variant in self.wanted() for s in seeds]

    def _network(self, task_set: str, variant: str, seed: int) -> Train:
        networks = self._chosen.networks
        followed = task_set in CURVES and variant == FULL
        return self._execution.step(
            Train,
            task_set=task_set,
            variant=variant,
            seed=seed,
            images=self.trained_on(variant),
            full=self.trained_on(FULL),
            held_out=self.held_out(),
            extras=self.extras,
            snapshots=networks.snapshots if followed else 0,
            **self._recipe,
        )

    def natural(self) -> list[TrainNatural]:
        """Return the networks that learn photographs, by the recipe of the others (X4)."""
        networks = self._chosen.networks
        shown = photographs(networks.natural, self._files.folder)
        if shown is None:
            return []
        self._files.checksums[shown.file] = shown.checksum
        return [
            self._execution.step(
                TrainNatural,
                task_set=NATURAL,
                variant=shown.name,
                seed=seed,
                photographs=shown,
                side=self._chosen.scenes.size,
                snapshots=0,
                **self._recipe,
            )
            for seed in range(networks.seeds)
        ]

    @property
    def _recipe(self) -> dict[str, Any]:
        """What all networks that are trained have in common."""
        networks = self._chosen.networks
        return {
            "body": networks.body,
            "width": networks.width,
            "steps": networks.steps,
            "batch_size": networks.batch_size,
            "learning_rate": networks.learning_rate,
            "device": chosen_device(networks.device),
            "checkpoint_every": networks.checkpoint_every,
        }

    def decode(self, network: Train | None) -> Decode:
        """Return the step that decodes latents from a network, or from pixels."""
        decoding = self._chosen.decoding
        count = min(decoding.images, self._chosen.scenes.test_images)
        tested = {name: name for name in (FULL, "centred", "one_category")}
        if network is not None and network.variant.startswith(DIRECT):
            tested = {FULL: DIRECT, "centred": f"{DIRECT} centred"}
        sets = {name: self.held_out(variant, count) for name, variant in tested.items()}
        return self._execution.step(
            Decode,
            network=network,
            layers=self._decoded(network),
            images=sets,
            folds=decoding.folds,
            inner_folds=decoding.inner_folds,
        )

    def _decoded(self, network: Train | None) -> list[str]:
        """Return the layers that are decoded; of an untrained head there is nothing to say."""
        if network is None:
            return []
        return [*self.body.decoded, *([self.body.head] if network.tasks else [])]

    def align(self, network: Observer | None, at_step: int | None = None) -> Align | None:
        """Return the step that scores a network on recordings; None where there are none."""
        sessions = self.sessions if at_step is None else self.curve_sessions
        human = self.human and at_step is None
        if not sessions and not human:
            return None
        assert self._files.folder is not None
        alignment = self._chosen.alignment
        files = [file for session in sessions for file in v4_files(session)]
        files += [OBJECTS92] if human else []
        return self._execution.step(
            Align,
            **self._looking(network),
            sessions=sessions,
            splits=alignment.splits if at_step is None else alignment.curve_splits,
            components=alignment.components,
            human=human,
            data=self._files.folder,
            checksums={file: self._files.checksum(file) for file in files},
            at_step=at_step,
        )

    def align_public(self, network: Observer | None, at_step: int | None = None) -> AlignPublic:
        """Return the step that scores a network on the public assemblies that are there."""
        alignment = self._chosen.alignment
        return self._execution.step(
            AlignPublic,
            **self._looking(network),
            regions=self.public,
            splits=alignment.splits if at_step is None else alignment.curve_splits,
            inner_splits=alignment.inner_splits,
            components=alignment.components,
            folder=alignment.public_folder,
            checksums=files_of(self.public),
            at_step=at_step,
        )

    def _looking(self, network: Observer | None) -> dict[str, Any]:
        """Return the fields that say who looks, and through which layers."""
        return {
            "network": network if isinstance(network, Train) else None,
            "given": network if isinstance(network, Given) else None,
            "natural": network if isinstance(network, TrainNatural) else None,
            "layers": self._mapped(network),
            "size": self._chosen.scenes.size if network is None else network.size,
        }

    def generalise(self, network: Train) -> Generalise:
        """Return the step that tests a network beyond its training images."""
        scenes, full = self._chosen.scenes, self.variants()[FULL]
        count = scenes.test_images
        wider = full
        for angle in ("pitch", "yaw", "roll"):
            wider = wider.reranged(angle, -WIDER_ROTATION, WIDER_ROTATION)
        sides = ("turn_pitch", "turn_yaw") if full.sampler == "tdw" else ("angle_x", "angle_y")
        aside = full
        for angle in sides:
            aside = aside.reranged(angle, -WIDER_POSITION, WIDER_POSITION)
        sets = {
            "known backgrounds": self.images(full, count, "test", backgrounds_from="train"),
            "new backgrounds": self.held_out(),
            "wider rotation": self.images(wider, count, "test"),
            "wider position": self.images(aside, count, "test"),
        }
        if self.further_models():
            sets["new models"] = self.images(full, count, "test", first_model=scenes.models)
        return self._execution.step(Generalise, network=network, images=sets)

    def by_class(self, networks: list[Train]) -> list[ByClass]:
        """Return the steps that test networks of full variability category by category."""
        return [
            self._execution.step(ByClass, network=network)
            for network in networks
            if network.variant == FULL and network.tasks
        ]

    def ceilings(self) -> pd.DataFrame:
        """Return what scores of the recordings could reach."""
        assert self._files.folder is not None
        return ceilings(self.sessions, self.human, self._files.folder)

    def test_on_own(self, network: Train) -> Generalise:
        """Return the step that tests a network on images of the variability it was trained on."""
        return self._execution.step(
            Generalise, network=network, images={"own": self.held_out(network.variant)}
        )

    def shares(self, networks: list[Train]) -> list[Share]:
        """Return the steps that divide V4 between spatial and category networks of one seed."""
        if not self.sessions:
            return []
        pairs = [
            (a, b)
            for a in networks
            for b in networks
            if (a.task_set, b.task_set) == ("spatial", "category")
            and a.variant == b.variant == FULL
            and a.seed == b.seed
        ]
        return [
            self._execution.step(
                Share,
                first=self.align(a),
                second=self.align(b),
                session=self.sessions[-1],
                folds=self._chosen.decoding.folds,
                data=self._files.folder,
                resamples=self._chosen.resamples,
            )
            for a, b in pairs
        ]

    def compare(self, networks: list[Train], natural: list[TrainNatural]) -> Compare:
        """Return the step that compares all networks with each other, given ones of their body."""
        same = [given for given in self.given if given.body == self._chosen.networks.body]
        return self._execution.step(
            Compare,
            networks=networks,
            natural=natural,
            given=same,
            layers=list(self.body.compared),
            images=self.held_out(),
            count=self._chosen.cka_images,
        )
