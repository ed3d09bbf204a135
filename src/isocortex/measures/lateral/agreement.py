"""Which model a lateral kernel agrees with, on targets that the model was not fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError
from isocortex.measures.correlation import pearson
from isocortex.measures.lateral.group import (
    orientation_weights,
    smoothing_width,
    target_kernels,
)
from isocortex.measures.lateral.kernels import (
    checked,
    chosen_positions,
    displacements,
)

_NOTHING = 1e-20


@dataclass(frozen=True)
class ModelAgreement:
    """How well one model predicts the kernel of targets that it was not fitted to.

    Attributes
    ----------
    r2 : numpy.ndarray, shape (n_splits,)
        Held-out R^2 of the centred kernel; 0 is what no model at all gives, negative is worse.
    parameter : numpy.ndarray of int, shape (n_splits,)
        Number of the candidate that fitted the other half best.
    pearson : float
        Raw r over the disc, without centring, of the candidate chosen most often: a side figure,
        because any two kernels that decay with distance correlate.
    """

    r2: np.ndarray
    parameter: np.ndarray
    pearson: float


@dataclass(frozen=True)
class Agreement:
    """Agreement with each model, and with the other half of the kernel itself.

    Attributes
    ----------
    models : dict of ModelAgreement
        By name.
    split_half : numpy.ndarray, shape (n_splits,)
        Held-out R^2 when the kernel of the other half is itself the prediction, the yardstick for
        all models. It is negative where halves have nothing in common but noise.
    """

    models: dict[str, ModelAgreement]
    split_half: np.ndarray


def baseline_kernels(theta: Array, side: int, width: float | None = None) -> dict[str, Array]:
    """Kernels that know no position: like orientations everywhere, and nothing at all.

    Parameters
    ----------
    theta : array, shape (n,)
        Contour orientations in degrees.
    side : int
        Odd.
    width : float, optional
        Of the preference for like orientation, in degrees; `smoothing_width` if not given.

    Returns
    -------
    dict of array, shape (n, n, side, side)
        ``"parallel"`` and ``"isotropic"``.
    """
    displacements(side)
    angles = to_torch(theta).double()
    sd = smoothing_width(len(angles)) if width is None else width
    alike = orientation_weights(angles[None, :] - angles[:, None], sd, 180.0)
    shape = (len(angles), len(angles), side, side)
    return {
        "parallel": like(alike[..., None, None].expand(shape).clone(), theta),
        "isotropic": like(torch.ones(shape, dtype=angles.dtype, device=angles.device), theta),
    }


def centre_rings(kappa: Array, positions: Array | None = None) -> Array:
    """Take the mean over polar angle out of every ring, for each relative orientation.

    A ring holds the displacements whose length rounds to the same integer. What is left says how
    strength and preferred orientation depend on direction; that like orientations are frequent or
    near units strong says nothing any more.

    Parameters
    ----------
    kappa : array, shape (..., side, side)
    positions : array of bool, shape (side, side), optional
        Displacements to look at (`kernels.positions`); the disc if not given.

    Returns
    -------
    array, same shape
        0 at all other displacements, and at the centre.

    Raises
    ------
    UserError
        If the mask does not fit, or leaves nothing.
    """
    k = to_torch(kappa)
    side = k.shape[-1]
    ring = _rings(side, positions, k.device)
    inside = ring.flatten() >= 0
    flat = k.flatten(start_dim=-2)
    out = torch.zeros_like(flat)
    out[..., inside] = flat[..., inside] @ _centring(ring, k.dtype)
    return like(out.reshape(k.shape), kappa)


def _rings(side: int, mask: Array | None, device: torch.device) -> Tensor:
    """Return the ring of each displacement, (side, side); -1 where it is not looked at."""
    x, y = displacements(side)
    radius = torch.from_numpy(np.floor(np.hypot(x, y) + 0.5)).long().to(device)
    chosen = chosen_positions(mask, side, device)
    if not bool(chosen.any()):
        raise UserError("no displacement is left; choose others, or a larger kernel")
    return torch.where(chosen, radius, -1)


def _centring(ring: Tensor, dtype: torch.dtype) -> Tensor:
    """Projection off the ring means, over the displacements of the disc."""
    number = ring[ring >= 0]
    same = (number[:, None] == number).to(dtype)
    return torch.eye(len(number), dtype=dtype, device=ring.device) - same / same.sum(dim=0)


def compare_models(
    kernel: Array,
    theta: Array,
    models: Mapping[str, Iterable[Array]],
    *,
    pairs: Array | None = None,
    positions: Array | None = None,
    n_splits: int = 20,
    n_alpha: int = 36,
    smoothing: float | None = None,
    polarity: bool = False,
    seed: int = 0,
) -> Agreement:
    """Fit models to half of the targets and predict the other half, after centring over angle.

    Models are lateral kernels of the same units (`se2.plant`, `filter_overlap` cropped to the side,
    `baseline_kernels`); they and the kernel go through the same average in group coordinates, over
    the same targets, and are centred (`centre_rings`). On one half of the targets a scale of 0 or
    above is fitted for every ring and the best candidate is chosen; on the other half
    ``R^2 = 1 - sum (kappa - s kappa_model)^2 / sum kappa^2``. Every split gives both halves once;
    R^2 is their mean, and the candidate that of the first.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        As a rule ``rectify(retain(...).kernel)``.
    theta : array, shape (n,)
        Contour orientations in degrees.
    models : mapping of name to iterable of array, each (n, n, side, side)
        Candidates of each model, e.g. one for each sigma; they are looked at one by one.
    pairs, n_alpha, smoothing, polarity
        As in `group_kernel`.
    positions : array of bool, shape (side, side), optional
        Displacements to compare, e.g. those beyond the overlap of the filters; the disc if not
        given.
    n_splits : int
        Random splits into halves.
    seed : int
        Seed of the splits.

    Returns
    -------
    Agreement
        R^2 is NaN where the held-out kernel is 0 after centring.

    Raises
    ------
    UserError
        For shapes that do not fit, fewer than four units, no displacements, or a model without
        candidates.
    """
    k, angles = checked(kernel, theta)
    n, side = len(k), k.shape[-1]
    if n < 4 or n_splits < 1:
        raise UserError(f"{n} units in {n_splits} splits: use 4 units and 1 split or more")
    halves = _halves(n, n_splits, seed).to(k.device)
    ring = _rings(side, positions, k.device)
    inside = ring.flatten() >= 0
    centring = _centring(ring, k.dtype)
    number = ring[ring >= 0]
    member = (number == torch.arange(int(number.max()) + 1, device=k.device)[:, None]).to(k.dtype)

    def averaged(one: Tensor) -> tuple[Tensor, Tensor]:
        """Return centred halves (2, splits, alpha, q), and the raw average of all targets."""
        target = target_kernels(
            one, angles, pairs=pairs, n_alpha=n_alpha, smoothing=smoothing, polarity=polarity
        )
        sums = to_torch(target.numerator).flatten(start_dim=2)[..., inside]
        weight = to_torch(target.weight)
        tops = torch.einsum("hsf,faq->hsaq", halves, sums)
        bottoms = torch.einsum("hsf,fa->hsa", halves, weight)
        raw = sums.sum(dim=0) / weight.sum(dim=0)[:, None]
        return (tops / bottoms[..., None]) @ centring, raw

    data, raw_data = averaged(k)
    power = (data**2).sum(dim=(-2, -1))
    power = torch.where(power > _NOTHING * float((raw_data**2).sum()), power, torch.nan)
    found = {}
    for name, candidates in models.items():
        train, test, raws = [], [], []
        for candidate in candidates:
            if tuple(candidate.shape) != tuple(k.shape):
                raise UserError(
                    f"model {name!r} has shape {tuple(candidate.shape)}, not {tuple(k.shape)} as "
                    "the kernel has"
                )
            model, raw = averaged(to_torch(candidate).to(k))
            floor = _NOTHING * float((raw**2).sum()) + torch.finfo(k.dtype).tiny
            scale = _ring_scale(data, model, member, floor)
            train.append(((data - scale * model) ** 2).sum(dim=(-2, -1)))
            other = ((data.flip(0) - scale * model.flip(0)) ** 2).sum(dim=(-2, -1))
            test.append(1 - other / power.flip(0))
            raws.append(raw)
        if not train:
            raise UserError(f"model {name!r} has no candidate kernel")
        best = torch.stack(train).argmin(dim=0)  # (2, splits)
        r2 = torch.stack(test).gather(0, best[None])[0].mean(dim=0)
        chosen = int(torch.bincount(best.flatten()).argmax())
        found[name] = ModelAgreement(
            r2.cpu().numpy(),
            best[0].cpu().numpy(),
            float(pearson(raw_data.flatten(), raws[chosen].flatten())),
        )
    itself = 1 - ((data - data.flip(0)) ** 2).sum(dim=(-2, -1)) / power
    return Agreement(found, itself.mean(dim=0).cpu().numpy())


def _halves(n: int, n_splits: int, seed: int) -> Tensor:
    """Masks of both halves of each split, (2, n_splits, n); an odd one out is in the second."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(n), (n_splits, 1)), axis=1)
    first = torch.from_numpy(order < n // 2).double()
    return torch.stack([first, 1 - first])


def _ring_scale(data: Tensor, model: Tensor, member: Tensor, floor: float) -> Tensor:
    """Least-squares scale of 0 or above for every ring, spread over displacements (..., 1, q)."""
    product = (data * model).sum(dim=-2) @ member.T
    power = (model**2).sum(dim=-2) @ member.T
    scale = torch.where(power > floor, product / power.clamp(min=floor), 0.0).clamp(min=0)
    return (scale @ member)[..., None, :]
