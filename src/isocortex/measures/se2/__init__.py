"""The group SE(2) of positions and orientations, and the contour processes that live on it."""

from isocortex.measures.se2.closed_forms import (
    BEST_CORRECTION,
    diffusion_closed_form,
    diffusion_moments,
    direction_closed_form,
    direction_moments,
)
from isocortex.measures.se2.families import Family, diffusion_family, direction_family
from isocortex.measures.se2.grids import Density, Grid, cell_means
from isocortex.measures.se2.group import (
    cocircular_curvature,
    cocircular_orientation,
    compose,
    exponential,
    integral_curve,
    inverse,
    left_invariant_fields,
    logarithm,
)
from isocortex.measures.se2.monte_carlo import (
    KernelEstimate,
    diffusion_endpoints,
    diffusion_monte_carlo,
    direction_endpoints,
    direction_monte_carlo,
)
from isocortex.measures.se2.solver import diffusion_kernel, direction_kernel
from isocortex.measures.se2.symmetries import (
    plant,
    reverse,
    sample,
    symmetrise,
    without_polarity,
)

__all__ = [
    "BEST_CORRECTION",
    "Density",
    "Family",
    "Grid",
    "KernelEstimate",
    "cell_means",
    "cocircular_curvature",
    "cocircular_orientation",
    "compose",
    "diffusion_closed_form",
    "diffusion_endpoints",
    "diffusion_family",
    "diffusion_kernel",
    "diffusion_moments",
    "diffusion_monte_carlo",
    "direction_closed_form",
    "direction_endpoints",
    "direction_family",
    "direction_kernel",
    "direction_moments",
    "direction_monte_carlo",
    "exponential",
    "integral_curve",
    "inverse",
    "left_invariant_fields",
    "logarithm",
    "plant",
    "reverse",
    "sample",
    "symmetrise",
    "without_polarity",
]
