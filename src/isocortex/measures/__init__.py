"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import (
    decoding,
    dimensionality,
    encoding,
    reliability,
    similarity,
    symmetry,
    viewpoint,
)

__all__ = [
    "decoding",
    "dimensionality",
    "encoding",
    "reliability",
    "similarity",
    "symmetry",
    "viewpoint",
]
