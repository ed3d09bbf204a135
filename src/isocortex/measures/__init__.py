"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import (
    complexity,
    decoding,
    dimensionality,
    encoding,
    lateral,
    reliability,
    similarity,
    symmetry,
    viewpoint,
)

__all__ = [
    "complexity",
    "decoding",
    "dimensionality",
    "encoding",
    "lateral",
    "reliability",
    "similarity",
    "symmetry",
    "viewpoint",
]
