"""Lateral kernels in group coordinates: strength, axis, field of orientation, nulls."""

from isocortex.measures.lateral.field import (
    FieldErrors,
    OrientationField,
    field_errors,
    orientation_field,
)
from isocortex.measures.lateral.group import (
    GroupKernel,
    TargetKernels,
    group_kernel,
    smoothing_width,
    target_kernels,
)
from isocortex.measures.lateral.kernels import (
    SIGNS,
    RetainedKernel,
    crop,
    displacements,
    efferent,
    pairs_by_parity,
    positions,
    rectify,
    retain,
)
from isocortex.measures.lateral.nulls import (
    LateralStatistics,
    lateral_statistics,
    permutation_null,
)
from isocortex.measures.lateral.overlap import (
    filter_overlap,
    induced_kernel,
    overlap_radius,
    residual,
)
from isocortex.measures.lateral.strength import (
    StrengthCurve,
    axial_ratio,
    pair_strength,
    strength_curve,
)

__all__ = [
    "SIGNS",
    "FieldErrors",
    "GroupKernel",
    "LateralStatistics",
    "OrientationField",
    "RetainedKernel",
    "StrengthCurve",
    "TargetKernels",
    "axial_ratio",
    "crop",
    "displacements",
    "efferent",
    "field_errors",
    "filter_overlap",
    "group_kernel",
    "induced_kernel",
    "lateral_statistics",
    "orientation_field",
    "overlap_radius",
    "pair_strength",
    "pairs_by_parity",
    "permutation_null",
    "positions",
    "rectify",
    "residual",
    "retain",
    "smoothing_width",
    "strength_curve",
    "target_kernels",
]
