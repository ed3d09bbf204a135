"""The presets of the study: which networks, how long, how many draws."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

Count = Annotated[int, Field(ge=1)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


ARMS: dict[str, dict[str, Any]] = {
    "all": {},
    "no_lgn": {"lgn": False},
    "no_lateral": {"lateral": "none"},
    "kercnn": {"lateral": "kercnn"},
    "recurrent": {"lateral": "recurrent"},
    "mnist": {"source": "mnist"},
    "iterations_0": {"iterations": 0},
    "iterations_3": {"iterations": 3},
    "weak_decay": {"weight_decay": 5e-4},
    "strong_decay": {"weight_decay": 2e-2},
    "no_lgn_norm": {"lgn_normalised": False},
    "no_lgn_relu": {"lgn_rectified": False},
}
"""Name of an arm of the classification -> what differs from the arm ``all``."""

ArmName = Literal[
    "all", "no_lgn", "no_lateral", "kercnn", "recurrent", "mnist", "iterations_0",
    "iterations_3", "weak_decay", "strong_decay", "no_lgn_norm", "no_lgn_relu",
]  # fmt: skip


class Images(_Part):
    """What the networks learn to name (specification 3)."""

    source: Literal["auto", "cifar10", "glyphs", "folder"] = "auto"
    """``auto`` takes CIFAR-10 where a data folder is given, else procedural glyphs; ``folder``
    reads `folder`: STL-10 or CIFAR-10 as published, or one folder of images a class."""
    folder: str = ""
    size: Annotated[int, Field(ge=16)] = 32
    train: Annotated[int, Field(ge=20)] = 25_000
    test: Annotated[int, Field(ge=20)] = 5_000
    shift: Annotated[int, Field(ge=0)] = 3
    flips: bool = True


class Network(_Part):
    """The network (specification 4.2); arms change single fields."""

    filters: Count = 24
    filter_size: Annotated[int, Field(ge=5)] = 9
    lgn_size: Annotated[int, Field(ge=3)] = 7
    lgn_initial_sd: Annotated[float, Field(gt=0)] | None = None
    kernel_side: Count = 7
    iterations: Annotated[int, Field(ge=0)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    anchor: Literal["current", "input"] = "current"
    channels: list[Count] = [48, 64]


class Training(_Part):
    """How the networks are trained."""

    arms: list[ArmName] = ["all", "no_lgn", "no_lateral"]
    seeds: Count = 3
    ablations: list[ArmName] = ["mnist", "weak_decay", "iterations_3", "strong_decay"]
    """Arms that are shown without a verdict; trained last."""
    ablation_seeds: Count = 1
    epochs: Count = 5
    batch_size: Count = 64
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 2e-3
    snapshots: Annotated[int, Field(ge=1)] = 8
    """How often in a training, on a logarithmic scale of steps, the filters are kept."""
    checkpoint_every: Count = 100
    device: str = "auto"


class Reconstruction(_Part):
    """The codecs (specification 4.7)."""

    arms: list[str] = [
        "positive", "unpenalised", "white", "random_phase", "unpenalised_free", "wide_start",
    ]  # fmt: skip
    seeds: Count = 5
    steps: Count = 2_000
    photographs: Count = 200
    crop: Annotated[int, Field(ge=16)] = 32
    batch_size: Count = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    noise: Annotated[float, Field(gt=0)] = 1.0
    power_penalty: Annotated[float, Field(gt=0)] = 0.02
    localities: list[float] = [0.0, 1e-3, 1e-2]
    """Prices of distance of the deterministic codec."""
    starts: Count = 5


class Contours(_Part):
    """Edge co-occurrence of photographs (specification 4.6)."""

    train: Count = 200
    val: Count = 100
    imagenet: Annotated[int, Field(ge=0)] = 0
    """Photographs of a second source; 0 leaves it out."""
    candidates: Count = 10
    """Widths of turning of each contour process that are tried, each with four ranges."""
    controls: list[Literal["random_phase", "periodic_phase", "white", "turned", "one_flank"]] = [
        "random_phase", "periodic_phase", "white", "turned", "one_flank",
    ]  # fmt: skip
    """What is measured beside photographs. Claims are about ``random_phase``; ``periodic_phase``,
    without the jump of an image across its borders, and ``one_flank``, photographs with the
    stronger flank of each line alone, are shown beside it."""
    known_images: Count = 4
    """Rendered contours of each known width of turning, a repeat."""
    known_repeats: Count = 3


class FirstLayers(_Part):
    """Networks that are given, whose first layers are measured (specification 4.9)."""

    models: list[str] = []
    weights: dict[str, str] = {}
    layers: dict[str, str] = {}
    """First layer of a model; by default its first convolution."""
    control_banks: Count = 20


class Statistics(_Part):
    """Draws of the nulls and intervals."""

    permutations: Annotated[int, Field(ge=20)] = 5_000
    surrogates: Annotated[int, Field(ge=2)] = 20
    noise_filters: Annotated[int, Field(ge=100)] = 5_000
    splits: Annotated[int, Field(ge=2)] = 20
    resamples: Annotated[int, Field(ge=100)] = 2_000
    white_images: Count = 48
    corrupted_images: Annotated[int, Field(ge=0)] = 1_000
    """Held-out images that are made worse; 0 leaves corruption out."""


class Configuration(_Part):
    """A whole run."""

    images: Images = Images()
    network: Network = Network()
    training: Training = Training()
    reconstruction: Reconstruction = Reconstruction()
    contours: Contours = Contours()
    first_layers: FirstLayers = FirstLayers()
    statistics: Statistics = Statistics()
    full_scale: bool = False
    """Whether the claims that ask for the full scale are judged."""


_LONG = Reconstruction(steps=6_000)
_BOTH = Contours(imagenet=300)
_GIVEN = ["torchvision:alexnet", "torchvision:resnet18"]

CONFIGURATIONS = {
    "quick": Configuration(
        images=Images(train=2_000, test=500),
        network=Network(filters=8, filter_size=7, kernel_side=5),
        training=Training(seeds=1, ablations=[], epochs=1, snapshots=4),
        reconstruction=Reconstruction(seeds=1, steps=100, photographs=40),
        contours=Contours(
            train=10,
            val=10,
            controls=["random_phase", "white"],
            candidates=2,
            known_images=1,
            known_repeats=1,
        ),
        first_layers=FirstLayers(control_banks=4),
        statistics=Statistics(
            permutations=500,
            surrogates=8,
            noise_filters=2_000,
            splits=6,
            white_images=16,
            corrupted_images=100,
        ),
    ),
    "small": Configuration(),
    "full-cifar": Configuration(
        network=Network(filters=64, filter_size=11, kernel_side=11),
        training=Training(
            arms=["all", "no_lgn", "no_lateral", "kercnn", "weak_decay", "iterations_3"],
            seeds=5,
            ablations=["mnist", "strong_decay"],
            epochs=60,
            snapshots=16,
            checkpoint_every=1_000,
        ),
        reconstruction=_LONG,
        contours=_BOTH,
        full_scale=True,
    ),
    "full": Configuration(
        images=Images(source="folder", folder="stl10", size=96, train=5_000, test=8_000),
        network=Network(filters=64, filter_size=11, kernel_side=11, channels=[48, 64, 128]),
        training=Training(
            arms=["all", "no_lgn", "no_lateral", "kercnn", "weak_decay", "iterations_3"],
            seeds=5,
            ablations=["strong_decay"],
            epochs=300,
            snapshots=16,
            checkpoint_every=500,
        ),
        reconstruction=_LONG,
        contours=_BOTH,
        first_layers=FirstLayers(models=_GIVEN),
        full_scale=True,
    ),
}
