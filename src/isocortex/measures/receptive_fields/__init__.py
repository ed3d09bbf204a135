"""Shapes of receptive fields: Laplacian of Gaussian, Gabor, and what noise would give.

Filters are (n, s, s) with row 0 on top. x = column and y = -row (up), both from the centre of the
filter; angles run counter-clockwise as displayed, and an orientation is that of the contour.
"""

from isocortex.measures.receptive_fields.free_centre import (
    FreeFit,
    fit_log_anywhere,
    free_centre_level,
)
from isocortex.measures.receptive_fields.gabor_fit import GaborFit, fit_gabor
from isocortex.measures.receptive_fields.gabor_model import gabor
from isocortex.measures.receptive_fields.gate import log_gate
from isocortex.measures.receptive_fields.log_fit import (
    SIGMA_RANGE,
    LoGFit,
    fit_log,
    gaussian,
    laplacian_of_gaussian,
)
from isocortex.measures.receptive_fields.nulls import (
    NULLS,
    NullLevels,
    gabor_null,
    log_null,
    null_levels,
    p_values,
    surrogates,
)
from isocortex.measures.receptive_fields.radial import radial_profile, radial_share
from isocortex.measures.receptive_fields.shapes import ShapeFamily, shape_family

__all__ = [
    "NULLS",
    "SIGMA_RANGE",
    "FreeFit",
    "GaborFit",
    "LoGFit",
    "NullLevels",
    "ShapeFamily",
    "fit_gabor",
    "fit_log",
    "fit_log_anywhere",
    "free_centre_level",
    "gabor",
    "gabor_null",
    "gaussian",
    "laplacian_of_gaussian",
    "log_gate",
    "log_null",
    "null_levels",
    "p_values",
    "radial_profile",
    "radial_share",
    "shape_family",
    "surrogates",
]
