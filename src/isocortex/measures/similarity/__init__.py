"""Similarity of representations: linear CKA, Procrustes, RDMs and their comparison."""

from isocortex.measures.grams import gram
from isocortex.measures.similarity.cka import cka_matrix, linear_cka, procrustes
from isocortex.measures.similarity.compare import METHODS, compare_rdms
from isocortex.measures.similarity.nulls import (
    CKAIntervals,
    cka_intervals,
    permuted_cka,
    permuted_rsa,
)
from isocortex.measures.similarity.rdms import METRICS, condensed, noise_precision, rdm, square
from isocortex.measures.similarity.rsa import RSA, NoiseCeiling, bootstrap_rsa, noise_ceiling

__all__ = [
    "METHODS",
    "METRICS",
    "RSA",
    "CKAIntervals",
    "NoiseCeiling",
    "bootstrap_rsa",
    "cka_intervals",
    "cka_matrix",
    "compare_rdms",
    "condensed",
    "gram",
    "linear_cka",
    "noise_ceiling",
    "noise_precision",
    "permuted_cka",
    "permuted_rsa",
    "procrustes",
    "rdm",
    "square",
]
