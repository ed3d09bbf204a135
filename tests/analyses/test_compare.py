"""`compare` on networks and subjects whose likeness is known, against features by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from isocortex.analyses import compare as analysis
from isocortex.analyses.compare import CompareResult, compare_brain, compare_networks
from isocortex.analyses.compare_figures import cka_of_layers, rsa_over_layers
from isocortex.analyses.compare_steps import CHOSEN, first_alike
from isocortex.cli import main
from isocortex.errors import UserError
from isocortex.measures.similarity import linear_cka
from isocortex.models import load_model
from isocortex.report.style import THEMES, figure_style
from isocortex.stimuli import StimulusSet

N, SIDE, SUBJECTS = 20, 12, 5

SCRIPT = """
import torch
from torch import nn


class Net(nn.Sequential):
    input_shape = (3, 12, 12)


def net(seed=3, width=6):
    torch.manual_seed(seed)
    net = Net(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, width, 5), nn.ReLU(), nn.Dropout(),
              nn.Flatten(), nn.Linear(16 * width, 10))
    for module in (net[0], net[2]):
        nn.init.normal_(module.weight, std=0.4)
        nn.init.normal_(module.bias, std=0.4)
    return net


def other():
    return net(4, 9)


def dead():
    model = net()
    nn.init.zeros_(model[0].weight)
    return model
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with networks, stimuli, and subjects who see as layer 3 of `net` does."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "net.py").write_text(SCRIPT)
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
    images = torch.from_numpy(levels.transpose(0, 3, 1, 2) / np.float32(255))
    StimulusSet.from_tensor(images).save(folder / "images")
    seen = squareform(pdist(features(folder, "net", images)["3"], "correlation"))
    noise = {"EVC": 4.0, "IT": 0.3}
    subjects = {}
    for region, amount in noise.items():
        own = rng.random((SUBJECTS, N, N)) * amount * seen.std()
        subjects[region] = seen + own + own.transpose(0, 2, 1)
        subjects[region][:, np.arange(N), np.arange(N)] = 0.0
    (folder / "data" / "neural").mkdir(parents=True)
    np.savez(
        folder / "data" / "neural" / "objects92_rdms.npz",
        images=levels,
        category=np.array(["thing"] * N),
        **{f"is_{flag}": np.zeros(N, bool) for flag in ("human", "face", "animal", "natural")},
        rdm_fmri_EVC_subjects=subjects["EVC"],
        rdm_fmri_IT_subjects=subjects["IT"],
        rdm_behaviour_subjects=subjects["IT"],
        rdm_hIT_subject_session=np.stack([subjects["EVC"], subjects["IT"]], axis=1),
    )
    return folder


def features(folder: Path, name: str, images: torch.Tensor) -> dict[str, np.ndarray]:
    model = load_model(f"file:{folder / 'net.py'}:{name}")
    x, found = model.preprocess(images), {}
    with torch.no_grad():
        for k, module in enumerate(model.network):
            x = module(x)
            found[str(k)] = x.flatten(1).double().numpy()
    return found


def shown(folder: Path) -> torch.Tensor:
    return StimulusSet.load(folder / "images").images()


def networks(folder: Path, **options: object) -> CompareResult:
    return compare_networks(
        f"file:{folder / 'net.py'}:net",
        f"file:{folder / 'net.py'}:other",
        str(folder / "images"),
        **{"cache": folder / "cache", "n_permutations": 50, **options},  # type: ignore[arg-type]
    )


