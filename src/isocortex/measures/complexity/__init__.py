"""How far responses are from linear in the pixels, by several definitions.

`linear_complexity` is the primary one; the others ask for evenness, for curvature between and along
images, for the states of rectifiers. The effective dimension of responses is
`dimensionality.participation_ratio`. All are 0 for responses that are linear in the image, save
`path_frequency`, for which a straight line is a ramp.
"""

from isocortex.measures.complexity.linear import (
    ALPHAS,
    LinearComplexity,
    PixelRidge,
    linear_complexity,
    split_by_group,
)
from isocortex.measures.complexity.nonlinearity import (
    RECTIFIERS,
    evenness,
    gate_entropy,
    midpoint_deviation,
    path_curvature,
    path_frequency,
)

__all__ = [
    "ALPHAS",
    "RECTIFIERS",
    "LinearComplexity",
    "PixelRidge",
    "evenness",
    "gate_entropy",
    "linear_complexity",
    "midpoint_deviation",
    "path_curvature",
    "path_frequency",
    "split_by_group",
]
