"""Which steps a configuration asks for, and which files of the data folder they read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from isocortex import data as data_room
from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.stimuli.scenes import SceneSpec
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
from isocortex.studies.xie2024.scenes import SceneImages, meshes
from isocortex.training.devices import chosen_device
from isocortex.training.latent_tasks import TASK_SETS, tasks_of

FULL = "full"
DIRECT = "direct"
"""Scenes whose depth, place and rotation are drawn apart from each other."""

TEST_SEED = 1_000_003
"""Added to the seed of the scenes: images that no network is trained on."""

WIDER_ROTATION, WIDER_POSITION = 60.0, 28.0
"""Ranges beyond those of the training, degrees."""

OBJECTS92 = "neural/objects92_rdms.npz"


def v4_files(session: str) -> tuple[str, str]:
    """Return the files of one V4 session."""
    stem = f"neural/v4_cowley_{session}"
    return f"{stem}_responses.npz", f"{stem}_images.zip"


class Plan:
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
        scenes = chosen.scenes
        self.body = body(chosen.networks.body, scenes.size, tuple(chosen.networks.layers))
        self.public, self.missing = available(
            chosen.alignment.public, chosen.alignment.public_folder
        )
        checksums.update(files_of(self.public))
        device = chosen_device(chosen.networks.device)
        self.given = [Given.of(path, device) for path in chosen.networks.given]
        checksums.update({str(given.path): given.checksum for given in self.given})
        self._objects = cast(
            Literal["meshes", "procedural"],
            self._source(scenes.objects, "meshes", "meshes/index.csv", "scenes.objects"),
        )
        self._backgrounds = self._source(
            scenes.backgrounds, "photographs", "images/bsds500_train_val.zip", "scenes.backgrounds"
        )
        known = meshes(self._objects, scenes.categories, scenes.models, data)
        self.categories = sorted({mesh.category for mesh in known})
        if self._objects == "meshes":
            assert data is not None
            self._read(f"meshes/{file.name}" for file in sorted((data / "meshes").glob("*.npz")))
        if self._backgrounds == "photographs":
            self._read(["images/bsds500_train_val.zip"])

    def _source(self, asked: str, real: str, file: str, field: str) -> str:
        """Return the real source where it is asked for or found, else the procedural one."""
        if asked == "procedural":
            return asked
        there = self._data is not None and (self._data / file).exists()
        if not there and asked == real:
            raise UserError(
                f"{field}={real} needs {file}; give --data, or --set {field}=procedural"
            )
        if not there and self._data is not None:
            raise UserError(
                f"the data folder {self._data} lacks {file}; add it, or do without: "
                f"--set {field}=procedural"
            )
        return real if there else "procedural"

    def _read(self, files: Iterable[str]) -> None:
        for file in files:
            if file not in self._checksums:
                self._checksums[file] = data_room.checksum(data_room.require(self._data, file))

    def _digest(self, prefixes: tuple[str, ...]) -> str:
        lines = sorted(f"{k}:{v}" for k, v in self._checksums.items() if k.startswith(prefixes))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def body_of(self, network: Observer | None) -> Body:
        """Return where a network is read."""
        return body(network.body) if isinstance(network, Given) else self.body

    def _mapped(self, network: Observer | None) -> list[str]:
        """Return the candidate layers for an area; none for pixels."""
        if network is None:
            return []
        read = self.body_of(network)
        return list(read.mapped if self._chosen.alignment.blocks == "every" else read.last)

    @property
    def sessions(self) -> list[str]:
        """The V4 sessions that are there."""
        return self._found(self._chosen.alignment.sessions)

    @property
    def curve_sessions(self) -> list[str]:
        """Those for the curves over training."""
        return self._found(self._chosen.alignment.curve_sessions)

    def _found(self, sessions: list[str]) -> list[str]:
        if self._data is None:
            return []
        for session in sessions:
            self._read(v4_files(session))
        return sessions

    @property
    def human(self) -> bool:
        """Whether the 92 objects are there."""
        if self._data is None:
            return False
        self._read([OBJECTS92])
        return True

    def images(
        self,
        spec: SceneSpec,
        count: int,
        part: Literal["train", "test"] = "train",
        *,
        on_the_fly: bool = False,
        backgrounds_from: Literal["train", "test"] | None = None,
        first_model: int = 0,
    ) -> SceneImages:
        """Return the step that renders a set of `count` images."""
        scenes = self._chosen.scenes
        seed = scenes.seed + (TEST_SEED if part == "test" else 0)
        return self._execution.step(
            SceneImages,
            spec=spec.model_copy(update={"n_images": count, "seed": seed}),
            objects=self._objects,
            categories=scenes.categories,
            models=scenes.models,
            backgrounds=self._backgrounds,
            backgrounds_from=backgrounds_from or part,
            first_model=first_model,
            size=scenes.size,
            supersample=scenes.supersample,
            data=self._data,
            data_checksum=self._digest(("meshes/", "images/bsds500")),
            on_the_fly=on_the_fly,
            dense=bool({"mask", "depth"} & set(self.extras)),
        )

    @property
    def extras(self) -> tuple[str, ...]:
        """Tasks beyond the published five that some network learns."""
        wanted = {task for name in self._chosen.networks.task_sets for task in tasks_of(name)}
        return tuple(sorted(wanted - set(TASK_SETS["everything"])))

    def variants(self) -> dict[str, SceneSpec]:
        """Return the specification of every set that networks are trained on, by its name."""
        chosen, full = self._chosen.variability, SceneSpec(sampler=self._chosen.scenes.sampler)
        one = chosen.one_category if chosen.one_category in self.categories else self.categories[0]
        found = {FULL: full, "one_category": full.one_category(one), "centred": full.centred()}
        if chosen.direct_sets:
            apart = SceneSpec(sampler="direct")
            found |= {DIRECT: apart, f"{DIRECT} centred": apart.centred()}
        for count in sorted({*self._chosen.networks.few_categories, *chosen.category_grades}):
            if 1 < count < len(self.categories):
                found[f"ncat {count}"] = full.ncat(count)
        for factor in chosen.grades:
            if 0 < factor < 1:
                found[f"position {factor:g}"] = full.shrunk("translation", factor)
        return found

    def trained_on(self, variant: str) -> SceneImages:
        """Return the training images of a variant."""
        scenes = self._chosen.scenes
        if variant.startswith("images "):
            count = int(variant.removeprefix("images "))
            return self.images(self.variants()[FULL], count, on_the_fly=scenes.on_the_fly)
        return self.images(self.variants()[variant], scenes.images, on_the_fly=scenes.on_the_fly)

    def held_out(self, variant: str = FULL, count: int | None = None) -> SceneImages:
        """Return test images of a variant, on backgrounds that no network has seen."""
        count = count or self._chosen.scenes.test_images
        return self.images(self.variants()[variant], count, "test")

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
        shown = photographs(networks.natural, self._data)
        if shown is None:
            return []
        self._checksums[shown.file] = shown.checksum
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
        assert self._data is not None
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
            data=self._data,
            checksums={file: self._checksums[file] for file in files},
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
        if meshes(self._objects, scenes.categories, scenes.models, self._data, scenes.models):
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
        assert self._data is not None
        return ceilings(self.sessions, self.human, self._data)

    def test_on_own(self, network: Train) -> Generalise:
        """Return the step that tests a network on images of the variability it was trained on."""
        return self._execution.step(
            Generalise, network=network, images={"own": self.held_out(network.variant)}
        )

    def reduced(self, variant: str) -> bool:
        """Whether networks of a variant see other images than held-out ones of full variability."""
        return variant != FULL and variant in self.variants()

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
                data=self._data,
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
