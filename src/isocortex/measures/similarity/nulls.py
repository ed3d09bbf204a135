"""What similarity is where presentations do not correspond, and how sure it is where they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.grams import epsilon, stacked_grams, unit_grams
from isocortex.measures.similarity.cka import check_presentations, cka_matrix
from isocortex.measures.similarity.compare import METHODS
from isocortex.measures.similarity.rsa import UNITS, checked_models, checked_subjects, comparable

_CHUNK_BYTES = 2**27


@dataclass(frozen=True)
class CKAIntervals:
    """Linear CKA of all pairs of layers with intervals over presentations.

    Attributes
    ----------
    estimate, low, high : array, shape (layers of a, layers of b)
        NaN where a layer does not vary.
    level : float
        Coverage that the bounds aim at.
    n_groups : int
        Groups of presentations that were left out in turn.
    """

    estimate: Array
    low: Array
    high: Array
    level: float
    n_groups: int


def permuted_rsa(
    models: Array,
    subjects: Array,
    method: str = "spearman",
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    vectors: bool = False,
) -> Array:
    """Scores of models whose stimuli are exchanged: the null of `bootstrap_rsa`'s scores.

    The stimuli of the models' RDMs are permuted, rows and columns together; all models and
    subjects see the same permutations.

    Parameters
    ----------
    models, subjects, method, vectors
        As `bootstrap_rsa` takes them.
    n_permutations : int
        Uniform draws; the identity may be among them.
    seed : int
        Seed of the draws.

    Returns
    -------
    array, shape (n_permutations, models)
        Mean over subjects, in the kind and precision of `subjects`.

    Raises
    ------
    UserError
        As `bootstrap_rsa`.
    """
    _check_count("n_permutations", n_permutations, 1)
    data = checked_subjects(subjects, method, vectors)
    predicted = checked_models(models, data, vectors)
    m = data.shape[1]
    n = round((1 + (1 + 8 * m) ** 0.5) / 2)
    whole = data.new_ones(1, m)
    a, b = (comparable(method, x, whole) for x in (predicted, data))
    by_units = method in UNITS and method != "whitened_cosine"
    if by_units:  # as a dot product, which a permutation of one side leaves one
        a, b = UNITS[method](a, whole), UNITS[method](b, whole).mean(dim=0)
    places = torch.zeros(n, n, dtype=torch.int64, device=data.device)
    j, k = torch.triu_indices(n, n, 1, device=data.device)
    places[j, k] = places[k, j] = torch.arange(m, device=data.device)
    rows = len(a) * (1 if by_units else len(b))
    scores = []
    for orders in _permutations(n, n_permutations, seed, 8 * m * rows, data.device):
        moved = a[:, places[orders[:, j], orders[:, k]]]
        if by_units:
            scores.append((moved @ b).T)
        else:
            agreement = METHODS[method](moved[:, :, None], b, whole[0])
            scores.append(agreement.mean(dim=-1).T)
    return like(torch.cat(scores), subjects)


def permuted_cka(
    grams_a: Array | Sequence[Array],
    grams_b: Array | Sequence[Array],
    *,
    debiased: bool = True,
    n_permutations: int = 200,
    seed: int = 0,
) -> Array:
    """Linear CKA of all pairs of layers where the presentations of one network are exchanged.

    Parameters
    ----------
    grams_a, grams_b, debiased
        As `cka_matrix` takes them.
    n_permutations : int
        Uniform draws; all pairs of layers see the same.
    seed : int
        Seed of the draws.

    Returns
    -------
    array, shape (n_permutations, layers of a, layers of b)
        Around 0 if debiased; the bias that wide layers share if not. NaN where a layer does not
        vary.

    Raises
    ------
    UserError
        As `cka_matrix`.
    """
    _check_count("n_permutations", n_permutations, 1)
    template = grams_a[0] if isinstance(grams_a, list | tuple) else grams_a
    a, b = _unit_sides(grams_a, grams_b, debiased)
    n = a.shape[-1]
    swapped = len(b) > len(a)
    moving, still = (a, b) if swapped else (b, a)
    flat = still.flatten(start_dim=1)
    found = []
    for orders in _permutations(n, n_permutations, seed, 8 * n * n * len(moving), a.device):
        moved = moving[:, orders[:, :, None], orders[:, None, :]].flatten(start_dim=2)
        product = moved @ flat.T  # (moving layers, permutations, still layers)
        found.append(product.permute(1, 0, 2) if swapped else product.permute(1, 2, 0))
    return like(torch.cat(found).clamp_(-1.0, 1.0), template)


def cka_intervals(
    grams_a: Array | Sequence[Array],
    grams_b: Array | Sequence[Array],
    *,
    debiased: bool = True,
    n_groups: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> CKAIntervals:
    """Linear CKA of all pairs of layers with intervals over presentations.

    The delete-a-group jackknife: presentations are divided at random into G groups, and with
    ``c_g`` the CKA without group g and ``c`` that of all,
    ``se^2 = (G - 1) / G sum_g (c_g - mean c_g)^2``, ``c +- t(G - 1) se`` (Kott 2001). A bootstrap
    would repeat presentations, and a repeated one is alike in both networks, which raises CKA.

    Parameters
    ----------
    grams_a, grams_b, debiased
        As `cka_matrix` takes them.
    n_groups : int
        Groups; no more than presentations.
    level : float
        Coverage that the bounds aim at.
    seed : int
        Seed of the division.

    Returns
    -------
    CKAIntervals
        Bounds within [-1, 1].

    Raises
    ------
    UserError
        As `cka_matrix`; if there are fewer than two groups, or less presentations than groups, or
        too few are left.
    """
    if not 0 < level < 1:
        raise UserError(f"interval level {level} is not between 0 and 1; use 0.95 for 95 %")
    _check_count("n_groups", n_groups, 2)
    template = grams_a[0] if isinstance(grams_a, list | tuple) else grams_a
    k, l_ = (stacked_grams(side) for side in (grams_a, grams_b))
    estimate = to_torch(cka_matrix(grams_a, grams_b, debiased=debiased)).double()
    n = k.shape[-1]
    if n_groups > n:
        raise UserError(f"{n} presentations make no {n_groups} groups; ask for fewer")
    eps = (epsilon(grams_a), epsilon(grams_b))
    group = np.random.default_rng(seed).permutation(np.arange(n) % n_groups)
    without = []
    for left_out in range(n_groups):
        kept = torch.as_tensor(np.flatnonzero(group != left_out), device=k.device)
        check_presentations(len(kept), len(kept), debiased)
        x, y = (
            unit_grams(side[:, kept[:, None], kept], e, debiased)
            for side, e in zip((k, l_), eps, strict=True)
        )
        without.append(x @ y.mT)
    spread = torch.stack(without).var(dim=0, correction=0).sqrt() * (n_groups - 1) ** 0.5
    reach = spread * float(stats.t.ppf((1 + level) / 2, n_groups - 1))
    bounds = ((estimate - reach).clamp(-1.0, 1.0), (estimate + reach).clamp(-1.0, 1.0))
    low, high = (like(bound, template) for bound in bounds)
    return CKAIntervals(like(estimate, template), low, high, level, n_groups)


def _unit_sides(
    grams_a: Array | Sequence[Array], grams_b: Array | Sequence[Array], debiased: bool
) -> tuple[Tensor, Tensor]:
    """Return centred Grams of length 1, (layers, n, n) each."""
    k, l_ = (stacked_grams(side) for side in (grams_a, grams_b))
    if k.ndim != 3 or l_.ndim != 3:
        raise UserError("all layers of two networks are needed, Grams (layers, n, n) each")
    check_presentations(k.shape[-1], l_.shape[-1], debiased)
    for side, grams in ((k, grams_a), (l_, grams_b)):
        unit_grams(side, epsilon(grams), debiased)
    return k, l_


def _permutations(
    n: int, count: int, seed: int, bytes_each: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield permutations (some, n), as many at once as `bytes_each` allows."""
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_BYTES // bytes_each)
    for start in range(0, count, step):
        some = rng.permuted(np.tile(np.arange(n), (min(step, count - start), 1)), axis=1)
        yield torch.as_tensor(some, device=device)


def _check_count(name: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"{name} is {value}; it must be at least {least}")
