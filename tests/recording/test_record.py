"""`record` against a plain forward pass that is written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.recording import Projection, Recording, estimate, record
from isocortex.stimuli.stimulus_set import StimulusSet


class Net(nn.Module):
    """Conv, ReLU in place (used twice), pooling, tokens, a pair as output, dropout, fc."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.tokens = Tokens()
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(16, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.norm(self.relu(self.conv(x))))
        x, _ = self.tokens(x)
        return self.relu(self.fc(self.dropout(x.flatten(1))))

    def by_hand(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output in eval mode, nothing in place."""
        with torch.no_grad():
            out = {"conv": nn.functional.conv2d(x, self.conv.weight, self.conv.bias, padding=1)}
            out["relu"] = out["conv"].clamp(min=0)
            mean, var = self.norm.running_mean, self.norm.running_var
            assert mean is not None
            assert var is not None
            scale = self.norm.weight / torch.sqrt(var + self.norm.eps)
            column = (slice(None), None, None)
            out["norm"] = (out["relu"] - mean[column]) * scale[column] + self.norm.bias[column]
            windows = out["norm"].unfold(2, 2, 2).unfold(3, 2, 2)
            out["pool"] = windows.amax((-1, -2))
            out["tokens"] = out["pool"].flatten(2).transpose(1, 2)
            out["fc"] = out["tokens"].flatten(1) @ self.fc.weight.T + self.fc.bias
            out["relu:2"] = out["fc"].clamp(min=0)
        return out


class Tokens(nn.Module):
    """(n, c, h, w) to (n, tokens, c), with something beside it."""

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return x.flatten(2).transpose(1, 2), None


LAYERS = ["conv", "relu", "norm", "pool", "tokens", "fc", "relu:2"]


@dataclass
class Scaled:
    """A model: a network and its own preprocessing."""

    network: nn.Module

    def preprocess(self, images: Tensor) -> Tensor:
        return 2 * images - 1


class Bare:
    """The least that a stimulus set must have."""

    def __init__(self, images: Tensor, ids: list[str] | None = None) -> None:
        self._images = images
        ids = ids or [f"s{i}" for i in range(len(images))]
        self.table = pd.DataFrame({"stimulus_id": ids})

    def __len__(self) -> int:
        return len(self._images)

    def images(self, indices: np.ndarray) -> Tensor:
        return self._images[torch.as_tensor(indices)]


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    net = Net()
    net.norm.running_mean = torch.rand(4)
    net.norm.running_var = 1 + torch.rand(4)
    return net.train()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(11, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["memory", "disk"])
def place(request: pytest.FixtureRequest, tmp_path) -> dict:
    return {"store": tmp_path / "here" / "recording"} if request.param == "disk" else {}


def assert_is(recording: Recording, expected: dict[str, Tensor], tolerance: float = 1e-6) -> None:
    for layer in recording.layers:
        np.testing.assert_allclose(
            recording[layer].astype(np.float32),
            expected[layer].flatten(1).numpy(),
            rtol=tolerance,
            atol=tolerance,
            err_msg=layer,
        )


@pytest.mark.parametrize("batch_size", [1, 4, 11, 100])
def test_responses_are_those_of_a_plain_forward(
    net: Net, images: Tensor, place: dict, batch_size: int
) -> None:
    recording = record(net, images, LAYERS, batch_size=batch_size, **place)
    assert recording.layers == LAYERS
    assert recording.n_presentations == 11
    assert_is(recording, net.by_hand(images))
    assert all(recording[layer].dtype == np.float32 for layer in LAYERS)
    assert net.training
    assert net.dropout.training


def test_layers_come_in_the_order_asked_for_whatever_the_network_does(
    net: Net, images: Tensor, place: dict
) -> None:
    recording = record(net, images, ["fc", "conv"], **place)
    assert recording.layers == list(recording) == ["fc", "conv"]
    assert "fc" in recording
    assert "pool" not in recording
    assert_is(recording, net.by_hand(images))


def test_one_layer_may_be_given_by_its_name(net: Net, images: Tensor) -> None:
    assert record(net, images, "conv").layers == ["conv"]


@pytest.mark.parametrize(
    "wrap",
    [
        StimulusSet.from_tensor,
        Bare,
        Tensor.numpy,
        lambda images: StimulusSet.from_tensor(images.double()),
    ],
    ids=["set", "bare", "numpy", "float64"],
)
def test_stimuli_of_any_kind(net: Net, images: Tensor, wrap: Callable) -> None:
    assert_is(record(net, wrap(images), LAYERS, batch_size=3), net.by_hand(images))


def test_a_model_preprocesses_and_a_transform_comes_first(
    net: Net, images: Tensor, place: dict
) -> None:
    recording = record(Scaled(net), images, LAYERS, transform=lambda x: x.flip(-1) ** 2, **place)
    assert_is(recording, net.by_hand(2 * images.flip(-1) ** 2 - 1), 1e-5)


def test_stimuli_are_left_as_they_are(images: Tensor) -> None:
    kept = images.clone()
    record(nn.Sequential(nn.Threshold(0.5, 0.0, inplace=True)), images, "0")
    assert torch.equal(images, kept)


def test_half_precision(net: Net, images: Tensor, place: dict) -> None:
    recording = record(net, images, LAYERS, dtype="float16", **place)
    assert all(recording[layer].dtype == np.float16 for layer in LAYERS)
    for layer, expected in net.by_hand(images).items():
        close = np.testing.assert_allclose
        close(recording[layer], expected.flatten(1).half().numpy(), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.bool])
@pytest.mark.parametrize("units", ["all", "centre", Projection(3)])
def test_outputs_of_other_dtypes_are_cast(images: Tensor, dtype: torch.dtype, units) -> None:
    class Cast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (4 * x).floor().to(dtype)

    class CastAndBack(Cast):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).float()

    recording = record(nn.Sequential(Cast()), images, "0", units=units)
    assert recording["0"].dtype == np.float32
    expected = record(nn.Sequential(CastAndBack()), images, "0", units=units)
    np.testing.assert_array_equal(recording["0"], expected["0"])
    assert np.ptp(recording["0"]) > 0


def test_units_and_maps(net: Net, images: Tensor, place: dict) -> None:
    recording = record(net, images, LAYERS, **place)
    expected = net.by_hand(images)
    maps, table = recording.maps("norm"), recording.units("norm")
    np.testing.assert_allclose(maps, expected["norm"].numpy(), rtol=1e-5, atol=1e-6)
    assert list(table.columns) == ["layer", "channel", "y", "x"]
    for unit in (0, 17, 63):
        where = table.loc[unit]
        np.testing.assert_array_equal(
            recording["norm"][:, unit], maps[:, where["channel"], where["y"], where["x"]]
        )
    tokens = recording.units("tokens")
    for unit in (0, 5, 15):
        where = tokens.loc[unit]
        np.testing.assert_allclose(
            recording["tokens"][:, unit],
            expected["pool"][:, where["channel"], where["y"], where["x"]].numpy(),
            rtol=1e-5,
            atol=1e-6,
        )
    assert recording.units("fc")["channel"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(recording.maps("pool", slice(2, 5)), recording.maps("pool")[2:5])
    np.testing.assert_array_equal(recording.read("fc", slice(-3, None)), recording["fc"][-3:])


def test_the_central_column(net: Net, images: Tensor, place: dict) -> None:
    recording = record(net, images, ["conv", "tokens", "fc"], units="centre", **place)
    expected = net.by_hand(images)
    assert_is(
        recording,
        {
            "conv": expected["conv"][:, :, 2, 2],
            "tokens": expected["pool"][:, :, 1, 1],
            "fc": expected["fc"],
        },
    )
    assert recording.units("conv")[["channel", "y", "x"]].to_numpy().tolist() == [
        [c, 2, 2] for c in range(4)
    ]


def test_a_projection(net: Net, images: Tensor, place: dict) -> None:
    projection = Projection(6, seed=2)
    recording = record(net, images, ["conv", "fc"], units=projection, batch_size=4, **place)
    flat = net.by_hand(images)["conv"].flatten(1).numpy()
    units, weights = projection.terms(64)
    expected = np.stack([(flat[:, u] * w).sum(1) for u, w in zip(units, weights, strict=True)], 1)
    np.testing.assert_allclose(recording["conv"], expected, rtol=1e-4, atol=1e-5)
    assert_is(Recording({"fc": recording["fc"]}, {}, projection), net.by_hand(images))
    assert recording.units("conv")["component"].tolist() == list(range(6))


@pytest.mark.parametrize("units", ["all", "centre", Projection(6)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_estimate_is_the_size(net: Net, images: Tensor, units, dtype) -> None:
    recording = record(net, images, LAYERS, units=units, dtype=dtype)
    total = sum(recording[layer].nbytes for layer in LAYERS)
    assert estimate(net, images, LAYERS, units=units, dtype=dtype) == total
    record(net, images, LAYERS, units=units, dtype=dtype, byte_budget=total)
    with pytest.raises(UserError, match=r"the recording needs .* give store=PATH"):
        record(net, images, LAYERS, units=units, dtype=dtype, byte_budget=total - 1)


def test_with_a_store_a_batch_is_made_to_fit_the_budget(net: Net, images: Tensor, tmp_path) -> None:
    shown = []
    net.register_forward_pre_hook(lambda module, inputs: shown.append(len(inputs[0])))
    row = estimate(net, images[:1], LAYERS)
    shown.clear()
    recording = record(net, images, LAYERS, store=tmp_path / "r", byte_budget=7 * row)
    assert shown == [2, 3, 3, 3, 2]
    assert_is(recording, net.by_hand(images))
    with pytest.raises(UserError, match="two presentations, one shown and one written, need"):
        record(net, images, LAYERS, store=tmp_path / "s", byte_budget=2 * row - 1)


def test_one_stimulus(net: Net, images: Tensor, place: dict) -> None:
    assert_is(record(net, images[:1], LAYERS, **place), net.by_hand(images[:1]))


def test_progress_is_told_after_every_batch(net: Net, images: Tensor, place: dict) -> None:
    told: list[tuple[int, int]] = []
    record(net, images, "fc", batch_size=4, progress=lambda *done: told.append(done), **place)
    assert told == [(4, 11), (8, 11), (11, 11)]


def test_a_bar_is_shown_on_the_error_stream(
    net: Net, images: Tensor, capsys: pytest.CaptureFixture
) -> None:
    record(net, images, "fc", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "11/11" in err


def test_one_pass_serves_all_layers_and_stops_after_the_deepest(
    net: Net, images: Tensor, place: dict
) -> None:
    calls = []
    net.conv.register_forward_hook(lambda *_: calls.append("conv"))
    net.fc.register_forward_hook(lambda *_: calls.append("fc"))
    record(net, images, ["tokens", "conv", "relu"], batch_size=6, **place)
    assert calls == ["conv"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": "covn"}, r"unknown layer 'covn'.*conv.*list them with: isocortex layers MODEL"),
        ({"layers": "unused"}, "is not called"),
        ({"layers": "relu:3"}, "called 2 times"),
        ({"dtype": "float64"}, "unknown dtype 'float64'; .*float16, float32"),
        ({"units": "center"}, "unknown rule for units 'center'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"byte_budget": 0}, "byte_budget is 0"),
        ({"device": "cdua"}, "device 'cdua' cannot be used here"),
        ({"stimuli": torch.rand(0, 3, 4, 4)}, "there are no stimuli"),
        ({"stimuli": torch.rand(3, 4, 4)}, r"\(n, c, h, w\) is needed"),
        ({"stimuli": 255 * torch.rand(2, 3, 4, 4)}, r"stimulus '0' has pixels from .*\[0, 1\]"),
        ({"stimuli": torch.rand(2, 1, 4, 4)}, r"cannot look at images of shape \(1, 4, 4\)"),
    ],
)
def test_every_mistake_has_one_line_and_leaves_nothing(
    net: Net, images: Tensor, place: dict, arguments: dict, message: str
) -> None:
    complete = {"stimuli": images, "layers": "conv", **arguments, **place}
    with pytest.raises(UserError, match=message) as caught:
        record(net, **complete)
    assert "\n" not in str(caught.value)
    assert not any(module._forward_hooks for module in net.modules())
    assert all(module.training for module in net.modules())
    assert not any(path.exists() for path in place.values())


def _broken(images: Tensor, value: float) -> Bare:
    images = images.clone()
    images[7, 1, 2, 3] = value
    return Bare(images, [f"apple_{i}" for i in range(len(images))])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "stimulus 'apple_7' has NaN"),
        (-0.1, r"stimulus 'apple_7' has pixels from -0.1 .*\[0, 1\]"),
        (1.5, "stimulus 'apple_7' has pixels from .* to 1.5"),
        (np.inf, "stimulus 'apple_7' has pixels from .* to inf"),
    ],
)
def test_a_bad_stimulus_is_named(
    net: Net, images: Tensor, place: dict, value: float, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        record(net, _broken(images, value), "conv", batch_size=3, **place)


class Bad(nn.Module):
    """Answers the brightest image badly."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x == 1, self.value, x)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (np.nan, "float32", "layer '0' answers stimulus 'apple_7' with NaN"),
        (np.nan, "float16", "layer '0' answers stimulus 'apple_7' with NaN"),
        (np.inf, "float32", "layer '0' answers stimulus 'apple_7' with an infinite number"),
        (-np.inf, "float32", "layer '0' answers stimulus 'apple_7' with an infinite number"),
        (7e4, "float16", r"'apple_7' with more than float16 can hold.*dtype='float32'"),
        (-7e4, "float16", r"'apple_7' with more than float16 can hold.*dtype='float32'"),
    ],
)
def test_a_bad_response_is_named(
    images: Tensor, place: dict, value: float, dtype, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        record(
            nn.Sequential(Bad(value)),
            _broken(images, 1.0),
            "0",
            batch_size=3,
            dtype=dtype,
            **place,
        )


def test_the_largest_half_precision_number_is_no_overflow(images: Tensor) -> None:
    stimuli = _broken(images, 1.0)
    assert record(nn.Sequential(Bad(65504.0)), stimuli, "0", dtype="float16")["0"].max() == 65504


class Reshaped(nn.Module):
    def __init__(self, shape: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return self.shape(x)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (lambda x: x.transpose(0, 1), "whose first axis is not that of the images"),
        (lambda x: x.reshape(-1, 4), "whose first axis is not that of the images"),
        (lambda x: x.sum(), "whose first axis is not that of the images"),
        (lambda x: x[..., None], r"recorded from \(d,\), \(tokens, d\)"),
        (lambda x: x[:, :, :0], r"recorded from \(d,\), \(tokens, d\)"),
        (lambda x: x[:, :, : max(2, len(x) - 1)], "where .* was seen before"),
    ],
)
def test_outputs_that_are_not_one_answer_an_image(
    images: Tensor, place: dict, shape: Callable[[Tensor], Tensor], message: str
) -> None:
    network = nn.Sequential(Reshaped(shape))
    with pytest.raises(UserError, match=f"layer '0' answers .*{message}"):
        record(network, images[:, :, :4], "0", batch_size=4, **place)