def brain(folder: Path, **options: object) -> CompareResult:
    return compare_brain(
        f"file:{folder / 'net.py'}:{options.pop('factory', 'net')}",
        **{
            "cache": folder / "cache", "data": folder / "data", "n_draws": 60,
            "n_permutations": 60, "random_seeds": 2, **options,
        },  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(scope="module")
def pair(folder: Path) -> CompareResult:
    return networks(folder)


@pytest.fixture(scope="module")
def subjects(folder: Path) -> CompareResult:
    return brain(folder)


# --- two networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_of_all_pairs_by_hand(folder: Path, debiased: bool) -> None:
    tables = networks(folder, debiased=debiased).tables
    images = shown(folder)
    sides = [{"pixels": images.flatten(1).double().numpy()} for _ in range(2)]
    for side, name in zip(sides, ("net", "other"), strict=True):
        side |= features(folder, name, images)
    cka = tables["cka"].set_index(["layer_a", "layer_b"])["cka"]
    assert len(cka) == 36  # pixels, 0, 1, 2, 3, 6: layers 4 and 5 pass on what 3 says
    for (a, b), value in cka.items():
        expected = linear_cka(sides[0][a], sides[1][b], debiased=debiased)
        assert value == pytest.approx(float(expected), abs=2e-5)
    matrix = tables["matrix"].set_index("layer")
    assert matrix.loc["3", "6"] == cka["3", "6"]


def test_intervals_nulls_and_repeats(pair: CompareResult) -> None:
    table = pair.tables["cka"]
    assert (table["low"] <= table["cka"]).all()
    assert (table["cka"] <= table["high"]).all()
    assert table.set_index(["layer_a", "layer_b"]).loc[("pixels", "pixels"), "p"] == 1 / 51
    assert table["null_mean"].abs().max() < 0.1
    assert list(table["depth_a"].unique()) == [-1, 0, 1, 2, 3, 4]
    assert (table["n_stimuli"] == N).all()
    layers = pair.tables["layers"]
    a = layers[layers["network"] == "a"].set_index("layer")
    assert dict(a["same_as"][a["same_as"] != ""]) == {"4": "3", "5": "3"}
    assert list(a["n_units"]) == [512, 512, 96, 96, 96, 96, 10]
    assert any("4 layers answer exactly as an earlier one" in w for w in pair.warnings)


def test_the_cache_answers_whatever_the_batch(folder: Path, pair: CompareResult) -> None:
    again = networks(folder, batch_size=3, cache=folder / "cache")
    assert all(timing["from_cache"] for timing in again.provenance["timings"])
    pd.testing.assert_frame_equal(again.tables["cka"], pair.tables["cka"])
    fresh = networks(folder, cache=None, batch_size=7, layers="0,3", layers_b="6")
    rows = fresh.tables["cka"].set_index(["layer_a", "layer_b"])["cka"]
    assert list(fresh.tables["matrix"]["layer"]) == ["pixels", "0", "3"]
    before = pair.tables["cka"].set_index(["layer_a", "layer_b"])["cka"]
    assert rows["3", "6"] == pytest.approx(before["3", "6"], abs=1e-5)


def test_a_network_with_itself_and_with_other_random_weights(folder: Path) -> None:
    name, said = f"file:{folder / 'net.py'}:net", []
    options = {"cache": folder / "cache", "n_permutations": 5, "announce": said.append}
    itself = compare_networks(name, name, str(folder / "images"), **options)  # type: ignore
    matrix = itself.tables["matrix"].set_index("layer")
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    np.testing.assert_allclose(matrix, matrix.T)
    assert said == []  # Grams are there
    other = compare_networks(
        name, name, str(folder / "images"), weights="random", seed_b=1, **options
    )  # type: ignore
    assert other.tables["cka"].set_index(["layer_a", "layer_b"]).loc[("0", "0"), "cka"] < 1.0
    assert len(said) == 1
    assert said[0].startswith("Grams of 7 layers, 20 presentations")
    assert other.provenance["network_b"]["seed"] == 1
    assert other.provenance["network_a"]["weights"] == "random (seed 0)"


def test_one_stands_for_layers_that_answer_alike() -> None:
    one, two = np.eye(3), np.ones((3, 3))
    made = {"act:2": one, "block": one, "all": one, "conv": two, "relu:2": 2 * two}
    assert first_alike(made) == {
        "act:2": "block", "block": "block", "all": "block", "conv": "conv", "relu:2": "relu:2",
    }  # fmt: skip


def test_layers_that_do_not_vary_have_no_cka(folder: Path) -> None:
    dead = f"file:{folder / 'net.py'}:dead"
    options = {"cache": folder / "cache", "n_permutations": 5}
    result = compare_networks(dead, dead, str(folder / "images"), **options)  # type: ignore
    matrix = result.tables["matrix"].set_index("layer")
    assert matrix.loc["pixels", "pixels"] == pytest.approx(1.0)
    assert matrix.drop(index="pixels").isna().all(axis=None)
    figure = cka_of_layers(result.tables, ("dead", "dead"))
    assert "no layer" in figure.get_suptitle()


# --- a network and subjects ---------------------------------------------------------------------


def test_scores_by_hand(folder: Path, subjects: CompareResult) -> None:
    images = shown(folder)
    made = features(folder, "net", images) | {"": images.flatten(1).double().numpy()}
    with np.load(folder / "data" / "neural" / "objects92_rdms.npz") as file:
        measured = {r: file[f"rdm_fmri_{r}_subjects"] for r in ("EVC", "IT")}
    table = subjects.tables["scores"]
    table = table[table["network"].isin(["given", "pixels"]) & (table["layer"] != CHOSEN)]
    assert set(table["layer"]) == {"", "0", "1", "2", "3", "6"}
    upper = np.triu_indices(N, 1)
    for _, row in table.iterrows():
        d = pdist(made[row["layer"]], "correlation")
        each = [stats.spearmanr(d, m[upper])[0] for m in measured[row["region"]]]
        assert row["score"] == pytest.approx(np.mean(each), abs=1e-5)
        assert row["low"] < row["score"] < row["high"]


def test_the_layer_that_subjects_see_with_is_found(subjects: CompareResult) -> None:
    scores, ceilings = subjects.tables["scores"], subjects.tables["ceilings"].set_index("region")
    it = scores[scores["region"] == "IT"].set_index(["network", "layer"])
    assert it.loc["given", "score"].drop(CHOSEN).idxmax() == "3"
    top = it.loc[("given", "3")]
    assert ceilings.loc["IT", "lower"] < top["score"] <= ceilings.loc["IT", "upper"] < 1
    assert top["p"] == pytest.approx(1 / 61)
    assert top["over_random_low"] > 0
    assert top["over_pixels_low"] > 0
    assert top["below_ceiling"] == pytest.approx(ceilings.loc["IT", "lower"] - top["score"])
    random = it.loc[[("random 1", "3"), ("random 2", "3")], "score"].mean()
    assert top["over_random"] == pytest.approx(top["score"] - random)
    assert ceilings.loc["EVC", "upper"] < ceilings.loc["IT", "lower"]  # noisier subjects
    choice = subjects.tables["choice"].query("network == 'given' and region == 'IT'")
    assert set(choice["layer"]) == {"3"}
    assert it.loc[("given", CHOSEN), "score"] == pytest.approx(choice["score"].mean())
    by_subject = subjects.tables["subjects"].query("region == 'IT' and network == 'given'")
    chosen = by_subject.query("layer == '3'")
    np.testing.assert_allclose(chosen["score"].mean(), top["score"])
    assert set(scores["network"]) == {"given", "pixels", "random 1", "random 2"}


def test_choices_leave_the_scored_subject_out(folder: Path) -> None:
    tables = brain(folder, regions=["EVC"]).tables
    by_layer = (
        tables["subjects"].query("network == 'random 1'").pivot(index="layer", columns="subject")
    )["score"]
    for _, row in tables["choice"].query("network == 'random 1'").iterrows():
        others = by_layer.drop(columns=row["subject"]).mean(axis=1)
        assert row["layer"] == others.idxmax()
        assert row["score"] == by_layer.loc[row["layer"], row["subject"]]


def test_layers_without_an_rdm_are_named(folder: Path) -> None:
    result = brain(folder, factory="dead", random_seeds=0, regions=["IT"])
    scores = result.tables["scores"].set_index("layer")
    layers = ["0", "1", "2", "3", "6"]
    layers = [layer for layer in layers if layer in scores.index]
    assert scores.loc[layers, "score"].isna().all()
    assert not scores.loc[layers, "defined"].any()
    assert scores.loc["", "defined"]
    assert any("have no RDM: 0, " in warning for warning in result.warnings)
    assert "over_random" in scores
    rsa_over_layers(result.tables, "dead").savefig(folder / "dead.png")


def test_regions_with_sessions_and_other_methods(folder: Path) -> None:
    result = brain(folder, regions=["hIT"], method="pearson", random_seeds=0, layers="3")
    assert result.tables["ceilings"]["n_subjects"].tolist() == [SUBJECTS]
    assert result.provenance["what"] == "RSA, pearson"
    assert result.provenance["seed"] == 0
    assert result.provenance["stimuli_checksum"]


# --- figures, command ---------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_figures_are_drawn(theme: str, pair: CompareResult, subjects: CompareResult) -> None:
    with figure_style(theme):
        for figure in (
            cka_of_layers(pair.tables, ("net", "other")),
            rsa_over_layers(subjects.tables, "net"),
        ):
            assert isinstance(figure, Figure)
            figure.canvas.draw()


def test_the_commands_write_a_folder_and_print_a_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = f"file:{folder / 'net.py'}:net"
    shared = ["--cache", str(folder / "cache"), "--data", str(folder / "data")]
    out = tmp_path / "cka"
    command = ["compare", net, f"file:{folder / 'net.py'}:other", "--stimuli",
               str(folder / "images"), "--permutations", "50", "--out", str(out)]  # fmt: skip
    assert main([*command, *shared]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split("\t") == ["layer", "most alike", "CKA", "permuted (97.5 %)", "p"]
    assert len(rows) == 7
    assert sorted(p.name for p in (out / "tables").iterdir()) == [
        "cka.csv", "layers.csv", "matrix.csv",
    ]  # fmt: skip
    assert (out / "figures" / "cka.png").stat().st_size > 10_000
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["what"] == "CKA, debiased"
    assert provenance["versions"]["isocortex"]
    out = tmp_path / "rsa"
    command = ["compare", net, "objects92", "--draws", "60", "--permutations", "60", "--random",
               "2", "--out", str(out)]  # fmt: skip
    assert main([*command, *shared]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {row[0] for row in rows[1:]} == {"EVC", "IT"}
    assert rows[6][1] == CHOSEN
    assert (out / "figures" / "rsa_over_layers.svg").is_file()
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["random_seeds"] == [0, 1]
    assert provenance["citation"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["NET", "NET"], "two networks are compared over stimuli; name them with --stimuli"),
        (["NET", "objects92", "--stimuli", "object-views"], "--stimuli says nothing where a"),
        (["NET", "NET", "--stimuli", "x", "--draws", "5"], "--draws says nothing where two"),
        (["NET", "v4-cowley-201025"], "v4-cowley-201025 holds no dissimilarities of subjects"),
        (["NET", "NET", "--stimuli", "nowhere"], "unknown stimulus set 'nowhere'"),
        (["NET", "alexnet", "--stimuli", "IMAGES"], "'alexnet' is no model's name"),
        (["NET", "objects92", "--region", "V4"], "unknown region 'V4'"),
        (["NET", "objects92", "--method", "kendall"], "unknown RDM comparison 'kendall'"),
        (["NET", "objects92", "--method", "whitened_cosine"], "unknown RDM comparison"),
        (["NET", "objects92", "--layers", "feature"], "unknown layer 'feature'"),
        (["NET", "objects92", "--random", "-1"], "compare needs at least one region"),
        (["NET", "objects92", "--draws", "0"], "n_draws is 0"),
        (["NET", "objects92", "--device", "gpu"], "device 'gpu' cannot be used here"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], line: str,
) -> None:  # fmt: skip
    names = {"NET": f"file:{folder / 'net.py'}:net", "IMAGES": str(folder / "images")}
    out = tmp_path / "out"
    code = main(
        ["compare", *(names.get(a, a) for a in arguments), "--out", str(out), "--cache",
         str(folder / "cache"), "--data", str(folder / "data")]
    )  # fmt: skip
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"isocortex: {line}")
    assert captured.err.count("\n") == 1
    assert not out.exists()


def test_brains_that_are_no_brains() -> None:
    with pytest.raises(UserError, match="unknown brain with dissimilarities 'it-7objects'"):
        compare_brain("isocortex:half", "it-7objects")
    assert analysis.BRAINS == ("objects92",)


@pytest.mark.data
def test_ceilings_of_the_92_objects_are_those_of_their_description(
    data_folder: Path, tmp_path: Path
) -> None:
    result = compare_brain(
        "isocortex:half", layers="head.fc1", weights="random", random_seeds=0, n_draws=20,
        n_permutations=20, data=data_folder, cache=tmp_path,
    )  # fmt: skip
    ceilings = result.tables["ceilings"].set_index("region")
    for region, lower, upper in (("EVC", 0.239, 0.386), ("IT", 0.449, 0.535)):
        assert ceilings.loc[region, "lower"] == pytest.approx(lower, abs=0.008)
        assert ceilings.loc[region, "upper"] == pytest.approx(upper, abs=0.008)
