"""Receptive fields and sampling grids, followed through one forward pass, branches included.

A unit's receptive field is the window of the image that it can see. Along one axis the windows of a
map are `size` pixels wide and `jump` pixels apart, and the first is centred at pixel `start`
(pixel 0 is the centre of the first pixel; a centre may lie between pixels, or outside the image
where a layer pads). With window k, stride s, dilation d and padding p, a convolution or pooling
turns (size, jump, start) into

    (size + d (k - 1) jump,  s jump,  start + (d (k - 1) / 2 - p) jump),

and where branches meet, a unit sees the union of what its inputs see. These rules are applied to
the operations that torch really runs, whatever module or function asked for them. Of an operation
without a rule (attention, interpolation, flattening) the result is unknown, and all that follows
from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of a map see, in pixels of the image; each figure is (vertical, horizontal).

    Attributes
    ----------
    size : tuple of float
        Height and width of the window; infinite where a unit is told about the whole image by a
        side branch, as in squeeze-and-excitation.
    jump : tuple of float
        Distance of the windows of neighbouring units.
    start : tuple of float
        Centre of the first unit's window.
    """

    size: tuple[float, float]
    jump: tuple[float, float]
    start: tuple[float, float]

    def __str__(self) -> str:
        figures = (self.size, self.jump, self.start)
        size, jump, start = (f"{y:g}" if y == x else f"{y:g} x {x:g}" for y, x in figures)
        return f"{size} px, every {jump}, from {start}"

    def off_centre(self, shape: Sequence[int], image: Sequence[int]) -> tuple[float, float]:
        """Return by how many pixels the grid of units lies below and right of the image's centre.

        Parameters
        ----------
        shape, image : sequence of int
            Height and width of the map, and of the image. The grid is mirror-symmetric about the
            image's centre if and only if the result is zero.
        """
        y, x = (
            s + (n - 1) * j / 2 - (pixels - 1) / 2
            for s, j, n, pixels in zip(self.start, self.jump, shape, image, strict=True)
        )
        return y, x


