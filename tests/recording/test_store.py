"""Recordings on disk: found again, gone on with after a kill, never mixed up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from torch import Tensor, nn

from isocortex.errors import UserError
from isocortex.recording import Projection, Recording, record
from isocortex.recording import store as store_module
from isocortex.recording.store import Contents, Store, size

LAYERS = ["0", "2"]


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(108, 4))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Looking:
    """A model that counts the images it is shown, and stops after some batches."""

    def __init__(self, module: nn.Module, batches: int | None = None) -> None:
        self.network = module
        self.shown: list[int] = []
        self.stop_after = batches
        module.register_forward_pre_hook(self._look)

    def _look(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        if self.stop_after is not None and len(self.shown) == self.stop_after:
            raise KeyboardInterrupt
        self.shown.append(len(inputs[0]))

    def preprocess(self, images: Tensor) -> Tensor:
        return images


def cut_short(images: Tensor, path: Path, batches: int, batch_size: int = 3) -> None:
    """Leave a recording of `batches` batches."""
    model = Looking(network(), batches + 1)
    with pytest.raises(KeyboardInterrupt):
        record(model, images, LAYERS, store=path, batch_size=batch_size)


def assert_same(a: Recording, b: Recording) -> None:
    assert a.layers == b.layers
    for layer in a.layers:
        np.testing.assert_allclose(a[layer], b[layer], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("units", ["all", "centre", Projection(5, seed=1)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_recording_is_opened_again(images: Tensor, tmp_path: Path, units, dtype) -> None:
    path = tmp_path / "deep" / "recording"
    written = record(network(), images, LAYERS, store=path, batch_size=4, units=units, dtype=dtype)
    opened = Recording.open(str(path))
    assert written.path == opened.path == path
    assert_same(opened, record(network(), images, LAYERS, units=units, dtype=dtype))
    for layer in LAYERS:
        assert opened.units(layer).equals(written.units(layer))
        assert opened[layer].dtype == dtype
        assert opened.layout(layer) == written.layout(layer)
    assert f"at {path}" in repr(opened)


def test_it_is_a_plain_zarr_group_with_one_chunk_a_batch(images: Tensor, tmp_path: Path) -> None:
    record(network(), images, LAYERS, store=tmp_path / "r", batch_size=4)
    array = zarr.open_group(tmp_path / "r", mode="r")["0"]
    assert array.metadata.zarr_format == 3
    assert array.chunks == (4, 108)
    assert array.metadata.dimension_names == ("presentation", "neuroid")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r"]


def test_a_complete_recording_is_not_made_again(images: Tensor, tmp_path: Path) -> None:
    first = record(network(), images, LAYERS, store=tmp_path / "r")
    model = Looking(network())
    assert_same(record(model, images, LAYERS, store=tmp_path / "r"), first)
    assert model.shown == []


@pytest.mark.parametrize(
    ("batch_size", "shown"), [(3, [3, 1]), (2, [2, 1, 1]), (100, [3, 1]), (1, [1, 1, 1, 1])]
)
def test_an_interrupted_recording_is_gone_on_with(
    images: Tensor, tmp_path: Path, batch_size: int, shown: list[int]
) -> None:
    path = tmp_path / "r"
    cut_short(images, path, batches=2)
    with pytest.raises(UserError, match="cut short after 6 of 10 presentations; record with"):
        Recording.open(path)
    model, told = Looking(network()), []
    recording = record(
        model,
        images,
        LAYERS,
        store=path,
        batch_size=batch_size,
        progress=lambda *done: told.append(done),
    )
    assert model.shown == shown
    assert told[0] == (6 + shown[0], 10)
    assert told[-1] == (10, 10)
    assert_same(recording, record(network(), images, LAYERS))


def test_a_batch_that_was_written_but_not_marked_is_written_again(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mark = tmp_path / "r", store_module._mark

    def killed(folder: Path, finished: int) -> None:
        if finished == 6:
            raise KeyboardInterrupt
        mark(folder, finished)

    monkeypatch.setattr(store_module, "_mark", killed)
    with pytest.raises(KeyboardInterrupt):
        record(network(), images, LAYERS, store=path, batch_size=3)
    monkeypatch.undo()
    assert Store.open(path).finished == 3
    assert_same(record(network(), images, LAYERS, store=path), record(network(), images, LAYERS))


def test_a_batch_is_marked_only_after_all_its_data_are_written(tmp_path: Path) -> None:
    contents = Contents({}, {"a": (2,), "b": (3,)}, [2, 3], {"rule": "all"}, 4, 2, "float32")
    store = Store.create(tmp_path / "r", contents)
    answers = {"a": np.ones((2, 2), np.float32), "b": np.ones((2, 3), np.float32)}
    seen = []

    class Slow:
        def __setitem__(self, rows: slice, values: np.ndarray) -> None:
            seen.append(store.finished)
            if rows.start == 2:
                raise KeyboardInterrupt

    store.arrays["b"] = Slow()
    store.write(range(2), answers)
    with pytest.raises(KeyboardInterrupt):
        store.write(range(2, 4), answers)
    assert seen == [0, 2]
    assert store.finished == 2
    assert list(store.blocks()) == [range(2, 4)]


CHILD = """
import sys, time, torch
from torch import nn
from isocortex.recording import record

