"""`encode` on a population that reads out a known layer, against ridge written out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import Ridge, RidgeCV

from isocortex.analyses.encode import EncodeResult, chosen_layers, default_weights, encode
from isocortex.analyses.encode_figure import scores_over_layers
from isocortex.analyses.encode_page import page
from isocortex.analyses.encode_steps import ScaledGrams, pixel_gram, presented, scaled
from isocortex.analyses.encode_tables import ceiling_table
from isocortex.brains import Assembly, Card
from isocortex.cli import main
from isocortex.errors import UserError
from isocortex.measures.encoding import brain_score, k_fold
from isocortex.measures.encoding.ridge import ALPHAS
from isocortex.models import load_model, save_weights
from isocortex.report.style import THEMES, figure_style
from isocortex.stimuli import StimulusSet

N, SIDE, NEUROIDS, REPETITIONS = 150, 12, 9, 6

SCRIPT = """
import torch
from torch import nn


class Net(nn.Sequential):
    input_shape = (3, 12, 12)


def net():
    torch.manual_seed(3)
    net = Net(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 6, 5), nn.ReLU(), nn.Flatten(),
              nn.Linear(96, 10))
    nn.init.normal_(net[0].weight, std=0.4)
    nn.init.normal_(net[0].bias, std=0.4)
    nn.init.normal_(net[2].weight, std=0.4)
    return net
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a network, and assemblies that read out its layer 3."""
    folder = tmp_path_factory.mktemp("encode")
    (folder / "net.py").write_text(SCRIPT)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((N, 3, SIDE, SIDE), dtype=np.float32))
    model = load_model(f"file:{folder / 'net.py'}:net")
    with torch.no_grad():
        features = model.network[:4](model.preprocess(images)).flatten(1).double().numpy()
    signal = features @ rng.normal(size=(features.shape[1], NEUROIDS))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    trials = signal + rng.normal(size=(REPETITIONS, N, NEUROIDS))
    stimuli = StimulusSet.from_tensor(images)
    card = Card("teacher", licence="none", citation="nobody")
    Assembly(trials=trials, stimuli=stimuli, card=card).save(folder / "repeated")
    Assembly(trials.mean(axis=0), stimuli=stimuli, card=card).save(folder / "once")
    Assembly(trials.mean(axis=0), card=card).save(folder / "blind")
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> EncodeResult:
    return run(folder, "repeated", layers="0, 1,3, 5", random_seeds=2)


def run(folder: Path, dataset: str, **options: object) -> EncodeResult:
    return encode(
        f"file:{folder / 'net.py'}:net",
        str(folder / dataset),
        **{"cache": folder / "cache", "n_resamples": 200, **options},  # type: ignore[arg-type]
    )


def rows(result: EncodeResult, network: str) -> pd.DataFrame:
    table = result.tables["layers"]
    return table[table["network"] == network].set_index("layer")


def test_the_layer_that_is_read_out_is_found_and_reaches_the_ceiling(result: EncodeResult) -> None:
    given, first = rows(result, "given"), rows(result, "random 1")
    assert list(given.index) == ["0", "1", "3", "5", "nested choice"]
    assert given["r"].drop("nested choice").idxmax() == "3"
    nested = given.loc["nested choice"]
    assert nested["r"] == pytest.approx(given.loc["3", "r"], abs=0.02)
    assert nested["normalised"] > 0.75
    assert nested["low"] < nested["r"] < nested["high"] <= 1
    assert nested["ceiling_low"] <= nested["ceiling"] <= nested["ceiling_high"]
    # Six trials of signal and noise of equal variance: r of the mean with the signal is (6/7)^.5.
    assert nested["ceiling"] == pytest.approx((6 / 7) ** 0.5, abs=0.04)
    assert nested["over_random_low"] > 0
    twins = [first.loc["3", "r"], rows(result, "random 2").loc["3", "r"]]
    assert given.loc["3", "over_random"] == pytest.approx(given.loc["3", "r"] - np.mean(twins))
    pixels = rows(result, "pixels 14 x 14")["r"].iloc[0]
    assert given.loc["3", "over_pixels"] == pytest.approx(given.loc["3", "r"] - pixels)
    assert given["over_pixels"].loc["3"] > 0
    choice = result.tables["choice"]
    assert (choice[choice["network"] == "given"]["layer"] == "3").all()
    assert given.loc["0", "n_units"] == 8 * 64
    assert (given["n_neuroids"] == NEUROIDS).all()
    assert (given["n_dropped"] == 0).all()


def by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """Median over neuroids of r, mean over folds; one penalty a neuroid by leaving out each."""
    x = (x - x.mean(axis=0)) / np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean())
    folds = []
    for train, test in k_fold(len(x), 5, seed=0):
        scores = []
        for t in range(y.shape[1]):
            model = RidgeCV(ALPHAS).fit(x[train], y[train, t])
            best = Ridge(model.alpha_, solver="svd").fit(x[train], y[train, t])
            scores.append(np.corrcoef(best.predict(x[test]), y[test, t])[0, 1])
        folds.append(np.median(scores))
    return float(np.mean(folds))


def test_one_score_against_scikit_learn(folder: Path, result: EncodeResult) -> None:
    model = load_model(f"file:{folder / 'net.py'}:net")
    assembly = Assembly.load(folder / "repeated")
    assert assembly.stimuli is not None
    with torch.no_grad():
        features = model.network(model.preprocess(assembly.stimuli.images())).double().numpy()
    expected = by_hand(features, assembly.responses.to_numpy())
    assert rows(result, "given").loc["5", "r"] == pytest.approx(expected, abs=1e-4)


def test_normalised_scores_by_hand(result: EncodeResult) -> None:
    neuroids = result.tables["neuroids"]
    own = neuroids[(neuroids["network"] == "given") & (neuroids["layer"] == "3")]
    ceilings = result.tables["ceilings"]
    np.testing.assert_allclose(ceilings["ceiling"], np.sqrt(ceilings["reliability"]))
    np.testing.assert_allclose(own["normalised"], own["r"] / ceilings["ceiling"].to_numpy())
    row = rows(result, "given").loc["3"]
    assert row["normalised"] == pytest.approx(own["normalised"].median(), abs=0.05)
    consistency = ceilings["reliability"].median()
    assert row["brainscore_2024"] == pytest.approx((row["r"] / consistency) ** 2)
    assert row["brainscore_2026"] == pytest.approx(row["r"] ** 2 / consistency)
    assert own["feve"].median() == pytest.approx(row["feve"])
    assert 0.5 < row["feve"] < 1.1


def test_a_second_call_comes_from_the_cache(folder: Path, result: EncodeResult) -> None:
    again = run(folder, "repeated", layers="0, 1,3, 5", random_seeds=2, batch_size=7)
    assert all(step["from_cache"] for step in again.provenance["timings"])
    for name, table in result.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_without_repetitions_scores_are_raw(folder: Path) -> None:
    result = run(folder, "once", layers="1,3", random_seeds=0, method="pls", n_components=5)
    assert "ceilings" not in result.tables
    table = rows(result, "given")
    assert {"normalised", "ceiling", "over_random"}.isdisjoint(table.columns)
    assert (table["n_components"].drop("nested choice") == 5).all()
    assert any("no single repetitions" in line for line in result.warnings)


def test_the_protocol_of_brain_score(folder: Path) -> None:
    made = run(folder, "repeated", layers="3", random_seeds=0, method="brainscore")
    model = load_model(f"file:{folder / 'net.py'}:net")
    assembly = Assembly.load(folder / "repeated")
    assert assembly.stimuli is not None
    assert assembly.trials is not None
    with torch.no_grad():
        x = model.network[:4](model.preprocess(assembly.stimuli.images())).flatten(1).numpy()
    trials = assembly.trials.to_numpy()
    expected = brain_score(x, assembly.responses.to_numpy(), repetitions=trials)
    row = rows(made, "given").loc["3"]
    assert row["r"] == pytest.approx(expected.raw, abs=1e-3)
    assert row["brainscore_2026"] == pytest.approx(expected.score_2026, rel=0.02)
    assert row["brainscore_2024"] == pytest.approx(expected.score_2024, rel=0.03)
    assert row["n_components"] == 25
    assert 0.3 < row["feve"] < 1.1


def test_weights_of_a_checkpoint_are_used_and_its_contents_are_in_the_key(folder: Path) -> None:
    name = f"file:{folder / 'net.py'}:net"
    path = folder / "weights.safetensors"
    options = {"layers": "3", "random_seeds": 0}
    found = []
    for seed in (5, 6):
        save_weights(load_model(name, "random", seed=seed).network, path)
        made = encode(
            name, str(folder / "once"), weights=str(path), cache=folder / "cache",
            n_resamples=20, **options,  # type: ignore[arg-type]
        )  # fmt: skip
        found.append(rows(made, "given").loc["3", "r"])
    text = page(made)
    assert "| weights | weights.safetensors (SHA-256 " in text
    assert str(path) not in text
    random = encode(
        name, str(folder / "once"), weights="random", seed=6, n_resamples=20, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    assert found[0] != found[1]
    # The folds are those of another seed; the weights are the same.
    assert found[1] == pytest.approx(rows(random, "given").loc["3", "r"], abs=0.1)
    assert any("random weights" in line for line in random.warnings)


def test_random_twins_are_other_networks_than_a_random_network(folder: Path) -> None:
    name, once = f"file:{folder / 'net.py'}:net", str(folder / "once")
    made = encode(name, once, weights="random", layers="3", n_resamples=20, cache=folder / "cache")
    assert made.provenance["seeds_of_random_weights"] == [1]
    assert rows(made, "given").loc["3", "r"] != rows(made, "random 1").loc["3", "r"]


def test_pure_noise_is_not_predicted(folder: Path) -> None:
    rng = np.random.default_rng(1)
    stimuli = Assembly.load(folder / "once").stimuli
    noise = Assembly(rng.normal(size=(N, 40)), stimuli=stimuli, card=Card("noise"))
    noise.save(folder / "noise")
    made = run(folder, "noise", layers="0,3", random_seeds=1, how="mean")
    assert (made.tables["layers"]["r"].abs() < 0.08).all()
    given = rows(made, "given")
    assert (given["over_random_low"] <= 0.05).all()


def test_constant_neuroids_are_dropped_and_counted(folder: Path) -> None:
    once = Assembly.load(folder / "once")
    responses = once.responses.to_numpy().copy()
    responses[:, 2] = 1.5
    Assembly(responses, stimuli=once.stimuli, card=once.card).save(folder / "constant")
    made = run(folder, "constant", layers="3", random_seeds=0)
    assert rows(made, "given").loc["3", "n_dropped"] == 1
    assert any("1 neuroids do not vary" in line for line in made.warnings)


def test_stimuli_are_drawn(folder: Path) -> None:
    drawn = presented(str(folder / "once"), None, 40, 0)
    assert len(drawn) == 40
    ids = list(Assembly.load(folder / "once").presentations["stimulus_id"])
    positions = [ids.index(i) for i in drawn.presentations["stimulus_id"]]
    assert positions == sorted(positions)
    with pytest.raises(UserError, match="has 150 presentations, not 151"):
        presented(str(folder / "once"), None, 151, 0)


def test_pixels_are_means_over_areas() -> None:
    images = torch.rand((7, 3, 28, 28), generator=torch.Generator().manual_seed(0))
    made = pixel_gram(StimulusSet.from_tensor(images), 14, "centre")
    x = images.reshape(7, 3, 14, 2, 14, 2).mean((3, 5)).flatten(1).double().numpy()
    x -= x.mean(axis=0)
    np.testing.assert_allclose(made, x @ x.T, atol=1e-4)
    grams = ScaledGrams({"a": made, "flat": np.zeros((7, 7))})
    assert float(grams["a"].diagonal().mean()) == pytest.approx(1)
    assert float(scaled(np.zeros((3, 3))).sum()) == 0
    assert list(grams) == ["a", "flat"]
    assert len(grams) == 2


def test_unreliable_neuroids_have_no_ceiling() -> None:
    rng = np.random.default_rng(2)
    trials = rng.normal(size=(4, 60, 30))
    table = ceiling_table(Assembly(trials=trials, card=Card("noise")), 0)
    assert table is not None
    below = table["reliability"] <= 0
    assert below.any()
    assert table["ceiling"][below].isna().all()
    assert ceiling_table(Assembly(trials.mean(axis=0), card=Card("noise")), 0) is None


def test_layers_by_name_and_pattern(folder: Path) -> None:
    model = load_model(f"file:{folder / 'net.py'}:net")
    assert chosen_layers(model, "all") == list(model.layers)
    assert chosen_layers(model, "3, [01]") == ["0", "1", "3"]
    with pytest.raises(UserError, match="unknown layer '9'"):
        chosen_layers(model, ["0", "9"])
    with pytest.raises(UserError, match="no layer is named"):
        chosen_layers(model, " , ")


def test_weights_where_none_are_named() -> None:
    assert default_weights("torchvision:alexnet") == "pretrained"
    assert default_weights("isocortex:half") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lasso"}, "unknown method 'lasso'"),
        ({"scaling": "rank"}, "unknown scaling"),
        ({"how": "best"}, "unknown aggregation"),
        ({"random_seeds": -1}, "0 leaves out"),
        ({"n_resamples": 0}, "n_resamples is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"folds": 80}, "80 folds of 150 stimuli"),
        ({"layers": "features.1"}, "unknown layer"),
        ({"device": "toaster"}, "cannot be used here"),
        ({"weights": "nowhere.pt"}, "unknown weights"),
    ],
)
def test_bad_requests(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(folder, "once", **options)


def test_recordings_that_no_network_can_be_shown(folder: Path) -> None:
    with pytest.raises(UserError, match="comes without its images"):
        run(folder, "blind")
    with pytest.raises(UserError, match="objects92 holds no responses"):
        encode(f"file:{folder / 'net.py'}:net", "objects92")


@pytest.mark.parametrize("theme", THEMES)
def test_the_figure(result: EncodeResult, theme: str) -> None:
    with figure_style(theme):
        figure = scores_over_layers(result.tables, "net", "teacher")
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    title = axes.get_title(loc="left")
    assert title.startswith("net predicts teacher with r = 0.")
    assert "random weights" in title
    assert "ceiling" in title
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"network", "random weights, mean of 2", "ceiling", "pixels", "pixels 14 x 14"} == labels


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "result"
    command = [
        "encode", f"file:{folder / 'net.py'}:net", str(folder / "repeated"), "--layers", "1,3",
        "--resamples", "50", "--cache", str(tmp_path / "cache"), "--out", str(out),
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr()
    assert "network: Grams of 2 layers, 150 presentations" in said.err
    lines = said.out.splitlines()
    assert lines[0].split("\t")[:4] == ["layer", "r", "r / ceiling", "ceiling"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["1", "3", "nested choice"]
    names = ["figures", "provenance.json", "summary.md", "tables"]
    assert sorted(p.name for p in out.iterdir()) == names
    text = (out / "summary.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {command[1]} predicts ")
    assert f"| {' | '.join(lines[1].split(chr(9)))} |" in text  # the same rows as printed
    assert "| given | 3 | 5 |" in text
    assert (out / "figures" / "scores_over_layers.png").stat().st_size > 10_000
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["model"] == command[1]
    assert torch.__version__.startswith(provenance["versions"]["torch"])
    assert provenance["licence"] == "none"
    table = pd.read_csv(out / "tables" / "layers.csv", keep_default_na=False)
    assert set(table["network"]) == {"given", "random 1", "pixels 14 x 14", "pixels"}
    assert main(command) == 0  # its own result is replaced
    assert "Grams of" not in capsys.readouterr().err


def test_the_command_writes_nothing_by_halves(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    name = f"file:{folder / 'net.py'}:net"
    kept = ["--cache", str(tmp_path / "cache"), "--out"]
    assert main(["encode", name, str(folder / "once"), *kept, str(tmp_path / "mine")]) == 2
    assert "is not replaced" in capsys.readouterr().err
    assert main(["encode", name, "v4", *kept, str(tmp_path / "new")]) == 2
    assert "unknown recording 'v4'" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "mine"]


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["ridge", "pls"])
def test_on_cuda(folder: Path, method: str) -> None:
    options = {"layers": "1,3", "random_seeds": 1, "method": method, "n_components": 5}
    here = run(folder, "once", cache=None, **options)
    there = run(folder, "once", cache=None, device="cuda", **options)
    for column in ("r", "low", "over_random"):
        expected = here.tables["layers"][column]
        np.testing.assert_allclose(there.tables["layers"][column], expected, atol=0.01)


@pytest.mark.data
def test_real_neurons(data_folder: Path, tmp_path: Path) -> None:
    made = encode(
        "isocortex:half",
        "v4-cowley-210325",
        layers="features.pool2",
        data=data_folder,
        n_resamples=100,
        how="mean",
        cache=tmp_path,
    )
    pixels = rows(made, "pixels 14 x 14").iloc[0]
    assert pixels["low"] > 0.1
    assert pixels["normalised"] < 1
    assert made.tables["ceilings"]["reliability"].median() == pytest.approx(0.76, abs=0.02)
