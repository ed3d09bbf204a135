"""Latent scenes: one object an image, every latent known exactly."""

from isocortex.stimuli.scenes.backgrounds import Backgrounds
from isocortex.stimuli.scenes.parameters import Freeze, Rerange, Shrink, Subset
from isocortex.stimuli.scenes.scenes import LatentScenes, SceneBatch
from isocortex.stimuli.scenes.spec import SceneSpec, make_spec

__all__ = [
    "Backgrounds",
    "Freeze",
    "LatentScenes",
    "Rerange",
    "SceneBatch",
    "SceneSpec",
    "Shrink",
    "Subset",
    "make_spec",
]
