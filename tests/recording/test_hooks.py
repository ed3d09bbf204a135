"""Hooks: the right call is heard, the rest is not run, and nothing is left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.recording.hooks import LayerHooks


class Forbidden(nn.Module):
    """Fails the test if the network gets here."""

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("the network ran further than it had to")


class Branching(nn.Module):
    """Two branches of one input; one ReLU is called three times; `left` runs after `right`."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 4)
        self.right = nn.Linear(4, 4)
        self.relu = nn.ReLU()
        self.unused = nn.Linear(4, 4)
        self.tail: nn.Module = nn.Identity()

    def steps(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output, computed without hooks."""
        out = {"right": self.right(x)}
        out["relu"] = out["right"].clamp(min=0)
        out["left"] = self.left(x)
        out["relu:2"] = out["left"].clamp(min=0)
        out["relu:3"] = (out["relu"] - out["relu:2"]).clamp(min=0)
        return out

    def forward(self, x: Tensor) -> Tensor:
        right = self.relu(self.right(x))
        left = self.relu(self.left(x))
        return self.tail(self.relu(right - left))


@pytest.fixture
def network() -> Branching:
    torch.manual_seed(0)
    return Branching()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def heard(network: nn.Module, layers: list[str], x: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    with LayerHooks(network, layers) as hooks:
        hooks.run(x, lambda layer, output: found.update({layer: output.clone()}))
    return found


@pytest.mark.parametrize(
    "layers",
    [
        ["right"],
        ["left"],
        ["relu:2"],
        ["left", "right"],
        ["relu:3", "relu"],
        ["relu:2", "left", "relu"],
        ["right", "relu", "left", "relu:2", "relu:3"],
    ],
    ids=" ".join,
)
def test_every_call_is_what_a_plain_forward_computes(
    network: Branching, x: Tensor, layers: list[str]
) -> None:
    found = heard(network, layers, x)
    expected = network.steps(x)
    assert set(found) == set(layers)
    for layer in layers:
        torch.testing.assert_close(found[layer], expected[layer], rtol=0, atol=0)


def test_the_first_call_may_be_counted_too(network: Branching, x: Tensor) -> None:
    found = heard(network, ["relu:1", "relu"], x)
    assert torch.equal(found["relu:1"], network.steps(x)["relu"])
    assert torch.equal(found["relu"], found["relu:1"])


def test_nothing_runs_after_the_last_wanted_call(network: Branching, x: Tensor) -> None:
    network.tail = Forbidden()
    heard(network, ["relu:3", "right"], x)
    network.left = Forbidden()  # type: ignore[assignment]
    heard(network, ["right", "relu"], x)
    with pytest.raises(AssertionError, match="further"):
        heard(network, ["relu:2"], x)


def test_a_stop_passes_the_networks_own_error_handling(x: Tensor) -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Identity()
            self.rest = Forbidden()

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.first(x)
            except Exception:
                x = x * 0
            return self.rest(x)

    assert torch.equal(heard(Careful(), ["first"], x)["first"], x)


def test_what_is_taken_is_taken_before_a_later_module_works_in_place(x: Tensor) -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    found = heard(network, ["0", "2"], x)
    assert torch.equal(found["0"], network[0](x))
    assert (found["0"] < 0).any()


def test_a_run_is_in_inference_mode_and_in_eval_mode(x: Tensor) -> None:
    modes = []

    class Watcher(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            modes.append((torch.is_inference_mode_enabled(), self.training))
            return x

    heard(nn.Sequential(Watcher(), nn.Dropout()), ["1"], x)
    assert modes == [(True, False)]


def _state(network: nn.Module) -> list[tuple[bool, int]]:
    return [(m.training, len(m._forward_hooks)) for m in network.modules()]


@pytest.mark.parametrize("layers", [["relu"], ["relu:3"]])
def test_modes_and_hooks_are_put_back(network: Branching, x: Tensor, layers: list[str]) -> None:
    network.train()
    network.left.eval()
    network.right.register_forward_hook(lambda module, inputs, output: None)
    before = _state(network)
    heard(network, layers, x)
    assert _state(network) == before
    assert len({training for training, _ in before}) == 2


def test_modes_and_hooks_are_put_back_after_an_error(network: Branching, x: Tensor) -> None:
    network.tail = Forbidden()
    before = _state(network)

    def fail(layer: str, output: Tensor) -> None:
        raise ZeroDivisionError

    with LayerHooks(network, ["relu"]) as hooks, pytest.raises(ZeroDivisionError):
        hooks.run(x, fail)
    with LayerHooks(network, ["relu:4"]) as hooks, pytest.raises(AssertionError, match="further"):
        hooks.run(x, lambda layer, output: None)
    assert _state(network) == before


def test_the_network_can_be_used_within(network: Branching, x: Tensor) -> None:
    with LayerHooks(network, ["right"]):
        assert network(x).shape == (5, 4)


def test_one_module_under_two_names_is_heard_under_both(x: Tensor) -> None:
    shared = nn.Linear(4, 4)
    network = nn.Sequential(shared, shared)
    found = heard(network, ["0", "1", "1:2"], x)
    assert torch.equal(found["0"], shared(x))
    assert torch.equal(found["1"], shared(x))
    assert torch.equal(found["1:2"], shared(shared(x)))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["rihgt"], r"unknown layer 'rihgt'; did you mean right\?.*isocortex layers MODEL"),
        (["relu:0"], "unknown layer 'relu:0'.*isocortex layers MODEL"),
        (["lost:2"], "unknown layer 'lost:2'.*isocortex layers MODEL"),
        ([""], "unknown layer ''"),
        ([], "no layer is named"),
        (["left", "left"], "layer 'left' is named twice"),
    ],
)
def test_wrong_names(network: Branching, layers: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LayerHooks(network, layers)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("unused", r"layer 'unused' \(Linear\) is part of the network but is not called"),
        ("relu:4", r"'relu' \(ReLU\) is called 3 times; record 'relu', 'relu:2', 'relu:3'"),
        ("left:2", r"'left' \(Linear\) is called 1 time; record 'left'"),
    ],
)
def test_calls_that_never_come(network: Branching, x: Tensor, layer: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        heard(network, ["right", layer], x)


@pytest.mark.parametrize(
    ("output", "what"),
    [(None, "NoneType"), ({"a": 1}, "dict"), (torch.zeros(2, dtype=torch.complex64), "complex")],
)
def test_outputs_that_are_no_numbers_are_refused(x: Tensor, output: Any, what: str) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return output

    with pytest.raises(UserError, match=f"layer '0' gives {what}"):
        heard(nn.Sequential(Odd()), ["0"], x)
