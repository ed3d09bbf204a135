"""The importer of Brain-Score assemblies, on small files written here and damaged ones."""

from __future__ import annotations

import functools
import hashlib
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.brains import brainscore_files as files

from isocortex.brains import Card, load, public_assemblies, read_brainscore, read_public
from isocortex.brains.public_assemblies import PUBLIC, PublicAssembly
from isocortex.errors import UserError


def sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@pytest.fixture
def written(tmp_path: Path) -> files.Written:
    return files.write(tmp_path)


def by_hand(recorded: xr.DataArray, start: int, end: int, order: list[str]) -> np.ndarray:
    """Mean over bins, then over repetitions, with loops."""
    means = np.empty((len(order), recorded.sizes["neuroid"]))
    for i, stimulus in enumerate(order):
        for j in range(means.shape[1]):
            seen = [
                [
                    float(recorded.values[p, j, t])
                    for t in range(recorded.sizes["time_bin"])
                    if recorded["time_bin_start"][t] >= start and recorded["time_bin_end"][t] <= end
                ]
                for p in range(recorded.sizes["presentation"])
                if recorded["stimulus_id"].values[p] == stimulus
            ]
            means[i, j] = np.mean([np.mean(s) for s in seen])
    return means


def test_means_over_bins_and_repetitions(written: files.Written) -> None:
    a = read_brainscore(*written.paths, window=(50, 150), degrees=8, card=Card("toy"))
    order = list(a.presentations["stimulus_id"])
    assert sorted(order) == [f"im{i}" for i in range(5)]  # the sixth was never shown
    np.testing.assert_allclose(
        a.responses.values, by_hand(written.array, 50, 150, order), rtol=1e-5
    )
    assert a.trials is not None
    assert a.trials.shape == (3, 5, 4)
    assert np.isnan(a.trials.values).sum() == 4  # one presentation of four neuroids is missing
    assert a.card.notes == {"window_ms": [50, 150]}
    assert list(a.units.columns) == ["neuroid_id", "region", "x"]
    assert list(a.units["region"]) == ["V4", "IT", "V4", "IT"]
    assert "objectname" in a.presentations
    assert "unnamed_0" not in a.presentations
    assert a.stimuli is not None
    assert a.stimuli.degrees == 8
    for image, stimulus in zip(a.stimuli.images(), order, strict=True):
        assert float(image.mean() * 255) == pytest.approx(40 * int(stimulus[2:]))
    assert np.isfinite(a.reliability(n_splits=5).values).all()


def test_region_and_saving(written: files.Written, tmp_path: Path) -> None:
    a = read_brainscore(*written.paths, window=(50, 200), region="IT")
    assert list(a.units["neuroid_id"]) == ["Chabo_2", "Tito_2"]
    whole = read_brainscore(*written.paths, window=(50, 200))
    np.testing.assert_array_equal(a.responses.values, whole.responses.values[:, [1, 3]])
    assert type(a).load(a.save(tmp_path / "saved")).responses.identical(a.responses)


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.float64])
def test_spikes_of_any_kind_are_numbers(tmp_path: Path, kind: type) -> None:
    recorded = (files.array() > 0).astype(kind)
    recorded["time_bin_start"].attrs["units"] = "ms"  # a number, not a duration
    a = read_brainscore(*files.write(tmp_path, recorded).paths, window=(50, 200))
    order = list(a.presentations["stimulus_id"])
    np.testing.assert_allclose(a.responses.values, by_hand(recorded, 50, 200, order), rtol=1e-6)


