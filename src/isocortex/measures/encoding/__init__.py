"""Encoding models: recorded responses predicted from features of the stimuli, and scored."""

from isocortex.measures.encoding.banded import banded_ridge_cv
from isocortex.measures.encoding.brainscore import BrainScore, brain_score, internal_consistency
from isocortex.measures.encoding.folds import as_folds, group_k_fold, k_fold, stratified_shuffle
from isocortex.measures.encoding.layers import LayerChoice, best_layer
from isocortex.measures.encoding.ols import ols_cv
from isocortex.measures.encoding.partition import Partition, variance_partition
from isocortex.measures.encoding.pls import pls_cv, pls_path
from isocortex.measures.encoding.resampling import (
    combined_interval,
    difference_interval,
    score_interval,
)
from isocortex.measures.encoding.result import Encoding
from isocortex.measures.encoding.ridge import ridge_cv, ridge_path
from isocortex.measures.encoding.scores import (
    AGGREGATIONS,
    NORMALISATIONS,
    SCORES,
    aggregate,
    feve,
    normalise,
    pearson_r,
    r2,
    variance_parts,
)
from isocortex.measures.encoding.validated import Validated, validated_ridge, validation_parts

__all__ = [
    "AGGREGATIONS",
    "NORMALISATIONS",
    "SCORES",
    "BrainScore",
    "Encoding",
    "LayerChoice",
    "Partition",
    "Validated",
    "aggregate",
    "as_folds",
    "banded_ridge_cv",
    "best_layer",
    "brain_score",
    "combined_interval",
    "difference_interval",
    "feve",
    "group_k_fold",
    "internal_consistency",
    "k_fold",
    "normalise",
    "ols_cv",
    "pearson_r",
    "pls_cv",
    "pls_path",
    "r2",
    "ridge_cv",
    "ridge_path",
    "score_interval",
    "stratified_shuffle",
    "validated_ridge",
    "validation_parts",
    "variance_partition",
    "variance_parts",
]
