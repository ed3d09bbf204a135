"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import (
    dimensionality,
    encoding,
    reliability,
    similarity,
    symmetry,
    viewpoint,
)

__all__ = ["dimensionality", "encoding", "reliability", "similarity", "symmetry", "viewpoint"]