torch.set_num_threads(1)
torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(108, 4))
images = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def told(done, total):
    print(done, flush=True)
    time.sleep({pause})


record(network, images, ["0", "2"], store=sys.argv[1], batch_size=1, progress=told)
"""


def test_a_killed_process_loses_the_batches_in_hand_and_no_more(
    images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "r"
    command = [sys.executable, "-c", textwrap.dedent(CHILD).format(pause=0.2), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == 4:
                break
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    finished = Store.open(path).finished
    assert 2 <= finished < 10
    model = Looking(network())
    recording = record(model, images, LAYERS, store=path, batch_size=1)
    assert model.shown == [1] * (10 - finished)
    assert_same(recording, record(network(), images, LAYERS))


def test_killed_at_any_moment_it_ends_the_same(images: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "r"
    command = [sys.executable, "-c", textwrap.dedent(CHILD).format(pause=0), str(path)]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.003)
            os.kill(child.pid, signal.SIGKILL)
    recording = record(network(), images, LAYERS, store=path, batch_size=1)
    assert_same(recording, record(network(), images, LAYERS))
    assert not list(path.rglob("*.partial"))


FLAT = """
import sys, numpy as np, pandas as pd, psutil, torch
from torch import nn
from isocortex.recording import record
from isocortex.stimuli.stimulus_set import StimulusSet

torch.set_num_threads(1)
network = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU())


def peak_after(n):
    table = pd.DataFrame({"stimulus_id": np.arange(n)})
    grey = lambda rows: torch.full((len(rows), 1, 64, 64), 0.5)
    stimuli = StimulusSet(grey, table, shape=(1, 64, 64))
    sizes = []
    record(
        network,
        stimuli,
        ["0", "1"],
        store=f"{sys.argv[1]}/{n}",
        batch_size=8,
        progress=lambda done, total: sizes.append(psutil.Process().memory_info().rss),
    )
    return max(sizes)


