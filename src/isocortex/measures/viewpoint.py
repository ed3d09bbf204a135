"""Viewpoint tuning: dissimilarity of views, mirror-symmetric viewpoint tuning and its relatives.

Definitions follow Farzmahdi, Zarco, Freiwald, Kriegeskorte & Golan, eLife 13:e90256 (2024). Views
are ordered by yaw with the frontal view in the middle, so that view j mirrors view n + 1 - j. All
functions are batched over leading axes and return the kind, dtype and device of their input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import defined_norm, pearson
from isocortex.measures.view_null import view_pairings, view_permutation_null
from isocortex.measures.view_templates import (
    TEMPLATES,
    TemplateFit,
    ideal_templates,
    template_fit,
)
from isocortex.measures.views import (
    VARIANTS,
    Variant,
    check_variant,
    correct_baseline,
    count_views,
    equidistant_baseline,
    mirrored_entries,
    same_views,
    view_pairs,
)

__all__ = [
    "TEMPLATES",
    "VARIANTS",
    "IndexSummary",
    "TemplateFit",
    "Variant",
    "crossvalidated_view_rdm",
    "equidistant_baseline",
    "ideal_templates",
    "mean_distance",
    "mirror_contrast",
    "mirror_symmetry_index",
    "same_views",
    "summarise",
    "template_fit",
    "view_invariance",
    "view_pairings",
    "view_permutation_null",
    "view_rdm",
    "view_tuning",
]

_CHUNK_BYTES = 2**23


def view_rdm(responses: Array) -> Array:
    """Dissimilarity of the views of one object: ``D[j, k] = 1 - Pearson r`` over neuroids.

    Parameters
    ----------
    responses : array, shape (..., views, neuroids)
        Responses, as a rule z-scored per neuroid over the stimulus set (`symmetry.zscore`) with
        the undefined neuroids left out.

    Returns
    -------
    array, shape (..., views, views)
        In [0, 2]; the diagonal is exactly 0. Rows and columns of a view whose response vector is
        constant or holds NaN are NaN.

    Raises
    ------
    UserError
        If there are fewer than two axes, or no neuroids.
    """
    return _view_distances(responses, responses)


def crossvalidated_view_rdm(a: Array, b: Array) -> Array:
    """Dissimilarity of views across two independent measurements of the same responses.

    ``D[j, k] = 1 - (r(a_j, b_k) + r(b_j, a_k)) / 2``: noise that the halves do not share cancels,
    and the diagonal is not 0 but the unreliability of the view. Its index is on another scale
    than that of `view_rdm`; do not compare the two.

    Parameters
    ----------
    a, b : array, shape (..., views, neuroids)
        Two halves of the trials, z-scored each by itself.

    Returns
    -------
    array, shape (..., views, views)
        NaN rows and columns as in `view_rdm`.

    Raises
    ------
    UserError
        If the shapes differ, there are fewer than two axes, or no neuroids.
    """
    if tuple(a.shape) != tuple(b.shape):
        raise UserError(f"the halves must have one shape, not {tuple(a.shape)}, {tuple(b.shape)}")
    return _view_distances(a, b)


def _view_distances(a: Array, b: Array) -> Array:
    """Correlate views of `a` with views of `b`, a few objects at a time, in one small buffer."""
    if a.ndim < 2 or a.shape[-1] == 0:
        raise UserError(
            f"responses must be (..., views, neuroids) with neuroids, not {tuple(a.shape)}"
        )
    *lead, views, neuroids = a.shape
    flat_a, flat_b = a.reshape(-1, views, neuroids), b.reshape(-1, views, neuroids)
    step = max(1, _CHUNK_BYTES // (8 * views * neuroids))
    distances = []
    centre_a, centre_b = _Centred(), _Centred()
    for start in range(0, max(1, len(flat_a)), step):
        u, norm_u = centre_a(to_torch(flat_a[start : start + step]))
        if a is b:
            v, norm_v = u, norm_u
        else:
            v, norm_v = centre_b(to_torch(flat_b[start : start + step]))
        r = (u @ v.mT).div_(norm_u).div_(norm_v.mT)
        distances.append((1.0 - (r + r.mT).div_(2)).clamp_(0.0, 2.0))
    result = torch.cat(distances)
    if a is b:
        result.diagonal(dim1=-2, dim2=-1).mul_(0.0)  # keeps NaN, removes rounding
    return like(result.reshape(*lead, views, views), a)


class _Centred:
    """Centres chunks of one size into the same memory, which is slow to get afresh."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centred vectors and their norms, NaN where constant."""
        if self._memory is None:
            self._memory = torch.empty_like(x, memory_format=torch.contiguous_format)
        mean = x.mean(dim=-1, keepdim=True)
        centred = torch.sub(x, mean, out=self._memory[: len(x)])
        return centred, defined_norm(centred, mean)


