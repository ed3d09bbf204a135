"""The group of positions and orientations: law, exponential, fields, curves.

An element is ``(x, y, theta)``, y up, theta counter-clockwise in **radians** (the formulas of the
group are those of radians; `measures.lateral` speaks of degrees). An element of the algebra is
``(a, b, w)``: the coefficients of X1 (ahead), X3 (to the left) and X2 (turning), in the order of
the coordinates that they move at the identity.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.errors import UserError


def _elements(*arrays: Array) -> list[Tensor]:
    for a in arrays:
        if a.ndim < 1 or a.shape[-1] != 3:
            raise UserError(f"elements are (..., 3) = (x, y, theta), not {tuple(a.shape)}")
    return [to_torch(a) for a in arrays]


def wrap_radians(angle: Tensor) -> Tensor:
    """Bring an angle into ``(-pi, pi]``."""
    return math.pi - torch.remainder(math.pi - angle, 2 * math.pi)


def compose(g: Array, h: Array) -> Array:
    """Group law: ``(x, t)(x', t') = (x + R_t x', t + t')``.

    Parameters
    ----------
    g, h : array, shapes (..., 3) that broadcast
        Elements (x, y, theta).

    Returns
    -------
    array, shape (..., 3)
        theta is not wrapped.

    Raises
    ------
    UserError
        If the last axis is not 3.
    """
    a, b = _elements(g, h)
    cos, sin = a[..., 2].cos(), a[..., 2].sin()
    parts = (
        a[..., 0] + cos * b[..., 0] - sin * b[..., 1],
        a[..., 1] + sin * b[..., 0] + cos * b[..., 1],
        a[..., 2] + b[..., 2],
    )
    return like(torch.stack(torch.broadcast_tensors(*parts), dim=-1), g)


def inverse(g: Array) -> Array:
    """Inverse: ``(x, t)^-1 = (-R_-t x, -t)``.

    Parameters
    ----------
    g : array, shape (..., 3)

    Returns
    -------
    array, shape (..., 3)

    Raises
    ------
    UserError
        If the last axis is not 3.
    """
    (a,) = _elements(g)
    cos, sin = a[..., 2].cos(), a[..., 2].sin()
    parts = (
        -cos * a[..., 0] - sin * a[..., 1],
        sin * a[..., 0] - cos * a[..., 1],
        -a[..., 2],
    )
    return like(torch.stack(parts, dim=-1), g)


def _sine_ratio(w: Tensor) -> Tensor:
    """``sin(w) / w``, 1 at 0."""
    return torch.sinc(w / math.pi)


def _cosine_ratio(w: Tensor) -> Tensor:
    """``(1 - cos(w)) / w``, 0 at 0, without cancellation."""
    return torch.sin(w / 2) * _sine_ratio(w / 2)


def exponential(v: Array) -> Array:
    """Exponential: follow ``a X1 + b X3 + w X2`` from the identity for a time of 1.

    ``x = a sin(w)/w - b (1 - cos w)/w, y = a (1 - cos w)/w + b sin(w)/w, theta = w``.

    Parameters
    ----------
    v : array, shape (..., 3)
        (a, b, w).

    Returns
    -------
    array, shape (..., 3)
        (x, y, theta), theta not wrapped.

    Raises
    ------
    UserError
        If the last axis is not 3.
    """
    (u,) = _elements(v)
    a, b, w = u.unbind(dim=-1)
    s, c = _sine_ratio(w), _cosine_ratio(w)
    return like(torch.stack([a * s - b * c, a * c + b * s, w], dim=-1), v)


def logarithm(g: Array) -> Array:
    """Logarithm: the element of the algebra whose exponential is g, with |w| at most pi.

    ``a = x h + y w/2, b = -x w/2 + y h, h = (w/2) cot(w/2)``, w the wrapped theta.

    Parameters
    ----------
    g : array, shape (..., 3)

    Returns
    -------
    array, shape (..., 3)
        (a, b, w) with w in (-pi, pi].

    Raises
    ------
    UserError
        If the last axis is not 3.
    """
    (e,) = _elements(g)
    x, y = e[..., 0], e[..., 1]
    w = wrap_radians(e[..., 2])
    h = torch.cos(w / 2) / _sine_ratio(w / 2)
    return like(torch.stack([x * h + y * w / 2, -x * w / 2 + y * h, w], dim=-1), g)


def left_invariant_fields(g: Array) -> Array:
    """Left-invariant fields X1 (ahead), X2 (turning), X3 (to the left) at g.

    ``X1 = cos t d_x + sin t d_y, X2 = d_t, X3 = -sin t d_x + cos t d_y``; their brackets are
    ``[X1, X2] = -X3, [X2, X3] = -X1, [X1, X3] = 0``.

    Parameters
    ----------
    g : array, shape (..., 3)

    Returns
    -------
    array, shape (..., 3, 3)
        Field by component (x, y, theta).

    Raises
    ------
    UserError
        If the last axis is not 3.
    """
    (e,) = _elements(g)
    cos, sin = e[..., 2].cos(), e[..., 2].sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [(cos, sin, zero), (zero, zero, one), (-sin, cos, zero)]
    return like(torch.stack([torch.stack(r, dim=-1) for r in rows], dim=-2), g)


def integral_curve(curvature: Array, t: Array) -> Array:
    """Integral curve of ``X1 + k X2`` from the identity: a circle of curvature k.

    ``(sin(k t)/k, (1 - cos(k t))/k, k t)``; straight for k = 0.

    Parameters
    ----------
    curvature, t : array, shapes that broadcast
        k in rad a pixel, t (the length along the curve) in pixels.

    Returns
    -------
    array, shape (..., 3)
        theta not wrapped. Of the kind of `t`.
    """
    k, length = to_torch(curvature), to_torch(t)
    turn = k * length
    x, y = length * _sine_ratio(turn), length * _cosine_ratio(turn)
    return like(torch.stack(torch.broadcast_tensors(x, y, turn), dim=-1), t)


def cocircular_orientation(x: Array, y: Array) -> Array:
    """Orientation at (x, y) of the circle that leaves the origin along x: ``2 atan2(y, x)``.

    Parameters
    ----------
    x, y : array, shapes that broadcast

    Returns
    -------
    array
        In radians, in (-pi, pi]; 0 at the origin. Behind the origin it is the tangent seen when
        the circle is followed the other way round, the same modulo pi.
    """
    return like(wrap_radians(2 * torch.atan2(to_torch(y), to_torch(x))), x)


def cocircular_curvature(x: Array, y: Array) -> Array:
    """Curvature of the circle through (x, y) that leaves the origin along x: ``2 y / (x^2 + y^2)``.

    With polar coordinates ``2 sin(phi) / r``.

    Parameters
    ----------
    x, y : array, shapes that broadcast

    Returns
    -------
    array
        In rad a pixel; NaN at the origin.
    """
    a, b = to_torch(x), to_torch(y)
    square = a**2 + b**2
    return like(2 * b / torch.where(square > 0, square, torch.nan), x)
