"""How it learned: label policies, losses, one resumable training loop."""

from isocortex.training.augmentation import augmented
from isocortex.training.batches import BatchSource
from isocortex.training.fit import Training, accuracy, evaluate
from isocortex.training.neural import NeuralTraining, fit_responses
from isocortex.training.objectives import CLASSIFICATION, Objective
from isocortex.training.optimisers import OPTIMISERS, OptimiserConfig
from isocortex.training.readouts import LogisticReadout, logistic_readout, pooled
from isocortex.training.recipes import RECIPES, Recipe, recipe
from isocortex.training.reconstruction import crops_of, images_of, reconstruct
from isocortex.training.spectral import amplitude_law, power_spectrum, spectral_codec
from isocortex.training.tasks import POLICIES, Diet, diet

__all__ = [
    "CLASSIFICATION",
    "OPTIMISERS",
    "POLICIES",
    "RECIPES",
    "BatchSource",
    "Diet",
    "LogisticReadout",
    "NeuralTraining",
    "Objective",
    "OptimiserConfig",
    "Recipe",
    "Training",
    "accuracy",
    "amplitude_law",
    "augmented",
    "crops_of",
    "diet",
    "evaluate",
    "fit_responses",
    "images_of",
    "logistic_readout",
    "pooled",
    "power_spectrum",
    "recipe",
    "reconstruct",
    "spectral_codec",
]