def mirror_symmetry_index(rdm: Array | Sequence[Array], variant: Variant = "exact") -> Array:
    """Mirror-symmetric viewpoint tuning index: correlation of an RDM with its mirror image.

    ``H[j, k] = D[j, n + 1 - k]``; column ``(n + 1) / 2`` of D and of H is dropped, all rows and
    both diagonals stay; the index is Pearson's r of the ``n (n - 1)`` pairs of entries. Equidistant
    views give ``-1 / (n - 1)`` (`equidistant_baseline`), perfect mirror symmetry gives 1.

    Parameters
    ----------
    rdm : array, shape (..., n, n), or a sequence of arrays (n, n)
        Symmetric RDMs over n views in order of yaw; n odd. A sequence is stacked.
    variant : {"exact", "no_diagonals", "corrected"}
        ``no_diagonals`` also leaves out the diagonal and the anti-diagonal, that is, the zeros and
        the mirror pairs themselves; ``corrected`` is ``(exact + 1/(n-1)) / (1 + 1/(n-1))``, 0 for
        equidistant views and 1 for perfect symmetry.

    Returns
    -------
    array, shape (...)
        NaN where the entries compared are constant or hold NaN; count them with `summarise`.

    Raises
    ------
    UserError
        For an even n or n < 3, an RDM that is not square, RDMs of different n, an unknown variant.
    """
    check_variant(variant)
    if isinstance(rdm, list | tuple):
        same_views(*rdm)
        stacked = torch.stack([to_torch(d) for d in rdm])
        return like(to_torch(mirror_symmetry_index(stacked, variant)), rdm[0])
    n = count_views(rdm)
    entries = to_torch(rdm).double().flatten(start_dim=-2)
    left, right = mirrored_entries(n, variant != "no_diagonals", entries.device)
    index = pearson(entries[..., left], entries[..., right])
    if variant == "corrected":
        index = correct_baseline(index, n)
    return like(index, rdm)


@dataclass(frozen=True)
class IndexSummary:
    """An index over exemplars: mean and median of the defined ones, and how many were not.

    ``baseline`` is the value of equidistant views, NaN if the number of views was not given.
    """

    mean: float
    median: float
    n: int
    n_undefined: int
    n_views: int | None
    baseline: float


def summarise(index: Array, n_views: int | None = None) -> IndexSummary:
    """Summarise an index over all its entries; undefined ones are counted, not hidden.

    Parameters
    ----------
    index : array, any shape
        As `mirror_symmetry_index` returns it.
    n_views : int, optional
        Number of views, for the baseline.

    Returns
    -------
    IndexSummary
        Mean and median are NaN if no entry is defined.
    """
    values = to_torch(index).double().flatten()
    defined = values[~values.isnan()]
    return IndexSummary(
        mean=float(defined.mean()),
        median=float(defined.quantile(0.5)) if len(defined) else float("nan"),
        n=len(defined),
        n_undefined=len(values) - len(defined),
        n_views=n_views,
        baseline=float("nan") if n_views is None else equidistant_baseline(n_views),
    )


def mean_distance(rdm: Array) -> Array:
    """Mean of D over the ``n (n - 1) / 2`` pairs of different views.

    Parameters
    ----------
    rdm : array, shape (..., n, n)
        RDMs over views, n odd.

    Returns
    -------
    array, shape (...)
        NaN where an entry is.
    """
    upper, _ = view_pairs(count_views(rdm))
    return _reduce(rdm, lambda d: d[..., upper].mean(dim=-1))


def view_invariance(rdm: Array) -> Array:
    """Mean correlation of different views, ``1 - mean_distance(rdm)``: 1 if the view is ignored."""
    return 1 - mean_distance(rdm)


def mirror_contrast(rdm: Array) -> Array:
    """Mean D of the other pairs of views minus mean D of the mirror pairs.

    Parameters
    ----------
    rdm : array, shape (..., n, n)
        RDMs over views, n odd. There are ``(n - 1) / 2`` mirror pairs (j, n + 1 - j) and
        ``(n - 1)**2 / 2`` others.

    Returns
    -------
    array, shape (...)
        In units of D; 0 for equidistant views, positive where mirrored views are alike.
    """
    upper, mirrored = view_pairs(count_views(rdm))

    def contrast(d: Tensor) -> Tensor:
        return d[..., upper[~mirrored]].mean(dim=-1) - d[..., upper[mirrored]].mean(dim=-1)

    return _reduce(rdm, contrast)


def _reduce(rdm: Array, function: Callable[[Tensor], Tensor]) -> Array:
    return like(function(to_torch(rdm).double().flatten(start_dim=-2)), rdm)


def view_tuning(responses: Array) -> Array:
    """Magnitude of view tuning per neuroid: share of its variance that the view explains.

    ``eta^2 = SS_view / SS_total``, with SS_view the variance of the mean over exemplars; it says
    how much view tuning there is, where the index says only which form it has.

    Parameters
    ----------
    responses : array, shape (..., exemplars, views, neuroids)
        Responses to all views of all exemplars.

    Returns
    -------
    array, shape (..., neuroids)
        In [0, 1]; NaN for neuroids without variance.

    Raises
    ------
    UserError
        If there are fewer than three axes.
    """
    if responses.ndim < 3:
        raise UserError(
            f"responses must be (..., exemplars, views, neuroids), not {tuple(responses.shape)}"
        )
    x = to_torch(responses).double()
    total = x.flatten(start_dim=-3, end_dim=-2).var(dim=-2, correction=0)
    floor = (8 * torch.finfo(x.dtype).eps * x.mean(dim=(-3, -2))) ** 2
    explained = x.mean(dim=-3).var(dim=-2, correction=0)
    return like(explained / torch.where(total > floor, total, torch.nan), responses)