def test_blocks_do_not_change_anything(
    written: files.Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_brainscore(*written.paths, window=(50, 200))
    monkeypatch.setattr("isocortex.brains.brainscore._BLOCK_BYTES", 100)
    assert read_brainscore(*written.paths, window=(50, 200)).responses.identical(whole.responses)


def test_legacy_names_and_a_single_bin(tmp_path: Path) -> None:
    recorded = files.array(bins=np.array([70]), repetitions=1)[:, :, :]
    recorded = recorded.isel(time_bin=slice(0, 1)).rename({"stimulus_id": "image_id"})
    written = files.write(tmp_path, recorded.transpose("neuroid", "time_bin", "presentation"))
    table = pd.read_csv(written.stimuli).rename(columns={"stimulus_id": "image_id"})
    table.to_csv(written.stimuli, index=False)
    a = read_brainscore(*written.paths)
    assert a.trials is None
    assert a.shape == (4, 4)
    place = [list(recorded["image_id"].values).index(s) for s in a.presentations["stimulus_id"]]
    np.testing.assert_array_equal(a.responses.values, recorded.values[place, :, 0])
    squeezed = recorded.isel(time_bin=0, drop=True)
    (tmp_path / "flat").mkdir()
    flat = files.write(tmp_path / "flat", squeezed)
    assert read_brainscore(*flat.paths).shape == (4, 4)


def test_checksums(written: files.Written) -> None:
    right = [sha1(p) for p in written.paths]
    read_brainscore(*written.paths, window=(50, 200), sha1=right)
    for i in range(3):
        wrong = [*right[:i], "0" * 40, *right[i + 1 :]]
        with pytest.raises(UserError, match="sha1") as caught:
            read_brainscore(*written.paths, window=(50, 200), sha1=wrong)
        assert str(written.paths[i]) in str(caught.value)


def _truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # inside the first compressed image
    path.write_bytes(bytes(content))


def _entry(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, files.png(1))

    return add


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(2**26 + 1))