print(peak_after(40), peak_after(400))
"""


def test_with_a_store_memory_is_flat_whatever_the_number_of_stimuli(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FLAT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    few, many = map(int, child.stdout.split())
    written = 400 * 2 * 16 * 64 * 64 * 4
    assert many - few < written / 10


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"model": network(1)}, "weights"),
        ({"model": nn.Sequential(*network(), nn.ReLU())}, "network"),
        ({"stimuli": torch.zeros(10, 1, 8, 8)}, "stimuli"),
        ({"stimuli": torch.zeros(9, 1, 8, 8)}, "stimuli"),
        ({"transform": lambda x: x.flip(-1)}, "transform or preprocessing"),
        ({"layers": ["2", "0"]}, "layers"),
        ({"dtype": "float16"}, "dtype"),
        ({"units": "centre"}, "units"),
        ({"units": "centre", "dtype": "float16"}, "dtype, units"),
    ],
)
@pytest.mark.parametrize("batches", [1, 4])
def test_a_store_of_something_else_is_refused(
    images: Tensor, tmp_path: Path, change: dict, what: str, batches: int
) -> None:
    path = tmp_path / "r"
    if batches < 4:
        cut_short(images, path, batches)
    else:
        record(network(), images, LAYERS, store=path)
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    arguments = {"model": network(), "stimuli": images, "layers": LAYERS, **change}
    with pytest.raises(UserError, match=rf"another recording \(other {what}\)"):
        record(store=path, **arguments)
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before


def test_batch_size_device_and_budget_are_no_part_of_a_recording(
    images: Tensor, tmp_path: Path
) -> None:
    cut_short(images, tmp_path / "r", 1)
    recording = record(
        network(),
        images,
        LAYERS,
        store=tmp_path / "r",
        batch_size=7,
        byte_budget=2**20,
        device=torch.device("cpu"),
    )
    assert recording.n_presentations == 10


def test_buffers_that_are_not_saved_count_as_weights(images: Tensor, tmp_path: Path) -> None:
    class Gain(nn.Module):
        def __init__(self, gain: float) -> None:
            super().__init__()
            self.register_buffer("gain", torch.tensor(gain), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.gain * x

    record(nn.Sequential(Gain(1.0)), images, "0", store=tmp_path / "r")
    with pytest.raises(UserError, match="other weights"):
        record(nn.Sequential(Gain(2.0)), images, "0", store=tmp_path / "r")


def test_addresses_in_a_printed_network_do_not_count(images: Tensor, tmp_path: Path) -> None:
    class Printed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.function = lambda x: x

        def extra_repr(self) -> str:
            return repr(self.function)

        def forward(self, x: Tensor) -> Tensor:
            return self.function(x)

    kept = nn.Sequential(Printed())
    first = record(kept, images, "0", store=tmp_path / "r")
    other = nn.Sequential(Printed())
    assert repr(kept) != repr(other)
    assert_same(record(other, images, "0", store=tmp_path / "r"), first)


def _file(path: Path) -> None:
    path.write_text("mine")


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("mine")


def _zarr(path: Path) -> None:
    zarr.create_group(path).create_array("x", shape=(2,), dtype="f4")


def _broken_metadata(path: Path) -> None:
    path.mkdir()
    (path / "zarr.json").write_text("{")


@pytest.mark.parametrize("make", [_file, _folder, _zarr, _broken_metadata])
def test_other_peoples_files_are_left_alone(
    images: Tensor, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "r"
    make(path)
    before = sorted(tmp_path.rglob("*"))
    for attempt in (
        lambda: record(network(), images, LAYERS, store=path),
        lambda: Recording.open(path),
    ):
        with pytest.raises(UserError, match="is not a recording; give another place"):
            attempt()
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_may_become_a_store(images: Tensor, tmp_path: Path) -> None:
    assert record(network(), images, LAYERS, store=tmp_path).path == tmp_path


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no recording at"):
        Recording.open(tmp_path / "missing")


def test_another_version(images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(network(), images, LAYERS, store=tmp_path / "r")
    monkeypatch.setattr(store_module, "FORMAT", store_module.FORMAT + 1)
    with pytest.raises(UserError, match="another version of isocortex"):
        Recording.open(tmp_path / "r")


@pytest.mark.parametrize("content", ["", "many", None])
def test_a_damaged_marker(images: Tensor, tmp_path: Path, content: str | None) -> None:
    record(network(), images, LAYERS, store=tmp_path / "r")
    marker = tmp_path / "r" / "finished"
    marker.unlink()
    if content is not None:
        marker.write_text(content)
    with pytest.raises(UserError, match="is damaged"):
        Recording.open(tmp_path / "r")


def test_a_place_that_cannot_be_written(images: Tensor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to .*; give another store"):
        record(network(), images, LAYERS, store=tmp_path / "file" / "r")


def test_a_disk_without_room(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Full)
    with pytest.raises(UserError, match=r"needs 4.375 KiB but .* has 1000 B free"):
        record(network(), images, LAYERS, store=tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_becomes_full_can_be_gone_on_with(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, mark = [], store_module._mark

    def full(folder: Path, finished: int) -> None:
        written.append(finished)
        if finished == 6:
            raise OSError(28, "No space left on device")
        mark(folder, finished)

    monkeypatch.setattr(store_module, "_mark", full)
    with pytest.raises(UserError, match="No space left on device"):
        record(network(), images, LAYERS, store=tmp_path / "r", batch_size=3)
    monkeypatch.undo()
    recording = record(network(), images, LAYERS, store=tmp_path / "r", batch_size=3)
    assert_same(recording, record(network(), images, LAYERS))


def test_a_chunk_that_is_lost_reads_as_nan_and_not_as_zeros(images: Tensor, tmp_path: Path) -> None:
    record(network(), images, LAYERS, store=tmp_path / "r", batch_size=5)
    (tmp_path / "r" / "0" / "c" / "1" / "0").unlink()
    assert np.isnan(Recording.open(tmp_path / "r")["0"]).any(1).tolist() == [False] * 5 + [True] * 5


def test_zeros_are_kept_as_zeros(tmp_path: Path) -> None:
    recording = record(nn.Sequential(nn.ReLU()), torch.zeros(3, 1, 2, 2), "0", store=tmp_path / "r")
    np.testing.assert_array_equal(recording["0"], np.zeros((3, 4), np.float32))


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1 GiB"), (3 * 2**42, "12 TiB")],
)
def test_sizes_for_people(n_bytes: int, text: str) -> None:
    assert size(n_bytes) == text
