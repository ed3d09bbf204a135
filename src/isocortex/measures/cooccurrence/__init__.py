"""Co-occurrence of edges in photographs: which edge is found where, seen from another edge.

x = column and y = -row (up); directions run counter-clockwise as displayed, with the bright side on
the right. Histograms have the layout of `lateral.GroupKernel`: (relative orientation, row, column)
in the frame of the centre edge, whose contour lies along x. `fold_polarity` and `phi_centred` are
`se2.without_polarity` and `lateral.centre_rings`.
"""

from isocortex.measures.cooccurrence.contrasts import (
    ModelFit,
    PairStatistics,
    bootstrap_images,
    centred_correlation,
    compare_models,
    pair_statistics,
)
from isocortex.measures.cooccurrence.controls import (
    LatticeBias,
    lattice_bias,
    periodic_component,
    random_phase,
    turned_by_45,
    white_noise,
)
from isocortex.measures.cooccurrence.edges import EdgeList, detect_edges, log_luminance
from isocortex.measures.cooccurrence.flanks import facing, one_flank
from isocortex.measures.cooccurrence.pairs import (
    pair_histogram,
    relative_directions,
    symmetrise,
)
from isocortex.measures.lateral import centre_rings as phi_centred
from isocortex.measures.se2 import without_polarity as fold_polarity

__all__ = [
    "EdgeList",
    "LatticeBias",
    "ModelFit",
    "PairStatistics",
    "bootstrap_images",
    "centred_correlation",
    "compare_models",
    "detect_edges",
    "facing",
    "fold_polarity",
    "lattice_bias",
    "log_luminance",
    "one_flank",
    "pair_histogram",
    "pair_statistics",
    "periodic_component",
    "phi_centred",
    "random_phase",
    "relative_directions",
    "symmetrise",
    "turned_by_45",
    "white_noise",
]
