"""Lateral kernels as arrays: displacements, signs, normalisation, pairs of units.

A kernel K[f, g, a, b] is the influence on unit f at p of unit g at p + D, with the displacement
**D = source - target**, x to the right (columns) and y *up* (against the rows): for an odd side
and c = (side - 1) / 2, ``Dx = b - c`` and ``Dy = c - a``. This is what `Conv2d.weight` does when it
cross-correlates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError, unknown

SIGNS: dict[str, Callable[[Tensor], Tensor]] = {
    "positive": lambda k: k.clamp(min=0.0),
    "absolute": torch.abs,
    "signed": lambda k: k,
}
"""What of a kernel is looked at: ``max(K, 0)`` (the default everywhere), ``|K|`` or K itself."""

FEWEST_UNITS = 3


def displacements(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Displacement D = source - target at each entry of a kernel.

    Parameters
    ----------
    side : int
        Odd.

    Returns
    -------
    x, y : numpy.ndarray, shape (side, side)
        In pixels of the map, y up.

    Raises
    ------
    UserError
        If the side is even: a displacement of 0 would have no entry.
    """
    if side < 1 or side % 2 == 0:
        raise UserError(f"a lateral kernel needs an odd side, not {side}; pad or crop it")
    c = (side - 1) // 2
    step = np.arange(side, dtype=np.float64)
    x, y = np.meshgrid(step - c, c - step)
    return x, y


def positions(
    side: int, *, r_min: float = 0.0, r_max: float | None = None, beyond: float | None = None
) -> np.ndarray:
    """Choose displacements by their length, always within the disc inscribed in the kernel.

    Parameters
    ----------
    side : int
        Odd side of the kernel; the disc is ``|D| <= (side - 1) / 2``.
    r_min, r_max : float
        Keep ``r_min <= |D| <= r_max``, in pixels.
    beyond : float, optional
        Keep only ``|D| > beyond``, e.g. the radius of the filters' overlap (`overlap_radius`).

    Returns
    -------
    numpy.ndarray of bool, shape (side, side)
    """
    x, y = displacements(side)
    radius = np.hypot(x, y)
    limit = (side - 1) / 2 if r_max is None else min(r_max, (side - 1) / 2)
    keep = (radius >= r_min) & (radius <= limit + 1e-9)
    return keep if beyond is None else keep & (radius > beyond + 1e-9)


def rectify(kernel: Array, sign: str = "positive") -> Array:
    """Return ``max(K, 0)``, ``|K|`` or K itself, by a name of `SIGNS`.

    Raises
    ------
    UserError
        For an unknown name.
    """
    if sign not in SIGNS:
        raise unknown("sign", sign, SIGNS)
    return like(SIGNS[sign](to_torch(kernel)), kernel)


def efferent(kernel: Array) -> Array:
    """See a kernel from its sources: ``E[g, f, d] = K[f, g, -d]``, what g at 0 does to f at d.

    Parameters
    ----------
    kernel : array, shape (..., n, n, side, side)

    Returns
    -------
    array, same shape
        Applied twice it is the identity.
    """
    return like(to_torch(kernel).transpose(-4, -3).flip((-2, -1)), kernel)


def crop(kernel: Array, side: int) -> Array:
    """Cut the central ``side x side`` displacements out of a larger kernel.

    Raises
    ------
    UserError
        If the kernel is smaller, or a side is even.
    """
    displacements(side)
    displacements(kernel.shape[-1])
    edge = (kernel.shape[-1] - side) // 2
    if edge < 0:
        raise UserError(f"a kernel of side {kernel.shape[-1]} cannot be cropped to side {side}")
    return kernel[..., edge : edge + side, edge : edge + side]


@dataclass(frozen=True)
class RetainedKernel:
    """A kernel among retained units, ready for the analyses.

    Attributes
    ----------
    kernel : array, shape (n, n, side, side)
        Signed, without self pairs; ``sum |K[f]| = 1`` over sources and the disc.
    theta : array, shape (n,)
        Contour orientations in degrees.
    units : numpy.ndarray of int, shape (n,)
        Their numbers among all units.
    n_dropped : int
        Retained units that were left out because nothing reaches them.
    """

    kernel: Array
    theta: Array
    units: np.ndarray
    n_dropped: int


