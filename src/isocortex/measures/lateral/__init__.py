"""Lateral kernels in group coordinates: strength, axis, fields, propagation, models, nulls."""

from isocortex.measures.lateral.agreement import (
    Agreement,
    ModelAgreement,
    baseline_kernels,
    centre_rings,
    compare_models,
)
from isocortex.measures.lateral.association import (
    AssociationField,
    PathStrength,
    association_field,
    path_strength,
)
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
from isocortex.measures.lateral.propagation import propagate
from isocortex.measures.lateral.strength import (
    StrengthCurve,
    axial_ratio,
    pair_strength,
    strength_curve,
)

__all__ = [
    "SIGNS",
    "Agreement",
    "AssociationField",
    "FieldErrors",
    "GroupKernel",
    "LateralStatistics",
    "ModelAgreement",
    "OrientationField",
    "PathStrength",
    "RetainedKernel",
    "StrengthCurve",
    "TargetKernels",
    "association_field",
    "axial_ratio",
    "baseline_kernels",
    "centre_rings",
    "compare_models",
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
    "path_strength",
    "permutation_null",
    "positions",
    "propagate",
    "rectify",
    "residual",
    "retain",
    "smoothing_width",
    "strength_curve",
    "target_kernels",
]
