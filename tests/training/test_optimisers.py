from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from isocortex.errors import UserError
from isocortex.training.optimisers import OPTIMISERS, OptimiserConfig
from isocortex.training.recipes import RECIPES, recipe


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_downhill(name):
    weight = nn.Parameter(torch.tensor([3.0]))
    optimiser = OptimiserConfig(name=name, learning_rate=0.1).build([weight])
    for _ in range(200):
        optimiser.zero_grad()
        (weight**2).sum().backward()
        optimiser.step()
    assert abs(weight.item()) < 0.1


def test_sgd_has_momentum_and_both_decay_weights():
    sgd = OptimiserConfig(name="sgd", momentum=0.7, weight_decay=0.1).build([nn.Parameter()])
    adam = OptimiserConfig(name="adam", weight_decay=0.2).build([nn.Parameter()])
    assert sgd.param_groups[0]["momentum"] == 0.7
    assert sgd.param_groups[0]["weight_decay"] == 0.1
    assert adam.param_groups[0]["weight_decay"] == 0.2


def test_the_rate_is_halved_by_steps():
    config = OptimiserConfig(learning_rate=0.8, halve_every=3)
    assert [config.rate(s) for s in range(7)] == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]
    assert OptimiserConfig(learning_rate=0.8).rate(10**6) == 0.8


def test_unknown_names_and_fields_are_refused():
    with pytest.raises(ValidationError, match="did you mean adam"):
        OptimiserConfig(name="adamm")
    with pytest.raises(ValidationError, match="Extra inputs"):
        OptimiserConfig(lr=1)
    with pytest.raises(UserError, match="unknown training recipe 'quarter'"):
        recipe("quarter", 100)


def test_recipes_turn_epochs_into_steps():
    config, steps, batch = recipe("paper-code-cifar10", 50_000)
    assert (config.name, config.momentum, batch) == ("sgd", 0.9, 256)
    assert (steps, config.halve_every) == (250 * 195, 50 * 195)
    config, _, _ = recipe("paper-text-svhn", 50_000)
    assert (config.name, config.learning_rate, config.halve_every) == ("adam", 1e-5, 50 * 195)
    assert recipe("half", 10_800) == (OptimiserConfig(learning_rate=1e-3), 500, 64)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_one_length(name):
    assert (RECIPES[name].steps is None) != (RECIPES[name].epochs is None)
    _, steps, batch = recipe(name, 10)
    assert steps >= 1
    assert batch >= 1


def test_one_cycle_is_that_of_torch() -> None:
    config = OptimiserConfig(
        name="sgd", learning_rate=0.05, nesterov=True, schedule="one_cycle", schedule_steps=200
    )
    optimiser = config.build([torch.nn.Parameter(torch.zeros(1))])
    assert optimiser.defaults["nesterov"]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=0.05, total_steps=200, cycle_momentum=False
    )
    for step in range(200):
        assert config.rate(step) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        schedule.step() if step < 199 else None


def test_cosine_falls_to_nothing() -> None:
    config = OptimiserConfig(learning_rate=0.01, schedule="cosine", schedule_steps=100)
    assert [config.rate(k) for k in (0, 50, 100, 120)] == pytest.approx([0.01, 0.005, 0, 0])


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "cosine"},
        {"schedule_steps": 10},
        {"schedule": "one_cycle", "schedule_steps": 10, "halve_every": 5},
        {"nesterov": True},
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OptimiserConfig(**fields)
