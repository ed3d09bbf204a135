"""Encoding models: recorded responses predicted from features of the stimuli, and scored."""

from isocortex.measures.encoding.folds import as_folds, group_k_fold, k_fold, stratified_shuffle
from isocortex.measures.encoding.pls import pls_cv, pls_path
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

__all__ = [
    "AGGREGATIONS",
    "NORMALISATIONS",
    "SCORES",
    "Encoding",
    "aggregate",
    "as_folds",
    "feve",
    "group_k_fold",
    "k_fold",
    "normalise",
    "pearson_r",
    "pls_cv",
    "pls_path",
    "r2",
    "ridge_cv",
    "ridge_path",
    "stratified_shuffle",
    "variance_parts",
]
