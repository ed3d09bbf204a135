"""Which sets of scenes a configuration asks for, by the variability that they have."""

from __future__ import annotations

from typing import Literal, cast

from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.stimuli.scenes import SceneSpec
from isocortex.studies.data_files import DataFiles
from isocortex.studies.xie2024.config import Configuration
from isocortex.studies.xie2024.scenes import SceneImages, meshes
from isocortex.training.latent_tasks import TASK_SETS, tasks_of

FULL = "full"
DIRECT = "direct"
"""Scenes whose depth, place and rotation are drawn apart from each other."""

TEST_SEED = 1_000_003
"""Added to the seed of the scenes: images that no network is trained on."""

MESHES = "meshes/index.csv"
PHOTOGRAPHS = "images/bsds500_train_val.zip"


class ScenePlan:
    """Builds the steps that render scenes."""

    def __init__(self, chosen: Configuration, files: DataFiles, execution: Execution) -> None:
        self._chosen, self._files, self._execution = chosen, files, execution
        scenes = chosen.scenes
        self._objects = cast(
            Literal["meshes", "procedural"],
            self._source(scenes.objects, "meshes", MESHES, "scenes.objects"),
        )
        self._backgrounds = self._source(
            scenes.backgrounds, "photographs", PHOTOGRAPHS, "scenes.backgrounds"
        )
        known = meshes(self._objects, scenes.categories, scenes.models, files.folder)
        self.categories = sorted({mesh.category for mesh in known})
        self._digest = files.digest(
            [
                *(files.meshes() if self._objects == "meshes" else []),
                *([PHOTOGRAPHS] if self._backgrounds == "photographs" else []),
            ]
        )

    def _source(self, asked: str, real: str, file: str, field: str) -> str:
        """Return the real source where it is asked for or found, else the procedural one."""
        if asked == "procedural":
            return asked
        there = self._files.wanted(file, f"{field}=procedural")
        if not there and asked == real:
            raise UserError(
                f"{field}={real} needs {file}; give --data, or --set {field}=procedural"
            )
        return real if there else "procedural"

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
            data=self._files.folder,
            data_checksum=self._digest,
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

    def further_models(self) -> bool:
        """Whether there are models of these categories that no network is trained on."""
        n, folder = self._chosen.scenes.models, self._files.folder
        return bool(meshes(self._objects, self._chosen.scenes.categories, n, folder, n))

    def reduced(self, variant: str) -> bool:
        """Whether networks of a variant see other images than held-out ones of full variability."""
        return variant != FULL and variant in self.variants()
