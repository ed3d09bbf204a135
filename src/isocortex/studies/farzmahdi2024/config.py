"""The presets of the study: how many objects, networks and draws."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class Objects(_Part):
    """The objects shown: classes of known symmetry, and heads (specification 3.2, 3.3)."""

    source: Literal["auto", "meshes", "procedural"] = "auto"
    per_class: Annotated[int, pydantic.Field(ge=2)] = 25
    heads: Annotated[int, pydantic.Field(ge=2)] = 25
    size: Annotated[int, pydantic.Field(ge=16)] = 32
    elevation: Annotated[float, pydantic.Field(ge=-90, le=90)] = 0.0
    luminance: Literal["none", "mean", "mean_sd", "histogram"] = "mean_sd"
    supersample: Annotated[int, pydantic.Field(ge=1, le=16)] = 3
    seed: int = 0


class Training(_Part):
    """The networks that are trained here (specification 5.1, 5.2)."""

    network: Literal["half", "paper-code", "paper-text"] = "half"
    sources: list[Literal["glyphs", "mnist"]] = ["glyphs", "mnist"]
    natural: bool = True
    policies: list[Literal["orig", "sym", "asym", "sym20"]] = ["orig", "sym", "asym", "sym20"]
    seeds: Annotated[int, pydantic.Field(ge=1)] = 5
    recipe: Literal["own", "paper"] = "own"
    """``own`` takes optimiser and length from the fields below; ``paper`` trains as published
    (Adam on glyphs and digits, SGD on natural images, 250 epochs)."""
    steps: Annotated[int, pydantic.Field(ge=1)] = 500
    batch_size: Annotated[int, pydantic.Field(ge=1)] = 64
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 1e-3
    halve_every: Annotated[int, pydantic.Field(ge=0)] = 0
    images: Annotated[int, pydantic.Field(ge=40)] = 10_800
    test_images: Annotated[int, pydantic.Field(ge=40)] = 1_200
    checkpoint_every: Annotated[int, pydantic.Field(ge=1)] = 100
    device: str = "auto"
    """Where networks are trained: ``auto`` takes a GPU if there is one."""


class Mechanism(_Part):
    """Hand-made filter banks: what pooling does without any training (specification 8.4, 9)."""

    seeds: Annotated[int, pydantic.Field(ge=1)] = 5


class FacePatch(_Part):
    """The recorded population of face patch AM (specification 5.3)."""

    recorded: bool = True
    """Whether to measure the recording; left out anyway where no data folder is given."""
    splits: Annotated[int, pydantic.Field(ge=2)] = 100
    null_draws: Annotated[int, pydantic.Field(ge=20)] = 1000
    resamples: Annotated[int, pydantic.Field(ge=100)] = 2000


class Given(_Part):
    """Networks that are given with their weights (the ``full`` preset)."""

    models: list[str] = []
    weights: dict[str, str] = {}
    """Weights of a model: ``pretrained`` (the default), ``random`` or a checkpoint's path."""
    size: Annotated[int, pydantic.Field(ge=32)] = 224
    """Pixels on a side: that of the network, since resizing blurs and cropping cuts the object
    (227 for ``isocortex:caffe-alexnet``)."""


class Recording(_Part):
    """How units are recorded."""

    batch_size: Annotated[int, pydantic.Field(ge=1)] = 100
    device: str = "cpu"
    keep: bool = False
    """Keep the recorded activations in the cache after they have been measured."""


class Configuration(_Part):
    """A whole run."""

    objects: Objects = Objects()
    training: Training = Training()
    mechanism: Mechanism = Mechanism()
    face_patch: FacePatch = FacePatch()
    given: Given = Given()
    recording: Recording = Recording()
    resamples: Annotated[int, pydantic.Field(ge=100)] = 2000
    null_draws: Annotated[int, pydantic.Field(ge=20)] = 200


GIVEN_MODELS = [
    "torchvision:alexnet",
    "torchvision:vgg16",
    "torchvision:resnet50",
    "torchvision:convnext_base",
    "torchvision:vit_b_16",
]

CONFIGURATIONS = {
    "quick": Configuration(
        objects=Objects(per_class=5, heads=5),
        training=Training(
            sources=["glyphs"],
            natural=False,
            policies=["orig", "sym", "asym", "sym20"],
            seeds=2,
            steps=60,
            images=4_000,
            test_images=1_000,
            checkpoint_every=20,
        ),
        mechanism=Mechanism(seeds=2),
    ),
    "small": Configuration(),
    "full": Configuration(
        training=Training(
            network="paper-code",
            seeds=10,
            recipe="paper",
            images=60_000,
            test_images=8_920,
            checkpoint_every=500,
        ),
        mechanism=Mechanism(seeds=10),
        given=Given(models=GIVEN_MODELS),
    ),
}