PIXEL = ReceptiveField((1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
"""What a pixel of the image sees."""


class FieldTracker(TorchDispatchMode):
    """Follow receptive fields through all that is computed inside a ``with`` block.

    Parameters
    ----------
    images : Tensor
        (n, c, h, w).
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        # None stands for what depends on the images in a way that is not known.
        self._fields = WeakTensorKeyDictionary()
        self._fields[images] = PIXEL

    def of(self, tensor: Tensor) -> ReceptiveField | None:
        """Return what the units of `tensor` (its last two axes a map) see, if known."""
        field: ReceptiveField | None = self._fields.get(tensor)
        return field

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and note what the units of its result see."""
        kwargs = kwargs or {}
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        seen: Seen = [(t.shape, self._fields[t]) for t in inputs if t in self._fields]
        result = func(*args, **kwargs)
        if seen:
            outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
            field = None
            if outputs and all(f is not None for _, f in seen):
                field = _result(func, args, seen, outputs[0].shape)
            for output in outputs:
                self._fields[output] = field
        return result


Shape = Sequence[int]
Seen = list[tuple[Shape, ReceptiveField]]


def _result(func: Any, args: Sequence[Any], seen: Seen, shape: Shape) -> ReceptiveField | None:
    name = func._schema.name.removeprefix("aten::")
    first_shape, first = seen[0]
    if torch.Tag.pointwise in func.tags or name in _POINTWISE:
        return _meet(seen, shape)
    if name == "cat":
        return _meet(seen, shape) if all(s[-2:] == shape[-2:] for s, _ in seen) else None
    if name in _WINDOWS and len(seen) == 1:
        windows = _WINDOWS[name](args, first_shape, shape)
        return None if windows is None else _slide(first, windows)
    if name in _VIEWS and first_shape[-2:] == shape[-2:] and len(shape) > 2:
        return first if _VIEWS[name](args, len(first_shape)) else None
    if name in _NORMS:
        whole = _NORMS[name](args)
        return ReceptiveField((math.inf, math.inf), first.jump, first.start) if whole else first
    return None


def _meet(seen: Seen, shape: Shape) -> ReceptiveField | None:
    """Return the union of fields that meet unit by unit; a single value meets a whole map."""
    maps = [field for s, field in seen if tuple(s[-2:]) == tuple(shape[-2:])]
    told = [field for s, field in seen if tuple(s[-2:]) == (1, 1) != tuple(shape[-2:])]
    if not maps or len(maps) + len(told) < len(seen) or len(shape) < 3:
        return None
    jump = maps[0].jump
    if any(field.jump != jump for field in maps):
        return None
    sizes, starts = [], []
    for axis in (0, 1):
        reach = [(f.start[axis], (f.size[axis] - 1) / 2) for f in maps]
        low, high = min(c - r for c, r in reach), max(c + r for c, r in reach)
        aligned = len({c for c, _ in reach}) == 1
        if not aligned and math.isinf(low):
            return None
        starts.append(reach[0][0] if aligned else (low + high) / 2)
        sizes.append(math.inf if told else high - low + 1)
    return ReceptiveField((sizes[0], sizes[1]), jump, (starts[0], starts[1]))


@dataclass(frozen=True)
class _Window:
    """A sliding window along one axis: its extent (dilated), stride and padding on the left."""

    extent: int
    stride: int
    padding: int


Windows = tuple[_Window, _Window]


def _slide(field: ReceptiveField, windows: Windows) -> ReceptiveField:
    axes = list(zip(field.size, field.jump, field.start, windows, strict=True))
    sizes = [size + (w.extent - 1) * jump for size, jump, _, w in axes]
    jumps = [jump * w.stride for _, jump, _, w in axes]
    starts = [start + ((w.extent - 1) / 2 - w.padding) * jump for _, jump, start, w in axes]
    return ReceptiveField((sizes[0], sizes[1]), (jumps[0], jumps[1]), (starts[0], starts[1]))


def _two(value: Any, default: int) -> tuple[int, int]:
    """Return the last two of a list of sizes; one value counts for both, none for the default."""
    values = [value] if isinstance(value, int) else list(value or [default])
    return (values[-2], values[-1]) if len(values) > 1 else (values[0], values[0])


def _pair(extent: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Windows:
    y, x = (_Window(e, s, p) for e, s, p in zip(extent, stride, padding, strict=True))
    return y, x


def _convolution(args: Sequence[Any], shape: Shape, out: Shape) -> Windows | None:
    weight, stride, padding, dilation, transposed = args[1], *args[3:7]
    if transposed or weight.ndim != 4:
        return None
    extent = [d * (k - 1) + 1 for k, d in zip(weight.shape[-2:], _two(dilation, 1), strict=True)]
    return _pair(extent, _two(stride, 1), _two(padding, 0))


def _max_pool(args: Sequence[Any], shape: Shape, out: Shape) -> Windows:
    kernel, stride, padding, dilation = (*args[1:5], *(None,) * 4)[:4]
    size = _two(kernel, 1)
    extent = [d * (k - 1) + 1 for k, d in zip(size, _two(dilation, 1), strict=True)]
    return _pair(extent, _two(stride, 1) if stride else size, _two(padding, 0))


def _avg_pool(args: Sequence[Any], shape: Shape, out: Shape) -> Windows:
    kernel, stride, padding = (*args[1:4], *(None,) * 3)[:3]
    size = _two(kernel, 1)
    return _pair(size, _two(stride, 1) if stride else size, _two(padding, 0))


def _adaptive_pool(args: Sequence[Any], shape: Shape, out: Shape) -> Windows | None:
    """Windows of one size, where the map can be divided evenly."""
    if any(n % m for n, m in zip(shape[-2:], out[-2:], strict=True)):
        return None
    size = [n // m for n, m in zip(shape[-2:], out[-2:], strict=True)]
    return _pair(size, size, (0, 0))


def _mean(args: Sequence[Any], shape: Shape, out: Shape) -> Windows | None:
    """Average over axes that are kept: over both of the map, or over none of them."""
    axes = {axis % len(shape) - len(shape) for axis in (args[1] if len(args) > 1 else None) or ()}
    if not axes or len(out) != len(shape) or axes & {-1, -2} not in ({-1, -2}, set()):
        return None
    return _adaptive_pool(args, shape, out)


def _pad(args: Sequence[Any], shape: Shape, out: Shape) -> Windows:
    left, _, *rest = args[1]
    return _pair((1, 1), (1, 1), (rest[0] if rest else 0, left))


def _slice(args: Sequence[Any], shape: Shape, out: Shape) -> Windows:
    axis, first, _, step = (list(args[1:]) + [0, None, None, 1][len(args) - 1 :])[:4]
    skipped, strides = [0, 0], [1, 1]
    place = axis % len(shape) - len(shape) + 2
    if place >= 0:
        skipped[place] = range(shape[place - 2])[slice(first, None)].start
        strides[place] = step
    return _pair((1, 1), strides, [-k for k in skipped])


def _off_map(place: int) -> Callable[[Sequence[Any], int], bool]:
    """Say whether the axis that is an operation's argument at `place` is not one of the map."""
    return lambda args, ndim: (args[place] if len(args) > place else 0) % ndim < ndim - 2


_POINTWISE = frozenset(
    {"clone", "contiguous", "detach", "_to_copy", "alias", "lift_fresh"}
    | {"hardswish", "hardswish_", "mish_", "_prelu_kernel"}
)
"""Operations, besides those that torch marks so, that work on each position by itself."""

_VIEWS: dict[str, Callable[[Sequence[Any], int], bool]] = {
    "view": lambda args, ndim: True,
    "_unsafe_view": lambda args, ndim: True,
    "_reshape_alias": lambda args, ndim: True,
    "unsqueeze": lambda args, ndim: True,
    "squeeze": lambda args, ndim: True,
    "expand": lambda args, ndim: True,
    "permute": lambda args, ndim: [a % ndim for a in args[1]][-2:] == [ndim - 2, ndim - 1],
    "transpose": lambda args, ndim: max(a % ndim for a in args[1:3]) < ndim - 2,
    "select": _off_map(1),
    "unbind": _off_map(1),
    "split": _off_map(2),
    "split_with_sizes": _off_map(2),
}
"""Operations that may leave maps as they are: (arguments, axes) -> whether they do, provided that
the last two sizes are the same before and after."""

_NORMS: dict[str, Callable[[Sequence[Any]], bool]] = {
    "native_batch_norm": lambda args: bool(args[5]),
    "_native_batch_norm_legit": lambda args: bool(args[5]),
    "cudnn_batch_norm": lambda args: bool(args[5]),
    "_native_batch_norm_legit_no_training": lambda args: False,
    "native_group_norm": lambda args: True,
    "native_layer_norm": lambda args: True,
}
"""Normalisations: arguments -> whether units are told about their whole map."""

_WINDOWS: dict[str, Callable[[Sequence[Any], Shape, Shape], Windows | None]] = {
    "convolution": _convolution,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
    "avg_pool3d": _avg_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "mean": _mean,
    "amax": _mean,
    "constant_pad_nd": _pad,
    "reflection_pad2d": _pad,
    "replication_pad2d": _pad,
    "slice": _slice,
}
"""Operations with sliding windows: (arguments, shape of the map, of the result) -> windows."""