def test_one_number_an_image(images: Tensor, place: dict) -> None:
    recording = record(nn.Sequential(Reshaped(lambda x: x.mean((1, 2, 3)))), images, "0", **place)
    np.testing.assert_allclose(recording["0"][:, 0], images.mean((1, 2, 3)), rtol=1e-6)


def test_a_recording_says_what_it_lacks(net: Net, images: Tensor) -> None:
    recording = record(net, images, ["conv", "fc"])
    for ask in (recording.__getitem__, recording.units, recording.maps):
        with pytest.raises(UserError, match=r"unknown layer of the recording 'relu'.*conv, fc"):
            ask("relu")
    with pytest.raises(UserError, match=r"layer 'fc' has no maps"):
        recording.maps("fc")
    with pytest.raises(UserError, match="maps of layer 'conv' need all its units"):
        record(net, images, "conv", units="centre").maps("conv")
    assert repr(recording) == "Recording(11 presentations; conv 64, fc 5)"


@pytest.mark.gpu
@pytest.mark.parametrize("units", ["all", "centre", Projection(6)], ids=str)
def test_another_device(net: Net, images: Tensor, place: dict, units) -> None:
    recording = record(net, images, LAYERS, device="cuda", batch_size=4, units=units, **place)
    here = record(net, images, LAYERS, units=units)
    assert next(net.parameters()).device.type == "cpu"
    for layer in LAYERS:
        np.testing.assert_allclose(recording[layer], here[layer], rtol=1e-3, atol=1e-3)
