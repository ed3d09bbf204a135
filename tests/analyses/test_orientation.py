"""`orientation` on filters whose tuning is known, against curves worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import wasserstein_distance

from isocortex.analyses.orientation import OrientationResult, orientation
from isocortex.analyses.orientation_figure import distributions, headline, over_layers
from isocortex.brains.orientation import FIELDS
from isocortex.cli import main
from isocortex.errors import UserError
from isocortex.measures.tuning import orientation_tuning
from isocortex.models import load_model, reestimate_batchnorm
from isocortex.report.style import figure_style
from isocortex.stimuli import pink_noise, small_gratings
from isocortex.stimuli.gratings import ORIENTATIONS

SIDE, ANGLES, FREQUENCY = 32, (0, 20, 45, 90, 135, 160), 0.13

SCRIPT = f"""
import torch
from torch import nn


class Net(nn.Sequential):
    input_shape = (1, {SIDE}, {SIDE})
    preprocess = staticmethod(lambda images: images - 0.5)


def net():
    torch.manual_seed(1)
    place = torch.arange(15.0) - 7
    x, y = place[None, None], place[None, :, None]
    angle = torch.tensor({ANGLES}).deg2rad().reshape(-1, 1, 1)
    wave = torch.cos(2 * torch.pi * {FREQUENCY} * (x * angle.sin() + y * angle.cos()))
    filters = wave * torch.exp(-(x**2 + y**2) / 32)
    filters = filters - filters.mean(dim=(1, 2), keepdim=True)
    net = Net(nn.Conv2d(1, 6, 15), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(),
              nn.Flatten(), nn.Linear(392, 30), nn.Softmax(dim=1))
    with torch.no_grad():
        net[0].weight.copy_(filters[:, None])
        net[0].bias.zero_()
        net[6].weight.normal_()
        net[6].bias.fill_(-100)
    return net
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a network, and a table of cells."""
    folder = tmp_path_factory.mktemp("orientation")
    (folder / "net.py").write_text(SCRIPT)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(dict.fromkeys(FIELDS.values(), 0.5), index=range(60))
    table = table.assign(
        animal=[f"m{i // 10}" for i in range(60)],
        unit=range(60),
        circular_variance=rng.beta(2, 2, 60),
        bandwidth_deg=rng.uniform(10, 40, 60),
        max_dc_spk_s=20.0,
        max_f1_spk_s=rng.uniform(0, 40, 60),
    )
    table.loc[59] = table.loc[58]
    table.loc[57, "max_dc_spk_s"] = 3.0
    table.to_csv(folder / "cells.csv", index=False)
    return folder


def run(folder: Path, **options: object) -> OrientationResult:
    return orientation(
        f"file:{folder / 'net.py'}:net",
        **{"cache": folder / "cache", "n_draws": 200, **options},  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def result(folder: Path) -> OrientationResult:
    return run(folder, reference=str(folder / "cells.csv"), random_seeds=2)


def test_filters_prefer_the_orientation_and_the_frequency_they_were_made_with(
    result: OrientationResult,
) -> None:
    units = result.tables["units"]
    first = units[(units["layer"] == "0") & (units["rule"] == "clip")]
    assert len(first) == 6 * 4
    expected = np.array(ANGLES)[first["channel"].to_numpy(int)]
    apart = (first["preferred"] - expected + 90) % 180 - 90
    assert apart.abs().max() < 3
    assert (first["frequency"] == FREQUENCY).all()
    assert first["bandwidth"].between(10, 45).all()
    np.testing.assert_allclose(first["modulation"], np.pi / 2, rtol=0.06)  # rectified, 8 phases
    assert np.isinf(first["diameter"]).all()
    assert set(zip(first["y"], first["x"], strict=True)) == {(8, 8), (8, 9), (9, 8), (9, 9)}


def test_variances_against_curves_worked_out_by_hand(
    folder: Path, result: OrientationResult
) -> None:
    model = load_model(f"file:{folder / 'net.py'}:net")
    shown = small_gratings(size=SIDE)
    with torch.inference_mode():
        maps = model.network[:2](shown.images() - 0.5)[:, :, 8:10, 8:10].double().numpy()
    table = shown.table
    units = result.tables["units"]
    for rule, grey in (("clip", 0.0), ("blanksub", maps[-1])):
        rates = np.maximum(maps - grey, 0)
        rows = units[(units["layer"] == "1") & (units["rule"] == rule)]
        for _, row in rows.iterrows():
            trace = pd.Series(rates[:-1, row["channel"], row["y"] - 8, row["x"] - 8])
            curves = trace.groupby([table["condition"][:-1], table["orientation"][:-1]]).mean()
            curves = curves.unstack()
            curve = curves.loc[curves.max(axis=1).idxmax()]
            angle = np.deg2rad(curve.index.to_numpy())
            cv = 1 - abs((curve * np.exp(2j * angle)).sum()) / curve.sum()
            assert row["circular_variance"] == pytest.approx(cv, abs=1e-5)
    medians = result.tables["layers"].query("network == 'given' and layer == '1'")
    clip, blank = medians.set_index("rule")["cv_median"][["clip", "blanksub"]]
    assert clip > blank + 0.2  # a sigmoid never falls silent


BATCH_SCRIPT = f"""
from torch import nn


