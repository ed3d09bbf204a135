"""The presets of the study: which scenes, networks and measurements."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from isocortex.errors import UserError, unknown
from isocortex.training.latent_tasks import tasks_of


def _known(name: str) -> str:
    tasks_of(name)
    return name


TaskSet = Annotated[str, pydantic.AfterValidator(_known)]
"""One of the ten published sets (``spatial``, ``everything`` ...), or tasks joined by ``+``, for
example ``distance+box+mask``."""

SMALL_SETS: list[TaskSet] = [
    "distance", "translation", "rotation", "spatial", "category", "identity", "everything",
]  # fmt: skip
"""The six sets of the small preset, and identity, whose curve X5 asks for."""

ALL_SETS: list[TaskSet] = [
    *SMALL_SETS, "distance+translation", "distance+rotation", "translation+rotation",
]  # fmt: skip


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class Scenes(_Part):
    """The rendered images (specification, section 3)."""

    objects: Literal["auto", "meshes", "procedural"] = "auto"
    backgrounds: Literal["auto", "photographs", "procedural"] = "auto"
    categories: Annotated[int, pydantic.Field(ge=2)] = 16
    """At most so many categories; data folder and procedural families hold fewer or more."""
    models: Annotated[int, pydantic.Field(ge=1)] = 5
    """At most so many models of each category."""
    size: Annotated[int, pydantic.Field(ge=32)] = 48
    supersample: Annotated[int, pydantic.Field(ge=1, le=8)] = 2
    sampler: Literal["tdw", "direct"] = "tdw"
    images: Annotated[int, pydantic.Field(ge=64)] = 102_400
    test_images: Annotated[int, pydantic.Field(ge=64)] = 1_000
    on_the_fly: bool = False
    """Draw the images of each batch when they are wanted, on the device of the training."""
    seed: int = 0


class Networks(_Part):
    """The networks and how they are trained (specification, section 4)."""

    task_sets: list[TaskSet] = SMALL_SETS
    few_categories: list[int] = [2, 4]
    """Further category networks, trained on so many categories."""
    body: str = "resnet18"
    """``resnet18``, ``resnet50`` or ``timm:NAME``; weights are random in the beginning."""
    width: Annotated[int, pydantic.Field(ge=1)] = 16
    """Channels of the first stage of a ResNet; bodies of timm are as wide as they are."""
    layers: list[str] = []
    """Layers of a body of timm that are read, in order of depth, the last of them what its head
    sees; some that are spread over its depth if empty. Those of the ResNets are fixed."""
    given: list[str] = []
    """Files of released weights, whose networks are aligned and compared beside those trained."""
    natural: str = "auto"
    """Photographs that further networks learn to name by the same recipe: ``cifar10``; ``auto``,
    which is that where there is a data folder; ``none``; or a folder with ``train`` and ``test``,
    each with one folder of images a class, or of STL-10 or CIFAR-10 as published. X4 is judged
    with a folder alone: use ImageNet's."""
    seeds: Annotated[int, pydantic.Field(ge=1)] = 5
    steps: Annotated[int, pydantic.Field(ge=1)] = 2_500
    batch_size: Annotated[int, pydantic.Field(ge=2)] = 64
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 1e-3
    snapshots: Annotated[int, pydantic.Field(ge=0)] = 12
    """Log-spaced steps at which performance and alignment are measured (0: no curves)."""
    checkpoint_every: Annotated[int, pydantic.Field(ge=1)] = 600
    device: str = "auto"


class Variability(_Part):
    """Networks that see less variability of a latent that they do not learn."""

    category_sets: list[TaskSet] = ["distance", "translation", "rotation", "spatial"]
    translation_sets: list[TaskSet] = ["distance", "rotation", "category", "identity"]
    direct_sets: list[TaskSet] = []
    """Sets that are also trained where depth, place and rotation are drawn apart, off centre and
    centred, so that centring takes away nothing but the place (X11)."""
    one_category: str = "chair"
    """The category of the networks that see one; the first one where it is not there."""
    grades: list[float] = [0.0]
    """Factors by which the range of position is shrunk (1, the whole range, is always there)."""
    category_grades: list[int] = [1]
    """Numbers of categories seen."""
    data_sizes: list[int] = []
    """Numbers of distinct images, for the growth of alignment with them."""


class Alignment(_Part):
    """Recorded areas (specification, 5.1, 5.3, 6.1)."""

    sessions: list[str] = ["190923", "201025", "210225", "210325"]
    curve_sessions: list[str] = ["201025", "210225"]
    """Sessions for the curves over training."""
    splits: Annotated[int, pydantic.Field(ge=2)] = 10
    curve_splits: Annotated[int, pydantic.Field(ge=2)] = 3
    """Splits for the curves over training, whose scores are many."""
    components: Annotated[int, pydantic.Field(ge=1)] = 25
    blocks: Literal["last", "every"] = "last"
    """Candidate layers of a ResNet: the last block of each stage, or every block and the head."""
    public: list[str] = []
    """Regions of public Brain-Score assemblies, as NAME.REGION. With files of all four of
    `public_alignment.REGIONS` their mean is A; else V4 of the sessions."""
    public_folder: str | None = None
    """Where their files lie; the cache folder of the user if not given."""
    inner_splits: Annotated[int, pydantic.Field(ge=2)] = 3
    """Folds of the training images of a public assembly, on which a layer is chosen."""