def retain(kernel: Array, theta: Array, units: Array | None = None) -> RetainedKernel:
    """Cut a kernel down to retained units and give every target the same total input.

    Self pairs (f, f) become 0, then K[f] is divided by the sum of |K[f, g, D]| over the sources
    that are left and ``|D| <= (side - 1) / 2``. Corners stay, for interpolation alone.

    Parameters
    ----------
    kernel : array, shape (n, n, side, side)
        Signed lateral kernel.
    theta : array, shape (n,)
        Contour orientation of each unit in degrees; those that are not retained may be NaN.
    units : array of int or bool, shape (m,) or (n,), optional
        Units to retain (those with a Gabor that fits); all if not given.

    Returns
    -------
    RetainedKernel
        Units whose input is 0 are dropped and counted.

    Raises
    ------
    UserError
        For shapes that do not fit, NaN, or fewer than three units left.
    """
    whole, orientations = _shaped(kernel, theta)
    chosen = torch.arange(len(whole), device=whole.device)
    if units is not None:
        chosen = chosen[torch.as_tensor(np.array(units), device=whole.device)]
    k, angles = checked(whole[chosen][:, chosen], orientations[chosen])
    n_wanted = len(chosen)
    disc = torch.from_numpy(positions(k.shape[-1])).to(k.device)
    while True:  # a target may have had its only sources among those dropped
        cut = k * chosen_pairs(None, len(k), k.device)[..., None, None]
        total = (cut.abs() * disc).sum(dim=(1, 2, 3))
        reached = total > 0
        if bool(reached.all()):
            break
        k, angles, chosen = k[reached][:, reached], angles[reached], chosen[reached]
    if len(chosen) < FEWEST_UNITS:
        raise UserError(
            f"{len(chosen)} of {n_wanted} units have lateral input; at least {FEWEST_UNITS} are "
            "needed to speak of relative orientation"
        )
    return RetainedKernel(
        like(cut / total[:, None, None, None], kernel),
        like(angles, theta),
        chosen.cpu().numpy(),
        n_wanted - len(chosen),
    )


def pairs_by_parity(phase: Array) -> dict[str, np.ndarray]:
    """Masks of pairs (target, source) by the parity of their filters.

    A filter is odd if ``|sin(phase)| > |cos(phase)|``.

    Parameters
    ----------
    phase : array, shape (n,)
        Phase of the Gabor at its centre, in degrees.

    Returns
    -------
    dict of numpy.ndarray of bool, shape (n, n)
        ``"even-even"``, ``"odd-odd"``, ``"mixed"``; without self pairs.
    """
    radians = np.deg2rad(to_torch(phase).double().cpu().numpy())
    odd = np.abs(np.sin(radians)) > np.abs(np.cos(radians))
    apart = ~np.eye(len(odd), dtype=bool)
    return {
        "even-even": ~odd[:, None] & ~odd & apart,
        "odd-odd": odd[:, None] & odd & apart,
        "mixed": (odd[:, None] != odd) & apart,
    }


def _shaped(kernel: Array, theta: Array) -> tuple[Tensor, Tensor]:
    k, angles = to_torch(kernel).double(), to_torch(theta).double()
    if k.ndim != 4 or k.shape[0] != k.shape[1] or k.shape[2] != k.shape[3]:
        raise UserError(f"a lateral kernel is (n, n, side, side), not {tuple(k.shape)}")
    displacements(k.shape[-1])
    if tuple(angles.shape) != (len(k),):
        raise UserError(f"{len(k)} units need {len(k)} orientations, not {tuple(angles.shape)}")
    return k, angles.to(k.device)


def checked(kernel: Array, theta: Array) -> tuple[Tensor, Tensor]:
    """Return the kernel and orientations in float64, or say what is wrong with them."""
    k, angles = _shaped(kernel, theta)
    for name, values in (("kernel", k), ("orientations", angles)):
        if not bool(torch.isfinite(values).all()):
            raise UserError(f"the {name} hold NaN or infinity; leave those units out (`units=`)")
    return k, angles


def chosen_pairs(pairs: Array | None, n: int, device: torch.device) -> Tensor:
    """Return the mask of pairs (target, source) as float64; all but self pairs if not given."""
    apart = ~torch.eye(n, dtype=torch.bool, device=device)
    if pairs is None:
        return apart.double()
    mask = to_torch(pairs).to(device) > 0
    if tuple(mask.shape) != (n, n):
        raise UserError(f"pairs must be a mask of shape ({n}, {n}), not {tuple(mask.shape)}")
    return (mask & apart).double()


def chosen_positions(mask: Array | None, side: int, device: torch.device) -> Tensor:
    """Return the mask of displacements as bool, within the disc; the whole disc if not given."""
    disc = torch.from_numpy(positions(side)).to(device)
    if mask is None:
        return disc
    wanted = to_torch(mask).to(device) > 0
    if tuple(wanted.shape) != (side, side):
        raise UserError(f"positions must be a mask of shape ({side}, {side})")
    return wanted & disc
