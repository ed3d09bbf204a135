"""Published trainings of the small network, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isocortex.errors import unknown
from isocortex.training.optimisers import OptimiserConfig


@dataclass(frozen=True)
class Recipe:
    """An optimiser and a length.

    Parameters
    ----------
    optimiser : OptimiserConfig
        Without `halve_every`, which follows from `halve_epochs`, and without a schedule.
    batch_size : int
    steps, epochs : int, optional
        The length, in one of the two.
    halve_epochs : int, optional
        Epochs after which the learning rate is halved.
    schedule : {"constant", "one_cycle", "cosine"}
        Course of the learning rate over the whole length.
    """

    optimiser: OptimiserConfig
    batch_size: int
    steps: int | None = None
    epochs: int | None = None
    halve_epochs: int | None = None
    schedule: Literal["constant", "one_cycle", "cosine"] = "constant"


RECIPES: dict[str, Recipe] = {
    "paper-code-cifar10": Recipe(
        OptimiserConfig(name="sgd", learning_rate=1e-3, momentum=0.9),
        batch_size=256,
        epochs=250,
        halve_epochs=50,
    ),
    "paper-code-svhn": Recipe(
        OptimiserConfig(name="adam", learning_rate=1e-5),
        batch_size=256,
        epochs=250,
        halve_epochs=20,
    ),
    "paper-text-cifar10": Recipe(
        OptimiserConfig(name="sgd", learning_rate=1e-3, momentum=0.9),
        batch_size=256,
        epochs=250,
        halve_epochs=20,
    ),
    "paper-text-svhn": Recipe(
        OptimiserConfig(name="adam", learning_rate=1e-5),
        batch_size=256,
        epochs=250,
        halve_epochs=50,
    ),
    "half": Recipe(OptimiserConfig(name="adam", learning_rate=1e-3), batch_size=64, steps=500),
    "rnet-cifar10": Recipe(
        OptimiserConfig(
            name="sgd", learning_rate=0.08, momentum=0.9, nesterov=True, weight_decay=5e-4
        ),
        batch_size=128,
        epochs=4,
        schedule="one_cycle",
    ),
}
"""Trainings of the networks in `convnet.PRESETS`, from Farzmahdi et al. (2024), and of the family
in `models.rnet` on the CIFAR-10 subset."""


def recipe(name: str, n_images: int) -> tuple[OptimiserConfig, int, int]:
    """Return optimiser, steps and batch size of a recipe for a set of `n_images` images.

    Raises
    ------
    UserError
        If there is no recipe of this name.
    """
    if name not in RECIPES:
        raise unknown("training recipe", name, RECIPES)
    found = RECIPES[name]
    per_epoch = max(1, n_images // found.batch_size)
    steps = found.steps if found.epochs is None else found.epochs * per_epoch
    course: dict[str, object] = {
        "halve_every": None if found.halve_epochs is None else found.halve_epochs * per_epoch
    }
    if found.schedule != "constant":
        course |= {"schedule": found.schedule, "schedule_steps": steps}
    return found.optimiser.model_copy(update=course), steps or 0, found.batch_size
