"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import reliability, symmetry, viewpoint

__all__ = ["reliability", "symmetry", "viewpoint"]
