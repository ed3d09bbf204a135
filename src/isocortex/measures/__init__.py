"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import (
    complexity,
    cooccurrence,
    decoding,
    dimensionality,
    encoding,
    lateral,
    receptive_fields,
    reliability,
    retinex,
    se2,
    similarity,
    symmetry,
    tuning,
    viewpoint,
)

__all__ = [
    "complexity",
    "cooccurrence",
    "decoding",
    "dimensionality",
    "encoding",
    "lateral",
    "receptive_fields",
    "reliability",
    "retinex",
    "se2",
    "similarity",
    "symmetry",
    "tuning",
    "viewpoint",
]
