"""The Gabor function, its parameters, and one Gauss-Newton model of many fits at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isocortex.arrays import Array, like, to_torch
from isocortex.measures.receptive_fields.pixels import coordinates

X, Y, ANGLE, LOG_SIGMA_U, LOG_SIGMA_V, FREQUENCY = range(6)
"""Columns of the parameters: centre in pixels, direction of the wave vector in radians, logarithms
of the widths in pixels across and along the contour, frequency in cycles per pixel."""


def bounds(reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and largest value of each parameter, in the kind of `reference`."""
    free = math.inf
    low = [-3.0, -3.0, -free, math.log(0.7), math.log(0.7), 0.04]
    high = [3.0, 3.0, free, math.log(5.0), math.log(5.0), 0.45]
    return reference.new_tensor(low), reference.new_tensor(high)


def gabor(
    side: int,
    *,
    orientation_deg: Array,
    frequency: Array,
    phase_deg: Array,
    sigma_u: Array,
    sigma_v: Array,
    x: Array,
    y: Array,
    amplitude: Array,
) -> Array:
    """Sample ``A exp(-u^2 / 2 sigma_u^2 - v^2 / 2 sigma_v^2) cos(2 pi f u + phase)``.

    u = (dx, dy) . (cos a, sin a) runs across the contour, a = orientation - 90 degrees, and v along
    it; dx = column - (side - 1) / 2 - x, dy = (side - 1) / 2 - row - y.

    Parameters
    ----------
    side : int
        Pixels.
    orientation_deg, frequency, phase_deg, sigma_u, sigma_v, x, y, amplitude : array, shape (n,)
        Degrees, cycles per pixel, pixels; as the attributes of `GaborFit`.

    Returns
    -------
    array, shape (n, side, side)
    """
    names = (orientation_deg, frequency, phase_deg, sigma_u, sigma_v, x, y, amplitude)
    angle, f, phase, su, sv, cx, cy, a = (to_torch(v).double()[:, None] for v in names)
    px, py = coordinates(side, angle.device)
    angle, phase = torch.deg2rad(angle - 90), torch.deg2rad(phase)
    dx, dy = px - cx, py - cy
    u = dx * angle.cos() + dy * angle.sin()
    v = dy * angle.cos() - dx * angle.sin()
    envelope = torch.exp(-0.5 * ((u / su) ** 2 + (v / sv) ** 2))
    values = a * envelope * torch.cos(2 * math.pi * f * u + phase)
    return like(values.reshape(-1, side, side), orientation_deg)


def linearise(
    parameters: Tensor, targets: Tensor, pixels: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Project out the linear parameters, and model the cost to second order.

    The Gabor function is ``a E cos(2 pi f u) + b E sin(2 pi f u)`` with a = A cos(phase) and
    b = -A sin(phase), which follow from the other six, as a constant does, by least squares
    (variable projection; Golub & Pereyra 1973); the Jacobian is that of fixed a and b without its
    part in the span of the two functions and the constant (Kaufman 1975).

    Parameters
    ----------
    parameters : Tensor, shape (n, 6)
    targets : Tensor, shape (n, p)
        Without their mean.
    pixels : pair of Tensor, shape (p,)
        x and y.

    Returns
    -------
    linear : Tensor, shape (n, 2)
        a and b.
    cost : Tensor, shape (n,)
        Half the sum of squared residuals.
    gradient : Tensor, shape (n, 6)
    hessian : Tensor, shape (n, 6, 6)
        That of Gauss and Newton.
    """
    cx, cy, angle, log_u, log_v, f = (p[:, None] for p in parameters.unbind(1))
    cos, sin = angle.cos(), angle.sin()
    dx, dy = pixels[0] - cx, pixels[1] - cy
    u, v = torch.addcmul(dx * cos, dy, sin), torch.addcmul(dy * cos, dx, sin, value=-1)
    ku, kv = torch.exp(-2 * log_u), torch.exp(-2 * log_v)
    uu, vv = u * u * ku, v * v * kv
    envelope = torch.exp(-0.5 * (uu + vv))
    omega = 2 * math.pi * f
    carrier = omega * u
    even, odd = envelope * carrier.cos(), envelope * carrier.sin()

    basis = torch.stack([even, odd], dim=1)
    basis = basis - basis.mean(dim=2, keepdim=True)
    gram = basis @ basis.mT
    a_cc, a_ss, a_cs = gram[:, 0, 0], gram[:, 1, 1], gram[:, 0, 1]
    det = (a_cc * a_ss - a_cs.square()).clamp_min(torch.finfo(gram.dtype).tiny)
    inverse = torch.stack([a_ss, -a_cs, -a_cs, a_cc], dim=1).reshape(-1, 2, 2) / det[:, None, None]
    linear = inverse @ (basis @ targets[:, :, None])
    a, b = linear[:, 0], linear[:, 1]
    residual = a * basis[:, 0] + b * basis[:, 1] - targets
    model = a * even + b * odd
    cost = 0.5 * residual.square().sum(1)

    wave = b * even - a * odd  # d model / d carrier
    m_u = torch.addcmul(omega * wave, u * ku, model, value=-1)
    m_v = -(v * kv) * model
    jacobian = torch.stack(
        [
            torch.addcmul(sin * m_v, cos, m_u, value=-1),
            -torch.addcmul(cos * m_v, sin, m_u),
            torch.addcmul(v * m_u, u, m_v, value=-1),
            uu * model,
            vv * model,
            (2 * math.pi) * (u * wave),
        ],
        dim=1,
    )
    gradient = (jacobian @ residual[:, :, None])[:, :, 0]
    mixed = jacobian @ basis.mT
    mean = jacobian.mean(dim=2, keepdim=True)
    hessian = jacobian @ jacobian.mT - mixed @ inverse @ mixed.mT
    hessian = hessian - jacobian.shape[2] * (mean @ mean.mT)
    return linear[:, :, 0], cost, gradient, hessian
