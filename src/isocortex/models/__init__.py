"""Who looks: the zoo, the configurable ConvNet, checkpoints, hand-made filter banks."""

from isocortex.models.checkpoints import load_weights, save_weights
from isocortex.models.convnet import PRESETS, ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.filters import FilterNetwork, symmetrise_filters
from isocortex.models.initial import initialise
from isocortex.models.layers import LayerInfo, grid_check, trace_layers
from isocortex.models.receptive_fields import ReceptiveField
from isocortex.models.zoo import Model, list_models, load_model

__all__ = [
    "PRESETS",
    "ConvBlock",
    "ConvNet",
    "ConvNetConfig",
    "FilterNetwork",
    "LayerInfo",
    "Model",
    "ReceptiveField",
    "grid_check",
    "initialise",
    "list_models",
    "load_model",
    "load_weights",
    "save_weights",
    "symmetrise_filters",
    "trace_layers",
]
