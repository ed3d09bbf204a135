"""Who looks: the zoo, configurable networks, LGN and lateral layers, codecs, filters, controls."""

from isocortex.models.checkpoints import load_weights, save_weights
from isocortex.models.codecs import CodecConfig, LinearCodec, NetworkCodec, codec
from isocortex.models.controls import CONTROLS, Control, layer_sets
from isocortex.models.convnet import PRESETS, ConvBlock, ConvNet, ConvNetConfig
from isocortex.models.filters import FilterNetwork, symmetrise_filters
from isocortex.models.gain import reestimate_batchnorm, set_gain
from isocortex.models.initial import initialise
from isocortex.models.lateral import (
    LateralConfig,
    LateralLayer,
    filter_overlap,
    induced_kernel,
)
from isocortex.models.layers import LayerInfo, grid_check, trace_layers
from isocortex.models.lgn import LGNConfig, LGNLayer
from isocortex.models.lgncnn import LGNCNN, LGNCNNConfig
from isocortex.models.receptive_fields import ReceptiveField
from isocortex.models.rnet import rnet, rnet_config
from isocortex.models.surgery import swap
from isocortex.models.zoo import Model, files_checksum, list_models, load_model

__all__ = [
    "CONTROLS",
    "LGNCNN",
    "PRESETS",
    "CodecConfig",
    "Control",
    "ConvBlock",
    "ConvNet",
    "ConvNetConfig",
    "FilterNetwork",
    "LGNCNNConfig",
    "LGNConfig",
    "LGNLayer",
    "LateralConfig",
    "LateralLayer",
    "LayerInfo",
    "LinearCodec",
    "Model",
    "NetworkCodec",
    "ReceptiveField",
    "codec",
    "files_checksum",
    "filter_overlap",
    "grid_check",
    "induced_kernel",
    "initialise",
    "layer_sets",
    "list_models",
    "load_model",
    "load_weights",
    "reestimate_batchnorm",
    "rnet",
    "rnet_config",
    "save_weights",
    "set_gain",
    "swap",
    "symmetrise_filters",
    "trace_layers",
]