def _without_image(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("im0.png", files.png(1))


def _odd_image(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(6):
            archive.writestr(f"im{i}.png", b"GIF?")


def _column(name: str) -> Callable[[Path], None]:
    return lambda path: pd.read_csv(path).drop(columns=name).to_csv(path, index=False)


def _fewer_rows(path: Path) -> None:
    pd.read_csv(path).query("stimulus_id != 'im3'").to_csv(path, index=False)


def _twice(path: Path) -> None:
    table = pd.read_csv(path)
    pd.concat([table, table[:1]]).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("which", "damage", "message"),
    [
        (0, Path.unlink, "no file"),
        (0, _truncate, "netCDF-4"),
        (0, lambda p: p.write_bytes(b""), "netCDF-4"),
        (0, lambda p: p.write_bytes(b"CDF\x01 classic"), "netCDF-4"),
        (1, lambda p: p.write_bytes(b""), "CSV"),
        (1, lambda p: p.write_bytes(b"\xff\xfe\x00\x00"), "CSV"),
        (1, lambda p: p.write_text("stimulus_id,filename\n"), "no rows"),
        (1, _column("filename"), "lacks the column filename"),
        (1, _column("stimulus_id"), "lacks the column stimulus_id"),
        (1, _fewer_rows, "lacks stimulus 'im3'"),
        (1, _twice, "two rows"),
        (2, Path.unlink, "no file"),
        (2, _truncate, "intact copy"),
        (2, _flip, "intact copy"),
        (2, _entry("../evil.png"), "leads out"),
        (2, _entry("/etc/evil.png"), "leads out"),
        (2, _entry("a/../../evil.png"), "leads out"),
        (2, _entry("C:evil.png"), "leads out"),
        (2, _bomb, "no image for here"),
        (2, _without_image, "images are missing"),
        (2, _odd_image, "as an image"),
    ],
)
def test_damaged_files_are_one_line(
    written: files.Written, tmp_path: Path, which: int, damage: Callable, message: str
) -> None:
    damage(written.paths[which])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message) as caught:
        read_brainscore(*written.paths, window=(50, 200))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def _with_nan(recorded: xr.DataArray) -> xr.DataArray:
    recorded = recorded.copy(deep=True)
    recorded[3, 2, 1] = np.nan
    return recorded


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda a: a.drop_vars("stimulus_id"), {}, "lacks the coordinate stimulus_id"),
        (lambda a: a.drop_vars("neuroid_id"), {}, "lacks the coordinate neuroid_id"),
        (lambda a: a.drop_vars("time_bin_end"), {}, "lacks the coordinate time_bin_end"),
        (lambda a: a.drop_vars("region"), {"region": "IT"}, "lacks the coordinate region"),
        (lambda a: a, {"region": "it"}, "did you mean IT"),
        (lambda a: a, {"window": None}, "3 time bins from 50 to 200 ms"),
        (lambda a: a, {"window": (60, 90)}, "no time bin"),
        (lambda a: a[:, :, [0, 2, 1]], {"window": (50, 150)}, "not in order"),
        (lambda a: a.rename(neuroid="unit"), {}, "holds 0 arrays"),
        (lambda a: a.rename(time_bin="time"), {}, "holds 1 arrays"),
        (lambda a: a.astype(str), {}, "numbers are needed"),
        (_with_nan, {}, "1 of 4 neuroids have NaN responses, first 'Tito_1'"),
        (lambda a: a * np.nan, {"nan": "drop"}, "4 of 4"),
        (lambda a: a, {"nan": "ignore"}, "unknown NaN policy"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(
    tmp_path: Path, change: Callable, options: dict, message: str
) -> None:
    written = files.write(tmp_path, change(files.array()))
    with pytest.raises(UserError, match=message) as caught:
        read_brainscore(*written.paths, **{"window": (50, 200), **options})
    assert "\n" not in str(caught.value)


def test_neuroids_with_nan_are_dropped_and_counted(tmp_path: Path) -> None:
    written = files.write(tmp_path, _with_nan(files.array()))
    a = read_brainscore(*written.paths, window=(50, 200), nan="drop")
    assert list(a.units["neuroid_id"]) == ["Chabo_1", "Chabo_2", "Tito_2"]
    assert a.card.notes["dropped_neuroids"] == 1


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(
    written: files.Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Serve the files as the public storage would; yield the folder that is served."""
    store = tmp_path / "store"
    store.mkdir()
    for path in written.paths:
        shutil.move(path, store / path.name)
    served = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(store)))
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    names = tuple(p.name for p in written.paths)
    sums = tuple(sha1(store / n) for n in names)
    entry = PublicAssembly(names, sums, (50, 200), 8.0, ("V4", "IT"), Card("toy"), "v1")  # type: ignore[arg-type]
    monkeypatch.setitem(PUBLIC, "toy", entry)
    monkeypatch.setattr(
        public_assemblies, "BASE_URL", f"http://127.0.0.1:{served.server_address[1]}/"
    )
    yield store
    served.shutdown()
    thread.join()
    served.server_close()


def test_public_files_are_fetched_only_when_asked(server: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(UserError, match="download=True") as caught:
        read_public("toy", cache)
    assert "assy.nc" in str(caught.value)
    assert not cache.exists()
    a = read_public("toy", cache, download=True, region="IT")
    assert a.shape == (5, 2)
    assert a.card.name == "toy"
    assert sorted(p.name for p in cache.iterdir()) == ["assy.nc", "set.csv", "set.zip"]
    shutil.rmtree(server)
    assert read_public("toy", cache).shape == (5, 4)  # found again without the network


def test_a_wrong_or_missing_download_leaves_nothing(server: Path, tmp_path: Path) -> None:
    (server / "assy.nc").write_bytes(b"something else")
    cache = tmp_path / "cache"
    with pytest.raises(UserError, match=r"cannot fetch assy\.nc") as caught:
        read_public("toy", cache, download=True)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []
    (server / "assy.nc").unlink()
    with pytest.raises(UserError, match=r"cannot fetch assy\.nc"):
        read_public("toy", cache, download=True)
    assert list(cache.iterdir()) == []


def test_fetched_assemblies_have_a_name(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    with pytest.raises(UserError, match="download=True"):
        load("toy.IT")
    read_public("toy", download=True)
    assert load("toy.IT").shape == (5, 2)
    assert load("toy").shape == (5, 4)
    with pytest.raises(UserError, match="unknown region 'V9'"):
        load("toy.V9")


def test_public_names() -> None:
    assert set(PUBLIC) == {"MajajHong2015", "FreemanZiemba2013"}
    for entry in PUBLIC.values():
        assert all(len(s) == 40 for s in entry.sha1)
    with pytest.raises(UserError, match="did you mean MajajHong2015"):
        read_public("majajhong")
    with pytest.raises(UserError, match="unknown region 'V1'"):
        read_public("MajajHong2015", region="V1")
