"""Grams of recorded layers, against a forward pass written out by hand, and what they need."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.grams import SCALINGS
from isocortex.measures.encoding import ridge_cv
from isocortex.measures.similarity import linear_cka
from isocortex.recording import Grams, Projection, Recording, grams, preflight, record

LAYERS = ["0", "1", "3"]
N = 24


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 64, 7))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand((N, 3, 10, 10), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def features(network: nn.Sequential, images: Tensor) -> dict[str, np.ndarray]:
    with torch.no_grad():
        first = nn.functional.conv2d(images, network[0].weight, network[0].bias)
        second = first.clamp(min=0)
        third = second.flatten(1) @ network[3].weight.T + network[3].bias
    named = {"0": first, "1": second, "3": third}
    return {k: v.flatten(1).double().numpy() for k, v in named.items()}


def expected(x: np.ndarray, scaling: str) -> np.ndarray:
    if scaling == "correlation":
        return np.corrcoef(x)
    if scaling != "none":
        x = x - x.mean(axis=0)
    if scaling == "zscore":
        sd = x.std(axis=0)
        x = x[:, sd > 0] / sd[sd > 0]
    return x @ x.T


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("on_disk", [False, True])
def test_every_layer(
    network: nn.Module,
    images: Tensor,
    features: dict[str, np.ndarray],
    tmp_path: Path,
    scaling: str,
    precision: str,
    on_disk: bool,
) -> None:
    recording = record(
        network, images, LAYERS, store=tmp_path / "kept" if on_disk else None, batch_size=7
    )
    made = recording.grams(scaling=scaling, precision=precision, byte_budget=20_000)  # type: ignore[arg-type]
    assert list(made) == made.layers == LAYERS
    assert made.n_units == {"0": 320, "1": 320, "3": 7}
    for layer in LAYERS:
        truth = expected(features[layer], scaling)
        np.testing.assert_allclose(made[layer], truth, atol=2e-5 * np.abs(truth).max())
        assert made[layer].dtype == np.float64
        dead = int((np.ptp(features[layer], axis=0) == 0).sum())
        assert made.n_constant[layer] == dead
        alone = recording.gram(layer, scaling=scaling, precision=precision)  # type: ignore[arg-type]
        np.testing.assert_allclose(alone, made[layer], atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("byte_budget", [2**30, 40_000])
def test_one_pass_gives_what_a_recording_gives(
    network: nn.Module, images: Tensor, tmp_path: Path, byte_budget: int
) -> None:
    lines: list[str] = []
    seen: list[int] = []
    made = grams(
        network,
        images,
        LAYERS,
        scaling="zscore",
        batch_size=5,
        scratch=tmp_path,
        byte_budget=byte_budget,
        announce=lines.append,
        progress=lambda done, total: seen.append(done),
    )
    recording = record(network, images, LAYERS)
    for layer in LAYERS:
        truth = recording.gram(layer, scaling="zscore")
        np.testing.assert_allclose(made[layer], truth, atol=1e-4 * np.abs(truth).max())
    assert seen == sorted(seen)
    assert seen[-1] == N
    (line,) = lines
    assert line.startswith("Grams of 3 layers, 24 presentations, 647 units: ")
    assert line.endswith("1 forward pass")
    assert ("of disk at" in line) == (byte_budget == 40_000)
    assert list(tmp_path.iterdir()) == []  # features are not kept


def test_features_are_kept_when_asked_and_gone_on_with(
    network: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    lines: list[str] = []
    store = tmp_path / "deep" / "features"
    made = grams(network, images, LAYERS, store=store, announce=lines.append)
    assert "to keep" in lines[0]
    kept = Recording.open(store)
    np.testing.assert_allclose(made["3"], kept.gram("3"))
    calls: list[int] = []
    again = grams(network, images, LAYERS, store=store, progress=lambda d, t: calls.append(d))
    assert calls == []
    np.testing.assert_array_equal(again["1"], made["1"])


def test_layers_that_fit_one_after_the_other_take_several_passes(
    network: nn.Module,
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = record(network, images, LAYERS)
    _disk(monkeypatch, 2 * 4 * N * 400)
    options = {"byte_budget": 20_000, "scratch": tmp_path}
    need = preflight(network, images, LAYERS, **options)  # type: ignore[arg-type]
    assert need.passes == [["0"], ["1", "3"]]
    assert need.disk_bytes == 4 * N * 327
    assert "2 forward passes" in need.line()
    made = grams(network, images, LAYERS, **options)  # type: ignore[arg-type]
    for layer in LAYERS:
        np.testing.assert_allclose(made[layer], whole.gram(layer), rtol=1e-5)
    with pytest.raises(UserError, match="keep those of 0 alone, or leave store out"):
        grams(network, images, LAYERS, store=tmp_path / "x", **options)  # type: ignore[arg-type]
    _disk(monkeypatch, 2 * 4 * N * 100)
    with pytest.raises(UserError, match=r"layer '0' need .* units=Projection\(k=100\)"):
        grams(network, images, LAYERS, **options)  # type: ignore[arg-type]
    fits = grams(network, images, LAYERS, units=Projection(100), **options)  # type: ignore[arg-type]
    assert fits.n_units == {"0": 100, "1": 100, "3": 7}
    assert list(tmp_path.iterdir()) == []


def test_two_presentations_must_fit_into_the_budget(
    network: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    need = preflight(network, images, LAYERS, byte_budget=2 * 4 * 400, scratch=tmp_path)
    assert need.passes == [["0"], ["1", "3"]]
    made = grams(network, images, LAYERS, byte_budget=2 * 4 * 400, scratch=tmp_path)
    truth = record(network, images, LAYERS).grams()
    for layer in LAYERS:
        np.testing.assert_allclose(made[layer], truth[layer], rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match=r"two presentations of layer '0' need 2\.5 KiB"):
        preflight(network, images, LAYERS, byte_budget=2000, scratch=tmp_path)


def _disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(free, 0, free))


@pytest.mark.parametrize(
    ("free", "message"),
    [
        (41_500, "take at most 2 of the 3 layers at once"),
        (7_000, "lower byte_budget to 1.211 KiB and take one layer"),
        (1_200, "take at most 10 stimuli"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_with_what_does(
    network: nn.Module,
    images: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    message: str,
) -> None:
    recording = record(network, images, LAYERS)
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(free))
    with pytest.raises(UserError, match=message):
        recording.grams(byte_budget=48_000)


@pytest.mark.parametrize("byte_budget", [2**30, 40_000])
def test_grams_in_a_folder_are_read_when_they_are_used(
    network: nn.Module, images: Tensor, tmp_path: Path, byte_budget: int
) -> None:
    lines: list[str] = []
    made = grams(
        network,
        images,
        LAYERS,
        folder=tmp_path / "deep" / "grams",
        scratch=tmp_path,
        byte_budget=byte_budget,
        announce=lines.append,
    )
    assert "4.5 KiB of it Grams" in lines[0]  # one at a time
    again = Grams.open(tmp_path / "deep" / "grams")
    truth = record(network, images, LAYERS).grams()
    for layer in LAYERS:
        np.testing.assert_allclose(made[layer], truth[layer], rtol=1e-5)
        np.testing.assert_array_equal(again[layer], made[layer])
    assert again.layers == LAYERS
    assert (again.n_units, again.n_constant) == (truth.n_units, truth.n_constant)
    assert again.scaling == "none"
    with pytest.raises(UserError, match="holds something"):
        record(network, images, LAYERS).grams(folder=tmp_path / "deep" / "grams")
    with pytest.raises(UserError, match="there are no Grams"):
        Grams.open(tmp_path)
    (tmp_path / "deep" / "grams" / "1.npy").write_bytes(b"short")
    with pytest.raises(UserError, match="damaged"):
        Grams.open(tmp_path / "deep" / "grams")


def test_a_failed_recording_leaves_no_features(images: Tensor, tmp_path: Path) -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) / (x.amax() < 2).float()

    bad = images.clone()
    bad[20] = torch.nan
    with pytest.raises(UserError):
        grams(Fails(), bad, "a", scratch=tmp_path, byte_budget=30_000)
    assert list(tmp_path.iterdir()) == []


def test_bad_requests(network: nn.Module, images: Tensor, tmp_path: Path) -> None:
    recording = record(network, images, LAYERS)
    with pytest.raises(UserError, match="unknown layer of the recording '9'"):
        recording.gram("9")
    with pytest.raises(UserError, match="unknown scaling of features 'rank'"):
        recording.gram("0", scaling="rank")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown precision 'half'"):
        recording.gram("0", precision="half")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="byte_budget is 0"):
        recording.gram("0", byte_budget=0)
    with pytest.raises(UserError, match="device 'toaster'"):
        recording.gram("0", device="toaster")
    with pytest.raises(UserError, match="no layer is named"):
        recording.grams([])
    with pytest.raises(UserError, match="there is no folder"):
        grams(network, images, LAYERS, scratch=tmp_path / "none", byte_budget=100)
    with pytest.raises(UserError, match="unknown layer of the Grams '9'"):
        recording.grams()["9"]


def test_damaged_features_are_said_so(network: nn.Module, images: Tensor, tmp_path: Path) -> None:
    recording = record(network, images, LAYERS, store=tmp_path / "r", batch_size=10)
    (tmp_path / "r" / "1" / "c" / "1" / "0").write_bytes(b"short")
    with pytest.raises(UserError, match=r"damaged \(layer '1', presentations 10 to 19\)"):
        recording.gram("1")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_units_are_read_alone_from_memory_and_disk(
    network: nn.Module, images: Tensor, tmp_path: Path, dtype: str
) -> None:
    options = {"dtype": dtype, "batch_size": 7}
    memory = record(network, images, LAYERS, **options)  # type: ignore[arg-type]
    disk = record(network, images, LAYERS, store=tmp_path / "r", **options)  # type: ignore[arg-type]
    for units in (slice(0, 3), slice(100, 320), slice(None)):
        expected_part = memory["0"][:, units]
        for recording in (memory, disk):
            part = recording.read_units("0", units)
            assert part.dtype == dtype
            np.testing.assert_allclose(part, expected_part, rtol=1e-3)
    assert memory.width("0") == disk.width("0") == 320


def test_measures_take_them_in_place_of_features(
    network: nn.Module, images: Tensor, features: dict[str, np.ndarray]
) -> None:
    made = grams(network, images, LAYERS, precision="float64")
    y = np.random.default_rng(0).normal(size=(N, 4)) + features["3"][:, :4]
    by_gram = ridge_cv(made["1"], y, gram=True, alphas=(0.1, 1.0, 10.0))
    by_features = ridge_cv(features["1"], y, alphas=(0.1, 1.0, 10.0))
    np.testing.assert_allclose(by_gram.predictions, by_features.predictions, rtol=1e-3, atol=1e-4)
    cka = linear_cka(made["0"], made["3"], gram=True)
    assert cka == pytest.approx(float(linear_cka(features["0"], features["3"])), abs=1e-5)


@pytest.mark.gpu
def test_on_cuda(network: nn.Module, images: Tensor) -> None:
    here = grams(network, images, LAYERS, precision="float64")
    there = grams(network, images, LAYERS, precision="float64", device="cuda", byte_budget=20_000)
    for layer in LAYERS:
        np.testing.assert_allclose(there[layer], here[layer], rtol=1e-4, atol=1e-4)
