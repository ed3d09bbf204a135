"""Tuning to orientation: curves, their selectivity, and the comparison with recorded cells."""

from isocortex.measures.tuning.curves import (
    RESPONSE_RULES,
    Tuning,
    bandwidth,
    circular_variance,
    modulation_ratio,
    orientation_tuning,
    preferred_orientation,
)
from isocortex.measures.tuning.distances import BINS, DISTANCES, distance, distance_draws
from isocortex.measures.tuning.reference import (
    Comparison,
    Floor,
    ceiled_similarity,
    compare,
    reference_intervals,
    split_floor,
)

__all__ = [
    "BINS",
    "DISTANCES",
    "RESPONSE_RULES",
    "Comparison",
    "Floor",
    "Tuning",
    "bandwidth",
    "ceiled_similarity",
    "circular_variance",
    "compare",
    "distance",
    "distance_draws",
    "modulation_ratio",
    "orientation_tuning",
    "preferred_orientation",
    "reference_intervals",
    "split_floor",
]
