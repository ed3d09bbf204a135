"""The presets of the study: which networks, areas and images, and how many."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from isocortex.studies.farahat2025.own_areas import REGIONS

Count = Annotated[int, pydantic.Field(ge=1)]
Pair = tuple[str, str]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class Grid(_Part):
    """The random networks: activations times poolings (specification 4.1)."""

    activations: list[str] = ["identity", "tanh", "sigmoid", "softplus", "elu", "relu", "abs"]
    poolings: list[str] = ["avg", "max"]
    extra: list[Pair] = [("relu", "none"), ("tanh", "none")]
    seeds: Count = 5
    gain: Annotated[float, pydantic.Field(gt=0)] = 1.0
    channels: list[Count] = [32, 64, 128]
    kernels: list[Count] = [7, 5, 3]
    calibration_images: Count = 32
    biased: bool = True
    """Whether tanh-avg is also run with biases of SD 1 (R12)."""
    kernel_control: bool = True
    """Whether ReLU and tanh are also run with kernels of 3 pixels, where receptive fields are
    small: complexity and human cortex."""

    large: list[Literal["alexnet", "vgg16"]] = []
    """Networks of torchvision that are also run, random, with `large_parts` in place of theirs."""
    large_parts: list[Pair] = [
        ("relu", "max"), ("relu", "avg"), ("tanh", "max"), ("tanh", "avg"), ("identity", "avg"),
    ]  # fmt: skip

    @property
    def configurations(self) -> list[Pair]:
        """Every activation with every pooling, and the extra ones."""
        pairs = [(a, p) for p in self.poolings for a in self.activations]
        return list(dict.fromkeys([*pairs, *self.extra]))


class Objects(_Part):
    """Networks that are trained on objects, and the shuffles of their weights (4.5, 4.10)."""

    source: Literal["auto", "cifar10", "rendered", "folder"] = "auto"
    """``folder`` reads `folder`: STL-10 or CIFAR-10 as published, or one folder a class."""
    folder: str = ""
    networks: list[Pair] = [
        ("relu", "avg"), ("tanh", "avg"), ("identity", "avg"),
        ("relu", "max"), ("tanh", "max"), ("identity", "max"),
    ]  # fmt: skip
    seeds: Count = 5
    images: Count = 25_000
    test_images: Count = 5_000
    epochs: Count = 4
    shuffles: list[Literal["S1", "S2", "S3", "S4", "S5"]] = ["S1", "S2", "S3", "S4", "S5"]
    permutations: Count = 5
    device: str = "auto"


class Areas(_Part):
    """The recordings, and how they are predicted (specification 4.2, 4.3)."""

    networks: list[Pair] = []
    """Random networks that are fitted to V1, V4 and simulated areas; none means the whole grid."""
    v1: bool = True
    v4_sessions: list[str] = ["201025", "190923", "210225", "210325"]
    human: bool = True
    own: list[str] = []
    """Recordings that the user has fetched, e.g. ``tvsd-monkeyN``; see `own_areas.REGIONS`."""
    own_presentations: Count = 30_000
    """At most so many of their images that are not tested, the first ones."""
    presentations: Count = 9_500
    """At most so many V1 patterns, the first ones."""
    v4_presentations: Count = 1_200
    """At most so many images of each V4 session, the first ones."""
    size: Annotated[int, pydantic.Field(ge=16)] = 56
    n_pred: Count = 1_600
    folds: Annotated[int, pydantic.Field(ge=2)] = 5
    folds_run: Count = 5
    """Of the folds, the first so many are fitted and tested."""
    trained: bool = True
    """Whether object-trained and shuffled networks are also fitted to V1 and V4 (secondary)."""


class Simulated(_Part):
    """Areas whose answer is known: tests of the tool, never evidence (specification 4.9)."""

    images: Count = 1_200
    size: Annotated[int, pydantic.Field(ge=16)] = 32
    cells: Annotated[int, pydantic.Field(ge=2)] = 100
    repetitions: Annotated[int, pydantic.Field(ge=2)] = 10
    spikes: Annotated[float, pydantic.Field(gt=0)] = 5.0
    it_neuroids: Count = 100
    it: bool = True


class Neural(_Part):
    """Training on responses, the body frozen or trained (specification 4.3)."""

    v1_networks: list[Pair] = [
        ("relu", "avg"), ("relu", "max"), ("identity", "max"),
        ("identity", "avg"), ("tanh", "avg"), ("sigmoid", "avg"),
    ]  # fmt: skip
    v4_networks: list[Pair] = [("relu", "max")]
    simulated: bool = True
    seeds: Count = 5
    epochs: Count = 150
    patience: Count = 3
    presentations: Count = 9_500
    """At most so many V1 patterns, the first ones."""
    v4_sessions: list[str] = ["201025", "190923", "210225"]
    """Of the sessions of `Areas`, those that are trained on: the ones with natural images."""
    v4_presentations: Count = 1_200
    v4_size: Annotated[int, pydantic.Field(ge=16)] = 56
    device: str = "cpu"


class Complexity(_Part):
    """How far from linear the networks are, on natural patches (specification 4.4)."""

    patches: Count = 3_000
    size: Annotated[int, pydantic.Field(ge=16)] = 32
    max_units: Count = 500
    companions: Count = 300
    """Patches, or pairs of them, for the companions of C_lin."""
    gains: list[float] = [0.25, 0.5, 2.0, 4.0]
    seeds: Count = 5


class Orientation(_Part):
    """Gratings, and the recorded cells (specification 4.6)."""

    networks: list[Pair] = [
        ("relu", "avg"), ("identity", "avg"), ("tanh", "avg"),
        ("sigmoid", "avg"), ("softplus", "avg"), ("elu", "avg"),
    ]  # fmt: skip
    gratings: Literal["small", "marques"] = "small"
    seeds: Count = 5


class Textures(_Part):
    """Texture-MNIST (specification 4.7)."""

    sources: list[str] = ["auto"]
    """``auto`` is real-brodatz with data, procedural without."""
    networks: list[Pair] = [
        ("relu", "avg"), ("identity", "avg"), ("tanh", "avg"), ("sigmoid", "avg"),
        ("softplus", "avg"), ("elu", "avg"), ("abs", "avg"),
    ]  # fmt: skip
    grid: bool = True
    """Whether all networks of the grid are read out, which R11 needs."""
    seeds: Count = 5
    train: Count = 8_000
    validation: Count = 1_000
    test: Count = 2_000
    readouts: list[Literal["means", "means_sds", "flat"]] = ["means", "means_sds"]
    trained_epochs: Annotated[int, pydantic.Field(ge=0)] = 4
    device: str = "auto"


class Configuration(_Part):
    """A whole run; the defaults are those of the specification for two cores (4.10)."""

    grid: Grid = Grid()
    objects: Objects = Objects()
    areas: Areas = Areas()
    simulated: Simulated = Simulated()
    neural: Neural = Neural()
    complexity: Complexity = Complexity()
    orientation: Orientation = Orientation()
    textures: Textures = Textures()
    batch_size: Count = 128
    resamples: Annotated[int, pydantic.Field(ge=100)] = 2_000


_QUICK: list[Pair] = [("relu", "avg"), ("identity", "avg")]

_SMALL = Configuration(
    objects=Objects(
        networks=[("relu", "avg"), ("tanh", "avg"), ("identity", "avg")],
        images=10_000,
        test_images=2_000,
        epochs=1,
        permutations=1,
    ),
    areas=Areas(
        networks=[
            ("relu", "avg"), ("identity", "avg"), ("tanh", "avg"), ("sigmoid", "avg"),
            ("identity", "max"), ("tanh", "max"), ("sigmoid", "max"), ("abs", "avg"),
        ],
        size=32,
        n_pred=800,
        folds_run=1,
        trained=False,
    ),
    simulated=Simulated(images=600),
    neural=Neural(presentations=5_000, v4_presentations=800, v4_size=32),
    complexity=Complexity(patches=1_000, companions=100, gains=[0.25, 4.0]),
    textures=Textures(
        networks=[
            ("relu", "avg"), ("identity", "avg"), ("tanh", "avg"), ("sigmoid", "avg"),
            ("softplus", "avg"), ("elu", "avg"), ("abs", "avg"),
        ],
        train=400,
        validation=100,
        test=300,
        readouts=["means"],
        trained_epochs=15,
        device="cpu",
    ),
)  # fmt: skip
"""About 65 minutes of one core; cut by what each step costs and by nothing else.

