"""Who looks: the zoo, the configurable ConvNet, checkpoints, hand-made filter banks."""

from isocortex.models.checkpoints import load_weights, save_weights
from isocortex.models.convnet import PRESETS, ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.initial import initialise

__all__ = [
    "PRESETS",
    "ConvBlock",
    "ConvNet",
    "ConvNetConfig",
    "initialise",
    "load_weights",
    "save_weights",
]