class Net(nn.Sequential):
    input_shape = (1, {SIDE}, {SIDE})
    preprocess = staticmethod(lambda images: 4 * images - 1)


def net():
    return Net(nn.Conv2d(1, 6, 7), nn.BatchNorm2d(6), nn.ReLU())
"""


def test_batch_statistics_of_random_weights_are_estimated(folder: Path) -> None:
    (folder / "batch.py").write_text(BATCH_SCRIPT)
    name = f"file:{folder / 'batch.py'}:net"
    found = orientation(name, weights="random", layers="2", random_seeds=0, seed=3).tables["units"]
    model = load_model(name, "random", seed=3)
    shown = small_gratings(size=SIDE)

    def variances() -> np.ndarray:
        with torch.inference_mode():
            maps = model.network(model.preprocess(shown.images()))[:, :, 12:14, 12:14]
        curves = maps[:-1].flatten(1).view(4, 12, 8, -1)
        return orientation_tuning(curves.numpy(), ORIENTATIONS).circular_variance

    stale = variances()
    reestimate_batchnorm(model.network, model.preprocess(pink_noise(16, SIDE)))
    clip = found[found["rule"] == "clip"]["circular_variance"]
    np.testing.assert_allclose(clip, variances(), atol=1e-5)
    assert np.nanmax(np.abs(clip - stale)) > 0.05


def test_distances_are_those_of_the_units_listed(folder: Path, result: OrientationResult) -> None:
    layers, units = result.tables["layers"], result.tables["units"]
    cells = pd.read_csv(folder / "cells.csv").drop(index=[57, 59])["circular_variance"]
    reference = result.tables["reference"].iloc[0]
    assert (reference["n_cells"], reference["n_animals"]) == (58, 6)
    assert (reference["duplicates_left_out"], reference["unresponsive_left_out"]) == (1, 1)
    assert reference["cv_mean"] == pytest.approx(cells.mean())
    assert 0 < reference["floor_mean"] < reference["floor_p95"]
    for key, part in units.groupby(["layer", "rule"]):
        own = layers[layers["network"] == "given"].set_index(["layer", "rule"])
        row = own.loc[key]
        values = part["circular_variance"].dropna()
        assert row["n_units"] == len(values)
        assert row["n_silent"] == part["silent"].sum()
        if len(values):
            expected = wasserstein_distance(values, cells)
            assert row["wasserstein"] == pytest.approx(expected, abs=1e-5)
            assert row["wasserstein_low"] <= row["wasserstein_high"]
            assert row["cv_median"] == pytest.approx(values.median(), abs=1e-6)
    twins = layers[layers["network"] != "given"]
    assert set(twins["network"]) == {"random 1", "random 2"}
    assert len(layers) == 3 * 2 * 8
    shares = result.tables["distributions"]
    totals = shares.groupby(["network", "layer", "rule"])["count"].sum()
    assert totals["recorded", "", ""] == 58
    assert totals["given", "0", "clip"] == 24


def test_silent_layers_have_no_distance(result: OrientationResult) -> None:
    dead = result.tables["layers"].query("network == 'given' and layer == '6' and rule == 'clip'")
    assert dead["n_silent"].item() == 30
    assert dead["wasserstein"].isna().all()
    assert any("are 0 throughout" in warning for warning in result.warnings)


def test_it_is_cached_and_says_how_it_came_about(folder: Path, result: OrientationResult) -> None:
    again = run(folder, reference=str(folder / "cells.csv"), random_seeds=2)
    assert all(t["from_cache"] for t in again.provenance["timings"])
    for name, table in result.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    provenance = result.provenance
    assert provenance["layers"] == [str(i) for i in range(8)]
    assert provenance["image_px"] == SIDE
    assert len(provenance["checksums"]["reference"]) == 64
    assert provenance["seeds_of_random_weights"] == [0, 1]
    assert json.dumps(provenance)


def test_without_recorded_cells_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOCORTEX_DATA", raising=False)
    alone = run(folder, layers="0,4", random_seeds=0)
    assert "reference" not in alone.tables
    assert "wasserstein" not in alone.tables["layers"]
    assert alone.tables["layers"]["cv_median"].notna().any()
    assert any("are absent, as no data folder is named" in w for w in alone.warnings)
    assert alone.provenance["reference"] == "absent"
    assert not any("its control" in w for w in alone.warnings)
    with figure_style():
        assert "absent" in headline(alone.tables, "net")
        assert len(over_layers(alone.tables, "net").axes) == 1
        distributions(alone.tables, "net")
    empty = folder / "empty"
    empty.mkdir()
    lacking = run(folder, layers="0", random_seeds=0, data=empty)
    assert any("lacks them" in w for w in lacking.warnings)


def test_figures_hold_every_layer(result: OrientationResult) -> None:
    with figure_style():
        figure = over_layers(result.tables, "net")
        figure.canvas.draw()
        _, distances = figure.axes
        assert [t.get_text() for t in distances.get_xticklabels()] == [str(i) for i in range(8)]
        assert "Wasserstein" in distances.get_ylabel()
        second = distributions(result.tables, "net")
        second.canvas.draw()
        shown = [n for n in "01234567" if len(_of(result, n, "clip")) >= 20]
        assert len(second.axes[0].get_lines()) == len(shown) + 1
    assert "(clip, distance " in headline(result.tables, "net")


def _of(result: OrientationResult, layer: str, rule: str) -> pd.Series:
    units = result.tables["units"]
    chosen = units[(units["layer"] == layer) & (units["rule"] == rule)]
    return chosen["circular_variance"].dropna()


def test_the_command_writes_tables_figures_and_provenance(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "orientation", f"file:{folder / 'net.py'}:net", "--layers", "0,4", "--random", "0",
        "--reference", str(folder / "cells.csv"), "--draws", "50", "--cache",
        str(folder / "cache"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(arguments) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split("\t")[:3] == ["layer", "rule", "units"]
    assert len(lines) == 1 + 4 + 1
    assert lines[-1].startswith("recorded (6 animals)")
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == {"figures", "tables", "provenance.json"}
    assert sorted(p.name for p in (out / "figures").glob("*.png")) == [
        "distributions.png", "over_layers.png",
    ]  # fmt: skip
    table = pd.read_csv(out / "tables" / "layers.csv")
    assert list(table["layer"].astype(str).unique()) == ["0", "4"]
    assert json.loads((out / "provenance.json").read_text())["analysis"] == "orientation"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stimuli": "bars"}, "unknown set of gratings 'bars'"),
        ({"stimuli": "marques2020"}, "takes images of 32 px, too few"),
        ({"contrast": 2.0}, "above 0 and at most 1"),
        ({"random_seeds": -1}, "0 leaves out"),
        ({"n_draws": 0}, "n_draws is 0"),
        ({"layers": "9"}, "unknown layer"),
        ({"reference": "nowhere.csv"}, "No such file"),
        ({"reference": "v1"}, "unknown recording 'v1'"),
    ],
)
def test_mistakes_get_one_line(folder: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run(folder, **options)
    assert "\n" not in str(caught.value)