Smaller than the specification: photographs of 32 px in place of 56 (V4, human cortex); 800
predictors a block in place of 1600; one fold in place of five; in V1 and V4 the eight networks
that claims name; 10,000 photographs once in place of 25,000 four times, for ReLU-max and for what
R9b and R9c compare (ReLU, tanh and identity with average pooling); one permutation a shuffle in
place of five; 5,000 V1 patterns and 800 images of a V4 session to train on in place of all; 1,000
natural patches in place of 3,000; 400 texture images in place of 8,000. The contrasts R1m, R6m and
R7m are confounded and can never be shown, so the networks that they need alone are left out.
"""

CONFIGURATIONS = {
    "quick": Configuration(
        grid=Grid(
            activations=["identity", "relu"], extra=[], seeds=2, biased=False, kernel_control=False
        ),
        objects=Objects(
            source="rendered",
            networks=[("relu", "max"), ("relu", "avg")],
            seeds=2,
            images=640,
            test_images=160,
            epochs=4,
            shuffles=["S2", "S3"],
            permutations=1,
        ),
        areas=Areas(
            v4_sessions=["210325"],
            presentations=2_000,
            size=32,
            n_pred=400,
            folds_run=2,
            trained=False,
        ),
        simulated=Simulated(images=400, cells=40, it_neuroids=30),
        neural=Neural(v1_networks=_QUICK, v4_networks=[], seeds=2, epochs=3, presentations=2_000),
        complexity=Complexity(patches=600, max_units=100, companions=60, gains=[], seeds=2),
        orientation=Orientation(networks=_QUICK, seeds=2),
        textures=Textures(
            networks=_QUICK,
            grid=False,
            seeds=2,
            train=400,
            validation=100,
            test=200,
            readouts=["means"],
            trained_epochs=2,
        ),
    ),
    "small": _SMALL,
    "full": Configuration(
        grid=Grid(
            activations=[
                "identity",
                "tanh",
                "sigmoid",
                "softplus",
                "elu",
                "relu",
                "abs",
                "leaky",
                "gelu",
            ],
            poolings=["avg", "max", "none", "l2", "blur"],
            extra=[],
            seeds=10,
            channels=[64, 128, 256],
            large=["alexnet", "vgg16"],
        ),
        objects=Objects(seeds=10, epochs=20),
        areas=Areas(n_pred=5_000, size=112, own=list(REGIONS)),
        neural=Neural(seeds=10, v4_size=112, epochs=300),
        complexity=Complexity(seeds=10),
        orientation=Orientation(gratings="marques", seeds=10),
        textures=Textures(
            sources=["real-brodatz", "real-kim", "procedural"],
            seeds=10,
            train=50_000,
            validation=5_000,
            test=10_000,
            readouts=["means", "means_sds", "flat"],
        ),
    ),
}
