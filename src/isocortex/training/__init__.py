"""How it learned: label policies, losses, one resumable training loop."""

from isocortex.training.batches import BatchSource
from isocortex.training.fit import Training, accuracy, evaluate
from isocortex.training.objectives import CLASSIFICATION, Objective
from isocortex.training.optimisers import OPTIMISERS, OptimiserConfig
from isocortex.training.recipes import RECIPES, Recipe, recipe
from isocortex.training.tasks import POLICIES, Diet, diet

__all__ = [
    "CLASSIFICATION",
    "OPTIMISERS",
    "POLICIES",
    "RECIPES",
    "BatchSource",
    "Diet",
    "Objective",
    "OptimiserConfig",
    "Recipe",
    "Training",
    "accuracy",
    "diet",
    "evaluate",
    "recipe",
]