class Decoding(_Part):
    """Decoding of latents from held-out images (specification, 5.3)."""

    images: Annotated[int, pydantic.Field(ge=100)] = 1_000
    folds: Annotated[int, pydantic.Field(ge=2)] = 5
    inner_folds: Annotated[int, pydantic.Field(ge=2)] = 2
    """Of the training images, to choose the penalty."""


class Configuration(_Part):
    """A whole run."""

    scenes: Scenes = Scenes()
    networks: Networks = Networks()
    variability: Variability = Variability()
    alignment: Alignment = Alignment()
    decoding: Decoding = Decoding()
    cka_images: Annotated[int, pydantic.Field(ge=8)] = 1_000
    """Held-out images over which networks are compared with each other."""
    resamples: Annotated[int, pydantic.Field(ge=100)] = 2000


_FINE = Alignment(curve_splits=10, blocks="every")
_PUBLIC = _FINE.model_copy(
    update={
        "public": [
            "FreemanZiemba2013.V1",
            "FreemanZiemba2013.V2",
            "MajajHong2015.V4",
            "MajajHong2015.IT",
        ]
    }
)
_MANY = Decoding(images=2_000, inner_folds=5)

CONFIGURATIONS = {
    "quick": Configuration(
        scenes=Scenes(
            categories=4, models=5, size=48, supersample=1, images=2_000, test_images=500
        ),
        networks=Networks(
            task_sets=["distance", "translation", "rotation", "spatial", "category"],
            few_categories=[2],
            width=8,
            seeds=2,
            steps=60,
            batch_size=32,
            snapshots=3,
            checkpoint_every=50,
        ),
        variability=Variability(category_sets=["spatial"], translation_sets=["rotation"]),
        alignment=Alignment(
            sessions=["190923", "210325"],
            curve_sessions=["190923", "210325"],
            splits=2,
            curve_splits=2,
            components=8,
        ),
        decoding=Decoding(images=400, folds=3),
        cka_images=200,
        resamples=200,
    ),
    "small": Configuration(),
    "gpu": Configuration(
        scenes=Scenes(models=37, size=128, images=1_000_000, test_images=2_000, on_the_fly=True),
        networks=Networks(width=64, steps=50_000, checkpoint_every=2_000),
        variability=Variability(
            direct_sets=["distance", "rotation", "category", "identity"],
            grades=[0.0, 0.25, 0.5, 0.75],
            category_grades=[1, 2, 4, 8],
            data_sizes=[640, 2_560, 10_240, 40_960],
        ),
        alignment=_FINE,
        decoding=_MANY,
    ),
    "full": Configuration(
        scenes=Scenes(models=37, size=224, images=1_300_000, test_images=2_000, on_the_fly=True),
        networks=Networks(
            task_sets=ALL_SETS,
            few_categories=[2, 4, 8],
            natural="none",
            width=64,
            seeds=8,
            steps=500_000,
            checkpoint_every=10_000,
        ),
        variability=Variability(
            direct_sets=["distance", "rotation", "category", "identity"],
            grades=[0.0, 0.25, 0.5, 0.75],
            category_grades=[1, 2, 4, 8],
            data_sizes=[10_000, 100_000, 1_000_000],
        ),
        alignment=_PUBLIC,
        decoding=_MANY,
    ),
}
CONFIGURATIONS["full-resnet50"] = CONFIGURATIONS["full"].model_copy(
    update={
        "networks": CONFIGURATIONS["full"].networks.model_copy(
            update={"body": "resnet50", "steps": 1_000_000}
        )
    }
)
"""``quick`` runs every part in minutes with too few seeds to judge; ``small`` is for two cores,
``gpu`` and ``full`` for a GPU, ``full-resnet50`` with the deeper network and twice the steps.
``small`` takes two cores about two hours. It has smaller images and fewer steps than the
specification's (64 px, 5,000 steps, 2,000 images to decode from), whose networks would take most of
a day, but five times as many images: of 20,480 images networks remember distance and rotation
(in one, after 3,500 steps, a distance loss of .59 in training and .94 on held-out images, both
relative to a constant's; with 102,400 images .75 and .75 after 2,500 steps). The scenes of ``full``
are ours, not those of ThreeDWorld."""


def check(chosen: Configuration) -> None:
    """Refuse a configuration whose parts do not fit each other.

    Raises
    ------
    UserError
        In one line, with the field that mends it.
    """
    for name in ("sessions", "curve_sessions"):
        if len(getattr(chosen.alignment, name)) < 2:
            raise UserError(
                f"alignment.{name} names fewer than two sessions; a layer is chosen on other "
                "sessions, so name at least two"
            )
        for session in getattr(chosen.alignment, name):
            known = ("190923", "201025", "210225", "210325")
            if session not in known:
                raise unknown("V4 session", session, known)
    for field, sets in (
        ("category_sets", chosen.variability.category_sets),
        ("translation_sets", chosen.variability.translation_sets),
        ("direct_sets", chosen.variability.direct_sets),
    ):
        lacking = [s for s in sets if s not in chosen.networks.task_sets]
        if lacking:
            raise UserError(
                f"variability.{field} names {', '.join(lacking)}, which networks.task_sets lacks; "
                "contrasts need both"
            )
    if chosen.cka_images > chosen.scenes.test_images:
        raise UserError(
            f"cka_images={chosen.cka_images} is more than scenes.test_images="
            f"{chosen.scenes.test_images}"
        )
