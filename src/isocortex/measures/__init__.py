"""Pure functions on arrays: what physiologists measure, batched, for numpy and torch alike."""

from isocortex.measures import encoding, reliability, symmetry, viewpoint

__all__ = ["encoding", "reliability", "symmetry", "viewpoint"]
