"""Numpy in, numpy out; torch in, torch out.

Measures compute in torch and give back what they were given: the same kind of array, the same
dtype and the same device.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

Array: TypeAlias = Any
"""A `numpy.ndarray` or a `torch.Tensor`; what comes in decides what goes out."""


def to_torch(x: Array) -> Tensor:
    """Return `x` as a floating-point tensor that shares memory where it can.

    Integers and booleans become float64; float16 and bfloat16 become float32, because sums of
    products overflow or lose all digits in half precision.
    """
    if isinstance(x, Tensor):
        tensor = x.detach()
    else:
        array = np.asarray(x)
        if array.flags.writeable and all(s >= 0 for s in array.strides):
            tensor = torch.from_numpy(array)
        else:
            tensor = torch.from_numpy(array.copy())
    if tensor.dtype in (torch.float16, torch.bfloat16):
        return tensor.float()
    if not tensor.dtype.is_floating_point:
        return tensor.double()
    return tensor


def like(result: Tensor, template: Array) -> Array:
    """Return `result` in the kind, floating dtype and device of `template`.

    Integer templates leave the result in the precision it was computed in.
    """
    if isinstance(template, Tensor):
        dtype = template.dtype if template.dtype.is_floating_point else result.dtype
        return result.to(device=template.device, dtype=dtype)
    array = result.cpu().numpy()
    dtype_in = np.asarray(template).dtype
    return array.astype(dtype_in, copy=False) if np.issubdtype(dtype_in, np.floating) else array
