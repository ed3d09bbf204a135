"""Receptive fields against gradients: what a unit sees is where its gradient is not zero."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from isocortex.models.receptive_fields import PIXEL, FieldTracker, ReceptiveField

SIZE = 20


def follow(function: Callable[[Tensor], Tensor], size: int = SIZE, channels: int = 2):
    images = torch.rand(1, channels, size, size)
    with torch.no_grad(), FieldTracker(images) as tracker:
        output = function(images)
    return tracker.of(output), output.shape


def footprints(function: Callable[[Tensor], Tensor], size: int = SIZE):
    """Yield (unit, rows seen, columns seen) of the units that see the image, by gradients."""
    images = torch.rand(1, 2, size, size, dtype=torch.float64, requires_grad=True)
    output = function(images).sum(dim=1)[0]
    for y in range(output.shape[0]):
        for x in range(output.shape[1]):
            (gradient,) = torch.autograd.grad(output[y, x], images, retain_graph=True)
            seen = gradient[0].abs().sum(dim=0) > 0
            rows, columns = torch.nonzero(seen, as_tuple=True)
            if len(rows):
                yield (y, x), (rows.min(), rows.max()), (columns.min(), columns.max())


def assert_seen(function: Callable[[Tensor], Tensor], field: ReceptiveField) -> None:
    """Compare every unit whose window lies in the image with its gradient."""
    compared = 0
    for unit, rows, columns in footprints(function):
        windows = [
            (s + i * j - (n - 1) / 2, s + i * j + (n - 1) / 2)
            for i, n, j, s in zip(unit, field.size, field.jump, field.start, strict=True)
        ]
        if all(low >= 0 and high <= SIZE - 1 for low, high in windows):
            assert [tuple(map(float, rows)), tuple(map(float, columns))] == windows
            compared += 1
    assert compared


class Ones(nn.Module):
    """A convolution whose gradient cannot cancel."""

    def __init__(self, kernel, stride, padding, dilation) -> None:
        super().__init__()
        self.options = {"stride": stride, "padding": padding, "dilation": dilation}
        self.register_buffer("weight", torch.ones(2, 2, *kernel))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.to(x.dtype), **self.options)


small = st.integers(1, 3)
pairs = st.tuples(small, small)


@st.composite
def stages(draw: st.DrawFn, branched: bool = True) -> nn.Module:
    kind = draw(st.sampled_from(["conv", "pool", "pad", "norm", *(["branch"] if branched else [])]))
    if kind == "conv":
        kernel = draw(pairs)
        dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
        padding = tuple(
            draw(st.integers(0, d * (k - 1))) for k, d in zip(kernel, dilation, strict=True)
        )
        return Ones(
            kernel, draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), padding, dilation
        )
    if kind == "pool":
        kernel = draw(pairs)
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        return nn.AvgPool2d(kernel, draw(st.none() | st.integers(1, 2)), padding)
    if kind == "pad":
        return nn.ZeroPad2d(draw(st.tuples(*[st.integers(0, 2)] * 4)))
    if kind == "norm":
        return draw(st.sampled_from([nn.ReLU(), nn.Hardswish(), nn.BatchNorm2d(2).eval()]))
    kernel = draw(st.sampled_from([(1, 1), (3, 1), (3, 3), (5, 3)]))
    stride = draw(st.integers(1, 2))
    wide = Ones(kernel, stride, tuple((k - 1) // 2 for k in kernel), 1)
    return Meeting(wide, Ones((1, 1), stride, 0, 1), draw(st.booleans()))


class Meeting(nn.Module):
    def __init__(self, wide: nn.Module, narrow: nn.Module, joined: bool) -> None:
        super().__init__()
        self.wide, self.narrow, self.joined = wide, narrow, joined

    def forward(self, x: Tensor) -> Tensor:
        if self.joined:
            return torch.cat([self.wide(x), self.narrow(x)], dim=1)[:, 1:3]
        return self.wide(x) + self.narrow(x)


@given(st.lists(stages(), min_size=1, max_size=4))
def test_fields_are_where_gradients_are_not_zero(modules):
    network = nn.Sequential(*modules)
    try:
        network(torch.zeros(1, 2, SIZE, SIZE))
    except RuntimeError:
        reject()  # a window is larger than the map that it meets
    field, shape = follow(network)
    assert field is not None
    network.double()
    window = [
        (s - (n - 1) / 2, s + (n - 1) / 2) for s, n in zip(field.start, field.size, strict=True)
    ]
    reach = [
        any(low + i * j >= 0 and high + i * j <= SIZE - 1 for i in range(n))
        for (low, high), j, n in zip(window, field.jump, shape[-2:], strict=True)
    ]
    if all(reach):
        assert_seen(network, field)


def test_max_pooling_and_ceiling_have_the_windows_of_average_pooling():
    for options in ({"stride": 2}, {"stride": 2, "padding": 1}, {"stride": 2, "ceil_mode": True}):
        field, shape = follow(nn.MaxPool2d(3, **options))
        average, same = follow(nn.AvgPool2d(3, **options))
        assert field == average
        assert shape == same
    dilated, _ = follow(nn.MaxPool2d(2, stride=1, dilation=3))
    assert dilated == ReceptiveField((4, 4), (1, 1), (1.5, 1.5))


def test_published_fields_of_alexnet_and_vgg():
    convs = [
        (11, 4, 2),
        (3, 2, 0),
        (5, 1, 2),
        (3, 2, 0),
        (3, 1, 1),
        (3, 1, 1),
        (3, 1, 1),
        (3, 2, 0),
    ]
    modules = [Ones((k, k), s, p, 1) for k, s, p in convs]
    sizes, jumps = [], []
    for depth in range(1, len(modules) + 1):
        field, _ = follow(nn.Sequential(*modules[:depth]), size=224)
        sizes.append(field.size[0])
        jumps.append(field.jump[0])
    assert sizes == [11, 19, 51, 67, 99, 131, 163, 195]
    assert jumps == [4, 8, 8, 16, 16, 16, 16, 32]
    blocks = [2, 2, 3, 3, 3]
    vgg = nn.Sequential(*[
        module
        for depth in blocks
        for module in (*[Ones((3, 3), 1, 1, 1)] * depth, nn.MaxPool2d(2))
    ])  # fmt: skip
    field, shape = follow(vgg, size=224)
    assert (field.size, field.jump, shape[-1]) == ((212, 212), (32, 32), 7)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1,
        lambda x: torch.sigmoid(x) * x,
        lambda x: F.gelu(x).clone().contiguous(),
        lambda x: x[:, :1].expand(-1, 2, -1, -1),
        lambda x: torch.cat(torch.split(x, 1, dim=1), dim=1),
        lambda x: torch.cat([y.unsqueeze(1) for y in x.unbind(1)], dim=1),
        lambda x: x.view(1, 2, 1, SIZE, SIZE).transpose(1, 2).reshape(1, 2, SIZE, SIZE),
        lambda x: x.permute(1, 0, 2, 3),
        lambda x: F.local_response_norm(x, 3),
        lambda x: F.dropout(x, training=False),
        lambda x: F.prelu(x, torch.ones(1)),
        lambda x: x.mean(dim=1, keepdim=True),
    ],
)
def test_work_on_each_position_changes_nothing(function):
    assert follow(function)[0] == PIXEL


def test_in_place_work_is_followed():
    def function(x: Tensor) -> Tensor:
        y = F.max_pool2d(x, 2)
        y.add_(1)
        y.relu_()
        return y

    assert follow(function)[0] == ReceptiveField((2, 2), (2, 2), (0.5, 0.5))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.flatten(1),
        lambda x: F.interpolate(x, scale_factor=2),
        lambda x: F.conv_transpose2d(x, torch.ones(2, 2, 2, 2), stride=2),
        lambda x: x.transpose(-1, -2),
        lambda x: x.permute(0, 1, 3, 2),
        lambda x: x.flip(-1),
        lambda x: x @ x,
        lambda x: torch.softmax(x, dim=-1),
        lambda x: x.mean(),
        lambda x: x.mean(dim=(2, 3)),
        lambda x: F.adaptive_avg_pool2d(x, 6),
        lambda x: x.select(2, 0).unsqueeze(2) + torch.zeros_like(x),
        lambda x: F.relu(x.flip(-1)) + x,
        lambda x: F.avg_pool2d(x, 2).repeat_interleave(2, -1).repeat_interleave(2, -2) + x,
        lambda x: torch.cat([x, x], dim=2),
        lambda x: F.avg_pool2d(x, 2) + x[:, :, :10, :10],
    ],
)
def test_what_has_no_rule_is_unknown_and_so_is_what_follows(function):
    assert follow(function)[0] is None
    assert follow(lambda x: F.relu(function(x)))[0] is None


def test_a_square_of_channels_and_positions_is_not_confused():
    field, _ = follow(lambda x: x.permute(0, 2, 3, 1), size=8, channels=8)
    assert field is None
    field, _ = follow(lambda x: x.select(3, 0), size=8, channels=8)
    assert field is None
    field, _ = follow(lambda x: torch.split(x, 8, dim=2)[0], size=8, channels=8)
    assert field is None


def test_cropping_and_thinning_shift_the_grid():
    field, shape = follow(lambda x: x[:, :, 3:, -12::2])
    assert field == ReceptiveField((1, 1), (1, 2), (3, 8))
    assert shape[-2:] == (17, 6)


@pytest.mark.parametrize(
    "pool",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d(1),
        lambda x: x.mean(dim=(2, 3), keepdim=True),
        lambda x: x.amax(dim=(-1, -2), keepdim=True),
        nn.AvgPool2d(SIZE),
    ],
)
def test_global_pooling_sees_all_and_sits_in_the_centre(pool):
    field, shape = follow(pool)
    assert (field.size, field.start) == ((SIZE, SIZE), ((SIZE - 1) / 2,) * 2)
    assert field.off_centre(shape[-2:], (SIZE, SIZE)) == (0, 0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.sigmoid(F.adaptive_avg_pool2d(x, 1)),
        lambda x: F.instance_norm(x),
        lambda x: F.group_norm(x, 2),
        lambda x: F.layer_norm(x, x.shape[1:]),
        lambda x: F.batch_norm(x, None, None, training=True),
    ],
)
def test_a_whole_map_told_to_every_unit_is_infinite_but_keeps_the_grid(function):
    field, _ = follow(function)
    assert field == ReceptiveField((math.inf, math.inf), (1, 1), (0, 0))
    pooled, _ = follow(lambda x: F.max_pool2d(function(x), 2))
    assert pooled == ReceptiveField((math.inf, math.inf), (2, 2), (0.5, 0.5))


def test_fields_read_well():
    assert str(ReceptiveField((11, 11), (4, 4), (3, 3))) == "11 px, every 4, from 3"
    assert str(ReceptiveField((1, 7), (2, 2), (0, -0.5))) == "1 x 7 px, every 2, from 0 x -0.5"
